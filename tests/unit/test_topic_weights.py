"""The topic of initial weights: readings from opposite data, one wording for each, figures and tables."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import Settings, made_findings
from synthetic import collected

from scalestudy.files import read_json, write_json
from scalestudy.findings.model import Balance, Direction, Stance
from scalestudy.report import wording
from scalestudy.report.figures.drawing import save
from scalestudy.report.names import Names
from scalestudy.results.record import read_record, write_record
from scalestudy.topics import figure_names, weights
from scalestudy.topics.drawing import draw
from scalestudy.topics.findings import Findings, write_findings
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.page import Page
from scalestudy.topics.weights.find import Missing, Order, Pretraining, Why, effective_data
from scalestudy.topics.weights.say import pretraining, say
from scalestudy.topics.weights.show import show

SIZES = {"1/16": 0, "1/2": 1, "1": 2}


def found(gain: Any, *, spread: float = 0.002, seed: int = 0, **options: Any) -> Findings:
    """Return the findings of a study where the weights add `gain` (or gain(settings)) to a climbing curve."""
    rng = np.random.default_rng(seed)

    def result(settings: Settings) -> float:
        own = gain(settings) if callable(gain) else gain
        base = 0.4 + 0.1 * SIZES[settings["fraction"]] + (0.02 if settings["model"] == "resnet50" else 0.0)
        return base + (own if settings["init"] != "none" else 0.0) + spread * float(rng.standard_normal())

    return made_findings(result, **options)


def reading(findings: Findings) -> Balance:
    (claim,) = findings.weights.balance
    return claim.reading


CASES = {
    Balance.HIGHER: (
        0.1,
        "Models pretrained on rendered letters and digits beat those from scratch in all six pairs",
    ),
    Balance.LOWER: (
        -0.1,
        "Models pretrained on rendered letters and digits stay below those from scratch in all six",
    ),
    Balance.LEVEL: (
        0.0,
        "Models pretrained on rendered letters and digits are not distinguishable from those from",
    ),
    Balance.SOME_HIGHER: (
        lambda s: 0.1 if s["fraction"] == "1/16" else 0.0,
        "beat those from scratch in two of six pairs; four are undecided",
    ),
    Balance.SOME_LOWER: (
        lambda s: -0.1 if s["fraction"] == "1/16" else 0.0,
        "stay below those from scratch in two of six pairs; four are undecided",
    ),
    Balance.BOTH: (
        lambda s: 0.1 if s["fraction"] == "1/16" else -0.1,
        "beat those from scratch in two of six pairs and stay below them in four",
    ),
}


@pytest.mark.parametrize("expected", CASES)
def test_what_the_weights_are_worth_is_read_from_all_pairs_and_said_once(expected: Balance) -> None:
    gain, words = CASES[expected]
    findings = found(gain)
    assert reading(findings) is expected
    (lead,) = say(findings).lead
    assert words in lead.text
    assert set(lead.evidence.differences) == set(findings.weights.balance[0].evidence.differences)


def test_one_run_each_is_no_verdict_and_says_so() -> None:
    findings = found(0.1, seeds=(0,))
    assert reading(findings) is Balance.UNTESTED
    (lead,) = say(findings).lead
    assert lead.text.startswith(
        "In the one run of each, models pretrained on rendered letters and digits are +"
    )
    assert lead.text.endswith("against those from scratch: undecided.")


@pytest.mark.parametrize(
    ("slope", "direction", "words"),
    [
        (-0.05, Direction.FALLS, "The gain of the two models falls by"),
        (0.05, Direction.RISES, "The gain of the two models rises by"),
        (0.0, Direction.LEVEL, "shows no trend beyond the run-to-run spread as labelled images are added"),
    ],
)
def test_the_trend_of_the_gain_is_tested_over_every_size(
    slope: float, direction: Direction, words: str
) -> None:
    findings = found(lambda settings: 0.2 + slope * SIZES[settings["fraction"]])
    assert {each.trend.direction for each in findings.weights.trends} == {direction}
    assert all(len(each.trend.points) == 3 for each in findings.weights.trends)
    assert words in say(findings).points[0].text


def test_a_gain_that_goes_up_and_down_is_no_trend() -> None:
    """ResNet-50's gains were 4.0, 9.1 and 3.8 points: read at the ends, they "do not change"."""
    gains = {"1/16": 0.040, "1/2": 0.091, "1": 0.038}
    findings = found(lambda settings: gains[settings["fraction"]])
    assert {each.trend.direction for each in findings.weights.trends} == {Direction.UNSTEADY}
    assert say(findings).points[0].text == (
        "The gain of the two models goes up and down as labelled images are added."
    )
    noisy = found(lambda settings: gains[settings["fraction"]], spread=0.03)
    assert {each.trend.direction for each in noisy.weights.trends} == {Direction.LEVEL}


