"""A study's folder as the report reads it. No matplotlib; numpy only where images are asked for."""

import csv
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalestudy.files import read_object
from scalestudy.report import wording
from scalestudy.report.palette import Looks

if TYPE_CHECKING:
    import numpy as np

Json = dict[str, Any]
_AGAIN = "the next start makes it again, and `scalestudy report` does"


class MissingDataError(Exception):
    """A figure's data are not there; the message says what is missing and how to get it."""


class Inputs:
    """A study's folder as figures read it: findings.json, study.json and the dataset store, each when asked for."""

    def __init__(self, study_dir: Path) -> None:
        self.study_dir = study_dir

    @cached_property
    def findings(self) -> Json:
        """The study's findings."""
        return read_object(self.study_dir / "findings.json", _AGAIN, {"state": dict})

    @cached_property
    def study(self) -> Json:
        """The resolved study."""
        return read_object(
            self.study_dir / "study.json", _AGAIN, {"study": str, "runs": list, "dataset": dict}
        )

    @cached_property
    def results(self) -> list[dict[str, str]]:
        """results.csv: one row per run, every value as text."""
        return read_csv(self.study_dir / "results.csv")

    @cached_property
    def store(self) -> Path:
        """The folder of the dataset store; it need not exist."""
        return self.study_dir.resolve().parent.parent / str(self.study["dataset"]["path"])

    @cached_property
    def looks(self) -> Looks:
        """The looks of the study's models and initial weights."""
        axes = self.findings["axes"]
        return Looks(axes["model"], axes["init"])

    def images(self, split: str) -> "np.ndarray":
        """Return the store's images (uint8 [N, H, W, 3], memory-mapped); MissingDataError without the store."""
        path = self.store / f"{split}_images.npy"
        if not path.is_file():
            raise MissingDataError(
                f"The dataset store {self.store} is not there; `snakemake` prepares it again."
            )
        return _load(path)

    def labels(self, split: str) -> "np.ndarray":
        """Return the store's labels (int64 [N])."""
        path = self.store / f"{split}_labels.npy"
        if not path.is_file():
            raise MissingDataError(
                f"The dataset store {self.store} is not there; `snakemake` prepares it again."
            )
        return _load(path)

    def section(self, name: str) -> Json:
        """Return a section of the findings; MissingDataError where it says that its data are missing."""
        section: Json = self.findings[name]
        if section.get("missing"):
            raise MissingDataError(section["missing"])
        return section

    def cell(self, name: str) -> Json:
        """Return a cell by its id."""
        cell: Json = self.findings["cells"][name]
        return cell

    def model(self, name: str) -> str:
        """Return the model's title."""
        return str(self.findings["labels"]["model"].get(name, name))

    def init(self, name: str) -> str:
        """Return the title of initial weights, or the name where the title is too long for a figure."""
        title = str(self.findings["labels"]["init"].get(name, name))
        return wording.short_label(title.removeprefix("pretrained on "), name)

    def classes(self) -> list[str]:
        """Return the class names."""
        return [str(name) for name in self.findings["setup"]["dataset"]["classes"] or []]


def _load(path: Path) -> "np.ndarray":
    import numpy as np

    array: np.ndarray = np.load(path, mmap_mode="r")
    return array


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as dicts of text; none where the file is not there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
