"""Slopes, power laws and effective data against curves whose law is known."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit
from synthetic import Settings, synthetic_findings

from scalestudy.analysis.scaling import error_and_reliance, fit_power_law, local_slope
from scalestudy.analysis.transfer import effective_data

SIZES = np.array([1000.0, 2000.0, 4000.0, 8000.0, 16000.0])
FIVE = ("1/16", "1/8", "1/4", "1/2", "1")


def law(a: float, b: float, c: float) -> Callable[[Settings], float]:
    """Return a study's accuracies under error = a share^-b + c."""
    return lambda settings: 1 - a * float(Fraction(settings["fraction"])) ** -b - c


def series(tmp_path: Path, accuracy: Callable[[Settings], float], **options: Any) -> dict[str, Any]:
    options = {"models": ("resnet18",), "inits": ("none",), "test_images": 10_000, **options}
    found = synthetic_findings(tmp_path, accuracy=accuracy, train_images=50_000, store=False, **options)
    return {**found["scaling"]["series"][0], "claims": found["claims"]}


def test_the_error_halving_with_four_times_the_data_is_a_slope_of_minus_one_half() -> None:
    assert local_slope(1000, 0.4, 4000, 0.2) == pytest.approx(-0.5)
    assert local_slope(1000, 0.4, 4000, 0.4) == 0
    assert local_slope(1000, 0.4, 4000, 0.0) is None


@pytest.mark.parametrize(
    ("a", "b", "c"), [(2.0, 0.35, 0.08), (20.0, 0.5, 0.0), (0.9, 0.1, 0.05), (500.0, 1.0, 0.1)]
)
def test_a_power_law_without_noise_is_found_again(a: float, b: float, c: float) -> None:
    found = fit_power_law(SIZES, (a * SIZES**-b + c)[None, :])
    assert found.b[0] == pytest.approx(b, abs=1e-4)
    assert found.a[0] == pytest.approx(a, rel=1e-2)
    assert found.c[0] == pytest.approx(c, abs=1e-3)


def test_a_noisy_power_law_is_fitted_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    errors = 2 * SIZES**-0.35 + 0.08 + rng.normal(0, 0.002, len(SIZES))
    found = fit_power_law(SIZES, errors[None, :])
    parameters, _ = curve_fit(
        lambda n, a, b, c: a * n**-b + c, SIZES, errors, p0=(2, 0.35, 0.08), maxfev=20000
    )
    assert (found.a[0], found.b[0], found.c[0]) == pytest.approx(tuple(parameters), rel=2e-2)


def test_errors_that_grow_with_the_data_give_no_negative_part() -> None:
    found = fit_power_law(SIZES, np.array([[0.1, 0.2, 0.3, 0.4, 0.5]]))
    assert found.a[0] >= 0
    assert found.c[0] >= 0


def test_error_at_n_and_data_reliance_are_those_of_hoiem_for_an_exponent_of_one_half() -> None:
    errors = 10 * SIZES**-0.5 + 0.05
    error, reliance = error_and_reliance(fit_power_law(SIZES, errors[None, :]), 16000)
    assert error == pytest.approx(errors[-1], abs=1e-4)
    # With b = 1/2, a quarter of the data costs exactly the data reliance.
    assert reliance == pytest.approx(errors[2] - errors[4], abs=1e-3)


def test_a_study_of_five_sizes_gets_its_law_with_intervals_and_a_prediction_of_the_largest(
    tmp_path: Path,
) -> None:
    found = series(tmp_path, law(0.15, 0.4, 0.05), fractions=FIVE)
    fit = found["fit"]
    assert fit["fitted"]
    assert fit["residual_df"] == 2
    assert fit["bootstrap"] >= 200
    assert fit["b_low"] < 0.4 < fit["b_high"]
    assert fit["c_low"] <= 0.05 <= fit["c_high"]
    assert fit["held_out"]["train_images"] == 50_000
    assert fit["held_out"]["predicted"] == pytest.approx(0.2, abs=0.01)
    assert fit["held_out"]["observed"] == pytest.approx(0.2, abs=1e-4)
    assert "bootstrap interval" in fit["text"]
    assert "2 residual degrees of freedom" in fit["text"]
    assert all(low <= middle <= high for _, middle, low, high in fit["curve"])


