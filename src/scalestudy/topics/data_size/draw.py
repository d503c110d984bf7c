"""The figures on training-set size: accuracy against it, and the error on two logarithmic axes."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from scalestudy.findings.model import Measure
from scalestudy.report import wording
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.report.names import MEASURES
from scalestudy.topics import plot
from scalestudy.topics.data_size.find import Scaling
from scalestudy.topics.data_size.say import unfitted
from scalestudy.topics.inputs import Inputs, MissingDataError

NO_ERROR = "No series has a complete run with an error above zero."
SIZE_CAPTION = (
    "Left: on the test images. Right: on the run's own training images, in evaluation mode. Both after the last epoch. "
    "Colour is the model; line style and marker are the initial weights. "
)
ERROR_CAPTION = "On two logarithmic axes a power law is a straight line. "
FITTED = "Thin lines are fits error = a n^-b + c with 95 % bootstrap bands."


@dataclass(frozen=True)
class ErrorRow:
    """A measured or fitted error as a row of the figure's CSV."""

    model: str
    init: str
    train_images: float
    error: float | None
    fitted: float | None
    fitted_low: float | None
    fitted_high: float | None
    runs: tuple[str, ...]


def accuracy_by_size(inputs: Inputs) -> SeriesFigure:
    """Test and training accuracy against the number of training images: the main figure."""
    cells, primary = plot.base_cells(inputs), inputs.findings.grid.primary
    measures: tuple[Measure, ...] = (primary, "train_eval_accuracy")
    titles = [wording.capitalised(f"{MEASURES[measure]}, %") for measure in measures]
    series = wording.counted(len(list(inputs.findings.grid.series())), "line")
    return SeriesFigure(
        title="Accuracy against training images",
        panels=tuple(plot.base_series(inputs, measures, titles)),
        records=[plot.cell_record(inputs, cell, measure) for cell in cells for measure in measures],
        alt=f"Two panels, test and training accuracy against training images on a logarithmic axis, {series} in each.",
        caption=SIZE_CAPTION + plot.bars_note(cells, *measures),
    )


def error_scaling(inputs: Inputs) -> SeriesFigure:
    """Test error against training images on two logarithmic axes, with the fit where there is one."""
    grid, found = inputs.findings.grid, inputs.findings.data_size.scaling
    cells = [grid.cells[name] for each in found for name in each.cells]
    errors = [1 - cell.value for cell in cells if cell.value is not None and cell.value < 1]
    if not errors:
        raise MissingDataError(NO_ERROR)
    series = [line for each in found for line in _lines(inputs, each)]
    fitted = any(each.fit for each in found)
    return SeriesFigure(
        title="How the error falls with the training images",
        panels=(
            Panel(
                "Error, % (logarithmic)",
                tuple(series),
                plot.by_size(plot.planned_sizes(cells)),
                lambda axes: _error_axis(axes, errors),
            ),
        ),
        records=[row for each in found for row in _rows(inputs, each)],
        alt=f"{wording.counted(len(found), 'line')} of error against training images on two logarithmic axes.",
        caption=ERROR_CAPTION + (FITTED if fitted else " ".join(unfitted(inputs.findings))),
        columns=1,
        height=2.7,
    )


def _lines(inputs: Inputs, found: Scaling) -> list[Series]:
    look = inputs.looks.of(found.model, found.init)
    name = f"{inputs.names.model(found.model)}, {inputs.names.short_init(found.init)}"
    points = []
    for cell in (inputs.findings.grid.cells[each] for each in found.cells):
        error = 1 - (cell.value or 0.0)
        note = f"{inputs.names.cell(cell, inputs.findings.grid)}: error {wording.percent(error)}"
        points.append(Point(float(cell.train_images or 1), error if error > 0 else None, note, cell.runs))
    lines = [Series(name, look, tuple(points))]
    if found.fit is not None:
        curve = tuple(
            Point(
                n,
                error,
                f"{name}, fitted at {wording.count(round(n))} images: {wording.percent(error)}",
                (),
                low,
                high,
            )
            for n, error, low, high in found.fit.curve
        )
        lines.append(Series(f"{name}, fitted", look, curve, 0.5, markers=False))
    return lines


def _rows(inputs: Inputs, found: Scaling) -> list[ErrorRow]:
    cells = [inputs.findings.grid.cells[name] for name in found.cells]
    where = (found.model, found.init)
    measured = [
        ErrorRow(*where, cell.train_images or 0, 1 - (cell.value or 0.0), None, None, None, cell.runs)
        for cell in cells
    ]
    curve = found.fit.curve if found.fit else ()
    return [*measured, *(ErrorRow(*where, n, None, error, low, high, ()) for n, error, low, high in curve)]


def _error_axis(axes: Axes, errors: Sequence[float]) -> None:
    """Make y the logarithm of errors in per cent."""
    low, high = min(errors) / 1.25, min(max(errors) * 1.15, 1.0)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    choices = [mantissa * 10.0**power for power in range(-5, 1) for mantissa in (1, 2, 3, 5, 7)]
    ticks = [tick for tick in choices if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FixedFormatter([f"{100 * tick:g}" for tick in ticks]))
