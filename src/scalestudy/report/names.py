"""The names that people read, for models, initial weights, settings and their values."""

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from scalestudy.findings.model import Cell, Grid, Group, Measure, Scalar
from scalestudy.report import wording
from scalestudy.study.parse import format_number
from scalestudy.study.registries import REGISTRIES, title_of
from scalestudy.study.settings import RunSettings

SETTINGS = {
    "dataset": "dataset",
    **{key: field.title or key for key, field in RunSettings.model_fields.items()},
}
# Settings whose 0 means that they are not there.
_ABSENT_AT_ZERO = (
    *("dropout", "weight_decay", "label_smoothing", "mixup", "cutmix"),
    *("clip_norm", "warmup", "early_stopping"),
)
MOST_NAMED = 2  # settings of a recipe that stand in its name, where it has a title
MEASURES: dict[Measure, str] = {
    "test_accuracy": "test accuracy",
    "balanced_accuracy": "balanced test accuracy",
    "macro_f1": "macro F1 on the test images",
    "top5_accuracy": "top-5 test accuracy",
    "train_accuracy": "training accuracy while training",
    "train_eval_accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
    "gap": "gap between training and test accuracy",
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
    (r"squeezenet(\d)_(\d)", r"SqueezeNet \1.\2"),
    (r"alexnet", "AlexNet"),
    (r"googlenet", "GoogLeNet"),
    (r"shufflenet_v2_x(\d)_(\d)", r"ShuffleNetV2 \1.\2x"),
    (r"mnasnet(\d)_(\d)", r"MNASNet \1.\2"),
    (r"inception_v3", "Inception v3"),
    (r"fastnet", "FastNet"),
    (r"fastnet_relu", "FastNet (ReLU)"),
    (r"fastnet_(\w+)", r"FastNet \1"),
)


class Names:
    """The names of one study's things; `titles` are what its initial weights are called in study.json.

    Titles that several have are followed by the weights' names: `glyphs (a)`, `glyphs (b)`.
    """

    def __init__(self, titles: Mapping[str, str]) -> None:
        often = Counter(titles.values())
        self.titles = {
            name: title if often[title] == 1 else f"{title} ({name})" for name, title in titles.items()
        }

    def model(self, name: str) -> str:
        """Return `ResNet-18` for `resnet18`; names of unknown form stay as they are."""
        for pattern, title in _FAMILIES:
            if found := re.fullmatch(pattern, name):
                return found.expand(title)
        return name

    def title(self, init: str) -> str:
        """Return what the weights were trained on, or the weights' own name; `from scratch` for none."""
        if init == "none":
            return "from scratch"
        title = self.titles.get(init, init)
        return title if title == init else title.removeprefix("pretrained on ")

    def init(self, name: str) -> str:
        """Return `from scratch` or `pretrained on ...`."""
        if name == "none":
            return "from scratch"
        title = self.title(name)
        if title.lower().startswith("pretrained"):
            return title[0].lower() + title[1:]
        return f"pretrained on {title}"

    def short_init(self, name: str) -> str:
        """Return the title of initial weights, or the name where the title is too long for a figure."""
        return wording.short_label(self.title(name), name)

    def series(self, model: str, init: str) -> str:
        """Return the name of a curve: model and initial weights."""
        return f"{self.model(model)} {self.init(init)}"

    def cell(self, cell: Cell, grid: Grid) -> str:
        """Return what tells a cell from all others: `ResNet-18, from scratch, all data, batch size 32`.

        Where only the recipe varies, that is the recipe's title or name: `The full recipe`, `batch size 32`.
        """
        group = grid.group(cell.group)
        if grid.at_one_point:
            return group.title or self.recipe(group)
        parts = [self.model(cell.model), self.init(cell.init), share_of_data(cell.fraction)]
        return ", ".join([*parts, self.recipe(group)] if group.differs else parts)

    def recipe(self, group: Group) -> str:
        """Return how a recipe differs from the base recipe, or its title where that takes long, or `base recipe`."""
        if len(group.differs) > MOST_NAMED and group.title:
            return group.title
        return ", ".join(self.value(key, value) for key, value in group.differs.items()) or "base recipe"

    def setting(self, key: str) -> str:
        """Return a setting's name in words."""
        return SETTINGS.get(key, key.replace("_", " "))

    def value(self, key: str, value: Scalar) -> str:
        """Return a setting with its value as a phrase: `batch size 32`, `learning rate 1e-4`, `SGD`."""
        if key in REGISTRIES:
            return title_of(key, str(value))
        if isinstance(value, bool):
            return self.setting(key) if value else f"no {self.setting(key)}"
        if key == "steps":
            return "epochs instead of steps" if value is None else wording.counted(int(str(value)), "step")
        if key == "epochs":
            return wording.counted(int(str(value)), "epoch")
        if key in _ABSENT_AT_ZERO and value in (0, "0"):
            return f"no {self.setting(key)}"
        if key == "validation":
            share = Fraction(str(value))
            return f"{wording.percent(float(share))} held out" if share else "nothing held out"
        if key == "model":
            return self.model(str(value))
        if key == "init":
            return self.init(str(value))
        return f"{self.setting(key)} {plain(value)}"

    def under(self, key: str, value: Scalar) -> str:
        """Return a value as it stands in a column with its setting's name: `32`, `yes`, `fixed norm scales`."""
        if value is None:
            return wording.MISSING
        if isinstance(value, bool):
            return "yes" if value else "no"
        return title_of(key, str(value)) if key in REGISTRIES else plain(value)


def plain(value: Scalar) -> str:
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
