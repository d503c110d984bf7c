"""The one exception that a person is meant to read, and what its words are made with."""

import difflib
import errno
import re
from collections.abc import Iterable


class UserError(Exception):
    """Something that the user can mend: one clear line saying what is wrong, where, and what to do.

    The command line prints it to standard error and exits with code 2, without a traceback.
    """


def printable(text: str) -> str:
    """Return `text` for a terminal: control characters, as a hostile file name may hold, are shown, not obeyed."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found.group()):02x}", text)


def nearest(name: str, options: Iterable[str]) -> str:
    """Return ` (did you mean '...'?)` with the option most like `name`, or nothing where none is alike."""
    by_lower = {option.lower(): option for option in options}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean '{by_lower[matches[0]]}'?)" if matches else ""


_ADVICE = {
    errno.ENOSPC: "make room on that disk and start again",
    errno.EDQUOT: "make room within your quota and start again",
    errno.EROFS: "that disk can only be read; work on a copy of the project elsewhere",
    errno.EACCES: "you lack the permission; `ls -ld` on it shows whose it is",
}


def disk_fault(error: OSError, otherwise: object = "a file") -> str:
    """Return in one line which file could not be read or written, why, and what to do about it."""
    advice = _ADVICE.get(error.errno or 0)
    reason = error.strerror or str(error)
    where = error.filename if error.filename is not None else otherwise
    return f"{where} cannot be written or read: {reason}" + (f"; {advice}" if advice else "")
