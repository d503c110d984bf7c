"""The figures on errors: confusions, accuracy per class, the surest mistakes as pictures, calibration."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from scalestudy.findings.model import Cell
from scalestudy.report import style, wording
from scalestudy.report.figures.base import Frame, Painted, Picture, Sheet, percent_axis, shorten, title
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.report.names import share_of_data
from scalestudy.report.palette import BAD, FAINT, INK, MUTED, PAPER
from scalestudy.stats.calibration import BINS
from scalestudy.topics import plot
from scalestudy.topics.errors import say
from scalestudy.topics.errors.find import Network
from scalestudy.topics.inputs import Inputs, MissingDataError

NO_PREDICTIONS = "No complete run has saved predictions; `snakemake` trains what is missing."
NO_MISTAKE = "The best result made no mistake on the test images."
MOST_CLASSES = 20  # in the confusion matrix
MOST_CLASS_ROWS = 30
FEWEST_IN_BIN = 10  # images that a bin of confidence needs to be drawn
IMAGE_PIXELS = 48  # larger images are shrunk to this for the page
WIDEST_NAME = 110.0  # points


def confusion(inputs: Inputs) -> Picture:
    """The confusion matrix of the best result: rows are the true classes, columns the predictions."""
    _best(inputs)
    return Painted(lambda frame: _confusion(inputs, frame))


def per_class(inputs: Inputs) -> Picture:
    """Accuracy of each class with its interval, best first, and what it is taken for."""
    _best(inputs)
    return Painted(lambda frame: _per_class(inputs, frame))


def mistakes(inputs: Inputs) -> Picture:
    """The mistakes that the best result was surest of, with their images."""
    _best(inputs)
    if not inputs.findings.errors.mistakes:
        raise MissingDataError(NO_MISTAKE)
    inputs.images("test")
    return Painted(lambda frame: _mistakes(inputs, frame))


def reliability(inputs: Inputs) -> Picture:
    """Accuracy against confidence in bins, on the largest fraction: a panel per model, a line per initial weights."""
    grid, names = inputs.findings.grid, inputs.names
    networks = [(each, grid.cells[each.cell]) for each in inputs.findings.errors.networks]
    if not networks:
        raise MissingDataError(NO_PREDICTIONS)
    largest = max((cell.share, cell.fraction) for _, cell in networks)[1]
    shown = [(each, cell) for each, cell in networks if cell.fraction == largest]
    models = [model for model in grid.models if any(cell.model == model for _, cell in shown)]
    series = {
        model: tuple(_reliability(inputs, each, cell) for each, cell in shown if cell.model == model)
        for model in models
    }
    claims = say.sureness([each for each, _ in networks])
    return SeriesFigure(
        title=claims[0].text if claims else "Calibration",
        panels=tuple(
            Panel(f"{names.model(model)}: accuracy, %", own, _confidence_axis, _accuracy_axis)
            for model, own in series.items()
        ),
        records=[row for each, cell in shown for row in _bins(each, cell)],
        alt=f"{wording.counted(len(models), 'panel')} of accuracy against confidence, each with a diagonal.",
        caption=(
            f"Test predictions of one run of each setting on {share_of_data(largest)}, in {BINS} bins of confidence; "
            f"bins of fewer than {FEWEST_IN_BIN} images are left out. Below the diagonal a network is surer than right."
        ),
        columns=min(len(models), 3),
        height=2.2,
    )


def _best(inputs: Inputs) -> Cell:
    """Return the cell of the best result; MissingDataError where it has no predictions."""
    found = inputs.findings.errors
    if found.cell is None:
        raise MissingDataError(NO_PREDICTIONS)
    return inputs.findings.grid.cells[found.cell]


def _whose(inputs: Inputs) -> str:
    """Return whose errors are shown, for a caption."""
    runs = len(inputs.findings.errors.runs)
    name = inputs.names.cell(_best(inputs), inputs.findings.grid)
    return f"{name}, the best result ({wording.runs_counted(runs)})"


def _confusion(inputs: Inputs, frame: Frame) -> Sheet:
    found = inputs.findings.errors
    matrix = np.array(found.matrix, dtype=float)
    totals, classes = matrix.sum(axis=1), [each.name for each in found.classes]
    kept = list(range(len(classes)))
    if len(classes) > MOST_CLASSES:
        wrong = totals - np.diag(matrix)
        kept = sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES].tolist())
    said = say.confusion(found)
    sheet = Sheet(
        said[0].text if said else "Test images by true and predicted class",
        ("true", "predicted", "images", "share", "runs"),
        frame,
    )
    longest = min(max(style.text_width(classes[index], style.SMALL) for index in kept), WIDEST_NAME)
    left = longest / 72 + 0.42
    size = min(0.5, (frame.width - left - 0.15) / len(kept), max(0.3, 4.6 / len(kept)))
    side, tilted = size * len(kept), longest > size * 68
    bottom = (longest * 0.75 if tilted else 10) / 72 + 0.42
    ((axes,),) = sheet.panels(
        1, 1, side, left=left, right=0.15, width=left + 0.15 + side, bottom=bottom, top=0.4
    )
    axes.grid(visible=False)
    axes.set(xlim=(-0.5, len(kept) - 0.5), ylim=(len(kept) - 0.5, -0.5))
    most = max((matrix[i, j] / totals[i] for i in kept for j in kept if i != j and totals[i]), default=1) or 1
    for row, true in enumerate(kept):
        for column, predicted in enumerate(kept):
            count = int(matrix[true, predicted])
            share = count / totals[true] if totals[true] else 0.0
            sheet.rows.append((classes[true], classes[predicted], count, share, " ".join(found.runs)))
            strength = 0.82 * share if true == predicted else 0.75 * share / most
            if strength > 0.01:
                axes.add_patch(_square(column, row, INK if true == predicted else BAD, strength))
            if count:
                written = axes.text(
                    column, row, f"{count:,}", ha="center", va="center", fontsize=style.SMALL - (len(kept) > 12),
                    color=PAPER if strength > 0.5 else INK,
                )  # fmt: skip
                note = f"{classes[true]} taken for {classes[predicted]}: {count:,} of {int(totals[true]):,}"
                sheet.mark(written, note, found.runs)
    names = [shorten(classes[index], WIDEST_NAME, style.SMALL) for index in kept]
    axes.set_yticks(range(len(kept)), names)
    axes.set_xticks(range(len(kept)), names, rotation=40 if tilted else 0, ha="right" if tilted else "center")
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_ylabel("true class", labelpad=4)
    axes.set_xlabel("predicted class", labelpad=3)
    sheet.alt = f"Matrix of test images by true class (rows) and predicted class (columns), {len(kept)} by {len(kept)}."
    left_out = (
        f" The {len(kept)} of {len(classes)} classes with the most errors."
        if len(kept) < len(classes)
        else ""
    )
    sheet.caption = (
        f"{_whose(inputs)}: test images summed over runs. Right answers in grey, errors in red, stronger for more of "
        f"the true class.{left_out}"
    )
    return sheet


def _square(column: int, row: int, colour: str, strength: float) -> Rectangle:
    return Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, facecolor=colour, alpha=strength, linewidth=0)


def _per_class(inputs: Inputs, frame: Frame) -> Sheet:
    found, cell = inputs.findings.errors, _best(inputs)
    rows = [(each, each.accuracy) for each in found.classes if each.accuracy is not None]
    rows.sort(key=lambda row: -row[1].value)
    left_out = len(rows) - MOST_CLASS_ROWS
    if left_out > 0:
        rows = [*rows[: MOST_CLASS_ROWS // 2], *rows[-MOST_CLASS_ROWS // 2 :]]
    said = say.classes(found)
    look = inputs.looks.of(cell.model, cell.init)
    sheet = Sheet(
        said[0].text if said else "Accuracy per class",
        ("class", "test_images", "accuracy", "low", "high", "runs"),
        frame,
    )
    names = [shorten(each.name, WIDEST_NAME, style.SMALL) for each, _ in rows]
    right = 0.15 if frame.narrow else 1.7
    left = plot.label_room(names)
    ((axes,),) = sheet.panels(
        1, 1, 0.2 * len(rows) + 0.1, left=left, right=right, width=6.4, bottom=0.4, top=0.4
    )
    bounds = [(own.interval.low, own.interval.high) if own.interval else (own.value,) * 2 for _, own in rows]
    percent_axis(axes, [edge for pair in bounds for edge in pair], which="x")
    axes.grid(axis="x", visible=True)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), names)
    title(axes, "Test accuracy, %", most=300)
    for place, ((each, own), (low, high)) in enumerate(zip(rows, bounds, strict=True)):
        axes.plot([low, high], [place, place], color=look.colour, linewidth=1.1, alpha=0.6, zorder=2)
        (point,) = axes.plot(
            [own.value], [place], marker=look.marker, color=look.colour, markerfacecolor=look.face, markersize=5,
            linestyle="none", zorder=4,
        )  # fmt: skip
        others = [found.classes[other].name for other in each.taken_for]
        note = f"{each.name}: {plot.stat_note(own)}, {wording.counted(each.images, 'test image')}"
        sheet.mark(
            point, note + (f"; most often taken for {wording.listing(others)}" if others else ""), own.runs
        )
        if len(others) == 1 and not frame.narrow:
            words = shorten(f"{wording.decimal(each.taken, 0)} taken for {others[0]}", 116, style.SMALL)
            axes.annotate(
                words, (1, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
                va="center_baseline", fontsize=style.SMALL, color=MUTED,
            )  # fmt: skip
        sheet.rows.append((each.name, each.images, own.value, low, high, " ".join(own.runs)))
    sheet.alt = (
        f"{wording.counted(len(rows), 'class', 'classes')} with a point for accuracy and a bar, best first."
    )
    kind = "test sampling (Wilson)" if len(found.runs) == 1 else "seeds"
    sheet.caption = (
        f"{_whose(inputs)}: test images of each class that are right, with the 95 % interval of {kind}."
        + (f" The best and worst classes; {left_out} in between stand in the table." if left_out > 0 else "")
    )
    return sheet


def _mistakes(inputs: Inputs, frame: Frame) -> Sheet:
    found, images = inputs.findings.errors, inputs.images("test")
    run, classes = found.runs[0], [each.name for each in found.classes]
    columns = 4 if frame.narrow else 8
    lines = -(-len(found.mistakes) // columns)
    sheet = Sheet(
        "The mistakes that it was surest of",
        ("test_image", "true", "predicted", "confidence", "wrong_in", "run"),
        frame,
    )
    grid = sheet.panels(
        lines, columns, 0.86, left=0.02, right=0.02, top=0.04, bottom=0.5, across=0.14, down=0.52
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat:
        axes.set_axis_off()
    for axes, each in zip(flat, found.mistakes, strict=False):
        picture = axes.imshow(small(images[each.image]), interpolation="none", aspect="equal", zorder=2)
        axes.set_anchor("S")
        true, predicted, sure = classes[each.true], classes[each.predicted], _certainty(each.confidence)
        _below(axes, 0, predicted, BAD, bold=True)
        _below(axes, 1, f"is {true}", INK)
        _below(axes, 2, sure, MUTED)
        note = f"Test image {each.image:,}: {true}, predicted {predicted} with {sure} confidence"
        sheet.mark(
            picture, f"{note}; wrong in {each.wrong_in} of {wording.counted(len(found.runs), 'run')}", [run]
        )
        sheet.rows.append((each.image, true, predicted, each.confidence, each.wrong_in, run))
    sheet.alt = (
        f"{wording.counted(len(found.mistakes), 'test image')}, each with the wrong answer, the true class and the "
        "confidence below it."
    )
    sheet.caption = (
        "Test images that one run of the best result got wrong while being surest. Red: its answer; below it the true "
        "class and its confidence. Some labels may be wrong themselves."
    )
    return sheet


def _below(axes: Axes, line: int, words: str, colour: str, *, bold: bool = False) -> None:
    axes.text(
        0.5, -0.05 - 0.16 * line, shorten(words, 68, style.SMALL, bold=bold), transform=axes.transAxes, ha="center",
        va="top", fontsize=style.SMALL, color=colour, fontweight="bold" if bold else "normal",
    )  # fmt: skip


def _certainty(confidence: float) -> str:
    """Return a confidence that never claims to be whole: `99.8 %`, `> 99.9 %`."""
    return "> 99.9 %" if confidence > 0.9995 else wording.percent(confidence)


def small(image: np.ndarray) -> np.ndarray:
    """Return an image (uint8 [H, W, 3]) shrunk so that a page of them stays small; small ones are left alone."""
    image = np.asarray(image)
    if max(image.shape[:2]) <= IMAGE_PIXELS:
        return image
    return np.asarray(Image.fromarray(image).resize((IMAGE_PIXELS, IMAGE_PIXELS), Image.Resampling.LANCZOS))


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
