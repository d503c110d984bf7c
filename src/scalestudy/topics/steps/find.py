"""Data and optimisation told apart: by runs of equal steps, or by reading learning curves at equal steps."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scalestudy.findings.compare import Pair, balance
from scalestudy.findings.model import Balance, Cell, Claim, Direction, Effect, Group, Record
from scalestudy.findings.study import Study


class Missing(StrEnum):
    """Why there is nothing to find."""

    ONE_SIZE = "one_size"
    EQUAL_ALREADY = "equal_already"
    NO_PAIR = "no_pair"


class NotRead(StrEnum):
    """Why a pair has no reading at equal steps.

    LATE: the larger subset was first measured after the smaller one's last step. JUMP: between the two epochs
    that enclose that step its accuracy moves further than the difference to be read. SCHEDULE: its learning
    rate was still high there, where the smaller one's had reached its end.
    """

    LATE = "late"
    JUMP = "jump"
    SCHEDULE = "schedule"


class Reading(StrEnum):
    """What the readings at equal steps come to: most of the difference is there already, or comes with more steps."""

    DATA = "data"
    STEPS = "steps"
    OPEN = "open"


class ReadPair(Record):
    """A cell and the next larger subset: the larger one's accuracy when it had taken the smaller one's steps."""

    model: str
    init: str
    small: str
    large: str
    step: int
    at: float | None
    not_read: NotRead | None


class Read(Record):
    """Means over the pairs that are read: larger minus smaller at equal steps, and what its further steps bring."""

    reading: Reading
    by_data: Effect
    by_steps: Effect
    cells: tuple[str, ...]


class Planned(Record):
    """Runs that were planned with equal steps: in each series the largest subset against the smallest."""

    group: str
    steps: int
    balance: Claim[Balance]


class Steps(Record):
    """All that was found about data against steps."""

    missing: Missing | None
    pairs: tuple[ReadPair, ...] = ()
    read: Read | None = None
    planned: tuple[Planned, ...] = ()


def pairs(study: Study) -> list[Pair]:
    """Return the ends of each series of the recipes with equal steps."""
    return [pair for group in _equal_groups(study) for pair in _ends(study, group)]


def _equal_groups(study: Study) -> list[Group]:
    return [group for group in study.grid.groups if group.differs and group.settings.get("steps")]


def _ends(study: Study, group: Group) -> list[Pair]:
    series = [study.grid.having(each.cells) for each in study.grid.series(group)]
    return [(cells[0], cells[-1]) for cells in series if len({cell.fraction for cell in cells}) > 1]


def find(study: Study) -> Steps:
    """Return what is data and what is steps, over the base recipe's neighbouring subsets."""
    grid = study.grid
    neighbours = [pair for series in grid.series() for pair in grid.steps_of_data(series)]
    planned = tuple(
        Planned(group=group.id, steps=int(str(group.settings["steps"])), balance=balance(study.grid, ends))
        for group in _equal_groups(study)
        if (ends := _ends(study, group))
    )
    given = grid.base.settings.get("steps") and not grid.base.settings.get("early_stopping")
    if given or (neighbours and len({cell.steps for pair in neighbours for cell in pair}) == 1):
        return Steps(missing=Missing.EQUAL_ALREADY, planned=planned)
    if not neighbours and not planned:
        several = len({grid.cells[name].fraction for name in grid.base.cells}) > 1
        return Steps(missing=Missing.NO_PAIR if several else Missing.ONE_SIZE)
    read = [_read_pair(study, small, large) for small, large in neighbours]
    found = tuple(each for each in read if each is not None)
    return Steps(missing=None, pairs=found, read=_read(study, found), planned=planned)


def accuracy_at(steps: Sequence[float], accuracies: Sequence[float], step: float) -> float | None:
    """Return a curve's accuracy at `step`, linear between two measured steps; None outside them."""
    if not steps or not steps[0] <= step <= steps[-1]:
        return None
    for (s1, a1), (s2, a2) in pairwise(zip(steps, accuracies, strict=True)):
        if s1 <= step <= s2:
            return a1 + (a2 - a1) * (step - s1) / (s2 - s1) if s2 > s1 else a2
    return accuracies[0]


