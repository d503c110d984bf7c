"""Source `imagefolder`: a folder of images with one folder for each class.

Layouts: `train/<class>/` with `test/<class>/` (or `val/<class>/`, in any usual spelling), or `<class>/` alone,
from which `test_fraction` is split off. Images may lie in further folders below a class. Classes are numbered
by the training images alone, in the order of their names: numerically where every name is a number (1, 2,
10), else by code point.
"""

# ruff: noqa: PTH111, PTH117, PTH118 (Path does not take names in bytes)

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scalestudy.data.decoding import decode_pieces, worker_count
from scalestudy.data.folders import Found, Layout, class_folder_advice, classes_below, find_layout, shown
from scalestudy.data.progress import progress, say
from scalestudy.data.sources import Look, Written, check_num_classes
from scalestudy.data.store import SPLITS, Split, StoreWriter
from scalestudy.data.subsets import split_off_test
from scalestudy.errors import UserError
from scalestudy.study.dataset import ImageFolder

_PIECE_BYTES = 4_000_000
_PIECE_FILES = 256


@dataclass
class FolderImages:
    """What is to be read: the class names by label, and for each split its files (relative to `root`) and labels.

    own_test_set: the folder has a test set; else one was split off. ignored, notes: what a person should know.
    """

    root: bytes
    names: list[str]
    files: dict[Split, list[bytes]]
    labels: dict[Split, NDArray[np.int64]]
    ignored: list[str]
    notes: list[str]
    own_test_set: bool

    def counts(self, split: Split) -> list[int]:
        """Return how many images of each class a split has."""
        return [int(count) for count in np.bincount(self.labels[split], minlength=len(self.names))]


def write(settings: ImageFolder, image_size: int, writer: StoreWriter) -> Written:
    """Decode every image once and write it: the largest central square, resized bilinearly.

    Raises UserError for a folder without the layout above, classes that do not fit, and (unless `bad_files`
    is `skip`) files that cannot be read: all of them are listed.
    """
    dataset = find_images(settings)
    names = dataset.names
    for line in dataset.ignored:  # the notes are said when all is known
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
    remarks: Counter[str] = Counter()
    with progress("decoding images", total) as advance:
        decoded = decode_pieces(pieces, image_size, (red, green, blue), worker_count(total))
        for (split, start), one, files in zip(places, decoded, pieces, strict=True):
            indices = [start + position for position in one.good]
            writer.append(split, one.images, dataset.labels[split][indices])
            good[split] += indices
            bad += [(split, start + position, reason) for position, reason in one.bad]
            modes += one.modes
            remarks += one.remarks
            advance(len(files))

    lines = [f"{shown(dataset.files[split][index])}: {reason}" for split, index, reason in bad]
    if bad and settings.bad_files == "stop":
        raise UserError(
            f"{len(bad)} of {total} image files in {shown(dataset.root)} cannot be read "
            f"(mend or remove them, or set `bad_files: skip`):\n  " + "\n  ".join(lines)
        )
    notes = [*dataset.notes, *(f"{_images(count)} {remark}" for remark, count in sorted(remarks.items()))]
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


def look(settings: ImageFolder) -> Look:
    """Return how many images and classes the folder holds, by their names: no file is opened.

    Raises UserError as `write` does for a folder whose layout does not fit.
    """
    found = find_images(settings)
    sizes = len(found.files["train"]), len(found.files["test"])
    return Look(sizes, len(found.names), [*found.notes, *found.ignored])


