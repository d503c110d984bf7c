"""One YAML file -> a validated `Study`. Everything that a study may say is declared here.

The models generate `config/study.schema.json` (editors check a study with it); a test fails when they drift.
"""

import copy
import json
import math
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from scalestudy.errors import UserError, nearest
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.faults import FaultsError, describe, gathering
from scalestudy.study.models import model_of
from scalestudy.study.names import (
    LONGEST_NAME,
    fraction_label,
    name_in_tables,
    safe_name,
    short_hash,
    slug,
)
from scalestudy.study.parse import format_number, parse_number
from scalestudy.study.settings import Integer, OneLine, RunSettings, Switch, TrainEval
from scalestudy.study.yaml_text import read_yaml

CONFIG_FOLDER = Path("config")
DEFAULT_STUDY = "quickstart"
SCHEMA_FILE = CONFIG_FOLDER / "study.schema.json"

# What an upstream stage has not its own of, and why: its checkpoint must fit the study's run.
NOT_OF_AN_UPSTREAM_STAGE = {
    "init": "an upstream stage begins from scratch",
    "validation": "an upstream stage holds no images out",
    "early_stopping": "an upstream stage holds no images out",
}
_SET_BY_THE_RUN = {
    "model": "it is that of the runs that begin with these weights",
    "image_size": "it is that of the runs that begin with these weights",
    "stem": "it is that of the runs that begin with these weights",
    **NOT_OF_AN_UPSTREAM_STAGE,
}


def _run_schema(exclude: Collection[str] = ()) -> dict[str, Any]:
    properties = RunSettings.model_json_schema()["properties"]
    return {key: value for key, value in properties.items() if key not in exclude}


def _axes_schema() -> dict[str, Any]:
    """Return the JSON schema of axes: each setting of a run, with one value or a list of values."""
    properties = {}
    for key, value in _run_schema().items():
        plain = {k: v for k, v in value.items() if k not in ("default", "title", "description")}
        several = {"type": "array", "items": plain, "minItems": 1}
        properties[key] = {"description": value["description"], "anyOf": [plain, several]}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def parse_axes(value: object) -> dict[str, tuple[Any, ...]]:
    """Return each axis with its values, parsed and each once; FaultsError has a line for each fault.

    A value that is not a list is an axis of one value.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping of settings, such as `lr: 1e-3`")
    axes: dict[str, tuple[Any, ...]] = {}
    faults: list[str] = []
    for key, values in value.items():
        listed = values if isinstance(values, (list, tuple)) else [values]
        if not listed:
            faults.append(f"{key}: [] has no value; an axis needs at least one")
        parsed = []
        for each in listed:
            with gathering(faults):
                parsed.append(parse_setting(str(key), each))
        axes[str(key)] = tuple(dict.fromkeys(parsed))
    if faults:
        raise FaultsError(faults)
    return axes


def parse_setting(key: str, value: object) -> Any:
    """Return one setting of a run, parsed; FaultsError names the key, the value and what is allowed."""
    field = RunSettings.model_fields.get(key)
    if value is None and field is not None and field.default is not None:
        raise FaultsError([f"{key}: it is empty; write a value, or take the key out"])
    try:
        parsed = getattr(RunSettings.model_validate({key: value}), key)
        if key == "model":
            model_of(parsed)
    except ValidationError as error:
        raise FaultsError(describe(error, RunSettings)) from None
    except UserError as error:
        raise FaultsError([f"{key}: {error}"]) from None
    return parsed


def _parse_one_valued(value: object, advice: str = "several go under `grid`") -> dict[str, tuple[Any, ...]]:
    axes = parse_axes(value)
    several = [
        f"{key}: one value is needed here; {advice}" for key, values in axes.items() if len(values) > 1
    ]
    if several:
        raise FaultsError(several)
    return axes


def _parse_upstream_recipe(value: object) -> dict[str, tuple[Any, ...]]:
    return _parse_one_valued(value, "for several, give each a name of its own under `weights`")


def _not_none(name: str) -> str:
    if name == "none":
        raise ValueError("the name `none` is taken: it means random initial weights")
    return name


Axes = Annotated[dict[str, tuple[Any, ...]], BeforeValidator(parse_axes), WithJsonSchema(_axes_schema())]
Fixed = Annotated[
    dict[str, tuple[Any, ...]],
    BeforeValidator(_parse_one_valued),
    WithJsonSchema({"type": "object", "properties": _run_schema(), "additionalProperties": False}),
]


def _known_model(name: str) -> str:
    try:
        model_of(name)
    except UserError as error:
        raise ValueError(str(error)) from None
    return name


ModelName = Annotated[str, AfterValidator(_known_model)]
StudyName = Annotated[str, AfterValidator(safe_name)]
TableName = Annotated[str, AfterValidator(name_in_tables)]
WeightsName = Annotated[str, AfterValidator(_not_none), AfterValidator(name_in_tables)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: Any) -> Any:
        """Take a key without a value (`references:`) as one that is not there."""
        return (
            {key: each for key, each in value.items() if each is not None}
            if isinstance(value, dict)
            else value
        )


class Experiment(_Strict):
    """A named comparison: every combination of the grid's values, on top of the base recipe."""

    title: OneLine = Field(
        "", description="Heading in the report; the experiment's name where it is left out."
    )
    grid: Axes = Field({}, description="Axes: setting -> the values to combine.")
    overrides: Fixed = Field({}, description="Settings that differ from the base recipe in all its runs.")

    @model_validator(mode="after")
    def _each_once(self) -> "Experiment":
        if twice := self.grid.keys() & self.overrides.keys():
            raise ValueError(
                f"{', '.join(sorted(twice))}: in both `grid` and `overrides`; take it out of one"
            )
        return self


