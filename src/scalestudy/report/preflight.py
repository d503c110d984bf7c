"""What the report will need, tried before anything is trained: a broken library must not show days later."""

import io
import sys
from contextlib import suppress
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from scalestudy.errors import UserError
from scalestudy.files import DamagedFileError, read_json, write_json
from scalestudy.machine import cache_folder

LIBRARIES = ("numpy", "scipy", "matplotlib", "jinja2")


def check_report_libraries() -> None:
    """Import what analysis and report use and draw one tiny figure; UserError names what fails, and its versions.

    Tried once (it takes two seconds) for what is installed: what is installed or removed later asks for it anew.
    """
    tried, installed = cache_folder() / "report-libraries.json", _installed()
    with suppress(OSError, DamagedFileError):
        if read_json(tried) == installed:
            return
    try:
        import jinja2  # noqa: F401
        import scipy.optimize
        import scipy.stats  # noqa: F401
        from matplotlib.figure import Figure

        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1], [0, 1])
        for kind in ("svg", "png"):
            figure.savefig(io.BytesIO(), format=kind)
    except Exception as error:  # whatever a library raises that does not fit the others
        versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
        raise UserError(
            f"the report cannot be made with the libraries installed ({versions}): {type(error).__name__}: {error}; "
            "`make` installs versions that fit"
        ) from error
    with suppress(OSError):  # a home that cannot be written to: tried again each time
        write_json(tried, installed)


def _installed() -> dict[str, Any]:
    """Return what tells one set of libraries from another: their versions, and when their folder last changed."""
    found: dict[str, Any] = {"python": sys.version}
    for name in LIBRARIES:
        folder = Path(str(distribution(name).locate_file("")))
        found[name] = [version(name), str(folder), folder.stat().st_mtime_ns]
    return found