def class_order(names: Sequence[bytes]) -> list[bytes]:
    """Return class folders by label: numerically where every name is a number, else by code point."""
    if all(name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def find_images(settings: ImageFolder) -> FolderImages:
    """Return what the folder holds, by names alone: no file is opened.

    Raises UserError for a folder whose layout does not fit, or whose classes do not.
    """
    root = os.path.expanduser(settings.folder.encode())
    try:
        layout = find_layout(root, classes_are_told=settings.num_classes is not None)
        train, test = classes_below(root, layout)
        _require_classes(root, layout.train, train)
    except OSError as error:
        where = shown(os.fsencode(error.filename)) if error.filename else shown(root)
        what = f"the image folder {shown(root)}" if where == shown(root) else f"{where} in the image folder"
        here = "" if os.path.isabs(root) else f" (looked for in {Path.cwd()})"
        raise UserError(f"{what} cannot be read: {error.strerror or error}{here}") from None

    classes = class_order(list(train.files))
    names = [shown(name) for name in classes]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(
            f"{shown(root)}: two class folders have names that look the same: {', '.join(twice)}; rename one of them"
        )
    check_num_classes(names, settings.num_classes)
    _check_empty(settings, names, [len(train.files[name]) for name in classes], _left_out(train))
    notes = [*layout.notes, *_unknown_classes(layout, names, test)]
    files, labels = _labelled(names, train)
    if layout.test is not None:
        test_files, test_labels = _labelled(names, test)
        if not test_files:
            loose = f" ({_images(len(test.loose))} outside of class folders)" if test.loose else ""
            raise UserError(
                f"no test images in {shown(os.path.join(root, layout.test))}{loose}; put those of each class "
                "in a folder of its name there"
            )
    else:
        kept, off = split_off_test(labels, settings.test_fraction, settings.split_seed)
        test_files, test_labels = [files[index] for index in off], labels[off]
        files, labels = [files[index] for index in kept], labels[kept]
    return FolderImages(
        root,
        names,
        {"train": files, "test": test_files},
        {"train": labels, "test": test_labels},
        _left_out(train, test),
        notes,
        layout.test is not None,
    )


def _require_classes(root: bytes, part: bytes, found: Found) -> None:
    """Raise UserError where there are fewer than two classes."""
    where = shown(os.path.join(root, part)).rstrip("/")
    if len(found.files) >= 2:
        return
    holds = "no class folders"
    if found.files:
        (name,) = found.files
        holds = f"one class folder only, {shown(name)}/, and a study needs two classes or more"
    raise UserError(f"{where} holds {holds}; {class_folder_advice(root, part, found)}")


def _unknown_classes(layout: Layout, names: Sequence[str], test: Found) -> list[str]:
    """Return notes on test folders that are no class of the training set; raise UserError where they hold images."""
    notes = []
    train, part = f"{shown(layout.train)}/", layout.test or b""
    for name in class_order([name for name in test.files if shown(name) not in names]):
        if test.files[name]:
            alike = [each for each in names if each.casefold() == shown(name).casefold()]
            hint = f" ({alike[0]} is there: upper and lower case must agree)" if alike else ""
            raise UserError(
                f"{shown(part)}/ has class {shown(name)}, which {train} lacks{hint}; the classes are those of {train}: "
                f"{', '.join(names)}"
            )
        notes.append(f"{shown(os.path.join(part, name))}/ is empty and no class of {train}: not used")
    return notes


def _left_out(*sets: Found) -> list[str]:
    """Return a line for each kind of thing that is not used."""
    lines = [line for found in sets for line in found.ignored]
    for found in sets:
        if found.loose:
            lines.append(
                f"outside of class folders: {_images(len(found.loose))}, such as {shown(found.loose[0])}"
            )
    others: Counter[str] = sum((found.others for found in sets), Counter())
    if others:
        each = ", ".join(f"{count:,} {suffix}" for suffix, count in others.most_common())
        lines.append(f"not read as images: {each}")
    return lines


def _images(count: int) -> str:
    return f"{count:,} image{'s' if count != 1 else ''}"


def _labelled(names: Sequence[str], found: Found) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return the files, class by class, and their labels, int64. Names are compared as they are shown."""
    by_name = {shown(name): files for name, files in found.files.items()}
    of_class = [by_name.get(name, []) for name in names]
    labels = np.repeat(np.arange(len(names), dtype=np.int64), [len(files) for files in of_class])
    return [file for files in of_class for file in files], labels


def _check_empty(
    settings: ImageFolder, names: Sequence[str], counts: Sequence[int], left_out: Sequence[str] = ()
) -> list[str]:
    """Return a note on classes without training images; raise UserError unless `empty_classes` is `allow`."""
    empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if not empty:
        return []
    if settings.empty_classes == "stop":
        lies = f" ({'; '.join(left_out)})" if left_out else ""
        raise UserError(
            f"no training images of class {', '.join(empty)} in {settings.folder}{lies}; remove the folder, or set "
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
