"""What the report will need, tried before anything is trained: a broken library must not show days later."""

import io
from importlib.metadata import version

from scalestudy.errors import UserError


def check_report_libraries() -> None:
    """Import what analysis and report use and draw one tiny figure; UserError names what fails, and its versions."""
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
        versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "matplotlib", "jinja2"))
        raise UserError(
            f"the report cannot be made with the libraries installed ({versions}): {type(error).__name__}: {error}; "
            "`make` installs versions that fit"
        ) from error
