"""Cells of tables made from findings. Each names its runs, and which number of theirs it shows."""

from collections.abc import Iterable

from scalestudy.findings.model import Cell, Difference, Measure, Verdict
from scalestudy.report import view, wording
from scalestudy.report.names import MEASURES
from scalestudy.topics.words import INTERVALS, VERDICTS

NOT_PLANNED = view.Cell(wording.MISSING, "not planned")
_POINTS: tuple[Measure, ...] = ("gap",)
_TONES = {Verdict.HIGHER: "good", Verdict.LOWER: "bad"}
_SIGNS = {Verdict.HIGHER: "▲ ", Verdict.LOWER: "▼ "}


def gone(cell: Cell) -> view.Cell:
    """Return the cell that stands where the number of runs without a result would be: state and reason."""
    states = list(dict.fromkeys(each.state for each in cell.left_out)) or ["missing"]
    reasons = list(dict.fromkeys(each.reason for each in cell.left_out if each.reason))
    runs = tuple(each.run for each in cell.left_out)
    return view.Cell(wording.listing(states), "; ".join(reasons), runs, tone="gone")


def share(cell: Cell | None, measure: Measure | None = None, *, bounds: bool = True) -> view.Cell:
    """Return a cell with a proportion (in per cent) or a gap (in points), with n and interval.

    The measure is the one that the report speaks of where none is given.
    """
    if cell is None:
        return NOT_PLANNED
    measure = measure or cell.primary
    found = cell.stat(measure)
    if found is None:
        return gone(cell) if not cell.runs else view.Cell(wording.MISSING, "not recorded", cell.runs)
    small, n = "", wording.runs_counted(found.n, cell.planned)
    if bounds and found.interval is not None:
        words = wording.bare_point_range if measure in _POINTS else wording.bare_percent_range
        small = words(found.interval.low, found.interval.high)
    text = wording.bare_points(found.value) if measure in _POINTS else wording.bare_percent(found.value)
    return view.Cell(text, small, found.runs, measure, found.value, n=n)


def intervals(cells: Iterable[Cell], *measures: Measure) -> str:
    """Return what the intervals beside the cells' measures are, the result's first; nothing where there are none."""
    every = list(cells)
    parts = []
    for measure in measures:
        stats = [stat for cell in every if (stat := cell.stat(measure)) is not None]
        kinds = dict.fromkeys(stat.interval.kind for stat in stats if stat.interval is not None)
        if kinds:
            parts.append(f"{MEASURES[measure]}: {wording.listing([INTERVALS[kind] for kind in kinds], 'or')}")
    return f"After each value, {'; '.join(parts)}." if parts else ""


def quantity(cell: Cell | None, measure: Measure, text: str) -> view.Cell:
    """Return a cell with a measure that is no proportion (seconds, megabytes), written as `text`, with n."""
    if cell is None:
        return NOT_PLANNED
    found = cell.stat(measure)
    if found is None:
        return gone(cell) if not cell.runs else view.Cell(wording.MISSING, "not recorded", cell.runs)
    n = wording.runs_counted(found.n, cell.planned)
    return view.Cell(text, "", found.runs, measure, found.value, n=n)


def operations(cell: Cell) -> view.Cell:
    """Return a cell with the multiply-adds of a training."""
    found = cell.stat("training_gmacs")
    return quantity(cell, "training_gmacs", wording.operations(found.value if found else None))


def difference(found: Difference | None) -> view.Cell:
    """Return a cell with a difference in points, and its interval where it is tested."""
    if found is None:
        return view.Cell(wording.MISSING, "not compared")
    small = "" if found.test is None else wording.bare_point_range(found.test.low, found.test.high)
    tone = "" if found.verdict.tested else "untested"
    return view.Cell(wording.bare_points(found.value), small, found.runs, "difference", found.value, tone)


def verdict(found: Difference | None) -> view.Cell:
    """Return a cell with the verdict in words and its corrected p; a triangle only where a test decided."""
    if found is None:
        return view.Cell("not compared")
    small = "" if found.test is None else wording.p_value(found.test.p_holm)
    tone = _TONES.get(found.verdict, "" if found.verdict.tested else "untested")
    text = _SIGNS.get(found.verdict, "") + VERDICTS[found.verdict]
    return view.Cell(text, small, found.runs, tone=tone)


def networks(found: Difference | None) -> view.Cell:
    """Return a cell on whether two networks err on different images: discordant counts and McNemar's p."""
    if found is None or found.networks is None:
        return view.Cell(wording.MISSING)
    own = found.networks
    text = f"{wording.count(own.only_a)} : {wording.count(own.only_b)}"
    return view.Cell(text, wording.p_value(own.p), (own.run_a, own.run_b))
