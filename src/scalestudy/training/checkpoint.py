"""Resume checkpoints: written atomically, never used for other settings, set aside when broken."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from scalestudy.files import atomic_path

Fingerprint = dict[str, str]


def save_checkpoint(
    path: Path, fingerprint: Fingerprint, state: dict[str, Any], warn: Callable[[str], None]
) -> bool:
    """Write `state` (tensors, numbers, text and containers of them) to `path`, complete or not at all.

    A run can do without a checkpoint: where it cannot be written, warn, and return False.
    """
    try:
        save_tensors(path, {"fingerprint": fingerprint, **state})
    except OSError as error:
        warn(
            f"the checkpoint {path} cannot be written ({error.strerror or error}); the run goes on, and "
            "starts over if it is stopped"
        )
        return False
    return True


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write what `torch.load(weights_only=True)` reads, complete or not at all. OSError where it cannot be."""
    with atomic_path(path) as temporary:
        try:
            with temporary.open("wb") as file:
                torch.save(content, file)
        except RuntimeError as error:  # torch hides a full disk behind a complaint about its archive
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_checkpoint(
    path: Path, fingerprint: Fingerprint, warn: Callable[[str], None]
) -> dict[str, Any] | None:
    """Return the state saved for `fingerprint`, on the CPU, or None where there is none.

    A file that cannot be read, or that belongs to other settings, is renamed to `<name>.unusable` with a warning.
    """
    if not path.exists():
        return None
    try:
        _check_crc(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        saved = state["fingerprint"]
    except Exception as error:  # a broken file makes the unpickler raise almost anything
        _set_aside(
            path, f"cannot be read ({str(error).splitlines()[0][:100] if str(error) else error!r})", warn
        )
        return None
    if saved != fingerprint:
        differs = ", ".join(key for key in fingerprint if saved.get(key) != fingerprint[key])
        _set_aside(path, f"belongs to a run that differs in {differs}", warn)
        return None
    return state


def _check_crc(path: Path) -> None:
    """Raise BadZipFile where a byte of what is in the archive is another: torch itself reads over that."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"{damaged} in it was altered")


def _set_aside(path: Path, reason: str, warn: Callable[[str], None]) -> None:
    aside = path.with_suffix(".unusable")
    path.replace(aside)
    warn(f"checkpoint {path} {reason}; kept as {aside.name}, starting from the first epoch")
