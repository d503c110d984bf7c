"""Finding image files in folders of classes.

Names are bytes here, so that neither the locale nor a name that is not UTF-8 matters.
"""

# ruff: noqa: PTH118 (Path does not take names in bytes)

import os
from dataclasses import dataclass, field

from scalestudy.errors import UserError

SUFFIXES = (b".jpg", b".jpeg", b".png", b".ppm", b".bmp", b".pgm", b".tif", b".tiff", b".webp")
"""What counts as an image, in either case: the list of torchvision.datasets.ImageFolder."""

_TEST_FOLDERS = (b"test", b"val")


@dataclass
class Found:
    """The image files below one folder of classes, and what else lies there."""

    files: dict[bytes, list[bytes]] = field(default_factory=dict)
    hidden: list[bytes] = field(default_factory=list)
    other_files: int = 0


def shown(name: bytes) -> str:
    """Return a file name as text: UTF-8, with bytes that are not escaped as `\\xff`."""
    return name.decode("utf-8", "backslashreplace")


def find_test_folder(root: bytes) -> bytes | None:
    """Return the name of the folder of test images; None where the classes lie in `root` itself."""
    folders = folders_in(root)
    if b"train" not in folders:
        return None
    for name in _TEST_FOLDERS:
        if name in folders:
            return name
    train = os.path.join(root, b"train")
    if folders_in(train):
        raise UserError(
            f"{shown(root)} has train/ but no test/ (or val/) beside it; to split a test set off the images, "
            f"set `folder` to {shown(train)}"
        )
    return None  # a class that is called train


def folders_in(path: bytes) -> set[bytes]:
    """Return the names of the folders in `path` that do not start with a dot."""
    with os.scandir(path) as entries:
        return {entry.name for entry in entries if not entry.name.startswith(b".") and entry.is_dir()}


def classes_below(root: bytes, part: bytes) -> Found:
    """Return the image files of each class folder in `root`/`part`, sorted, relative to `root`."""
    found = Found()
    for name, is_folder in _entries(os.path.join(root, part)):
        path = os.path.join(part, name)
        if name.startswith(b".") and is_folder:
            found.hidden.append(path)
        elif is_folder:
            found.files[name] = []
            _collect(root, path, found.files[name], found, set())
        else:
            found.other_files += 1
    return found


def _collect(root: bytes, folder: bytes, files: list[bytes], found: Found, above: set[bytes]) -> None:
    """Add the images in `folder` and the folders below it to `files`."""
    real = os.path.realpath(os.path.join(root, folder))
    if real in above:  # a link to a folder that it lies in
        return
    for name, is_folder in _entries(os.path.join(root, folder)):
        path = os.path.join(folder, name)
        if is_folder and name.startswith(b"."):
            found.hidden.append(path)
        elif is_folder:
            _collect(root, path, files, found, above | {real})
        elif name.lower().endswith(SUFFIXES) and not name.startswith(b"."):
            files.append(path)
        else:
            found.other_files += 1


def _entries(path: bytes) -> list[tuple[bytes, bool]]:
    """Return the names in a folder, sorted, each with whether it is a folder (or a link to one)."""
    with os.scandir(path) as entries:
        return sorted((entry.name, entry.is_dir()) for entry in entries)
