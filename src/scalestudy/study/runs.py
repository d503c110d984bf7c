"""The runs of a study: explicit, deduplicated, each with its one name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from scalestudy.errors import UserError
from scalestudy.study import names
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.models import check_model, check_weights, weights_of
from scalestudy.study.parse import format_fraction, parse_fraction, parse_integer, parse_number

if TYPE_CHECKING:
    from scalestudy.study.config import Study, Weights


def _schema(json_type: str, **limits: Any) -> WithJsonSchema:
    """Return a JSON schema that takes a number or its text, as the parser does."""
    return WithJsonSchema({"anyOf": [{"type": json_type, **limits}, {"type": "string"}]})


Number = Annotated[float, BeforeValidator(parse_number), _schema("number")]
Integer = Annotated[int, BeforeValidator(parse_integer), _schema("integer")]
Share = Annotated[
    Fraction, BeforeValidator(parse_fraction), PlainSerializer(format_fraction), _schema("number")
]


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
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="Optimizer.")
    lr: Number = Field(1e-3, gt=0, description="Learning rate (its peak, where a schedule changes it).")
    momentum: Number = Field(0.9, ge=0, lt=1, description="Momentum of sgd; other optimizers ignore it.")
    weight_decay: Number = Field(0.0, ge=0, description="Weight decay (decoupled with adamw).")
    batch_size: Integer = Field(256, ge=1, description="Images in a batch.")
    epochs: Integer = Field(5, ge=1, description="Passes over the subset.")
    steps: Integer | None = Field(
        None,
        ge=1,
        description="Optimizer steps; where set, it replaces the passes, and `epochs` is the number of "
        "evaluations, evenly spaced.",
    )
    schedule: Literal["constant", "cosine", "onecycle"] = Field(
        "constant", description="Learning rate over the run's steps."
    )
    dropout: Number = Field(0.0, ge=0, lt=1, description="Dropout probability before the head.")
    label_smoothing: Number = Field(0.0, ge=0, lt=1, description="Label smoothing of the training loss.")
    augmentation: Literal["none", "flip", "crop_flip"] = Field(
        "none", description="Random changes of the training images."
    )
    stem: Literal["imagenet", "cifar"] = Field(
        "imagenet", description="First layers: stock, or a 3x3 convolution with stride 1 and no pooling."
    )
    validation: Share = Field(
        Fraction(0), ge=0, lt=1, description="Fraction of the training set held out for selection."
    )

    def canonical(self) -> "RunSettings":
        """Return these settings with those that have no effect at their defaults, so that equal runs coincide."""
        if self.optimizer != "sgd" and self.momentum != 0.9:
            return self.model_copy(update={"momentum": 0.9})
        return self


@dataclass(frozen=True)
class Source:
    """Where a run's initial weights come from: their name (and file), and what makes it.

    kind is `download` (torchvision's file at `url`), `file` (a checkpoint at `path`) or `upstream` (trained by
    `upstream`, a run of its own).
    """

    name: str
    kind: Literal["download", "file", "upstream"]
    sha256: str | None = None
    url: str | None = None
    path: str | None = None
    upstream: "Run | None" = None


@dataclass(frozen=True)
class Run:
    """One training run: its settings, data and initial weights, its name, and the experiments that use it."""

    name: str
    settings: RunSettings
    dataset: str
    dataset_settings: DatasetSettings
    weights: Source | None
    normalization: str
    experiments: tuple[str, ...] = ()
    task: Literal["labels", "rotation"] = "labels"


def plan_runs(study: "Study") -> list[Run]:
    """Return the study's runs in the order of its experiments, each once, however many experiments share it.

    Raises UserError where a run is impossible (weights that the model does not have, images too small for it)
    unless the study says `skip_impossible`, where two different runs would share a name, or where none is left.
    """
    members: dict[RunSettings, list[str]] = {}
    impossible: dict[str, None] = {}
    for experiment, settings in _combinations(study):
        try:
            _check(settings, study)
        except UserError as error:
            impossible[str(error)] = None
            continue
        used_by = members.setdefault(settings.canonical(), [])
        if experiment not in used_by:
            used_by.append(experiment)
    if impossible and not study.skip_impossible:
        raise UserError(
            f"study {study.name}: {'; '.join(impossible)}. Mend the study, or set `skip_impossible: true` to leave "
            "those runs out"
        )
    if not members:
        raise UserError(f"study {study.name}: no runs" + (f": {'; '.join(impossible)}" if impossible else ""))
    source_of = _source_finder(study)
    runs = [_run(study, settings, source_of(settings), tuple(used)) for settings, used in members.items()]
    _check_names(runs)
    return runs


def impossible_runs(study: "Study") -> list[str]:
    """Return one line per kind of run that the study asks for and that cannot be."""
    lines: dict[str, None] = {}
    for _, settings in _combinations(study):
        try:
            _check(settings, study)
        except UserError as error:
            lines[str(error)] = None
    return list(lines)


def _combinations(study: "Study") -> Iterator[tuple[str, RunSettings]]:
    """Yield every point of every experiment's grid, checked value by value beforehand."""
    for experiment in study.experiments:
        axes = study.axes(experiment)
        for values in product(*axes.values()):
            yield experiment, RunSettings.model_construct(**dict(zip(axes, values, strict=True)))


