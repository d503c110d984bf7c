"""The names that people read, for models, initial weights, settings and their values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from scalestudy.analysis.words import percent
from scalestudy.study.parse import format_number
from scalestudy.study.registries import REGISTRIES, title_of
from scalestudy.study.settings import RunSettings

SETTINGS = {
    "dataset": "dataset",
    **{key: field.title or key for key, field in RunSettings.model_fields.items()},
}
_FAMILIES = (
    (r"resnet(\d+)", r"ResNet-\1"),
    (r"wide_resnet(\d+)_(\d+)", r"Wide ResNet-\1-\2"),
    (r"resnext(\d+)_(\w+)", r"ResNeXt-\1 (\2)"),
    (r"vgg(\d+)_bn", r"VGG-\1 (BN)"),
    (r"vgg(\d+)", r"VGG-\1"),
    (r"densenet(\d+)", r"DenseNet-\1"),
    (r"mobilenet_v2", "MobileNetV2"),
    (r"mobilenet_v3_(\w+)", r"MobileNetV3 \1"),
    (r"efficientnet_(b\d)", r"EfficientNet-\1"),
    (r"efficientnet_v2_(\w)", r"EfficientNetV2-\1"),
    (r"convnext_(\w+)", r"ConvNeXt \1"),
    (r"vit_(\w)_(\d+)", r"ViT-\1/\2"),
    (r"swin_(\w)", r"Swin-\1"),
    (r"regnet_(\w+)", r"RegNet \1"),
    (r"squeezenet(\w+)", r"SqueezeNet \1"),
    (r"alexnet", "AlexNet"),
    (r"googlenet", "GoogLeNet"),
)
_IMAGENET = re.compile(r"IMAGENET1K_V(\d+)")


@dataclass(frozen=True)
class Labels:
    """Names of one study: `weights` is study.json's mapping of initial weights to their title and source."""

    weights: Mapping[str, Mapping[str, Any]]

    def model(self, name: str) -> str:
        """Return `ResNet-18` for `resnet18`; names of unknown form stay as they are."""
        for pattern, title in _FAMILIES:
            if found := re.fullmatch(pattern, name):
                return found.expand(title)
        return name

    def weights_title(self, init: str) -> str:
        """Return what the weights were trained on, or the weights' own name."""
        if title := self.weights.get(init, {}).get("title"):
            return str(title)
        found = _IMAGENET.fullmatch(init)
        return f"ImageNet-1k (V{found[1]})" if found else init

    def init(self, name: str) -> str:
        """Return `from scratch` or `pretrained on ...`."""
        if name == "none":
            return "from scratch"
        title = self.weights_title(name)
        if title.lower().startswith("pretrained"):
            return title[0].lower() + title[1:]
        return f"pretrained on {title}"

    def series(self, model: str, init: str) -> str:
        """Return the name of a curve: model and initial weights."""
        return f"{self.model(model)} {self.init(init)}"

    def setting(self, key: str) -> str:
        """Return a setting's name in words."""
        return SETTINGS.get(key, key)

    def value(self, key: str, value: Any) -> str:
        """Return a setting with its value as a phrase: `batch size 32`, `learning rate 1e-4`, `SGD`."""
        if key in REGISTRIES:
            return title_of(key, str(value))
        if key == "steps":
            return "epochs instead of steps" if value is None else f"{value:,} steps"
        if key == "epochs":
            return f"{value:,} epochs"
        if key == "dropout" and not value:
            return "no dropout"
        if key == "validation":
            share = Fraction(str(value))
            return f"{percent(float(share))} held out" if share else "nothing held out"
        if key == "model":
            return self.model(value)
        if key == "init":
            return self.init(value)
        return f"{self.setting(key)} {plain(value)}"

    def describe(self, settings: Mapping[str, Any]) -> str:
        """Return several settings as one phrase: `batch size 32, learning rate 1e-4, dropout 0.2`."""
        return ", ".join(self.value(key, value) for key, value in settings.items())


def plain(value: Any) -> str:
    """Return the text of a bare value: numbers in their canonical form, None as `none`."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def share_of_data(fraction: str) -> str:
    """Return a fraction of the training set as a phrase: `1/16 of the data`, `all data`."""
    return "all data" if fraction == "1" else f"{fraction} of the data"
