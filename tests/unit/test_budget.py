"""Batches, steps and images: whole numbers that the report shows and the loop keeps to."""

import itertools
from fractions import Fraction

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scalestudy.study.budget import batches_per_epoch, images_seen, step_boundaries, training_gmacs
from scalestudy.study.models import forward_gmacs
from scalestudy.study.settings import RunSettings
from scalestudy.training.examples import shuffled_batches
from scalestudy.training.models import build_model


def test_a_sixteenth_of_cifar10_at_batch_256_takes_13_batches_an_epoch() -> None:
    settings = RunSettings(fraction=Fraction(1, 16))
    assert batches_per_epoch(3_125, 256) == 13
    assert step_boundaries(settings, 3_125) == [13, 26, 39, 52, 65]
    assert images_seen(settings, 3_125) == 5 * 3_125


@pytest.mark.parametrize(
    ("images", "batch_size", "expected"),
    [(33, 32, 1), (32, 32, 1), (34, 32, 2), (65, 32, 2), (1, 32, 1), (50_000, 256, 196), (257, 256, 1)],
)
def test_a_last_batch_of_one_joins_the_batch_before_it(images: int, batch_size: int, expected: int) -> None:
    assert batches_per_epoch(images, batch_size) == expected


def test_equal_steps_are_taken_and_evaluated_at_even_distances_whatever_the_data() -> None:
    settings = RunSettings(steps=1000, epochs=4)
    for images in (3_125, 50_000):
        assert step_boundaries(settings, images) == [250, 500, 750, 1000]


@pytest.mark.parametrize(("images", "batch_size"), [(33, 32), (90, 32), (64, 32), (7, 3), (5, 8)])
def test_a_pass_draws_every_image_once_in_batches_of_at_least_two(images: int, batch_size: int) -> None:
    batches = shuffled_batches(images, batch_size, seed=0, first_step=0)
    drawn = [next(batches).tolist() for _ in range(batches_per_epoch(images, batch_size))]
    assert sorted(itertools.chain(*drawn)) == list(range(images))
    assert min(map(len, drawn)) > 1


def test_a_resumed_run_draws_the_batches_that_it_would_have_drawn() -> None:
    whole = shuffled_batches(90, 32, seed=7, first_step=0)
    expected = [next(whole).tolist() for _ in range(8)]
    for step in range(8):
        assert next(shuffled_batches(90, 32, seed=7, first_step=step)).tolist() == expected[step]


def test_each_pass_and_each_seed_has_its_own_order() -> None:
    batches = shuffled_batches(64, 64, seed=0, first_step=0)
    first, second = next(batches).tolist(), next(batches).tolist()
    assert first != second
    assert next(shuffled_batches(64, 64, seed=1, first_step=0)).tolist() != first


def test_a_backward_pass_counts_as_two_forward_passes_and_a_frozen_backbone_has_none() -> None:
    settings = RunSettings(model="resnet18", fraction="1", epochs=1, image_size=224)
    assert training_gmacs(settings, 1000) == pytest.approx(3 * 1.814 * 1000)
    assert training_gmacs(settings.model_copy(update={"image_size": 32}), 1000) == pytest.approx(
        3 * 1.814 * 1000 / 49
    )
    assert training_gmacs(settings.model_copy(update={"freeze": "backbone"}), 1000) == pytest.approx(1814)


def test_the_multiply_adds_of_a_small_image_are_near_what_its_layers_count() -> None:
    """By torch's own counter: what follows from the size of the image is right to a tenth."""
    for stem in ("imagenet", "cifar"):
        model = build_model("resnet18", 10, seed=0, stem=stem).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, 3, 32, 32))
        assert forward_gmacs("resnet18", 32, stem) == pytest.approx(counter.get_total_flops() / 2e9, rel=0.1)
