"""The optimizers, schedules, augmentations, ... that a run may name: one entry each, everything else follows.

A study's schema, the command line's help, error messages, titles in the report, the estimate of memory and what
`training/recipe.py` builds are all read from here. Entries name their torch function as text and import it when
it is used, so that a study is checked without torch. To add one: add its entry.
"""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from scalestudy.errors import nearest


@dataclass(frozen=True)
class Entry:
    """One thing that a run may name. function: `module:name` of what does it, imported when it is used."""

    title: str
    description: str
    function: str


@dataclass(frozen=True)
class Optimizer(Entry):
    """An optimizer of torch, called with the parameters, `lr`, `weight_decay` and `arguments`.

    copies: how many times the parameters are held in memory: weights, gradients, moments.
    settings: its argument -> the run's setting that gives it; runs of other optimizers ignore that setting.
    """

    copies: int
    settings: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=lambda: {"fused": True})


@dataclass(frozen=True)
class Schedule(Entry):
    """A scheduler of torch for the learning rate.

    arguments: its arguments for the peak rates (one for each group of parameters) and the number of optimizer steps.
    rises: whether it starts low by itself. overrides: settings of the run that it sets itself.
    """

    arguments: Callable[[Sequence[float], int], Mapping[str, Any]]
    rises: bool = False
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stem(Entry):
    """First layers of a model. family: the one family of models that it fits, or None for any."""

    family: str | None


Registry = Mapping[str, Entry]

# The triangle of Jordan 2024 (airbench94): where it starts, peaks and ends, as factors and as shares of the steps.
_TRIANGLE_START, _TRIANGLE_PEAK, _TRIANGLE_END = 0.2, 0.23, 0.07


def triangle(steps: int) -> Callable[[int], float]:
    """Return the factor on the peak rate by step: straight up to the peak, then straight down."""
    peak = _TRIANGLE_PEAK * steps

    def factor(step: int) -> float:
        if step < peak:
            return _TRIANGLE_START + (1 - _TRIANGLE_START) * step / peak
        return 1 - (1 - _TRIANGLE_END) * (step - peak) / (steps - peak)

    return factor


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer("Adam", "Kingma & Ba 2015", "torch.optim:Adam", copies=4),
    "adamw": Optimizer(
        "AdamW", "with decoupled weight decay, Loshchilov & Hutter 2019", "torch.optim:AdamW", copies=4
    ),
    "sgd": Optimizer(
        "SGD",
        "gradient descent with momentum",
        "torch.optim:SGD",
        copies=3,
        settings={"momentum": "momentum", "nesterov": "nesterov"},
    ),
}

SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(
        "constant learning rate",
        "the same rate in all steps",
        "torch.optim.lr_scheduler:ConstantLR",
        lambda rates, steps: {"factor": 1.0},
    ),
    "cosine": Schedule(
        "cosine schedule",
        "half a cosine from the rate to zero (Loshchilov & Hutter 2017)",
        "torch.optim.lr_scheduler:CosineAnnealingLR",
        lambda rates, steps: {"T_max": steps},
    ),
    "onecycle": Schedule(
        "one-cycle schedule",
        "up from 1/25 of the rate in 30 % of the steps, then down to almost zero, momentum the other way "
        "between 0.95 and 0.85 (Smith 2018)",
        "torch.optim.lr_scheduler:OneCycleLR",
        lambda rates, steps: {"max_lr": list(rates), "total_steps": max(steps, 2) + 1},
        rises=True,
        overrides=("momentum",),
    ),
    "triangular": Schedule(
        "triangular schedule",
        "straight up from 1/5 of the rate in 23 % of the steps, then straight down to 7 % of it (Jordan 2024)",
        "torch.optim.lr_scheduler:LambdaLR",
        lambda rates, steps: {"lr_lambda": triangle(steps)},
        rises=True,
    ),
}

FREEZES: dict[str, Entry] = {
    "none": Entry("all layers trained", "nothing", "scalestudy.training.freezing:nothing"),
    "backbone": Entry(
        "frozen backbone",
        "all but the head, its normalisation statistics too: a linear probe",
        "scalestudy.training.freezing:backbone",
    ),
    "norm_scales": Entry(
        "fixed norm scales",
        "the scales of normalisation layers, which stay 1 (Page 2018)",
        "scalestudy.training.freezing:norm_scales",
    ),
}

AUGMENTATIONS: dict[str, Entry] = {
    "none": Entry("no augmentation", "the images as they are", "scalestudy.training.augmentation:unchanged"),
    "crop": Entry(
        "random crops",
        "shifts by up to an eighth of the side, padded with black (He et al. 2016)",
        "scalestudy.training.augmentation:crop",
    ),
    "translate": Entry(
        "translation",
        "shifts by up to a sixteenth of the side, padded by reflection (Jordan 2024)",
        "scalestudy.training.augmentation:translate",
    ),
    "flip": Entry("random flips", "mirrors half of the images", "scalestudy.training.augmentation:flip"),
    "alternating_flip": Entry(
        "alternating flips",
        "mirrors half of the images in the first pass and the other half in the next, by turns (Jordan 2024)",
        "scalestudy.training.augmentation:alternating_flip",
    ),
    "randaugment": Entry(
        "RandAugment",
        "two random operations of medium strength (Cubuk et al. 2020)",
        "scalestudy.training.augmentation:randaugment",
    ),
    "trivialaugment": Entry(
        "TrivialAugment",
        "one random operation of random strength (Müller & Hutter 2021)",
        "scalestudy.training.augmentation:trivialaugment",
    ),
    "erasing": Entry(
        "random erasing",
        "covers a rectangle in half of the images (Zhong et al. 2020)",
        "scalestudy.training.augmentation:erasing",
    ),
}