def test_effective_data_are_read_off_the_curve_and_bounded_beyond_it() -> None:
    curve = [(100.0, 0.2), (400.0, 0.6)]
    assert effective_data(curve, 0.4) == (pytest.approx(200.0), None)
    assert effective_data(curve, 0.7) == (None, "above")
    assert effective_data(curve, 0.1) == (None, "below")
    with pytest.raises(ValueError, match="two points"):
        effective_data(curve[:1], 0.4)


def test_effective_data_are_said_in_labelled_images() -> None:
    findings = found(0.05, models=("resnet18",))
    texts = [each.text for each in say(findings).points if "training from scratch" in each.text]
    (row, *_) = findings.weights.effective
    assert row.images is not None
    images = wording.count(wording.rounded(row.images))
    assert texts == [
        f"With 1/16 of the data, ResNet-18 pretrained on rendered letters and digits has the mean accuracy of training "
        f"from scratch on about {images} labelled images, {row.images / 3125:.1f} times as many."
    ]
    above = found(0.5, models=("resnet18",))
    assert above.weights.effective[0].bound == "above"
    assert "has a higher mean accuracy than training from scratch on 50,000 labelled images" in (
        say(above).points[1].text
    )
    open_gain = found(0.05, models=("resnet18",), spread=0.05)
    assert not any(
        "labelled images" in each.text and "mean accuracy" in each.text for each in say(open_gain).points
    )


def test_the_order_of_models_is_open_where_one_size_is_not_decided() -> None:
    def order(large: Any) -> tuple[Order, tuple[str, ...], str]:
        findings = found(lambda s: large(s) if s["model"] == "resnet50" else 0.0)
        (claim,) = findings.weights.order
        text = next(each.text for each in say(findings).points if "order" in each.text)
        return claim.reading, claim.subjects[1:], text

    same = order(lambda s: 0.1)
    assert same[:2] == (Order.SAME, ())
    assert same[2].startswith("On each training-set size the models stand in the same order pretrained on")
    changed = order(lambda s: -0.1 if s["fraction"] == "1" else 0.1)
    assert changed[:2] == (Order.CHANGES, ("1",))
    assert changed[2].startswith("On all data the models stand in different orders")
    undecided = order(lambda s: -0.02 if s["fraction"] == "1" else 0.1)
    assert undecided[:2] == (Order.OPEN, ())
    assert undecided[2].endswith("is not decided.")


def test_of_three_models_the_largest_and_the_smallest_are_said_to_stand_in_an_order() -> None:
    findings = found(
        lambda s: 0.1 if s["model"] == "resnet50" else 0.0, models=("resnet18", "resnet34", "resnet50")
    )
    text = next(each.text for each in say(findings).points if "order" in each.text)
    assert text.startswith(
        "On each training-set size the largest and the smallest model stand in the same order"
    )


def test_weights_of_unknown_pretraining_have_no_control_however_long_runs_from_scratch_are() -> None:
    findings = found(lambda s: 0.1 * (s["init"] == "glyphs"), recipes=({}, {"steps": 1}))
    assert findings.weights.controls == ()
    assert findings.weights.matched == ()


def stances(findings: Findings) -> dict[Why, Stance]:
    (own,) = findings.weights.reasons
    return {each.reason: each.stance for each in own.reasons}


def said(findings: Findings) -> str:
    return " ".join(each.text for each in say(findings).synthesis)


