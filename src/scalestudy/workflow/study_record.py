"""The resolved study as one JSON document: what the steps after training read instead of the YAML file."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from scalestudy.study import paths
from scalestudy.study.config import Study
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.parse import format_fraction
from scalestudy.study.runs import Run
from scalestudy.study.settings import RunSettings
from scalestudy.workflow.commands import (
    start_command,
    train_command,
)

_NOT_RECIPE = ("model", "init", "fraction", "seed", "subset_seed")


def study_record(
    study: Study, runs: list[Run], file: Path, overrides: Mapping[str, object]
) -> dict[str, Any]:
    """Return the study with its experiments' axes resolved and every run with its settings and its command.

    `file` and `overrides` are what it was loaded from.
    """
    return {
        "schema": 1,
        "study": study.name,
        "file": file.as_posix(),
        "start": start_command(file, overrides),
        "title": study.title or study.name,
        "description": study.description,
        "dataset": _dataset(study, runs),
        "recipe": _recipe(study),
        "weights": {
            name: weights for name in study_inits(study, runs) if (weights := _weights(study, name, runs))
        },
        "experiments": _experiments(study, runs),
        "references": [
            {"title": each.title, "source": each.source, "rows": [_plain(row) for row in each.rows]}
            for each in study.references
        ],
        "compute": study.compute.model_dump(mode="json"),
        "normalization": study.normalization,
        "primary": study.primary,
        "runs": [
            {
                **made_from(run),
                "experiments": list(run.experiments),
                "log": str(paths.run_log(study.name, run.name)),
                "command": f"scalestudy train {train_command(study, run)}",
            }
            for run in runs
        ],
    }


def made_from(run: Run) -> dict[str, Any]:
    """Return the part of a run's entry that says what it is made from."""
    return {
        "run": run.name,
        "settings": {**run.settings.model_dump(mode="json"), "dataset": run.dataset},
        "weights": run.weights.name if run.weights else None,
        "normalization": run.normalization,
    }


def study_inits(study: Study, runs: list[Run]) -> list[str]:
    """Return the initial weights that the runs use, in order of appearance."""
    return list(dict.fromkeys(run.settings.init for run in runs))


def dataset_title(settings: DatasetSettings) -> str:
    """Return what the report calls a dataset: the study's own title for it, else a name for its source."""
    return settings.title or settings.default_title()


def _dataset(study: Study, runs: list[Run]) -> dict[str, Any]:
    run = runs[0]
    return {
        "name": run.dataset,
        "path": str(paths.dataset_folder(run.dataset)),
        "title": dataset_title(study.dataset),
        "source": study.dataset.source,
        "folder": getattr(study.dataset, "folder", None),
        "image_size": run.settings.image_size,
    }


def _recipe(study: Study) -> dict[str, Any]:
    base = {key: values[0] for key, values in study.recipe.items()}
    recipe = RunSettings.model_construct(**base).canonical().model_dump(mode="json")
    return {key: value for key, value in recipe.items() if key not in _NOT_RECIPE}


def _weights(study: Study, name: str, runs: list[Run]) -> dict[str, Any] | None:
    own = study.weights.get(name)
    if name == "none":
        return None
    if own is None:
        kinds = {run.weights.kind for run in runs if run.settings.init == name and run.weights}
        publishers = [who for kind, who in (("download", "torchvision"), ("timm", "timm")) if kind in kinds]
        return {"title": _published_title(name), "source": f"published by {' and '.join(publishers)}"}
    if own.upstream is None:
        files = ", ".join(f"{model}: {each.file}" for model, each in own.checkpoints.items())
        return {"title": own.title or name, "source": f"checkpoint files ({files})"}
    upstream = next(run.weights.upstream for run in runs if run.settings.init == name and run.weights)
    assert upstream is not None
    settings = upstream.settings
    return {
        "title": own.title or name,
        "source": "upstream stage",
        "upstream": {
            "task": upstream.task,
            "dataset": upstream.dataset,
            "dataset_title": dataset_title(upstream.dataset_settings),
            "settings": settings.model_dump(mode="json"),
            "runs": sorted(
                {str(run.weights.name) for run in runs if run.settings.init == name and run.weights}
            ),
        },
    }


def _published_title(name: str) -> str:
    return name.replace("IMAGENET1K", "ImageNet-1k").replace("_", " ")


def _experiments(study: Study, runs: list[Run]) -> dict[str, Any]:
    used: dict[str, list[str]] = {name: [] for name in study.experiments}
    for run in runs:
        for experiment in run.experiments:
            used[experiment].append(run.name)
    return {
        name: {
            "title": experiment.title or name.replace("_", " "),
            "axes": {key: [_text(value) for value in values] for key, values in study.axes(name).items()},
            "runs": used[name],
        }
        for name, experiment in study.experiments.items()
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _text(value) for key, value in row.items()}


def _text(value: Any) -> Any:
    return format_fraction(value) if isinstance(value, Fraction) else value
