"""What each trick of the CPU path gives, on this machine: whole models trained and measured.

    python benchmarks/kernels.py --models resnet18 resnet50 --batch-sizes 32 256

One thread. Variants are timed in turn, round after round; shown is the median of the processor time that each took.
Images are random; each has 32 x 32 pixels. A busy machine is refused: see `--busy`. For the convolutions one by one see
`convolutions.py`.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from machine import describe, refuse_if_busy
from torch import nn
from torch.nn import functional as F

from scalestudy.study.settings import RunSettings
from scalestudy.training.folding import evaluation_model
from scalestudy.training.forms import choose_forms
from scalestudy.training.loop import EVALUATION_BATCH
from scalestudy.training.memory import keep_freed_memory
from scalestudy.training.models import build_model
from scalestudy.training.precision import autocast_context, choose_precision
from scalestudy.training.recipe import make_optimizer
from scalestudy.training.small_maps import use_small_map_convolutions

CPU = torch.device("cpu")
SIZE = 32


def interleaved(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    of: Callable[[Sequence[float]], float] = statistics.median,
) -> dict[str, float]:
    """Return the median (or what `of` makes) of each one's seconds of processor time, after a round that warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began = time.process_time()
            work()
            times[name].append(time.process_time() - began)
    return {name: of(each[1:]) for name, each in times.items()}


def small(model: nn.Module, precision: str) -> nn.Module:
    """Return the model with its convolutions in the forms that are chosen on this machine."""
    return use_small_map_convolutions(model, choose_forms(CPU, precision))


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
    model = small(build_model(name, 10, seed=0).to(memory_format=torch.channels_last), precision)
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
        "+ matrix products on small maps": step(small(last(), precision), images_last, precision),
        "+ fused Adam": step(small(last(), precision), images_last, precision, fused=True),
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
    products = small(copy.deepcopy(last), precision)
    plain = torch.randn(EVALUATION_BATCH, 3, SIZE, SIZE)
    images = plain.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def predict(model: nn.Module, precision: str, images: torch.Tensor = images) -> None:
        with autocast_context(CPU, precision):
            model(images)

    folded = evaluation_model(products)
    works = {
        "float32, as torch has it": lambda: predict(base, "float32", plain),
        "+ channels last": lambda: predict(last, "float32"),
        f"+ {precision}": lambda: predict(last, precision),
        "+ matrix products on small maps": lambda: predict(products, precision),
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


def prepared(description: str | None) -> argparse.Namespace:
    """Return what the command line asks for, with one thread to measure with; leave where the machine is busy."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[32, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--busy", action="store_true", help="measure although other work runs on this machine"
    )
    args = parser.parse_args()
    refuse_if_busy(args.busy)
    torch.set_num_threads(1)
    return args


def main() -> None:
    """Print all tables."""
    args = prepared(__doc__)
    precision = choose_precision("auto", CPU)
    print(f"{describe()}; one thread, {precision}, {choose_forms(CPU, precision)}")
    for name in args.models:
        for batch in args.batch_sizes:
            print(f"\n{name}, training, batch {batch}")
            show_training(name, batch, precision, args.rounds)
            show_memory(name, batch, precision, args.rounds)
        print(f"\n{name}, measuring, batch {EVALUATION_BATCH}")
        show_measuring(name, precision, args.rounds)


if __name__ == "__main__":
    main()
