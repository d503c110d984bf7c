"""What the analysis reads: the collected tables, study.json, dataset.json, run.json and predictions."""

import csv
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalestudy.analysis.calibration import expected_calibration_error
from scalestudy.errors import UserError
from scalestudy.files import read_json, read_object

TEXT_COLUMNS = (
    *("device", "device_name", "precision", "hostname", "started", "ended"),
    *("dataset_sha256", "weights_sha256"),
)
Curve = dict[str, list[float]]


@dataclass(frozen=True)
class Run:
    """One planned run: its settings (from study.json), state and numbers (from results.csv).

    `values` holds the numeric columns that are not empty, `text` the others of `TEXT_COLUMNS`.
    """

    name: str
    state: str
    reason: str
    settings: Mapping[str, Any]
    experiments: tuple[str, ...]
    log: str
    values: Mapping[str, float]
    text: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether the run's numbers count."""
        return self.state == "complete"

    @property
    def replicate(self) -> tuple[int, int]:
        """What pairs runs of two cells: the seed and the seed of the subset."""
        return int(self.settings["seed"]), int(self.settings["subset_seed"])


@dataclass(frozen=True)
class Predictions:
    """A run's predictions on the M test images after its last epoch.

    labels and predictions int64[M], probabilities float32[M, C].
    """

    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What is kept of a run's predictions: which were right (bool[M]), on which labels, how confident."""

    correct: NDArray[np.bool_]
    labels_sha256: str
    ece: float
    mean_confidence: float


@dataclass
class StudyData:
    """All that `analyse` knows of a study."""

    folder: Path
    study: Mapping[str, Any]
    runs: list[Run]
    curves: Mapping[str, Curve]
    dataset: Mapping[str, Any]
    _outcomes: dict[str, Outcome | None] = field(default_factory=dict)

    def predictions(self, run: str) -> Predictions | None:
        """Return a run's saved predictions; None where the file is absent, empty or damaged."""
        path = self.folder / "runs" / run / "predictions.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                labels = arrays["labels"].astype(np.int64)
                predictions = arrays["predictions"].astype(np.int64)
                probabilities = arrays["probabilities"].astype(np.float32)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        if not len(labels) or not len(labels) == len(predictions) == len(probabilities):
            return None
        classes = probabilities.shape[-1]
        named = np.concatenate([labels, predictions])
        if named.min() < 0 or named.max() >= classes or not np.isfinite(probabilities).all():
            return None
        return Predictions(labels, predictions, probabilities)

    def outcome(self, run: Run) -> Outcome | None:
        """Return which test images a run got right; None where its predictions are absent or contradict it.

        Predictions that do not give the test accuracy of results.csv are of another training: not used.
        """
        if run.name not in self._outcomes:
            self._outcomes[run.name] = self._outcome(run)
        return self._outcomes[run.name]

    def _outcome(self, run: Run) -> Outcome | None:
        saved = self.predictions(run.name)
        if saved is None:
            return None
        correct = saved.labels == saved.predictions
        if abs(float(correct.mean()) - run.values["test_accuracy"]) > 0.5 / len(correct):
            return None
        confidence = saved.probabilities[np.arange(len(correct)), saved.predictions]
        return Outcome(
            correct=correct,
            labels_sha256=sha256(saved.labels.tobytes()).hexdigest(),
            ece=expected_calibration_error(confidence, correct),
            mean_confidence=float(confidence.mean(dtype=np.float64)),
        )

    def info(self, run: str) -> dict[str, Any]:
        """Return the run.json of a run."""
        loaded = read_json(self.folder / "runs" / run / "run.json")
        return loaded if isinstance(loaded, dict) else {}


def load_study(folder: Path) -> StudyData:
    """Return the data of the collected study in `folder` (`results/<study>`).

    Raises UserError where collect has not run.
    """
    if not (folder / "study.json").is_file() or not (folder / "results.csv").is_file():
        raise UserError(
            f"{folder}: no study.json and results.csv; run `scalestudy collect` for this study first"
        )
    again = f"the next start makes it again, and `scalestudy report {folder.name}` does"
    study = read_object(folder / "study.json", again, {"study": str, "runs": list, "dataset": dict})
    runs = _runs(folder / "results.csv", study)
    root = folder.resolve().parent.parent
    store = root / str(study["dataset"].get("path", "")) / "dataset.json"
    return StudyData(
        folder=folder,
        study=study,
        runs=runs,
        curves=_curves(folder / "curves.csv"),
        dataset=read_object(store, "the next start prepares the data again") if store.is_file() else {},
    )


def _runs(path: Path, study: Mapping[str, Any]) -> list[Run]:
    """Return the runs in the order of the plan; UserError where the table is not of this plan."""
    settings = {planned["run"]: planned["settings"] for planned in study["runs"]}
    runs = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
        if [row.get("run") for row in rows] != list(settings) or not rows:
            raise UserError(
                f"{path}: not the runs of study.json; run `scalestudy collect {study['study']}` again"
            )
        for row in rows:
            own = settings[row["run"]]
            runs.append(
                Run(
                    name=row["run"],
                    state=row["state"],
                    reason=row["reason"],
                    settings=own,
                    experiments=tuple(row["experiments"].split(";")),
                    log=row["log"],
                    values=_numbers(row, own),
                    text={key: row[key] for key in TEXT_COLUMNS if row[key]},
                )
            )
    return runs


def _numbers(row: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric results of a row: the columns that are neither settings nor text nor empty."""
    skipped = {"run", "state", "reason", "experiments", "log", *TEXT_COLUMNS, *settings}
    return {key: float(value) for key, value in row.items() if key not in skipped and value}


def _curves(path: Path) -> dict[str, Curve]:
    """Return each run's epochs, column by column."""
    curves: dict[str, Curve] = {}
    if not path.is_file():
        return curves
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        columns = next(reader, ["run"])[1:]
        for run, *cells in reader:
            curve = curves.setdefault(run, {column: [] for column in columns})
            for column, cell in zip(columns, cells, strict=True):
                if cell:
                    curve[column].append(float(cell))
    return curves
