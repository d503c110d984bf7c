"""Images that a dataset holds more than once, pixel for pixel, as they are stored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalestudy.data.store import SPLITS, Split

Place = tuple[Split, int]
"""A split and the index of an image in it."""


@dataclass(frozen=True)
class Copies:
    """across: each test image that is in the training set too, as (its first training index, its test index).

    within_train: training images that repeat an earlier one. conflicts: the places of each image that has more than
    one label, so that at least one of them is wrong.
    """

    across: list[tuple[int, int]]
    within_train: int
    conflicts: list[list[Place]]


def find_copies(prints: dict[Split, NDArray[np.uint64]], labels: dict[Split, NDArray[np.int64]]) -> Copies:
    """Return the copies among images with these fingerprints [N] and labels [N], for each split."""
    train = len(prints["train"])
    whole, of_image = (
        np.concatenate([prints[split] for split in SPLITS]),
        np.concatenate([labels[split] for split in SPLITS]),
    )
    _, first, group, counts = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    earliest = first[group]  # of each image, the index of the first one like it
    test = np.arange(train, len(whole))
    across = test[earliest[test] < train]
    repeated = np.flatnonzero(counts[group] > 1)
    mixed = np.unique(earliest[repeated][of_image[repeated] != of_image[earliest[repeated]]])
    members: dict[int, list[Place]] = {index: [] for index in mixed.tolist()}
    for index in repeated[np.isin(earliest[repeated], mixed)].tolist():
        place: Place = ("train", index) if index < train else ("test", index - train)
        members[int(earliest[index])].append(place)
    return Copies(
        across=[(int(earliest[index]), int(index) - train) for index in across],
        within_train=int(np.sum(earliest[:train] != np.arange(train))),
        conflicts=list(members.values()),
    )