def test_reasons_are_judged_by_the_runs() -> None:
    helps = found(lambda s: 0.2 - 0.05 * SIZES[s["fraction"]])
    assert stances(helps)[Why.FEATURES] is Stance.FOR
    assert "help more where labelled images are fewer" in said(helps)
    hurts = found(-0.1)
    assert stances(hurts)[Why.FEATURES] is Stance.AGAINST
    assert stances(hurts)[Why.UNSUITED_RECIPE] is Stance.FOR  # training accuracy falls with test accuracy
    assert "A lower learning rate would tell" in said(hurts)
    level = found(0.0)
    assert stances(level)[Why.FEATURES] is Stance.OPEN
    assert "These runs do not decide about useful features" in said(level)


def test_useful_features_need_one_model_that_gains_and_gains_more_on_fewer_images() -> None:
    """ResNet-18 is helped, everywhere alike; ResNet-50 nowhere beyond noise, yet with a trend."""
    gains = {"resnet18": (0.05, 0.05, 0.05), "resnet50": (0.016, 0.0, -0.016)}

    def result(own: Settings) -> float:
        gain = gains[own["model"]][SIZES[own["fraction"]]] if own["init"] != "none" else 0.0
        return 0.5 + 0.1 * SIZES[own["fraction"]] + gain + 0.01 * (own["seed"] - 1)

    findings = made_findings(result)
    helped = {
        findings.grid.cells[each.b.cell].model
        for each in findings.grid.of(findings.weights.balance[0].evidence.differences)
        if each.verdict.value == "higher"
    }
    falling = {each.model for each in findings.weights.trends if each.trend.direction is Direction.FALLS}
    assert (helped, falling) == ({"resnet18"}, {"resnet50"})
    assert stances(findings)[Why.FEATURES] is Stance.OPEN


def test_a_faster_start_and_less_overfitting_are_asked_only_where_the_weights_help() -> None:
    hurts = stances(found(-0.1))
    assert Why.FASTER not in hurts
    assert Why.LESS_OVERFITTING not in hurts


def test_several_kinds_of_weights_are_counted_together_on_the_first_screen() -> None:
    findings = found(lambda s: 0.1 if s["init"] == "glyphs" else -0.1, inits=("none", "glyphs", "digits"))
    answer = say(findings).answer
    assert answer is not None
    assert (
        answer[0].text
        == "Two kinds of weights against from scratch: higher in six and lower in six of twelve pairs."
    )
    assert say(found(0.1)).answer is None


def test_a_lead_that_shrinks_over_the_epochs_speaks_for_a_faster_start() -> None:
    def course(first: float) -> Stance:
        findings = found(
            0.05,
            curve=lambda s, last: np.linspace(0.1 + (first if s["init"] != "none" else 0.0), last, 5),
        )
        (own,) = findings.weights.courses
        assert own.first == pytest.approx(first)
        assert own.last == pytest.approx(own.first + own.change.value)
        return stances(findings)[Why.FASTER]

    assert course(0.2) is Stance.FOR
    assert course(0.01) is Stance.AGAINST


def test_a_smaller_gap_with_the_weights_speaks_for_less_overfitting() -> None:
    rng = np.random.default_rng(3)

    def stance(change: float) -> Stance:
        findings = found(
            0.05,
            gap=lambda s: (
                0.15 + (change if s["init"] != "none" else 0.0) + 0.002 * float(rng.standard_normal())
            ),
        )
        return stances(findings)[Why.LESS_OVERFITTING]

    assert [stance(change) for change in (-0.1, 0.1, 0.0)] == [Stance.FOR, Stance.AGAINST, Stance.OPEN]


def test_without_anything_to_compare_nothing_is_said_and_the_section_is_left_out() -> None:
    for inits, reason in ((("none",), Missing.ONLY_SCRATCH), (("glyphs",), Missing.NO_SCRATCH)):
        findings = found(0.1, inits=inits)
        assert findings.weights.missing is reason
        assert say(findings).lead == say(findings).points == ()
    gone = found(0.1, missing=lambda s: s["init"] == "glyphs")
    assert gone.weights.missing is Missing.NO_PAIR


