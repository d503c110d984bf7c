"""`scalestudy figure` and `render`: from findings to figures and pages."""

from pathlib import Path
from typing import Annotated

import typer

from scalestudy.cli.completion import one_of, studies_with_results
from scalestudy.errors import UserError, nearest
from scalestudy.study import paths
from scalestudy.study.config import find_study, load_study
from scalestudy.workflow.commands import start_command

StudyName = Annotated[
    str,
    typer.Argument(
        help="A study with results: its name, or the folder results/<study>.",
        autocompletion=one_of(studies_with_results),
    ),
]


def results_of(study: str) -> Path:
    """Return the results folder of a study, given by its name, its YAML file or the folder itself."""
    named = paths.study_folder(load_study(study).name if study.endswith((".yaml", ".yml")) else study)
    for folder in (named, Path(study)):
        if folder.is_dir():
            return folder
    known = sorted(path.parent.name for path in paths.RESULTS.glob("*/findings.json"))
    there = f"results are there of {', '.join(known)}" if known else "no study has results yet"
    try:
        makes = f"; `{start_command(find_study(study), {})}` makes those of {study}"
    except UserError:
        makes = ""
    raise UserError(f"{study}: no folder {named}{nearest(named.name, known)}; {there}{makes}")


def figure(
    name: Annotated[str, typer.Argument(help="The figure, such as accuracy_by_size; or all.")],
    study: StudyName,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write a PDF as well, for a paper.")] = False,
) -> None:
    """Draw a figure of a study, or all, into results/<study>/figures: SVG, PNG, and its numbers as CSV."""
    from scalestudy.report.figures.drawing import save
    from scalestudy.results.made import note_figures
    from scalestudy.topics import figure_names
    from scalestudy.topics.drawing import draw
    from scalestudy.topics.inputs import Inputs

    folder = results_of(study)
    inputs = Inputs(folder)
    formats = ("svg", "png", "csv", *(["pdf"] if pdf else []))
    drawn = [
        path
        for each in (figure_names(inputs.study) if name == "all" else [name])
        for path in save(draw(each, inputs), each, folder / "figures", formats)
    ]
    note_figures(folder, drawn)
    for path in drawn:
        print(path)


def render(study: StudyName) -> None:
    """Render report/<study>/report.html and report.md, with their figures and tables beside them."""
    from scalestudy.report.render import render_report

    folder = results_of(study)
    name = folder.absolute().name
    print(render_report(folder, paths.project_of(folder) / paths.report_folder(name)))


def compare(
    a: StudyName,
    b: Annotated[str, typer.Argument(help="The other study, or the folder of another version of the same.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every compared number to this CSV file.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a short page to this file.")] = None,
) -> None:
    """Compare two studies, or two versions of one: which numbers moved, and whether beyond noise."""
    from scalestudy.sharing import compare as comparison

    versus = comparison.compare(results_of(a), results_of(b))
    if csv:  # before anything is printed, which may end where its reader does
        comparison.write_csv(versus, csv)
    if html:
        comparison.write_html(versus, html)
    print("\n".join(comparison.lines(versus)))


def tables(
    study: StudyName,
    output: Annotated[Path | None, typer.Option(help="Folder; results/<study>/tables if left out.")] = None,
) -> None:
    """Write the report's tables as CSV and as LaTeX (booktabs)."""
    from scalestudy.sharing.export import export_tables

    folder = results_of(study)
    for path in export_tables(folder, output or folder / "tables"):
        print(path)
