"""A closer look at a folder of images, before anything is prepared: counts by class, and a sample of its pictures."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from scalestudy.data.decoding import decode_piece
from scalestudy.data.folders import shown
from scalestudy.data.sources.imagefolder import FolderImages, find_images
from scalestudy.data.store import SPLITS
from scalestudy.study.dataset import ImageFolder

_SAMPLE = 200
"""Pictures that are opened: a few seconds, and enough for what is common among them."""


@dataclass(frozen=True)
class Examined:
    """What a folder of images holds. Counts are by class, in the order of `classes`.

    suffixes counts the names of all images. The rest is of the `looked_at` pictures that were opened, spread over the
    classes: sides are their shorter sides in pixels, elongated how many are 1.5 times as long as wide or more, modes
    and remarks as `data.pixels` has them, unreadable a line for each that cannot be read.
    """

    classes: list[str]
    train_counts: list[int]
    test_counts: list[int]
    own_test_set: bool
    suffixes: Counter[str]
    left_out: list[str]
    notes: list[str]
    looked_at: int
    sides: list[int]
    elongated: int
    modes: Counter[str]
    remarks: Counter[str]
    unreadable: list[str]


def examine(settings: ImageFolder) -> Examined:
    """Return what lies in the folder. Raises UserError, as preparing it would, for classes that do not fit."""
    found = find_images(settings)
    every = [file for split in SPLITS for file in found.files[split]]
    sample = _spread(found)
    paths = [os.path.join(found.root, file) for file in sample]  # noqa: PTH118 (bytes)
    decoded = decode_piece(paths, 8, (255, 255, 255))
    sizes = [_size(paths[position]) for position in decoded.good]
    return Examined(
        classes=found.names,
        train_counts=found.counts("train"),
        test_counts=found.counts("test"),
        own_test_set=found.own_test_set,
        suffixes=Counter(shown(os.path.splitext(file)[1]).lower() for file in every),  # noqa: PTH122 (bytes)
        left_out=found.ignored,
        notes=found.notes,
        looked_at=len(sample),
        sides=sorted(min(size) for size in sizes),
        elongated=sum(max(size) >= 1.5 * min(size) for size in sizes),
        modes=decoded.modes,
        remarks=decoded.remarks,
        unreadable=[f"{shown(sample[position])}: {reason}" for position, reason in decoded.bad],
    )


def _spread(found: FolderImages) -> list[bytes]:
    """Return up to `_SAMPLE` files, of each class alike where there are enough, evenly spread over its names."""
    by_class: list[list[bytes]] = [[] for _ in found.names]
    for split in SPLITS:
        for file, label in zip(found.files[split], found.labels[split].tolist(), strict=True):
            by_class[label].append(file)
    each = max(1, _SAMPLE // len(by_class))
    return [file for files in by_class for file in _evenly(files, each)][:_SAMPLE]


def _evenly(files: Sequence[bytes], count: int) -> list[bytes]:
    if len(files) <= count:
        return list(files)
    return [files[position * len(files) // count] for position in range(count)]


def _size(path: bytes) -> tuple[int, int]:
    """Return width and height in pixels, of a file that has been decoded once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open(path, "rb") as file, Image.open(file) as image:  # noqa: PTH123 (bytes)
            return image.size
