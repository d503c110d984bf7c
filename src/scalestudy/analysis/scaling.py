"""Test error against the number of training images: local slopes, and a power law where sizes suffice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalestudy.analysis.cells import Cell, Grid
from scalestudy.analysis.intervals import deviation, student_t, wilson
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.load import StudyData
from scalestudy.analysis.words import percent, points, signed, signed_points, thousands

FEWEST_SIZES = 4
DRAWS = 400
SEED = 20210101
EXPONENTS = (0.01, 3.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = a n^-b + c, with a, b, c >= 0; each float64[draws] (one draw for a plain fit)."""

    a: Floats
    b: Floats
    c: Floats

    def __call__(self, sizes: Floats) -> Floats:
        """Return the errors at `sizes` float64[k] as float64[draws, k]."""
        powers: Floats = sizes[None, :] ** -self.b[:, None]
        return self.a[:, None] * powers + self.c[:, None]


def local_slope(n1: float, e1: float, n2: float, e2: float) -> float | None:
    """Return d log(error) / d log(n) between two sizes; None where an error is zero.

    The local exponent of the power law of Hestness et al. (2017), Deep learning scaling is predictable,
    empirically: -0.2 means that the error falls by 13 % with each doubling of the data.
    """
    if e1 <= 0 or e2 <= 0 or n1 == n2:
        return None
    return math.log(e2 / e1) / math.log(n2 / n1)


def fit_power_law(sizes: Floats, errors: Floats) -> PowerLaw:
    """Return the least-squares fit of error = a n^-b + c to each row of `errors` float64[draws, k].

    The power law with a floor of Hestness et al. (2017) and Hoiem et al. (2021)
    (their alpha + eta n^gamma). For a given b it is linear in (a, c), so b alone is searched (variable
    projection, Golub and Pereyra 1973) on a grid that is refined around its best value to 1e-6; a and c are
    kept at or above zero.
    """
    unit = sizes / math.exp(float(np.log(sizes).mean()))
    low = np.full(len(errors), EXPONENTS[0])
    high = np.full(len(errors), EXPONENTS[1])
    best = low
    for _ in range(8):
        grid = np.exp(np.linspace(np.log(low), np.log(high), 41, axis=1))
        _, _, loss = _linear_part(unit, errors, grid)
        index = loss.argmin(axis=1)
        rows = np.arange(len(errors))
        best = grid[rows, index]
        low = grid[rows, np.maximum(index - 1, 0)]
        high = grid[rows, np.minimum(index + 1, grid.shape[1] - 1)]
    a, c, _ = _linear_part(unit, errors, best[:, None])
    scale = (sizes[0] / unit[0]) ** best
    return PowerLaw(a[:, 0] * scale, best, c[:, 0])


