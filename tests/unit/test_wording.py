"""Numbers, durations and lists in words: one way each."""

import pytest

from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.report.palette import MODELS, Looks
from scalestudy.study.config import Study


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0.83, "0.8 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (95, "95 s"),
        (99.4, "99 s"),
        (99.6, "1.7 min"),
        (200, "3.3 min"),
        (240, "4 min"),
        (299.0, "5 min"),
        (599.6, "10 min"),
        (1500, "25 min"),
        (3599, "1 h"),
        (5580, "1 h 33 min"),
        (7200, "2 h"),
        (4_000_000, "1,111 h 7 min"),
    ],
)
def test_a_duration_has_one_form(seconds: float | None, words: str) -> None:
    assert wording.duration(seconds) == words


def test_negative_numbers_have_minus_signs_and_zero_has_none() -> None:
    assert wording.decimal(-1.25, 1) == "−1.2"
    assert wording.decimal(-0.04, 1) == "0.0"
    assert wording.signed(0.04, 1) == "0.0"
    assert wording.bare_points(-0.031) == "−3.1"
    assert wording.bare_points(0.031) == "+3.1"
    assert wording.signed_points(-0.0004) == "0.0 points"
    assert wording.bare_point_range(-0.012, 0.004) == "−1.2 to +0.4"
    assert wording.point_range(-0.012, 0.004) == "−1.2 to 0.4"


def test_a_proportion_is_per_cent_with_or_without_the_unit() -> None:
    assert wording.percent(0.6234) == "62.3 %"
    assert wording.bare_percent(0.6234, 0) == "62"
    assert wording.bare_percent(None) == "–"


def test_counts_carry_their_noun_and_their_plan() -> None:
    assert wording.counted(1, "run") == "1 run"
    assert wording.counted(1200, "class", "classes") == "1,200 classes"
    assert wording.runs_counted(3) == "n = 3"
    assert wording.runs_counted(3, 3) == "n = 3"
    assert wording.runs_counted(2, 3) == "n = 2 of 3"
    assert wording.points(-0.01) == "1.0 point"


def test_lists_and_sentences_are_put_together_once() -> None:
    assert wording.listing(["a", "b", "c"], "or") == "a, b or c"
    assert wording.listing(["a"]) == "a"
    assert wording.few([str(number) for number in range(14)])[-1] == "and 2 more"
    assert wording.sentence("resNet-18 leads") == "ResNet-18 leads."
    assert wording.sentence("Does it? ") == "Does it?"
    assert wording.sentence("") == ""


def test_multiply_adds_have_three_digits_and_the_unit_that_suits_them() -> None:
    said = [wording.operations(each) for each in (0.5, 12.34, 820.4, 12_345.0, 1_334_000.0, None)]
    assert said == ["0.5 G", "12.3 G", "820 G", "12.3 T", "1,334 T", wording.MISSING]


def test_weights_of_the_same_title_are_told_apart_by_their_names() -> None:
    names = Names({"a": "pretrained on glyphs", "b": "pretrained on glyphs", "c": "digits"})
    assert [names.title(init) for init in "abc"] == ["glyphs (a)", "glyphs (b)", "digits"]


def test_one_epoch_and_one_step_are_singular() -> None:
    assert [Names({}).value(key, 1) for key in ("epochs", "steps")] == ["1 epoch", "1 step"]
    assert Names({}).value("steps", 1200) == "1,200 steps"


def test_a_count_has_three_digits_before_its_unit_at_most() -> None:
    assert [wording.short_count(number) for number in (999.4e6, 999.6e6)] == ["999 M", "1 G"]


def test_no_two_of_sixteen_models_look_the_same() -> None:
    models = [f"model{number}" for number in range(2 * len(MODELS))]
    looks = Looks(models, ["none", "imagenet"])
    assert len({looks.of(model, init) for model in models for init in looks.inits}) == 2 * len(models)


def test_a_title_is_one_line_however_it_is_written() -> None:
    study = Study.model_validate(
        {"title": "Two\nlines\n", "dataset": {"source": "digits", "title": " Own\ndata "}}
    )
    assert (study.title, study.dataset.title) == ("Two lines", "Own data")


def test_under_a_settings_name_a_value_stands_in_words() -> None:
    under = Names({}).under
    assert under("freeze", "norm_scales") == "fixed norm scales"
    assert [under("nesterov", value) for value in (True, False, None)] == ["yes", "no", "–"]
    assert under("batch_size", 32) == "32"
