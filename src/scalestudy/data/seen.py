"""Large files are read through for their checksum once, and again only when they have changed.

Beside them, `.checked.json` notes how the files of a folder looked (size, time of modification, time of change) when
they had the right checksum. A note saves time and nothing else: it can be deleted, and a folder that cannot be
written to is read through each time.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scalestudy.files import read_json, stamp, write_json

ARRAY_FILES = ("train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy")
"""The arrays of a dataset store."""

_NOTE = ".checked.json"


def seen_right(folder: Path, names: Iterable[str], checksum: str) -> bool:
    """Return whether the files look as they did when they were found to have this `checksum`."""
    try:
        note = read_json(folder / _NOTE)
        return bool(note == {"checksum": checksum, "files": {name: stamp(folder / name) for name in names}})
    except (OSError, ValueError):
        return False


def note_right(folder: Path, names: Iterable[str], checksum: str) -> None:
    """Note how the files look that have just been found to have this `checksum`."""
    with suppress(OSError):
        write_json(
            folder / _NOTE, {"checksum": checksum, "files": {name: stamp(folder / name) for name in names}}
        )
