"""What tensors free is kept, and an optimizer that sees weights in memory order takes the very same steps."""

import copy
import platform
import subprocess
import sys
from collections.abc import Callable

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


def trained_with(clip: Callable[[nn.Module, torch.optim.Optimizer], object], ordered: bool) -> nn.Module:
    """Take a few steps whose gradients `clip` changes; the optimizer sees weights in memory order, or does not."""
    model = network()
    parameters = [in_memory_order(each) if ordered else each for each in model.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)
    for step in range(3):
        optimizer.zero_grad()
        loss(model, step).backward()  # type: ignore[no-untyped-call]
        clip(model, optimizer)
        optimizer.step()
    return model


def test_every_parameter_of_the_model_shows_its_gradient() -> None:
    plain, ours = network(), network()
    views = [in_memory_order(parameter) for parameter in ours.parameters()]
    for model in (plain, ours):
        loss(model, 0).backward()  # type: ignore[no-untyped-call]
    for mine, view, theirs in zip(ours.parameters(), views, plain.parameters(), strict=True):
        assert mine.grad is not None
        assert torch.equal(mine.grad, theirs.grad)  # type: ignore[arg-type]
        assert view.grad is not None
        assert view.grad.data_ptr() == mine.grad.data_ptr()


def clip_the_model(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    assert nn.utils.clip_grad_norm_(model.parameters(), 0.01) > 1


def clip_the_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    assert nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 0.01) > 1


@pytest.mark.parametrize("clip", [clip_the_model, clip_the_optimizer])
def test_clipping_reaches_the_convolutions(clip: Callable[[nn.Module, torch.optim.Optimizer], None]) -> None:
    ours, plain = trained_with(clip, ordered=True), trained_with(clip, ordered=False)
    unclipped = trained_with(lambda model, optimizer: None, ordered=True)
    for mine, theirs, free in zip(ours.parameters(), plain.parameters(), unclipped.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-6)
        assert not torch.allclose(mine, free, rtol=1e-3)


@pytest.mark.parametrize("who", ["model", "optimizer"])
@pytest.mark.parametrize("to_none", [True, False])
def test_zeroing_gradients_through_the_model_or_the_optimizer_zeroes_them_all(
    who: str, to_none: bool
) -> None:
    model = network()
    optimizer = torch.optim.Adam([in_memory_order(each) for each in model.parameters()], fused=True)
    loss(model, 0).backward()  # type: ignore[no-untyped-call]
    (model if who == "model" else optimizer).zero_grad(set_to_none=to_none)
    for each in (*model.parameters(), *optimizer.param_groups[0]["params"]):
        assert each.grad is None if to_none else not each.grad.any()


def test_a_gradient_set_by_hand_in_another_layout_is_what_the_optimizer_uses() -> None:
    weight = network()[0].weight  # type: ignore[index]
    before = weight.detach().clone()
    view = in_memory_order(weight)
    gradient = torch.randn(weight.shape)
    weight.grad = gradient
    torch.optim.SGD([view], lr=0.5, fused=True).step()
    assert torch.allclose(weight, before - 0.5 * gradient)


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