def _jump(steps: Sequence[float], accuracies: Sequence[float], step: float) -> float:
    """Return how far a curve moves between the two measured steps that enclose `step`; 0 where it was measured."""
    if step in steps:
        return 0.0
    around = [
        abs(a2 - a1) for (s1, a1), (s2, a2) in pairwise(zip(steps, accuracies, strict=True)) if s1 < step < s2
    ]
    return around[0] if around else 0.0


def _read_pair(study: Study, small: Cell, large: Cell) -> ReadPair | None:
    curve = study.grid.curves.get(large.id)
    if curve is None or small.steps is None:
        return None
    tests, step = curve["test_accuracy"], small.steps
    at = accuracy_at(curve.step, tests, step)
    reached = study.grid.curves[small.id]["test_accuracy"][-1] if small.id in study.grid.curves else None
    not_read = None
    if at is None or reached is None:
        not_read = NotRead.LATE
    elif str(large.settings.get("schedule", "constant")) != "constant":
        not_read = NotRead.SCHEDULE
    elif _jump(curve.step, tests, step) > abs(at - reached):
        not_read = NotRead.JUMP
    return ReadPair(
        model=small.model,
        init=small.init,
        small=small.id,
        large=large.id,
        step=step,
        at=None if not_read else at,
        not_read=not_read,
    )


def _read(study: Study, found: Sequence[ReadPair]) -> Read | None:
    """Return the means over the pairs that are read, tested against the run-to-run spread; None without any.

    A run's values in all its pairs are added up first: as the larger subset of one pair and the smaller of the next.
    """
    read = [each for each in found if each.at is not None]
    if not read:
        return None
    curves, cells = study.collected.curves, study.grid.cells
    data: dict[str, NDArray[np.float64]] = {}
    climb: dict[str, NDArray[np.float64]] = {}
    for each in read:
        large = [curves[run] for run in cells[each.large].runs if run in curves]
        small = [curves[run] for run in cells[each.small].runs if run in curves]
        at = np.array([_at_step(own, each.step) for own in large]) / len(read)
        ends = np.array([own["test_accuracy"][-1] for own in large]) / len(read)
        data[each.large] = data.get(each.large, 0.0) + at
        data[each.small] = data.get(each.small, 0.0) - np.array(
            [own["test_accuracy"][-1] for own in small]
        ) / len(read)
        climb[each.large] = ends - at
    lead = {name: own - climb[name] if name in climb else own for name, own in data.items()}
    by_data, by_steps, more = (_sum(study, values) for values in (data, climb, lead))
    return Read(
        reading=_reading(by_data, by_steps, more),
        by_data=by_data,
        by_steps=by_steps,
        cells=tuple(dict.fromkeys(name for each in read for name in (each.small, each.large))),
    )


def _at_step(curve: Mapping[str, NDArray[np.float64]], step: int) -> float:
    found = accuracy_at(list(curve["step"]), list(curve["test_accuracy"]), step)
    return float(curve["test_accuracy"][-1] if found is None else found)


def _sum(study: Study, values: Mapping[str, NDArray[np.float64]]) -> Effect:
    """Return the sum of the cells' means, tested."""
    known = {name: [float(each) for each in own] for name, own in values.items()}
    return study.effects([[(1.0, name) for name in known]], known)[0]


def _reading(by_data: Effect, by_steps: Effect, more: Effect) -> Reading:
    """Return which part is larger, where it is so beyond the run-to-run spread and is itself a gain.

    `more` is what the data bring less what the further steps bring.
    """
    if more.test is None:
        return Reading.OPEN
    if more.direction is Direction.RISES and by_data.direction is Direction.RISES:
        return Reading.DATA
    if more.direction is Direction.FALLS and by_steps.direction is Direction.RISES:
        return Reading.STEPS
    return Reading.OPEN
