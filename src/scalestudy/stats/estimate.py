"""Estimates with their uncertainty: means of runs, contrasts between them, and corrections for many tests."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True)
class Bounds:
    """A two-sided confidence interval."""

    low: float
    high: float

    def clipped(self, low: float = 0.0, high: float = 1.0) -> "Bounds":
        """Return the part of the interval within [low, high], such as that of a proportion."""
        return Bounds(min(max(self.low, low), high), max(min(self.high, high), low))


@dataclass(frozen=True)
class Mean:
    """The mean of `n` runs, with the variance of a single run that is known with `df` degrees of freedom.

    Means of one `pool` share the estimate of their variance, so its degrees of freedom count once.
    """

    value: float
    n: int
    variance: float
    df: float
    pool: str


@dataclass(frozen=True)
class Estimate:
    """A sum of means with its standard error, degrees of freedom, 95 % interval and p of being zero."""

    value: float
    error: float
    df: float
    bounds: Bounds
    p: float


def contrast(terms: Iterable[tuple[float, Mean]]) -> Estimate | None:
    """Return the estimate of the sum of weight times mean over independent means.

    Student's t; the degrees of freedom of a sum of variances that are estimated apart are those of
    Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics
    Bulletin 2. With the weights -1 and 1 and a variance of its own on each side it is Welch's (1947) test.
    None where no mean varies: without spread there is no test.
    """
    terms = [(weight, mean) for weight, mean in terms if weight]
    parts: dict[str, tuple[float, float]] = {}
    for weight, mean in terms:
        own = weight**2 * mean.variance / mean.n
        before, _ = parts.get(mean.pool, (0.0, mean.df))
        parts[mean.pool] = (before + own, mean.df)
    variance = math.fsum(own for own, _ in parts.values())
    if variance <= 1e-20:
        return None
    df = variance**2 / math.fsum(own**2 / df for own, df in parts.values())
    value = math.fsum(weight * mean.value for weight, mean in terms)
    error = math.sqrt(variance)
    half = t_quantile(df) * error
    p = 2 * float(special.stdtr(df, -abs(value) / error))
    return Estimate(value, error, df, Bounds(value - half, value + half), p)


def slope(xs: Sequence[float], terms: Sequence[Sequence[tuple[float, Mean]]]) -> Estimate | None:
    """Return the least-squares slope of y over `xs`, where y[k] is the sum of weight times mean of `terms[k]`.

    The slope is a linear contrast of all points (Draper and Smith 1998, Applied regression analysis, section
    1.4), so its error follows from the run-to-run spread of the points, not from how far they lie off a line.
    None with fewer than two different x, or without spread.
    """
    weights = slope_weights(xs)
    if weights is None:
        return None
    return contrast(
        (weight * share, mean) for weight, point in zip(weights, terms, strict=True) for share, mean in point
    )


def slope_weights(xs: Sequence[float]) -> list[float] | None:
    """Return the weight of each y in the least-squares slope over `xs`; None with fewer than two different x."""
    if len(set(xs)) < 2:
        return None
    centred = np.asarray(xs, dtype=np.float64) - float(np.mean(xs))
    return [float(weight) for weight in centred / (centred @ centred)]


def t_quantile(df: float, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t distribution."""
    return float(special.stdtrit(df, (1 + confidence) / 2))


def t_interval(values: Sequence[float]) -> Bounds | None:
    """Return the interval of the mean of values taken as independent draws of a normal variable.

    Source: Student (1908), The probable error of a mean, Biometrika 6. None for one value, or where all are
    the same: neither says anything about spread.
    """
    if len(values) < 2 or max(values) == min(values):
        return None
    mean, half = math.fsum(values) / len(values), t_quantile(len(values) - 1) * deviation(values)
    half /= math.sqrt(len(values))
    return Bounds(mean - half, mean + half)


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation (divisor n - 1) of at least two values."""
    return float(np.std(np.asarray(values, dtype=np.float64), ddof=1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the given order.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
