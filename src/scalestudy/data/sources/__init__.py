"""Where images come from. Each source is a module with a function `write` that fills a store.

write(settings, image_size: int, writer: StoreWriter) -> Written, with the settings of its class in
scalestudy.study.dataset, which names the module. Where something can be known or be wrong before anything is read or
fetched, the module also has look(settings) -> Look, which raises UserError for what cannot work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from scalestudy.data.store import Split
from scalestudy.errors import UserError
from scalestudy.study.dataset import DatasetSettings


def _numbered(split: Split, index: int) -> str:
    return f"{split} image {index}"


@dataclass
class Written:
    """What a source says about the images that it wrote.

    `classes`: the names, by label. `summary`: facts for dataset.json; `notes` are sentences for the log and
    the report. `name_of` gives the name of an image by its split and index.
    """

    classes: list[str]
    summary: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    name_of: Callable[[Split, int], str] = _numbered


@dataclass(frozen=True)
class Look:
    """What is seen of a source before it is read: training and test images, and classes, or None; notes on it."""

    sizes: tuple[int, int] | None = None
    classes: int | None = None
    notes: list[str] = field(default_factory=list)


def look(settings: DatasetSettings) -> Look:
    """Return what can be known of a dataset before it is read; UserError where it cannot be had."""
    module = import_module(f"scalestudy.data.sources.{settings.module}")
    found: Look = module.look(settings) if hasattr(module, "look") else Look(settings.known_sizes())
    if settings.num_classes is not None and found.classes not in (None, settings.num_classes):
        raise UserError(f"num_classes says {settings.num_classes}, and the data have {found.classes}")
    if found.sizes is not None and 0 in found.sizes:
        raise UserError(f"there would be {found.sizes[0]:,} training and {found.sizes[1]:,} test images")
    return found


def check_num_classes(classes: list[str], configured: int | None) -> None:
    """Raise UserError where `num_classes` is set and there are not just as many classes."""
    if configured is not None and len(classes) != configured:
        raise UserError(
            f"num_classes says {configured}, and the data have {len(classes)} ({', '.join(classes)}); correct the one "
            "that is wrong"
        )
