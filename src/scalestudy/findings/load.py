"""What the analysis reads of a collected study: tables, study.json, dataset.json, run.json and predictions."""

import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalestudy.errors import UserError
from scalestudy.files import read_object
from scalestudy.findings.model import Scalar
from scalestudy.results.read import State
from scalestudy.results.record import COUNTED, MEASURED, RECORD, DamagedError, RunRecord, read_record
from scalestudy.study.paths import project_of
from scalestudy.study.settings import RunSettings

TEXT = (
    *("device", "device_name", "precision", "hostname", "started", "ended"),
    *("dataset_sha256", "weights_sha256"),
)
_DESCRIBED = ("run", "state", "reason", "experiments", "log")
Curve = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Run:
    """One planned run: its settings (from study.json), state and numbers (from results.csv).

    `values` holds the numeric columns that are not empty, `text` the others of `TEXT`.
    """

    name: str
    state: State
    reason: str
    settings: Mapping[str, Scalar]
    experiments: tuple[str, ...]
    log: str
    values: Mapping[str, float]
    text: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether the run's numbers count."""
        return self.state == "complete"

    @property
    def seeds(self) -> tuple[int, int]:
        """The seed and the seed of the subset."""
        return int(str(self.settings["seed"])), int(str(self.settings["subset_seed"]))


@dataclass(frozen=True)
class Predictions:
    """A run's predictions on the M test images after its last epoch.

    labels and predictions int64[M], probabilities float32[M, C].
    """

    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which predictions are right, bool[M]."""
        right: NDArray[np.bool_] = self.labels == self.predictions
        return right

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of the predicted class, float32[M]."""
        return self.probabilities[np.arange(len(self.labels)), self.predictions]

    @cached_property
    def labels_sha256(self) -> str:
        """What two runs share that were tested on the same images in the same order."""
        return sha256(self.labels.tobytes()).hexdigest()


@dataclass(frozen=True)
class Collected:
    """A collected study's files: study.json, its runs in the order of the plan, their curves, dataset.json.

    A curve holds one float64[epochs] per column of curves.csv, NaN where a cell is empty.
    """

    folder: Path
    study: Mapping[str, Any]
    runs: tuple[Run, ...]
    curves: Mapping[str, Curve]
    dataset: Mapping[str, Any]

    @property
    def root(self) -> Path:
        """The project's root, to which the paths in study.json are relative."""
        return project_of(self.folder)

    def predictions(self, run: Run) -> Predictions | None:
        """Return a run's predictions; None where the file is absent, damaged, or contradicts results.csv.

        Predictions that do not give the test accuracy of results.csv are of another training: not used.
        """
        saved = _predictions(self.folder / "runs" / run.name / "predictions.npz")
        if saved is None or "test_accuracy" not in run.values:
            return None
        difference = abs(float(saved.correct.mean()) - run.values["test_accuracy"])
        return saved if difference <= 0.5 / len(saved.labels) else None

    def record(self, run: str) -> RunRecord | None:
        """Return what a run left behind; None where that is absent or damaged."""
        return record_in(self.folder / "runs" / run)


def record_in(folder: Path) -> RunRecord | None:
    """Return the record in a run's or an upstream stage's folder; None where it is absent or damaged."""
    try:
        return read_record(folder / RECORD)
    except DamagedError:
        return None


def load(folder: Path) -> Collected:
    """Return the collected study in `folder` (`results/<study>`). Raises UserError where collect has not run."""
    for name, command in (("study.json", "report"), ("results.csv", "collect")):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder / name} is not there; `scalestudy {command} {folder.resolve().name}` makes it"
            )
    again = f"the next start makes it again, and `scalestudy report {folder.resolve().name}` does"
    study = read_object(folder / "study.json", again, {"study": str, "runs": list, "dataset": dict})
    if not all(isinstance(run, dict) and run.get("run") and run.get("settings") for run in study["runs"]):
        raise UserError(f"{folder / 'study.json'} is damaged: runs; {again}")
    root = project_of(folder)
    store = root / str(study["dataset"].get("path", "")) / "dataset.json"
    return Collected(
        folder=folder,
        study=study,
        runs=_runs(folder / "results.csv", study),
        curves=_curves(folder / "curves.csv"),
        dataset=read_object(store, "the next start prepares the data again") if store.is_file() else {},
    )


