"""Estimates and spreads against scipy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from scalestudy.stats.calibration import expected_calibration_error, reliability
from scalestudy.stats.estimate import Mean, contrast, holm, slope, t_interval
from scalestudy.stats.proportions import mcnemar_exact, wilson
from scalestudy.stats.spread import Replicates, alike, cell_means, pooled_spread

A, B = [0.61, 0.64, 0.66, 0.60], [0.70, 0.66, 0.69]


def mean(values: list[float], pool: str, variance: float | None = None, df: float | None = None) -> Mean:
    own = float(np.var(values, ddof=1)) if variance is None else variance
    return Mean(float(np.mean(values)), len(values), own, len(values) - 1 if df is None else df, pool)


def test_two_means_with_a_shared_spread_give_students_t() -> None:
    pooled = pooled_spread([A, B])
    assert pooled is not None
    found = contrast(
        [(-1, mean(A, "p", pooled.sd**2, pooled.df)), (1, mean(B, "p", pooled.sd**2, pooled.df))]
    )
    expected = stats.ttest_ind(B, A)
    bounds = expected.confidence_interval()
    assert found is not None
    assert (found.df, found.p) == pytest.approx((5, expected.pvalue))
    assert (found.bounds.low, found.bounds.high) == pytest.approx((bounds.low, bounds.high))


def test_two_means_with_spreads_of_their_own_give_welchs_t() -> None:
    found = contrast([(-1, mean(A, "a")), (1, mean(B, "b"))])
    expected = stats.ttest_ind(B, A, equal_var=False)
    assert found is not None
    assert (found.df, found.p) == pytest.approx((expected.df, expected.pvalue))


def test_a_slope_is_that_of_least_squares_and_its_error_that_of_the_points() -> None:
    ys = [0.31, 0.28, 0.22]
    points = [[(1.0, Mean(y, 3, 0.0004, 8, "p"))] for y in ys]
    found = slope([1, 2, 4], points)
    assert found is not None
    assert found.value == pytest.approx(stats.linregress([1, 2, 4], ys).slope)
    spread = np.var([1, 2, 4]) * 3
    assert found.error == pytest.approx(math.sqrt(0.0004 / 3 / spread))
    assert found.df == pytest.approx(8)


def test_without_spread_there_is_no_test_and_one_size_has_no_slope() -> None:
    still = Mean(0.5, 3, 0.0, 2, "p")
    assert contrast([(-1, still), (1, still)]) is None
    assert slope([3, 3], [[(1.0, mean(A, "a"))], [(1.0, mean(B, "b"))]]) is None


def test_an_interval_over_runs_is_students_and_needs_two_that_differ() -> None:
    expected = stats.t.interval(0.95, 3, np.mean(A), stats.sem(A))
    found = t_interval(A)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected)
    assert t_interval([0.6]) is None
    assert t_interval([0.6, 0.6, 0.6]) is None, "runs that agree are not certain"


def test_holm_corrects_each_p_for_those_that_are_not_yet_rejected() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_cell_is_judged_by_its_pool_or_by_itself_where_it_moves_more() -> None:
    calm, wild = [0.50, 0.51, 0.52], [0.50, 0.60, 0.70]
    cells = [Replicates("calm", "1/2", ("m",), calm), Replicates("wild", "1/2", ("m",), wild)]
    found = cell_means(cells)
    pooled = pooled_spread([calm, wild])
    assert pooled is not None
    assert (found["calm"].variance, found["calm"].df) == pytest.approx((pooled.sd**2, 4))
    assert (found["wild"].variance, found["wild"].df) == pytest.approx((0.01, 2))


def test_a_single_run_takes_the_larger_of_the_pools_spread_and_that_of_its_nearest_kin() -> None:
    cells = [
        Replicates("calm", "1/2", ("small none", "small"), [0.50, 0.51, 0.52]),
        Replicates("wild", "1/2", ("large none", "large"), [0.50, 0.60, 0.70]),
        Replicates("wilder", "1/2", ("large glyphs", "large"), [0.50, 0.65, 0.80]),
        Replicates("one small", "1/2", ("small none", "small"), [0.4]),
        Replicates("one large", "1/2", ("large glyphs", "large"), [0.4]),
        Replicates("one of other weights", "1/2", ("large other", "large"), [0.4]),
        Replicates("elsewhere", "1/16", ("large none", "large"), [0.4]),
    ]
    found = cell_means(cells)
    assert found["one large"].variance == pytest.approx(0.15**2)
    assert found["one of other weights"].variance == pytest.approx((0.1**2 + 0.15**2) / 2)
    assert found["one small"].variance == pytest.approx(found["calm"].variance)
    assert "elsewhere" not in found
    shared = contrast([(-1, found["wilder"]), (1, found["one large"])])
    assert shared is not None
    assert shared.df == pytest.approx(2)  # one estimate, counted once


def test_two_runs_of_one_cell_say_nothing_about_single_runs_beside_it() -> None:
    found = cell_means([Replicates("two", "1", ("m",), [0.5, 0.6]), Replicates("one", "1", ("m",), [0.5])])
    assert set(found) == {"two"}


def test_spreads_are_told_apart_where_they_differ() -> None:
    rng = np.random.default_rng(0)
    same = [list(rng.normal(0.5, 0.01, 20)) for _ in range(4)]
    unlike = [*same[:3], list(rng.normal(0.5, 0.1, 20))]
    first, second = alike(same), alike(unlike)
    assert first is not None
    assert second is not None
    assert first > 0.05 > second
    pooled = pooled_spread(unlike)
    assert pooled is not None
    assert pooled.largest > 5 * pooled.smallest
    assert pooled_spread([[0.5], [0.6]]) is None
    assert alike([[0.5, 0.6], [0.4]]) is None
    assert alike([[0.5, 0.6], [0.4, 0.7], [0.3, 0.35]]) is None, "pairs lie equally far from their medians"
    assert alike([[0.5] * 3, [0.4] * 3]) is None


def test_shares_of_test_images_have_wilsons_interval_and_mcnemars_p() -> None:
    found = wilson(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(2, 10) == pytest.approx(stats.binomtest(2, 12).pvalue)
    with pytest.raises(ValueError, match="at least one trial"):
        wilson(0, 0)


def test_calibration_is_the_mean_distance_of_confidence_and_accuracy_over_bins() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.55, 0.55])
    correct = np.array([True, True, True, False, True, False])
    assert expected_calibration_error(confidence, correct) == pytest.approx((4 * 0.15 + 2 * 0.05) / 6)
    bins = reliability(confidence, correct)
    assert [(each.n, each.accuracy) for each in bins] == [(2, 0.5), (4, 0.75)]