def _linear_part(unit: Floats, errors: Floats, grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a, c and the sum of squares, float64[draws, g] each, for the exponents `grid` of that shape."""
    x = unit[None, None, :] ** -grid[:, :, None]
    y = errors[:, None, :]
    mean_x, mean_y = x.mean(axis=2, keepdims=True), y.mean(axis=2, keepdims=True)
    spread = ((x - mean_x) ** 2).sum(axis=2)
    a = ((x - mean_x) * (y - mean_y)).sum(axis=2) / np.maximum(spread, 1e-300)
    c = mean_y[:, :, 0] - a * mean_x[:, :, 0]
    no_floor = (x * y).sum(axis=2) / (x * x).sum(axis=2)
    a, c = np.where(c < 0, no_floor, a), np.maximum(c, 0.0)
    c = np.where(a < 0, np.broadcast_to(mean_y[:, :, 0], a.shape), c)
    a = np.maximum(a, 0.0)
    loss = ((y - a[:, :, None] * x - c[:, :, None]) ** 2).sum(axis=2)
    return a, c, loss


def error_and_reliance(law: PowerLaw, n: float) -> tuple[float, float]:
    """Return (e_N, beta_N) at N = `n`: the curve's error there, and the data reliance.

    beta_N = 2 a b N^-b, twice the fall of the error per unit of log n. Source: Hoiem et al. (2021), Learning
    curves for analysis of deep networks, ICML, section 3 (their alpha, eta, gamma are c, a, -b here); with
    b = 1/2 the curve is e_N + (sqrt(N / n) - 1) beta_N.
    """
    error = float(law(np.array([n]))[0, 0])
    return error, float(2 * law.a[0] * law.b[0] * n ** -law.b[0])


def error_noise(cells: Sequence[Cell], test_images: Sequence[int]) -> Floats:
    """Return the standard error of each cell's mean error, float64[k].

    Over seeds, s / sqrt(n) with the SD pooled over all cells with several runs; where no cell has several,
    the binomial sqrt(e (1 - e) / M) of M test images.
    """
    several = [[run.values["test_accuracy"] for run in cell.runs] for cell in cells if len(cell.runs) > 1]
    if several:
        degrees = sum(len(values) - 1 for values in several)
        pooled = math.sqrt(sum((len(v) - 1) * deviation(v) ** 2 for v in several) / degrees)
        return np.array([pooled / math.sqrt(len(cell.runs)) for cell in cells])
    errors = np.array([1 - (cell.accuracy or 0.0) for cell in cells])
    noise: Floats = np.sqrt(errors * (1 - errors) / np.array(test_images))
    return noise


def scaling(data: StudyData, grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return errors, slopes and fit of every series (model, initial weights) with two sizes or more."""
    series = []
    for group in grid.groups:
        for model, init, cells in grid.series(group):
            having = [cell for cell in cells if cell.accuracy is not None and cell.train_images]
            if len(having) < 2:
                continue
            name = labels.series(model, init)
            label = f"{name}, {labels.describe(group.differs)}" if group.differs else name
            points = [_point(cell, data) for cell in having]
            series.append(
                {
                    "group": group.id,
                    "model": model,
                    "init": init,
                    "label": label,
                    "points": points,
                    "slopes": [_slope(a, b) for a, b in pairwise(having)],
                    "fit": fit_series(having, [point["test_images"] for point in points]),
                }
            )
    missing = (
        None if series else "No series has results for two training-set sizes; add values to `fraction`."
    )
    return {"series": series, "missing": missing, "headline": _headline(series)}


def fit_series(cells: Sequence[Cell], test_images: Sequence[int]) -> dict[str, Any]:
    """Return the fitted power law of one series with its uncertainty, or why there is none.

    Intervals: parametric bootstrap (Efron and Tibshirani 1993, section 6.5), percentiles of `DRAWS` refits
    to errors drawn from a normal distribution around the measured ones with `error_noise`. The held-out
    prediction fits the smaller sizes only and predicts the largest.
    """
    sizes = np.array([cell.train_images for cell in cells], dtype=np.float64)
    errors = np.array([1 - (cell.accuracy or 0.0) for cell in cells])
    if len(cells) < FEWEST_SIZES:
        return _unfitted(
            f"a power law with a floor has three parameters and needs at least {FEWEST_SIZES} training-set "
            f"sizes; here are {len(cells)}"
        )
    noise = error_noise(cells, test_images)
    if errors.max() - errors.min() <= 2 * float(noise.max()) or errors[0] <= errors[-1]:
        return _unfitted("the error does not fall with the training-set size beyond its noise")
    law = fit_power_law(sizes, errors[None, :])
    if not law.a[0] > 0 or law.b[0] > 0.99 * EXPONENTS[1] or law.b[0] < 1.01 * EXPONENTS[0]:
        return _unfitted("these sizes do not determine an exponent")
    rng = np.random.default_rng(SEED)
    draws = np.clip(errors + noise * rng.standard_normal((DRAWS, len(errors))), 0.0, 1.0)
    refits = fit_power_law(sizes, draws)
    at = np.geomspace(sizes[0], sizes[-1], 25)
    middle, band = law(at)[0], np.percentile(refits(at), [2.5, 97.5], axis=0)
    residuals = errors - law(sizes)[0]
    a, b, c = float(law.a[0]), float(law.b[0]), float(law.c[0])
    ranges = {
        name: np.percentile(values, [2.5, 97.5])
        for name, values in (("a", refits.a), ("b", refits.b), ("c", refits.c))
    }
    return {
        "fitted": True,
        "reason": None,
        "a": a,
        "a_low": float(ranges["a"][0]),
        "a_high": float(ranges["a"][1]),
        "b": b,
        "b_low": float(ranges["b"][0]),
        "b_high": float(ranges["b"][1]),
        "c": c,
        "c_low": float(ranges["c"][0]),
        "c_high": float(ranges["c"][1]),
        "residual_df": len(cells) - 3,
        "rmse": float(np.sqrt((residuals**2).mean())),
        "bootstrap": DRAWS,
        "noise": "seeds" if any(len(cell.runs) > 1 for cell in cells) else "test sampling",
        "text": f"error = {a:.3g} n^-{b:.2f} + {c:.3f} (exponent {b:.2f}, 95 % bootstrap interval "
        f"{ranges['b'][0]:.2f} to {ranges['b'][1]:.2f}; {_degrees(len(cells) - 3)})",
        "curve": [
            [float(n), float(middle[k]), float(band[0, k]), float(band[1, k])] for k, n in enumerate(at)
        ],
        "held_out": _held_out(cells[-1], sizes, errors),
        "hoiem": _hoiem(law, float(sizes[-1])),
    }


def _unfitted(reason: str) -> dict[str, Any]:
    return {"fitted": False, "reason": f"not fitted: {reason}"}


def _degrees(count: int) -> str:
    return f"{count} residual degree{'' if count == 1 else 's'} of freedom"


def _held_out(largest: Cell, sizes: Floats, errors: Floats) -> dict[str, Any]:
    """Return what the smaller sizes predict for the largest, against what was measured."""
    predicted = float(fit_power_law(sizes[:-1], errors[None, :-1])(sizes[-1:])[0, 0])
    observed = float(errors[-1])
    return {
        "cell": largest.id,
        "train_images": int(sizes[-1]),
        "predicted": predicted,
        "observed": observed,
        "difference": observed - predicted,
        "residual_df": len(sizes) - 4,
        "text": f"from the {len(sizes) - 1} smaller sizes alone the curve predicts an error of "
        f"{percent(predicted)} at {thousands(sizes[-1])} images; measured {percent(observed)} "
        f"({signed_points(observed - predicted)})",
    }


def _hoiem(law: PowerLaw, n: float) -> dict[str, Any]:
    """Return error-at-N and data reliance for the largest size."""
    error, reliance = error_and_reliance(law, n)
    half = float(law(np.array([n / 2]))[0, 0])
    return {
        "n": int(n),
        "error_at_n": error,
        "data_reliance": reliance,
        "text": f"error at {thousands(n)} images {percent(error)}, data reliance {percent(reliance)}: by the "
        f"fitted curve the last doubling of the data lowered the error by {points(half - error)}",
    }


def _point(cell: Cell, data: StudyData) -> dict[str, Any]:
    values = [1 - run.values["test_accuracy"] for run in cell.runs]
    error = math.fsum(values) / len(values)
    outcome = data.outcome(cell.runs[0])
    images = int(cell.runs[0].values.get("test_images", len(outcome.correct) if outcome else 0))
    interval = None
    if len(values) > 1:
        interval = student_t(values)
    elif images:
        interval = wilson(round(values[0] * images), images)
    return {
        "cell": cell.id,
        "train_images": cell.train_images,
        "error": error,
        "low": max(interval.low, 0.0) if interval else None,
        "high": min(interval.high, 1.0) if interval else None,
        "test_images": images,
    }


def _slope(a: Cell, b: Cell) -> dict[str, Any]:
    n1, n2 = a.train_images or 0, b.train_images or 0
    e1, e2 = 1 - (a.accuracy or 0.0), 1 - (b.accuracy or 0.0)
    slope = local_slope(n1, e1, n2, e2)
    if slope is None:
        text = "no slope: an error of zero has no logarithm"
    else:
        change = 2**slope - 1
        word = "falls" if change < 0 else "grows"
        text = f"error {word} by {100 * abs(change):.0f} % per doubling of the data"
        if abs(change) < 0.005:
            text = "error stays the same per doubling of the data"
    return {"from": a.id, "to": b.id, "from_images": n1, "to_images": n2, "slope": slope, "text": text}


def _headline(series: Sequence[dict[str, Any]]) -> str:
    """Return one sentence on the base series' slopes."""
    base = [each for each in series if each["group"] == "g0"] or list(series)
    slopes = [slope["slope"] for each in base for slope in each["slopes"] if slope["slope"] is not None]
    if not slopes:
        return ""
    falls = sorted(100 * (1 - 2**slope) for slope in slopes)
    low, high = f"{falls[0]:.0f}", f"{falls[-1]:.0f}"
    if falls[0] > 0:
        change = f"falls by {low} %" if low == high else f"falls by {low} to {high} %"
    elif falls[-1] < 0:
        low, high = f"{-falls[-1]:.0f}", f"{-falls[0]:.0f}"
        change = f"grows by {low} %" if low == high else f"grows by {low} to {high} %"
    elif f"{abs(falls[0]):.0f}" == f"{abs(falls[-1]):.0f}" == "0":
        change = "does not change"
    else:
        change = f"changes by {signed(-falls[-1], 0)} to {signed(-falls[0], 0)} %"
    fitted = sum(each["fit"]["fitted"] for each in base)
    note = (
        f"; a power law is fitted to {fitted} of {len(base)} series" if fitted else "; no power law is fitted"
    )
    return f"Test error {change} with each doubling of the training set, by the local slopes{note}."
