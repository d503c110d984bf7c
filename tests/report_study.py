"""A synthetic study taken all the way to its report."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from synthetic import write_synthetic_study

from scalestudy.files import read_json
from scalestudy.report import svg
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect
from scalestudy.results.made import note_figures
from scalestudy.topics import figure_cards, figure_names
from scalestudy.topics.findings import write_findings

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


def analysed(root: Path, **settings: Any) -> Path:
    """Write a synthetic study below `root`, collect and analyse it; return `root/results/<study>`."""
    folder = write_synthetic_study(root, **settings)
    study = read_json(folder / "study.json")
    collect(study, study["runs"], root)
    write_findings(folder)
    return folder


def rendered(root: Path, drawn: Collection[str] | None = None, **settings: Any) -> Path:
    """Write a synthetic study below `root` and render it; return the folder of its report.

    Drawing takes 97 % of the time: where figures are not the point, `drawn` names the few that are, or none, and the
    others are blank.
    """
    folder = analysed(root, **settings)
    if drawn is not None:
        blank_figures(folder, set(figure_names(read_json(folder / "study.json"))) - set(drawn))
    return render_report(folder, root / "report" / folder.name).parent


def blank_figures(study_dir: Path, names: Iterable[str]) -> None:
    """Write the files of figures with nothing in them, as drawn from the findings that are there."""
    folder = study_dir / "figures"
    folder.mkdir(exist_ok=True)
    files = [folder / f"{name}.{kind}" for name in names for kind in ("svg", "png", "csv")]
    for file in files:
        if file.suffix == ".svg":
            described = svg.Description(
                file.stem, figure_cards()[file.stem][1].title, "A blank.", "Nothing is drawn here.", ()
            )
            file.write_text(svg.finish(BLANK, described, ()), encoding="utf-8")
        else:
            file.write_text("blank\n", encoding="utf-8")
    note_figures(study_dir, files)
