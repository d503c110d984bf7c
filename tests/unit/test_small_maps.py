"""Convolutions on small maps are the same function as the stock ones, gradients included."""

import copy
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scalestudy.training import small_maps
from scalestudy.training.models import build_model
from scalestudy.training.small_maps import USUAL_FORMS, SmallMapConv2d, use_small_map_convolutions

MAPS = [(1, 1), (2, 2), (3, 3), (4, 4), (2, 3)]
KERNELS = [(1, 1), (2, 2), (3, 3), (5, 5), (1, 3)]
STRIDES = [(1, 1), (2, 2), (3, 3), (2, 1)]
PADDINGS = [(0, 0), (1, 1), (2, 2), (0, 1)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def force(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_maps, "choose_form", lambda *arguments: form)


def pair(stock: nn.Conv2d) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return ours and the stock convolution with equal weights, channels last."""
    stock = stock.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ours = copy.deepcopy(stock)
    use_small_map_convolutions(ours)
    assert type(ours) is SmallMapConv2d
    return ours, stock


def evaluate(convolution: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the output, and the gradients of input and parameters, of a loss that weighs each output differently."""
    images = images.clone().requires_grad_()
    output = convolution(images)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    return [
        output.detach(),
        *torch.autograd.grad((output * weights).sum(), [images, *convolution.parameters()]),
    ]


def assert_same(ours: list[Tensor], stock: list[Tensor], tolerance: float) -> None:
    for mine, theirs in zip(ours, stock, strict=True):
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        assert (mine - theirs).abs().max() <= tolerance * theirs.abs().max().clamp_min(1e-30)


@pytest.mark.parametrize("form", ["whole", "columns"])
@pytest.mark.parametrize("size", MAPS, ids=str)
def test_both_forms_equal_the_stock_convolution_and_its_gradients_in_double_precision(
    form: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    force(form, monkeypatch)
    torch.manual_seed(0)
    compared = 0
    for kernel, stride, padding in product(KERNELS, STRIDES, PADDINGS):
        fits = all(k <= s + 2 * p and p < k for k, s, p in zip(kernel, size, padding, strict=True))
        if fits:
            ours, stock = pair(nn.Conv2d(3, 4, kernel, stride, padding, bias=compared % 2 == 0).double())
            images = torch.randn(2, 3, *size, dtype=torch.float64)
            assert_same(evaluate(ours, images), evaluate(stock, images), 1e-13)
            compared += 1
    assert compared >= 20


def test_the_form_that_is_chosen_equals_the_stock_convolution_for_the_layers_of_a_resnet() -> None:
    torch.manual_seed(0)
    forms = set()
    for size, kernel, stride, channels in product((1, 2, 4, 8), (1, 3), (1, 2), (8, 256)):
        ours, stock = pair(nn.Conv2d(channels, 8, kernel, stride, kernel // 2, bias=False).double())
        images = torch.randn(2, channels, size, size, dtype=torch.float64)
        assert_same(evaluate(ours, images), evaluate(stock, images), 1e-12)
        windows = small_maps._windows((size, size), (kernel, kernel), (stride, stride), (kernel // 2,) * 2)
        forms.add(small_maps.choose_form(USUAL_FORMS, windows, channels, 8, 2, True))
    assert forms == {"whole", "columns", "stock"}


@pytest.mark.parametrize("padding", [1, 2])
def test_windows_that_meet_only_padding_and_maps_smaller_than_a_window_are_left_to_the_library(
    padding: int,
) -> None:
    ours, stock = pair(nn.Conv2d(3, 4, 1, padding=padding).double())
    images = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    assert_same(evaluate(ours, images), evaluate(stock, images), 1e-13)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        use_small_map_convolutions(nn.Conv2d(3, 4, 5))(torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize("form", ["whole", "columns"])
def test_an_operation_in_place_may_follow(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force(form, monkeypatch)
    torch.manual_seed(0)
    for bias in (True, False):
        ours, stock = pair(nn.Conv2d(3, 4, 3, padding=1, bias=bias).double())
        images = torch.randn(2, 3, 2, 2, dtype=torch.float64)
        results = [evaluate(nn.Sequential(each, nn.ReLU(inplace=True)), images) for each in (ours, stock)]
        assert_same(*results, 1e-13)


@pytest.mark.parametrize("form", ["whole", "columns"])
def test_a_gradient_that_is_no_plain_block_of_memory_is_taken(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(form, monkeypatch)
    torch.manual_seed(0)
    ours, stock = pair(nn.Conv2d(3, 4, 3, padding=1).double())
    for loss in (torch.sum, lambda output: output.mean((2, 3)).square().sum()):
        found = []
        for each in (ours, stock):
            images = torch.ones(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
            found.append(list(torch.autograd.grad(loss(each(images)), [images, *each.parameters()])))
        assert_same(*found, 1e-13)


@pytest.mark.parametrize("form", ["whole", "columns"])
def test_a_frozen_layer_passes_its_gradient_on_and_gets_none(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(form, monkeypatch)
    ours, _ = pair(nn.Conv2d(3, 4, 3, padding=1))
    ours.requires_grad_(False)
    images = torch.randn(2, 3, 2, 2, requires_grad=True)
    ours(images).sum().backward()
    assert images.grad is not None
    assert ours.weight.grad is None
    assert not ours(images.detach()).requires_grad


@pytest.mark.parametrize("form", ["whole", "columns"])
def test_under_autocast_products_are_bf16_and_gradients_of_weights_float32(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(form, monkeypatch)
    torch.manual_seed(0)
    ours, stock = pair(nn.Conv2d(16, 8, 3, padding=1, bias=False))
    images = torch.randn(4, 16, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        output = ours(images)
    output.float().square().sum().backward()
    stock(images).square().sum().backward()
    assert output.dtype == torch.bfloat16
    assert ours.weight.grad is not None
    assert ours.weight.grad.dtype == torch.float32
    assert_same([ours.weight.grad], [stock.weight.grad], 0.03)


def test_the_gradient_lies_in_memory_as_the_weight_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for form in ("whole", "columns"):
        force(form, monkeypatch)
        ours, _ = pair(nn.Conv2d(3, 4, 3, padding=1))
        ours(torch.randn(2, 3, 2, 2)).sum().backward()
        assert ours.weight.grad is not None
        assert ours.weight.grad.stride() == ours.weight.stride()


def test_grouped_dilated_and_otherwise_padded_convolutions_are_left_alone() -> None:
    others = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv1d(4, 4, 3),
    )
    use_small_map_convolutions(others)
    assert not any(isinstance(module, SmallMapConv2d) for module in others)


def test_a_single_image_without_a_batch_dimension_works() -> None:
    ours, stock = pair(nn.Conv2d(3, 4, 3, padding=1).double())
    image = torch.randn(3, 2, 2, dtype=torch.float64)
    assert torch.allclose(ours(image), stock(image))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_whole_resnet_has_the_stock_ones_loss_gradients_and_state_dict(name: str) -> None:
    torch.manual_seed(0)
    stock = build_model(name, 10, seed=0).double()
    ours = use_small_map_convolutions(copy.deepcopy(stock))
    assert list(ours.state_dict()) == list(stock.state_dict())
    assert sum(isinstance(module, SmallMapConv2d) for module in ours.modules()) >= 20
    images, labels = torch.randn(6, 3, 32, 32, dtype=torch.float64), torch.arange(6)
    losses = []
    for model in (ours, stock):
        loss = F.cross_entropy(model(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-10)
    for (key, mine), theirs in zip(ours.named_parameters(), stock.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert (mine.grad - theirs.grad).abs().max() < 1e-10 * max(1, theirs.grad.abs().max()), key
    for mine, theirs in zip(ours.buffers(), stock.buffers(), strict=True):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-10)
