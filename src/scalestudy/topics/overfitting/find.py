"""Training against test: the gap after the last epoch, and whether runs were still improving, or unstable."""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from scalestudy.findings.compare import united
from scalestudy.findings.model import Cell, Direction, Effect, Record
from scalestudy.findings.study import Study
from scalestudy.stats.estimate import slope_weights
from scalestudy.stats.proportions import binomial_error

LEAST_JUMP = 0.02
"""A run that turns back by less than two points is not called unstable, however many test images there are."""
NOISE = 3.0 * math.sqrt(2)
"""A change between two epochs counts from three standard errors of a difference of two test accuracies on."""


class Missing(StrEnum):
    """Why there is nothing to find."""

    NO_RUN = "no_run"


class Course(StrEnum):
    """How the runs of a cell ended.

    IMPROVING, FALLING: the last epoch still raised, or lowered, test accuracy beyond the run-to-run spread. UNSTABLE:
    in some run it fell and rose between epochs beyond test noise. UNDECIDED: what the last epoch changed lies within
    that spread. SETTLED: early stopping ended it. UNKNOWN: too few epochs, or no spread.
    """

    IMPROVING = "improving"
    FALLING = "falling"
    UNDECIDED = "undecided"
    UNSTABLE = "unstable"
    SETTLED = "settled"
    UNKNOWN = "unknown"


class Ended(Record):
    """How the runs of a cell ended: the change of test accuracy in the last epoch, and which runs were unstable."""

    cell: str
    course: Course
    change: Effect | None
    unstable: tuple[str, ...]


class GapAt(Record):
    """The mean gap on one fraction, over the series with a result on the smallest and the largest fraction."""

    fraction: str
    gap: float
    cells: tuple[str, ...]


class Overfitting(Record):
    """All that was found about gaps and courses.

    `trend` is the gap's change per doubling of the training images, averaged over the series.
    """

    missing: Missing | None
    gaps: tuple[GapAt, ...] = ()
    trend: Effect | None = None
    ended: tuple[Ended, ...] = ()

    def of(self, course: Course) -> list[Ended]:
        """Return the cells that ended so."""
        return [each for each in self.ended if each.course is course]


def find(study: Study) -> Overfitting:
    """Return gaps and courses of the base recipe's cells, of all cells where that has a single one."""
    grid = study.grid
    shown = tuple(grid.cells) if grid.base_at_one_point else grid.base.cells
    cells = [cell for cell in grid.having(shown) if cell.stat("gap") is not None]
    if not cells:
        return Overfitting(missing=Missing.NO_RUN)
    return Overfitting(
        missing=None, gaps=_gaps(study, cells), trend=_trend(study, cells), ended=_ended(study, cells)
    )


def _gaps(study: Study, cells: Sequence[Cell]) -> tuple[GapAt, ...]:
    having: dict[str, set[tuple[str, str]]] = {}
    for cell in cells:
        having.setdefault(cell.fraction, set()).add((cell.model, cell.init))
    fractions = [fraction for fraction in study.grid.fractions if fraction in having]
    whole = having[fractions[0]] & having[fractions[-1]]
    found = []
    for fraction in fractions:
        own = [cell for cell in cells if cell.fraction == fraction and (cell.model, cell.init) in whole]
        values = [stat.value for cell in own if (stat := cell.stat("gap")) is not None]
        if values:
            names = tuple(cell.id for cell in own)
            found.append(GapAt(fraction=fraction, gap=sum(values) / len(values), cells=names))
    return tuple(found)


def _trend(study: Study, cells: Sequence[Cell]) -> Effect | None:
    """Return the mean slope of the gap over log2 of the images, over all series of two sizes or more."""
    there = {cell.id for cell in cells}
    terms: list[list[tuple[float, str]]] = []
    for series in study.grid.series():
        own = [cell for cell in study.cells(series.cells) if cell.id in there and cell.train_images]
        weights = slope_weights([math.log2(cell.train_images or 1) for cell in own])
        if weights is not None:
            terms.append([(weight, cell.id) for weight, cell in zip(weights, own, strict=True)])
    if not terms:
        return None
    joined = [(weight / len(terms), name) for own in terms for weight, name in own]
    (mean,) = study.effects([joined], study.values("gap"))
    gaps = {cell.id: stat.value for cell in cells if (stat := cell.stat("gap")) is not None}
    return united(mean, [math.fsum(weight * gaps[name] for weight, name in own) for own in terms])


def _ended(study: Study, cells: Sequence[Cell]) -> tuple[Ended, ...]:
    curves, images = study.collected.curves, sum(study.test_counts)
    last: dict[str, list[float]] = {}
    unstable: dict[str, tuple[str, ...]] = {}
    for cell in cells:
        own = {run: [float(v) for v in curves[run]["test_accuracy"]] for run in cell.runs if run in curves}
        least = (
            2 if cell.settings.get("steps") is None else 3
        )  # of two measurements in many epochs none is a course
        if own and all(len(values) >= least for values in own.values()):
            last[cell.id] = [values[-1] - values[-2] for values in own.values()]
        unstable[cell.id] = tuple(run for run, values in own.items() if is_unstable(values, images))
    effects = dict(zip(last, study.effects([[(1.0, name)] for name in last], last), strict=True))
    return tuple(
        Ended(
            cell=cell.id,
            course=_course(
                effects.get(cell.id), unstable[cell.id], stopped=bool(cell.settings.get("early_stopping"))
            ),
            change=effects.get(cell.id),
            unstable=unstable[cell.id],
        )
        for cell in cells
    )


def _course(change: Effect | None, unstable: Sequence[str], *, stopped: bool) -> Course:
    """Return how a setting ended. What early stopping kept is the best epoch, which rises on the one before it."""
    if unstable:
        return Course.UNSTABLE
    if stopped:
        return Course.SETTLED
    if change is None or change.direction is Direction.UNTESTED:
        return Course.UNKNOWN
    ways = {Direction.RISES: Course.IMPROVING, Direction.FALLS: Course.FALLING}
    return ways.get(change.direction, Course.UNDECIDED)


def is_unstable(accuracies: Sequence[float], test_images: int) -> bool:
    """Return whether a test accuracy falls between two epochs and rises between two others, both beyond test noise.

    A curve that bends, levels off or falls steadily is not unstable; one that goes 47, 39, 52, 42, 50 is.
    """
    falls = rises = False
    for before, after in pairwise(accuracies):
        least = LEAST_JUMP
        if test_images:
            least = max(LEAST_JUMP, NOISE * binomial_error((before + after) / 2, test_images))
        falls |= before - after > least
        rises |= falls and after - before > least
    return falls and rises
