"""The power law with a floor, error(n) = a n^-b + c: its fit, its local slope, and what its numbers mean."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def determined(law: PowerLaw) -> bool:
    """Return whether the exponent of a plain fit was found inside the range that is searched."""
    return bool(law.a[0] > 0 and 1.01 * EXPONENTS[0] <= law.b[0] <= 0.99 * EXPONENTS[1])
