"""Subsets of a training set: stratified, nested, exact, and the same on every machine.

All subsets of one subset seed are prefixes of one ordering, so that a smaller one is contained in each
larger one.
"""

import hashlib
import heapq
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from scalestudy.errors import UserError

Indices = NDArray[np.int64]


def subset_order(labels: Indices, subset_seed: int) -> Indices:
    """Return the one ordering of the images (int64 [N]) whose prefixes are the subsets.

    `labels`: int64 [N]. With C classes present, the first C of the ordering are one image of each class.
    From there on each prefix holds of each class its proportional share, less than one image more or less.
    A class whose share is below 1 keeps its one image, and the others divide the rest in proportion: the
    share of a class of n_c images is max(1, m * n_c), with the m that makes the shares add up to the
    prefix.

    This is the chairman assignment problem (Tijdeman 1980), solved as a schedule (Steiner and Yeomans
    1993): image j of a class may come once its share has passed j - 1, must come when its share reaches j,
    and the image with the earliest due place is next. Which images of a class come first is random by
    `subset_seed`.
    """
    _, of_image, counts = np.unique(labels, return_inverse=True, return_counts=True)
    # The raw output of PCG64 never changes between NumPy versions; that of its distributions may (NEP 19).
    keys = np.random.PCG64(subset_seed).random_raw(len(labels))
    by_class = np.lexsort((keys, of_image))  # class by class, each in random order
    starts = np.cumsum(counts) - counts
    turn = np.argsort(np.argsort(keys[by_class[starts]]))  # random order of the classes where they tie

    release, due = _places(counts)
    waiting = [(int(release[start]), c, 0) for c, start in enumerate(starts.tolist())]
    heapq.heapify(waiting)
    ready: list[tuple[int, int, int, int]] = []
    order = np.empty(len(labels), dtype=np.int64)
    for place in range(1, len(labels) + 1):
        while waiting and waiting[0][0] <= place:
            _, c, j = heapq.heappop(waiting)
            heapq.heappush(ready, (int(due[starts[c] + j]), int(turn[c]), c, j))
        _, _, c, j = heapq.heappop(ready)
        order[place - 1] = by_class[starts[c] + j]
        if j + 1 < counts[c]:
            heapq.heappush(waiting, (int(release[starts[c] + j + 1]), c, j + 1))
    return order


def _places(counts: Indices) -> tuple[Indices, Indices]:
    """Return the first and the last allowed place (from 1) of every image, class by class, int64 [N] each.

    The shares add up to n(m) = sum of max(1, m * n_c). Image j of a class of n_c images is free once m has
    passed (j - 1) / n_c and due when m reaches j / n_c; whole numbers throughout.
    """
    classes = len(counts)
    ordered = np.sort(counts)[::-1]
    totals = np.concatenate([[0], np.cumsum(ordered)])

    def numerator(j: Indices, n_c: int) -> Indices:
        """Return n_c * n(j / n_c): classes with j * n_i >= n_c count in proportion, others as one image."""
        proportional = np.searchsorted(-ordered, -n_c // np.maximum(j, 1), side="right")
        proportional = np.where(j == 0, 0, proportional)
        return np.asarray(j * totals[proportional] + (classes - proportional) * n_c)

    release, due = [], []
    for n_c in counts.tolist():
        j = np.arange(1, n_c + 1, dtype=np.int64)
        first = numerator(j - 1, n_c) // n_c + 1
        last = -(-numerator(j, n_c) // n_c)
        first[0], last[0] = 1, classes  # one image of each class comes before any second one
        release.append(first)
        due.append(last)
    return np.concatenate(release), np.concatenate(due)


def subset_indices(
    labels: Indices,
    fraction: Fraction,
    subset_seed: int,
    validation: Fraction = Fraction(0),
    classes: Sequence[str] | None = None,
) -> tuple[Indices, Indices]:
    """Return the indices of the subset and of the images held out, each int64, ascending.

    v = `validation` * N images are held out first, the same ones for every fraction; the subset is n =
    `fraction` * (N - v) of the others. Both numbers are rounded to the nearest, halves up, without floating
    point. `fraction` is in (0, 1], `validation` in [0, 1). `classes` are the names of the labels, for the
    message. Raises UserError when the subset cannot hold an image of every class, or nothing would be held
    out.
    """
    total = len(labels)
    held_out = round_half_up(validation * total)
    if validation > 0 and held_out == 0:
        raise UserError(
            f"validation {validation} of {total} training images is no image; "
            f"use {Fraction(1, total)} or more"
        )
    rest = total - held_out
    size = round_half_up(fraction * rest)
    if size == total:  # all, whatever the order
        return np.arange(total), np.arange(0)
    order = subset_order(labels, subset_seed)
    present = np.unique(labels)
    if size < len(present):
        missing = np.setdiff1d(present, labels[order[:size]]).tolist()
        names = [classes[label] if classes else str(label) for label in missing]
        smallest = f"; use {Fraction(len(present), rest)} or more" if rest >= len(present) else ""
        raise UserError(
            f"fraction {fraction} of {rest} training images is {size}, but a subset needs at least 1 "
            f"image of each of the {len(present)} classes; there would be none of class "
            f"{', '.join(names)}{smallest}"
        )
    return np.sort(order[:size]), np.sort(order[rest:])


def split_off_test(labels: Indices, test_fraction: Fraction, split_seed: int) -> tuple[Indices, Indices]:
    """Return the indices of the training and of the test images, each int64, ascending; stratified.

    Raises UserError where one of them would be empty, or a class would have no training image.
    """
    total = len(labels)
    test = round_half_up(test_fraction * total)
    train, classes = total - test, len(np.unique(labels))
    if test == 0 or train < classes:
        raise UserError(
            f"test_fraction {test_fraction} of {total} images in {classes} classes leaves {train} for "
            f"training and {test} for testing; training needs at least 1 of each class"
        )
    order = subset_order(labels, split_seed)
    return np.sort(order[:train]), np.sort(order[train:])


def round_half_up(value: Fraction) -> int:
    """Return the nearest whole number; halves go up (`round` would send them to the even one)."""
    return math.floor(value + Fraction(1, 2))


def indices_sha256(indices: Indices) -> str:
    """Return the SHA-256 of a subset: of its indices as little-endian int64, as 64 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").tobytes()).hexdigest()
