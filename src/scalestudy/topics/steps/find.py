"""Data and optimisation told apart: by runs of equal steps, or by reading learning curves at equal steps."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from scalestudy.findings.cells import means_of
from scalestudy.findings.compare import Pair, corrected, direction_of
from scalestudy.findings.model import Balance, Cell, Claim, Effect, Evidence, Group, Record
from scalestudy.findings.study import Study
from scalestudy.stats.estimate import contrast


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
        Planned(group=group.id, steps=int(str(group.settings["steps"])), balance=_balance(study, ends))
        for group in _equal_groups(study)
        if (ends := _ends(study, group))
    )
    if grid.base.settings.get("steps") or (
        neighbours and len({cell.steps for pair in neighbours for cell in pair}) == 1
    ):
        return Steps(missing=Missing.EQUAL_ALREADY, planned=planned)
    if not neighbours and not planned:
        several = len({grid.cells[name].fraction for name in grid.base.cells}) > 1
        return Steps(missing=Missing.NO_PAIR if several else Missing.ONE_SIZE)
    read = [_read_pair(study, small, large) for small, large in neighbours]
    found = tuple(each for each in read if each is not None)
    return Steps(missing=None, pairs=found, read=_read(study, found), planned=planned)


def _balance(study: Study, compared: Sequence[Pair]) -> Claim[Balance]:
    keys = tuple(study.grid.key(a.id, b.id) for a, b in compared)
    reading = Balance.of([each.verdict for each in study.grid.of(keys)])
    return Claim[Balance](reading=reading, evidence=Evidence(differences=keys))


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
    """Return the means over the pairs that are read, tested against the run-to-run spread; None without any."""
    read = [each for each in found if each.at is not None]
    if not read:
        return None
    curves = study.collected.curves
    at: dict[str, list[float]] = {}
    last: dict[str, list[float]] = {}
    for each in read:
        for run in study.grid.cells[each.large].runs:
            if run in curves:
                own = curves[run]
                value = accuracy_at(list(own["step"]), list(own["test_accuracy"]), each.step)
                at.setdefault(each.large, []).append(
                    float(value if value is not None else own["test_accuracy"][-1])
                )
                last.setdefault(each.large, []).append(float(own["test_accuracy"][-1]))
    share = 1 / len(read)
    finals = {
        name: [
            float(curves[run]["test_accuracy"][-1]) for run in study.grid.cells[name].runs if run in curves
        ]
        for name in {each.small for each in read}
    }
    early, ended = means_of(study.grid, at), means_of(study.grid, finals)
    known = all(each.large in early and each.small in ended for each in read)
    terms = (
        [term for each in read for term in ((share, early[each.large]), (-share, ended[each.small]))]
        if known
        else []
    )
    (test,) = corrected([contrast(terms) if known else None])
    value = share * sum(_mean(at[each.large]) - _mean(finals[each.small]) for each in read)
    by_data = Effect(value=value, direction=direction_of(value, test), test=test)
    climb = {name: [end - start for end, start in zip(last[name], at[name], strict=True)] for name in at}
    (by_steps,) = study.effects([[(share, each.large) for each in read]], climb)
    return Read(
        reading=_reading(by_data, by_steps),
        by_data=by_data,
        by_steps=by_steps,
        cells=tuple(dict.fromkeys(name for each in read for name in (each.small, each.large))),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _reading(by_data: Effect, by_steps: Effect) -> Reading:
    """Return which part is larger, where that part is itself beyond the run-to-run spread."""
    larger, reading = (by_data, Reading.DATA) if by_data.value > by_steps.value else (by_steps, Reading.STEPS)
    return reading if larger.test is not None and larger.direction.value == "rises" else Reading.OPEN
