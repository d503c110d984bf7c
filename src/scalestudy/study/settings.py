"""The settings of one run, declared once: flags, schema, run names and CSV columns follow from them."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import CoreSchema

from scalestudy.study.parse import (
    format_fraction,
    parse_boolean,
    parse_fraction,
    parse_integer,
    parse_number,
)
from scalestudy.study.registries import (
    AUGMENTATIONS,
    AVERAGINGS,
    CONV_INITS,
    FREEZES,
    OPTIMIZERS,
    SCHEDULES,
    STEMS,
    TTAS,
    AugmentationName,
    AveragingName,
    ConvInitName,
    FreezeName,
    OptimizerName,
    ScheduleName,
    StemName,
    TtaName,
    described,
)

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


@dataclass(frozen=True)
class _NumberOrText:
    """The JSON schema of a number within its field's limits, or of its text, as the parser takes it."""

    json_type: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        inner: Any = core
        while "schema" in inner:
            inner = inner["schema"]
        limits = {word: inner[key] for key, word in _LIMITS.items() if key in inner}
        return {"anyOf": [{"type": self.json_type, **limits}, {"type": "string"}]}


Number = Annotated[float, BeforeValidator(parse_number), _NumberOrText("number")]
Integer = Annotated[int, BeforeValidator(parse_integer), _NumberOrText("integer")]
Share = Annotated[
    Fraction, BeforeValidator(parse_fraction), PlainSerializer(format_fraction), _NumberOrText("number")
]
OneLine = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
"""A title: its line ends and runs of blanks are single blanks, since tables and figures give it one line."""
Switch = Annotated[bool, BeforeValidator(parse_boolean), WithJsonSchema({"type": "boolean"})]

TrainEval = Literal["last", "every"]
"""After which epochs the training subset is measured in evaluation mode. It changes no other number of a run."""


_OF_THE_FIRST_RELEASE = {
    *("model", "init", "image_size", "fraction", "subset_seed", "seed", "optimizer", "lr", "momentum"),
    *(
        "weight_decay",
        "batch_size",
        "epochs",
        "steps",
        "schedule",
        "dropout",
        "label_smoothing",
        "augmentation",
    ),
    *("stem", "validation"),
}


