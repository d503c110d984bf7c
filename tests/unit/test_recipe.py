"""Optimizer, schedule and freezing do what their names say, from their seeds alone."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from scalestudy.errors import UserError
from scalestudy.study.runs import check_settings
from scalestudy.study.settings import RunSettings
from scalestudy.training.freezing import freeze, training_mode
from scalestudy.training.recipe import make_optimizer, make_schedule, stream_seed


def rates(schedule: str, steps: int = 10, **more: Any) -> list[float]:
    settings = RunSettings(schedule=schedule, lr=0.1, optimizer="sgd", **more)
    optimizer = make_optimizer(torch.nn.Linear(1, 1), settings)
    scheduler = make_schedule(optimizer, settings, steps)
    seen = []
    for _ in range(steps):
        seen.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return seen


def test_the_constant_schedule_keeps_the_rate() -> None:
    assert rates("constant") == [0.1] * 10


def test_the_cosine_schedule_falls_from_the_rate_towards_zero() -> None:
    seen = rates("cosine")
    assert seen[0] == 0.1
    assert seen == sorted(seen, reverse=True)
    assert seen[5] == pytest.approx(0.05)
    assert 0 < seen[-1] < 0.01


def test_one_cycle_rises_to_the_rate_and_falls_below_its_start() -> None:
    seen = rates("onecycle", 100)
    assert max(seen) == pytest.approx(0.1, rel=0.01)
    assert seen[0] == pytest.approx(0.1 / 25)
    assert seen.index(max(seen)) == pytest.approx(30, abs=2)
    assert seen[-1] < seen[0]


def test_the_triangle_rises_from_a_fifth_to_the_rate_and_falls_to_seven_hundredths() -> None:
    seen = rates("triangular", 100)
    assert seen[0] == pytest.approx(0.02)
    assert seen[23] == pytest.approx(0.1) == max(seen)
    assert [after - before for before, after in pairwise(seen[:24])] == pytest.approx([0.08 / 23] * 23)
    assert [before - after for before, after in pairwise(seen[23:])] == pytest.approx([0.093 / 77] * 76)


@pytest.mark.parametrize(("warmup", "steps"), [(Fraction(4), 4), (Fraction(1, 5), 4), (Fraction(1), 1)])
def test_a_warmup_of_steps_or_of_a_share_rises_linearly_and_then_the_schedule_begins(
    warmup: Fraction, steps: int
) -> None:
    seen = rates("cosine", 20, warmup=warmup)
    assert seen[:steps] == pytest.approx([0.1 * (step + 1) / (steps + 1) for step in range(steps)])
    assert seen[steps:] == pytest.approx(rates("cosine", 20 - steps))


def test_a_warmup_that_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="warmup: 20 steps, and the run has 20"):
        rates("cosine", 20, warmup=20)
    with pytest.raises(UserError, match="'onecycle' rises by itself"):
        check_settings(RunSettings(schedule="onecycle", warmup=Fraction(1, 10)))
    with pytest.raises(ValidationError, match="neither a number of steps nor a share"):
        RunSettings.model_validate({"warmup": 2.5})


def test_nesterov_is_for_sgd_and_needs_momentum() -> None:
    optimizer = make_optimizer(nn.Linear(1, 1), RunSettings(optimizer="sgd", nesterov=True))
    assert optimizer.param_groups[0]["nesterov"] is True
    assert RunSettings(optimizer="adam", nesterov=True).canonical() == RunSettings(optimizer="adam")
    with pytest.raises(UserError, match="nesterov: needs momentum, and momentum is 0"):
        check_settings(RunSettings(optimizer="sgd", nesterov=True, momentum=0))


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def names(model: nn.Module, group: dict[str, Any]) -> set[str]:
    return {
        name for name, each in model.named_parameters() if any(each is other for other in group["params"])
    }


def test_settings_at_their_defaults_make_one_group_of_all_parameters_in_the_models_order() -> None:
    model = network()
    (group,) = make_optimizer(model, RunSettings()).param_groups
    assert all(a is b for a, b in zip(group["params"], model.parameters(), strict=True))


def test_the_backbone_and_norm_biases_may_have_their_own_learning_rates() -> None:
    model = network()
    settings = RunSettings(
        optimizer="sgd", lr=0.1, weight_decay=0.64, backbone_lr=0.1, norm_bias_lr=64.0, schedule="onecycle"
    )
    optimizer = make_optimizer(model, settings)
    shown = [(names(model, group), group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert shown == [
        ({"3.weight", "3.bias"}, 0.1, 0.64),
        ({"0.weight", "0.bias", "1.weight"}, pytest.approx(0.01), 0.64),
        ({"1.bias"}, pytest.approx(0.64), pytest.approx(0.01)),
    ]
    make_schedule(optimizer, settings, 10)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.004, 0.0004, 0.0256])


def test_a_frozen_backbone_leaves_the_head_alone_to_training_and_keeps_its_statistics() -> None:
    model = network()
    freeze(model, "backbone")
    training_mode(model)
    assert [name for name, each in model.named_parameters() if each.requires_grad] == ["3.weight", "3.bias"]
    (group,) = make_optimizer(model, RunSettings()).param_groups
    assert names(model, group) == {"3.weight", "3.bias"}
    assert (model.training, model[1].training, model[3].training) == (True, False, True)
    assert RunSettings(freeze="backbone", backbone_lr=0.1).canonical() == RunSettings(freeze="backbone")


def test_frozen_norm_scales_stay_one_and_their_biases_are_trained() -> None:
    model = network()
    freeze(model, "norm_scales")
    training_mode(model)
    assert [name for name, each in model.named_parameters() if not each.requires_grad] == ["1.weight"]
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_optimizer_is_the_one_that_the_settings_name(name: str) -> None:
    settings = RunSettings(optimizer=name, lr=0.01, weight_decay=0.1)
    optimizer = make_optimizer(torch.nn.Linear(1, 1), settings)
    assert type(optimizer).__name__.lower() == name
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def test_seeds_of_streams_differ_by_purpose_and_number() -> None:
    seeds = {stream_seed(s, p, n) for s in range(5) for p in ("shuffle", "augment") for n in range(5)}
    assert len(seeds) == 50
    assert all(0 <= seed < 2**63 for seed in seeds)
