"""Gathers the files of a study's runs into results.csv, curves.csv and study.json."""

import csv
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scalestudy.errors import UserError
from scalestudy.files import read_json, write_json, write_text
from scalestudy.results.checked import Checked
from scalestudy.results.made import TABLES, Made, digest_of_runs
from scalestudy.results.measures import measures
from scalestudy.results.read import DONE, RunResult, planned_runs
from scalestudy.results.record import COUNTED, PREDICTIONS, SPEED, VALIDATION, RunRecord, metrics_columns
from scalestudy.study.budget import training_gmacs
from scalestudy.study.parse import format_number
from scalestudy.study.paths import checkpoint_file, finished_folder, run_folder, run_log, study_folder
from scalestudy.study.settings import RunSettings

# The columns of results.csv that describe a run: every setting, with the dataset's name after the initial weights.
# `steps` is the setting; the steps taken are `optimizer_steps`.
SETTINGS = tuple(
    column
    for setting in RunSettings.model_fields
    for column in ((setting, "dataset") if setting == "init" else (setting,))
)
LAST = tuple(column for column in metrics_columns(held_out=True) if column not in (*COUNTED, "lr", *SPEED))
_MEASURES = ("balanced_accuracy", "macro_f1", "top5_accuracy", "majority_accuracy")
TEST_MEASURES = tuple(f"test_{each}" for each in _MEASURES)
COLUMNS = (
    "run",
    "state",
    "reason",
    "experiments",
    *SETTINGS,
    "fraction_value",
    "train_images",
    "test_images",
    "optimizer_steps",
    "images_seen",
    "training_gmacs",
    "batches_per_epoch",
    "parameters",
    "features",
    *LAST,
    *TEST_MEASURES,
    "diverged_epoch",
    "diverged_step",
    "train_seconds",
    "total_seconds",
    "images_per_second",
    "peak_memory_mb",
    "device",
    "device_name",
    "precision",
    "threads",
    "hostname",
    "started",
    "ended",
    "dataset_sha256",
    "weights_sha256",
    "log",
)


def collect(
    study: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], root: Path, *, whole: bool = False
) -> Path:
    """Write results.csv, curves.csv and, where it says something else, study.json; return their folder.

    `study` is the content of study.json (its "study" is the folder's name) and `runs` its list of planned
    runs (`run`, `settings`, `experiments`, optional `log` and `command`). Every planned run has one row in
    results.csv, in the order of the plan, whatever its state; curves.csv holds the epochs of complete and
    diverged runs. The same files give the same bytes. `whole`: raise UserError, with nothing written, where a run is
    neither complete nor diverged.
    """
    name = str(study["study"])
    folder = root / study_folder(name)
    checked = Checked(folder / "checked.json")
    results = [
        checked.look(root / run_folder(name, planned["run"]), now)
        for planned, now in zip(runs, planned_runs(runs, root), strict=True)
    ]
    checked.save()
    if whole:
        _require_all(study, results)
    rows = [_result_row(study, planned, result) for planned, result in zip(runs, results, strict=True)]
    for row, result in zip(rows, results, strict=True):
        if result.last is not None:
            row |= _test_measures(root / run_folder(name, result.run) / PREDICTIONS)
    record = {"schema": 1, **study, "runs": [dict(planned) for planned in runs]}
    if not _holds(folder / "study.json", record):  # its time decides what Snakemake runs again
        write_json(folder / "study.json", record)
    write_text(folder / "results.csv", _csv(rows, COLUMNS))
    write_text(folder / "curves.csv", _curves(results))
    Made.of(folder).add([folder / table for table in TABLES], digest_of_runs(results))
    return folder


def _require_all(study: Mapping[str, Any], results: Sequence[RunResult]) -> None:
    """Raise UserError where not every run is done, naming the first ones that are not."""
    open_ones = [each for each in results if not each.done]
    if open_ones:
        named = "; ".join(f"{each.run}: {each.reason}" for each in open_ones[:3])
        more = f"; and {len(open_ones) - 3:,} more" if len(open_ones) > 3 else ""
        raise UserError(
            f"{len(results) - len(open_ones):,} of {len(results):,} runs of study {study['study']} are done; "
            f"`{start_command(study)}` trains the others ({named}{more})"
        )


def start_command(study: Mapping[str, Any]) -> str:
    """Return the command that trains what is missing in the study of this study.json."""
    return str(study.get("start") or f"snakemake --cores all --config study={study['study']}")


