"""The figures on initial weights: side by side, the gain, and the labelled images that it stands for."""

from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell, Difference, Measure
from scalestudy.report import wording
from scalestudy.report.figures.base import count_axis
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.report.names import MEASURES
from scalestudy.report.palette import FAINT
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.weights.find import EffectiveData, Gain

NO_PAIR = "No pair of complete runs, with and without initial weights."
NO_CURVE = "Effective data are read off the curve of the runs from scratch, which has too few complete runs."
SIDE_CAPTION = (
    "Accuracy against the number of training images, a panel for each kind of initial weights. Bold: test. Faint: "
    "training, measured while training. "
)
GAIN_CAPTION = "Result with the initial weights minus that from scratch, same model and same images. "
GAIN_BARS = "Bars are 95 % intervals of single differences, before the correction for their number."
EFFECTIVE_CAPTION = (
    "Both axes logarithmic. On the grey line the weights are worth nothing; above it, they stand for more labelled "
    "images. Read off the curve of the runs from scratch (Hernandez et al. 2021): an arrow means that it ends there."
)

_ARROWS: dict[Literal["above", "below"] | None, Literal["up", "down", ""]] = {
    "above": "up",
    "below": "down",
    None: "",
}


@dataclass(frozen=True)
class GainRow:
    """A gain as a row of the figure's CSV."""

    model: str
    init: str
    fraction: str
    train_images: int | None
    gain: float
    low: float | None
    high: float | None
    n_scratch: int
    n_weights: int
    verdict: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class EffectiveRow:
    """Effective data as a row of the figure's CSV."""

    model: str
    init: str
    fraction: str
    train_images: int | None
    effective_images: float | None
    low: float | None
    high: float | None
    bound: str | None
    runs: tuple[str, ...]


def init_side_by_side(inputs: Inputs) -> SeriesFigure:
    """One panel per kind of weights, with test and training accuracy of every model."""
    grid, names = inputs.findings.grid, inputs.names
    cells = plot.base_cells(inputs)
    series = [(each, [grid.cells[name] for name in each.cells]) for each in grid.series()]
    measures: tuple[Measure, ...] = (grid.primary, "train_accuracy")
    values, sizes = plot.values_of(cells, *measures), plot.planned_sizes(cells)

    def lines(init: str) -> tuple[Series, ...]:
        return tuple(
            plot.size_series(
                inputs,
                f"{names.model(each.model)}, {'training' if measure == 'train_accuracy' else 'test'}",
                inputs.looks.of(each.model, init),
                own,
                measure,
                strength=0.5 if measure == "train_accuracy" else 1.0,
            )
            for each, own in series
            if each.init == init
            for measure in reversed(measures)
        )

    return SeriesFigure(
        title="Initial weights side by side",
        panels=tuple(
            Panel(
                f"{wording.capitalised(names.short_init(init))}: accuracy, %",
                lines(init),
                plot.by_size(sizes),
                plot.in_percent(values),
            )
            for init in grid.inits
        ),
        records=[plot.cell_record(inputs, cell, measure) for cell in cells for measure in measures],
        alt=(
            f"{wording.counted(len(grid.inits), 'panel')} of accuracy in per cent against training images, one for "
            f"each kind of initial weights, with a test line and a training line for each of "
            f"{wording.counted(len(grid.models), 'model')}."
        ),
        caption=SIDE_CAPTION + plot.bars_note(cells, *measures),
        columns=min(len(grid.inits), 3),
    )


def init_gain(inputs: Inputs) -> SeriesFigure:
    """Test accuracy with initial weights minus test accuracy from scratch, against training images."""
    grid = inputs.findings.grid
    gains = [
        (gain, found)
        for gain in inputs.findings.weights.gains
        if (found := grid.difference(gain.scratch, gain.cell)) and grid.cells[gain.cell].train_images
    ]
    if not gains:
        raise inputs.untrained(NO_PAIR)
    kinds = list(dict.fromkeys((gain.model, gain.init) for gain, _ in gains))
    edges = [edge for _, found in gains if found.test for edge in (found.test.low, found.test.high)]
    series = tuple(
        Series(
            name,
            inputs.looks.of(*kind),
            tuple(
                _gain_point(inputs, gain, found) for gain, found in gains if (gain.model, gain.init) == kind
            ),
        )
        for name, kind in zip(_names(inputs, kinds), kinds, strict=True)
    )
    sizes = plot.planned_sizes([grid.cells[gain.cell] for gain, _ in gains])
    return SeriesFigure(
        title="Gain from initial weights",
        panels=(
            Panel(
                f"Gain in {MEASURES[grid.primary]} over training from scratch, points",
                series,
                plot.by_size(sizes),
                plot.in_percent([*(found.value for _, found in gains), *edges], whole=False, zero=True),
            ),
        ),
        records=[_gain_row(grid.cells[gain.cell], gain, found) for gain, found in gains],
        alt=(
            f"{wording.counted(len(kinds), 'line')} of the gain in points of {MEASURES[grid.primary]} over training "
            f"from scratch, against training images, around a line at zero."
        ),
        caption=GAIN_CAPTION + (GAIN_BARS if edges else "One run of each: no bars."),
        height=2.1,
    )


