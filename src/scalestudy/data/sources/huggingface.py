"""Source `huggingface`: image classification datasets of the Hugging Face Hub, through the library `datasets`.

The library downloads and keeps them in its own cache (`$HF_HOME`); what is there already, or is a local folder, needs
no network.
"""

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scalestudy.data.progress import say
from scalestudy.data.sources import Look, Written, check_num_classes
from scalestudy.data.sources.map_style import write_split
from scalestudy.data.store import SPLITS, Split, StoreWriter
from scalestudy.data.subsets import split_off_test
from scalestudy.errors import UserError
from scalestudy.study.dataset import HuggingFace

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_TEST_SPLITS = ("test", "validation", "valid", "val")


def write(settings: HuggingFace, image_size: int, writer: StoreWriter) -> Written:
    """Write the rows of the two splits in their order, the largest central square of each image, resized bilinearly.

    A dataset without a test split gives `test_fraction` of its training rows, stratified. Raises UserError where the
    dataset cannot be had, or has no column of images or of classes.
    """
    every = _load(settings)
    train = _part(every, settings.train_split, settings.name)
    test_split = settings.test_split or next((name for name in _TEST_SPLITS if name in every), None)
    image_column, label_column = _image_column(train, settings), _label_column(train, settings)
    classes, number = _classes(train, label_column)
    check_num_classes(classes, settings.num_classes)

    def labels(part: "Dataset", split: str) -> NDArray[np.int64]:
        values = part[label_column][:]
        strange = sorted({str(each) for each in values if each not in number})
        if strange:
            raise UserError(
                f"{settings.name}: split {split} has labels that are no class of {settings.train_split}: "
                f"{', '.join(strange[:5])}"
            )
        return np.asarray([number[each] for each in values], dtype=np.int64)

    notes = []
    if test_split is None:
        chosen = split_off_test(
            labels(train, settings.train_split), settings.test_fraction, settings.split_seed
        )
        parts: dict[Split, Dataset] = {"train": train, "test": train}
        indices: dict[Split, NDArray[np.int64]] = dict(zip(SPLITS, chosen, strict=True))
    else:
        test = _part(every, test_split, settings.name)
        for part, split in ((train, settings.train_split), (test, test_split)):
            labels(part, split)  # every row has one of the classes
            if not len(part):
                raise UserError(f"{settings.name}: split {split} has no images; name another one")
        parts = {"train": train, "test": test}
        indices = {split: np.arange(len(part)) for split, part in parts.items()}
        notes = [f"split {test_split} of {settings.name} is the test set"] if test_split != "test" else []
    read = partial(read_row, image_column=image_column, label_column=label_column, number=number)
    for split in SPLITS:
        write_split(writer, split, parts[split], indices[split], read, in_memory=False)
    return Written(classes, notes=notes)


def look(settings: HuggingFace) -> Look:
    """Return nothing known yet; UserError where the library that would fetch the dataset is not there."""
    _require_library()
    return Look()


def read_row(
    row: Mapping[str, Any], image_column: str, label_column: str, number: Mapping[Any, int]
) -> tuple[Image.Image, int]:
    """Return the image and the label of a row."""
    image = row[image_column]
    if not isinstance(image, Image.Image):
        raise TypeError(f"column {image_column} has no image there")
    return image, number[row[label_column]]


def _require_library() -> None:
    if find_spec("datasets") is None:
        raise UserError("the source huggingface needs the package `datasets`: pip install datasets")


def _load(settings: HuggingFace) -> "DatasetDict":
    _require_library()
    import datasets

    say(f"reading {settings.name} through the library datasets {datasets.__version__}")
    try:
        found = datasets.load_dataset(settings.name, settings.configuration, revision=settings.revision)
    except Exception as error:  # the library has dozens of its own, of all kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"the dataset {settings.name} could not be had: {reason[:400]}. `name` is that of a dataset on the "
            "Hub, such as beans or user/flowers, or a folder. Without a network, set HF_HUB_OFFLINE=1: "
            "then what is in $HF_HOME is used"
        ) from None
    return found


def _part(every: "DatasetDict", split: str, name: str) -> "Dataset":
    if split not in every:
        raise UserError(
            f"{name} has no split {split!r}; it has {', '.join(every)}: set `train_split` and `test_split` to these"
        )
    return every[split]


def _image_column(part: "Dataset", settings: HuggingFace) -> str:
    from datasets import Image as ImageFeature

    found = [name for name, feature in part.features.items() if isinstance(feature, ImageFeature)]
    return _one("image", found, part, settings.image_column, settings.name)


def _label_column(part: "Dataset", settings: HuggingFace) -> str:
    from datasets import ClassLabel, Value

    found = [name for name, feature in part.features.items() if isinstance(feature, ClassLabel)]
    if not found:
        plain = [name for name, feature in part.features.items() if isinstance(feature, Value)]
        found = [name for name in ("label", "labels") if name in plain]
    return _one("label", found, part, settings.label_column, settings.name)


def _one(what: str, found: list[str], part: "Dataset", chosen: str | None, name: str) -> str:
    """Return the chosen column, or the only one found; UserError where it is not there or not clear."""
    there = ", ".join(part.column_names)
    if chosen is not None:
        if chosen not in part.column_names:
            raise UserError(f"{name} has no column {chosen!r} ({what}_column); it has {there}")
        return chosen
    if len(found) != 1:
        columns = ", ".join(found) or there
        raise UserError(f"{name}: which column holds the {what}? Set `{what}_column` to one of {columns}")
    return found[0]


def _classes(part: "Dataset", column: str) -> tuple[list[str], dict[Any, int]]:
    """Return the classes' names by label, and the label of each value of the column."""
    from datasets import ClassLabel

    feature = part.features[column]
    if isinstance(feature, ClassLabel):
        return list(feature.names), {label: label for label in range(len(feature.names))}
    values = sorted(each for each in part.unique(column) if each is not None)
    return [str(each) for each in values], {value: label for label, value in enumerate(values)}
