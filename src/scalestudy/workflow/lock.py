"""One workflow at a time on a study, by a lock that ends with its process: nothing stale stays after a crash."""

import atexit
import os
import socket

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
