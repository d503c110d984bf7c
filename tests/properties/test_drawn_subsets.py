"""Subsets of any training set: stratified, nested, of exactly the size that the fraction says."""

from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scalestudy.data.subsets import (
    indices_sha256,
    round_half_up,
    split_off_test,
    subset_indices,
    subset_order,
)
from scalestudy.errors import UserError

COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=8)
SHARES = st.fractions(min_value=Fraction(1, 50), max_value=1, max_denominator=200)
SEEDS = st.integers(0, 2**32 - 1)


def labels_of(counts: list[int], seed: int) -> NDArray[np.int64]:
    """Labels with so many images of each class, in random order."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    np.random.default_rng(seed).shuffle(labels)
    return labels


@given(st.fractions())
def test_rounding_goes_to_the_nearest_and_halves_go_up(value: Fraction) -> None:
    whole = round_half_up(value)
    assert abs(whole - value) <= Fraction(1, 2)
    assert whole - value != Fraction(-1, 2)


@given(COUNTS, SEEDS)
def test_an_order_holds_each_image_once_and_is_the_same_each_time(counts: list[int], seed: int) -> None:
    labels = labels_of(counts, seed)
    order = subset_order(labels, seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    assert (order == subset_order(labels, seed)).all()


@given(COUNTS, SEEDS)
def test_every_prefix_is_stratified_to_less_than_an_image(counts: list[int], seed: int) -> None:
    labels = labels_of(counts, seed)
    found = np.cumsum(np.eye(len(counts), dtype=int)[labels[subset_order(labels, seed)]], axis=0)
    for size, of_class in enumerate(found[len(counts) - 1 :], start=len(counts)):
        assert of_class.min() >= 1
        shares = proportional(counts, size)
        assert np.abs(of_class - shares).max() < 1 + 1e-9


def proportional(counts: list[int], size: int) -> NDArray[np.float64]:
    """Return max(1, m * n_c) for each class, with the m that makes them add up to `size`, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(80):
        m = (low + high) / 2
        low, high = (m, high) if sum(max(1.0, m * count) for count in counts) < size else (low, m)
    return np.array([max(1.0, high * count) for count in counts])


@given(COUNTS, SHARES, SHARES, SEEDS)
def test_a_smaller_subset_lies_in_the_larger_one_and_has_the_size_that_the_fraction_says(
    counts: list[int], one: Fraction, other: Fraction, seed: int
) -> None:
    labels, (small, large) = labels_of(counts, seed), sorted((one, other))
    try:
        inner, _ = subset_indices(labels, small, seed)
    except UserError:
        assert round_half_up(small * len(labels)) < len(counts)
        return
    outer, _ = subset_indices(labels, large, seed)
    assert set(inner) <= set(outer)
    for chosen, fraction in ((inner, small), (outer, large)):
        assert len(chosen) == round_half_up(fraction * len(labels))
        assert set(labels[chosen]) == set(labels)
        assert (np.diff(chosen) > 0).all()
    assert indices_sha256(inner) == indices_sha256(inner.astype(">i8"))


@given(COUNTS, SHARES, st.fractions(0, Fraction(1, 2), max_denominator=50), SEEDS)
def test_images_held_out_are_the_same_for_every_fraction_and_in_no_subset(
    counts: list[int], fraction: Fraction, validation: Fraction, seed: int
) -> None:
    labels = labels_of(counts, seed)
    try:
        chosen, held_out = subset_indices(labels, fraction, seed, validation)
        everything, held_out_of_all = subset_indices(labels, Fraction(1), seed, validation)
    except UserError:
        assume(False)
    assert (held_out == held_out_of_all).all()
    assert len(held_out) == round_half_up(validation * len(labels))
    assert not set(chosen) & set(held_out)
    assert set(everything) | set(held_out) == set(range(len(labels)))


@given(COUNTS, st.fractions(Fraction(1, 20), Fraction(19, 20), max_denominator=20), SEEDS)
def test_a_test_split_shares_no_image_with_training_and_loses_none(
    counts: list[int], share: Fraction, seed: int
) -> None:
    labels = labels_of(counts, seed)
    try:
        train, test = split_off_test(labels, share, seed)
    except UserError:
        return
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert len(test) == round_half_up(share * len(labels))
    assert set(labels[train]) == set(labels)
