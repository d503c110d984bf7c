"""The optimizers, schedules and augmentations that a run may name: one entry each, everything else follows from it.

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

from scalestudy.study.models import nearest


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of torch.

    function: `module:name` of its class, called with the parameters, `lr`, `weight_decay` and `arguments`.
    settings: its argument -> the run's setting that gives it; runs of other optimizers ignore that setting.
    copies: how many times the parameters are held in memory: weights, gradients, moments.
    """

    title: str
    description: str
    function: str
    copies: int
    settings: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=lambda: {"fused": True})


@dataclass(frozen=True)
class Schedule:
    """A schedule of the learning rate.

    function: `module:name` of torch's scheduler. arguments: its arguments for the peak rates (one for each group of
    parameters) and the number of optimizer steps. overrides: settings of the run that it sets itself.
    """

    title: str
    description: str
    function: str
    arguments: Callable[[Sequence[float], int], Mapping[str, Any]]
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training images. function: `module:name`; see `training/augmentation.py`."""

    title: str
    description: str
    function: str


Registry = Mapping[str, Optimizer | Schedule | Augmentation]

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
        settings={"momentum": "momentum"},
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
        overrides=("momentum",),
    ),
}

AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(
        "no augmentation", "the images as they are", "scalestudy.training.augmentation:unchanged"
    ),
    "flip": Augmentation(
        "random flips", "mirrors half of the images", "scalestudy.training.augmentation:flip"
    ),
    "crop_flip": Augmentation(
        "random crops and flips",
        "shifts by up to an eighth of the side, padded with black, then flips (He et al. 2016)",
        "scalestudy.training.augmentation:crop_flip",
    ),
}


def load(function: str) -> Callable[..., Any]:
    """Return the function that an entry names as `module:name`."""
    found: Callable[..., Any] = pkgutil.resolve_name(function)
    return found


def described(registry: Registry) -> str:
    """Return the entries' names with their descriptions, for a setting's help text."""
    return "; ".join(f"{name}: {entry.description}" for name, entry in registry.items())


@dataclass(frozen=True)
class _OneOf:
    """Marks a field as a name from a registry, whatever is in it when the name is read."""

    registry: Registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.known, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.registry)}

    def known(self, name: str) -> str:
        if name not in self.registry:
            options = ", ".join(self.registry)
            raise ValueError(f"{name!r} is not one of {options}{nearest(name, self.registry)}")
        return name


OptimizerName = Annotated[str, _OneOf(OPTIMIZERS)]
ScheduleName = Annotated[str, _OneOf(SCHEDULES)]
AugmentationName = Annotated[str, _OneOf(AUGMENTATIONS)]
