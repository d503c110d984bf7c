"""Confidence intervals of one cell: over seeds for several runs, over test images for one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def student_t(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the mean of `values`, taken as independent draws from a normal distribution.

    mean -/+ t(n - 1) s / sqrt(n). Source: Student (1908), The probable error of a mean, Biometrika 6.
    Raises ValueError for fewer than two values: one value says nothing about spread.
    """
    n = len(values)
    if n < 2:
        raise ValueError("an interval over seeds needs at least two values")
    mean = math.fsum(values) / n
    half = t_quantile((1 + confidence) / 2, n - 1) * deviation(values) / math.sqrt(n)
    return Interval(mean - half, mean + half)


@lru_cache(maxsize=256)
def t_quantile(share: float, degrees: float) -> float:
    """Return the quantile of Student's t distribution below which `share` of it lies."""
    return float(stats.t.ppf(share, degrees))


def wilson(correct: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a proportion, `correct` of `total`: the sampling error of one test set.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22;
    without continuity correction (Newcombe 1998, Statistics in Medicine 17:857, method 3).
    """
    if total < 1:
        raise ValueError("a proportion needs at least one trial")
    z = float(stats.norm.ppf((1 + confidence) / 2))
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation (divisor n - 1) of at least two values."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def stat(
    values: Sequence[float],
    runs: Sequence[str],
    planned: int,
    *,
    test_images: int | None = None,
    proportion: bool = False,
) -> dict[str, Any]:
    """Return the summary of one measure over the complete replicates of a cell, as findings.json holds it.

    `values` in the order of `runs`. With two or more: mean, SD and the Student t interval of the mean (cut
    to [0, 1] for a `proportion`). With one: the value; its interval is Wilson's where `test_images` says
    that the value is a share of that many images, and there is none otherwise. With none: value None.
    """
    n = len(values)
    summary: dict[str, Any] = {
        "value": math.fsum(values) / n if n else None,
        "n": n,
        "planned": planned,
        "sd": None,
        "low": None,
        "high": None,
        "interval": None,
        "interval_text": "",
        "values": list(values),
        "runs": list(runs),
    }
    if n > 1:
        interval = student_t(values)
        low, high = interval.low, interval.high
        if proportion:
            low, high = max(0.0, low), min(1.0, high)
        summary |= {
            "sd": deviation(values),
            "low": low,
            "high": high,
            "interval": "student_t",
            "interval_text": f"95 % interval of the mean over {n} seeds (Student t)",
        }
    elif n == 1 and test_images:
        interval = wilson(round(values[0] * test_images), test_images)
        summary |= {
            "low": interval.low,
            "high": interval.high,
            "interval": "wilson",
            "interval_text": "95 % test-sampling interval of one run (Wilson)",
        }
    return summary
