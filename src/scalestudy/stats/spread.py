"""How much a result moves from run to run: the spread over seeds, pooled over cells that are alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from scalestudy.stats.estimate import Mean, deviation

LEAST_DF = 2
"""Degrees of freedom that a pooled spread needs before it speaks for a cell with a single run."""


@dataclass(frozen=True)
class Replicates:
    """The values of one measure over the runs of one cell.

    `pool` names the cells whose spread is estimated together (one training-set fraction), `kin` those in it
    that are most like this one (the same model).
    """

    cell: str
    pool: str
    kin: str
    values: Sequence[float]


@dataclass(frozen=True)
class PooledSpread:
    """The standard deviation of one run, pooled within `cells` cells with several runs each.

    `smallest` and `largest` are the cells' own standard deviations; `p_alike` is that of Brown and Forsythe's
    test of their being equal, None with one cell.
    """

    sd: float
    df: int
    cells: int
    smallest: float
    largest: float
    p_alike: float | None


def pooled_spread(groups: Sequence[Sequence[float]]) -> PooledSpread | None:
    """Return the standard deviation within groups, as in analysis of variance; None without any two values.

    Source: Fisher (1925), Statistical methods for research workers, chapter VII; the test of equal spreads is
    Brown and Forsythe (1974), Robust tests for the equality of variances, JASA 69.
    """
    several = [values for values in groups if len(values) > 1]
    if not several:
        return None
    own = [deviation(values) for values in several]
    df = sum(len(values) - 1 for values in several)
    variance = math.fsum((len(v) - 1) * sd**2 for v, sd in zip(several, own, strict=True)) / df
    return PooledSpread(math.sqrt(variance), df, len(several), min(own), max(own), _alike(several))


def _alike(groups: Sequence[Sequence[float]]) -> float | None:
    if len(groups) < 2 or all(np.ptp(values) == 0 for values in groups):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):  # two values lie equally far from their median
        p = float(stats.levene(*groups, center="median").pvalue)
    return p if math.isfinite(p) else None


def cell_means(cells: Sequence[Replicates]) -> dict[str, Mean]:
    """Return each cell's mean with the variance of one of its runs, for the cells whose spread is known.

    A cell's spread is that of its pool, or its own where that is larger: pooling lends a cell of few runs the
    degrees of freedom of its neighbours, and the floor keeps a cell that moves more than they do from being
    judged by theirs. (With three runs a cell, no test of equal spreads notices most differences that matter;
    `benchmarks/verdicts.py` shows the error rates of both.) A cell with a single run takes the larger of the
    pool's spread and that of its kin in the pool.
    """
    means: dict[str, Mean] = {}
    pools = {each.pool: [other for other in cells if other.pool == each.pool] for each in cells}
    pooled = {name: pooled_spread([each.values for each in own]) for name, own in pools.items()}
    for each in cells:
        shared = pooled[each.pool]
        if not each.values or shared is None:
            continue
        n, value = len(each.values), math.fsum(each.values) / len(each.values)
        if n > 1:
            nearest, name = pooled_spread([each.values]), f"cell {each.cell}"
        elif shared.df < LEAST_DF:
            continue
        else:
            kin = [other.values for other in pools[each.pool] if other.kin == each.kin]
            nearest, name = pooled_spread(kin), f"kin {each.pool} {each.kin}"
        if nearest is not None and nearest.sd > shared.sd:
            means[each.cell] = Mean(value, n, nearest.sd**2, nearest.df, name)
        else:
            means[each.cell] = Mean(value, n, shared.sd**2, shared.df, f"pool {each.pool}")
    return means
