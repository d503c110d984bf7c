"""One process a run, and nothing trained twice: a run's lock, and its finished files kept until they are collected.

When Snakemake is killed, its training jobs may live on, and Snakemake deletes the outputs of jobs that it did not see
end. So a run is locked by the process that trains it, and its finished files stay, as hard links that take no room,
beside the checkpoints until `scalestudy collect` has seen every run; a second start takes them up from there.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from scalestudy.files import remove_unfinished, sha256_file
from scalestudy.results.read import read_metrics
from scalestudy.results.record import DamagedError, RunRecord, read_record
from scalestudy.study.paths import RUN_FILES, checkpoint_file, finished_folder, lock_file
from scalestudy.training.checkpoint import Fingerprint


@contextmanager
def run_lock(run_folder: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the run in `run_folder` while the block runs, or this process lives; wait for one that trains it."""
    path = lock_file(run_folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait(f"{run_folder.name} is being trained by another process; waiting for it")
        lock.acquire()
    try:
        for file in (
            checkpoint_file(run_folder),
            *(run_folder / name for name in (*RUN_FILES, "weights.pth")),
        ):
            remove_unfinished(file)
        yield
    finally:
        lock.release()


def keep_finished(run_folder: Path) -> None:
    """Link the run's finished files beside the checkpoints, and remove its checkpoint."""
    kept = finished_folder(run_folder)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for name in ("weights.pth", *reversed(RUN_FILES)):
        if (run_folder / name).exists():  # killed in between: what is not all there is not taken
            _link(run_folder / name, kept / name)
    checkpoint_file(run_folder).unlink(missing_ok=True)


def take_finished(run_folder: Path, fingerprint: Fingerprint, files: Sequence[str] = RUN_FILES) -> str | None:
    """Put a finished run's files back in their place and return its status.

    Return None, with nothing touched, where it has not finished before, or one of `files` is missing or damaged
    (a link shares what is written to the file in place).
    """
    kept = finished_folder(run_folder)
    try:
        record = read_record(kept / "run.json")
        if record.fingerprint != fingerprint or not _whole(kept, record, files):
            return None
        for file in kept.iterdir():
            (run_folder / file.name).unlink(missing_ok=True)
            _link(file, run_folder / file.name)
    except (DamagedError, OSError):
        return None
    return record.status


def _whole(kept: Path, record: RunRecord, files: Sequence[str]) -> bool:
    """Return whether a finished run's files are there and as they were written."""
    needed = [name for name in files if name != "run.json" and (record.complete or name != "weights.pth")]
    if any(sha256_file(kept / name) != record.files.get(name) for name in needed):
        return False
    try:
        rows = read_metrics(kept / "metrics.csv")
    except DamagedError:
        return False
    return not record.complete or (bool(rows) and rows[-1]["step"] == record.steps)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