class Checkpoint(_Strict):
    """A file of weights (a state_dict, or a mapping that holds one) with its checksum."""

    file: str = Field(description="Path of the file.")
    sha256: str = Field(
        description="SHA-256 of the file, 64 hex digits: `sha256sum FILE` prints it.",
        json_schema_extra={"pattern": "^[0-9a-fA-F]{64}$"},
    )

    @field_validator("sha256")
    @classmethod
    def _lower(cls, value: str) -> str:
        if not re.fullmatch("[0-9a-fA-F]{64}", value):
            raise ValueError(f"{value!r} is not a SHA-256, 64 hex digits; `sha256sum FILE` prints it")
        return value.lower()


class Upstream(_Strict):
    """A stage that trains initial weights, one training job per model, before the study's own runs.

    Its recipe takes the keys of a run that are not given by the run it serves (model, image size, stem).
    """

    dataset: DatasetSettings | None = Field(
        None, description="What it trains on; the study's own training images where left out."
    )
    task: Literal["labels", "rotation"] = Field(
        "labels",
        description="labels: the dataset's classes. rotation: no labels; predict by which of 0, 90, 180, 270 "
        "degrees an image was turned (Gidaris et al. 2018).",
    )
    recipe: Annotated[
        dict[str, Any],
        BeforeValidator(_parse_upstream_recipe),
        WithJsonSchema(
            {"type": "object", "properties": _run_schema(_SET_BY_THE_RUN), "additionalProperties": False}
        ),
    ] = Field(
        {},
        description="Recipe of this stage, one value each. Model, image_size and stem are those of the run that begins "
        "with the weights; init, validation and early_stopping are not for it; the rest has the defaults of a run.",
    )

    @field_validator("recipe")
    @classmethod
    def _own_keys_only(cls, value: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        strange = [
            f"{key}: {reason}; take the key out" for key, reason in _SET_BY_THE_RUN.items() if key in value
        ]
        if strange:
            raise FaultsError(strange)
        return {key: values[0] for key, values in value.items()}


class Weights(_Strict):
    """Named initial weights: an upstream stage, or checkpoint files by model. Exactly one of the two."""

    title: OneLine = Field("", description="What the report calls them; their name where it is left out.")
    upstream: Upstream | None = Field(None, description="Train them first.")
    checkpoints: dict[ModelName, Checkpoint] = Field({}, description="Model name -> file and checksum.")

    @model_validator(mode="after")
    def _one_of(self) -> "Weights":
        if (self.upstream is None) == (not self.checkpoints):
            raise ValueError("give either `upstream` or `checkpoints`")
        return self


def _parse_row(value: object) -> dict[str, Any]:
    """Return a row of a reference, its settings parsed; FaultsError has a line for each key or value that is wrong."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping such as {{model: resnet18, test_accuracy: 0.64}}")
    row: dict[str, Any] = {}
    faults: list[str] = []
    for key, each in value.items():
        with gathering(faults):
            row[key] = _accuracy(each) if key == "test_accuracy" else parse_setting(key, each)
    if "test_accuracy" not in value:
        faults.append(f"test_accuracy: this key is needed in every row; the row is {dict(value)}")
    if faults:
        raise FaultsError(faults)
    return row


def _accuracy(value: object) -> float:
    try:
        accuracy = parse_number(value)
    except ValueError as error:
        raise FaultsError([f"test_accuracy: {error}"]) from None
    if not 0 <= accuracy <= 1:
        raise FaultsError([f"test_accuracy: {value!r} is outside [0, 1]; write 64 % as 0.64"])
    return accuracy


ReferenceRow = Annotated[dict[str, Any], BeforeValidator(_parse_row)]


class Reference(_Strict):
    """Numbers that somebody else reported, to compare with. Accuracies in [0, 1]."""

    title: OneLine = Field(description="What they are.")
    source: OneLine = Field("", description="Where they come from.")
    rows: tuple[ReferenceRow, ...] = Field(
        min_length=1,
        description="Settings that pick the runs to compare with, and `test_accuracy` in [0, 1].",
    )


class Compute(_Strict):
    """How runs are executed. None of it changes which runs there are."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to train.")
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="auto: bf16 where the hardware has it and it pays, else float32."
    )
    threads: Integer = Field(1, ge=1, description="CPU threads of one training job (rule threads).")
    jobs_per_gpu: Integer = Field(1, ge=1, description="Training jobs that share one GPU.")
    train_eval: TrainEval = Field(
        "last",
        description="After which epochs the training subset is measured in evaluation mode, as the test set is.",
    )
    tensorboard: Switch = Field(
        False,
        description="Write event files beside the results (needs the package tensorboard): "
        "`tensorboard --logdir results/<study>/tensorboard` shows the curves while runs train.",
    )


