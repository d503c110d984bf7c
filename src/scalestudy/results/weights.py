"""weights.json: where initial weights came from, and the SHA-256 of the weights.pth beside it. Written last."""

from pathlib import Path
from typing import Any

from scalestudy.data.seen import note_right, seen_right
from scalestudy.errors import UserError
from scalestudy.files import read_object, seal_is_broken, sha256_file, write_sealed_json
from scalestudy.results.record import WEIGHTS

NAME = "weights.json"


def write_weights_record(folder: Path, source: str, sha256: str, **more: Any) -> None:
    """Write the record of the weights.pth in `folder`; `more` is what else is known, such as input statistics."""
    write_sealed_json(folder / NAME, {"source": source, "sha256": sha256, **more})
    note_right(folder, [WEIGHTS], sha256)


def read_weights_record(folder: Path) -> dict[str, Any]:
    """Return `source`, `sha256` and what else is known of the initial weights in `folder`.

    Raises UserError where the record is damaged.
    """
    again = f"the next start makes it again (by hand: delete {folder})"
    content = read_object(folder / NAME, again, {"source": str, "sha256": str})
    if seal_is_broken(content):
        raise UserError(f"{folder / NAME} was altered since it was written; {again}")
    return content


def fault_of_weights(folder: Path) -> str:
    """Return what is wrong with the initial weights in `folder`, whose record is there; nothing where all is well."""
    try:
        sha256: str = read_weights_record(folder)["sha256"]
        if seen_right(folder, [WEIGHTS], sha256):
            return ""
        if sha256_file(folder / WEIGHTS) != sha256:
            return f"{WEIGHTS} was altered since it was brought here (its SHA-256 is another)"
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{WEIGHTS} cannot be read ({error.strerror or error})"
    note_right(folder, [WEIGHTS], sha256)
    return ""
