"""A synthetic study taken all the way to its report."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from synthetic import write_synthetic_study

from scalestudy.analysis.findings import write_findings
from scalestudy.files import read_json
from scalestudy.report import svg
from scalestudy.report.figures import FIGURES, figure_names
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect

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
        for name in set(figure_names(read_json(folder / "study.json"))) - set(drawn):
            _blank(folder / "figures", name)
    return render_report(folder, root / "report" / folder.name).parent


def _blank(folder: Path, name: str) -> None:
    """Write the files of a figure with nothing in it."""
    folder.mkdir(exist_ok=True)
    described = svg.Description(name, FIGURES[name].title, "A blank.", "Nothing is drawn here.", ())
    (folder / f"{name}.svg").write_text(svg.finish(BLANK, described, ()), encoding="utf-8")
    for kind in ("png", "csv"):
        (folder / f"{name}.{kind}").touch()