def pretrained_on_all_of_it(root: Path, study: Path) -> None:
    """Let the weights of a study come from an upstream stage on its own images, as long as a run on all data."""
    record = read_json(study / "study.json")
    record["weights"]["glyphs"]["upstream"] = {
        "task": "rotation",
        "dataset": record["dataset"]["name"],
        "dataset_title": "Made-up digits",
        "settings": {"epochs": 5},
        "runs": ["glyphs_resnet18-1c2d3e4f"],
    }
    write_json(study / "study.json", record)
    run = next(
        path
        for path in sorted((study / "runs").glob("resnet18_none_f1_*"))
        if read_record(path / "run.json").settings.epochs == 5
    )
    upstream = root / "weights" / "glyphs_resnet18-1c2d3e4f"
    upstream.mkdir(parents=True)
    write_record(upstream / "run.json", read_record(run / "run.json"))
    (upstream / "metrics.csv").write_bytes((run / "metrics.csv").read_bytes())
    write_findings(study)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two seeds with an upstream stage on the study's own images, and one run that failed."""
    root = tmp_path_factory.mktemp("study")
    study = collected(root, seeds=(0, 1), broken={"resnet50_none_f1of2_": "failed"})
    pretrained_on_all_of_it(root, study)
    return study


def test_what_the_pretraining_saw_is_found_in_its_own_files_and_said(folder: Path) -> None:
    inputs = Inputs(folder)
    (made,) = inputs.findings.weights.pretraining
    upstream = folder.parent.parent / "weights" / "glyphs_resnet18-1c2d3e4f"
    record = read_record(upstream / "run.json")
    assert (made.images, made.steps, made.seconds) == (
        record.subset.images,
        record.steps,
        record.train_seconds,
    )
    last = list(csv.DictReader((upstream / "metrics.csv").open(encoding="utf-8")))[-1]
    assert made.accuracy == float(last["test_accuracy"])
    assert (made.own_images, made.labels_used, made.task) == (True, False, "rotation")
    sentence = say(inputs.findings).points[-1]
    assert sentence.text == (
        "Pretraining on rendered letters and digits took ResNet-18 through 640 of the study's own training images, "
        "without their labels, for 100 steps."
    )
    assert stances(inputs.findings)[Why.MORE_TRAINING] is Stance.OPEN


MATCHED = {  # by how much the longer training from scratch gains
    0.0: (
        Balance.LOWER,
        Stance.AGAINST,
        "is lower in both pairs, against models pretrained on rendered letters and digits.",
    ),
    0.3: (
        Balance.HIGHER,
        Stance.FOR,
        "is higher in both pairs, against models pretrained on rendered letters and digits.",
    ),
}


@pytest.mark.parametrize("longer", MATCHED)
def test_a_control_from_scratch_that_saw_as_many_images_in_all_is_held_against_the_weights(
    tmp_path: Path, longer: float
) -> None:
    def accuracy(settings: Settings) -> float:
        noise = 0.01 * settings["seed"]
        return 0.4 + 0.2 * (settings["init"] == "glyphs") + longer * (settings["epochs"] > 5) + noise

    control = {"init": ["none"], "epochs": [10], "fraction": ["1"]}
    study = collected(
        tmp_path,
        seeds=(0, 1, 2),
        fractions=("1/2", "1"),
        models=("resnet18",),
        accuracy=accuracy,
        extra={"control": control, "half": {**control, "epochs": [15], "fraction": ["1/2"]}},
    )
    pretrained_on_all_of_it(tmp_path, study)
    inputs = Inputs(study)
    own = inputs.findings.weights
    reading, stance, words = MATCHED[longer]
    cells = inputs.findings.grid.cells
    assert {(each.fraction, cells[each.scratch].epochs) for each in own.controls} == {("1/2", 15), ("1", 10)}
    assert [claim.reading for claim in own.matched] == [reading]
    assert stances(inputs.findings)[Why.MORE_TRAINING] is stance
    assert any(text.text.endswith(words) for text in say(inputs.findings).points)
    assert inputs.findings.limits.unmatched == ()
    section = show(Page(inputs, tmp_path))
    assert section is not None
    assert "table-init_matched" in [getattr(block, "id", "") for block in section.blocks]
    assert section.could_add == ()


