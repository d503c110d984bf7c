"""Locks that this process holds in the place of one that trains a run, or of a Snakemake that works on a study."""

from pathlib import Path

from filelock import FileLock

_HELD: dict[Path, FileLock] = {}


def hold(path: Path) -> None:
    """Hold a lock until it is let go, or the tests end."""
    let_go(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _HELD[path.absolute()] = lock = FileLock(path)
    lock.acquire(timeout=0)


def let_go(path: Path) -> None:
    """Let a lock go, if it is held: what is left is what a process leaves that was killed."""
    if (lock := _HELD.pop(path.absolute(), None)) is not None:
        lock.release()
