"""What a store was made from: the image files of a folder, with sizes, times and contents, to notice when they change.

`origin.gz` beside dataset.json has a line for each file. Names, sizes and times are compared at every start; a file
whose time alone is another (a copy, a checkout) is read, and what it holds decides.
"""

# ruff: noqa: PTH111, PTH118, PTH122 (Path does not take names in bytes)

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scalestudy.data.folders import SUFFIXES, find_layout, ignored_because, shown
from scalestudy.errors import UserError
from scalestudy.files import atomic_path

ORIGIN = "origin.gz"
_UNKNOWN = "?"  # the content of a file that changed while it was read


@dataclass(frozen=True)
class Seen:
    """A file as it was: bytes, time of modification in nanoseconds, and a digest of its content ("": not read)."""

    size: int
    time: int
    digest: str = ""


def scan(folder: str) -> dict[bytes, Seen]:
    """Return the image files below `folder` that make a dataset, by their names; none where it cannot be read.

    What is left out there is left out here: an image beside the folders of classes is no change of the data.
    """
    root = os.path.expanduser(folder.encode())
    return _scan(root, _used(root))


def _scan(root: bytes, used: Callable[[bytes], bool]) -> dict[bytes, Seen]:
    return {name: seen for name, seen in _files(root, b"", frozenset()) if used(name)}


def _used(root: bytes) -> Callable[[bytes], bool]:
    """Return what tells the images in folders of classes from those that lie elsewhere below the root."""
    try:
        layout = find_layout(root, classes_are_told=True)
    except (UserError, OSError):
        return lambda name: True  # preparing says what is wrong
    parts = [os.path.join(part, b"") for part in (layout.train, layout.test) if part is not None]
    return lambda name: any(name.startswith(part) and b"/" in name[len(part) :] for part in parts)


def _files(root: bytes, below: bytes, above: frozenset[bytes]) -> Iterator[tuple[bytes, Seen]]:
    path = os.path.join(root, below)
    real = os.path.realpath(path)
    if real in above:  # a link to a folder that it lies in
        return
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if ignored_because(entry.name):
            continue
        name = os.path.join(below, entry.name)
        with suppress(OSError):
            if entry.is_dir():
                yield from _files(root, name, above | {real})
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                seen = entry.stat()
                if stat.S_ISREG(seen.st_mode):
                    yield name, Seen(seen.st_size, seen.st_mtime_ns)


def note_origin(store: Path, folder: str, before: Mapping[bytes, Seen]) -> None:
    """Write what the store was made from: the files that were there `before`, with their contents now."""
    now = scan(folder)
    kept = {}
    for name, seen in before.items():
        same = now.get(name) == seen
        kept[name] = Seen(seen.size, seen.time, _digest(folder, name) if same else _UNKNOWN)
    _write(store / ORIGIN, kept)


def changes(store: Path, folder: str) -> str:
    """Return in words how the image files of `folder` differ from those that the store was made from.

    Nothing where they are the same, where the folder is not here (any more), or where nobody noted what there was.
    """
    noted = _read(store / ORIGIN)
    root = os.path.expanduser(folder.encode())
    used = _used(root)
    now = _scan(root, used)
    if noted is None or not now:
        return ""
    # Earlier versions noted what the dataset leaves out, too.
    before = {name: seen for name, seen in noted.items() if used(name)}
    added, removed = now.keys() - before.keys(), before.keys() - now.keys()
    changed, touched = [], {}
    for name in now.keys() & before.keys():
        then, seen = before[name], now[name]
        if (then.size, then.time) == (seen.size, seen.time) and then.digest != _UNKNOWN:
            continue
        if then.size == seen.size and then.digest == _digest(folder, name):
            touched[name] = Seen(seen.size, seen.time, then.digest)
        else:
            changed.append(name)
    if touched and not (added or removed or changed):
        with suppress(OSError):
            _write(store / ORIGIN, {**before, **touched})
    parts = [
        f"{len(names):,} {what} ({shown(min(names))}{', ...' if len(names) > 1 else ''})"
        for names, what in ((added, "added"), (removed, "removed"), (changed, "changed"))
        if names
    ]
    return ", ".join(parts)


def _digest(folder: str, name: bytes) -> str:
    """Return a digest of a file's content, or that it is not known."""
    root = os.path.expanduser(folder.encode())
    try:
        with open(os.path.join(root, name), "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return _UNKNOWN


def _write(path: Path, files: Mapping[bytes, Seen]) -> None:
    with atomic_path(path) as temporary, gzip.GzipFile(temporary, "wb", compresslevel=1, mtime=0) as file:
        for name, seen in sorted(files.items()):
            escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
            file.write(f"{seen.size} {seen.time} {seen.digest} ".encode() + escaped + b"\n")


def _read(path: Path) -> dict[bytes, Seen] | None:
    """Return the files that were noted; None where nothing was, or the note is damaged."""
    try:
        with gzip.open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        files = {}
        for line in lines:
            size, time, digest, name = line.split(b" ", 3)
            plain = name.replace(b"\\\\", b"\0").replace(b"\\n", b"\n").replace(b"\0", b"\\")
            files[plain] = Seen(int(size), int(time), digest.decode("ascii"))
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return files
