"""The number format of a run's arithmetic: float32, or bfloat16 products where the hardware has them.

Parameters, gradients, optimizer state, BatchNorm statistics and losses are float32 either way.
"""

import contextlib
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from scalestudy.errors import UserError
from scalestudy.training.processor import flags, measured_once
from scalestudy.training.small_maps import USUAL_FORMS, Forms, use_small_map_convolutions

# Results depend on the choice, so it must not flip with noise: hardware gives 1.5 and more, emulation < 1.
BF16_MUST_BE_FASTER_BY = 1.2
_REPEATS = 11
_RATIO = "float32_time_over_bf16_time"
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last as ARM processors spell it


def choose_precision(setting: str, device: torch.device) -> str:
    """Return `float32` or `bf16` for the setting `auto`, `float32` or `bf16`.

    `auto` takes bf16 on a GPU that has it in hardware, and on a CPU that has it and is faster with it. The
    CPU's timing is made once and kept in the user's cache, by processor and torch version: all runs of a
    machine choose alike, and a resumed one as before. Raises UserError for `bf16` where the hardware lacks
    it, because emulation takes several times as long.
    """
    if setting == "float32":
        return "float32"
    has_bf16 = _gpu_has_bf16() if device.type == "cuda" else _cpu_has_bf16()
    if setting == "bf16" and not has_bf16:
        kind = "GPU" if device.type == "cuda" else "processor"
        raise UserError(
            f"precision: bf16, but the {kind} of {platform.node()} has no bf16 in hardware and would be "
            "slower with it; use `precision: auto` or `float32`"
        )
    if has_bf16 and (setting == "bf16" or device.type == "cuda" or bf16_pays()):
        return "bf16"
    return "float32"


def autocast_context(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return the context of a forward pass: bf16 products for `bf16`, nothing for `float32`."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def prepare_model(model: nn.Module, forms: Forms = USUAL_FORMS) -> nn.Module:
    """Put the model in its device's fastest form, in place: same function, parameters and state_dict.

    `forms` says which form of convolution is for which maps on a CPU (see `training.forms`).
    """
    if next(model.parameters()).device.type == "cpu":
        use_small_map_convolutions(model, forms)
    return model.to(memory_format=torch.channels_last)


def bf16_pays() -> bool:
    """Return whether this processor trains faster in bf16, from the cache or a timing of half a second."""
    return measured_once("bf16", lambda: {_RATIO: measure_bf16()}, _ratio) >= BF16_MUST_BE_FASTER_BY


def measure_bf16() -> float:
    """Return the time of a few convolutions' training steps in float32 over that in bf16, on one thread.

    Medians of interleaved repeats: whatever else runs on the machine slows both alike.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network, images = _probe()
        times: dict[str, list[float]] = {"float32": [], "bf16": []}
        for _ in range(_REPEATS + 1):
            for precision, measured in times.items():
                measured.append(_seconds(lambda precision=precision: _probe_step(network, images, precision)))  # type: ignore[misc]
    finally:
        torch.set_num_threads(threads)
    float32, bf16 = (statistics.median(measured[1:]) for measured in times.values())  # the first warms up
    return round(float32 / bf16, 3)


def _probe() -> tuple[nn.Module, Tensor]:
    """Return a few layers such as the middle of a ResNet has for 32 x 32 images, and a batch for them."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((128, 128, 1), (128, 256, 2), (256, 256, 2), (256, 256, 1)):
        convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    images = torch.randn(32, 128, 8, 8).to(memory_format=torch.channels_last)
    return prepare_model(nn.Sequential(*layers)), images


def _probe_step(network: nn.Module, images: Tensor, precision: str) -> None:
    with autocast_context(images.device, precision):
        output = network(images).float()
    output.square().mean().backward()


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ratio(record: Mapping[str, Any]) -> float:
    if not isinstance(record[_RATIO], (int, float)):
        raise TypeError(_RATIO)
    return float(record[_RATIO])


def _gpu_has_bf16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _cpu_has_bf16() -> bool:
    """Return whether the processor multiplies bf16 in hardware and oneDNN, which would use it, is there."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(available) and not _BF16_FLAGS.isdisjoint(flags())
