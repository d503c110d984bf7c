"""The figures on errors: confusions, accuracy per class, the surest mistakes as pictures, calibration."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from scalestudy.findings.model import Cell
from scalestudy.report import wording
from scalestudy.report.figures.base import percent_axis
from scalestudy.report.figures.images import Tile, TilesFigure
from scalestudy.report.figures.matrix import MatrixFigure
from scalestudy.report.figures.rows import Dot, Line, LinesPanel, RowsFigure
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.report.names import share_of_data
from scalestudy.report.palette import BAD, FAINT, INK, MUTED
from scalestudy.stats.calibration import BINS
from scalestudy.topics import plot
from scalestudy.topics.errors.find import Network
from scalestudy.topics.inputs import Inputs, MissingDataError

NO_PREDICTIONS = "No complete run has saved predictions."
NO_MISTAKE = "The best result made no mistake on the test images."
MOST_CLASSES = 20  # in the confusion matrix
MOST_CLASS_ROWS = 30
FEWEST_IN_BIN = 10  # images that a bin of confidence needs to be drawn


@dataclass(frozen=True)
class ConfusionRow:
    """A square of the confusion matrix as a row of the figure's CSV."""

    true: str
    predicted: str
    images: int
    share: float
    runs: tuple[str, ...]


@dataclass(frozen=True)
class ClassRow:
    """A class as a row of the figure's CSV."""

    name: str
    test_images: int
    accuracy: float
    low: float | None
    high: float | None
    runs: tuple[str, ...]


@dataclass(frozen=True)
class MistakeRow:
    """A mistake as a row of the figure's CSV."""

    test_image: int
    true: str
    predicted: str
    confidence: float
    wrong_in: int
    run: str


def confusion(inputs: Inputs) -> MatrixFigure:
    """The confusion matrix of the best result: rows are the true classes, columns the predictions."""
    found, _ = inputs.findings.errors, _best(inputs)
    matrix = np.array(found.matrix, dtype=float)
    totals, classes = matrix.sum(axis=1), [each.name for each in found.classes]
    kept = list(range(len(classes)))
    if len(classes) > MOST_CLASSES:
        wrong = totals - np.diag(matrix)
        kept = sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES].tolist())
    left_out = f" The {len(kept)} of {len(classes)} classes with the most errors."
    return MatrixFigure(
        title="Test images by true and predicted class",
        names=tuple(classes[index] for index in kept),
        counts=tuple(tuple(int(matrix[true, predicted]) for predicted in kept) for true in kept),
        totals=tuple(int(totals[true]) for true in kept),
        runs=tuple(found.runs),
        records=[
            ConfusionRow(
                classes[true],
                classes[predicted],
                int(matrix[true, predicted]),
                float(matrix[true, predicted] / totals[true]) if totals[true] else 0.0,
                tuple(found.runs),
            )
            for true in kept
            for predicted in kept
        ],
        alt=f"Matrix of test images by true class (rows) and predicted class (columns), {len(kept)} by {len(kept)}.",
        caption=(
            f"{_whose(inputs)}: test images summed over runs. Right answers in grey, errors in red, stronger for more "
            f"of the true class.{left_out if len(kept) < len(classes) else ''}"
        ),
    )


