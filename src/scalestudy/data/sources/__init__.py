"""Where images come from. Each source is a module with a function `write` that fills a store.

write(settings, image_size: int, writer: StoreWriter) -> Written, with the settings of its class in
scalestudy.study.dataset, which names the module.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scalestudy.data.store import Split
from scalestudy.errors import UserError


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


def check_num_classes(classes: list[str], configured: int | None) -> None:
    """Raise UserError where `num_classes` is set and there are not just as many classes."""
    if configured is not None and len(classes) != configured:
        raise UserError(
            f"{len(classes)} classes found, {configured} configured (num_classes): {', '.join(classes)}"
        )
