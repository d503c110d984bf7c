"""One process a run, and nothing trained twice: a run's lock, and its finished files kept until they are collected.

When Snakemake is killed, its training jobs may live on, and Snakemake deletes the outputs of jobs that it did not see
end. So a run is locked by the process that trains it, and its finished files stay, as hard links that take no room,
beside the checkpoints until `scalestudy collect` has seen every run; a second start takes them up from there.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from scalestudy.files import read_json
from scalestudy.study.paths import RUN_FILES, checkpoint_file, finished_folder
from scalestudy.training.checkpoint import Fingerprint


@contextmanager
def run_lock(run_folder: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the run in `run_folder` while the block runs; wait for another process that trains it. Ends with its process."""
    path = checkpoint_file(run_folder).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait(f"{run_folder.name} is being trained by another process; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def keep_finished(run_folder: Path) -> None:
    """Link the run's finished files beside the checkpoints, and remove its checkpoint."""
    kept = finished_folder(run_folder)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for name in (*RUN_FILES, "weights.pth"):
        if (run_folder / name).exists():
            _link(run_folder / name, kept / name)
    checkpoint_file(run_folder).unlink(missing_ok=True)


def take_finished(run_folder: Path, fingerprint: Fingerprint) -> str | None:
    """Put a finished run's files back in their place and return its status; None where it has not finished before."""
    kept = finished_folder(run_folder)
    try:
        record = read_json(kept / "run.json")
        if record["fingerprint"] != fingerprint:
            return None
        for file in kept.iterdir():
            (run_folder / file.name).unlink(missing_ok=True)
            _link(file, run_folder / file.name)
    except (OSError, ValueError, KeyError):
        return None
    return str(record["status"])


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
