"""The topic of cost: prices with pretraining counted in, the front, kinds of machine, one statement of compute."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import Settings, made_findings, made_study
from synthetic import collected

from scalestudy.files import read_json, write_json
from scalestudy.report import view
from scalestudy.results.record import read_record, write_record
from scalestudy.topics.cost.find import Missing, Pretrained, pareto
from scalestudy.topics.cost.say import say
from scalestudy.topics.cost.show import show
from scalestudy.topics.drawing import draw
from scalestudy.topics.findings import Findings, find_all, write_findings
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.page import Page

SHARES = {"1/16": 0.4, "1/2": 0.5, "1": 0.6}


def texts(findings: Findings) -> list[str]:
    return [each.text for each in say(findings).points]


def test_settings_that_no_other_beats_in_time_and_accuracy_are_the_front() -> None:
    assert pareto([(1, 0.5), (2, 0.4), (3, 0.7), (3, 0.6), (4, 0.7)]) == [0, 2]
    assert pareto([(1, 0.5), (1, 0.5)]) == [0, 1]
    assert pareto([]) == []


def test_the_fastest_setting_and_the_most_accurate_one_are_named_with_their_times() -> None:
    findings = made_findings(lambda s: SHARES[s["fraction"]], models=("resnet18",), inits=("none",))
    assert [each.front for each in findings.cost.prices] == [True, True, True]
    first, last = texts(findings)[1:3]
    assert first == (
        "The fastest setting, ResNet-18 from scratch, 1/16 of the data, reaches 40.0 % after 17 s."
    )
    assert last == (
        "The highest test accuracy, 60.0 % after 4.6 min, is that of ResNet-18 from scratch, all data."
    )


def test_a_setting_that_is_fastest_and_most_accurate_is_alone_on_the_front() -> None:
    findings = made_findings(lambda s: 1 - SHARES[s["fraction"]], models=("resnet18",), inits=("none",))
    assert [each.front for each in findings.cost.prices] == [True, False, False]
    assert (
        "ResNet-18 from scratch, 1/16 of the data: 60.0 % after 17 s, fastest and of the highest"
        in texts(findings)[1]
    )


def test_times_of_the_same_work_make_no_front() -> None:
    recipes: list[Settings] = [{}, {"dropout": 0.2}, {"label_smoothing": 0.1}]
    one = {"models": ("resnet18",), "inits": ("none",), "fractions": ("1",)}
    findings = made_findings(lambda s: 0.5 + s["dropout"], recipes=recipes, **one)  # type: ignore[arg-type]
    assert findings.cost.alike
    assert findings.cost.front == []
    assert [each.cell for each in findings.cost.prices] == list(findings.grid.cells)  # in the study's order
    assert texts(findings)[1:] == ["The settings took about the same time: 4.6 min a run."]
    assert texts(made_findings(lambda s: 0.5, **one))[1:] == []  # type: ignore[arg-type]


def test_times_that_differ_by_less_than_twice_are_no_price_where_the_work_is_the_same() -> None:
    def cost(factor: float, work: float) -> Findings:
        def more(settings: Settings) -> dict[str, float]:
            other = bool(settings["dropout"])
            return {"training_gmacs": work if other else 1.0, "train_seconds": factor if other else 60.0}

        return made_findings(
            lambda s: 0.5 + s["dropout"],
            recipes=[{}, {"dropout": 0.2}],
            models=("resnet18",),
            inits=("none",),
            fractions=("1",),
            more=more,
        )

    same = cost(96.0, work=1.0)
    assert same.cost.alike
    assert texts(same)[1:] == ["The settings do the same work, in 60 s to 96 s a run."]
    for factor, work in ((150.0, 1.0), (96.0, 1.6)):
        assert len(cost(factor, work).cost.front) == 2


def test_compute_is_stated_once_over_every_complete_run() -> None:
    findings = made_findings(
        lambda s: 0.5,
        models=("resnet18",),
        fractions=("1/16",),
        inits=("none",),
        missing=lambda s: s["seed"] == 2,
    )
    compute = findings.cost.compute
    assert compute is not None
    assert (compute.runs, compute.training, compute.whole) == pytest.approx((2, 34.8444, 40.8444), abs=1e-3)
    assert texts(findings)[0] == "2 runs took 41 s of job time, 35 s of it training."


def test_runs_on_two_kinds_of_machine_have_no_front() -> None:
    study = made_study(lambda s: SHARES[s["fraction"]], models=("resnet18",), inits=("none",))
    study.runs[0].text["precision"] = "bfloat16"  # type: ignore[index]
    findings = find_all(study)
    assert len(findings.setup.machines) == 2
    assert findings.cost.front == []


def test_weights_from_elsewhere_are_said_to_be_free_and_nothing_is_added() -> None:
    findings = made_findings(lambda s: 0.5, models=("resnet18",), inits=("none", "IMAGENET1K_V1"))
    prices = {findings.grid.cells[each.cell].init: each for each in findings.cost.prices}
    assert prices["none"].pretrained is Pretrained.NONE
    assert prices["IMAGENET1K_V1"].pretrained is Pretrained.UNKNOWN
    assert prices["IMAGENET1K_V1"].pretraining == 0
    assert any(text.startswith("Weights from elsewhere are free here") for text in texts(findings))


def test_a_study_without_a_result_has_no_cost() -> None:
    findings = made_findings(lambda s: 0.5, missing=lambda s: True)
    assert findings.cost.missing is Missing.NO_TIMES
    assert say(findings).everything == ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two seeds whose weights come from an upstream stage."""
    root = tmp_path_factory.mktemp("study")
    study = collected(root, models=("resnet18",), seeds=(0, 1))
    record = read_json(study / "study.json")
    record["weights"]["glyphs"]["upstream"] = {
        "task": "classes",
        "dataset": "glyphs",
        "dataset_title": "Letters and digits",
        "settings": {"epochs": 5},
        "runs": [
            "glyphs_resnet18-1c2d3e4f",
            "glyphs_resnet18-5a6b7c8d",
        ],  # the second for another size of image
    }
    for planned in record["runs"]:
        planned["weights"] = None if planned["settings"]["init"] == "none" else "glyphs_resnet18-1c2d3e4f"
    write_json(study / "study.json", record)
    run = next(
        path for path in sorted((study / "runs").iterdir()) if path.name.startswith("resnet18_none_f1_")
    )
    for name in ("glyphs_resnet18-1c2d3e4f", "glyphs_resnet18-5a6b7c8d"):
        upstream = root / "weights" / name
        upstream.mkdir(parents=True)
        write_record(upstream / "run.json", read_record(run / "run.json"))
        (upstream / "metrics.csv").write_bytes((run / "metrics.csv").read_bytes())
    write_findings(study)
    return study


