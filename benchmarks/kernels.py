"""What each trick of the CPU path gives, on this machine: single convolutions, and whole models trained and measured.

    python benchmarks/kernels.py --models resnet18 resnet50 --batch-sizes 32 256

One thread. Variants are timed in turn, round after round; shown is the median of the CPU time that each took, which
other work on the machine changes little. Images are random; each has 32 x 32 pixels.
"""

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import nn
from torch.nn import functional as F

from scalestudy.study.settings import RunSettings
from scalestudy.training import small_maps
from scalestudy.training.device import device_name
from scalestudy.training.folding import evaluation_model
from scalestudy.training.loop import EVALUATION_BATCH
from scalestudy.training.memory import keep_freed_memory
from scalestudy.training.models import build_model
from scalestudy.training.precision import autocast_context, choose_precision
from scalestudy.training.recipe import make_optimizer
from scalestudy.training.small_maps import SmallMapConv2d, use_small_map_convolutions

CPU = torch.device("cpu")
SIZE = 32


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of CPU time of each, after one round that warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began = time.process_time()
            work()
            times[name].append(time.process_time() - began)
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def convolutions(model: nn.Module) -> dict[tuple[int, ...], tuple[nn.Conv2d, int]]:
    """Return each kind of convolution that replacement covers, by its shape and map: one of them, and how many."""
    found: dict[tuple[int, ...], tuple[nn.Conv2d, int]] = {}

    def note(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        assert isinstance(module, nn.Conv2d)
        key = (*module.weight.shape[1::-1], module.kernel_size[0], module.stride[0], inputs[0].shape[2])
        found[key] = (module, found.get(key, (module, 0))[1] + 1)

    copied = use_small_map_convolutions(copy.deepcopy(model)).eval()
    for module in copied.modules():
        if isinstance(module, SmallMapConv2d):
            module.register_forward_pre_hook(note)
    with torch.inference_mode():
        copied(torch.zeros(1, 3, SIZE, SIZE))
    return found


def show_convolutions(model: nn.Module, batch: int, precision: str, rounds: int) -> None:
    """Print stock against chosen form for each kind of convolution, with backward and forward alone."""
    titles = "training, ms: stock   ours  ratio | measuring: stock   ours  ratio"
    print(f"{'convolution (map)':28} {'number':>6} {'trained':>8} | {titles}")
    totals = [0.0] * 4
    for (inputs, outputs, kernel, stride, side), (module, number) in convolutions(model).items():
        padding = module.padding[0]
        ours = SmallMapConv2d(inputs, outputs, kernel, stride, padding, bias=False).to(
            memory_format=torch.channels_last
        )
        stock = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False).to(
            memory_format=torch.channels_last
        )
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        images = torch.randn(batch, inputs, side, side, dtype=dtype).to(memory_format=torch.channels_last)
        windows = small_maps._windows((side, side), (kernel, kernel), (stride, stride), (padding, padding))
        form = small_maps.choose_form(ours.forms, windows, inputs, outputs, batch, True)

        def train(layer: nn.Module, images: torch.Tensor = images, first: bool = inputs == 3) -> None:
            with autocast_context(CPU, precision):
                output = layer(images.detach().requires_grad_(not first))
            output.backward(output.detach())
            layer.zero_grad()

        @torch.inference_mode()
        def measure(layer: nn.Module, images: torch.Tensor = images) -> None:
            with autocast_context(CPU, precision):
                layer(images)

        works = {
            "train stock": lambda train=train, stock=stock: train(stock),
            "train ours": lambda train=train, ours=ours: train(ours),
            "measure stock": lambda measure=measure, stock=stock: measure(stock),
            "measure ours": lambda measure=measure, ours=ours: measure(ours),
        }
        a, b, c, d = (1e3 * seconds for seconds in interleaved(works, rounds).values())
        totals = [total + number * each for total, each in zip(totals, (a, b, c, d), strict=True)]
        name = f"{kernel}x{kernel}/{stride} {inputs}->{outputs} ({side}x{side})"
        print(
            f"{name:28} {number:6} {form:>8} | {a:19.2f} {b:6.2f} {a / b:6.1f} | {c:16.2f} {d:6.2f} {c / d:6.1f}"
        )
    a, b, c, d = totals
    print(
        f"{'all':28} {'':6} {'':8} | {a:19.1f} {b:6.1f} {a / b:6.1f} | {c:16.1f} {d:6.1f} {c / d:6.1f}",
        flush=True,
    )


