"""What topics draw alike: measures of cells against the number of training images, and the CSV rows behind them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell, Difference, IntervalKind, Measure, Stat
from scalestudy.report import wording
from scalestudy.report.figures.base import percent_axis, size_axis
from scalestudy.report.figures.series import Panel, Point, Run, Series
from scalestudy.report.names import MEASURES
from scalestudy.report.palette import Look
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.words import INTERVALS, VERDICTS

NO_RUN = "No run of the base recipe is complete yet."


def planned_sizes(cells: Iterable[Cell]) -> list[tuple[str, int]]:
    """Return (fraction, training images) of `cells`, each fraction once, ascending."""
    known = {cell.share: (cell.fraction, cell.train_images) for cell in cells if cell.train_images}
    return [(fraction, images or 0) for _, (fraction, images) in sorted(known.items())]


def seed_bounds(stat: Stat | None) -> tuple[float | None, float | None]:
    """Return the interval to draw: over seeds or from the run-to-run spread, never test sampling alone."""
    if stat is None or stat.interval is None or stat.interval.kind is IntervalKind.TEST_SAMPLING:
        return None, None
    return stat.interval.low, stat.interval.high


def stat_note(stat: Stat | None) -> str:
    """Return a share for a reader who points at it: `62.3 % (n = 3, 95 % interval ... 61.3 to 63.3)`."""
    if stat is None:
        return "no result"
    note = f"{wording.percent(stat.value)} ({wording.runs_counted(stat.n)}"
    if stat.interval is None:
        return f"{note})"
    bounds = wording.bare_percent_range(stat.interval.low, stat.interval.high)
    return f"{note}, {INTERVALS[stat.interval.kind]} {bounds})"


def difference_note(found: Difference) -> str:
    """Return a difference for a reader who points at it: `+3.1 points, higher (95 % interval +2.2 to +4.0)`."""
    note = f"{wording.signed_points(found.value)}, {VERDICTS[found.verdict]}"
    if found.test is None:
        return note
    return f"{note} (95 % interval {wording.bare_point_range(found.test.low, found.test.high)})"


def bars_note(cells: Iterable[Cell], *measures: Measure) -> str:
    """Return the caption's sentence on what points and bars of the measures are (none: of the primary one)."""
    stats = [
        stat
        for cell in cells
        for measure in measures or (cell.primary,)
        if (stat := cell.stat(measure)) is not None
    ]
    drawn = [stat for stat in stats if seed_bounds(stat)[0] is not None]
    kinds = {stat.interval.kind for stat in drawn if stat.interval is not None}
    if not kinds:
        return "Each point is one run, so there is no bar over seeds."
    found = sorted({stat.n for stat in stats})
    span = f"n = {found[0]}" if len(found) == 1 else f"n = {found[0]} to {found[-1]}"
    spread, own = "from the run-to-run spread", "over each point's own runs"
    if kinds == {IntervalKind.SPREAD}:
        bars = spread
    elif kinds == {IntervalKind.SEEDS}:
        bars = own
    else:
        bars = f"(test: {spread}; training: {own})"
    return f"Points are means over runs ({span}); bars are 95 % intervals {bars}."


def values_of(cells: Iterable[Cell], *measures: Measure) -> list[float]:
    """Return every value and drawn bound of the measures, for the limits of an axis."""
    stats = [cell.stat(measure) for cell in cells for measure in measures]
    found = [value for stat in stats if stat for value in (stat.value, *seed_bounds(stat))]
    return [value for value in found if value is not None]


@dataclass(frozen=True)
class CellRow:
    """A cell's number as a row of a figure's CSV."""

    model: str
    init: str
    fraction: str
    recipe: str
    train_images: int | None
    measure: Measure
    value: float | None
    n: int
    low: float | None
    high: float | None
    interval: str
    runs: tuple[str, ...]


def cell_record(inputs: Inputs, cell: Cell, measure: Measure) -> CellRow:
    """Return one measure of a cell as a row of a figure's CSV."""
    found = cell.stat(measure)
    interval = None if found is None else found.interval
    return CellRow(
        model=cell.model,
        init=cell.init,
        fraction=cell.fraction,
        recipe=inputs.names.recipe(inputs.findings.grid.group(cell.group)),
        train_images=cell.train_images,
        measure=measure,
        value=None if found is None else found.value,
        n=0 if found is None else found.n,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        interval="" if interval is None else interval.kind,
        runs=() if found is None else found.runs,
    )


def point(inputs: Inputs, cell: Cell, measure: Measure, x: float) -> Point:
    """Return one measure of a cell as a point of a figure, with its runs' own values where there are several."""
    found, name = cell.stat(measure), inputs.names.cell(cell, inputs.findings.grid)
    if found is None:
        return Point(x, None, f"{name}: no result")
    word = MEASURES.get(measure, measure)
    low, high = seed_bounds(found)
    each = tuple(
        Run(value, run, f"{name}: {word} {wording.percent(value)} in one run")
        for value, run in zip(found.values, found.runs, strict=True)
    )
    note = f"{name}: {word} {stat_note(found)}"
    return Point(x, found.value, note, found.runs, low, high, each if found.n > 1 else ())


def size_series(
    inputs: Inputs, name: str, look: Look, cells: Iterable[Cell], measure: Measure, strength: float = 1.0
) -> Series:
    """Return one measure of cells against their training images as a line."""
    sized = [cell for cell in cells if cell.train_images]
    points = tuple(point(inputs, cell, measure, float(cell.train_images or 1)) for cell in sized)
    return Series(name, look, points, strength)


def by_size(sizes: Sequence[tuple[str, int]]) -> Callable[[Axes, bool], None]:
    """Return what sets up an x axis of training images; its title stands below the lowest panel."""
    return lambda axes, lowest: size_axis(axes, sizes, title=lowest)


def in_percent(values: Sequence[float], *, whole: bool = True, zero: bool = False) -> Callable[[Axes], None]:
    """Return what sets up a y axis in per cent over the range of `values`."""
    return lambda axes: percent_axis(axes, values, whole=whole, zero=zero)


def base_series(
    inputs: Inputs, measures: Sequence[Measure], titles: Sequence[str], **axis: bool
) -> list[Panel]:
    """Return a panel for each measure of the base recipe against training images, with a line for each series."""
    grid, names = inputs.findings.grid, inputs.names
    series = [(each, [grid.cells[name] for name in each.cells]) for each in grid.series()]
    cells = [cell for _, own in series for cell in own]
    values, several = values_of(cells, *measures), len(grid.inits) > 1
    return [
        Panel(
            title,
            tuple(
                size_series(
                    inputs,
                    f"{names.model(each.model)}, {names.short_init(each.init)}"
                    if several
                    else names.model(each.model),
                    inputs.looks.of(each.model, each.init),
                    own,
                    measure,
                )
                for each, own in series
            ),
            by_size(planned_sizes(cells)),
            in_percent(values, **axis),
        )
        for measure, title in zip(measures, titles, strict=True)
    ]


def base_cells(inputs: Inputs) -> list[Cell]:
    """Return the base recipe's cells; MissingDataError where none has a result."""
    grid = inputs.findings.grid
    cells = [grid.cells[name] for name in grid.base.cells]
    if not any(cell.value is not None for cell in cells):
        raise inputs.untrained(NO_RUN)
    return cells


def strength(fraction: str, fractions: Sequence[str]) -> float:
    """Return how much a line of one training-set size stands out: the more data, the more."""
    return 0.4 + 0.6 * fractions.index(fraction) / max(len(fractions) - 1, 1)