def start_command_of(folder: Path) -> str:
    """Return what makes the results in `folder`: as its study.json notes it, else by the folder's name."""
    try:
        return start_command(read_json(folder / "study.json"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return start_command({"study": folder.resolve().name})


def read_states(folder: Path) -> dict[str, str]:
    """Return the state of each run by the results.csv of a collected study, in the order of the plan."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return {row["run"]: row["state"] for row in csv.DictReader(file)}


def remove_leftovers(study: str, states: Mapping[str, str], root: Path) -> None:
    """Remove what was kept so that a killed workflow need not train twice, for each complete or diverged run.

    That is its resume checkpoint and the links to its finished files; the files of the run itself stay.
    """
    checked = Checked(root / study_folder(study) / "checked.json")
    for run, state in states.items():
        if state in DONE:
            folder = root / run_folder(study, run)
            shutil.rmtree(finished_folder(folder), ignore_errors=True)
            checkpoint_file(folder).unlink(missing_ok=True)
            checked.look_the_same(folder)
    checked.save()


def _holds(path: Path, record: Mapping[str, Any]) -> bool:
    """Return whether the JSON file at `path` already says this."""
    try:
        return bool(read_json(path) == record)
    except (OSError, ValueError):
        return False


def _result_row(study: Mapping[str, Any], planned: Mapping[str, Any], result: RunResult) -> dict[str, Any]:
    """Return the row of results.csv for one run; what is unknown is left out."""
    settings, record = planned["settings"], result.record
    row: dict[str, Any] = {
        "run": result.run,
        "state": "missing" if result.state == "running" else result.state,
        "reason": result.reason + (f"; `{start_command(study)}` trains it again" if result.damaged else ""),
        "experiments": ";".join(planned["experiments"]),
        **{key: _setting(settings.get(key)) for key in SETTINGS},
        "fraction_value": float(Fraction(settings["fraction"])),
        "log": planned.get("log") or run_log(str(study["study"]), result.run).as_posix(),
    }
    if not result.done or record is None:
        return row
    row |= _measured(record) | {
        "images_per_second": _speed(result),
        "training_gmacs": _operations(record),
    }
    if result.last is not None:
        row |= {key: result.last.get(key) for key in LAST}
    return row


def _test_measures(predictions: Path) -> dict[str, Any]:
    """Return the measures of the test set beside accuracy; nothing where the predictions cannot be read."""
    try:
        with np.load(predictions) as saved:
            labels, answers, shares = (saved[key] for key in ("labels", "predictions", "probabilities"))
        found = measures(labels, answers, shares)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}
    return {f"test_{key}": getattr(found, key) for key in _MEASURES}


def _measured(record: RunRecord) -> dict[str, Any]:
    """Return the columns that a finished run's record fills."""
    return {
        "train_images": record.subset.images,
        "test_images": record.test_images,
        "optimizer_steps": record.steps,
        "images_seen": record.images_seen,
        "batches_per_epoch": record.batches_per_epoch,
        "parameters": record.model.parameters,
        "features": record.model.features,
        "diverged_epoch": record.diverged and record.diverged.epoch,
        "diverged_step": record.diverged and record.diverged.step,
        "train_seconds": record.train_seconds,
        "total_seconds": record.total_seconds,
        "peak_memory_mb": record.peak_memory_mb,
        "device": record.device,
        "device_name": record.device_name,
        "precision": record.precision,
        "threads": record.threads,
        "hostname": record.hostname,
        "started": record.started,
        "ended": record.ended,
        "dataset_sha256": record.dataset.sha256,
        "weights_sha256": record.weights and record.weights.sha256,
    }


def _setting(value: Any) -> Any:
    """Return a setting as the one text that run names and the command line use, too."""
    return format_number(value) if isinstance(value, float) else value


def _operations(record: RunRecord) -> float | None:
    """Return the multiply-adds of a training, 10^9 to six digits; None for a model that is not known here."""
    try:
        return float(f"{training_gmacs(record.settings, record.images_seen):.6g}")
    except UserError:
        return None


def _speed(result: RunResult) -> float | None:
    """Return the training speed over all epochs in images per second: all images over all seconds."""
    seconds = sum(epoch["seconds"] for epoch in result.metrics)
    images = sum(epoch["seconds"] * epoch["images_per_second"] for epoch in result.metrics)
    return round(images / seconds, 3) if seconds > 0 else None


def _curves(results: Sequence[RunResult]) -> str:
    """Return curves.csv: one line per run and epoch, with validation columns where any run has them."""
    held_out = any(VALIDATION[0] in epoch for result in results for epoch in result.metrics[:1])
    rows = [{"run": result.run, **epoch} for result in results for epoch in result.metrics]
    return _csv(rows, ("run", *metrics_columns(held_out=held_out)))


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return CSV text of the given columns; None and absent values are empty cells."""
    # By object, and each cell as its own text: a column of whole numbers with a gap stays one of whole numbers.
    table = pd.DataFrame(
        [{column: _cell(row.get(column)) for column in columns} for row in rows], columns=list(columns)
    )
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def _cell(value: Any) -> str:
    """Return the text of one cell; numbers read back as the same number."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
