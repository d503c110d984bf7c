"""Differences between two cells, their tests, and the words for them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy import stats

from scalestudy.analysis.cells import Cell
from scalestudy.analysis.intervals import CONFIDENCE, Interval, deviation, t_quantile
from scalestudy.analysis.load import Run, StudyData
from scalestudy.analysis.words import counted, point_range, points, signed_points

ALPHA = 1 - CONFIDENCE

Method = Literal["paired_t", "welch_t", "mcnemar", "none"]


@dataclass(frozen=True)
class Comparison:
    """A difference b - a, its 95 % interval and its two-sided p; None where no test is possible."""

    difference: float
    interval: Interval | None
    p: float | None
    method: Method
    n: int
    runs: tuple[str, ...]
    discordant: tuple[int, int] | None = None
    reason: str = ""


def paired_t(a: Sequence[float], b: Sequence[float]) -> tuple[float, Interval, float] | None:
    """Return mean of b - a, its Student t interval and two-sided p, for values paired by position.

    Source: Student (1908), Biometrika 6; Dror et al. (2018), The hitchhiker's guide to testing statistical
    significance in NLP, section 3. None where all differences are equal: without spread there is no test.
    """
    differences = [y - x for x, y in zip(a, b, strict=True)]
    n = len(differences)
    spread = deviation(differences)
    if spread <= 1e-12:
        return None
    mean = math.fsum(differences) / n
    error = spread / math.sqrt(n)
    half = t_quantile((1 + CONFIDENCE) / 2, n - 1) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, n - 1))
    return mean, Interval(mean - half, mean + half), p


def welch_t(a: Sequence[float], b: Sequence[float]) -> tuple[float, Interval, float] | None:
    """Return mean(b) - mean(a), its interval and two-sided p, for independent samples of unequal variance.

    Source: Welch (1947), The generalization of Student's problem, Biometrika 34, with Satterthwaite's
    (1946) degrees of freedom. None where neither sample varies.
    """
    va, vb = deviation(a) ** 2 / len(a), deviation(b) ** 2 / len(b)
    if va + vb <= 1e-24:
        return None
    difference = math.fsum(b) / len(b) - math.fsum(a) / len(a)
    degrees = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    error = math.sqrt(va + vb)
    half = t_quantile((1 + CONFIDENCE) / 2, degrees) * error
    p = 2 * float(stats.t.sf(abs(difference) / error, degrees))
    return difference, Interval(difference - half, difference + half), p


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p of McNemar's test of two classifiers on the same test images.

    Only a is right on `only_a` images, only b on `only_b`. Source: McNemar (1947), Psychometrika 12;
    recommended for two single trainings by Dietterich (1998), Approximate statistical tests, Neural
    Computation 10, section 3.1; exact binomial form.
    """
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def paired_proportions(only_a: int, only_b: int, total: int) -> Interval:
    """Return the interval of the difference of two accuracies, b - a, on the same `total` test images.

    Wald's interval after half an image is added to each of the four cells. Source: Agresti and Min (2005),
    Simple improved confidence intervals for comparing matched proportions, Statistics in Medicine 24.
    """
    b, c, n = only_a + 0.5, only_b + 0.5, total + 2.0
    difference = (c - b) / n
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * math.sqrt(b + c - (c - b) ** 2 / n) / n
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))


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


def compare_cells(data: StudyData, a: Cell, b: Cell, other: StudyData | None = None) -> Comparison | None:
    """Return the test of b's test accuracy against a's; None where one of them has no complete run.

    Two or more seeds in common: paired t over them. Else two or more runs on both sides: Welch's t. Else
    one run of each (of the same seed where there is one): exact McNemar on their predictions, which
    measures the sampling of test images and says nothing about seeds. `other` is the study of b where it is
    another than that of a.
    """
    if not a.runs or not b.runs:
        return None
    by_seed = {run.replicate: run for run in a.runs}
    pairs = [(by_seed[run.replicate], run) for run in b.runs if run.replicate in by_seed]
    if len(pairs) > 1:
        first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return _over_seeds("paired_t", first, second)
    if len(a.runs) > 1 and len(b.runs) > 1:
        return _over_seeds("welch_t", a.runs, b.runs)
    first_run, second_run = pairs[0] if pairs else (a.runs[0], b.runs[0])
    return _on_predictions(data, first_run, other or data, second_run)


def _over_seeds(method: Literal["paired_t", "welch_t"], a: Sequence[Run], b: Sequence[Run]) -> Comparison:
    x, y = [run.values["test_accuracy"] for run in a], [run.values["test_accuracy"] for run in b]
    names = tuple(run.name for run in (*a, *b))
    n = len(a) if method == "paired_t" else len(a) + len(b)
    found = paired_t(x, y) if method == "paired_t" else welch_t(x, y)
    if found is None:
        difference = math.fsum(y) / len(y) - math.fsum(x) / len(x)
        reason = f"the difference is the same in all {n} seeds, so without spread there is no test"
        if method == "welch_t":
            reason = "neither side varies over its seeds, so without spread there is no test"
        return Comparison(difference, None, None, "none", n, names, reason=reason)
    return Comparison(*found, method, n, names)


