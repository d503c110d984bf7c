"""Each convolution of a model in each form, with its backward, against the limit of plain matrix products.

    python benchmarks/convolutions.py --models resnet18 resnet50 --batch-sizes 32 256

One thread; the processor time of the fastest of a few rounds. The limit is the time of plain matrix products of the
same size: forward, gradient of the weights, gradient of the input; taps that only meet padding are left out. (Where a
library knows a shorter way than the plain product, as for 3x3 kernels, it can come out ahead of the limit.) `chosen` is
what this machine trains with. Images are random; each has 32 x 32 pixels. A busy machine is refused: see `--busy`.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from kernels import CPU, SIZE, interleaved, prepared
from machine import describe
from torch import nn

from scalestudy.training import small_maps
from scalestudy.training.forms import STOCK, choose_forms
from scalestudy.training.memory import keep_freed_memory
from scalestudy.training.models import build_model
from scalestudy.training.precision import autocast_context, choose_precision
from scalestudy.training.small_maps import Forms, SmallMapConv2d, use_small_map_convolutions

ALL = 10**6  # pixels: maps of any size
COLUMNS = Forms(whole=0, pointwise=ALL, columns=ALL, learning_wide=ALL, learning_narrow=ALL)
WHOLE = Forms(whole=ALL, pointwise=0, columns=0, learning_wide=0, learning_narrow=0)


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


def show(model: nn.Module, batch: int, precision: str, forms: Forms, rounds: int) -> None:
    """Print a table in Markdown: each kind of convolution in each form, with backward, against the limit."""
    print(
        "| convolution (map) | number | library, ms | columns, ms | whole, ms | chosen | limit, ms | reached |"
    )
    print("|---|---:|---:|---:|---:|---|---:|---:|")
    chosen_total = limit_total = library_total = 0.0
    for (inputs, outputs, kernel, stride, side), (module, number) in convolutions(model).items():
        kind = Kind(inputs, outputs, kernel, stride, int(module.padding[0]), side, batch, precision)
        works = {"stock": kind.work(STOCK), "columns": kind.work(COLUMNS), "limit": kind.limit()}
        if side <= 2:
            works["whole"] = kind.work(WHOLE)
        times = {name: 1e3 * each for name, each in interleaved(works, rounds, of=min).items()}
        chosen = kind.form(forms)
        chosen_total += number * times[chosen]
        limit_total += number * times["limit"]
        library_total += number * times["stock"]
        whole = f"{times['whole']:.2f}" if "whole" in times else ""
        print(
            f"| {kernel}x{kernel}/{stride} {inputs} to {outputs} ({side} x {side}) | {number} | {times['stock']:.2f} "
            f"| {times['columns']:.2f} | {whole} | {chosen} | {times['limit']:.2f} "
            f"| {times['limit'] / times[chosen]:.0%} |",
            flush=True,
        )
    print(
        f"| all, as chosen: {chosen_total:.1f} ms | | {library_total:.1f} | | | | {limit_total:.1f} ", end=""
    )
    print(f"| {limit_total / chosen_total:.0%} |", flush=True)


@dataclass(frozen=True)
class Kind:
    """A kind of convolution on a square map of `side` pixels, for a batch."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    side: int
    batch: int
    precision: str

    @property
    def windows(self) -> small_maps._Windows:
        """Where its windows lie."""
        pairs = ((each, each) for each in (self.side, self.kernel, self.stride, self.padding))
        return small_maps._windows(*pairs)

    @property
    def dtype(self) -> torch.dtype:
        """What its products are computed in."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def form(self, forms: Forms) -> str:
        """Return the form in which it is trained."""
        return small_maps.choose_form(forms, self.windows, self.inputs, self.outputs, self.batch, True)

    def work(self, forms: Forms) -> Callable[[], None]:
        """Return a function that does it once, with its backward; the images themselves get no gradient."""
        layer = SmallMapConv2d(
            self.inputs, self.outputs, self.kernel, self.stride, self.padding, bias=False
        ).to(memory_format=torch.channels_last)
        layer.forms = forms
        images = torch.randn(self.batch, self.inputs, self.side, self.side, dtype=self.dtype)
        images = images.to(memory_format=torch.channels_last).requires_grad_(self.inputs != 3)

        def train() -> None:
            with autocast_context(CPU, self.precision):
                output = layer(images)
            output.backward(output.detach())
            layer.weight.grad = images.grad = None

        return train

    def limit(self) -> Callable[[], None]:
        """Return a function that does plain matrix products of the same size."""
        pixels, taps = len(self.windows.rows) * len(self.windows.columns), touching(self)
        flat, matrix, gradient = (
            torch.randn(*shape, dtype=self.dtype)
            for shape in (
                (self.batch * pixels, taps),
                (taps, self.outputs),
                (self.batch * pixels, self.outputs),
            )
        )

        def products() -> None:
            flat @ matrix
            gradient.t() @ flat
            if self.inputs != 3:
                gradient @ matrix.t()

        return products


def touching(kind: Kind) -> int:
    """Return the inputs behind an output pixel, on average: taps that touch the map, times channels."""
    rows, columns = (
        sum(b - a for (a, b), _ in axis) / len(axis) for axis in (kind.windows.rows, kind.windows.columns)
    )
    return round(rows * columns * kind.inputs)


def main() -> None:
    """Print a table for each model and batch size."""
    args = prepared(__doc__)
    keep_freed_memory()
    precision = choose_precision("auto", CPU)
    forms = choose_forms(CPU, precision)
    print(f"{describe()}; one thread, {precision}; {forms}")
    for name in args.models:
        for batch in args.batch_sizes:
            print(f"\n{name}, batch {batch}\n")
            show(build_model(name, 10, seed=0), batch, precision, forms, args.rounds)


if __name__ == "__main__":
    main()
