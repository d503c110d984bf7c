"""Subsets are stratified, nested, exact, and the same on every machine."""

import hashlib
import random
import struct
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from scalestudy.data.subsets import (
    indices_sha256,
    round_half_up,
    split_off_test,
    subset_indices,
    subset_order,
)
from scalestudy.errors import UserError

CIFAR_LABELS = np.random.default_rng(0).permutation(np.arange(50_000) % 10).astype(np.int64)


def labels_of(counts: list[int], seed: int = 0) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return np.random.default_rng(seed).permutation(labels)


def share_of_one(counts: list[int], size: int) -> Fraction:
    """Return the m with sum of max(1, m * n_c) = size, found by trying how many classes stay at one image."""
    ascending = sorted(counts)
    for alone in range(len(counts)):
        m = Fraction(size - alone, sum(ascending[alone:]))
        if (alone == 0 or m * ascending[alone - 1] <= 1) and m * ascending[alone] >= 1:
            return m
    raise AssertionError((counts, size))


@pytest.mark.parametrize(("fraction", "size"), [("1/16", 3_125), ("1/2", 25_000), ("1", 50_000)])
def test_the_fractions_of_cifar10_have_exactly_these_sizes(fraction: str, size: int) -> None:
    train, held_out = subset_indices(CIFAR_LABELS, Fraction(fraction), subset_seed=0)
    assert len(train) == size
    assert len(held_out) == 0
    assert train.dtype == np.int64
    assert np.all(np.diff(train) > 0)
    counts = np.bincount(CIFAR_LABELS[train])
    assert counts.max() - counts.min() <= 1


def test_a_smaller_subset_is_contained_in_each_larger_one_of_its_seed() -> None:
    for seed in (0, 7):
        subsets = [
            set(subset_indices(CIFAR_LABELS, Fraction(1, n), seed)[0].tolist()) for n in (16, 8, 3, 2, 1)
        ]
        for smaller, larger in pairwise(subsets):
            assert smaller < larger


def test_another_seed_gives_another_subset_and_the_same_seed_the_same() -> None:
    first, again, other = (subset_indices(CIFAR_LABELS, Fraction(1, 16), seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_ordering_never_changes_between_versions_of_numpy() -> None:
    order = subset_order(np.arange(12, dtype=np.int64) % 3, 0)
    assert order.tolist() == [11, 3, 1, 2, 6, 7, 8, 0, 4, 5, 9, 10]


def test_the_hash_of_a_subset_is_over_its_indices_as_little_endian_integers() -> None:
    expected = hashlib.sha256(struct.pack("<2q", 1, 2)).hexdigest()
    assert indices_sha256(np.array([1, 2], dtype=np.int64)) == expected


def test_every_prefix_is_within_one_image_of_the_proportional_share() -> None:
    chance = random.Random(0)
    for trial in range(60):
        counts = [
            chance.choice([1, 2, 3, chance.randint(1, 30), chance.randint(1, 200)])
            for _ in range(chance.randint(1, 12))
        ]
        labels = labels_of(counts, trial)
        order = subset_order(labels, trial)
        assert sorted(order.tolist()) == list(range(len(labels)))
        held = [0] * len(counts)
        for size, index in enumerate(order, start=1):
            held[labels[index]] += 1
            if size >= len(counts):
                m = share_of_one(counts, size)
                for have, count in zip(held, counts, strict=True):
                    assert have >= 1
                    assert abs(have - max(1, m * count)) < 1, (counts, size, held)


def test_the_first_of_every_class_come_first() -> None:
    labels = labels_of([500, 1, 40, 3])
    assert sorted(labels[subset_order(labels, 3)[:4]].tolist()) == [0, 1, 2, 3]


def test_a_tiny_class_keeps_an_image_in_a_small_fraction() -> None:
    labels = labels_of([100, 3])
    train, _ = subset_indices(labels, Fraction("0.1"), 0)
    assert len(train) == 10  # 10.3 to the nearest
    assert np.bincount(labels[train]).tolist() == [9, 1]
    everything, _ = subset_indices(labels, Fraction(1), 0)
    assert len(everything) == 103


def test_a_fraction_with_fewer_images_than_classes_names_the_class_and_the_minimum() -> None:
    labels = labels_of([100, 3])
    with pytest.raises(
        UserError, match=r"fraction 1/100 of 103 training images is 1, .* at least 1 image"
    ) as caught:
        subset_indices(labels, Fraction(1, 100), 0, classes=["cat", "okapi"])
    assert "okapi" in str(caught.value) or "cat" in str(caught.value)
    assert "use 2/103 or more" in str(caught.value)


def test_sizes_are_rounded_to_the_nearest_without_floating_point() -> None:
    assert round_half_up(Fraction("0.29") * 100) == 29  # int(0.29 * 100) is 28
    assert [round_half_up(Fraction(n, 2)) for n in (1, 3, 5)] == [1, 2, 3]  # round() gives 0, 2, 2
    labels = labels_of([50, 50])
    assert len(subset_indices(labels, Fraction("0.29"), 0)[0]) == 29


def test_held_out_images_are_stratified_disjoint_and_the_same_for_every_fraction() -> None:
    share = Fraction(1, 10)
    whole, held_out = subset_indices(CIFAR_LABELS, Fraction(1), 0, share)
    small, held_out_again = subset_indices(CIFAR_LABELS, Fraction(1, 16), 0, share)
    assert np.array_equal(held_out, held_out_again)
    assert len(held_out) == 5_000
    assert np.bincount(CIFAR_LABELS[held_out]).tolist() == [500] * 10
    assert len(whole) == 45_000
    assert len(small) == 2_813  # 2,812.5, halves up
    assert not set(held_out.tolist()) & set(whole.tolist())
    assert set(small.tolist()) < set(whole.tolist())


def test_holding_out_less_than_one_image_is_refused() -> None:
    with pytest.raises(UserError, match="validation 1/1000 of 103 training images is no image"):
        subset_indices(labels_of([100, 3]), Fraction(1), 0, Fraction(1, 1000))


def test_labels_without_images_are_no_classes() -> None:
    labels = np.array([0, 0, 5, 5], dtype=np.int64)
    train, _ = subset_indices(labels, Fraction(1, 2), 0)
    assert sorted(labels[train].tolist()) == [0, 5]


def test_a_test_set_is_split_off_stratified() -> None:
    labels = labels_of([50, 30, 20])
    train, test = split_off_test(labels, Fraction(1, 5), 0)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(100))
    assert np.bincount(labels[test]).tolist() == [10, 6, 4]


def test_a_split_that_leaves_nothing_on_one_side_is_refused() -> None:
    for share in (Fraction(1, 100), Fraction(99, 100)):
        with pytest.raises(UserError, match=f"test_fraction {share} of 6 images in 3 classes leaves"):
            split_off_test(labels_of([2, 2, 2]), share, 0)