def test_the_seconds_of_the_pretraining_are_added_to_each_setting_that_uses_it_and_counted_once(
    folder: Path,
) -> None:
    findings = Inputs(folder).findings
    seconds = read_record(
        folder.parent.parent / "weights" / "glyphs_resnet18-1c2d3e4f" / "run.json"
    ).train_seconds
    for price in findings.cost.prices:
        pretrained = findings.grid.cells[price.cell].init == "glyphs"
        assert price.pretraining == (seconds if pretrained else 0.0)
        assert price.seconds == price.own + price.pretraining
        assert price.pretrained is (Pretrained.COUNTED if pretrained else Pretrained.NONE)
    assert findings.cost.compute is not None
    assert findings.cost.compute.pretraining == 2 * seconds, "both stages were trained for this study"
    assert "the pretraining took" in texts(findings)[0]
    assert "Times of pretrained settings include their pretraining." in texts(findings)


def test_the_numbers_of_the_section_are_those_of_the_runs_that_they_name(
    folder: Path, tmp_path: Path
) -> None:
    section = show(Page(Inputs(folder), tmp_path))
    assert section is not None
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows: dict[str, Any] = {row["run"]: row for row in csv.DictReader(file)}
    (table,) = (block for block in section.blocks if isinstance(block, view.Table))
    seen = set()
    for cell in (cell for row in table.rows for cell in row.cells if cell.measure):
        seen.add(cell.measure)
        assert cell.value == pytest.approx(
            float(np.mean([float(rows[run][cell.measure]) for run in cell.runs]))
        )
    assert seen == {"training_gmacs", "train_seconds", "images_per_second", "peak_memory_mb", "test_accuracy"}


def test_the_figure_shows_each_setting_at_its_price_with_the_best_reported_number_as_a_line(
    tmp_path: Path,
) -> None:
    row = {"model": "resnet18", "init": "none", "fraction": "1", "test_accuracy": 0.93}
    study = collected(
        tmp_path, models=("resnet18",), seeds=(0, 1), references=[{"title": "A report", "rows": [row]}]
    )
    write_findings(study)
    inputs = Inputs(study)
    drawing = draw("cost", inputs)
    assert len(drawing.wide.rows) == len(inputs.findings.cost.prices)
    assert "the highest reported number, 93.0 %" in drawing.wide.caption
    (axes,) = drawing.wide.figure.axes
    assert axes.get_ylim()[1] > 0.93
    assert drawing.narrow is not None


def test_the_whole_is_never_less_than_its_training() -> None:
    """Records of resumed runs had the seconds of their last process alone in the total once."""
    study = made_study(lambda settings: 0.6, seeds=(0,))
    for run in study.runs:
        run.values["total_seconds"] = 1.0  # type: ignore[index]
    compute = find_all(study).cost.compute
    assert compute is not None
    assert compute.whole == compute.training
