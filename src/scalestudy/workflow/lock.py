"""One workflow at a time on a study, by a lock that ends with its process: nothing stale stays after a crash."""

import atexit
import os
import re
import socket

from filelock import FileLock, Timeout

from scalestudy.errors import UserError, disk_fault
from scalestudy.study.paths import study_folder

_held: list[FileLock] = []  # a lock that nothing refers to is released at once


def is_worked_on(study: str) -> bool:
    """Return whether a Snakemake works on a study, as far as it can be seen from this machine."""
    try:
        holder = (study_folder(study) / ".lock-holder").read_text(encoding="utf-8")
    except OSError:
        return False
    found = re.fullmatch(r"process (\d+) on (\S+)", holder)
    if found is None or found.group(2) != socket.gethostname():
        return found is not None
    try:
        os.kill(int(found.group(1)), 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True


def lock_study(study: str) -> None:
    """Hold a study as long as this process lives; UserError, naming the holder, where another one works on it."""
    folder = study_folder(study)
    holder = folder / ".lock-holder"
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
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