def check_settings(settings: RunSettings) -> None:
    """Raise UserError when no study could have a run with these settings."""
    check_model(settings.model, settings.image_size, settings.stem)
    if settings.steps is not None and settings.steps < settings.epochs:
        raise UserError(f"steps: {settings.steps} steps cannot be evaluated {settings.epochs} times (epochs)")
    if settings.batch_size == 1 and settings.image_size <= 32:
        raise UserError(
            f"batch_size 1 with {settings.image_size} x {settings.image_size} images leaves batch "
            "normalisation a single value to average; use 2 or more"
        )


def _check(settings: RunSettings, study: "Study") -> None:
    """Raise UserError when a run with these settings cannot exist."""
    check_settings(settings)
    if settings.init != "none" and settings.init not in study.weights:
        try:
            check_weights(settings.model, settings.init, settings.image_size, settings.stem)
        except UserError as error:
            own = f"; the study's own weights: {', '.join(study.weights)}" if study.weights else ""
            raise UserError(f"{error}{own}") from None
    weights = study.weights.get(settings.init)
    if weights is not None and weights.checkpoints and settings.model not in weights.checkpoints:
        raise UserError(f"weights.{settings.init}.checkpoints has no file for {settings.model}")


def _run(study: "Study", settings: RunSettings, weights: Source | None, experiments: tuple[str, ...]) -> Run:
    dataset = names.dataset_name(study.dataset, settings.image_size)
    # Weights from torchvision were trained with ImageNet's input statistics and keep them.
    normalization = "imagenet" if weights and weights.kind == "download" else study.normalization
    return Run(
        name=names.run_name(settings, dataset, weights.name if weights else None, normalization),
        settings=settings,
        dataset=dataset,
        dataset_settings=study.dataset,
        weights=weights,
        normalization=normalization,
        experiments=experiments,
    )


def _source_finder(study: "Study") -> Callable[[RunSettings], Source | None]:
    """Return a function from settings to the source of their weights that makes each source once."""
    known: dict[tuple[str, str, int, str], Source | None] = {}

    def find(settings: RunSettings) -> Source | None:
        key = (settings.init, settings.model, settings.image_size, settings.stem)
        if key not in known:
            known[key] = _source(study, settings)
        return known[key]

    return find


def _source(study: "Study", settings: RunSettings) -> Source | None:
    if settings.init == "none":
        return None
    weights = study.weights.get(settings.init)
    if weights is None:
        published = weights_of(settings.model)[settings.init]
        return Source(name=published.file_name.removesuffix(".pth"), kind="download", url=published.url)
    if weights.upstream is not None:
        upstream = _upstream_run(study, settings, weights)
        return Source(name=upstream.name, kind="upstream", upstream=upstream)
    checkpoint = weights.checkpoints[settings.model]
    return Source(
        name=f"{names.slug(settings.init)}_{names.slug(settings.model)}-{checkpoint.sha256[:8]}",
        kind="file",
        path=checkpoint.file,
        sha256=checkpoint.sha256,
    )


def _upstream_run(study: "Study", settings: RunSettings, weights: "Weights") -> Run:
    """Return the run that trains the initial weights for `settings`: same model, stem and image size."""
    upstream = weights.upstream
    assert upstream is not None
    dataset_settings = upstream.dataset or study.dataset
    recipe = RunSettings(
        model=settings.model,
        image_size=settings.image_size,
        stem=settings.stem,
        **upstream.recipe,
    ).canonical()
    dataset = names.dataset_name(dataset_settings, settings.image_size)
    return Run(
        name=names.upstream_name(settings.init, recipe, dataset, upstream.task, study.normalization),
        settings=recipe,
        dataset=dataset,
        dataset_settings=dataset_settings,
        weights=None,
        normalization=study.normalization,
        task=upstream.task,
    )


def _check_names(runs: list[Run]) -> None:
    """Raise UserError when two different runs share a name (a hash collision)."""
    seen: dict[str, Run] = {}
    for run in runs:
        if run.name in seen:
            raise UserError(
                f"two different runs would share the name {run.name}; change a seed of one of them"
            )
        seen[run.name] = run
