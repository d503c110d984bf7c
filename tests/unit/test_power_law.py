"""Slopes and power laws against curves whose law is known."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from scalestudy.stats.powerlaw import error_and_reliance, fit_power_law, local_slope

SIZES = np.array([1000.0, 2000.0, 4000.0, 8000.0, 16000.0])


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
