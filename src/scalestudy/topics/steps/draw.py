"""The figure of accuracy against optimizer steps."""

from dataclasses import dataclass

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell, Curve
from scalestudy.report import wording
from scalestudy.report.figures.base import count_axis
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs

CAPTION = "Test accuracy in % after every epoch against the optimizer steps so far (logarithmic); means of runs. {read}"
CONSTANT = (
    "Where two lines lie apart at the same step, images make the difference; what a line gains further right, it "
    "gains with more steps."
)
SCHEDULED = "Learning rates differ between lines at the same step, so that a distance there is not due to images alone."


@dataclass(frozen=True)
class StepRow:
    """The accuracy of a cell after an epoch, as a row of the figure's CSV."""

    model: str
    init: str
    fraction: str
    step: int
    test_accuracy: float
    runs: tuple[str, ...]


def equal_steps(inputs: Inputs) -> SeriesFigure:
    """Test accuracy against optimizer steps, a line per fraction, a panel per model and initial weights."""
    grid, names = inputs.findings.grid, inputs.names
    series = [
        (each, [(grid.cells[name], grid.curves[name]) for name in each.cells if name in grid.curves])
        for each in grid.series()
    ]
    curves = [own for _, several in series for own in several]
    if not curves:
        raise inputs.untrained(plot.NO_RUN)
    constant = all(cell.settings.get("schedule", "constant") == "constant" for cell, _ in curves)
    steps = [step for _, curve in curves for step in curve.step if step > 0]
    values = [value for _, curve in curves for value in curve["test_accuracy"]]

    def by_steps(axes: Axes, lowest: bool) -> None:
        count_axis(axes, "x", min(steps) / 1.3, max(steps) * 1.3)
        axes.set_xlabel("optimizer steps" if lowest else "", labelpad=2)

    return SeriesFigure(
        title="Accuracy against optimizer steps",
        panels=tuple(
            Panel(
                names.series(each.model, each.init),
                tuple(_line(inputs, cell, curve) for cell, curve in own),
                by_steps,
                plot.in_percent(values),
            )
            for each, own in series
            if own
        ),
        records=[
            StepRow(cell.model, cell.init, cell.fraction, step, value, curve.runs)
            for cell, curve in curves
            for step, value in zip(curve.step, curve["test_accuracy"], strict=True)
        ],
        alt=(
            f"{wording.counted(len(series), 'panel')} of test accuracy in per cent against optimizer steps, a "
            "line for each "
            "training-set size."
        ),
        caption=CAPTION.format(read=CONSTANT if constant else SCHEDULED),
        columns=3 if len(series) > 4 else 2,
        height=1.9,
    )


def _line(inputs: Inputs, cell: Cell, curve: Curve) -> Series:
    name = wording.fraction(cell.fraction)
    points = tuple(
        Point(
            float(max(step, 1)),
            value,
            f"{inputs.names.cell(cell, inputs.findings.grid)}, step {wording.count(step)}: {wording.percent(value)}",
            curve.runs,
        )
        for step, value in zip(curve.step, curve["test_accuracy"], strict=True)
    )
    look = inputs.looks.of(cell.model, cell.init)
    return Series(
        name, look, points, plot.strength(cell.fraction, inputs.findings.grid.fractions), markers=False
    )
