"""In which state a run is: the one place that decides it. No pandas: `scalestudy status` and the workflow ask, too."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from scalestudy.files import DamagedFileError, is_locked, read_json, seal_is_broken, sha256_file
from scalestudy.results.record import (
    COUNTED,
    MEASURED,
    METRICS,
    PREDICTIONS,
    RECORD,
    TRAIN_EVAL,
    DamagedError,
    JobStatus,
    RecordedSettings,
    RunRecord,
    read_record,
)
from scalestudy.study import paths

State = Literal["complete", "diverged", "running", "failed", "missing"]
DONE: tuple[State, State] = ("complete", "diverged")


@dataclass(frozen=True)
class RunResult:
    """What the files of one run say.

    `reason` is empty for a complete run and one line for any other. `metrics` holds one mapping per epoch,
    of complete and diverged runs only, so that no number of a damaged file ever reaches a table. `record` is
    run.json, None where it is not there or damaged; `status` is status.json, empty where it is not.
    `damaged` says that the run had finished, and what it left cannot be used: the next start trains it again.
    `sha256` is that of run.json, of a run that is done.
    """

    run: str
    state: State
    reason: str = ""
    metrics: list[dict[str, float]] = field(default_factory=list)
    record: RunRecord | None = None
    status: dict[str, Any] = field(default_factory=dict)
    damaged: bool = False
    sha256: str = ""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.state in DONE

    @property
    def last(self) -> dict[str, float] | None:
        """The measurements of the last epoch, None unless the run is complete."""
        return self.metrics[-1] if self.state == "complete" else None


@dataclass(frozen=True)
class MadeFrom:
    """What a run is made from. None: that is not known here, and nothing is held against the run."""

    settings: RecordedSettings
    dataset_sha256: str | None = None
    weights_sha256: str | None = None
    normalization: str | None = None

    @classmethod
    def of_record(cls, record: RunRecord) -> "MadeFrom":
        """Return what a finished run was made from."""
        weights = record.weights.sha256 if record.weights else None
        return cls(record.settings, record.dataset.sha256, weights, record.normalization.name)

    def differs(self, now: "MadeFrom") -> str:
        """Return in a few words what is another now than it was for this run; nothing where all is the same."""
        if self.settings != now.settings:
            return "other settings"
        if now.dataset_sha256 not in (None, self.dataset_sha256):
            return "other data"
        if now.weights_sha256 not in (None, self.weights_sha256):
            return "other initial weights"
        if now.normalization not in (None, self.normalization):
            return "another normalisation"
        return ""


def read_run(run_dir: Path, now: MadeFrom | None = None) -> RunResult:
    """Return what the folder of one run holds; never raises for damaged or missing files.

    complete: run.json says so, its files are as they were written, and metrics.csv has every epoch once, in order,
    each number in its range. diverged: run.json says so. running: a process holds its lock. failed: the job left a
    reason, nobody holds its lock any more, or a file that it left is damaged. missing: no result, or one of other data
    or initial weights than those that are there `now`.
    """
    run = run_dir.name
    status = read_status(run_dir)
    if not (run_dir / RECORD).is_file():
        return _unfinished(run_dir, status)
    record, metrics = None, []
    try:
        record = read_record(run_dir / RECORD)
        if record.run != run:
            raise DamagedError(f"{RECORD} belongs to another run ({record.run})")
        metrics = _metrics_of(run_dir, record)
        _check_files(run_dir, record)
        sha256 = sha256_file(run_dir / RECORD)
    except DamagedError as error:
        return RunResult(run, "failed", str(error), record=record, status=status, damaged=True)
    if now is not None and (other := MadeFrom.of_record(record).differs(now)):
        return RunResult(
            run, "missing", f"made from {other} than there are now", record=record, status=status
        )
    if not record.complete:
        return RunResult(run, "diverged", _divergence(record), metrics, record, status, sha256=sha256)
    return RunResult(run, "complete", "", metrics, record, status, sha256=sha256)


def planned_runs(planned: Sequence[Mapping[str, Any]], root: Path = Path()) -> list[MadeFrom]:
    """Return what each planned run of a study.json is to be made from, by the data and weights that are there now."""
    stores: dict[str, str | None] = {}
    weights: dict[str, str | None] = {}

    def known(cache: dict[str, str | None], name: str | None, file: Path) -> str | None:
        if name is None:
            return None
        if name not in cache:
            content = _json_or_empty(root / file)
            found = None if seal_is_broken(content) else content.get("sha256")
            cache[name] = found if isinstance(found, str) else None
        return cache[name]

    made = []
    for each in planned:
        settings = RecordedSettings.model_validate(each["settings"])
        source = each.get("weights")
        made.append(
            MadeFrom(
                settings,
                known(stores, settings.dataset, paths.dataset_folder(settings.dataset) / "dataset.json"),
                known(weights, source, paths.weights_record(str(source))),
                each.get("normalization"),
            )
        )
    return made


def _metrics_of(run_dir: Path, record: RunRecord) -> list[dict[str, float]]:
    """Return the epochs of a finished run; DamagedError where they are not those that its record speaks of."""
    if not record.complete and not record.files and not (run_dir / METRICS).exists():
        return []
    metrics = read_metrics(run_dir / METRICS)
    if not record.complete:
        return metrics
    expected = record.early_stopping.epoch if record.early_stopping else record.settings.epochs
    if len(metrics) != expected:
        raise DamagedError(f"{METRICS} has {len(metrics)} of {expected} epochs")
    if TRAIN_EVAL[1] not in metrics[-1]:
        raise DamagedError(f"{METRICS} lacks {TRAIN_EVAL[1]} of the last epoch")
    for epoch in metrics:
        accuracy, images = epoch["test_accuracy"], record.test_images
        if abs(accuracy * images - round(accuracy * images)) > 1e-3:
            where = f"{METRICS}, line {epoch['epoch'] + 1:g}"
            raise DamagedError(
                f"{where}: test_accuracy {accuracy:g} is no whole number of {images:,} test images"
            )
    return metrics


def _check_files(run_dir: Path, record: RunRecord) -> None:
    """Raise DamagedError where a file of a finished run is not as it was written."""
    for name, sha256 in record.files.items():
        try:
            found = sha256_file(run_dir / name)
        except FileNotFoundError:
            raise DamagedError(f"{name} is missing") from None
        except OSError as error:
            raise DamagedError(f"{name} cannot be read ({error.strerror or error})") from None
        if found != sha256:
            raise DamagedError(f"{name} was altered since it was written (its SHA-256 is another)")
    if not record.files and record.complete:
        _check_predictions(run_dir, record)


def _check_predictions(run_dir: Path, record: RunRecord) -> None:
    """Raise DamagedError where a run of a version without checksums has other predictions than its last accuracy."""
    import zipfile
    import zlib

    import numpy as np

    try:
        with np.load(run_dir / PREDICTIONS, allow_pickle=False) as arrays:
            correct = float((arrays["labels"] == arrays["predictions"]).mean())
    except FileNotFoundError:
        raise DamagedError(f"{PREDICTIONS} is missing") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise DamagedError(f"{PREDICTIONS} cannot be read") from None
    accuracy = read_metrics(run_dir / METRICS)[-1]["test_accuracy"]
    if abs(correct - accuracy) > 0.5 / max(record.test_images, 1):
        raise DamagedError(
            f"{METRICS}: the last test_accuracy is {accuracy:g}, and {PREDICTIONS} says {correct:g}"
        )


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the rows of a metrics.csv, one mapping per epoch 1, 2, ...; DamagedError where it is not whole.

    A file without the final line end counts as cut: its last number may have lost digits. Accuracies lie in [0, 1],
    losses and times are not negative.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DamagedError(f"{METRICS} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{METRICS} cannot be read ({error})") from None
    if not text:
        raise DamagedError(f"{METRICS} is empty")
    try:
        lines = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise DamagedError(f"{METRICS} cannot be read ({error})") from None
    header = lines[0] if lines else []
    absent = [name for name in (*COUNTED, *MEASURED, *TRAIN_EVAL) if name not in header]
    if absent:
        other = (
            next((sign for sign in (";", "\t", "|") if sign in text.splitlines()[0]), "") if header else ""
        )
        hint = f"; its columns are separated by {other!r}, as a spreadsheet saves them" if other else ""
        raise DamagedError(f"{METRICS}, line 1: no column {absent[0]}{hint}")
    rows = [_metrics_row(header, line, number) for number, line in enumerate(lines[1:], start=1)]
    if not text.endswith("\n"):
        raise DamagedError(f"{METRICS} is cut in its last line, after {max(len(rows) - 1, 0)} whole epochs")
    return rows


def _metrics_row(header: Sequence[str], line: Sequence[str], epoch: int) -> dict[str, float]:
    """Return the numbers of one line; DamagedError where one is absent, not finite or out of its range."""
    where = f"{METRICS}, line {epoch + 1}"
    if list(line) == list(header):
        raise DamagedError(f"{where}: the header once more")
    if len(line) != len(header):
        raise DamagedError(f"{where}: cut, after {epoch - 1} whole epochs")
    row: dict[str, float] = {}
    for name, value in zip(header, line, strict=True):
        if not value and name in TRAIN_EVAL:
            continue
        try:
            row[name] = float(value)
        except ValueError:
            raise DamagedError(f"{where}: {name} {value[:20]!r} is no number") from None
        if not math.isfinite(row[name]):
            raise DamagedError(f"{where}: {name} {value} is not finite")
        if row[name] < 0 or (name.endswith("_accuracy") and row[name] > 1):
            limits = "in [0, 1]" if name.endswith("_accuracy") else "0 or more"
            raise DamagedError(f"{where}: {name} {value} is not {limits}")
    if row["epoch"] != epoch:
        raise DamagedError(f"{where}: epoch {row['epoch']:g} where epoch {epoch} belongs")
    return row


def read_status(run_dir: Path) -> dict[str, Any]:
    """Return what a run's status.json says, each value of its type; {} where it is absent or damaged."""
    try:
        return JobStatus.model_validate(_json_or_empty(run_dir / "status.json")).model_dump(
            exclude_unset=True
        )
    except ValidationError:
        return {}


