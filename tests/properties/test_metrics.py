"""Accuracy and loss of any images, cut into any batches: of all images, each once."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from scalestudy.stats.calibration import expected_calibration_error, reliability
from scalestudy.study.budget import batches_per_epoch
from scalestudy.training import loop
from scalestudy.training.examples import Examples, Normalize, shuffled_batches

CPU = torch.device("cpu")
NORMALIZE = Normalize([0.5] * 3, [0.25] * 3, CPU)
CLASSES = 4


def examples(count: int, seed: int) -> Examples:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return Examples(images, random.integers(0, CLASSES, count), np.arange(count), CPU)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, CLASSES)).eval()


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_loss_and_accuracy_do_not_depend_on_how_images_are_cut_into_batches(
    model: nn.Module, count: int, size: int, seed: int
) -> None:
    images = examples(count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "EVALUATION_BATCH", size)
        logits, labels = loop.predict(model, images, NORMALIZE, "float32")
    loss, accuracy = loop.loss_and_accuracy(logits, labels)
    whole = model(NORMALIZE(images.batch(torch.arange(count))[0])).detach()
    losses = nn.functional.cross_entropy(whole.double(), labels, reduction="none").tolist()
    assert loss == pytest.approx(math.fsum(losses) / count, abs=2e-6)
    assert accuracy == sum((whole.argmax(1) == labels).tolist()) / count
    assert (accuracy * count) == pytest.approx(round(accuracy * count), abs=1e-9)


@given(st.integers(1, 200), st.integers(1, 64), st.integers(0, 2**31))
def test_each_pass_holds_each_image_once_and_no_batch_a_single_one_unless_it_must(
    images: int, size: int, seed: int
) -> None:
    batches = shuffled_batches(images, size, seed, first_step=0)
    each_pass = batches_per_epoch(images, size)
    for _ in range(2):
        one = [next(batches) for _ in range(each_pass)]
        assert sorted(torch.cat(one).tolist()) == list(range(images))
        lengths = [len(batch) for batch in one]
        assert 1 not in lengths or images == 1 or size == 1
        assert max(lengths) <= size + 1


@given(st.integers(1, 100), st.integers(1, 16), st.integers(0, 30), st.integers(0, 2**31))
def test_batches_from_any_step_on_are_those_of_an_uninterrupted_pass(
    images: int, size: int, step: int, seed: int
) -> None:
    straight = shuffled_batches(images, size, seed, first_step=0)
    for _ in range(step):
        next(straight)
    resumed = shuffled_batches(images, size, seed, first_step=step)
    for _ in range(3):
        assert torch.equal(next(straight), next(resumed))


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=60))
def test_calibration_error_is_a_share_and_counts_each_image_once_in_any_order(
    pairs: list[tuple[float, bool]],
) -> None:
    confidence, correct = np.array([p for p, _ in pairs]), np.array([c for _, c in pairs])
    error = expected_calibration_error(confidence, correct)
    assert 0.0 <= error <= 1.0
    turned = np.random.default_rng(0).permutation(len(pairs))
    assert expected_calibration_error(confidence[turned], correct[turned]) == pytest.approx(error, abs=1e-12)
    assert sum(each.n for each in reliability(confidence, correct)) == len(pairs)
