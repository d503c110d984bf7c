"""Topics of training-set size, model size, steps, overfitting, the textbook figure: opposite data, other readings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made import Settings, made_findings
from report_study import rendered
from synthetic import collected

from scalestudy.files import read_json
from scalestudy.findings.model import Balance, Direction, Stance
from scalestudy.report.figures.drawing import save
from scalestudy.topics import data_size, expectation, figure_names, model_size, overfitting, steps
from scalestudy.topics.data_size.find import Budget, Unfitted, bend_weights
from scalestudy.topics.drawing import draw
from scalestudy.topics.expectation.find import Figure, Why
from scalestudy.topics.findings import Findings, write_findings
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.overfitting.find import Course, is_unstable
from scalestudy.topics.page import Page
from scalestudy.topics.steps.find import Missing, NotRead, Reading, accuracy_at

SIZES = {"1/16": 0, "1/8": 1, "1/4": 2, "1/2": 3, "1": 4}
OURS = (expectation, data_size, model_size, steps, overfitting)


def found(result: Callable[[Settings], float], *, spread: float = 0.002, **options: object) -> Findings:
    rng = np.random.default_rng(0)
    return made_findings(lambda own: result(own) + spread * float(rng.standard_normal()), **options)  # type: ignore[arg-type]


def of_size(gain: float) -> Callable[[Settings], float]:
    return lambda own: 0.5 + gain * SIZES[own["fraction"]]


def test_a_study_of_one_point_says_first_what_it_reaches() -> None:
    one = found(lambda own: 0.9, models=("resnet18",), inits=("none",), fractions=("1",))
    (lead,) = data_size.TOPIC.part("say").say(one).lead
    (cell,) = one.grid.cells.values()
    assert cell.result is not None
    assert cell.result.interval is not None
    low, high = (f"{100 * bound:.1f}" for bound in (cell.result.interval.low, cell.result.interval.high))
    reached = f"{100 * cell.result.value:.1f} % on all data, 95 % interval {low} to {high}"
    assert lead.text == f"ResNet-18 from scratch reaches a test accuracy of {reached}."
    single = found(lambda own: 0.9, models=("resnet18",), inits=("none",), fractions=("1",), seeds=(0,))
    (lead,) = data_size.TOPIC.part("say").say(single).lead
    assert "interval" not in lead.text
    assert data_size.TOPIC.part("say").say(found(lambda own: 0.9, fractions=("1",))).lead == ()


@pytest.mark.parametrize(
    ("gain", "balance", "direction", "words"),
    [
        (
            0.05,
            Balance.HIGHER,
            Direction.RISES,
            "More images raise test accuracy in all eight steps, by",
        ),
        (
            -0.05,
            Balance.LOWER,
            Direction.FALLS,
            "More images lower test accuracy in all eight steps, by",
        ),
        (
            0.0,
            Balance.LEVEL,
            Direction.LEVEL,
            "Test accuracy does not change beyond the run-to-run spread in all eight",
        ),
    ],
)
def test_more_images_are_read_from_every_step_and_the_trend_over_all_sizes(
    gain: float, balance: Balance, direction: Direction, words: str
) -> None:
    findings = found(of_size(gain))
    assert findings.data_size.balance is not None
    assert findings.data_size.balance.reading is balance
    assert {each.trend.direction for each in findings.data_size.trends} == {direction}
    (lead,) = data_size.TOPIC.part("say").say(findings).lead
    assert lead.text.startswith(words)


def test_one_run_each_decides_nothing_about_size() -> None:
    findings = found(of_size(0.1), seeds=(0,))
    assert findings.data_size.balance is not None
    assert findings.data_size.balance.reading is Balance.UNTESTED
    (lead,) = data_size.TOPIC.part("say").say(findings).lead
    assert lead.text.startswith("In the one run of each, a step to more images brings")
    assert "undecided" in lead.text
    assert all(each.test is None for each in findings.grid.differences.values())


def test_runs_too_few_for_a_spread_are_not_called_one_run_each() -> None:
    findings = found(of_size(0.1), seeds=lambda own: (0, 1) if own["fraction"] == "1/16" else (0,))
    few = found(of_size(0.1), models=("resnet18",), inits=("none",), fractions=("1/2", "1"), spread=0.0)
    for each in (findings, few):
        leads = [topic.TOPIC.part("say").say(each).lead for topic in (data_size, model_size)]
        texts = [sentence.text for lead in leads for sentence in lead]
        assert not any("In the one run of each" in text for text in texts)
    assert data_size.TOPIC.part("say").say(few).lead[0].text.startswith("With too few runs to decide")


@pytest.mark.parametrize(
    ("curve", "direction"),
    [
        (lambda x: 0.3 + 0.3 * (1 - 0.5**x), Direction.FALLS),
        (lambda x: 0.3 + 0.02 * x**2, Direction.RISES),
        (lambda x: 0.3 + 0.1 * x, Direction.LEVEL),
    ],
)
def test_returns_are_read_from_the_bend_over_all_sizes(
    curve: Callable[[float], float], direction: Direction
) -> None:
    findings = found(lambda own: curve(SIZES[own["fraction"]]), fractions=tuple(SIZES))
    assert findings.data_size.returns is not None
    assert findings.data_size.returns.bend.direction is direction


def test_the_bend_of_a_parabola_is_its_coefficient_and_that_of_a_line_is_zero() -> None:
    xs = [0.0, 3.0, 4.0, 6.0]
    weights = bend_weights(xs)
    assert sum(w * (2 * x**2 - x + 1) for w, x in zip(weights, xs, strict=True)) == pytest.approx(2)
    assert sum(w * (5 * x + 1) for w, x in zip(weights, xs, strict=True)) == pytest.approx(0)


def test_a_power_law_needs_four_sizes_and_is_found_again_where_there_are_five() -> None:
    few = found(of_size(0.05))
    assert {each.unfitted for each in few.data_size.scaling} == {Unfitted.FEW_SIZES}
    many = found(
        lambda own: 1 - (4 * (50_000 * 2 ** (SIZES[own["fraction"]] - 4)) ** -0.3 + 0.05),
        fractions=tuple(SIZES),
        spread=0.0005,
    )
    fits = [each.fit for each in many.data_size.scaling]
    for fit in fits:
        assert fit is not None
        assert fit.b.low < 0.3 < fit.b.high
        assert fit.predicted is not None
        assert abs(fit.predicted - fit.observed) < 0.02
    four = found(
        lambda own: 1 - (4 * (50_000 * 2 ** (SIZES[own["fraction"]] - 4)) ** -0.3 + 0.05),
        fractions=("1/16", "1/8", "1/4", "1/2"),
        spread=0.0005,
    )
    assert all(each.fit is None or each.fit.predicted is None for each in four.data_size.scaling)
    level = found(of_size(0.0), fractions=tuple(SIZES))
    assert {each.unfitted for each in level.data_size.scaling} == {Unfitted.NO_FALL}


@pytest.mark.parametrize(
    ("distance", "balance", "words"),
    [
        (0.05, Balance.HIGHER, "ResNet-50 beats ResNet-18 in all six pairs"),
        (-0.05, Balance.LOWER, "ResNet-50 stays below ResNet-18 in all six pairs"),
        (0.0, Balance.LEVEL, "ResNet-50 is not distinguishable from ResNet-18 in all six pairs"),
    ],
)
def test_the_larger_model_is_read_from_all_pairs(distance: float, balance: Balance, words: str) -> None:
    findings = found(lambda own: 0.5 + (distance if own["model"] == "resnet50" else 0.0))
    (claim,) = findings.model_size.balance
    assert claim.reading is balance
    (lead,) = model_size.TOPIC.part("say").say(findings).lead
    assert lead.text.startswith(words)


def test_a_distance_that_shrinks_with_data_is_a_trend_and_one_that_wavers_is_none() -> None:
    def result(own: Settings, by: dict[str, float]) -> float:
        return 0.5 + (by[own["fraction"]] if own["model"] == "resnet50" else 0.0)

    falls = found(lambda own: result(own, {"1/16": 0.2, "1/2": 0.1, "1": 0.0}))
    wavers = found(lambda own: result(own, {"1/16": 0.0, "1/2": 0.1, "1": -0.1}))
    assert {each.trend.direction for each in falls.model_size.trends} == {Direction.FALLS}
    assert {each.trend.direction for each in wavers.model_size.trends} == {Direction.UNSTEADY}


def test_steps_that_equal_each_other_leave_no_question() -> None:
    findings = found(of_size(0.05), recipes=({"steps": 100, "epochs": 5},))
    assert findings.data_size.budget is Budget.STEPS
    assert findings.steps.missing is Missing.EQUAL_ALREADY
    assert not steps.TOPIC.part("say").say(findings).points


def _curves(early: float) -> Callable[[Settings, float], list[float]]:
    """Twenty epochs: the last test accuracy is reached early (by data) or late (by steps)."""
    return lambda own, last: [last * (1 - (1 - early) * (1 - k / 19)) for k in range(20)]


def test_data_and_steps_are_told_apart_by_the_curves_at_equal_steps() -> None:
    by_data = found(of_size(0.08), curve=_curves(0.99), fractions=("1/2", "1"))
    by_steps = found(of_size(0.08), curve=_curves(0.2), fractions=("1/2", "1"))
    assert by_data.steps.read is not None
    assert by_data.steps.read.reading is Reading.DATA
    assert by_steps.steps.read is not None
    assert by_steps.steps.read.reading is Reading.STEPS
    assert by_steps.steps.read.by_steps.direction is Direction.RISES


def test_two_equal_parts_are_not_told_apart_whichever_is_larger_by_chance() -> None:
    """Ten points between two sizes, of which five are there at equal steps."""
    readings = []
    for seed in range(12):
        rng = np.random.default_rng(seed)

        def curve(own: Settings, last: float) -> list[float]:
            ends = last if own["fraction"] == "1/2" else last - 0.05
            return [ends] * 10 + [last] * 10 if own["fraction"] == "1" else [last] * 20

        findings = made_findings(
            lambda own: 0.5 + 0.1 * (own["fraction"] == "1") + 0.01 * float(rng.standard_normal()),  # noqa: B023
            curve=curve,
            fractions=("1/2", "1"),
        )
        assert findings.steps.read is not None
        readings.append(findings.steps.read.reading)
    assert readings.count(Reading.OPEN) >= 9


def test_a_curve_is_not_read_across_a_jump_nor_under_a_schedule() -> None:
    def jumping(own: Settings, last: float) -> list[float]:
        return [last - 0.3 * (k % 2) for k in range(5)]

    jumps = found(of_size(0.01), curve=jumping, fractions=("1/4", "1"))
    assert {each.not_read for each in jumps.steps.pairs} <= {NotRead.JUMP, NotRead.LATE}
    planned = found(of_size(0.05), recipes=({"schedule": "onecycle"},), fractions=("1/2", "1"))
    assert {each.not_read for each in planned.steps.pairs} == {NotRead.SCHEDULE}
    assert planned.steps.read is None


def test_a_curve_is_linear_between_measured_steps_and_unknown_outside() -> None:
    assert accuracy_at([10, 20], [0.2, 0.4], 15) == pytest.approx(0.3)
    assert accuracy_at([10, 20], [0.2, 0.4], 5) is None
    assert accuracy_at([10, 20], [0.2, 0.4], 25) is None


@pytest.mark.parametrize(
    ("curve", "unstable"),
    [
        ([0.47, 0.39, 0.52, 0.42, 0.50], True),
        ([0.30, 0.50, 0.58, 0.62, 0.63], False),
        ([0.60, 0.58, 0.55, 0.50, 0.45], False),
        ([0.600, 0.595, 0.601, 0.597, 0.600], False),
    ],
)
def test_a_curve_that_falls_and_rises_is_unstable_and_one_that_bends_is_not(
    curve: list[float], unstable: bool
) -> None:
    assert is_unstable(curve, 10_000) is unstable


def test_improving_falling_undecided_and_unstable_are_told_apart() -> None:
    climbing = found(of_size(0.05), curve=lambda own, last: list(np.linspace(0.1, last, 5)))
    rng = np.random.default_rng(4)
    level = found(
        of_size(0.05),
        curve=lambda own, last: [0.1, *(last + 0.004 * float(rng.standard_normal()) for _ in range(4))],
    )
    falling = found(of_size(0.05), curve=lambda own, last: [*[1.2 * last] * 4, last])
    jumping = found(of_size(0.05), curve=lambda own, last: [0.1, last, last - 0.2, last, last])
    for findings, course in (
        (climbing, Course.IMPROVING),
        (level, Course.UNDECIDED),
        (falling, Course.FALLING),
        (jumping, Course.UNSTABLE),
    ):
        assert {each.course for each in findings.overfitting.ended} == {course}


def test_the_gap_is_that_of_evaluation_mode_and_its_trend_is_tested() -> None:
    rng = np.random.default_rng(3)
    shrinking = found(
        of_size(0.05),
        gap=lambda own: 0.3 - 0.06 * SIZES[own["fraction"]] + 0.002 * float(rng.standard_normal()),
    )
    assert shrinking.overfitting.trend is not None
    assert shrinking.overfitting.trend.direction is Direction.FALLS
    assert shrinking.overfitting.gaps[0].gap == pytest.approx(0.3, abs=0.01)


def test_a_mean_gap_over_series_that_go_different_ways_has_no_trend_of_its_own() -> None:
    rng = np.random.default_rng(3)

    def gap(own: Settings) -> float:
        slope = 0.08 if own["model"] == "resnet50" else -0.03
        return 0.3 + slope * SIZES[own["fraction"]] + 0.002 * float(rng.standard_normal())

    findings = found(of_size(0.05), gap=gap)
    assert findings.overfitting.trend is not None
    assert findings.overfitting.trend.value > 0
    assert findings.overfitting.trend.direction is Direction.UNSTEADY
    texts = [each.text for each in overfitting.TOPIC.part("say").say(findings).points]
    assert "The gap grows with the images in some series and shrinks in others." in texts


def test_a_mean_gap_is_that_of_the_same_series_on_every_fraction() -> None:
    findings = found(
        of_size(0.05),
        gap=lambda own: 0.4 if own["model"] == "resnet50" else 0.1,
        missing=lambda own: own["model"] == "resnet50" and own["fraction"] == "1",
    )
    assert [each.gap for each in findings.overfitting.gaps] == pytest.approx([0.1, 0.1, 0.1])


def test_a_mean_over_pairs_that_go_different_ways_gives_no_reason() -> None:
    rng = np.random.default_rng(7)

    def gap(own: Settings) -> float:
        larger = {"1/16": -0.3, "1/2": 0.06, "1": 0.08}[own["fraction"]]
        return 0.3 + (larger if own["model"] == "resnet50" else 0.0) + 0.002 * float(rng.standard_normal())

    def result(own: Settings) -> float:
        return 0.5 + 0.05 * SIZES[own["fraction"]] - (0.05 if own["model"] == "resnet50" else 0.0)

    findings = found(result, gap=gap)
    (fitted,) = findings.model_size.fitted
    assert fitted.gap.value < 0
    assert fitted.gap.direction is Direction.UNSTEADY
    stances = {each.reason: each.stance for each in findings.expectation.reasons}
    assert stances[Why.OVERFITTING] is Stance.OPEN


def test_steady_runs_acquit_no_learning_rate_and_what_speaks_for_or_against_it_is_said() -> None:
    def stance(**options: object) -> tuple[Why, Stance]:
        def result(own: Settings) -> float:
            other = {1e-3: 0.0, 1e-4: better}[own["lr"]]
            return 0.5 + 0.05 * SIZES[own["fraction"]] - 0.05 * (own["model"] == "resnet50") + other

        findings = found(result, **options)
        (own,) = [
            each
            for each in findings.expectation.reasons
            if each.reason in (Why.LEARNING_RATE, Why.OTHER_RATE)
        ]
        return own.reason, own.stance

    better = 0.0
    assert stance() == (Why.LEARNING_RATE, Stance.OPEN)
    jumps = stance(curve=lambda own, last: [0.1, last, last - 0.2, last, last])
    assert jumps == (Why.LEARNING_RATE, Stance.FOR)
    two_rates = ({}, {"lr": 1e-4})
    better = 0.1
    assert stance(recipes=two_rates) == (Why.OTHER_RATE, Stance.FOR)
    better = -0.1
    assert stance(recipes=two_rates) == (Why.OTHER_RATE, Stance.AGAINST)


def test_of_several_larger_models_the_largest_answers_and_all_are_larger_than_the_smallest() -> None:
    effect = {"resnet18": 0.0, "resnet34": 0.03, "resnet50": 0.1}
    findings = found(
        lambda own: 0.4 + 0.05 * SIZES[own["fraction"]] + effect[own["model"]],
        models=tuple(effect),
        inits=("none",),
    )
    said = model_size.TOPIC.part("say").say(findings)
    assert said.lead[0].text.startswith("ResNet-50 beats ResNet-18 in all three pairs")
    (figure, *_) = expectation.TOPIC.part("say").say(findings).points
    assert "more images and models larger than the smallest are ahead" in figure.text


def test_two_gains_that_say_the_opposite_of_all_sizes_are_not_told() -> None:
    shape = {"1/16": 0.30, "1/8": 0.305, "1/4": 0.505, "1/2": 0.655, "1": 0.675}
    findings = found(lambda own: shape[own["fraction"]], fractions=tuple(shape))
    returns = findings.data_size.returns
    assert returns is not None
    assert returns.bend.direction is Direction.FALLS
    assert returns.first < returns.last
    assert not any("per doubling, the mean gain" in each.text.lower() for each in _points(findings))


def _points(findings: Findings) -> list[object]:
    return list(data_size.TOPIC.part("say").say(findings).points)


def test_the_textbook_figure_shows_in_part_or_not_at_all_and_reasons_follow_the_runs() -> None:
    def result(own: Settings, data: float, model: float) -> float:
        return 0.5 + data * SIZES[own["fraction"]] + (model if own["model"] == "resnet50" else 0.0)

    rng = np.random.default_rng(5)
    whole = found(lambda own: result(own, 0.05, 0.05))
    partly = found(
        lambda own: result(own, 0.05, -0.05),
        gap=lambda own: (0.2 if own["model"] == "resnet50" else 0.1) + 0.002 * float(rng.standard_normal()),
    )
    none = found(lambda own: result(own, -0.05, -0.05))
    undecided = found(lambda own: result(own, 0.05, -0.05), seeds=(0,))
    assert whole.expectation.figure is Figure.SHOWS
    assert not whole.expectation.reasons
    assert partly.expectation.figure is Figure.PARTLY
    stances = {each.reason: each.stance for each in partly.expectation.reasons}
    assert stances[Why.OVERFITTING] is Stance.FOR
    assert stances[Why.STEM] is Stance.OPEN
    assert none.expectation.figure is Figure.NOT
    assert undecided.expectation.figure is Figure.OPEN
    assert "do not decide" in expectation.TOPIC.part("say").say(undecided).points[0].text


def test_only_what_was_compared_stands_in_the_textbook_figure() -> None:
    say = expectation.TOPIC.part("say").say
    one_model = found(of_size(0.05), models=("resnet18",))
    one_size = found(lambda own: 0.5 + 0.1 * (own["model"] == "resnet50"), fractions=("1",))
    assert say(one_model).points[0].text == "The textbook figure shows: more images are ahead."
    assert say(one_size).points[0].text == "The textbook figure shows: larger models are ahead."


def test_a_model_without_a_run_turns_no_order_round() -> None:
    findings = found(
        of_size(0.05), models=("resnet50", "resnet18", "vgg11"), missing=lambda own: own["model"] == "vgg11"
    )
    assert findings.grid.models == ("resnet18", "resnet50", "vgg11")


def test_one_unstable_setting_is_one_of_all_also_where_nobody_knows_how_the_others_ended() -> None:
    findings = found(
        of_size(0.05),
        seeds=(0,),
        models=("resnet18",),
        inits=("none",),
        fractions=("1/4", "1/2", "1"),
        curve=lambda own, last: [0.1, last, last - 0.2 * (own["fraction"] == "1"), last, last],
    )
    (point,) = [
        each.text for each in overfitting.TOPIC.part("say").say(findings).points if "unstable" in each.text
    ]
    assert point.startswith("One of three settings was unstable")


def test_what_early_stopping_kept_is_not_said_to_be_still_improving() -> None:
    findings = found(
        of_size(0.05),
        recipes=({"early_stopping": 3},),
        curve=lambda own, last: list(np.linspace(0.1, last, 5)),
    )
    assert {each.course for each in findings.overfitting.ended} == {Course.SETTLED}


def test_a_caption_says_of_which_kind_its_bars_are(tmp_path: Path) -> None:
    folder = collected(tmp_path, seeds=(0, 1, 2), accuracy=lambda s: 0.5 + 0.01 * s["seed"])
    write_findings(folder)
    inputs = Inputs(folder)
    assert "(test: from the run-to-run spread; training: over each point's own runs)" in (
        draw("accuracy_by_size", inputs).wide.caption
    )
    assert "bars are 95 % intervals over each point's own runs" in draw("gap_by_size", inputs).wide.caption


def test_every_wording_of_a_reading_is_there() -> None:
    data, models, told = (topic.TOPIC.part("say") for topic in (data_size, model_size, steps))
    assert set(data.RETURNS) >= {Direction.FALLS, Direction.RISES, Direction.LEVEL, Direction.UNTESTED}
    assert set(models.FIT) == set(Direction) - {Direction.UNTESTED}
    assert set(models.GOES) == set(data.GOES) == set(Direction) - {Direction.UNTESTED}
    assert set(told.READINGS) == set(Reading)
    assert set(told.NOT_READ) == set(told.WHY_NOT) == set(NotRead)
    for reading in Figure:
        assert reading in expectation.TOPIC.part("say").FIGURES


def test_figures_are_drawn_and_each_number_names_its_runs(tmp_path: Path) -> None:
    folder = collected(tmp_path, seeds=(0, 1))
    write_findings(folder)
    inputs = Inputs(folder)
    ours = {card.name for topic in OURS for card in topic.TOPIC.figures}
    names = [name for name in figure_names(read_json(folder / "study.json")) if name in ours]
    assert set(names) == ours
    for name in names:
        save(draw(name, inputs), name, folder / "figures", ("svg", "csv"))
    page = Page(inputs, folder / "figures")
    runs = {run for cell in inputs.findings.grid.cells.values() for run in cell.runs}
    seen = 0
    for topic in OURS:
        section = topic.TOPIC.part("show").show(page)
        assert section is not None
        for block in section.blocks:
            for row in getattr(block, "rows", ()):
                for cell in row.cells:
                    if cell.measure:
                        assert cell.runs, (block, cell)
                        assert set(cell.runs) <= runs
                        seen += 1
    assert seen >= 50


@pytest.mark.parametrize(
    ("varied", "main"),
    [
        ({"models": ("resnet18", "resnet50"), "inits": ("none",)}, "model_size"),
        ({"models": ("resnet18",), "inits": ("none", "glyphs")}, "init_gain"),
    ],
    ids=["models", "weights"],
)
def test_on_one_training_set_size_the_main_figure_is_that_of_what_varies(
    tmp_path: Path, varied: dict[str, tuple[str, ...]], main: str
) -> None:
    """CASES E240: accuracy against a single number of training images, a column of dots."""
    page = rendered(tmp_path, drawn=("accuracy_by_size", main), fractions=("1",), seeds=(0, 1), **varied)
    text = (page / "report.md").read_text(encoding="utf-8")
    assert f"(figures/{main}.png)" in text.partition("Contents:")[0]
    assert "accuracy_by_size" not in text
