"""Source `imagefolder`: a folder of images with one folder for each class.

Layouts: `train/<class>/` with `test/<class>/` (or `val/<class>/`), or `<class>/` alone, from which
`test_fraction` is split off. Images may lie in further folders below a class. Classes are numbered by the
training images alone, in the order of their names: numerically where every name is a number (1, 2, 10),
else by code point.
"""

# ruff: noqa: PTH111, PTH118 (Path does not take names in bytes)

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalestudy.data.decoding import decode_pieces, worker_count
from scalestudy.data.folders import Found, classes_below, find_test_folder, folders_in, shown
from scalestudy.data.progress import progress, say
from scalestudy.data.sources import Written, check_num_classes
from scalestudy.data.store import SPLITS, Split, StoreWriter
from scalestudy.data.subsets import split_off_test
from scalestudy.errors import UserError
from scalestudy.study.dataset import ImageFolder

_PIECE_BYTES = 4_000_000
_PIECE_FILES = 256


@dataclass
class _Dataset:
    """What is to be read: the class names by label, and for each split its files (relative) and labels."""

    root: bytes
    names: list[str]
    files: dict[Split, list[bytes]]
    labels: dict[Split, NDArray[np.int64]]
    ignored: list[str]
    notes: list[str]


def write(settings: ImageFolder, image_size: int, writer: StoreWriter) -> Written:
    """Decode every image once and write it: the largest central square, resized bilinearly.

    Raises UserError for a folder without the layout above, classes that do not fit, and (unless `bad_files`
    is `skip`) files that cannot be read: all of them are listed.
    """
    dataset = _find(settings)
    names = dataset.names
    for line in (*dataset.ignored, *dataset.notes):
        say(f"note: {line}")
    counts = " and ".join(f"{len(dataset.files[split]):,} {split}" for split in SPLITS)
    say(f"{shown(dataset.root)}: {counts} images in {len(names)} classes: {', '.join(names)}")

    background = settings.background
    red, green, blue = bytes.fromhex(background[1:])
    piece = max(1, min(_PIECE_FILES, _PIECE_BYTES // (image_size**2 * 3)))
    places = [(split, start) for split in SPLITS for start in range(0, len(dataset.files[split]), piece)]
    pieces = [
        [os.path.join(dataset.root, file) for file in dataset.files[split][start : start + piece]]
        for split, start in places
    ]
    total = sum(map(len, pieces))
    good: dict[Split, list[int]] = {split: [] for split in SPLITS}
    bad: list[tuple[Split, int, str]] = []
    modes: Counter[str] = Counter()
    with progress("decoding images", total) as advance:
        decoded = decode_pieces(pieces, image_size, (red, green, blue), worker_count(total))
        for (split, start), one, files in zip(places, decoded, pieces, strict=True):
            indices = [start + position for position in one.good]
            writer.append(split, one.images, dataset.labels[split][indices])
            good[split] += indices
            bad += [(split, start + position, reason) for position, reason in one.bad]
            modes += one.modes
            advance(len(files))

    lines = [f"{shown(dataset.files[split][index])}: {reason}" for split, index, reason in bad]
    if bad and settings.bad_files == "stop":
        raise UserError(
            f"{len(bad)} of {total} image files in {shown(dataset.root)} cannot be read "
            f"(mend or remove them, or set `bad_files: skip`):\n  " + "\n  ".join(lines)
        )
    notes = list(dataset.notes)
    per_class = Counter(names[dataset.labels[split][index]] for split, index, _ in bad)
    if bad:
        each = ", ".join(f"{name} {count}" for name, count in sorted(per_class.items()))
        notes.append(f"{len(bad)} of {total} files cannot be read and were left out (by class: {each})")
    notes += _check_counts(settings, names, {split: dataset.labels[split][good[split]] for split in SPLITS})
    summary = {
        "modes": dict(sorted(modes.items())),
        "ignored": dataset.ignored,
        "bad_files": {"per_class": dict(sorted(per_class.items())), "files": lines},
    }
    return Written(
        names, summary, notes, lambda split, index: shown(dataset.files[split][good[split][index]])
    )


def count_files(settings: ImageFolder) -> tuple[int, int]:
    """Return how many training and test images the folder holds, by their names: no file is opened.

    Raises UserError as `write` does for a folder whose layout does not fit.
    """
    dataset = _find(settings)
    return len(dataset.files["train"]), len(dataset.files["test"])


def class_order(names: Sequence[bytes]) -> list[bytes]:
    """Return class folders by label: numerically where every name is a number, else by code point."""
    if all(name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _find(settings: ImageFolder) -> _Dataset:
    """Return what is to be read, checked as far as it can be without decoding."""
    root = os.path.expanduser(settings.folder.encode())
    try:
        test_folder = find_test_folder(root)
        train = classes_below(root, b"train" if test_folder else b"")
        test = classes_below(root, test_folder) if test_folder else Found()
        others = folders_in(root) - {b"train", test_folder} if test_folder else set()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"the image folder {shown(root)} cannot be read: {reason}") from None

    classes = class_order(list(train.files))
    names = [shown(name) for name in classes]
    if not classes:
        raise UserError(f"{shown(root)} holds no class folders: it needs one folder of images for each class")
    if len(set(names)) < len(names):
        raise UserError(f"{shown(root)}: two class folders have the same name once it is shown as UTF-8")
    check_num_classes(names, settings.num_classes)
    _check_empty(settings, names, [len(train.files[name]) for name in classes])

    notes = [f"{shown(name)}/ is neither the training nor the test set: not used" for name in sorted(others)]
    unknown = [name for name in class_order(list(test.files)) if name not in train.files]
    for name in unknown:
        if test.files[name]:
            raise UserError(
                f"{shown(test_folder or b'')}/ has class {shown(name)}, which train/ lacks; "
                f"the classes are those of train/: {', '.join(names)}"
            )
        notes.append(f"{shown(test_folder or b'')}/{shown(name)}/ is empty and no class of train/: not used")
    ignored = [f"{shown(path)}: its name starts with a dot" for path in [*train.hidden, *test.hidden]]
    if strangers := train.other_files + test.other_files:
        ignored.append(f"{strangers} files whose names are not those of images")

    files, labels = _labelled(classes, train)
    if test_folder:
        test_files, test_labels = _labelled(classes, test)
    else:
        kept, off = split_off_test(labels, settings.test_fraction, settings.split_seed)
        test_files, test_labels = [files[index] for index in off], labels[off]
        files, labels = [files[index] for index in kept], labels[kept]
    return _Dataset(
        root,
        names,
        {"train": files, "test": test_files},
        {"train": labels, "test": test_labels},
        ignored,
        notes,
    )


def _labelled(classes: Sequence[bytes], found: Found) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return the files, class by class, and their labels, int64."""
    of_class = [found.files.get(name, []) for name in classes]
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(files) for files in of_class])
    return [file for files in of_class for file in files], labels


def _check_empty(settings: ImageFolder, names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Return a note on classes without training images; raise UserError unless `empty_classes` is `allow`."""
    empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if not empty:
        return []
    if settings.empty_classes == "stop":
        raise UserError(
            f"no training images of class {', '.join(empty)} in {settings.folder}; remove the folder, or set "
            "`empty_classes: allow` to keep the class"
        )
    return [f"no training images of class {', '.join(empty)} (empty_classes: allow)"]


def _check_counts(
    settings: ImageFolder, names: Sequence[str], labels: dict[Split, NDArray[np.int64]]
) -> list[str]:
    """Return notes on classes without images, now that bad files are known; raise as `_check_empty`."""
    counts = {split: np.bincount(labels[split], minlength=len(names)).tolist() for split in SPLITS}
    notes = _check_empty(settings, names, counts["train"])
    for split in SPLITS:
        if not sum(counts[split]):
            raise UserError(f"no {split} images in {settings.folder}")
    untested = [name for name, count in zip(names, counts["test"], strict=True) if count == 0]
    if untested:
        notes.append(f"no test images of class {', '.join(untested)}: its accuracy cannot be measured")
    return notes
