"""The verdicts: every difference between two cells, and every trend, tested against the run-to-run spread.

One pair has one verdict in the whole report. Its test follows from its two cells, and the tests that it is
corrected with follow from the axis in which the two differ (`Family`), whichever topics ask for it.
"""

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scalestudy.findings.model import (
    Balance,
    Cell,
    Claim,
    Difference,
    Direction,
    Effect,
    Evidence,
    Family,
    Grid,
    Networks,
    Side,
    Test,
    Trend,
    TrendPoint,
    Verdict,
)
from scalestudy.stats.estimate import ALPHA, Estimate, Mean, contrast, holm, slope, slope_weights
from scalestudy.stats.proportions import mcnemar_exact

Pair = tuple[Cell, Cell]
Means = Mapping[str, Mean]
Terms = Sequence[tuple[float, Cell]]


@dataclass(frozen=True)
class Outcome:
    """Which test images a run classified rightly, bool[M], and the SHA-256 of their labels."""

    correct: NDArray[np.bool_]
    labels_sha256: str


@dataclass(frozen=True)
class Point:
    """A point of a trend: x, and y as the sum of weight times result over cells."""

    x: float
    terms: Terms


def balance(grid: Grid, pairs: Iterable[Pair], *subjects: str) -> Claim[Balance]:
    """Return what the verdicts on pairs with results come to.

    The first of each pair stands before the second in the study's order: verdicts are those on the second.
    """
    keys = tuple(grid.key(a.id, b.id) for a, b in pairs)
    reading = Balance.of([each.verdict for each in grid.of(keys)])
    return Claim[Balance](reading=reading, subjects=subjects, evidence=Evidence(differences=keys))


def differences(
    grid: Grid, pairs: Iterable[Pair], means: Means, outcome: Callable[[str], Outcome | None]
) -> dict[str, Difference]:
    """Return the differences of the pairs whose cells both have a result, by their keys in `grid`.

    `means` holds the cells whose run-to-run spread is known. Each p value is corrected (Holm) over all pairs
    of its family.
    """
    wanted: dict[str, Pair] = {}
    for a, b in pairs:
        if a.value is not None and b.value is not None:
            key = grid.key(a.id, b.id)
            wanted[key] = (a, b) if key == f"{a.id}:{b.id}" else (b, a)
    families = {key: family_of(a, b) for key, (a, b) in wanted.items()}
    tests: dict[str, Test | None] = {}
    for family in Family:
        own = [key for key in wanted if families[key] is family]
        found = [difference_test(*wanted[key], means) for key in own]
        tests |= dict(zip(own, corrected(found), strict=True))
    return {
        key: Difference(
            a=_side(a),
            b=_side(b),
            value=(b.value or 0.0) - (a.value or 0.0),
            family=families[key],
            verdict=verdict_of((b.value or 0.0) - (a.value or 0.0), tests[key], a, b),
            test=tests[key],
            networks=networks_of(a, b, outcome),
        )
        for key, (a, b) in wanted.items()
    }


def family_of(a: Cell, b: Cell) -> Family:
    """Return the axis in which two cells differ, or that it is several."""
    found = [
        family
        for family, own, other in (
            (Family.MODEL, a.model, b.model),
            (Family.INIT, a.init, b.init),
            (Family.DATA, a.fraction, b.fraction),
            (Family.RECIPE, a.group, b.group),
        )
        if own != other
    ]
    return found[0] if len(found) == 1 else Family.SEVERAL


def difference_test(a: Cell, b: Cell, means: Means) -> Estimate | None:
    """Return the estimate of b minus a; None where the spread of one is not known, or nothing varies."""
    if a.id not in means or b.id not in means:
        return None
    return contrast(((-1.0, means[a.id]), (1.0, means[b.id])))


def corrected(estimates: Sequence[Estimate | None]) -> list[Test | None]:
    """Return the tests of one family, with their p values corrected for their number."""
    tested = [each for each in estimates if each is not None]
    adjusted = iter(holm([each.p for each in tested]))
    return [
        None
        if each is None
        else Test(
            error=each.error,
            df=each.df,
            low=each.bounds.low,
            high=each.bounds.high,
            p=each.p,
            p_holm=next(adjusted),
            tests=len(tested),
        )
        for each in estimates
    ]


def verdict_of(value: float, test: Test | None, a: Cell, b: Cell) -> Verdict:
    """Return what a test decides, or why there is none."""
    if test is None:
        one_each = len(a.runs) == len(b.runs) == 1
        return Verdict.ONE_RUN_EACH if one_each else Verdict.NOT_COMPARED
    if test.p_holm >= ALPHA:
        return Verdict.NOT_DISTINGUISHABLE
    return Verdict.HIGHER if value > 0 else Verdict.LOWER


