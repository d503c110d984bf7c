"""What more training images bring, over the base recipe's series; and the power law that the error may follow."""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np

from scalestudy.findings.compare import Pair, balance
from scalestudy.findings.model import Balance, Cell, Claim, Direction, Effect, Record, Series, SeriesTrend
from scalestudy.findings.study import Study
from scalestudy.stats.powerlaw import determined, error_and_reliance, fit_power_law, local_slope
from scalestudy.stats.proportions import binomial_error

FEWEST_SIZES = 4
DRAWS = 400
SEED = 20210101


class Missing(StrEnum):
    """Why there is nothing to find."""

    ONE_SIZE = "one_size"
    NO_PAIR = "no_pair"


class Budget(StrEnum):
    """What grows with the training set besides the images."""

    EPOCHS = "epochs"
    STEPS = "steps"


class Unfitted(StrEnum):
    """Why no power law is fitted to a series."""

    FEW_SIZES = "few_sizes"
    NO_FALL = "no_fall"
    UNDETERMINED = "undetermined"


class Step(Record):
    """A cell and the next larger training set of its series; `ratio` of their images."""

    model: str
    init: str
    small: str
    large: str
    ratio: float | None


class Returns(Record):
    """Whether a doubling brings less in larger training sets, over the mean of all whole series.

    `first` and `last` are the mean gains per doubling between the two smallest and the two largest sizes;
    `bend` is the curvature over all sizes (the quadratic contrast): falling means diminishing.
    """

    first: float
    last: float
    bend: Effect
    cells: tuple[str, ...]

    @property
    def contradicts_itself(self) -> bool:
        """Whether the sizes between bend the other way than these two gains tell."""
        way = {Direction.RISES: 1, Direction.FALLS: -1}.get(self.bend.direction, 0)
        return way * (self.last - self.first) < 0


class Parameter(Record):
    """A fitted number with the 2.5 and 97.5 percentiles of its bootstrap."""

    value: float
    low: float
    high: float


class Fit(Record):
    """error(n) = a n^-b + c over the sizes of a series.

    `curve` holds (images, error, low, high); `predicted` is the error of the largest size by a fit to the smaller
    ones, None where these are too few, `observed` the measured one; `reliance` is Hoiem's data reliance at the largest
    size, and `last_doubling` the fall of the fitted error over the last doubling.
    """

    a: Parameter
    b: Parameter
    c: Parameter
    df: int
    rmse: float
    curve: tuple[tuple[float, float, float, float], ...]
    predicted: float | None
    observed: float
    reliance: float
    last_doubling: float


class Scaling(Record):
    """The error of one series: local slopes d log(error) / d log(images) between neighbours, and a fit or why not."""

    model: str
    init: str
    cells: tuple[str, ...]
    slopes: tuple[float | None, ...]
    fit: Fit | None
    unfitted: Unfitted | None


class DataSize(Record):
    """All that was found about training-set size."""

    missing: Missing | None
    budget: Budget
    steps: tuple[Step, ...] = ()
    balance: Claim[Balance] | None = None
    ends: Claim[Balance] | None = None
    trends: tuple[SeriesTrend, ...] = ()
    returns: Returns | None = None
    scaling: tuple[Scaling, ...] = ()


def pairs(study: Study) -> list[Pair]:
    """Return each base cell and the next larger training set, and the ends of each series."""
    series = [study.cells(each.cells) for each in study.grid.series()]
    steps = [pair for cells in series for pair in pairwise(cells)]
    return [*steps, *((cells[0], cells[-1]) for cells in series if len(cells) > 2), *_having(study)]


def _having(study: Study) -> list[Pair]:
    """Return neighbours, and ends, among the cells that have a result."""
    found = []
    for series in study.grid.series():
        cells = study.grid.having(series.cells)
        found += [*pairwise(cells), *([(cells[0], cells[-1])] if len(cells) > 1 else [])]
    return found


def find(study: Study) -> DataSize:
    """Return what more images bring in each series of the base recipe."""
    grid = study.grid
    budget = Budget.STEPS if grid.base.settings.get("steps") else Budget.EPOCHS
    series = list(grid.series())
    steps = [(each, pair) for each in series for pair in grid.steps_of_data(each)]
    if not steps:
        several = len({grid.cells[name].fraction for name in grid.base.cells}) > 1
        return DataSize(missing=Missing.NO_PAIR if several else Missing.ONE_SIZE, budget=budget)
    ends = [(own[0], own[-1]) for each in series if len(own := grid.having(each.cells)) > 1]
    return DataSize(
        missing=None,
        budget=budget,
        steps=tuple(
            Step(model=a.model, init=a.init, small=a.id, large=b.id, ratio=_ratio(a, b))
            for _, (a, b) in steps
        ),
        balance=balance(study.grid, [pair for _, pair in steps]),
        ends=balance(study.grid, ends),
        trends=study.trends([grid.having(each.cells) for each in series]),
        returns=_returns(study, series),
        scaling=tuple(_scaling(study, each) for each in series if len(_sized(grid.having(each.cells))) > 1),
    )


