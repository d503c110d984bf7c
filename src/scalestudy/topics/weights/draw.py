"""The figures on initial weights: side by side, the gain, and the labelled images that it stands for."""

import math

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell
from scalestudy.report import style, wording
from scalestudy.report.figures.base import (
    LineLabel,
    Sheet,
    count_axis,
    draw_intervals,
    draw_points,
    line_labels,
    percent_axis,
    size_axis,
    title,
)
from scalestudy.report.names import MEASURES
from scalestudy.report.palette import FAINT, MUTED
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs, MissingDataError
from scalestudy.topics.weights.find import EffectiveData

NO_PAIR = "No pair of complete runs, with and without initial weights; `snakemake` trains what is missing."
NO_CURVE = (
    "Effective data are read off the curve of the runs from scratch, which has too few complete runs; `snakemake` "
    "trains what is missing."
)
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


def init_side_by_side(inputs: Inputs) -> Sheet:
    """One panel per kind of weights, with test and training accuracy of every model."""
    grid, names = inputs.findings.grid, inputs.names
    series = [(each, [grid.cells[name] for name in each.cells]) for each in grid.series()]
    everything = [cell for _, cells in series for cell in cells]
    if not any(cell.runs for cell in everything):
        raise MissingDataError(
            "No run of the base recipe is complete yet; `snakemake` trains what is missing."
        )
    sheet = Sheet("Initial weights side by side", plot.COLUMNS)
    columns = min(len(grid.inits), 3)
    lines = math.ceil(len(grid.inits) / columns)
    room = plot.label_room([f"{names.model(model)}, training" for model in grid.models])
    height = plot.panel_height(2 * len(grid.models))
    panels = sheet.panels(lines, columns, height, left=0.6, right=room, across=room + 0.34, down=0.8)
    flat = [axes for line in panels for axes in line]
    for axes in flat[len(grid.inits) :]:
        axes.set_axis_off()
    for place, (axes, init) in enumerate(zip(flat, grid.inits, strict=False)):
        size_axis(axes, plot.planned_sizes(everything))
        percent_axis(axes, plot.values_of(everything, grid.primary, "train_accuracy"))
        title(axes, _panel_title(inputs, axes, init), most=float(room) * 72 + 60)
        if place % columns == 0:
            axes.set_ylabel("accuracy, %", labelpad=3)
        labels = []
        for each, cells in series:
            if each.init != init:
                continue
            look, model = inputs.looks.of(each.model, init), names.model(each.model)
            if end := plot.draw_measure(
                sheet, axes, inputs, look, cells, "train_accuracy", alpha=0.55, faint=True
            ):
                labels.append(LineLabel(*end, f"{model}, training", MUTED))
            if end := plot.draw_measure(sheet, axes, inputs, look, cells, grid.primary):
                labels.append(LineLabel(*end, f"{model}, test", look.colour, bold=True))
        line_labels(axes, labels)
    sheet.alt = (
        f"{wording.counted(len(grid.inits), 'panel')} of accuracy in per cent against training images, one for each "
        f"kind of initial weights, with a test line and a training line for each of "
        f"{wording.counted(len(grid.models), 'model')}."
    )
    sheet.caption = SIDE_CAPTION + plot.bars_note(everything)
    return sheet


def _panel_title(inputs: Inputs, axes: Axes, init: str) -> str:
    """Return the title of a panel of one kind of weights: the full one where there is room for it."""
    full = inputs.names.init(init)
    room = float(axes.get_window_extent().width) * 72 / axes.figure.dpi
    fits = style.text_width(full, style.TITLE, bold=True) <= room
    return wording.capitalised(full if fits else inputs.names.short_init(init))


def init_gain(inputs: Inputs) -> Sheet:
    """Test accuracy with initial weights minus test accuracy from scratch, against training images."""
    grid, names = inputs.findings.grid, inputs.names
    gains = [
        (gain, found)
        for gain in inputs.findings.weights.gains
        if (found := grid.difference(gain.scratch, gain.cell)) and grid.cells[gain.cell].train_images
    ]
    if not gains:
        raise MissingDataError(NO_PAIR)
    sheet = Sheet(
        "Gain from initial weights",
        (
            *("model", "init", "fraction", "train_images", "gain"),
            *("low", "high", "n_scratch", "n_weights", "verdict", "runs"),
        ),
    )
    kinds = list(dict.fromkeys((gain.model, gain.init) for gain, _ in gains))
    labels = _labels(inputs, kinds)
    ((axes,),) = sheet.panels(
        1, 1, plot.panel_height(len(kinds), 2.1), right=plot.label_room(labels), width=6.2
    )
    sizes = plot.planned_sizes([grid.cells[gain.cell] for gain, _ in gains])
    size_axis(axes, sizes)
    bounds = [(found.test.low, found.test.high) if found.test else (None, None) for _, found in gains]
    edges = [edge for pair in bounds for edge in pair if edge is not None]
    percent_axis(axes, [*(found.value for _, found in gains), *edges], whole=False, zero=True)
    title(axes, f"Gain in {MEASURES[grid.primary]} over training from scratch, points", most=400)
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    ends = []
    for place, (label, kind) in enumerate(zip(labels, kinds, strict=True)):
        own = [
            (gain, found, bound)
            for (gain, found), bound in zip(gains, bounds, strict=True)
            if (gain.model, gain.init) == kind
        ]
        shift = _beside(sizes, place, len(kinds))
        images = [grid.cells[gain.cell].train_images or 1 for gain, _, _ in own]
        look, xs = inputs.looks.of(*kind), [number * shift for number in images]
        draw_intervals(axes, look.colour, xs, [bound for _, _, bound in own])
        notes = [
            (
                f"{names.cell(grid.cells[gain.cell], grid)}: {plot.difference_note(found)}",
                found.runs,
            )
            for gain, found, _ in own
        ]
        draw_points(sheet, axes, look, xs, [found.value for _, found, _ in own], notes)
        ends.append(LineLabel(xs[-1], own[-1][1].value, label, look.colour))
        sheet.rows.extend(
            (
                *(gain.model, gain.init, gain.fraction, number, found.value, *bound),
                *(len(found.a.runs), len(found.b.runs), found.verdict, " ".join(found.runs)),
            )
            for (gain, found, bound), number in zip(own, images, strict=True)
        )
    line_labels(axes, ends)
    sheet.alt = (
        f"{wording.counted(len(kinds), 'line')} of the gain in points of {MEASURES[grid.primary]} over training from "
        f"scratch, against training images, around a line at zero."
    )
    sheet.caption = GAIN_CAPTION + (GAIN_BARS if edges else "One run of each: no bars.")
    return sheet