def _on_predictions(data: StudyData, a: Run, other: StudyData, b: Run) -> Comparison:
    difference = b.values["test_accuracy"] - a.values["test_accuracy"]
    left, right = data.outcome(a), other.outcome(b)
    names = (a.name, b.name)
    if left is None or right is None or left.labels_sha256 != right.labels_sha256:
        reason = "single runs without saved predictions on the same test images"
        return Comparison(difference, None, None, "none", 1, names, reason=reason)
    only_a = int((left.correct & ~right.correct).sum())
    only_b = int((right.correct & ~left.correct).sum())
    interval = paired_proportions(only_a, only_b, len(left.correct))
    p = mcnemar_exact(only_a, only_b)
    return Comparison(difference, interval, p, "mcnemar", 1, names, (only_a, only_b))


class Differences:
    """All differences of one analysis, each with an id, tested family by family."""

    def __init__(self, data: StudyData) -> None:
        self.data = data
        self.by_id: dict[str, dict[str, Any]] = {}

    def compare(self, pairs: Sequence[tuple[Cell, Cell]]) -> list[str | None]:
        """Compare b with a for each pair (a, b) as one family, and return the ids of the differences.

        None stands where a cell has no result. P-values are adjusted (Holm) for the number of tests in the
        family, in which a pair that is asked for twice is tested once.
        """
        tests = {(a.id, b.id): compare_cells(self.data, a, b) for a, b in pairs}
        tested = [test.p for test in tests.values() if test is not None and test.p is not None]
        adjusted = iter(holm(tested))
        ids: dict[tuple[str, str], str | None] = dict.fromkeys(tests)
        for (a, b), test in tests.items():
            if test is not None:
                name = f"d{len(self.by_id) + 1}"
                p_holm = next(adjusted) if test.p is not None else None
                self.by_id[name] = difference_json(name, a, b, test, p_holm, len(tested))
                ids[a, b] = name
        return [ids[a.id, b.id] for a, b in pairs]

    def get(self, name: str | None) -> dict[str, Any] | None:
        """Return a difference by its id."""
        return None if name is None else self.by_id[name]


def difference_json(
    name: str, a: str, b: str, test: Comparison, p_holm: float | None, family: int
) -> dict[str, Any]:
    """Return a difference as findings.json holds it, verdict and words included."""
    if p_holm is None:
        verdict = "not compared"
    elif p_holm >= ALPHA:
        verdict = "not distinguishable"
    else:
        verdict = "higher" if test.difference > 0 else "lower"
    noise = {"paired_t": "seeds", "welch_t": "seeds", "mcnemar": "test sampling", "none": None}
    return {
        "id": name,
        "a": a,
        "b": b,
        "value": test.difference,
        "low": test.interval.low if test.interval else None,
        "high": test.interval.high if test.interval else None,
        "n": test.n,
        "method": test.method,
        "method_text": method_text(test),
        "noise": noise[test.method],
        "p": test.p,
        "p_holm": p_holm,
        "family": family,
        "discordant": list(test.discordant) if test.discordant else None,
        "verdict": verdict,
        "text": difference_text(test, verdict, family),
        "runs": list(test.runs),
    }


def method_text(test: Comparison) -> str:
    """Return the method in words, with n and the kind of noise that it measures."""
    return {
        "paired_t": f"paired t over {test.n} seeds",
        "welch_t": f"Welch's t over {test.n} runs",
        "mcnemar": "exact McNemar test on single runs: test-sampling error only",
        "none": test.reason,
    }[test.method]


def noise_note(differences: Sequence[dict[str, Any]]) -> str:
    """Return the label that verdicts on single runs carry wherever they stand: their test's kind of noise."""
    single = any(each["method"] == "mcnemar" for each in differences)
    return " (single runs: test-sampling error only)" if single else ""


def difference_text(test: Comparison, verdict: str, family: int) -> str:
    """Return the words: `higher by 3.1 points (95 % interval 2.2 to 4.0; paired t over 3 seeds)`."""
    if test.interval is None:
        return f"not compared ({signed_points(test.difference)}; {method_text(test)})"
    basis = method_text(test)
    if verdict == "not distinguishable":
        corrected = f"; Holm over {counted(family, 'comparison')}" if family > 1 else ""
        interval = point_range(test.interval.low, test.interval.high)
        return (
            f"not distinguishable ({signed_points(test.difference)}, 95 % interval {interval}; "
            f"{basis}{corrected})"
        )
    low, high = test.interval.low, test.interval.high
    if verdict == "lower":
        low, high = -high, -low
    return f"{verdict} by {points(test.difference)} (95 % interval {point_range(low, high)}; {basis})"
