"""Gathers the files of a study's runs into results.csv, curves.csv and study.json."""

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from scalestudy.files import read_json, write_json, write_text
from scalestudy.results.read import COUNTED, MEASURED, TRAIN_EVAL, VALIDATION, RunResult, read_run
from scalestudy.study.parse import format_number
from scalestudy.study.paths import checkpoint_file, finished_folder, run_folder, run_log, study_folder

# In the order of the columns of results.csv. `steps` is the setting; the steps taken are `optimizer_steps`.
SETTINGS = (
    "model",
    "init",
    "dataset",
    "image_size",
    "fraction",
    "subset_seed",
    "seed",
    "optimizer",
    "lr",
    "momentum",
    "weight_decay",
    "batch_size",
    "epochs",
    "steps",
    "schedule",
    "dropout",
    "label_smoothing",
    "augmentation",
    "stem",
    "validation",
)
LAST = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "validation_loss",
    "validation_accuracy",
    "train_eval_loss",
    "train_eval_accuracy",
)
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
    "batches_per_epoch",
    "parameters",
    "features",
    *LAST,
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


def collect(study: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], root: Path) -> Path:
    """Write results.csv, curves.csv and, where it says something else, study.json; return their folder.

    `study` is the content of study.json (its "study" is the folder's name) and `runs` its list of planned
    runs (`run`, `settings`, `experiments`, optional `log` and `command`). Every planned run has one row in
    results.csv, in the order of the plan, whatever its state; curves.csv holds the epochs of complete and
    diverged runs. The same files give the same bytes.
    """
    name = str(study["study"])
    folder = root / study_folder(name)
    results = [read_run(root / run_folder(name, planned["run"])) for planned in runs]
    test_images = _test_images(root, study)
    rows = [
        _result_row(name, planned, result, test_images) for planned, result in zip(runs, results, strict=True)
    ]
    write_text(folder / "results.csv", _csv(COLUMNS, rows))
    write_text(folder / "curves.csv", _curves(results))
    record = {"schema": 1, **study, "runs": [dict(planned) for planned in runs]}
    if not _holds(folder / "study.json", record):  # its time decides what Snakemake runs again
        write_json(folder / "study.json", record)
    return folder


def read_states(folder: Path) -> dict[str, str]:
    """Return the state of each run by the results.csv of a collected study, in the order of the plan."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return {row["run"]: row["state"] for row in csv.DictReader(file)}


def remove_leftovers(study: str, states: Mapping[str, str], root: Path) -> None:
    """Remove what was kept so that a killed workflow need not train twice, for each complete or diverged run.

    That is its resume checkpoint and the links to its finished files; the files of the run itself stay.
    """
    for run, state in states.items():
        if state in ("complete", "diverged"):
            folder = root / run_folder(study, run)
            shutil.rmtree(finished_folder(folder), ignore_errors=True)
            checkpoint_file(folder).unlink(missing_ok=True)


def _holds(path: Path, record: Mapping[str, Any]) -> bool:
    """Return whether the JSON file at `path` already says this."""
    try:
        return bool(read_json(path) == record)
    except (OSError, ValueError):
        return False


def _test_images(root: Path, study: Mapping[str, Any]) -> int | None:
    """Return the size of the test set by dataset.json, None where the store is not here."""
    path = root / str(study.get("dataset", {}).get("path", "")) / "dataset.json"
    return int(read_json(path)["test_images"]) if path.is_file() else None


def _result_row(
    study: str, planned: Mapping[str, Any], result: RunResult, test_images: int | None
) -> dict[str, Any]:
    """Return the row of results.csv for one run; what is unknown is left out."""
    settings, info = planned["settings"], result.info
    row: dict[str, Any] = {
        "run": result.run,
        "state": result.state,
        "reason": result.reason,
        "experiments": ";".join(planned["experiments"]),
        **{key: _setting(settings.get(key)) for key in SETTINGS},
        "fraction_value": float(Fraction(settings["fraction"])),
        "log": planned.get("log") or run_log(study, result.run).as_posix(),
    }
    if result.state not in ("complete", "diverged"):
        return row
    row |= {
        "train_images": info.get("subset", {}).get("images"),
        "test_images": test_images,
        "optimizer_steps": info.get("steps"),
        "parameters": info.get("model", {}).get("parameters"),
        "features": info.get("model", {}).get("features"),
        "diverged_epoch": (info.get("diverged") or {}).get("epoch"),
        "diverged_step": (info.get("diverged") or {}).get("step"),
        "images_per_second": _speed(result),
        "dataset_sha256": (info.get("dataset") or {}).get("sha256"),
        "weights_sha256": (info.get("weights") or {}).get("sha256"),
    }
    for key in COLUMNS:
        if key not in row and key not in LAST:
            row[key] = info.get(key)
    if result.last is not None:
        row |= {key: result.last.get(key) for key in LAST}
    return row


def _setting(value: Any) -> Any:
    """Return a setting as the one text that run names and the command line use, too."""
    return format_number(value) if isinstance(value, float) else value


def _speed(result: RunResult) -> float | None:
    """Return the training speed over all epochs in images per second: all images over all seconds."""
    seconds = sum(epoch["seconds"] for epoch in result.metrics)
    images = sum(epoch["seconds"] * epoch["images_per_second"] for epoch in result.metrics)
    return round(images / seconds, 3) if seconds > 0 else None


def _curves(results: Iterable[RunResult]) -> str:
    """Return curves.csv: one line per run and epoch, with validation columns where any run has them."""
    results = list(results)
    held_out = any(VALIDATION[0] in epoch for result in results for epoch in result.metrics[:1])
    measured = [name for name in MEASURED if name not in ("seconds", "images_per_second")]
    held_out_columns = VALIDATION if held_out else ()
    columns = ("run", *COUNTED, *measured, *held_out_columns, *TRAIN_EVAL, "seconds", "images_per_second")
    rows = ({"run": result.run, **epoch} for result in results for epoch in result.metrics)
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return CSV text of the given columns; None and absent values are empty cells."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    """Return the text of one cell; numbers read back as the same number."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
