"""What topics draw alike: measures of cells against the number of training images, and the CSV rows behind them."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell, Difference, IntervalKind, Measure, Stat
from scalestudy.report import style, wording
from scalestudy.report.figures.base import Sheet, draw_intervals, draw_points
from scalestudy.report.names import MEASURES
from scalestudy.report.palette import Look
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.words import INTERVALS, VERDICTS

COLUMNS = (
    *("model", "init", "fraction", "train_images", "measure"),
    *("value", "n", "low", "high", "interval", "runs"),
)


def cell_row(cell: Cell, measure: Measure) -> tuple[object, ...]:
    """Return a cell's number as a row of a figure's CSV (columns: `COLUMNS`)."""
    where = (cell.model, cell.init, cell.fraction, cell.train_images, measure)
    found = cell.stat(measure)
    if found is None:
        return (*where, None, 0, None, None, None, "")
    bounds = (found.interval.low, found.interval.high, found.interval.kind) if found.interval else (None,) * 3
    return (*where, found.value, found.n, *bounds, " ".join(found.runs))


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


def bars_note(cells: Iterable[Cell]) -> str:
    """Return the caption's sentence on what points and bars are."""
    stats = [stat for cell in cells if (stat := cell.result) is not None]
    if not any(seed_bounds(stat)[0] is not None for stat in stats):
        return "Each point is one run, so there is no bar over seeds."
    found = sorted({stat.n for stat in stats})
    span = f"n = {found[0]}" if len(found) == 1 else f"n = {found[0]} to {found[-1]}"
    return f"Points are means over runs ({span}); bars are 95 % intervals from the run-to-run spread."


def draw_measure(
    sheet: Sheet,
    axes: Axes,
    inputs: Inputs,
    look: Look,
    cells: Sequence[Cell],
    measure: Measure,
    *,
    alpha: float = 1.0,
    faint: bool = False,
) -> tuple[float, float] | None:
    """Draw one measure of a series against the training images; return the line's last point, if it has one."""
    cells = [cell for cell in cells if cell.train_images]
    stats = [cell.stat(measure) for cell in cells]
    xs = [float(cell.train_images or 0) for cell in cells]
    ys = [None if stat is None else stat.value for stat in stats]
    grid, word = inputs.findings.grid, MEASURES.get(measure, measure)
    notes = [
        (f"{inputs.names.cell(cell, grid)}: {word} {stat_note(stat)}", () if stat is None else stat.runs)
        for cell, stat in zip(cells, stats, strict=True)
    ]
    draw_intervals(axes, look.colour, xs, [seed_bounds(stat) for stat in stats])
    draw_points(sheet, axes, look, xs, ys, notes, alpha=alpha, faint_line=faint, size=4.0 if faint else 5.0)
    sheet.rows.extend(cell_row(cell, measure) for cell in cells)
    drawn = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
    return drawn[-1] if drawn else None


def values_of(cells: Iterable[Cell], *measures: Measure) -> list[float]:
    """Return every value and drawn bound of the measures, for the limits of an axis."""
    stats = [cell.stat(measure) for cell in cells for measure in measures]
    found = [value for stat in stats if stat for value in (stat.value, *seed_bounds(stat))]
    return [value for value in found if value is not None]


def panel_height(labels: int, least: float = 2.5) -> float:
    """Return a panel's height in inches that gives room to so many labels at the ends of lines."""
    return max(least, labels * style.SMALL * 1.32 / 72 + 0.3)


def label_room(labels: Sequence[str]) -> float:
    """Return the inches that labels at the ends of lines take."""
    return max((style.text_width(label, style.SMALL) for label in labels), default=0) / 72 + 0.24
