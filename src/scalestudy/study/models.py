"""What is known about models without importing torch: torchvision's and our own in a table, timm's as it says itself.

A study is checked before any job runs, and the check must be instant: so the facts it needs (which models
there are, which weights each has, which image sizes each accepts, what each costs) are a table in the repository,
`models.csv`, written by `training/models_csv.py`. A test compares it with the installed torchvision and names each
drift.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scalestudy.errors import UserError, nearest
from scalestudy.study.registries import STEMS
from scalestudy.study.timm_models import PREFIX, check_timm_size, timm_model

MODELS_FILE = Path(__file__).with_name("models.csv")
WEIGHTS_HOST = "https://download.pytorch.org/models/"
_HASH = re.compile(r"-([0-9a-f]{8,})\.pth$")


@dataclass(frozen=True)
class PublishedWeights:
    """One set of weights that torchvision, or timm (then `url` is `timm:NAME.TAG`), publishes for a model.

    `image_size` is the only size (pixels, square) that they fit, or None where any size does. Position
    embeddings (ViT) and partitioned attention (MaxViT) tie weights to a size; convolutions do not.
    """

    name: str
    url: str
    image_size: int | None

    @property
    def file_name(self) -> str:
        """The file's name in torch's cache, such as `resnet18-f37072fd.pth`."""
        return self.url.rsplit("/", 1)[1]

    @property
    def sha256_prefix(self) -> str:
        """The first hex digits of the file's SHA-256, which its name carries."""
        match = _HASH.search(self.file_name)
        assert match is not None, self.file_name
        return match[1]


@dataclass(frozen=True)
class Model:
    """One model.

    family: `resnet` (ResNeXts and Wide ResNets too), `vgg`, `fastnet`, and so on. min_image_size,
    image_size_multiple: the image sizes (pixels, square) that it takes. parameters, gmacs: its size, and 10^9
    multiply-adds for one image of `cost_image_size` pixels (torchvision's with 1,000 classes, others with 10).
    weights: those published, by name, oldest first.
    """

    family: str
    min_image_size: int
    image_size_multiple: int
    parameters: int
    gmacs: float
    cost_image_size: int
    weights: Mapping[str, PublishedWeights]


@cache
def known_models() -> Mapping[str, Model]:
    """Return all models that a study may name, by name, sorted."""
    with MODELS_FILE.open(encoding="utf-8", newline="") as file:
        return {row["model"]: _model(row) for row in csv.DictReader(file)}


def model_of(name: str) -> Model:
    """Return a known model; UserError names the nearest where there is none of that name."""
    if name.startswith(PREFIX):
        return _of_timm(name.removeprefix(PREFIX))
    models = known_models()
    if name not in models:
        raise UserError(
            f"model '{name}' is unknown{nearest(name, models)}; the models are {', '.join(models)}; any of timm's "
            f"is {PREFIX}NAME"
        )
    return models[name]


def forward_gmacs(name: str, image_size: int, stem: str = "imagenet") -> float:
    """Return about how many 10^9 multiply-adds a forward pass takes for one image of `image_size` pixels.

    As convolutions go: with the area of the image. UserError for an unknown model.
    """
    model = model_of(name)
    larger = 16 if stem == "cifar" else 1  # no stride and no pooling at first: maps of four times the side
    return model.gmacs * (image_size / model.cost_image_size) ** 2 * larger


def check_model(name: str, image_size: int, stem: str = "imagenet") -> None:
    """Raise UserError where `name` is unknown or cannot take images of `image_size` pixels with `stem`."""
    entry = model_of(name)
    if stem not in STEMS:
        raise UserError(f"stem '{stem}' is unknown{nearest(stem, STEMS)}")
    family = STEMS[stem].family
    if family not in (None, entry.family):
        raise UserError(
            f"stem '{stem}' exists for the family '{family}' only, and model '{name}' is of the family "
            f"'{entry.family}': use stem 'imagenet', or another model"
        )
    if image_size < entry.min_image_size:
        raise UserError(
            f"model '{name}' needs images of at least {entry.min_image_size} pixels, and image_size is "
            f"{image_size}: set image_size to {_least_valid_size(entry)} or more, or take another model"
        )
    if image_size % entry.image_size_multiple:
        multiple = entry.image_size_multiple
        raise UserError(
            f"model '{name}' needs an image size that is a multiple of {multiple}, and image_size is "
            f"{image_size}: set image_size to {-(-image_size // multiple) * multiple}, or take another model"
        )
    if name.startswith(PREFIX):
        check_timm_size(name.removeprefix(PREFIX), image_size)


def check_weights(model: str, weights: str, image_size: int | None = None, stem: str = "imagenet") -> None:
    """Raise UserError where torchvision has no such weights for `model`, or they do not fit size or stem.

    `image_size` None leaves the size unchecked.
    """
    published = model_of(model).weights
    if weights not in published:
        there = f"it has: {', '.join(published)}" if published else "no weights are published for it"
        raise UserError(
            f"model '{model}' has no weights '{weights}'{nearest(weights, ['none', *published])}; {there}"
        )
    if stem != "imagenet":
        raise UserError(
            f"weights '{weights}' of model '{model}' were trained with the ImageNet stem (7x7 stride 2 and "
            f"pooling) and do not fit stem '{stem}': use stem 'imagenet' with them, or init 'none'"
        )
    needed = published[weights].image_size
    if needed is not None and image_size is not None and image_size != needed:
        raise UserError(
            f"weights '{weights}' of model '{model}' fit images of {needed} pixels only, and image_size is "
            f"{image_size}: set image_size to {needed}, or init to 'none'"
        )


def _of_timm(architecture: str) -> Model:
    facts = timm_model(architecture)
    weights = {tag: PublishedWeights(tag, f"{PREFIX}{architecture}.{tag}", None) for tag in facts.tags}
    return Model("timm", 1, 1, facts.parameters, facts.gmacs, facts.image_size, weights)


def _least_valid_size(model: Model) -> int:
    return -(-model.min_image_size // model.image_size_multiple) * model.image_size_multiple


def _model(row: Mapping[str, str]) -> Model:
    weights = {}
    for text in row["weights"].split():
        name, _, file = text.partition("=")
        file_name, _, image_size = file.partition("@")
        weights[name] = PublishedWeights(
            name, WEIGHTS_HOST + file_name, int(image_size) if image_size else None
        )
    return Model(
        row["family"],
        int(row["min_image_size"]),
        int(row["image_size_multiple"]),
        int(row["parameters"]),
        float(row["gmacs"]),
        int(row["cost_image_size"]),
        weights,
    )
