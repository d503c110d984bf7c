"""The disk space that a study will take, and what is free: known before anything is written. Torch-free."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalestudy.study import paths
from scalestudy.study.models import model_of
from scalestudy.study.registries import OPTIMIZERS
from scalestudy.study.runs import Run

_BYTES_OF_A_RUN = 100_000  # metrics, run.json, log, and the predictions of a small test set
_BYTES_OF_A_REPORT = 15_000_000  # pages with their pictures inside, figures, tables
_CLASSES = 10  # where they are not known: saved probabilities have two bytes for each class


@dataclass(frozen=True)
class Room:
    """What will be written to one disk, in bytes, by the folder that holds it; and what is free there."""

    needed: dict[str, int]
    free: int

    @property
    def total(self) -> int:
        """All that will be written there, in bytes."""
        return sum(self.needed.values())


def rooms(
    runs: Sequence[Run],
    study: str,
    sizes: Mapping[str, tuple[int, int] | None],
    at_once: int,
    save_weights: bool,
) -> list[Room]:
    """Return what is still to be written, disk by disk; what is there already counts nothing.

    `runs` are all training runs, upstream stages too; `sizes` has the training and test images of each dataset, None
    where they are not known (then that dataset counts nothing); `at_once` runs keep a checkpoint at a time.
    """
    needed = {
        paths.DATA: _data(runs, sizes),
        paths.WEIGHTS: _weights(runs),
        paths.RESULTS: _results(runs, study, sizes, at_once, save_weights),
        paths.REPORTS: _BYTES_OF_A_REPORT,
    }
    disks: dict[int, Room] = {}
    for folder, bytes_needed in needed.items():
        above = _existing(folder)
        room = disks.setdefault(above.stat().st_dev, Room({}, shutil.disk_usage(above).free))
        if bytes_needed:
            room.needed[str(folder)] = bytes_needed
    return [room for room in disks.values() if room.needed]


def size_text(size: float) -> str:
    """Return a number of bytes as a person reads it: `310 MB`, `1.4 GB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def _data(runs: Sequence[Run], sizes: Mapping[str, tuple[int, int] | None]) -> int:
    total = 0
    datasets = {run.dataset: (run.dataset_settings, run.settings.image_size) for run in runs}
    for name, (settings, image_size) in datasets.items():
        if not (paths.dataset_folder(name) / "dataset.json").is_file():
            total += sum(sizes.get(name) or ()) * (image_size**2 * 3 + 8) + settings.extra_bytes()
    return total


def _weights(runs: Sequence[Run]) -> int:
    models = {run.weights.name: run.settings.model for run in runs if run.weights}
    return sum(
        _model_bytes(model) for name, model in models.items() if not paths.weights_file(name).is_file()
    )


def _results(
    runs: Sequence[Run],
    study: str,
    sizes: Mapping[str, tuple[int, int] | None],
    at_once: int,
    save_weights: bool,
) -> int:
    total, checkpoints = 0, []
    for run in runs:
        folders = (paths.run_folder(study, run.name), paths.weights_record(run.name).parent)
        if any((folder / "run.json").is_file() for folder in folders):
            continue
        test = (sizes.get(run.dataset) or (0, 0))[1]
        total += _BYTES_OF_A_RUN + test * (2 * _CLASSES + 2)
        total += _model_bytes(run.settings.model) if save_weights else 0
        copies = OPTIMIZERS[run.settings.optimizer].copies - 1  # all but the gradients
        kept = copies + (run.settings.averaging != "none") + (run.settings.early_stopping > 0)
        checkpoints.append(_model_bytes(run.settings.model) * kept)
    # Twice: a checkpoint is written whole before it replaces the one before it.
    return total + 2 * sum(sorted(checkpoints, reverse=True)[:at_once])


def _model_bytes(model: str) -> int:
    return model_of(model).parameters * 4


def _existing(folder: Path) -> Path:
    """Return `folder`, or the nearest folder above it that is there."""
    folder = Path(os.path.realpath(folder))
    return next(each for each in (folder, *folder.parents) if each.is_dir())