AVERAGINGS: dict[str, Entry] = {
    "none": Entry("last weights", "the last weights", "scalestudy.training.averaging:nothing"),
    "ema": Entry(
        "averaged weights",
        "an exponential moving average over the steps (Polyak & Juditsky 1992)",
        "scalestudy.training.averaging:ema",
    ),
    "lookahead": Entry(
        "lookahead",
        "slow weights that follow every five steps and from which training goes on (Zhang et al. 2019, Jordan 2024)",
        "scalestudy.training.averaging:lookahead",
    ),
}

TTAS: dict[str, Entry] = {
    "none": Entry("no test-time augmentation", "the images as they are", "scalestudy.training.views:one"),
    "flip": Entry("test-time flips", "the images and their mirror images", "scalestudy.training.views:flip"),
    "flip_shift": Entry(
        "test-time flips and shifts",
        "both, and both shifted by a pixel in 32 towards two corners (Jordan 2024)",
        "scalestudy.training.views:flip_shift",
    ),
}

STEMS: dict[str, Stem] = {
    "imagenet": Stem("stock stem", "as the architecture has them", "scalestudy.training.stems:stock", None),
    "cifar": Stem(
        "CIFAR stem",
        "for ResNets, a 3x3 convolution with stride 1 and no pooling (He et al. 2016)",
        "scalestudy.training.stems:cifar",
        "resnet",
    ),
    "whitening": Stem(
        "whitening stem",
        "for fastnet, fixed filters computed from the training images, whose outputs are uncorrelated (Page 2018)",
        "scalestudy.training.stems:whitening",
        "fastnet",
    ),
}

CONV_INITS: dict[str, Entry] = {
    "stock": Entry(
        "stock initial values", "as the architecture begins", "scalestudy.training.initialisation:stock"
    ),
    "identity": Entry(
        "identity convolutions",
        "each convolution passes its inputs on (Jordan 2024)",
        "scalestudy.training.initialisation:identity",
    ),
}

REGISTRIES: dict[str, Registry] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "freeze": FREEZES,
    "augmentation": AUGMENTATIONS,
    "averaging": AVERAGINGS,
    "tta": TTAS,
    "stem": STEMS,
    "conv_init": CONV_INITS,
}
"""Each setting of a run that names an entry, with its registry."""


def load(function: str) -> Callable[..., Any]:
    """Return the function that an entry names as `module:name`."""
    found: Callable[..., Any] = pkgutil.resolve_name(function)
    return found


def described(registry: Registry) -> str:
    """Return the entries' names with their descriptions, for a setting's help text."""
    return "; ".join(f"{name}: {entry.description}" for name, entry in registry.items())


def parts_of(augmentation: str) -> list[str]:
    """Return the names that `augmentation` joins by `+`; `crop_flip` is an older name of `crop+flip`."""
    return augmentation.replace("crop_flip", "crop+flip").split("+")


def title_of(setting: str, value: str) -> str:
    """Return the title of what `value` names for `setting`; a name that is not registered stays as it is."""
    registry = REGISTRIES[setting]
    return " and ".join(registry[part].title if part in registry else part for part in parts_of(value))


@dataclass(frozen=True)
class _OneOf:
    """Marks a field as a name from a registry, whatever is in it when the name is read."""

    registry: Registry

    @property
    def allowed(self) -> str:
        """What the field takes, for documents and help."""
        return ", ".join(self.registry)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.known, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.registry)}

    def known(self, name: str) -> str:
        if name not in self.registry:
            options = ", ".join(self.registry)
            raise ValueError(f"{name!r} is not one of {options}{nearest(name, self.registry)}")
        return name


class _Several(_OneOf):
    """Marks a field as names from a registry, joined by `+` and brought into the registry's order."""

    @property
    def allowed(self) -> str:
        """What the field takes, for documents and help."""
        return f"{super().allowed} (several joined by +)"

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        names = [*(name for name in self.registry if name != "none"), "crop_flip"]
        one = f"({'|'.join(names)})"
        return {"type": "string", "anyOf": [{"enum": ["none", *names]}, {"pattern": f"^{one}([+]{one})*$"}]}

    def known(self, name: str) -> str:
        parts = [_OneOf.known(self, part.strip()) for part in parts_of(name)]
        if len(set(parts)) < len(parts) or ("none" in parts and len(parts) > 1):
            raise ValueError(
                f"{name!r} names a part twice, or `none` beside others; name each part once, or `none` alone"
            )
        return "+".join(sorted(parts, key=list(self.registry).index)).replace("crop+flip", "crop_flip")


OptimizerName = Annotated[str, _OneOf(OPTIMIZERS)]
AveragingName = Annotated[str, _OneOf(AVERAGINGS)]
ConvInitName = Annotated[str, _OneOf(CONV_INITS)]
FreezeName = Annotated[str, _OneOf(FREEZES)]
ScheduleName = Annotated[str, _OneOf(SCHEDULES)]
AugmentationName = Annotated[str, _Several(AUGMENTATIONS)]
TtaName = Annotated[str, _OneOf(TTAS)]
StemName = Annotated[str, _OneOf(STEMS)]