class Study(_Strict):
    """A whole study. `load_study` makes one from a file."""

    name: StudyName = Field(
        "", description="Folder name of the results; the file's name where it is left out."
    )
    title: OneLine = Field("", description="Heading of the report.")
    description: str = Field("", description="A paragraph under the heading.")
    dataset: DatasetSettings = Field(description="The target data: a source by its name, or its settings.")
    weights: dict[WeightsName, Weights] = Field({}, description="Named initial weights for `init`.")
    recipe: Axes = Field({}, description="The base recipe. A list makes an axis of every experiment.")
    experiments: dict[TableName, Experiment] = Field(
        {}, description="Named grids over axes; without any, the recipe is the one experiment, `main`."
    )
    references: tuple[Reference, ...] = Field((), description="Reported numbers to compare with.")
    normalization: Literal["imagenet", "dataset"] = Field(
        "imagenet",
        description="Input statistics of all runs. Weights from torchvision keep ImageNet's in either case, those "
        "from timm the statistics that they were trained with.",
    )
    primary: Literal["auto", "accuracy", "balanced_accuracy", "macro_f1", "top5_accuracy"] = Field(
        "auto",
        description="The measure on the test set that the report speaks of; results.csv has all of them. auto: "
        "accuracy where the largest class has at most 1.5 times the test images of the smallest, else "
        "balanced_accuracy. top5_accuracy needs more than ten classes.",
    )
    compute: Compute = Field(Compute(), description="Device, precision, threads.")
    skip_impossible: Switch = Field(
        False, description="Leave impossible combinations out instead of refusing the study."
    )
    save_weights: Switch = Field(False, description="Keep each run's final weights beside its metrics.")

    @model_validator(mode="before")
    @classmethod
    def _default_experiment(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        experiments = value.get("experiments")
        if experiments is None or experiments == {}:
            experiments = {"main": {"title": "All runs"}}
        if isinstance(experiments, dict):  # one without a value (`base:`) is the recipe as it is
            experiments = {name: {} if each is None else each for name, each in experiments.items()}
        return {**value, "experiments": experiments}

    def axes(self, experiment: str) -> dict[str, tuple[Any, ...]]:
        """Return every setting of a run in the field order of `RunSettings`, with its values in `experiment`."""
        chosen = self.experiments[experiment]
        merged = {**self.recipe, **chosen.grid, **chosen.overrides}
        return {
            key: merged.get(key, (field.get_default(),)) for key, field in RunSettings.model_fields.items()
        }


def load_study(spec: str, overrides: Mapping[str, object] | None = None) -> Study:
    """Return the study named `spec` in `config/`, or in the YAML file at the path `spec`, with `overrides` applied.

    An override's key is a setting of a run, of `compute`, or of the study. A run's setting wins over the file
    everywhere: in the recipe and in every experiment. Overrides that make other runs make another study, with a name
    of its own (`cifar10_fraction-1of16_epochs-1`), unless they give it a `name`: neither overwrites the other.
    Raises UserError (one line per fault) for anything unknown.
    """
    path = find_study(spec)
    overrides = overrides or {}
    try:
        study = Study.model_validate(_content(path, overrides))
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {line}" for line in describe(error, Study))) from None
    if overrides and overrides.get("name") is None and not _same_runs(study, path):
        return study.model_copy(update={"name": _variant(study.name, overrides)})
    return study


def valid_parts(spec: str, overrides: Mapping[str, object] | None = None) -> list[Study]:
    """Return what is valid of a study that as a whole is not: one with its dataset, one with its weights."""
    try:
        content = _content(find_study(spec), overrides or {})
    except UserError:
        return []
    parts = []
    for part in (
        {"dataset": content.get("dataset")},
        {"dataset": "digits", "weights": content.get("weights")},
    ):
        with suppress(ValidationError):
            parts.append(Study.model_validate(part))
    return parts


def _content(path: Path, overrides: Mapping[str, object]) -> dict[str, Any]:
    """Return what a study's file says, with the overrides in their places and a name."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        empty = "the file is empty; " if content is None else ""
        raise UserError(f"{path}: {empty}a study is a mapping of keys; the smallest is `dataset: digits`")
    _apply(content, overrides)
    if content.get("name") is None:
        content["name"] = path.stem
    return content


def _same_runs(study: Study, path: Path) -> bool:
    """Return whether a study's file without overrides asks for the very runs of `study`."""
    try:
        other = Study.model_validate(_content(path, {}))
    except ValidationError:
        return False
    axes = [{name: each.axes(name) for name in each.experiments} for each in (study, other)]
    same = ("dataset", "weights", "normalization", "skip_impossible")
    return axes[0] == axes[1] and all(getattr(study, key) == getattr(other, key) for key in same)


def find_study(spec: str) -> Path:
    """Return the path of the study's file; UserError names the nearest study of `config/`."""
    path = Path(spec)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        same = CONFIG_FOLDER / path.name
        hint = f" (did you mean '{same}'?)" if same.is_file() else f" (looked for in {Path.cwd()})"
        raise UserError(f"study file {spec} does not exist{'' if path.is_absolute() else hint}")
    path = CONFIG_FOLDER / f"{spec}.yaml"
    if path.is_file():
        return path
    if not CONFIG_FOLDER.is_dir():
        raise UserError(
            f"no study {spec!r}: there is no folder {CONFIG_FOLDER}/ in {Path.cwd()}; change to the project's folder, "
            "or give the path of a YAML file"
        )
    known = sorted(each.stem for each in CONFIG_FOLDER.glob("*.yaml"))
    raise UserError(
        f"no study {spec!r} in {CONFIG_FOLDER}/{nearest(spec, known)}; studies: {', '.join(known) or 'none'} "
        "(a path to a YAML file works too)"
    )


def _apply(content: dict[str, Any], overrides: Mapping[str, object]) -> None:
    """Put each override where it belongs in the file's content; a single setting wins over a whole part."""
    unknown = []
    for key, value in sorted(overrides.items(), key=lambda each: each[0] not in Study.model_fields):
        if key in RunSettings.model_fields:
            experiments = content.get("experiments")
            for experiment in experiments.values() if isinstance(experiments, dict) else ():
                for part in ("grid", "overrides"):
                    if isinstance(experiment, dict) and isinstance(experiment.get(part), dict):
                        experiment[part].pop(key, None)
            _put(content, "recipe", key, value)
        elif key in Compute.model_fields:
            _put(content, "compute", key, value)
        elif key in Study.model_fields:
            content[key] = copy.deepcopy(value)
        else:
            known = [*RunSettings.model_fields, *Compute.model_fields, *Study.model_fields, "study"]
            hint = nearest(key, known)
            unknown.append(f"--config {key}={value}: unknown key{hint}; the keys are {', '.join(known)}")
    if unknown:
        raise UserError("\n".join(unknown))


def _put(content: dict[str, Any], part: str, key: str, value: object) -> None:
    """Put a key into a part of a study; where that is no mapping, it stays as it is, and is refused as such."""
    there = content.get(part)
    if there is None or isinstance(there, dict):
        content[part] = {**(there or {}), key: value}


# Overrides that change no result: the study stays the same one.
_NO_OTHER_STUDY = (
    *Compute.model_fields,
    "name",
    "title",
    "description",
    "references",
    "primary",
    "save_weights",
)


def _variant(name: str, overrides: Mapping[str, object]) -> str:
    """Return the name of the study `name` with these overrides: the same in whatever order and spelling they come."""
    telling = {key: value for key, value in overrides.items() if key not in _NO_OTHER_STUDY}
    if not telling:
        return name
    parts = [f"{key}-{_value_in_name(key, telling[key])}" for key in sorted(telling, key=_place)]
    readable = "_".join([name, *parts])
    return (
        readable
        if len(readable) <= LONGEST_NAME
        else f"{name[: LONGEST_NAME - 9]}_{short_hash([name, *parts])}"
    )


def _place(key: str) -> tuple[int, str]:
    fields = list(RunSettings.model_fields)
    return (fields.index(key) if key in fields else len(fields)), key


def _value_in_name(key: str, value: object) -> str:
    """Return a valid override's value for a name."""
    if key in RunSettings.model_fields:
        return _joined(list(map(_setting_in_name, parse_axes({key: value})[key])))
    told = _as_told(value)
    return _joined([told]) if isinstance(told, str) else short_hash(told)


def _as_told(value: object) -> object:
    """Return a value with its scalars as text: Snakemake takes `true` and what stands within braces for text."""
    if isinstance(value, Mapping):
        return {str(key): _as_told(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_told(each) for each in value]
    text = "" if value is None else str(value)
    if text.lower() in ("true", "false"):
        return text.lower()
    return format_number(float(text)) if _is_number(text) else text


def _setting_in_name(value: Any) -> str:
    if isinstance(value, Fraction):
        return fraction_label(value).removeprefix("f")
    return format_number(value) if isinstance(value, float) else str(value)


def _joined(texts: list[str]) -> str:
    """Return values as one part of a name; with a hash where it would be that of other values, too."""
    readable = "-".join(map(slug, texts))
    told_apart = all(each == slug(each) and ("-" not in each or _is_number(each)) for each in texts)
    return readable if told_apart else f"{readable}-{short_hash(texts)}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def json_schema() -> str:
    """Return the JSON schema of a study file, as text."""
    return json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
