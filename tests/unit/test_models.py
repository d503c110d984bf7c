"""Models, their heads and their weights; the table of models against the installed torchvision.

`python tests/unit/test_models.py` writes the table anew from the installed torchvision (then `ruff format`).
"""

import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from scalestudy.errors import UserError
from scalestudy.study import model_table
from scalestudy.study.model_table import MODELS, WEIGHTS_HOST, ModelEntry
from scalestudy.study.models import check_model, check_weights, family_of, known_models, weights_of
from scalestudy.training.models import build_model, find_head, head_features, load_backbone

# For these families torchvision declares the size of training, or one pixel too many; smaller images work.
SMALLEST = {"swin_transformer": 4, "efficientnet": 1, "vision_transformer": 1, "maxvit": 1}


def table_from_torchvision() -> dict[str, ModelEntry]:
    """Return the table as the installed torchvision would have it."""
    table = {}
    for name in sorted(torchvision.models.list_models(module=torchvision.models)):
        family = torchvision.models.get_model_builder(name).__module__.rpartition(".")[2]
        multiple = 1
        if family == "vision_transformer":
            multiple = int(name.rpartition("_")[2])  # the patch size: vit_b_16
        elif family == "maxvit":
            multiple = 224  # five halvings, then partitions of 7x7
        weights = {}
        for entry in torchvision.models.get_model_weights(name):
            if entry.name == "IMAGENET1K_FEATURES":  # its classifier layers are NaN
                continue
            assert entry.url.startswith(WEIGHTS_HOST), entry.url
            declared = entry.meta["min_size"][0]
            weights[entry.name] = (entry.url.removeprefix(WEIGHTS_HOST), declared if multiple > 1 else None)
        table[name] = ModelEntry(family, SMALLEST.get(family, declared), multiple, weights)
    return table


def write_table() -> None:
    """Rewrite the table's rows in `model_table.py`."""
    path = Path(model_table.__file__)
    marker = "MODELS: dict[str, ModelEntry] = {\n"
    head = path.read_text().partition(marker)[0]
    rows = [f"    {name!r}: ModelEntry{tuple(entry)!r},\n" for name, entry in table_from_torchvision().items()]
    path.write_text(head + marker + "".join(rows) + "}\n")


if __name__ == "__main__":
    write_table()