def _gain_point(inputs: Inputs, gain: Gain, found: Difference) -> Point:
    cell = inputs.findings.grid.cells[gain.cell]
    note = f"{inputs.names.cell(cell, inputs.findings.grid)}: {plot.difference_note(found)}"
    low, high = (found.test.low, found.test.high) if found.test else (None, None)
    return Point(float(cell.train_images or 1), found.value, note, found.runs, low, high)


def _gain_row(cell: Cell, gain: Gain, found: Difference) -> GainRow:
    low, high = (found.test.low, found.test.high) if found.test else (None, None)
    return GainRow(
        *(gain.model, gain.init, gain.fraction, cell.train_images, found.value, low, high),
        *(len(found.a.runs), len(found.b.runs), found.verdict, found.runs),
    )


def effective_data(inputs: Inputs) -> SeriesFigure:
    """Labelled images that training from scratch would need to match, against the images used."""
    grid = inputs.findings.grid
    rows = inputs.findings.weights.effective
    if not rows:
        raise inputs.untrained(NO_CURVE)
    kinds = list(dict.fromkeys((row.model, row.init) for row in rows))
    cells = {row.cell: grid.cells[row.cell] for row in rows}
    sizes = plot.planned_sizes(cells.values())
    places = {row.cell: _place(row, [grid.cells[name] for name in row.curve]) for row in rows}
    numbers = [*places.values(), *(float(number) for _, number in sizes)]
    margin = max(max(numbers) / min(numbers), 2.0) ** 0.1

    def point(row: EffectiveData) -> Point:
        cell, place = cells[row.cell], places[row.cell]
        note = f"{inputs.names.cell(cell, grid)}: as good as {_words(row, place)}"
        return Point(
            float(cell.train_images or 1),
            place,
            note,
            cell.runs,
            row.low,
            row.high,
            beyond=_ARROWS[row.bound],
        )

    def images_needed(axes: Axes) -> None:
        count_axis(axes, "y", min(numbers) / margin, max(numbers) * margin)
        axes.plot(axes.get_xlim(), axes.get_xlim(), color=FAINT, linewidth=0.9, zorder=1)

    series = tuple(
        Series(
            name,
            inputs.looks.of(*kind),
            tuple(point(row) for row in rows if (row.model, row.init) == kind),
        )
        for name, kind in zip(_names(inputs, kinds), kinds, strict=True)
    )
    title = "Labelled images that training from scratch would need"
    return SeriesFigure(
        title="Effective data of initial weights",
        panels=(Panel(title, series, plot.by_size(sizes), images_needed),),
        records=[
            EffectiveRow(
                *(row.model, row.init, row.fraction, cells[row.cell].train_images, row.images),
                *(row.low, row.high, row.bound, cells[row.cell].runs),
            )
            for row in rows
        ],
        alt=(
            f"{wording.counted(len(kinds), 'series', 'series')} of the labelled images that training from scratch "
            "would need, against the images used, both logarithmic, with the line of equality."
        ),
        caption=EFFECTIVE_CAPTION,
        height=2.5,
    )


def _names(inputs: Inputs, kinds: list[tuple[str, str]]) -> list[str]:
    several = len({init for _, init in kinds}) > 1
    names = inputs.names
    return [names.model(model) + (f", {names.short_init(init)}" if several else "") for model, init in kinds]


def _place(row: EffectiveData, curve: list[Cell]) -> float:
    """Return where a row is drawn: its effective images, or the end of the curve that it lies beyond."""
    if row.images is not None:
        return row.images
    return float(curve[-1 if row.bound == "above" else 0].train_images or 1)


def _words(row: EffectiveData, place: float) -> str:
    beyond = {"above": "more than ", "below": "fewer than ", None: "about "}[row.bound]
    return f"{beyond}{wording.count(wording.rounded(place))} labelled images from scratch"