@pytest.mark.parametrize("fractions", [("1/2", "1"), ("1/16", "1/2", "1")])
def test_fewer_than_four_sizes_give_points_and_slopes_and_no_exponent(
    tmp_path: Path, fractions: tuple[str, ...]
) -> None:
    found = series(tmp_path, law(0.15, 0.4, 0.05), fractions=fractions)
    assert len(found["points"]) == len(fractions)
    assert len(found["slopes"]) == len(fractions) - 1
    assert not found["fit"]["fitted"]
    assert "needs at least 4" in found["fit"]["reason"]
    assert f"here are {len(fractions)}" in found["fit"]["reason"]
    text = " ".join(claim["text"] for section in found["claims"].values() for claim in section)
    assert "exponent" not in text
    assert "n^-" not in text


def test_identical_accuracies_are_not_fitted_however_many_sizes(tmp_path: Path) -> None:
    found = series(tmp_path, lambda settings: 0.5, fractions=FIVE)
    assert found["fit"] == {
        "fitted": False,
        "reason": "not fitted: the error does not fall with the training-set size beyond its noise",
    }
    assert {slope["text"] for slope in found["slopes"]} == {"error stays the same per doubling of the data"}


def test_an_error_of_zero_has_no_slope_and_stops_nothing(tmp_path: Path) -> None:
    found = series(
        tmp_path, lambda settings: 1.0 if settings["fraction"] == "1" else 0.9, fractions=("1/2", "1")
    )
    assert found["slopes"][0]["slope"] is None


def test_local_slopes_are_said_per_doubling(tmp_path: Path) -> None:
    found = series(tmp_path, law(0.2, 0.2, 0.0), fractions=("1/4", "1"))
    assert found["slopes"][0]["slope"] == pytest.approx(-0.2, abs=1e-3)
    assert found["slopes"][0]["text"] == "error falls by 13 % per doubling of the data"


CURVE = [(3125.0, 0.4), (25000.0, 0.7), (50000.0, 0.8)]


def test_effective_data_is_read_off_between_two_sizes_on_the_logarithm() -> None:
    assert effective_data(CURVE, 0.55).images == pytest.approx(math.sqrt(3125 * 25000))
    assert effective_data(CURVE, 0.7).images == pytest.approx(25000)
    assert effective_data(CURVE, 0.8).images == pytest.approx(50000)


def test_beyond_the_curve_effective_data_is_a_bound_and_no_extrapolation() -> None:
    assert effective_data(CURVE, 0.81).bound == "above"
    assert effective_data(CURVE, 0.39).bound == "below"
    assert effective_data(CURVE, 0.81).images is None


def test_on_a_curve_that_dips_the_first_crossing_counts() -> None:
    dips = [(1000.0, 0.5), (2000.0, 0.4), (4000.0, 0.6)]
    assert effective_data(dips, 0.5).images == pytest.approx(4000 / math.sqrt(2))
    assert effective_data([(1000.0, 0.5), (2000.0, 0.7), (4000.0, 0.6)], 0.6).images == pytest.approx(
        math.sqrt(2) * 1000
    )


def test_a_study_says_more_than_50000_where_weights_beat_all_the_data(tmp_path: Path) -> None:
    def accuracy(settings: Settings) -> float:
        own = {"1/16": 0.4, "1/2": 0.7, "1": 0.8}[settings["fraction"]]
        return (
            {"1/16": 0.3, "1/2": 0.75, "1": 0.9}[settings["fraction"]] if settings["init"] != "none" else own
        )

    found = synthetic_findings(
        tmp_path, models=("resnet18",), train_images=50_000, test_images=1000, accuracy=accuracy, store=False
    )
    rows = {row["fraction"]: row for row in found["transfer"]["effective"]}
    assert rows["1"]["text"] == "> 50,000"
    assert rows["1"]["bound"] == "above"
    assert rows["1"]["ratio"] is None
    assert rows["1/16"]["text"] == "< 3,125"
    assert rows["1/16"]["bound"] == "below"
    assert rows["1/2"]["effective_images"] == pytest.approx(math.sqrt(25_000 * 50_000))
    assert rows["1/2"]["text"] == "about 35,000"
    assert rows["1/2"]["low"] < rows["1/2"]["effective_images"] < rows["1/2"]["high"]


def test_without_runs_from_scratch_the_section_says_what_to_add(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path, inits=("glyphs",), models=("resnet18",), store=False)
    assert found["transfer"]["gains"] == []
    assert "add `none` to `init`" in found["transfer"]["missing"]
