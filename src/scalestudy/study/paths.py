"""Every path of the layout, relative to the project's root, in one place."""

import os
from pathlib import Path

WORKFLOW = Path(__file__).parents[3]
"""The folder of the workflow itself, where a project of one's own has its studies elsewhere: Snakefile, profiles."""

DATA = Path("data")
WEIGHTS = Path("weights")
RESULTS = Path("results")
REPORTS = Path("report")

RUN_FILES = ("metrics.csv", "run.json", "predictions.npz")


def dataset_folder(dataset: str) -> Path:
    """Return the folder of a prepared dataset."""
    return DATA / dataset


def weights_file(weights: str) -> Path:
    """Return the file of initial weights."""
    return WEIGHTS / weights / "weights.pth"


def weights_record(weights: str) -> Path:
    """Return the small JSON file that says where initial weights came from, and their SHA-256."""
    return WEIGHTS / weights / "weights.json"


def study_folder(study: str) -> Path:
    """Return the folder of a study's results."""
    return RESULTS / study


def run_folder(study: str, run: str) -> Path:
    """Return the folder of one run's results."""
    return RESULTS / study / "runs" / run


def run_log(study: str, run: str) -> Path:
    """Return the log file of one run's training job."""
    return RESULTS / study / "logs" / "train" / f"{run}.log"


def checkpoint_file(run_folder: Path) -> Path:
    """Return the resume checkpoint of the run in `run_folder`: never a declared output, which Snakemake removes.

    It lies beside the runs of a study, beside the weights of a project, and within any other folder: what lies around
    that is somebody else's.
    """
    ours = {"runs": run_folder.parent.parent, "weights": run_folder.parent}
    above = ours.get(run_folder.parent.name, run_folder)
    return above / "checkpoints" / f"{run_folder.name}.pt"


def lock_file(run_folder: Path) -> Path:
    """Return the lock that the process holds which trains the run in `run_folder`."""
    return checkpoint_file(run_folder).with_suffix(".lock")


def events_folder(run_folder: Path) -> Path:
    """Return the folder of a run's event files for TensorBoard: all runs of a study are below one folder."""
    return checkpoint_file(run_folder).parent.with_name("tensorboard") / run_folder.name


def finished_folder(run_folder: Path) -> Path:
    """Return where a finished run's files are kept until they are collected (see `training.handover`)."""
    return checkpoint_file(run_folder).with_suffix(".finished")


def project_of(study_folder: Path) -> Path:
    """Return the project that `results/<study>` belongs to; `results` may be a link to another disk."""
    return study_folder.absolute().parent.parent


def report_folder(study: str) -> Path:
    """Return the folder of a study's rendered report."""
    return REPORTS / study


def torch_cache() -> Path:
    """Return the folder in which torch keeps downloaded weights, as `torch.hub` does: without importing torch."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def partial_folder(report_folder: Path) -> Path:
    """Return where the report of a study with runs missing goes: never where the finished one belongs."""
    return report_folder / "partial"