def effective_data(inputs: Inputs) -> Sheet:
    """Labelled images that training from scratch would need to match, against the images used."""
    grid = inputs.findings.grid
    rows = inputs.findings.weights.effective
    if not rows:
        raise MissingDataError(NO_CURVE)
    sheet = Sheet(
        "Effective data of initial weights",
        ("model", "init", "fraction", "train_images", "effective_images", "low", "high", "bound", "runs"),
    )
    kinds = list(dict.fromkeys((row.model, row.init) for row in rows))
    labels = _labels(inputs, kinds)
    room = plot.label_room(labels) + 0.1
    ((axes,),) = sheet.panels(1, 1, plot.panel_height(len(kinds), 2.5), right=room, width=6.2, left=0.62)
    cells = {row.cell: grid.cells[row.cell] for row in rows}
    sizes = plot.planned_sizes(cells.values())
    size_axis(axes, sizes)
    places = {row.cell: _place(row, [grid.cells[name] for name in row.curve]) for row in rows}
    numbers = [*places.values(), *(float(number) for _, number in sizes)]
    margin = max(max(numbers) / min(numbers), 2.0) ** 0.1
    count_axis(axes, "y", min(numbers) / margin, max(numbers) * margin)
    title(axes, "Labelled images that training from scratch would need", most=400)
    axes.plot(axes.get_xlim(), axes.get_xlim(), color=FAINT, linewidth=0.9, zorder=1)
    ends = []
    for place, (label, kind) in enumerate(zip(labels, kinds, strict=True)):
        own = [row for row in rows if (row.model, row.init) == kind]
        look, shift = inputs.looks.of(*kind), _beside(sizes, place, len(kinds))
        xs = [(cells[row.cell].train_images or 1) * shift for row in own]
        ys = [places[row.cell] for row in own]
        notes = [
            (f"{inputs.names.cell(cells[row.cell], grid)}: as good as {_words(row, y)}", cells[row.cell].runs)
            for row, y in zip(own, ys, strict=True)
        ]
        draw_intervals(axes, look.colour, xs, [(row.low, row.high) for row in own])
        # Bounds are no data: the line joins measured values only.
        draw_points(sheet, axes, look, xs, ys, notes, line=False)
        measured = [(x, y) for x, y, row in zip(xs, ys, own, strict=True) if row.bound is None]
        axes.plot(*zip(*measured, strict=True), color=look.colour, linestyle=look.line) if measured else None
        for row, x, y in zip(own, xs, ys, strict=True):
            if row.bound:
                axes.annotate(
                    "",
                    (x, y),
                    xytext=(0, 17 if row.bound == "above" else -17),
                    textcoords="offset points",
                    arrowprops={"arrowstyle": "<-", "color": look.colour, "linewidth": 1.0},
                )
        ends.append(LineLabel(xs[-1], ys[-1], label, look.colour))
        sheet.rows.extend(
            (
                *(row.model, row.init, row.fraction, cells[row.cell].train_images, row.images),
                *(row.low, row.high, row.bound, " ".join(cells[row.cell].runs)),
            )
            for row in own
        )
    line_labels(axes, ends)
    sheet.alt = (
        f"{wording.counted(len(kinds), 'series', 'series')} of the labelled images that training from scratch would "
        "need, against the images used, both logarithmic, with the line of equality."
    )
    sheet.caption = EFFECTIVE_CAPTION
    return sheet


def _labels(inputs: Inputs, kinds: list[tuple[str, str]]) -> list[str]:
    several = len({init for _, init in kinds}) > 1
    names = inputs.names
    return [names.model(model) + (f", {names.short_init(init)}" if several else "") for model, init in kinds]


def _beside(sizes: list[tuple[str, int]], place: int, count: int) -> float:
    """Return the factor on x that sets series side by side, so that their bars do not hide each other."""
    step: float = max(sizes[-1][1] / sizes[0][1], 1.5) ** 0.012
    return float(step ** (place - (count - 1) / 2))


def _place(row: EffectiveData, curve: list[Cell]) -> float:
    """Return where a row is drawn: its effective images, or the end of the curve that it lies beyond."""
    if row.images is not None:
        return row.images
    return float(curve[-1 if row.bound == "above" else 0].train_images or 1)


def _words(row: EffectiveData, place: float) -> str:
    beyond = {"above": "more than ", "below": "fewer than ", None: "about "}[row.bound]
    return f"{beyond}{wording.count(wording.rounded(place))} labelled images from scratch"
