"""Reads the files of one run and says in which state it is. No pandas: `scalestudy status` uses it too."""

import csv
import json
import math
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from scalestudy.results.record import COUNTED, MEASURED, TRAIN_EVAL, DamagedError, RunRecord, read_record

State = Literal["complete", "diverged", "failed", "missing"]


@dataclass(frozen=True)
class RunResult:
    """What the files of one run say.

    `reason` is empty for a complete run and one line for any other. `metrics` holds one mapping per epoch,
    of complete and diverged runs only, so that no number of a damaged file ever reaches a table. `record` is
    run.json, None where it is not there or damaged; `status` is status.json, empty where it is not.
    """

    run: str
    state: State
    reason: str = ""
    metrics: list[dict[str, float]] = field(default_factory=list)
    record: RunRecord | None = None
    status: dict[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> dict[str, float] | None:
        """The measurements of the last epoch, None unless the run is complete."""
        return self.metrics[-1] if self.state == "complete" else None


def read_run(run_dir: Path) -> RunResult:
    """Return what the folder of one run holds; never raises for damaged or missing files.

    complete: run.json says so and metrics.csv has every epoch once, in order, finite. diverged: run.json says
    so. failed: the job left a reason, its process is gone, or a file that it left is damaged. missing: no
    result yet (not started, or still under way).
    """
    run = run_dir.name
    status = _json_or_empty(run_dir / "status.json")
    if not (run_dir / "run.json").is_file():
        state, reason = _unfinished(run_dir, status)
        return RunResult(run, state, reason, status=status)
    record = None
    try:
        record = read_record(run_dir / "run.json")
        if record.run != run:
            raise DamagedError(f"run.json belongs to another run ({record.run})")
        if not record.complete:
            metrics = _whole_epochs(run_dir / "metrics.csv")
            return RunResult(run, "diverged", _divergence(record), metrics, record, status)
        metrics = read_metrics(run_dir / "metrics.csv")
        expected = record.early_stopping.epoch if record.early_stopping else record.settings.epochs
        if len(metrics) != expected:
            raise DamagedError(f"metrics.csv has {len(metrics)} of {expected} epochs")
        if TRAIN_EVAL[1] not in metrics[-1]:
            raise DamagedError(f"metrics.csv lacks {TRAIN_EVAL[1]} of the last epoch")
    except DamagedError as error:
        return RunResult(run, "failed", f"{error}; train this run again", record=record, status=status)
    return RunResult(run, "complete", "", metrics, record, status)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Return the rows of a metrics.csv, one mapping per epoch 1, 2, ...; DamagedError where it is not whole.

    A file without the final line end counts as cut: its last number may have lost digits.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DamagedError("metrics.csv is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"metrics.csv cannot be read ({error})") from None
    if not text:
        raise DamagedError("metrics.csv is empty")
    lines = list(csv.reader(text.splitlines()))
    header = lines[0]
    absent = [name for name in (*COUNTED, *MEASURED, *TRAIN_EVAL) if name not in header]
    if absent:
        raise DamagedError(f"metrics.csv lacks the column {absent[0]}")
    rows = [_metrics_row(header, line, number) for number, line in enumerate(lines[1:], start=1)]
    if not text.endswith("\n"):
        raise DamagedError(f"metrics.csv is cut in its last line, after {max(len(rows) - 1, 0)} whole epochs")
    return rows


def _whole_epochs(path: Path) -> list[dict[str, float]]:
    """Return the epochs before a divergence; none where the file is absent or not whole."""
    try:
        return read_metrics(path)
    except DamagedError:
        return []


def _metrics_row(header: Sequence[str], line: Sequence[str], epoch: int) -> dict[str, float]:
    """Return the numbers of one line; DamagedError where one is absent or not finite."""
    if len(line) != len(header):
        raise DamagedError(f"metrics.csv is cut in line {epoch + 1}, after {epoch - 1} whole epochs")
    try:
        cells = zip(header, line, strict=True)
        row = {name: float(value) for name, value in cells if value or name not in TRAIN_EVAL}
    except ValueError:
        raise DamagedError(f"metrics.csv has no number in line {epoch + 1}") from None
    if not all(map(math.isfinite, row.values())):
        raise DamagedError(f"metrics.csv has a number that is not finite in line {epoch + 1}")
    if row["epoch"] != epoch:
        raise DamagedError(f"metrics.csv has epoch {row['epoch']:g} where epoch {epoch} belongs")
    return row


def _json_or_empty(path: Path) -> dict[str, Any]:
    """Return the mapping that a JSON file holds; {} where it is absent, cut or something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _divergence(record: RunRecord) -> str:
    """Return where the loss grew without bound."""
    if record.diverged is None:
        return "the loss grew without bound"
    return f"the loss grew without bound in epoch {record.diverged.epoch}, step {record.diverged.step:,}"


def _unfinished(run_dir: Path, status: dict[str, Any]) -> tuple[State, str]:
    """Return state and reason of a run without run.json."""
    progress = f"epoch {status.get('epoch', 0)} of {status.get('epochs', '?')}"
    state = status.get("state")
    if state == "failed":
        reason = str(status.get("reason") or status.get("kind") or "the job left no reason")
        return "failed", " ".join(reason.split())
    if state == "running":
        if process_is_gone(status):
            return "failed", f"the job ended without a word at {progress} (killed?)"
        return "missing", f"not finished: at {progress} when the results were collected"
    if state in ("complete", "diverged") or (run_dir / "metrics.csv").exists():
        return "failed", "run.json is missing beside the run's other files; train this run again"
    return "missing", "not run yet"


def process_is_gone(status: dict[str, Any]) -> bool:
    """Return whether the job ran on this machine and its process no longer exists."""
    pid = status.get("pid")
    if status.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
