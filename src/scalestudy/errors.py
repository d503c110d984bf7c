"""The one exception that a person is meant to read."""

import re


class UserError(Exception):
    """Something that the user can mend: one clear line saying what is wrong, where, and what to do.

    The command line prints it to standard error and exits with code 2, without a traceback.
    """


def printable(text: str) -> str:
    """Return `text` for a terminal: control characters, as a hostile file name may hold, are shown, not obeyed."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found.group()):02x}", text)
