"""How a figure is drawn, and how a drawing becomes files.

A figure is `results/<study>/figures/NAME.svg` (with title, finding, caption and runs inside), `NAME.png` and
`NAME.csv` (the plotted numbers).
"""

import csv
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from scalestudy.errors import UserError
from scalestudy.files import atomic_path, write_text
from scalestudy.report import style, svg
from scalestudy.report.figures import FIGURES
from scalestudy.report.figures.base import Sheet, empty
from scalestudy.report.inputs import Inputs, MissingDataError


def draw(name: str, inputs: Inputs) -> Sheet:
    """Return the drawing of the figure `name`; an empty one with the reason where its data are missing.

    Raises UserError for an unknown name.
    """
    if name not in FIGURES:
        raise UserError(f"no figure {name!r}; figures: {', '.join(FIGURES)}")
    kind = FIGURES[name]
    style.apply()
    try:
        sheet: Sheet = getattr(import_module(f"scalestudy.report.figures.{kind.module}"), name)(inputs)
    except MissingDataError as missing:
        return empty(kind.title, str(missing))
    return sheet


def save(sheet: Sheet, name: str, folder: Path, formats: Iterable[str] = ("svg", "png", "csv")) -> list[Path]:
    """Write the drawing as `folder/NAME.<format>` for each of svg, png, pdf, csv; return the paths."""
    paths = []
    # SVG first: a raster may spell out letters that no font on this machine has.
    for kind in sorted(formats, key=lambda each: each != "svg"):
        path = folder / f"{name}.{kind}"
        if kind == "svg":
            description = svg.Description(
                name, sheet.title, sheet.alt, sheet.caption, sheet.runs, sheet.missing
            )
            write_text(path, svg.finish(style.svg_text(sheet.figure), description, sheet.marks))
        elif kind == "csv":
            with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(sheet.columns)
                writer.writerows(sheet.rows)
        elif kind in ("png", "pdf"):
            style.save_raster(sheet.figure, path)
        else:
            raise UserError(f"no figure format {kind!r}; formats: svg, png, pdf, csv")
        paths.append(path)
    return paths
