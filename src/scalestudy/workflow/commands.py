"""The command line of each job: what the workflow runs, what a log shows, what a person pastes to repeat it."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scalestudy.study import paths
from scalestudy.study.config import CONFIG_FOLDER, Study
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.parse import format_number
from scalestudy.study.runs import Run, Source
from scalestudy.study.settings import RunSettings


def start_command(file: Path, overrides: Mapping[str, object], target: str | None = None) -> str:
    """Return the command that runs the study in `file`, and goes on with it after whatever stopped it."""
    named = file.parent == CONFIG_FOLDER and file.suffix == ".yaml"
    study = file.stem if named else file.as_posix()
    given = [f"{key}={as_typed(overrides[key])}" for key in sorted(overrides)]
    begin = ["snakemake", "--cores", "all"] if target is None else ["snakemake", target]
    return _join([*begin, "--config", f"study={study}", *given])


def as_typed(value: object) -> str:
    """Return an override's value as it is typed after --config."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def train_command(study: Study, run: Run) -> str:
    """Return the arguments of `scalestudy train` for `run`: all that its result depends on, ready for a shell.

    Device and threads are the rule's to add: a change of them is no reason to train again.
    """
    arguments = [
        *settings_flags(run.settings),
        *_data_flags(study, run),
        "--output",
        paths.run_folder(study.name, run.name),
    ]
    if run.weights is not None:
        arguments += ["--weights", paths.weights_file(run.weights.name)]
    if study.save_weights:
        arguments.append("--save-weights")
    if study.compute.train_eval != "last":  # left out at its default: a study's older runs stay finished
        arguments += ["--train-eval", study.compute.train_eval]
    return _join(arguments)


def pretrain_command(study: Study, upstream: Run) -> str:
    """Return the arguments of `scalestudy pretrain` for an upstream stage, as `train_command` does for a run."""
    output = paths.weights_file(upstream.name).parent
    return _join(
        [
            *settings_flags(upstream.settings),
            *_data_flags(study, upstream),
            "--task",
            upstream.task,
            "--output",
            output,
        ]
    )


def fetch_command(source: Source) -> str:
    """Return the arguments of `scalestudy fetch-weights` for published weights or a checkpoint file."""
    origin: list[Any] = ["--url", source.url]
    if source.kind == "timm":
        assert source.serves is not None
        origin = ["--timm", source.url, "--image-size", source.serves.image_size]
    elif source.kind == "file":
        assert source.serves is not None
        fit = {key: getattr(source.serves, key) for key in ("model", "image_size", "stem")}
        origin = ["--file", source.path, "--sha256", source.sha256]
        origin += [part for key, value in fit.items() for part in (_flag(key), value)]
    return _join([*origin, "--output", paths.weights_file(source.name).parent])


def prepare_command(settings: DatasetSettings, dataset: str, image_size: int) -> str:
    """Return the arguments of `scalestudy prepare` for one dataset store (the title is the report's affair)."""
    arguments: list[Any] = []
    for key, value in settings.model_dump(mode="json", exclude_none=True, exclude={"title"}).items():
        arguments += [_flag(key), value]
    return _join([*arguments, "--image-size", image_size, "--output", paths.dataset_folder(dataset)])


def settings_flags(settings: RunSettings) -> list[str]:
    """Return a run's settings as flags, in field order (see `RunSettings.lasting`); what is None is left out."""
    flags = []
    for key, value in settings.lasting().items():
        if value is not None:
            flags += [_flag(key), value if isinstance(value, str) else format_value(value)]
    return flags


def format_value(value: Any) -> str:
    """Return a value as it stands on a command line: switches and whole numbers plain, others in canonical text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else format_number(value)


def _data_flags(study: Study, run: Run) -> list[Any]:
    data = paths.dataset_folder(run.dataset)
    return ["--data", data, "--normalization", run.normalization, "--precision", study.compute.precision]


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _join(arguments: list[Any]) -> str:
    return shlex.join(str(argument) for argument in arguments)
