"""One workflow at a time on a study, and on a dataset, by locks that end with their process: no crash leaves any."""

import atexit
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from scalestudy.errors import UserError, disk_fault
from scalestudy.files import is_locked
from scalestudy.study.paths import study_folder

_held: list[FileLock] = []  # a lock that nothing refers to is released at once
_SECONDS = 0.5  # longer than anybody takes who only looks whether a study is locked


def is_worked_on(study: str) -> bool:
    """Return whether a Snakemake works on a study."""
    return is_locked(study_folder(study) / ".lock")


def lock_study(study: str) -> None:
    """Hold a study as long as this process lives; UserError, naming the holder, where another one works on it."""
    folder = study_folder(study)
    holder = folder / ".lock-holder"
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_SECONDS)
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        atexit.register(holder.unlink, missing_ok=True)  # while the lock is held still
    except Timeout:
        try:
            who = holder.read_text(encoding="utf-8")
        except OSError:
            who = "unknown"
        raise UserError(
            f"another Snakemake works on study {study} ({who}); wait for it, or stop it. `scalestudy status {study}` "
            "shows how far it is"
        ) from None
    except OSError as error:
        raise UserError(disk_fault(OSError(error.errno, error.strerror, str(folder)))) from None
    _held.append(lock)


def hold_preparation(stores: Iterable[Path]) -> None:
    """Hold each dataset store that is to be prepared, as long as this process lives.

    Where another Snakemake holds one, wait until the store is there: to prepare it once more would take it away from
    the runs that the other trains on it by then.
    """
    for store in sorted(stores):  # in one order everywhere, so that no two wait for each other
        store.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(store.with_name(f".{store.name}.planned.lock"))
        _held.append(lock)
        if _acquired(lock):
            continue
        print(f"another Snakemake prepares {store}: waiting until it is there", file=sys.stderr)
        while not (store / "dataset.json").is_file() and not _acquired(lock):
            pass


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=_SECONDS)
    except Timeout:
        return False
    return True
