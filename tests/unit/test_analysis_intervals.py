"""Intervals, differences and corrections against values of the literature, of R and by hand."""

import math
from pathlib import Path

import pytest
from synthetic import synthetic_findings

from scalestudy.analysis.comparisons import (
    Comparison,
    difference_json,
    holm,
    mcnemar_exact,
    paired_proportions,
    paired_t,
    welch_t,
)
from scalestudy.analysis.intervals import Interval, stat, student_t, wilson
from scalestudy.analysis.reference import independent_proportions, prediction_interval

# Student's sleep data (1908), as R's data set `sleep` holds them.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_the_student_interval_of_three_values_is_that_of_the_table_of_t() -> None:
    found = student_t([1.0, 2.0, 3.0])
    assert found.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-5)
    assert found.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-5)


def test_one_value_has_no_interval_over_seeds() -> None:
    with pytest.raises(ValueError, match="at least two"):
        student_t([0.5])


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_newcombes_table(
    correct: int, total: int, low: float, high: float
) -> None:
    found = wilson(correct, total)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_the_difference_of_independent_proportions_is_that_of_newcombes_method_10() -> None:
    found = independent_proportions(1.0, 0.0, 10)
    assert (found.low, found.high) == pytest.approx((0.6075, 1.0), abs=5e-5)


def test_the_prediction_interval_of_two_values_is_wider_than_that_of_their_mean() -> None:
    found, mean = prediction_interval([0.6, 0.62]), student_t([0.6, 0.62])
    assert found.high - 0.61 == pytest.approx((mean.high - 0.61) * math.sqrt(3))


def test_the_paired_t_test_gives_what_r_gives_for_students_sleep_data() -> None:
    found = paired_t(SLEEP_1, SLEEP_2)
    assert found is not None
    difference, interval, p = found
    assert difference == pytest.approx(1.58)
    assert (interval.low, interval.high) == pytest.approx((0.7001142, 2.4598858))
    assert p == pytest.approx(0.00283289, abs=1e-8)


def test_welchs_t_test_gives_what_r_gives_for_students_sleep_data() -> None:
    found = welch_t(SLEEP_1, SLEEP_2)
    assert found is not None
    _, interval, p = found
    assert (interval.low, interval.high) == pytest.approx((-0.2054832, 3.3654832))
    assert p == pytest.approx(0.07939414, abs=1e-8)


def test_without_spread_over_seeds_nothing_is_tested() -> None:
    assert paired_t([0.5, 0.6], [0.6, 0.7]) is None
    assert welch_t([0.5, 0.5], [0.6, 0.6]) is None


def test_mcnemars_exact_p_is_that_of_the_binomial_distribution() -> None:
    assert mcnemar_exact(9, 1) == pytest.approx(2 * (1 + 10) / 2**10)
    tail = sum(math.comb(22, k) for k in range(7))
    assert mcnemar_exact(6, 16) == pytest.approx(2 * tail / 2**22)
    assert mcnemar_exact(5, 5) == 1.0
    assert mcnemar_exact(0, 0) == 1.0


def test_the_interval_of_paired_proportions_is_that_of_agresti_and_min_by_hand() -> None:
    # Approval of the prime minister in two surveys of the same 1,600 people: 150 changed one way, 86 the other.
    found = paired_proportions(150, 86, 1600)
    centre, half = -64 / 1602, 1.959964 * math.sqrt(237 - 64**2 / 1602) / 1602
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_holms_correction_gives_the_hand_computed_values_in_the_given_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_difference_beyond_noise_before_the_correction_may_be_within_it_after() -> None:
    test = Comparison(0.02, Interval(0.001, 0.039), 0.03, "paired_t", 3, ("a", "b"))
    alone = difference_json("d1", "c1", "c2", test, 0.03, 1)
    among = difference_json("d1", "c1", "c2", test, 0.12, 4)
    assert alone["verdict"] == "higher"
    assert alone["text"] == "higher by 2.0 points (95 % interval 0.1 to 3.9; paired t over 3 seeds)"
    assert among["verdict"] == "not distinguishable"
    assert "Holm over 4 comparisons" in among["text"]


def test_a_lower_result_is_said_in_positive_points() -> None:
    test = Comparison(-0.031, Interval(-0.04, -0.022), 0.001, "paired_t", 3, ("a", "b"))
    text = difference_json("d1", "c1", "c2", test, 0.001, 1)["text"]
    assert text == "lower by 3.1 points (95 % interval 2.2 to 4.0; paired t over 3 seeds)"


def test_a_summary_names_the_kind_of_its_interval() -> None:
    none = stat([], [], 3)
    one = stat([0.5], ["r1"], 3, test_images=100, proportion=True)
    two = stat([0.99, 1.0], ["r1", "r2"], 2, test_images=100, proportion=True)
    assert (none["value"], none["n"], none["interval"]) == (None, 0, None)
    assert one["interval"] == "wilson"
    assert one["sd"] is None
    assert "one run (Wilson)" in one["interval_text"]
    assert two["interval"] == "student_t"
    assert two["high"] == 1.0
    assert "over 2 seeds" in two["interval_text"]
    assert stat([12.0], ["r1"], 1)["low"] is None


def test_paired_seeds_give_a_paired_t_and_single_runs_a_labelled_mcnemar_test(tmp_path: Path) -> None:
    several = synthetic_findings(tmp_path / "a", seeds=(0, 1, 2), store=False)
    single = synthetic_findings(tmp_path / "b", store=False)
    assert {each["method"] for each in several["differences"].values()} == {"paired_t"}
    for each in single["differences"].values():
        assert each["method"] == "mcnemar"
        assert each["noise"] == "test sampling"
        assert "single runs: test-sampling error only" in each["text"]
        assert sum(each["discordant"]) > 0 or each["value"] == 0
        only_a, only_b = each["discordant"]
        assert each["value"] == pytest.approx((only_b - only_a) / 400)


def test_seeds_that_do_not_match_are_compared_without_pairs(tmp_path: Path) -> None:
    broken = {
        "resnet18_none_f1_adam_lr0.001_b32_s0": "failed",
        "resnet18_none_f1_adam_lr0.001_b32_s1": "failed",
    }
    broken |= {f"resnet50_none_f1_adam_lr0.001_b32_s{seed}": "failed" for seed in (2, 3)}
    found = synthetic_findings(
        tmp_path, inits=("none",), fractions=("1",), seeds=(0, 1, 2, 3), broken=broken, store=False
    )
    (pair,) = found["model_size"]["pairs"]
    difference = found["differences"][pair["difference"]]
    assert difference["method"] == "welch_t"
    assert len(difference["runs"]) == 4


def test_a_pair_that_stands_in_two_tables_is_tested_once(tmp_path: Path) -> None:
    found = synthetic_findings(
        tmp_path,
        models=("resnet18",),
        inits=("none",),
        extra={"two": {"batch_size": [32, 64]}, "four": {"batch_size": [32, 64, 128, 256]}},
        store=False,
    )
    section = found["hyperparameters"]
    rows = [row for table in section["tables"] for row in table["rows"]]
    tested = {row["difference"] for row in rows}
    assert section["family"] == len(tested) < len(rows)
    assert {found["differences"][name]["family"] for name in tested} == {len(tested)}