def networks_of(a: Cell, b: Cell, outcome: Callable[[str], Outcome | None]) -> Networks | None:
    """Return McNemar's test of one network of each cell, of the same seeds where there are such."""
    shared = [seeds for seeds in a.seeds if seeds in b.seeds]
    run_a = a.runs[a.seeds.index(shared[0])] if shared else a.runs[0]
    run_b = b.runs[b.seeds.index(shared[0])] if shared else b.runs[0]
    left, right = outcome(run_a), outcome(run_b)
    if left is None or right is None or left.labels_sha256 != right.labels_sha256:
        return None
    only_a = int((left.correct & ~right.correct).sum())
    only_b = int((right.correct & ~left.correct).sum())
    p = mcnemar_exact(only_a, only_b)
    return Networks(run_a=run_a, run_b=run_b, only_a=only_a, only_b=only_b, p=p)


def mean_of_pairs(pairs: Sequence[Pair], known: Container[str]) -> list[tuple[float, str]]:
    """Return the weights of cells in the mean of b minus a over those pairs of which both are known."""
    own = [(a, b) for a, b in pairs if a.id in known and b.id in known]
    share = 1 / len(own) if own else 0.0
    return [term for a, b in own for term in ((-share, a.id), (share, b.id))]


def trends(wanted: Sequence[Sequence[Point]], means: Means) -> list[Trend | None]:
    """Return the trend of each list of points, as one family of tests; None with fewer than two different x."""
    ordered = [sorted(points, key=lambda point: point.x) for points in wanted]
    found = [_slope(points, means) for points in ordered]
    return [_trend(points, test, means) for points, test in zip(ordered, corrected(found), strict=True)]


def _slope(points: Sequence[Point], means: Means) -> Estimate | None:
    if not all(cell.id in means for point in points for _, cell in point.terms):
        return None
    terms = [[(weight, means[cell.id]) for weight, cell in point.terms] for point in points]
    return slope([point.x for point in points], terms)


def _trend(points: Sequence[Point], test: Test | None, means: Means) -> Trend | None:
    weights = slope_weights([point.x for point in points])
    if weights is None:
        return None
    values = [math.fsum(weight * (cell.value or 0.0) for weight, cell in point.terms) for point in points]
    found = math.fsum(weight * value for weight, value in zip(weights, values, strict=True))
    direction = direction_of(found, test)
    steps = corrected([_slope(pair, means) for pair in pairwise(points)])
    ways = {direction_of(b - a, step) for (a, b), step in zip(pairwise(values), steps, strict=True)}
    if {Direction.RISES, Direction.FALLS} <= ways | {direction}:
        direction = Direction.UNSTEADY
    return Trend(
        points=tuple(
            TrendPoint(x=point.x, value=value, cells=tuple(cell.id for _, cell in point.terms))
            for point, value in zip(points, values, strict=True)
        ),
        slope=found,
        direction=direction,
        test=test,
    )


def direction_of(value: float, test: Test | None) -> Direction:
    """Return where a tested value goes."""
    if test is None:
        return Direction.UNTESTED
    if test.p_holm >= ALPHA:
        return Direction.LEVEL
    return Direction.RISES if value > 0 else Direction.FALLS


def effects(
    wanted: Sequence[Sequence[tuple[float, str]]], values: Mapping[str, float], means: Means
) -> list[Effect]:
    """Return the sum of weight times value over cells for each list of (weight, cell), as one family of tests.

    `values` has each cell's mean of some measure, `means` the same with its spread where that is known.
    """
    found = [
        contrast([(weight, means[cell]) for weight, cell in terms])
        if all(cell in means for _, cell in terms)
        else None
        for terms in wanted
    ]
    sums = [math.fsum(weight * values[cell] for weight, cell in terms) for terms in wanted]
    return [
        Effect(value=value, direction=direction_of(value, test), test=test)
        for value, test in zip(sums, corrected(found), strict=True)
    ]


def united(mean: Effect, parts: Iterable[float]) -> Effect:
    """Return a mean's effect; UNSTEADY where one of its parts goes the other way, so that it does not speak for all."""
    decided = mean.direction in (Direction.RISES, Direction.FALLS)
    if decided and any(part * mean.value < 0 for part in parts):
        return mean.model_copy(update={"direction": Direction.UNSTEADY})
    return mean


def _side(cell: Cell) -> Side:
    """Return a side with the runs that its mean is of: of a complete run not every measure may be there."""
    runs = cell.result.runs if cell.result else ()
    seeds = dict(zip(cell.runs, cell.seeds, strict=True))
    return Side(cell=cell.id, mean=cell.value or 0.0, runs=runs, seeds=tuple(seeds[run] for run in runs))
