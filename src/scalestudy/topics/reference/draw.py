"""The figure of reported numbers: theirs and ours side by side."""

from dataclasses import dataclass

from scalestudy.findings.model import Cell, Stat
from scalestudy.report import palette, wording
from scalestudy.report.figures.base import percent_axis
from scalestudy.report.figures.rows import Dot, Line, LinesPanel, RowsFigure
from scalestudy.report.palette import Look
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.reference import say
from scalestudy.topics.reference.find import MEASURE, Reported

NO_COUNTERPART = "None of the reported numbers has a result here yet."
MOST_ROWS = 40
THEIRS = Look(palette.MUTED, palette.INITS[1][0], "o", hollow=True)


@dataclass(frozen=True)
class ReferenceRow:
    """A reported number beside ours, as a row of the figure's CSV."""

    setting: str
    theirs: float
    ours: float
    low: float | None
    high: float | None
    n: int
    difference: float | None
    standing: str
    runs: tuple[str, ...]


def reference(inputs: Inputs) -> RowsFigure:
    """A line for each reported number with a result here: theirs hollow and grey, ours with its interval."""
    found, grid = inputs.findings.reference, inputs.findings.grid
    compared = [row for row in found.rows if row.standing.compared]
    if not compared:
        raise inputs.untrained(NO_COUNTERPART)
    own = [
        (row, grid.cells[row.cell], stat)
        for row in compared[:MOST_ROWS]
        if row.cell is not None and (stat := grid.cells[row.cell].stat(MEASURE)) is not None
    ]
    edges = [edge for _, _, stat in own for edge in plot.seed_bounds(stat) if edge is not None]
    values = [*edges, *(row.theirs for row, _, _ in own), *(stat.value for _, _, stat in own)]
    lines = tuple(_line(inputs, row, cell, stat) for row, cell, stat in own)
    return RowsFigure(
        title="Reported numbers, and this study's",
        panels=(LinesPanel("Test accuracy, %: ours in colour, theirs hollow", lines),),
        x=lambda axes: percent_axis(axes, values, which="x"),
        records=[
            ReferenceRow(
                *(say.label(inputs.names, row), row.theirs, stat.value, *plot.seed_bounds(stat)),
                *(stat.n, row.difference, row.standing, stat.runs),
            )
            for row, _, stat in own
        ],
        alt=f"{wording.counted(len(own), 'row')}, each with a hollow point for theirs and a filled one for ours.",
        caption="Test accuracy after the last epoch. "
        + plot.bars_note([cell for _, cell, _ in own], MEASURE),
    )


def _line(inputs: Inputs, row: Reported, cell: Cell, stat: Stat) -> Line:
    label, name = say.label(inputs.names, row), inputs.names.cell(cell, inputs.findings.grid)
    theirs = Dot(row.theirs, THEIRS, f"Reported: {wording.percent(row.theirs)}, {label}")
    ours = Dot(
        stat.value,
        inputs.looks.of(cell.model, cell.init),
        f"{name}: {plot.stat_note(stat)}",
        stat.runs,
        *plot.seed_bounds(stat),
    )
    return Line(label, (theirs, ours), joined=True)
