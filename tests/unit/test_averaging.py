"""Averaged weights are what their formulas say, and test-time augmentation averages over the views that it names."""

import pytest
import torch
from torch import Tensor, nn

from scalestudy.study.registries import TTAS, load
from scalestudy.study.settings import RunSettings
from scalestudy.training.averaging import LOOKAHEAD_STEADINESS, ema, lookahead


def model(value: float) -> nn.Module:
    """Return a model in which every parameter and running statistic has one value; its counter has it rounded."""
    norm = nn.BatchNorm2d(2)
    for tensor in norm.state_dict().values():
        tensor.fill_(value)
    return norm


def values(module: nn.Module) -> set[float]:
    return {float(each) for tensor in module.state_dict().values() for each in tensor.flatten()}


def test_the_exponential_average_moves_by_what_the_decay_leaves_and_faster_at_first() -> None:
    settings = RunSettings(averaging="ema", averaging_decay=0.9)
    averaged = model(0.0)
    ema(averaged, model(1.0), 1, 100, settings)
    assert float(averaged.weight.detach()[0]) == pytest.approx(0.9)
    averaged = model(0.0)
    ema(averaged, model(10.0), 100, 1000, settings)
    moved = {name: float(value.flatten()[0]) for name, value in averaged.state_dict().items()}
    assert moved == {
        "weight": pytest.approx(1.0),
        "bias": pytest.approx(1.0),
        "running_mean": pytest.approx(1.0),
        "running_var": pytest.approx(1.0),
        "num_batches_tracked": 10,
    }


def test_lookahead_moves_its_slow_weights_every_five_steps_and_training_goes_on_from_them() -> None:
    settings = RunSettings(averaging="lookahead")
    slow, fast = model(0.0), model(8.0)
    for step in (1, 2, 3, 4):
        lookahead(slow, fast, step, 10, settings)
    assert (values(slow), values(fast)) == ({0.0}, {8.0})
    lookahead(slow, fast, 5, 10, settings)
    share = 1 - LOOKAHEAD_STEADINESS / 8
    assert float(slow.weight.detach()[0]) == pytest.approx(8 * share)
    assert all(
        torch.equal(a, b) for a, b in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True)
    )
    slow, fast = model(0.0), model(8.0)
    lookahead(slow, fast, 10, 10, settings)
    assert float(slow.bias.detach()[0]) == pytest.approx(8 * (1 - 0.95**5))


def pictures() -> Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "views"), [("none", 1), ("flip", 2), ("flip_shift", 6)])
def test_the_weights_of_all_views_sum_to_one_and_their_mean_is_its_own_mirror_image(
    name: str, views: int
) -> None:
    function = load(TTAS[name].function)
    shown = function(pictures())
    assert len(shown) == views
    assert sum(weight for weight, _ in shown) == pytest.approx(1)
    assert all(view.shape == pictures().shape for _, view in shown)
    if name != "none":
        mean = sum(weight * view for weight, view in shown)
        assert torch.allclose(mean, mean.flip(3), atol=1e-6)


def test_shifted_views_are_shifted_by_a_pixel_towards_two_corners_and_reflected_at_the_edge() -> None:
    images = pictures()
    views = [view for _, view in load(TTAS["flip_shift"].function)(images)]
    assert torch.equal(views[0], images)
    assert torch.equal(views[1], images.flip(3))
    up_left, down_right = views[2], views[4]
    assert torch.equal(up_left[:, :, :-1, :-1], images[:, :, 1:, 1:])
    assert torch.equal(up_left[:, :, -1, :-1], images[:, :, -2, 1:])
    assert torch.equal(down_right[:, :, 1:, 1:], images[:, :, :-1, :-1])
    assert torch.equal(views[3], up_left.flip(3))
    assert torch.equal(views[5], down_right.flip(3))
