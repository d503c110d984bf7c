"""Optimizer, schedule and augmentation do what their names say, from their seeds alone."""

import pytest
import torch

from scalestudy.study.settings import RunSettings
from scalestudy.training.augmentation import augment
from scalestudy.training.recipe import make_optimizer, make_schedule, stream_seed


def rates(schedule: str, steps: int = 10) -> list[float]:
    settings = RunSettings(schedule=schedule, lr=0.1, optimizer="sgd")
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))], settings)
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


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_optimizer_is_the_one_that_the_settings_name(name: str) -> None:
    settings = RunSettings(optimizer=name, lr=0.01, weight_decay=0.1)
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))], settings)
    assert type(optimizer).__name__.lower() == name
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def batch() -> torch.Tensor:
    return torch.arange(64 * 3 * 32 * 32).remainder(251).to(torch.uint8).view(64, 3, 32, 32)


def test_no_augmentation_changes_nothing() -> None:
    assert augment(batch(), "none", 1) is not None
    assert torch.equal(augment(batch(), "none", 1), batch())


def test_a_flip_mirrors_some_images_and_leaves_the_others() -> None:
    images, flipped = batch(), augment(batch(), "flip", 3)
    mirrored = [torch.equal(after, before.flip(2)) for before, after in zip(images, flipped, strict=True)]
    same = [torch.equal(after, before) for before, after in zip(images, flipped, strict=True)]
    assert 16 < sum(mirrored) < 48
    assert all(a != b for a, b in zip(mirrored, same, strict=True))


def test_a_crop_shifts_by_at_most_an_eighth_of_the_side() -> None:
    images = torch.zeros(200, 3, 32, 32, dtype=torch.uint8)
    images[:, :, 16, 16] = 255
    rows = augment(images, "crop_flip", 5)[:, 0].flatten(1).argmax(1).div(32, rounding_mode="floor")
    assert int(rows.min()) == 12
    assert int(rows.max()) == 20


def test_the_same_seed_gives_the_same_change_and_another_seed_another() -> None:
    assert torch.equal(augment(batch(), "crop_flip", 1), augment(batch(), "crop_flip", 1))
    assert not torch.equal(augment(batch(), "crop_flip", 1), augment(batch(), "crop_flip", 2))


def test_seeds_of_streams_differ_by_purpose_and_number() -> None:
    seeds = {stream_seed(s, p, n) for s in range(5) for p in ("shuffle", "augment") for n in range(5)}
    assert len(seeds) == 50
    assert all(0 <= seed < 2**63 for seed in seeds)
