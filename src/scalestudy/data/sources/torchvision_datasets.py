"""Source `torchvision`: its classification datasets, with its own downloads and checks.

Where the files are, no network is needed: torchvision looks below `root` first, and checks what it finds there.
"""

import socket
import urllib.error
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from scalestudy.data.download import SILENCE_SECONDS
from scalestudy.data.progress import say
from scalestudy.data.sources import Written, check_num_classes
from scalestudy.data.sources.map_style import MapStyle, write_split
from scalestudy.data.store import SPLITS, Split, StoreWriter
from scalestudy.data.subsets import split_off_test
from scalestudy.errors import UserError
from scalestudy.files import from_home
from scalestudy.study.dataset import Torchvision
from scalestudy.study.paths import DATA
from scalestudy.study.torchvision_datasets import TORCHVISION

_LABELS = ("targets", "labels", "_labels", "y")
"""Where torchvision's datasets keep all labels, so that a split needs no image decoded."""


def write(settings: Torchvision, image_size: int, writer: StoreWriter) -> Written:
    """Write the dataset in its own order, the largest central square of each image, resized bilinearly.

    A dataset without a test set of its own gives `test_fraction` of its images, stratified. Raises UserError where
    the files cannot be had, or are no images with one class each.
    """
    root = from_home(settings.root) if settings.root else DATA / "downloads" / "torchvision"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{settings.name}.lock"):
        parts = _open(settings, root)
    if len(parts) == 1:
        labels = _labels(parts[0])
        train, test = split_off_test(labels, settings.test_fraction, settings.split_seed)
        indices: dict[Split, NDArray[np.int64]] = {"train": train, "test": test}
        sets: dict[Split, MapStyle] = {"train": parts[0], "test": parts[0]}
    else:
        sets = dict(zip(SPLITS, parts, strict=True))
        indices = {split: np.arange(len(each)) for split, each in sets.items()}
    names = _class_names(parts[0])
    if names:
        check_num_classes(names, settings.num_classes)
    for split in SPLITS:
        write_split(writer, split, sets[split], indices[split], read_pair, hasattr(sets[split], "data"))
    largest = max(writer.largest_label(split) for split in SPLITS)
    classes = names or [str(label) for label in range(largest + 1)]
    if largest >= len(classes):
        raise UserError(f"torchvision's {settings.name} has label {largest}, and {len(classes)} classes")
    check_num_classes(classes, settings.num_classes)
    return Written(classes)


def read_pair(item: Any) -> tuple[Image.Image, int]:
    """Return the image and the label of what a dataset gives for an index."""
    image, label = item
    if not isinstance(image, Image.Image):
        raise TypeError(f"{type(image).__name__} in the place of an image")
    return image, int(label)


def _open(settings: Torchvision, root: Path) -> list[MapStyle]:
    """Return the training and the test set, or the one set there is, downloaded where they are not there."""
    import torchvision

    kind = getattr(torchvision.datasets, settings.name, None)
    if kind is None:
        raise UserError(f"the installed torchvision {torchvision.__version__} has no {settings.name}")
    own = signature(kind.__init__).parameters
    passes_on = any(each.kind is each.VAR_KEYWORD for each in own.values()) and settings.name != "ImageNet"
    common: dict[str, Any] = {}
    if "root" in own:
        common["root"] = root
    if "download" in own or passes_on:
        common["download"] = True
    splits = [each for each in TORCHVISION[settings.name][:2] if each is not None]
    try:
        with _bounded():
            return [kind(**{**common, **each, **(settings.options or {})}) for each in splits]
    except TypeError as error:
        raise UserError(f"torchvision's {settings.name} does not take these options: {error}") from None
    except (OSError, RuntimeError, ValueError, ImportError, urllib.error.URLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"torchvision could not get {settings.name}: {reason}. Without a network, put its files below {root} (or "
            "where `root` says) as torchvision stores them, and start again"
        ) from None


@contextmanager
def _bounded() -> Iterator[None]:
    """Give up on a host that is silent: torchvision itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _labels(dataset: MapStyle) -> NDArray[np.int64]:
    """Return every label, int64 [N], from where torchvision keeps them, else by reading every image once."""
    for name in _LABELS:
        labels = getattr(dataset, name, None)
        if isinstance(labels, (Sequence, np.ndarray)) and len(labels) == len(dataset):
            return np.asarray(labels, dtype=np.int64)
    say("reading all images once for their labels")
    return np.asarray([read_pair(dataset[index])[1] for index in range(len(dataset))], dtype=np.int64)


def _class_names(dataset: MapStyle) -> list[str]:
    """Return the classes' names by label, or nothing where torchvision knows none."""
    for name in ("classes", "categories"):
        names = getattr(dataset, name, None)
        if isinstance(names, Sequence) and names:
            return [each if isinstance(each, str) else str(each[0]) for each in names]
    return []
