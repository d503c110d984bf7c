"""Which form of convolution is for maps of which size on this processor: measured once, and remembered.

The usual bounds hold unless this processor clearly contradicts them, for a run's numbers depend on the form: near ties
must come out alike whenever, and on whichever machine of a kind, they are measured. What counts is the processor time
of the fastest of a few repeats, so that other work on the machine decides nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import dropwhile, takewhile
from typing import Any

import torch
from torch import nn

from scalestudy.training.precision import autocast_context
from scalestudy.training.processor import measured_once
from scalestudy.training.small_maps import WIDE, Forms, SmallMapConv2d, usual_forms

# The library's time over the form's: from here on maps beyond the usual bound take the form; below, those within it
# take the library's.
CLEARLY_FASTER, CLEARLY_SLOWER = 1.5, 0.6
STOCK = Forms(whole=0, pointwise=0, columns=0, learning_wide=0, learning_narrow=0)
_REPEATS = 5
_NO_LIMIT = 10**6


@dataclass(frozen=True)
class _Probe:
    """A convolution of a ResNet for 32 x 32 images (stock or CIFAR stem), which a bound of `Forms` is judged by.

    pixels: those of the map that the bound counts. side: of the input.
    """

    pixels: int
    side: int
    channels: tuple[int, int]
    kernel: int = 3
    stride: int = 1


# For each bound, from the smallest map to the largest that could pay.
_PROBES: dict[str, tuple[_Probe, ...]] = {
    "whole": (_Probe(1, 1, (512, 512)), _Probe(4, 2, (256, 256))),
    "pointwise": (
        _Probe(1, 1, (512, 1024), kernel=1),
        _Probe(4, 2, (512, 512), kernel=1),
        _Probe(16, 4, (256, 256), kernel=1),
        _Probe(64, 8, (128, 128), kernel=1),
        _Probe(256, 16, (64, 64), kernel=1),
    ),
    "columns": (_Probe(4, 4, (128, 256), stride=2), _Probe(16, 4, (128, 128))),
    "learning_wide": (_Probe(4, 2, (WIDE, WIDE)), _Probe(16, 4, (WIDE, WIDE)), _Probe(64, 8, (WIDE, WIDE))),
    "learning_narrow": (_Probe(4, 2, (128, 128)), _Probe(16, 4, (128, 128)), _Probe(64, 8, (64, 64))),
}


def choose_forms(device: torch.device, precision: str) -> Forms:
    """Return the forms of convolution for a run: those measured for this kind of processor, in seconds at first.

    On a GPU every convolution is the library's own.
    """
    if device.type != "cpu":
        return STOCK
    return measured_once(f"convolutions-{precision}", lambda: measure_forms(precision), _read)


def measure_forms(precision: str) -> dict[str, Any]:
    """Return the bounds of `Forms`, and the time of the library's convolution over that of the form by probe."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ratios: dict[str, float] = {}
    try:
        bounds = {
            name: _bound(name, probes, asdict(usual_forms(precision))[name], precision, ratios)
            for name, probes in _PROBES.items()
        }
    finally:
        torch.set_num_threads(threads)
    return {"forms": bounds, "library_time_over_form_time": ratios}


def _bound(name: str, probes: Sequence[_Probe], usual: int, precision: str, ratios: dict[str, float]) -> int:
    """Return the bound `name`: the usual one, lower or higher where the probes clearly say so; notes their ratios."""

    def ratio(probe: _Probe) -> float:
        ratios[f"{name} {probe.pixels}"] = found = round(time_ratio(name, probe, precision), 3)
        return found

    within = [probe for probe in probes if probe.pixels <= usual]
    beyond = [probe for probe in probes if probe.pixels > usual]
    lower = list(dropwhile(lambda probe: ratio(probe) < CLEARLY_SLOWER, reversed(within)))
    if len(lower) < len(within):
        return lower[0].pixels if lower else 0
    higher = list(takewhile(lambda probe: ratio(probe) > CLEARLY_FASTER, beyond))
    return higher[-1].pixels if higher else usual


def time_ratio(bound: str, probe: _Probe, precision: str) -> float:
    """Return the time of the library's convolution over that of the form that `bound` stands for."""
    form = Forms(**{**asdict(STOCK), bound: _NO_LIMIT})
    learning = bound != "columns"
    works = [_work(probe, forms, learning, precision) for forms in (STOCK, form)]
    times = [[_seconds(work) for work in works] for _ in range(_REPEATS + 1)][1:]  # the first warms up
    return min(own for own, _ in times) / min(other for _, other in times)


def images_of(probe: _Probe) -> int:
    """Return the size of the batch: smaller for large maps, so that each takes some milliseconds."""
    return 64 if probe.pixels <= 16 else 16


def _work(probe: _Probe, forms: Forms, learning: bool, precision: str) -> Callable[[], None]:
    """Return a function that does one convolution, with its backward where `learning`."""
    generator = torch.Generator().manual_seed(0)
    inputs, outputs = probe.channels
    layer = SmallMapConv2d(inputs, outputs, probe.kernel, probe.stride, probe.kernel // 2, bias=False)
    nn.init.normal_(layer.weight, std=0.05, generator=generator)
    layer = layer.to(memory_format=torch.channels_last)
    layer.forms = forms
    images = torch.randn(images_of(probe), inputs, probe.side, probe.side, generator=generator)
    images = images.to(torch.bfloat16 if precision == "bf16" else torch.float32)
    images = images.to(memory_format=torch.channels_last).requires_grad_(learning)

    def work() -> None:
        with autocast_context(images.device, precision), torch.set_grad_enabled(learning):
            output = layer(images)
        if learning:
            output.backward(output.detach())
            layer.weight.grad = images.grad = None

    return work


def _seconds(work: Callable[[], None]) -> float:
    """Return the processor seconds of this process for it."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _read(record: Mapping[str, Any]) -> Forms:
    bounds = {field.name: record["forms"][field.name] for field in fields(Forms)}
    if not all(type(pixels) is int and pixels >= 0 for pixels in bounds.values()):
        raise ValueError("forms")
    return Forms(**bounds)
