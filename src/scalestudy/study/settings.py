"""The settings of one run, declared once: flags, schema, run names and CSV columns follow from them."""

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from scalestudy.study.parse import format_fraction, parse_fraction, parse_integer, parse_number
from scalestudy.study.registries import (
    AUGMENTATIONS,
    OPTIMIZERS,
    SCHEDULES,
    AugmentationName,
    OptimizerName,
    ScheduleName,
    described,
)


def _schema(json_type: str, **limits: Any) -> WithJsonSchema:
    """Return a JSON schema that takes a number or its text, as the parser does."""
    return WithJsonSchema({"anyOf": [{"type": json_type, **limits}, {"type": "string"}]})


Number = Annotated[float, BeforeValidator(parse_number), _schema("number")]
Integer = Annotated[int, BeforeValidator(parse_integer), _schema("integer")]
Share = Annotated[
    Fraction, BeforeValidator(parse_fraction), PlainSerializer(format_fraction), _schema("number")
]

TrainEval = Literal["last", "every"]
"""After which epochs the training subset is measured in evaluation mode. It changes no other number of a run."""


class RunSettings(BaseModel):
    """Everything about one training run that may change its result, except data and weights themselves.

    The field's order is the order of the command line's flags and of the columns in results.csv.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("resnet18", description="Any torchvision classification model, by its name.")
    init: str = Field(
        "none",
        description="Initial weights: none, a torchvision weights name such as IMAGENET1K_V1, "
        "or a name under `weights`.",
    )
    image_size: Integer = Field(32, ge=8, le=1024, description="Height and width of the images, in pixels.")
    fraction: Share = Field(
        Fraction(1), gt=0, le=1, description="Fraction of the training set, in (0, 1]; exact: 1/16 or 0.1."
    )
    subset_seed: Integer = Field(0, ge=0, description="Seed that picks the subset of the training set.")
    seed: Integer = Field(0, ge=0, description="Seed of the initial weights, shuffling and dropout.")
    optimizer: OptimizerName = Field("adam", description=f"Optimizer. {described(OPTIMIZERS)}.")
    lr: Number = Field(1e-3, gt=0, description="Learning rate (its peak, where a schedule changes it).")
    momentum: Number = Field(
        0.9, ge=0, lt=1, description="Momentum of sgd; other optimizers, and onecycle, ignore it."
    )
    weight_decay: Number = Field(0.0, ge=0, description="Weight decay (decoupled with adamw).")
    batch_size: Integer = Field(256, ge=1, description="Images in a batch.")
    epochs: Integer = Field(5, ge=1, description="Passes over the subset.")
    steps: Integer | None = Field(
        None,
        ge=1,
        description="Optimizer steps; where set, it replaces the passes, and `epochs` is the number of "
        "evaluations, evenly spaced.",
    )
    schedule: ScheduleName = Field(
        "constant", description=f"Learning rate over the run's steps. {described(SCHEDULES)}."
    )
    dropout: Number = Field(0.0, ge=0, lt=1, description="Dropout probability before the head.")
    label_smoothing: Number = Field(0.0, ge=0, lt=1, description="Label smoothing of the training loss.")
    augmentation: AugmentationName = Field(
        "none", description=f"Random changes of the training images. {described(AUGMENTATIONS)}."
    )
    stem: Literal["imagenet", "cifar"] = Field(
        "imagenet", description="First layers: stock, or a 3x3 convolution with stride 1 and no pooling."
    )
    validation: Share = Field(
        Fraction(0), ge=0, lt=1, description="Fraction of the training set held out for selection."
    )

    def canonical(self) -> "RunSettings":
        """Return these settings with those that have no effect at their defaults, so that equal runs coincide."""
        idle = {key for entry in OPTIMIZERS.values() for key in entry.settings.values()}
        idle -= set(OPTIMIZERS[self.optimizer].settings.values())
        idle |= set(SCHEDULES[self.schedule].overrides)
        fields = RunSettings.model_fields
        changed = {key: fields[key].default for key in idle if getattr(self, key) != fields[key].default}
        return self.model_copy(update=changed) if changed else self