def test_without_a_control_the_report_says_how_to_get_one(folder: Path) -> None:
    section = show(Page(Inputs(folder), folder))
    assert section is not None
    (wish,) = section.could_add
    assert "`steps: 200` on all data, which sees the pretraining's 3,200 images as well" in wish.text


def test_braces_in_a_title_are_letters_and_models_that_saw_the_same_share_a_sentence() -> None:
    seen = {"source": "upstream", "dataset": "{data} {0}", "images": 640, "steps": 100, "labels_used": True}
    made = [Pretraining(init="mine", model=model, **seen) for model in ("resnet18", "resnet50")]
    (sentence,) = pretraining(Names({"mine": "pretrained on {x}"}), made)
    assert sentence.text == (
        "Pretraining on {x} took ResNet-18 and ResNet-50 through 640 images ({data} {0}), with their labels, for 100 "
        "steps."
    )


def test_the_numbers_of_the_section_are_those_of_the_runs_that_they_name(
    folder: Path, tmp_path: Path
) -> None:
    inputs = Inputs(folder)
    for name in figure_names(inputs.study):
        save(draw(name, inputs), name, tmp_path)
    page = Page(inputs, tmp_path)
    section = show(page)
    assert section is not None
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}

    def column(name: str, runs: tuple[str, ...]) -> float:
        return float(np.mean([float(rows[run][name]) for run in runs]))

    seen = set()
    folded = [each for block in section.blocks if block.kind == "details" for each in block.blocks]
    tables = [each for each in (*section.blocks, *folded) if each.kind == "table"]
    for block in tables:
        for cell in (cell for row in block.rows for cell in row.cells if cell.measure):
            seen.add(cell.measure)
            assert cell.value is not None
            if cell.measure == "difference":
                first = tuple(run for run in cell.runs if rows[run]["init"] == "none")
                second = tuple(run for run in cell.runs if run not in first)
                expected = column("test_accuracy", second) - column("test_accuracy", first)
                assert cell.text == wording.bare_points(expected)
            else:
                expected = column(cell.measure, cell.runs)
            assert cell.value == pytest.approx(expected)
    assert {"test_accuracy", "difference", "train_images"} <= seen
    states = {run for run, row in rows.items() if row["state"] != "complete"}
    gone = {run for b in tables for r in b.rows for c in r.cells if c.tone == "gone" for run in c.runs}
    assert gone == states


def test_figures_hold_the_values_of_their_runs_and_describe_the_picture(folder: Path) -> None:
    inputs = Inputs(folder)
    for card in weights.TOPIC.figures:
        sheet = draw(card.name, inputs).wide
        assert not sheet.missing
        assert sheet.rows
        assert len(sheet.rows[0]) == len(sheet.columns)
        assert sheet.alt.endswith(".")
        assert not any(word in sheet.alt for word in ("higher", "beats", "gain of ResNet"))
        assert {run for mark in sheet.marks for run in mark.runs} <= {
            run for cell in inputs.findings.grid.cells.values() for run in cell.runs
        }
    gains = draw("init_gain", inputs).wide
    for row in gains.rows:
        named = dict(zip(gains.columns, row, strict=True))
        own = inputs.findings.grid.at(str(named["model"]), str(named["init"]), str(named["fraction"]))
        scratch = inputs.findings.grid.at(str(named["model"]), "none", str(named["fraction"]))
        assert own is not None
        assert scratch is not None
        assert named["gain"] == pytest.approx((own.value or 0) - (scratch.value or 0))


def test_a_study_without_a_pair_draws_the_reason(tmp_path: Path) -> None:
    study = collected(tmp_path, broken={"resnet18_glyphs": "missing", "resnet50_glyphs": "missing"})
    write_findings(study)
    sheet = draw("init_gain", Inputs(study)).wide
    assert "No pair of complete runs" in sheet.missing
