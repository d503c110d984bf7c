"""Small file helpers: atomic writes, JSON, checksums."""

import errno
import fcntl
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalestudy.errors import UserError

CHECKSUM = "checksum"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well.

    Readers see the old file or the complete new one, never a part. When the block raises, `path` is untouched
    and the temporary file is removed. The temporary name keeps the suffix, because writers such as
    `numpy.save` and matplotlib choose the format by it.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f".{path.stem[-40:]}-"  # the end, where the hash of a run's name is


def remove_unfinished(path: Path) -> None:
    """Remove what killed processes have left of writing `path`. To be called where nobody else writes it now."""
    for left in path.parent.glob(f"{glob.escape(_prefix(path))}????????{glob.escape(path.suffix)}"):
        left.unlink(missing_ok=True)


def from_home(path: Path | str) -> Path:
    """Return the path that `~` in it stands for; with the name of nobody's home it stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (pathlib raises there)


def is_folder(path: Path) -> bool:
    """Return whether a folder is there; a name that is too long for one is that of none."""
    return os.path.isdir(path)  # noqa: PTH112 (pathlib raises there)


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock file of `filelock`, on any machine that sees the disk.

    Only reads, so it serves on a read-only disk, too. True where the disk does not tell: then nobody is taken for dead.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: who else only looks is not in the way
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give each OSError of the block the name of the file that it is about: a full disk does not say it."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or error.errno in _FULL):
            error.filename, error.filename2 = str(path), None
        raise


def _umask() -> int:
    """Return the process's umask (which can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 with `\\n` line ends, atomically.

    Bytes of a file name that are no UTF-8 (Python holds them as lone surrogates) are escaped: `\\udcff`.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented UTF-8 JSON, atomically. NaN and infinity raise ValueError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


class DamagedFileError(UserError, ValueError):
    """A file of ours is cut short, or holds something else than we wrote."""


def read_json(path: Path) -> Any:
    """Return the value that the JSON file at `path` holds; DamagedFileError, which names it, where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DamagedFileError(f"{path} is damaged: no JSON from line {error.lineno} on") from None
    except (ValueError, RecursionError):
        raise DamagedFileError(f"{path} is damaged: no JSON") from None


def read_object(path: Path, what_to_do: str, keys: Mapping[str, type] | None = None) -> dict[str, Any]:
    """Return the JSON object in one of our own files, with `keys` of the given types.

    Raises UserError, which names the file and ends with `what_to_do`, where it is absent, cut, or something else.
    """
    try:
        value = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} is not there; {what_to_do}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except DamagedFileError as error:
        raise DamagedFileError(f"{error}; {what_to_do}") from None
    if not isinstance(value, dict):
        raise DamagedFileError(f"{path} is damaged: no JSON object; {what_to_do}")
    for key, kind in (keys or {}).items():
        if not isinstance(value.get(key), kind):
            said = f"{key} is {str(value[key])[:40]!r}" if key in value else f"it lacks {key}"
            raise DamagedFileError(f"{path} is damaged: {said}; {what_to_do}")
    return value


def write_sealed_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with a checksum of its own content as its last key, `checksum`."""
    write_json(path, {**content, CHECKSUM: content_sha256(content)})


def seal_is_broken(content: Mapping[str, Any]) -> bool:
    """Return whether a JSON object that was written with a checksum holds something else now."""
    sealed = content.get(CHECKSUM)
    return sealed is not None and sealed != content_sha256(
        {key: value for key, value in content.items() if key != CHECKSUM}
    )


def content_sha256(content: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever its layout and the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


Stamp = list[int]


def stamp(path: Path) -> Stamp:
    """Return size, time of modification and time of change of a file; OSError where it is not there."""
    seen = path.stat()
    return [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
