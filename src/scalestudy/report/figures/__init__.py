"""The report's figures: a registry of functions that each draw one, and how a drawing becomes files.

A figure is `results/<study>/figures/NAME.svg` (with title, finding, caption and runs inside), `NAME.png` and
`NAME.csv` (the plotted numbers). Imports here are matplotlib and numpy only: the workflow starts one process a figure.
"""

import csv
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from scalestudy.errors import UserError
from scalestudy.files import atomic_path, write_text
from scalestudy.report import style, svg
from scalestudy.report.figures import accuracy, curves, errors, transfer
from scalestudy.report.figures.base import Inputs, MissingDataError, Sheet, empty

FIGURES: dict[str, Callable[[Inputs], Sheet]] = {
    "samples": errors.samples,
    "accuracy_by_size": accuracy.accuracy_by_size,
    "model_size": accuracy.model_size,
    "error_scaling": transfer.error_scaling,
    "equal_steps": curves.equal_steps,
    "accuracy_by_batch_size": accuracy.accuracy_by_batch_size,
    "hyperparameters": accuracy.hyperparameters,
    "init_side_by_side": accuracy.init_side_by_side,
    "init_gain": transfer.init_gain,
    "effective_data": transfer.effective_data,
    "gap_by_size": accuracy.gap_by_size,
    "learning_curves": curves.learning_curves,
    "cost": curves.cost,
    "reference": accuracy.reference,
    "reliability": errors.reliability,
    "confusion": errors.confusion,
    "per_class": errors.per_class,
    "mistakes": errors.mistakes,
}

# Settings that are the study's own question; every other one that varies is a hyperparameter.
_QUESTION = ("model", "init", "fraction", "seed", "subset_seed", "dataset")


def figure_names(study: dict[str, Any]) -> list[str]:
    """Return the names of the figures that a study has, in the report's order, from its planned runs alone.

    `study` is study.json's content (or any mapping with `runs`, each with `settings`, and `references`): nothing
    needs to be trained to know the list.
    """
    settings = [run["settings"] for run in study["runs"]]
    values = {key: {str(each.get(key)) for each in settings} for key in (settings[0] if settings else {})}
    several = {key for key, found in values.items() if len(found) > 1}
    pretrained = "none" in values.get("init", set()) and "init" in several
    sizes = {Fraction(str(each["fraction"])) for each in settings}
    applies = {
        "model_size": "model" in several,
        "error_scaling": len(sizes) > 1,
        "equal_steps": len(sizes) > 1,
        "accuracy_by_batch_size": "batch_size" in several,
        "hyperparameters": bool(several - set(_QUESTION)),
        "init_side_by_side": "init" in several,
        "init_gain": pretrained,
        "effective_data": pretrained and len(sizes) > 1,
        "reference": bool(study.get("references")),
    }
    return [name for name in FIGURES if applies.get(name, True)]


def draw(name: str, inputs: Inputs) -> Sheet:
    """Return the drawing of the figure `name`; an empty one with the reason where its data are missing.

    Raises UserError for an unknown name.
    """
    if name not in FIGURES:
        raise UserError(f"no figure {name!r}; figures: {', '.join(FIGURES)}")
    style.apply()
    try:
        return FIGURES[name](inputs)
    except MissingDataError as missing:
        return empty(name.replace("_", " ").capitalize(), str(missing))


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