def _ratio(a: Cell, b: Cell) -> float | None:
    return b.train_images / a.train_images if a.train_images and b.train_images else None


def _sized(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.train_images]


def _returns(study: Study, series: Sequence[Series]) -> Returns | None:
    """Return the bend of the mean over the series that have every size; None with fewer than three sizes."""
    grid = study.grid
    whole = [
        cells
        for each in series
        if len(cells := _sized(grid.having(each.cells))) == len(each.cells) and len(cells) > 2
    ]
    if not whole or len({tuple(cell.train_images for cell in cells) for cells in whole}) > 1:
        return None
    xs = [math.log2(cell.train_images or 1) for cell in whole[0]]
    weights = bend_weights(xs)
    share = 1 / len(whole)
    terms = [
        (share * weight, cell.id) for cells in whole for weight, cell in zip(weights, cells, strict=True)
    ]
    (bend,) = study.effects([terms], study.values(grid.primary))

    def gain(a: int, b: int) -> float:
        return sum(((c[b].value or 0.0) - (c[a].value or 0.0)) for c in whole) * share / (xs[b] - xs[a])

    names = tuple(cell.id for cells in whole for cell in cells)
    return Returns(first=gain(0, 1), last=gain(-2, -1), bend=bend, cells=names)


def bend_weights(xs: Sequence[float]) -> list[float]:
    """Return the weight of each y in the quadratic term of a least-squares parabola over three or more `xs`.

    The orthogonal contrast of second degree (Draper and Smith 1998, Applied regression analysis, chapter 22).
    """
    powers = np.vander(np.asarray(xs, dtype=np.float64) - float(np.mean(xs)), 3)
    return [float(weight) for weight in np.linalg.pinv(powers)[0]]


def _scaling(study: Study, series: Series) -> Scaling:
    cells = _sized(study.grid.having(series.cells))
    slopes = [
        local_slope(a.train_images or 1, 1 - (a.value or 0), b.train_images or 1, 1 - (b.value or 0))
        for a, b in pairwise(cells)
    ]
    fit = _fit(study, cells)
    return Scaling(
        model=series.model,
        init=series.init,
        cells=tuple(cell.id for cell in cells),
        slopes=tuple(slopes),
        fit=fit if isinstance(fit, Fit) else None,
        unfitted=fit if isinstance(fit, Unfitted) else None,
    )


def _noise(study: Study, cells: Sequence[Cell]) -> list[float]:
    """Return the standard error of each cell's mean: from the run-to-run spread, else that of the test images."""
    images = sum(study.test_counts)
    return [
        math.sqrt(mean.variance / mean.n)
        if (mean := study.means.get(cell.id)) is not None
        else binomial_error(cell.value or 0.0, images)
        for cell in cells
    ]


def _fit(study: Study, cells: Sequence[Cell]) -> Fit | Unfitted:
    """Return the power law with floor of one series with its uncertainty, or why there is none.

    Intervals: parametric bootstrap (Efron and Tibshirani 1993, section 6.5), percentiles of `DRAWS` refits
    to errors drawn from a normal distribution around the measured ones.
    """
    if len(cells) < FEWEST_SIZES:
        return Unfitted.FEW_SIZES
    sizes = np.array([cell.train_images for cell in cells], dtype=np.float64)
    errors = np.array([1 - (cell.value or 0.0) for cell in cells])
    noise = np.array(_noise(study, cells))
    if errors.max() - errors.min() <= 2 * float(noise.max()) or errors[0] <= errors[-1]:
        return Unfitted.NO_FALL
    law = fit_power_law(sizes, errors[None, :])
    if not determined(law):
        return Unfitted.UNDETERMINED
    random = np.random.default_rng(SEED)
    draws = np.clip(errors + noise * random.standard_normal((DRAWS, len(errors))), 0.0, 1.0)
    refits = fit_power_law(sizes, draws)
    at = np.geomspace(sizes[0], sizes[-1], 25)
    band = np.percentile(refits(at), [2.5, 97.5], axis=0)
    largest = float(sizes[-1])
    _, reliance = error_and_reliance(law, largest)

    def parameter(name: str) -> Parameter:
        low, high = np.percentile(getattr(refits, name), [2.5, 97.5])
        return Parameter(value=float(getattr(law, name)[0]), low=float(low), high=float(high))

    return Fit(
        a=parameter("a"),
        b=parameter("b"),
        c=parameter("c"),
        df=len(cells) - 3,
        rmse=float(np.sqrt(((errors - law(sizes)[0]) ** 2).mean())),
        curve=tuple(
            (float(n), float(middle), float(low), float(high))
            for n, middle, low, high in zip(at, law(at)[0], *band, strict=True)
        ),
        predicted=float(fit_power_law(sizes[:-1], errors[None, :-1])(sizes[-1:])[0, 0])
        if len(cells) > FEWEST_SIZES
        else None,
        observed=float(errors[-1]),
        reliance=reliance,
        last_doubling=float(law(np.array([largest / 2]))[0, 0] - law(np.array([largest]))[0, 0]),
    )
