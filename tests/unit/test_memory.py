"""What tensors free is kept, and an optimizer that sees weights in memory order takes the very same steps."""

import copy
import platform
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from scalestudy.training.memory import in_memory_order

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1, fused=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, fused=True),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1, fused=True),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1), nn.Flatten(), nn.Linear(5 * 9, 2))
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def loss(model: nn.Module, step: int) -> Tensor:
    images = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(step))
    result: Tensor = model(images).square().sum()
    return result


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_the_same_to_the_bit_as_with_the_parameters_themselves(name: str) -> None:
    plain = network()
    ours = copy.deepcopy(plain)
    optimizers = [
        OPTIMIZERS[name](list(plain.parameters())),
        OPTIMIZERS[name]([in_memory_order(parameter) for parameter in ours.parameters()]),
    ]
    for step in range(4):
        for model, optimizer in zip((plain, ours), optimizers, strict=True):
            optimizer.zero_grad()
            loss(model, step).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_channels_last_weight_gives_a_contiguous_view_of_the_same_memory() -> None:
    weight = network()[0].weight  # type: ignore[index]
    view = in_memory_order(weight)
    assert view.is_contiguous()
    assert view.data_ptr() == weight.data_ptr()
    assert torch.equal(view.permute(0, 3, 1, 2), weight)


def test_parameters_that_are_contiguous_stay_themselves() -> None:
    for parameter in (nn.Linear(2, 3).weight, nn.Conv2d(2, 3, 3).weight, nn.BatchNorm2d(2).weight):
        assert in_memory_order(parameter) is parameter


def test_gradients_of_two_passes_add_up() -> None:
    plain, ours = network(), network()
    view = in_memory_order(ours[0].weight)  # type: ignore[index]
    for step in range(2):
        loss(plain, step).backward()  # type: ignore[no-untyped-call]
        loss(ours, step).backward()  # type: ignore[no-untyped-call]
    assert view.grad is not None
    assert torch.allclose(view.grad.permute(0, 3, 1, 2), plain[0].weight.grad)  # type: ignore[index]


GIVEN_BACK = """
import psutil, sys, torch
from scalestudy.training.memory import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    keep_freed_memory()
tensors = [torch.ones(5_000_000) for _ in range(10)]
held = psutil.Process().memory_info().rss
del tensors
print((held - psutil.Process().memory_info().rss) // 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    def megabytes_given_back(*arguments: str) -> int:
        command = [sys.executable, "-c", GIVEN_BACK, *arguments]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert megabytes_given_back("default") > 100
    assert megabytes_given_back("keep") < 20
