"""Writes `study/models.csv` anew from what is installed: `python -m scalestudy.training.models_csv`."""

import csv
import io
from collections.abc import Iterable

import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from scalestudy.files import write_text
from scalestudy.study.models import MODELS_FILE, WEIGHTS_HOST, Model, PublishedWeights
from scalestudy.training.fastnet import FASTNETS, STEM_SIZE, FastNet, Shape

# For these families torchvision declares the size of training, or one pixel too many; smaller images work.
_SMALLEST = {"swin_transformer": 4, "efficientnet": 1, "vision_transformer": 1, "maxvit": 1}


def installed_models() -> dict[str, Model]:
    """Return every classification model of the installed torchvision, and every FastNet, by name, sorted.

    Parameters and multiply-adds of torchvision's are those of its oldest published weights, with 1,000 classes.
    """
    models = {name: _torchvision_model(name) for name in torchvision.models.list_models(torchvision.models)}
    return dict(sorted((models | {name: _fastnet(shape) for name, shape in FASTNETS.items()}).items()))


def as_csv(models: dict[str, Model]) -> str:
    """Return the table that `study/models.py` reads."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = ("family", "min_image_size", "image_size_multiple", "parameters", "gmacs", "cost_image_size")
    writer.writerow(("model", *columns, "weights"))
    for name, model in models.items():
        writer.writerow(
            (name, *(getattr(model, column) for column in columns), _weights_text(model.weights.values()))
        )
    return buffer.getvalue()


def _torchvision_model(name: str) -> Model:
    family = torchvision.models.get_model_builder(name).__module__.rpartition(".")[2]
    multiple = 1
    if family == "vision_transformer":
        multiple = int(name.rpartition("_")[2])  # the patch size: vit_b_16
    elif family == "maxvit":
        multiple = 224  # five halvings, then partitions of 7x7
    # The classifier layers of IMAGENET1K_FEATURES are NaN.
    published = [
        each for each in torchvision.models.get_model_weights(name) if each.name != "IMAGENET1K_FEATURES"
    ]
    smallest = published[-1].meta["min_size"][0]
    weights = {
        each.name: PublishedWeights(each.name, each.url, each.meta["min_size"][0] if multiple > 1 else None)
        for each in published
    }
    return Model(
        family,
        _SMALLEST.get(family, smallest),
        multiple,
        published[0].meta["num_params"],
        published[0].meta["_ops"],
        published[0].transforms.keywords["crop_size"],
        weights,
    )


def _fastnet(shape: Shape) -> Model:
    """Return what is to be known of a FastNet: its cost is counted, for 10 classes and 32 x 32 images."""
    with torch.device("meta"):
        network, images = FastNet(shape), torch.zeros(1, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        network(images)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    gmacs = round(counter.get_total_flops() / 2e9, 3)
    return Model("fastnet", STEM_SIZE - 1 + 2 ** len(shape.widths), 1, parameters, gmacs, 32, {})


def _weights_text(weights: Iterable[PublishedWeights]) -> str:
    """Return `IMAGENET1K_V1=vit_b_16-c867db91.pth@224 ...`: each with its file and the one size that it fits."""
    texts = []
    for each in weights:
        assert each.url == WEIGHTS_HOST + each.file_name, each.url
        texts.append(f"{each.name}={each.file_name}" + (f"@{each.image_size}" if each.image_size else ""))
    return " ".join(texts)


if __name__ == "__main__":
    write_text(MODELS_FILE, as_csv(installed_models()))
