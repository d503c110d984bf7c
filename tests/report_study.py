"""A synthetic study taken all the way to its report."""

from pathlib import Path
from typing import Any

from synthetic import write_synthetic_study

from scalestudy.analysis.findings import write_findings
from scalestudy.files import read_json
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect


def analysed(root: Path, **settings: Any) -> Path:
    """Write a synthetic study below `root`, collect and analyse it; return `root/results/<study>`."""
    folder = write_synthetic_study(root, **settings)
    study = read_json(folder / "study.json")
    collect(study, study["runs"], root)
    write_findings(folder)
    return folder


def rendered(root: Path, **settings: Any) -> Path:
    """Write a synthetic study below `root` and render it; return the folder of its report."""
    folder = analysed(root, **settings)
    return render_report(folder, root / "report" / folder.name).parent
