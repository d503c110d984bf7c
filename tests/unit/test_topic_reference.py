"""The topic of reported numbers: only seeds decide, a row finds its cell, what is not planned is said."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import Settings, made_findings
from synthetic import collected

from scalestudy.report import view
from scalestudy.topics.drawing import draw
from scalestudy.topics.findings import Findings, write_findings
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.page import Page
from scalestudy.topics.reference.find import Missing, Standing
from scalestudy.topics.reference.say import say
from scalestudy.topics.reference.show import show


def row(theirs: float, **settings: Any) -> dict[str, Any]:
    return {"model": "resnet18", "init": "none", "fraction": "1", **settings, "test_accuracy": theirs}


def found(*rows: dict[str, Any], spread: float = 0.005, **options: Any) -> Findings:
    """Return the findings of a study that reaches 0.6 everywhere, beside reported numbers."""
    rng = np.random.default_rng(2)

    def result(settings: Settings) -> float:
        return 0.6 + spread * float(rng.standard_normal())

    table = {"title": "A report", "source": "Somebody (2020)", "rows": list(rows)}
    return made_findings(result, references=[table], **{"models": ("resnet18",), **options})


def standings(findings: Findings) -> list[Standing]:
    return [each.standing for each in findings.reference.rows]


def texts(findings: Findings) -> list[str]:
    return [each.text for each in say(findings).points]


def test_reported_numbers_are_above_below_or_as_near_as_runs_of_one_setting_are() -> None:
    findings = found(row(0.5), row(0.7), row(0.605))
    assert standings(findings) == [Standing.ABOVE, Standing.BELOW, Standing.WITHIN]
    assert texts(findings)[0].startswith(
        "This study is above one, below one and within the run-to-run spread of one of three reported numbers, on "
        "average "
    )
    assert texts(found(row(0.5)))[0] == "At 60.1 %, this study is 10.1 points above the reported 50.0 %."
    within = texts(found(row(0.605)))[0]
    assert within == "At 60.1 %, this study is within the run-to-run spread of the reported 60.5 %."
    assert say(findings).answer == say(findings).points[:1]
    first = findings.reference.rows[0]
    assert first.cell is not None
    assert first.difference == pytest.approx((findings.grid.cells[first.cell].value or 0.0) - 0.5)


def test_the_test_covers_one_further_run_and_not_the_mean_alone() -> None:
    """With many runs the mean is known well; a single reported run is still as wide as one run."""
    findings = found(row(0.612), spread=0.008, seeds=range(20), fractions=("1",), inits=("none",))
    (own,) = findings.reference.rows
    cell = findings.grid.cells[str(own.cell)]
    assert cell.result is not None
    assert cell.result.sd is not None
    assert own.test is not None
    assert own.test.error == pytest.approx(cell.result.sd * (1 + 1 / 20) ** 0.5)
    assert own.standing is Standing.WITHIN


def test_one_run_each_decides_nothing_however_far_away() -> None:
    findings = found(row(0.3), row(0.9), seeds=(0,))
    assert standings(findings) == [Standing.UNDECIDED, Standing.UNDECIDED]
    assert texts(findings)[0].endswith(" against two reported numbers: without seeds, undecided.")


def test_a_row_means_the_cell_with_its_settings_and_otherwise_the_base_recipe() -> None:
    findings = found(row(0.6), row(0.6, lr="1e-4"), row(0.6, lr=1e-4, seed=0), recipes=({}, {"lr": 1e-4}))
    cells = [findings.grid.cells[str(each.cell)] for each in findings.reference.rows]
    assert [cell.settings["lr"] for cell in cells] == [1e-3, 1e-4, 1e-4]


def test_numbers_that_the_study_does_not_plan_or_has_no_result_for_are_told_apart_and_counted() -> None:
    findings = found(
        row(0.6), row(0.6, model="vgg11"), row(0.6, fraction="1/2"), missing=lambda s: s["fraction"] == "1/2"
    )
    assert standings(findings) == [Standing.WITHIN, Standing.NOT_PLANNED, Standing.NO_RESULT]
    assert texts(findings)[1] == "Two of three reported numbers have no counterpart here."


def test_a_study_without_reported_numbers_has_no_section(tmp_path: Path) -> None:
    findings = made_findings(lambda settings: 0.5, fractions=("1",))
    assert findings.reference.missing is Missing.NO_NUMBERS
    assert say(findings).everything == ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of three seeds beside four reported numbers, one of them for another model."""
    rows = [
        row(0.5),
        row(0.95, model="resnet50", init="glyphs"),
        row(0.6, model="vgg11"),
        row(0.7, fraction="1/2"),
    ]
    table = {"title": "A report", "source": "Somebody (2020)", "rows": rows}
    study = collected(tmp_path_factory.mktemp("study"), seeds=(0, 1, 2), references=[table])
    write_findings(study)
    return study


def test_the_numbers_of_the_section_are_those_of_the_runs_and_of_the_report(
    folder: Path, tmp_path: Path
) -> None:
    section = show(Page(Inputs(folder), tmp_path))
    assert section is not None
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        results = {line["run"]: float(line["test_accuracy"]) for line in csv.DictReader(file)}
    (table,) = (block for block in section.blocks if isinstance(block, view.Table))
    assert "Source: Somebody (2020)." in table.note
    assert [line.cells[2].value for line in table.rows] == [0.5, 0.95, 0.6, 0.7]
    for line in table.rows:
        _, ours, theirs, difference, verdict = line.cells
        if not ours.runs:
            assert verdict.text == "not part of this study"
            assert ours.text == difference.text == "–"
            continue
        mean = float(np.mean([results[run] for run in ours.runs]))
        assert len(ours.runs) == 3
        assert ours.value == pytest.approx(mean)
        assert theirs.value is not None
        assert difference.value == pytest.approx(mean - theirs.value)


def test_the_figure_shows_each_number_with_a_counterpart(folder: Path) -> None:
    inputs = Inputs(folder)
    drawing = draw("reference", inputs)
    assert [line[1] for line in drawing.wide.rows] == [0.5, 0.95, 0.7]
    assert drawing.narrow is not None
    assert drawing.narrow.rows[0][1:] == drawing.wide.rows[0][1:]


def test_without_a_counterpart_the_figure_says_what_to_do(tmp_path: Path) -> None:
    table = {"title": "A report", "rows": [row(0.6, model="vgg11")]}
    study = collected(tmp_path, models=("resnet18",), inits=("none",), fractions=("1",), references=[table])
    write_findings(study)
    assert (
        "None of the reported numbers has a result here yet" in draw("reference", Inputs(study)).wide.missing
    )
    section = show(Page(Inputs(study), tmp_path))
    assert section is not None
    assert section.lead is not None
    assert section.lead.text == "The one reported number has no counterpart here."