def _again(path: Path) -> str:
    return f"`scalestudy collect {path.resolve().parent.name}` makes it again"


def _table(path: Path, columns: Collection[str]) -> pd.DataFrame:
    """Return a CSV with every cell as text; UserError names a file that is no table or lacks one of `columns`."""
    try:
        # Without pandas' list of texts that mean "missing": weights may be called `None`.
        table = pd.DataFrame(pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False))
    except (ValueError, OSError) as error:
        raise UserError(
            f"{path}: not a whole table ({' '.join(str(error).split())}); {_again(path)}"
        ) from error
    for column in columns:
        if column not in table:
            raise UserError(f"{path}: no column {column}; {_again(path)}")
    return table


def _runs(path: Path, study: Mapping[str, Any]) -> tuple[Run, ...]:
    """Return the runs in the order of the plan; UserError where the table is not of this plan."""
    # An older study.json lacks later settings: their defaults are what was done before there were any.
    defaults = RunSettings().model_dump(mode="json")
    settings = {planned["run"]: {**defaults, **planned["settings"]} for planned in study["runs"]}
    table = _table(path, _DESCRIBED)
    if list(table["run"]) != list(settings) or table.empty:
        raise UserError(f"{path} has other runs than study.json; {_again(path)}")
    for state in table["state"]:
        if state not in get_args(State):
            raise UserError(f"{path}: {state!r} is no state of a run; {_again(path)}")
    skipped = {*_DESCRIBED, *TEXT, *(key for own in settings.values() for key in own)}
    numbers = _numbers(table[[name for name in table if name not in skipped]], path)
    return tuple(
        Run(
            name=row["run"],
            state=row["state"],
            reason=row["reason"],
            settings=settings[row["run"]],
            experiments=tuple(row["experiments"].split(";")),
            log=row["log"],
            values={str(key): float(value) for key, value in own.dropna().items()},
            text={key: row[key] for key in TEXT if row.get(key)},
        )
        for row, (_, own) in zip(table.to_dict("records"), numbers.iterrows(), strict=True)
    )


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return columns of text as numbers, empty cells as NaN; UserError names the first that is no number."""
    found = pd.DataFrame({name: pd.to_numeric(table[name], errors="coerce") for name in table})
    wrong = found.isna() & (table != "")
    if wrong.to_numpy().any():
        line, column = (int(place[0]) for place in np.nonzero(wrong.to_numpy()))
        raise UserError(
            f"{path}, line {line + 2}: {table.columns[column]} {table.iloc[line, column]!r} is no number; "
            f"{_again(path)}"
        )
    return found


def _curves(path: Path) -> dict[str, Curve]:
    """Return each run's epochs, column by column."""
    if not path.is_file():
        return {}
    table = _table(path, ("run", *COUNTED, *MEASURED))
    numbers = _numbers(table.drop(columns="run"), path)
    return {
        str(run): {str(name): own[name].to_numpy(dtype=np.float64) for name in own}
        for run, own in numbers.groupby(table["run"], sort=False)
    }


def _predictions(path: Path) -> Predictions | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels = arrays["labels"].astype(np.int64)
            predictions = arrays["predictions"].astype(np.int64)
            probabilities = arrays["probabilities"].astype(np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if not len(labels) or not len(labels) == len(predictions) == len(probabilities):
        return None
    named = np.concatenate([labels, predictions])
    if named.min() < 0 or named.max() >= probabilities.shape[-1] or not np.isfinite(probabilities).all():
        return None
    return Predictions(labels, predictions, probabilities)