def _json_or_empty(path: Path) -> dict[str, Any]:
    """Return the mapping that a JSON file holds; {} where it is absent, cut or something else."""
    try:
        value = read_json(path)
    except (OSError, DamagedFileError):
        return {}
    return value if isinstance(value, dict) else {}


def _divergence(record: RunRecord) -> str:
    """Return where the loss grew without bound."""
    if record.diverged is None:
        return "the loss grew without bound"
    return f"the loss grew without bound in epoch {record.diverged.epoch}, step {record.diverged.step:,}"


def _unfinished(run_dir: Path, status: dict[str, Any]) -> RunResult:
    """Return the state of a run without run.json."""
    run, state = run_dir.name, status.get("state")
    progress = f"epoch {status.get('epoch', 0)} of {status.get('epochs', '?')}"
    if state == "failed":
        reason = str(status.get("reason") or status.get("kind") or "the job left no reason")
        return RunResult(run, "failed", " ".join(reason.split()), status=status)
    if state == "running":
        if not is_locked(paths.lock_file(run_dir)):
            return RunResult(
                run, "failed", f"the job ended without a word at {progress} (killed?)", status=status
            )
        return RunResult(run, "running", f"not finished: at {progress}", status=status)
    if any((run_dir / name).exists() for name in paths.RUN_FILES):
        reason = f"{RECORD} is missing beside the run's other files"
        return RunResult(run, "failed", reason, status=status, damaged=True)
    reason = "its files are not there any more" if state in DONE else "not run yet"
    return RunResult(run, "missing", reason, status=status)
