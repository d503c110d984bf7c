"""How often verdicts are false, and which differences they find: studies of random runs, judged as the report judges.

    python benchmarks/verdicts.py

A study has three training-set sizes, two models and two kinds of initial weights, with 3 or 5 seeds a cell. In the
first table no cell differs from another, and its numbers are the share of studies, in per cent, in which a family of
comparisons (models, weights, data; corrected by Holm) holds at least one "higher" or "lower": 5 is nominal, and shown
is the worst of the three families. In the second table one model is better on all sizes by so many standard
deviations of a run, and the numbers are the share of these six differences that are found.

Compared are four tests. paired: Student's t over seeds in common. welch: each cell's own spread. anova: one spread for
all cells of a size. report: what the report does (`scalestudy.stats.spread.cell_means`): the spread of the size, or
the cell's own where that is larger. The last rows judge single runs beside cells with seeds; only the last two can.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scalestudy.stats.estimate import ALPHA, Mean, contrast, holm
from scalestudy.stats.spread import Replicates, cell_means, pooled_spread

Floats = NDArray[np.float64]
Cell = tuple[int, int, int]  # size, model, weights
Pair = tuple[Cell, Cell]
CELLS: list[Cell] = list(product(range(3), range(2), range(2)))
FAMILIES: dict[str, list[Pair]] = {
    "models": [((size, 0, own), (size, 1, own)) for size in range(3) for own in range(2)],
    "weights": [((size, model, 0), (size, model, 1)) for size in range(3) for model in range(2)],
    "data": [
        ((a, model, own), (b, model, own))
        for model in range(2)
        for own in range(2)
        for a, b in ((0, 1), (1, 2), (0, 2))
    ],
}
METHODS = ("paired", "welch", "anova", "report")


def even(points: float) -> Floats:
    """Return the same spread for every cell, in points of accuracy."""
    return np.full((3, 2, 2), points)


SPREADS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "0.3 points everywhere": lambda rng: even(0.3),
    "1 point everywhere": lambda rng: even(1.0),
    "5 points everywhere": lambda rng: even(5.0),
    "5, 1 and 0.3 points by size": lambda rng: np.array([5.0, 1.0, 0.3])[:, None, None] * even(1.0),
    "1 and 3 points by model": lambda rng: np.array([1.0, 3.0])[None, :, None] * even(1.0),
    "0.5 and 5 points by model": lambda rng: np.array([0.5, 5.0])[None, :, None] * even(1.0),
    "1 and 3 points by weights": lambda rng: np.array([1.0, 3.0])[None, None, :] * even(1.0),
    "one cell of each size 5, the others 0.5": lambda rng: np.where(_corner() > 0, 5.0, 0.5),
    "anything from 0.3 to 5 points": lambda rng: np.exp(rng.uniform(np.log(0.3), np.log(5), (3, 2, 2))),
}


def _corner() -> Floats:
    found = np.zeros((3, 2, 2))
    found[:, 1, 1] = 1
    return found


def p_values(method: str, runs: Mapping[Cell, Floats], pairs: Sequence[Pair]) -> list[float]:
    """Return the p of each pair by a method; 1 where it has no test."""
    if method == "paired":
        return [_paired(runs[b] - runs[a]) for a, b in pairs]
    cells = [
        Replicates(str(cell), str(cell[0]), (f"{cell[1]} {cell[2]}", str(cell[1])), list(own))
        for cell, own in runs.items()
    ]
    if method == "report":
        means = cell_means(cells)
    elif method == "anova":
        pools = {size: pooled_spread([c.values for c in cells if c.pool == str(size)]) for size in range(3)}
        means = {
            each.cell: Mean(float(np.mean(each.values)), len(each.values), own.sd**2, own.df, each.pool)
            for each in cells
            if (own := pools[int(each.pool)]) is not None
        }
    else:
        means = {
            each.cell: Mean(
                float(np.mean(each.values)), len(each.values), float(np.var(each.values, ddof=1)),
                len(each.values) - 1, each.cell,
            )
            for each in cells
            if len(each.values) > 1
        }  # fmt: skip
    found = []
    for a, b in pairs:
        own = [means.get(str(cell)) for cell in (a, b)]
        test = contrast([(-1.0, own[0]), (1.0, own[1])]) if own[0] and own[1] else None
        found.append(1.0 if test is None else test.p)
    return found


def _paired(differences: Floats) -> float:
    n = len(differences)
    if n < 2:
        return 1.0
    t = abs(differences.mean()) / (differences.std(ddof=1) / np.sqrt(n))
    return 2 * float(special.stdtr(n - 1, -t))


def make_runs(
    rng: np.random.Generator, spread: Floats, seeds: int, shift: float = 0.0, falls: float = 0.0
) -> dict[Cell, Floats]:
    """Return each cell's results in points: the second model better by `shift`; a share `falls` of runs lose 10."""
    return {
        cell: spread[cell] * rng.standard_normal(seeds) + shift * cell[1] - 10 * (rng.random(seeds) < falls)
        for cell in CELLS
    }


