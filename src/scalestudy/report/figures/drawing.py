"""How a figure is drawn, and how a drawing becomes files.

A figure is `results/<study>/figures/NAME.svg` (with title, finding, caption and runs inside), `NAME.narrow.svg` (the
same for a narrow screen), `NAME.png` and `NAME.csv` (the plotted numbers).
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scalestudy.errors import UserError
from scalestudy.files import atomic_path, write_text
from scalestudy.report import style, svg
from scalestudy.report.figures.base import NARROW, WIDE, Picture, Sheet, empty
from scalestudy.report.inputs import MissingDataError


@dataclass(frozen=True)
class Drawing:
    """A figure drawn: for a page and paper, and for a narrow screen where it has a drawing of its own for that."""

    wide: Sheet
    narrow: Sheet | None


def drawn(picture: Callable[[], Picture], title: str) -> Drawing:
    """Return a picture's drawing; an empty one of that title, with the reason, where its data are missing."""
    style.apply()
    try:
        found = picture()
        wide = found.on(WIDE)
        assert wide is not None
        return Drawing(wide, found.on(NARROW))
    except MissingDataError as missing:
        return Drawing(empty(title, str(missing)), empty(title, str(missing), NARROW))


def save(
    drawing: Drawing, name: str, folder: Path, formats: Iterable[str] = ("svg", "png", "csv")
) -> list[Path]:
    """Write the drawing as `folder/NAME.<format>` for each of svg, png, pdf, csv; return the paths.

    With the SVG comes `NAME.narrow.svg`, where there is a narrow drawing.
    """
    paths = []
    # SVG first: a raster may spell out letters that no font on this machine has.
    for kind in sorted(formats, key=lambda each: each != "svg"):
        path = folder / f"{name}.{kind}"
        if kind == "svg":
            write_text(path, _svg(drawing.wide, name))
            if drawing.narrow is not None:
                paths.append(folder / f"{name}.narrow.svg")
                write_text(paths[-1], _svg(drawing.narrow, name))
        elif kind == "csv":
            with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(drawing.wide.columns)
                writer.writerows(drawing.wide.rows)
        elif kind in ("png", "pdf"):
            style.save_raster(drawing.wide.figure, path)
        else:
            raise UserError(f"no figure format {kind!r}; formats: svg, png, pdf, csv")
        paths.append(path)
    return paths


def _svg(sheet: Sheet, name: str) -> str:
    said = svg.Description(name, sheet.title, sheet.alt, sheet.caption, sheet.runs, sheet.missing)
    return svg.finish(style.svg_text(sheet.figure), said, sheet.marks)