def trainer(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, precision: str
) -> Callable[[], None]:
    """Return a function that takes one optimizer step on the images."""
    labels = torch.arange(len(images)) % 10
    model.train()

    def step() -> None:
        with autocast_context(CPU, precision):
            logits = model(images).float()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def whole(name: str, batch: int, precision: str) -> Callable[[], None]:
    """Return one optimizer step with all tricks."""
    model = use_small_map_convolutions(build_model(name, 10, seed=0).to(memory_format=torch.channels_last))
    images = torch.randn(batch, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, RunSettings(model=name, batch_size=batch))
    return trainer(model, optimizer, images, precision)


def show_training(name: str, batch: int, precision: str, rounds: int) -> None:
    """Print images/s of training, one trick after another added."""
    images = torch.randn(batch, 3, SIZE, SIZE)
    images_last = images.to(memory_format=torch.channels_last)

    def stock() -> nn.Module:
        return build_model(name, 10, seed=0)

    def last() -> nn.Module:
        return stock().to(memory_format=torch.channels_last)

    def step(
        model: nn.Module, images: torch.Tensor, precision: str, fused: bool = False
    ) -> Callable[[], None]:
        return trainer(model, torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused), images, precision)

    works = {
        "float32, as torch has it": step(stock(), images, "float32"),
        "+ channels last": step(last(), images_last, "float32"),
        f"+ {precision}": step(last(), images_last, precision),
        "+ matrix products on small maps": step(use_small_map_convolutions(last()), images_last, precision),
        "+ fused Adam": step(use_small_map_convolutions(last()), images_last, precision, fused=True),
        "+ Adam sees weights in memory order": whole(name, batch, precision),
    }
    show(interleaved(works, rounds), batch)


def step_seconds(name: str, batch: int, precision: str, kept: bool) -> float:
    """Return the median seconds of a step in a process of its own, where freed memory is kept or given back."""
    torch.set_num_threads(1)
    if kept:
        keep_freed_memory()
    return interleaved({"step": whole(name, batch, precision)}, rounds=12)["step"]


def show_memory(name: str, batch: int, precision: str, rounds: int) -> None:
    """Print images/s of training with all tricks, in processes that give freed memory back and that keep it."""
    times: dict[str, list[float]] = {"all of these, freed memory given back": [], "+ freed memory kept": []}
    for _ in range(rounds):
        for kept, measured in enumerate(times.values()):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                measured.append(process.submit(step_seconds, name, batch, precision, bool(kept)).result())
    show({trick: statistics.median(measured) for trick, measured in times.items()}, batch)


def show_measuring(name: str, precision: str, rounds: int) -> None:
    """Print images/s of measuring, one trick after another added."""
    base = build_model(name, 10, seed=0).eval()
    last = copy.deepcopy(base).to(memory_format=torch.channels_last)
    small = use_small_map_convolutions(copy.deepcopy(last))
    plain = torch.randn(EVALUATION_BATCH, 3, SIZE, SIZE)
    images = plain.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def predict(model: nn.Module, precision: str, images: torch.Tensor = images) -> None:
        with autocast_context(CPU, precision):
            model(images)

    folded = evaluation_model(small)
    works = {
        "float32, as torch has it": lambda: predict(base, "float32", plain),
        "+ channels last": lambda: predict(last, "float32"),
        f"+ {precision}": lambda: predict(last, precision),
        "+ matrix products on small maps": lambda: predict(small, precision),
        "+ BatchNorm folded": lambda: predict(folded, precision),
    }
    show(interleaved(works, rounds), EVALUATION_BATCH)


def show(seconds: dict[str, float], images: int) -> None:
    """Print images/s and the gain over the first and the one before."""
    first = before = next(iter(seconds.values()))
    for trick, each in seconds.items():
        print(
            f"  {trick:38} {images / each:7,.0f} images/s   x{before / each:5.2f}   in all x{first / each:5.2f}",
            flush=True,
        )
        before = each


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[32, 256])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    precision = choose_precision("auto", CPU)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    machine = f"{device_name(CPU)}, {os.cpu_count()} CPUs, load {load:.1f}"
    print(f"{machine}, one thread, torch {torch.__version__}, {precision}")
    for name in args.models:
        for batch in args.batch_sizes:
            print(f"\n{name}, training, batch {batch}")
            show_training(name, batch, precision, args.rounds)
            show_memory(name, batch, precision, args.rounds)
        print(f"\n{name}, measuring, batch {EVALUATION_BATCH}")
        show_measuring(name, precision, args.rounds)
        for batch in args.batch_sizes:
            print(f"\n{name}, its convolutions, batch {batch}, {precision}")
            show_convolutions(build_model(name, 10, seed=0), batch, precision, args.rounds)


if __name__ == "__main__":
    main()
