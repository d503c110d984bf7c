"""The figure of reported numbers: theirs and ours side by side."""

from scalestudy.report import style, wording
from scalestudy.report.figures.base import Frame, Painted, Picture, Sheet, percent_axis, shorten, title
from scalestudy.report.palette import FAINT, MUTED, PAPER
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs, MissingDataError
from scalestudy.topics.reference import say
from scalestudy.topics.reference.find import MEASURE

NO_COUNTERPART = "None of the reported numbers has a result here yet; `snakemake` trains what is missing."
MOST_ROWS = 40


def reference(inputs: Inputs) -> Picture:
    """A line for each reported number with a result here: theirs hollow and grey, ours with its interval."""
    if not any(row.standing.compared for row in inputs.findings.reference.rows):
        raise MissingDataError(NO_COUNTERPART)
    return Painted(lambda frame: _reference(inputs, frame))


def _reference(inputs: Inputs, frame: Frame) -> Sheet:
    found, grid = inputs.findings.reference, inputs.findings.grid
    rows = [row for row in found.rows if row.standing.compared][:MOST_ROWS]
    said = say.standing([row for row in found.rows if row.standing.compared])
    columns = ("setting", "theirs", "ours", "low", "high", "n", "difference", "standing", "runs")
    sheet = Sheet(said[0].text, columns, frame)
    widest = 130.0 if frame.narrow else 300.0
    names = [shorten(say.label(inputs.names, row), widest, style.SMALL) for row in rows]
    ((axes,),) = sheet.panels(
        1, 1, 0.2 * len(rows) + 0.1, left=plot.label_room(names), right=0.15, bottom=0.4, top=0.4
    )
    own = [
        (row, grid.cells[row.cell], grid.cells[row.cell].stat(MEASURE))
        for row in rows
        if row.cell is not None
    ]
    edges = [edge for _, _, stat in own for edge in plot.seed_bounds(stat) if edge is not None]
    percent_axis(
        axes, [*edges, *(row.theirs for row in rows), *(stat.value for _, _, stat in own if stat)], which="x"
    )
    axes.grid(axis="x", visible=True)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), names)
    title(axes, "Test accuracy, %: ours in colour, theirs hollow", most=float(frame.width) * 72)
    for place, ((row, cell, stat), name) in enumerate(zip(own, names, strict=True)):
        if stat is None:
            continue
        look, (low, high) = inputs.looks.of(cell.model, cell.init), plot.seed_bounds(stat)
        axes.plot([row.theirs, stat.value], [place, place], color=FAINT, linewidth=0.9, zorder=1)
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=look.colour, linewidth=1.2, alpha=0.75, zorder=3)
        (theirs,) = axes.plot(
            [row.theirs], [place], marker="o", color=MUTED, markerfacecolor=PAPER, markersize=5, zorder=3
        )
        (ours,) = axes.plot(
            [stat.value], [place], marker=look.marker, color=look.colour, markersize=5, zorder=4
        )
        sheet.mark(theirs, f"Reported: {wording.percent(row.theirs)}, {say.label(inputs.names, row)}", ())
        sheet.mark(ours, f"{inputs.names.cell(cell, grid)}: {plot.stat_note(stat)}", stat.runs)
        sheet.rows.append(
            (
                name,
                row.theirs,
                stat.value,
                low,
                high,
                stat.n,
                row.difference,
                row.standing,
                " ".join(stat.runs),
            )
        )
    sheet.alt = (
        f"{wording.counted(len(rows), 'row')}, each with a hollow point for theirs and a filled one for ours."
    )
    sheet.caption = "Test accuracy after the last epoch. " + plot.bars_note([cell for _, cell, _ in own])
    return sheet
