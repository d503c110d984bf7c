"""How much a result moves from run to run: the spread over seeds, pooled over cells that are alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalestudy.stats.estimate import Mean, deviation

LEAST_DF = 2
"""Degrees of freedom that a pooled spread needs before it speaks for a cell with a single run."""


@dataclass(frozen=True)
class Replicates:
    """The values of one measure over the runs of one cell.

    `pool` names the cells whose spread is estimated together (one training-set fraction); each of `kin` names
    some of them that are like this one, the nearest first (the same model and weights, the same model).
    """

    cell: str
    pool: str
    kin: Sequence[str]
    values: Sequence[float]


@dataclass(frozen=True)
class PooledSpread:
    """The standard deviation of one run, pooled within `cells` cells with several runs each.

    `smallest` and `largest` are the cells' own standard deviations.
    """

    sd: float
    df: int
    cells: int
    smallest: float
    largest: float


def pooled_spread(groups: Sequence[Sequence[float]]) -> PooledSpread | None:
    """Return the standard deviation within groups, as in analysis of variance; None without any two values.

    Source: Fisher (1925), Statistical methods for research workers, chapter VII.
    """
    several = [values for values in groups if len(values) > 1]
    if not several:
        return None
    own = [deviation(values) for values in several]
    df = sum(len(values) - 1 for values in several)
    variance = math.fsum((len(v) - 1) * sd**2 for v, sd in zip(several, own, strict=True)) / df
    return PooledSpread(math.sqrt(variance), df, len(several), min(own), max(own))


def alike(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the p of all groups having one spread; None with fewer than two groups of three values or more.

    Two values lie equally far from their median, whatever their spread: each pair would seem to differ from all others.
    Source: Brown and Forsythe (1974), Robust tests for the equality of variances, JASA 69.
    """
    several = [values for values in groups if len(values) > 2]
    if len(several) < 2 or all(np.ptp(values) == 0 for values in several):
        return None
    from scipy import stats  # takes a second, and drawing and rendering need none of it

    with np.errstate(divide="ignore", invalid="ignore"):
        p = float(stats.levene(*several, center="median").pvalue)
    return p if math.isfinite(p) else None


def cell_means(cells: Sequence[Replicates]) -> dict[str, Mean]:
    """Return each cell's mean with the variance of one of its runs, for the cells whose spread is known.

    A cell's spread is that of its pool, or its own where that is larger: pooling lends a cell of few runs the
    degrees of freedom of its neighbours, and the floor keeps a cell that moves more than they do from being
    judged by theirs. (With three runs a cell, no test of equal spreads notices most differences that matter;
    `benchmarks/verdicts.py` shows the error rates of both.) A cell with a single run takes the larger of the
    pool's spread and that of its nearest kin with several runs.
    """
    found: dict[str, Mean] = {}
    for pool in dict.fromkeys(each.pool for each in cells):
        own = [each for each in cells if each.pool == pool]
        shared = _shared(own)
        for each in own:
            if not each.values or shared is None or (len(each.values) == 1 and shared.df < LEAST_DF):
                continue
            near = _shared([each]) if len(each.values) > 1 else _kin(each, own)
            spread = near if near is not None and near.variance > shared.variance else shared
            value = math.fsum(each.values) / len(each.values)
            found[each.cell] = Mean(value, len(each.values), spread.variance, spread.df, spread.name)
    return found


@dataclass(frozen=True)
class _Shared:
    """The variance of one run, from the cells in `name`: equal names are one estimate."""

    variance: float
    df: int
    name: str


def _shared(cells: Sequence[Replicates]) -> _Shared | None:
    pooled = pooled_spread([each.values for each in cells])
    several = " ".join(sorted(each.cell for each in cells if len(each.values) > 1))
    return None if pooled is None else _Shared(pooled.sd**2, pooled.df, several)


def _kin(cell: Replicates, pool: Sequence[Replicates]) -> _Shared | None:
    """Return the spread of the nearest kin of a cell that has several runs."""
    found = (_shared([each for each in pool if name in each.kin]) for name in cell.kin)
    return next((each for each in found if each is not None), None)