def per_class(inputs: Inputs) -> RowsFigure:
    """Accuracy of each class with its interval, best first, and what it is taken for."""
    found, cell = inputs.findings.errors, _best(inputs)
    rows = [(each, each.accuracy) for each in found.classes if each.accuracy is not None]
    rows.sort(key=lambda row: -row[1].value)
    left_out = len(rows) - MOST_CLASS_ROWS
    if left_out > 0:
        rows = [*rows[: MOST_CLASS_ROWS // 2], *rows[-MOST_CLASS_ROWS // 2 :]]
    bounds = [(own.interval.low, own.interval.high) if own.interval else (None, None) for _, own in rows]
    lines = []
    for (each, own), (low, high) in zip(rows, bounds, strict=True):
        others = [found.classes[other].name for other in each.taken_for]
        note = f"{each.name}: {plot.stat_note(own)}, {wording.counted(each.images, 'test image')}"
        note += f"; most often taken for {wording.listing(others)}" if others else ""
        look = inputs.looks.of(cell.model, cell.init)
        aside = f"{wording.decimal(each.taken, 0)} taken for {others[0]}" if len(others) == 1 else ""
        lines.append(Line(each.name, (Dot(own.value, look, note, own.runs, low, high),), aside))
    values = [own.value for _, own in rows] + [edge for pair in bounds for edge in pair if edge is not None]
    kind = "test sampling (Wilson)" if len(found.runs) == 1 else "seeds"
    return RowsFigure(
        title="Accuracy per class",
        panels=(LinesPanel("Test accuracy, %", tuple(lines)),),
        x=lambda axes: percent_axis(axes, values, which="x"),
        records=[
            ClassRow(each.name, each.images, own.value, low, high, own.runs)
            for (each, own), (low, high) in zip(rows, bounds, strict=True)
        ],
        alt=f"{wording.counted(len(rows), 'class', 'classes')} with a point for accuracy and a bar, best first.",
        caption=(
            f"{_whose(inputs)}: test images of each class that are right, with the 95 % interval of {kind}."
            + (
                f" The best and worst classes; {left_out} in between stand in the table."
                if left_out > 0
                else ""
            )
        ),
        width=6.8,
    )


def mistakes(inputs: Inputs) -> TilesFigure:
    """The mistakes that the best result was surest of, with their images."""
    found, _ = inputs.findings.errors, _best(inputs)
    if not found.mistakes:
        raise MissingDataError(NO_MISTAKE)
    images = inputs.images("test")
    run, classes = found.runs[0], [each.name for each in found.classes]
    tiles = []
    for each in found.mistakes:
        true, predicted, sure = classes[each.true], classes[each.predicted], _certainty(each.confidence)
        note = (
            f"Test image {each.image:,}: {true}, predicted {predicted} with {sure} confidence; wrong in "
            f"{each.wrong_in} of {wording.counted(len(found.runs), 'run')}"
        )
        lines = ((predicted, BAD), (f"is {true}", INK), (sure, MUTED))
        tiles.append(Tile(images[each.image], lines, note, (run,)))
    return TilesFigure(
        title="The mistakes that it was surest of",
        tiles=tuple(tiles),
        records=[
            MistakeRow(
                *(each.image, classes[each.true], classes[each.predicted]),
                *(each.confidence, each.wrong_in, run),
            )
            for each in found.mistakes
        ],
        alt=(
            f"{wording.counted(len(found.mistakes), 'test image')}, each with the wrong answer, the true class and the "
            "confidence below it."
        ),
        caption=(
            "Test images that one run of the best result got wrong while being surest. Red: its answer; below it the "
            "true class and its confidence. Some labels may be wrong themselves."
        ),
    )


def _certainty(confidence: float) -> str:
    """Return a confidence that never claims to be whole: `99.8 %`, `> 99.9 %`."""
    return "> 99.9 %" if confidence > 0.9995 else wording.percent(confidence)


def reliability(inputs: Inputs) -> SeriesFigure:
    """Accuracy against confidence in bins, on the largest fraction: a panel per model, a line per initial weights."""
    grid, names = inputs.findings.grid, inputs.names
    networks = [(each, grid.cells[each.cell]) for each in inputs.findings.errors.networks]
    if not networks:
        raise inputs.untrained(NO_PREDICTIONS)
    largest = max((cell.share, cell.fraction) for _, cell in networks)[1]
    shown = [(each, cell) for each, cell in networks if cell.fraction == largest]
    models = [model for model in grid.models if any(cell.model == model for _, cell in shown)]
    series = {
        model: tuple(_reliability(inputs, each, cell) for each, cell in shown if cell.model == model)
        for model in models
    }
    whose = f"each setting on {share_of_data(largest)}"
    if len(networks) == 1:
        whose = names.cell(networks[0][1], grid)
    return SeriesFigure(
        title="Calibration",
        panels=tuple(
            Panel(f"{names.model(model)}: accuracy, %", own, _confidence_axis, _accuracy_axis)
            for model, own in series.items()
        ),
        records=[row for each, cell in shown for row in _bins(each, cell)],
        alt=f"{wording.counted(len(models), 'panel')} of accuracy against confidence, each with a diagonal.",
        caption=(
            f"Test predictions of one run of {whose}, in {BINS} bins of confidence; "
            f"bins of fewer than {FEWEST_IN_BIN} images are left out. Below the diagonal a network is surer than right."
        ),
        columns=min(len(models), 3),
        height=2.2,
    )


def _best(inputs: Inputs) -> Cell:
    """Return the cell of the best result; MissingDataError where it has no predictions."""
    found = inputs.findings.errors
    if found.cell is None:
        raise inputs.untrained(NO_PREDICTIONS)
    return inputs.findings.grid.cells[found.cell]


def _whose(inputs: Inputs) -> str:
    """Return whose errors are shown, for a caption."""
    runs = len(inputs.findings.errors.runs)
    name = inputs.names.cell(_best(inputs), inputs.findings.grid)
    return wording.capitalised(f"{name}, the best result ({wording.runs_counted(runs)})")


@dataclass(frozen=True)
class BinRow:
    """A bin of a reliability diagram as a row of the figure's CSV."""

    model: str
    init: str
    fraction: str
    low: float
    high: float
    images: int
    confidence: float
    accuracy: float
    run: str


def _bins(each: Network, cell: Cell) -> list[BinRow]:
    where = (cell.model, cell.init, cell.fraction)
    return [BinRow(*where, b.low, b.high, b.images, b.confidence, b.accuracy, each.run) for b in each.bins]


def _reliability(inputs: Inputs, each: Network, cell: Cell) -> Series:
    points = tuple(
        Point(
            b.confidence,
            b.accuracy if b.images >= FEWEST_IN_BIN else None,
            f"{wording.percent(b.confidence)} sure, {wording.percent(b.accuracy)} right "
            f"({wording.counted(b.images, 'test image')})",
            (each.run,),
        )
        for b in each.bins
    )
    return Series(
        inputs.names.short_init(cell.init), inputs.looks.of(cell.model, cell.init), points, markers=True
    )


def _confidence_axis(axes: Axes, lowest: bool) -> None:
    percent_axis(axes, [0, 1], which="x")
    axes.set_xlim(-0.02, 1.02)
    if lowest:
        axes.set_xlabel("confidence, %", labelpad=2)


def _accuracy_axis(axes: Axes) -> None:
    percent_axis(axes, [0, 1])
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, zorder=1)