class RunSettings(BaseModel):
    """Everything about one training run that may change its result, except data and weights themselves.

    The field's order is the order of the command line's flags and of the columns in results.csv; its title is the
    setting's name in the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        "resnet18",
        title="model",
        description="Any torchvision classification model by its name; any of timm's as timm:NAME (needs "
        "the package timm); or fastnet, a compact network for small images (after Jordan 2024), fastnet_narrow, "
        "fastnet_wide, fastnet_wider, fastnet_deep, fastnet_relu.",
    )
    init: str = Field(
        "none",
        title="initial weights",
        description="Initial weights: none, a torchvision weights name such as IMAGENET1K_V1, a tag of timm "
        "such as a1_in1k, or a name under `weights`.",
    )
    image_size: Integer = Field(
        32, ge=8, le=1024, title="image size", description="Height and width of the images, in pixels."
    )
    fraction: Share = Field(
        Fraction(1),
        gt=0,
        le=1,
        title="fraction",
        description="Fraction of the training set, in (0, 1]; exact: 1/16 or 0.1.",
    )
    subset_seed: Integer = Field(
        0, ge=0, title="subset seed", description="Seed that picks the subset of the training set."
    )
    seed: Integer = Field(
        0, ge=0, le=2**63 - 1, title="seed", description="Seed of the initial weights, shuffling and dropout."
    )
    optimizer: OptimizerName = Field(
        "adam", title="optimizer", description=f"Optimizer. {described(OPTIMIZERS)}."
    )
    lr: Number = Field(
        1e-3,
        gt=0,
        title="learning rate",
        description="Learning rate (its peak, where a schedule changes it).",
    )
    backbone_lr: Number = Field(
        1.0,
        gt=0,
        title="backbone's learning rate",
        description="Factor on the learning rate of all layers but the head.",
    )
    norm_bias_lr: Number = Field(
        1.0,
        gt=0,
        title="norm biases' learning rate",
        description="Factor on the learning rate of the biases of normalisation layers (64 in Page 2018); their weight "
        "decay is divided by it, so that they decay as the others do.",
    )
    momentum: Number = Field(
        0.9,
        ge=0,
        lt=1,
        title="momentum",
        description="Momentum of sgd; other optimizers, and onecycle, ignore it.",
    )
    nesterov: Switch = Field(
        False,
        title="Nesterov momentum",
        description="Nesterov's momentum for sgd; other optimizers ignore it.",
    )
    weight_decay: Number = Field(
        0.0, ge=0, title="weight decay", description="Weight decay (decoupled with adamw)."
    )
    clip_norm: Number = Field(
        0.0,
        ge=0,
        title="gradient clipping",
        description="Largest norm of the gradient over all parameters, above which it is scaled down (Pascanu et al. "
        "2013); 0: never.",
    )
    batch_size: Integer = Field(256, ge=1, title="batch size", description="Images in a batch.")
    epochs: Integer = Field(5, ge=1, title="epochs", description="Passes over the subset.")
    steps: Integer | None = Field(
        None,
        ge=1,
        title="steps",
        description="Optimizer steps; where set, it replaces the passes, and `epochs` is the number of "
        "evaluations, evenly spaced.",
    )
    schedule: ScheduleName = Field(
        "constant",
        title="schedule",
        description=f"Learning rate over the run's steps. {described(SCHEDULES)}.",
    )
    warmup: Share = Field(
        Fraction(0),
        ge=0,
        title="warmup",
        description="First steps, in which the learning rate rises linearly to where the schedule begins: how many, or "
        "below 1 their share of all steps.",
    )
    freeze: FreezeName = Field(
        "none", title="freezing", description=f"What keeps its initial values. {described(FREEZES)}."
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, title="dropout", description="Dropout probability before the head."
    )
    label_smoothing: Number = Field(
        0.0, ge=0, lt=1, title="label smoothing", description="Label smoothing of the training loss."
    )
    augmentation: AugmentationName = Field(
        "none",
        title="augmentation",
        description=f"Random changes of the training images; several joined by +. {described(AUGMENTATIONS)}.",
    )
    mixup: Number = Field(
        0.0,
        ge=0,
        title="mixup",
        description="Each training image is blended with another, by a share drawn from Beta(mixup, mixup), and so are "
        "their labels (Zhang et al. 2018); 0: never.",
    )
    cutmix: Number = Field(
        0.0,
        ge=0,
        title="CutMix",
        description="A rectangle of each training image comes from another, its share drawn from Beta(cutmix, cutmix), "
        "and so does that share of the label (Yun et al. 2019); 0: never. With mixup, each batch takes one of both.",
    )
    averaging: AveragingName = Field(
        "none",
        title="averaging",
        description=f"Which weights are measured and kept. {described(AVERAGINGS)}.",
    )
    averaging_decay: Number = Field(
        0.99,
        ge=0,
        lt=1,
        title="averaging's decay",
        description="What the average of `averaging: ema` keeps in a step; other ways of averaging ignore it.",
    )
    tta: TtaName = Field(
        "none",
        title="test-time augmentation",
        description="Views of an image whose logits are averaged, wherever a run is measured in evaluation mode. "
        f"{described(TTAS)}.",
    )
    stem: StemName = Field("imagenet", title="stem", description=f"First layers. {described(STEMS)}.")
    conv_init: ConvInitName = Field(
        "stock",
        title="initial convolutions",
        description=f"How convolutions begin where there are no initial weights. {described(CONV_INITS)}.",
    )
    validation: Share = Field(
        Fraction(0),
        ge=0,
        lt=1,
        title="validation",
        description="Fraction of the training set held out for selection.",
    )

    early_stopping: Integer = Field(
        0,
        ge=0,
        title="early stopping",
        description="Evaluations without a better accuracy on the held-out images (see validation) after which a run "
        "stops; it ends with the weights of the best one. 0: never.",
    )

    @field_validator("warmup")
    @classmethod
    def _whole_steps(cls, value: Fraction) -> Fraction:
        if value > 1 and value.denominator > 1:
            raise ValueError(f"{value} is neither a number of steps nor a share of them, below 1")
        return value

    def lasting(self) -> dict[str, Any]:
        """Return the settings as JSON values, those that later versions added only where they are changed.

        So a new setting changes neither the command nor the checkpoint of a run that leaves it at its default, and no
        older run is trained again for it.
        """
        changed = self.model_dump(mode="json", exclude_defaults=True)
        return {
            key: value
            for key, value in self.model_dump(mode="json").items()
            if key in changed or key in _OF_THE_FIRST_RELEASE
        }

    def canonical(self) -> "RunSettings":
        """Return these settings with those that have no effect at their defaults, so that equal runs coincide."""
        fields = RunSettings.model_fields
        changed = {
            key: fields[key].default for key in self.idle() if getattr(self, key) != fields[key].default
        }
        return self.model_copy(update=changed) if changed else self

    def idle(self) -> set[str]:
        """Return the settings that have no effect beside the others."""
        idle = {key for entry in OPTIMIZERS.values() for key in entry.settings.values()}
        idle -= set(OPTIMIZERS[self.optimizer].settings.values())
        idle |= set(SCHEDULES[self.schedule].overrides)
        if self.fraction == 1 and not self.validation:  # all images: nothing is drawn
            idle |= {"subset_seed"}
        if self.init != "none":  # the weights bring their convolutions
            idle |= {"conv_init"}
        if self.freeze == "backbone":
            idle |= {"backbone_lr", "norm_bias_lr"}
        if self.averaging != "ema":
            idle |= {"averaging_decay"}
        return idle