def false_verdicts(
    rng: np.random.Generator, spread: str, seeds: int, studies: int, falls: float = 0.0
) -> list[float]:
    """Return for each method the share of studies with a false verdict, of its worst family, in per cent."""
    wrong = {(method, family): 0 for method in METHODS for family in FAMILIES}
    for _ in range(studies):
        runs = make_runs(rng, SPREADS[spread](rng), seeds, falls=falls)
        for method, family in wrong:
            p = holm(p_values(method, runs, FAMILIES[family]))
            wrong[method, family] += min(p) < ALPHA
    return [max(100 * wrong[method, family] / studies for family in FAMILIES) for method in METHODS]


def found_differences(rng: np.random.Generator, shift: float, seeds: int, studies: int) -> list[float]:
    """Return for each method the share of true differences of `shift` standard deviations found, in per cent."""
    found = dict.fromkeys(METHODS, 0.0)
    for _ in range(studies):
        runs = make_runs(rng, even(1.0), seeds, shift)
        for method in METHODS:
            found[method] += float(
                np.mean(np.array(holm(p_values(method, runs, FAMILIES["models"]))) < ALPHA)
            )
    return [100 * found[method] / studies for method in METHODS]


def single_runs(rng: np.random.Generator, spread: str, seeds: int, studies: int) -> list[float]:
    """Return the share of studies with a false verdict on one run of another recipe against each cell, in per cent."""
    wrong = dict.fromkeys(METHODS, 0)
    for _ in range(studies):
        own = SPREADS[spread](rng)
        runs = make_runs(rng, own, seeds)
        others = {(*cell, "other"): own[cell] * rng.standard_normal(1) for cell in CELLS}
        both = {**runs, **others}
        pairs = [(cell, (*cell, "other")) for cell in CELLS]
        for method in ("anova", "report"):
            wrong[method] += min(holm(p_values(method, both, pairs))) < ALPHA  # type: ignore[arg-type]
    return [100 * wrong[method] / studies for method in METHODS]


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=400, help="random studies for each number")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    head = f"{'':44}{'':>6}" + "".join(f"{method:>9}" for method in METHODS)

    def line(name: str, seeds: int, values: Sequence[float]) -> None:
        print(f"{name:44}{seeds:>6}" + "".join(f"{value:>9.1f}" for value in values), flush=True)

    print(f"{'studies with a false verdict, %':44}{'seeds':>6}{head[50:]}")
    for seeds, spread in product((3, 5), SPREADS):
        line(spread, seeds, false_verdicts(rng, spread, seeds, chosen.studies))
    for seeds in (3, 5):
        name = "1 point, and one run in 20 falls by 10"
        line(name, seeds, false_verdicts(rng, "1 point everywhere", seeds, chosen.studies, falls=0.05))
    print(f"\n{'differences found, %':44}{'seeds':>6}{head[50:]}")
    for seeds, shift in product((3, 5), (1.0, 2.0, 3.0, 4.0, 6.0)):
        line(f"{shift:g} standard deviations", seeds, found_differences(rng, shift, seeds, chosen.studies))
    print(f"\n{'false verdicts on single runs, %':44}{'seeds':>6}{head[50:]}")
    for seeds, spread in product((3, 5), SPREADS):
        line(spread, seeds, single_runs(rng, spread, seeds, chosen.studies))


if __name__ == "__main__":
    main()
