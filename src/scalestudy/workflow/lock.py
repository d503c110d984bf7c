"""One workflow at a time on a study, by a lock that ends with its process: nothing stale stays after a crash."""

import os
import socket

from filelock import FileLock, Timeout

from scalestudy.errors import UserError
from scalestudy.study.paths import study_folder

_held: list[FileLock] = []  # a lock that nothing refers to is released at once


def lock_study(study: str) -> None:
    """Hold a study as long as this process lives; UserError, naming the holder, where another one works on it."""
    folder = study_folder(study)
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / ".lock-holder"
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        raise UserError(
            f"another Snakemake works on study {study} ({who}); wait for it, or stop it. `scalestudy status {study}` "
            "shows how far it is"
        ) from None
    holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    _held.append(lock)
