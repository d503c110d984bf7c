"""A study's folder as figures and sections read it. No matplotlib; numpy only where images are asked for."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalestudy.files import read_object
from scalestudy.report.inputs import MissingDataError
from scalestudy.report.names import Names
from scalestudy.report.palette import Looks
from scalestudy.results.collect import start_command
from scalestudy.study.paths import project_of
from scalestudy.topics.findings import Findings, read_findings

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Inputs", "MissingDataError"]


class Inputs:
    """A study's folder (`results/<study>`): its findings, study.json and dataset store, each when asked for."""

    def __init__(self, study_dir: Path) -> None:
        self.study_dir = study_dir

    @cached_property
    def findings(self) -> Findings:
        """The study's findings; UserError where the file is not whole."""
        return read_findings(self.study_dir / "findings.json")

    @cached_property
    def names(self) -> Names:
        """What the study's things are called."""
        return Names(self.findings.grid.titles)

    @cached_property
    def looks(self) -> Looks:
        """The looks of the study's models and initial weights."""
        return Looks(list(self.findings.grid.models), list(self.findings.grid.inits))

    @cached_property
    def study(self) -> dict[str, Any]:
        """The content of study.json."""
        needed = {"study": str, "runs": list, "dataset": dict}
        again = f"the next start makes it again, and `scalestudy report {self.study_dir.resolve().name}` does"
        return read_object(self.study_dir / "study.json", again, needed)

    @cached_property
    def store(self) -> Path:
        """The folder of the dataset store; it need not exist."""
        return project_of(self.study_dir) / str(self.study["dataset"]["path"])

    def untrained(self, what: str) -> MissingDataError:
        """Return the error that says what is missing, a sentence, and which command trains it."""
        return MissingDataError(
            f"{what.removesuffix('.')}; `{start_command(self.study)}` trains what is missing."
        )

    def images(self, split: str) -> "np.ndarray":
        """Return the store's images (uint8 [N, H, W, 3], memory-mapped); MissingDataError without the store."""
        return self._stored(f"{split}_images.npy")

    def labels(self, split: str) -> "np.ndarray":
        """Return the store's labels (int64 [N]); MissingDataError without the store."""
        return self._stored(f"{split}_labels.npy")

    def _stored(self, name: str) -> "np.ndarray":
        import numpy as np

        path = self.store / name
        if not path.is_file():
            options = start_command(self.study).partition(" --config ")[2]
            raise MissingDataError(
                f"The dataset store {self.store} is not there; `snakemake data --config {options}` prepares it again."
            )
        array: np.ndarray = np.load(path, mmap_mode="r")
        return array
