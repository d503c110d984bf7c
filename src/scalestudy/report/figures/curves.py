"""How accuracy grows during training: over epochs, over optimizer steps, over time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from scalestudy.report import style, wording
from scalestudy.report.figures.accuracy import headline, label_room, panel_height
from scalestudy.report.figures.base import (
    LineLabel,
    Sheet,
    count_axis,
    draw_points,
    line_key,
    line_labels,
    note_panel,
    percent_axis,
    title,
)
from scalestudy.report.inputs import Inputs, Json, MissingDataError
from scalestudy.report.palette import FAINT, INK, MUTED

_COLUMNS_OF_PANELS = 4


def learning_curves(inputs: Inputs) -> Sheet:
    """A panel per model and fraction: test (strong) and training accuracy (faint) over epochs, a line per init."""
    curves: dict[str, Json] = inputs.findings["curves"]
    if not curves:
        raise MissingDataError(
            "No run of the base recipe is complete yet; `snakemake` trains what is missing."
        )
    axes_of_study = inputs.findings["axes"]
    models = [
        name for name in axes_of_study["model"] if any(curve["model"] == name for curve in curves.values())
    ]
    fractions = [
        name
        for name in axes_of_study["fraction"]
        if any(curve["fraction"] == name for curve in curves.values())
    ]
    inits = [
        name for name in axes_of_study["init"] if any(curve["init"] == name for curve in curves.values())
    ]
    sheet = Sheet(
        "Learning curves",
        (
            "model",
            "init",
            "fraction",
            "epoch",
            "step",
            "train_accuracy",
            "test_accuracy",
            "test_low",
            "test_high",
            "n",
            "runs",
        ),
    )
    columns = min(len(fractions), _COLUMNS_OF_PANELS)
    blocks = (len(fractions) + columns - 1) // columns
    grid = sheet.panels(
        len(models) * blocks,
        columns,
        1.45,
        left=0.4,
        right=0.12,
        across=0.36,
        down=0.5,
        top=0.66,
        bottom=0.46,
    )
    values = [
        value
        for curve in curves.values()
        for key in ("train_accuracy", "test_accuracy")
        for value in curve[key]
    ]
    tall = float(sheet.figure.get_size_inches()[1])
    entries = (
        [(inputs.init(init), inputs.looks.of("", init), INK, 1.5) for init in inits] if len(inits) > 1 else []
    )
    line_key(sheet, [*entries, ("test", None, INK, 1.9), ("training", None, FAINT, 1.1)], tall - 0.14, 0.4)
    for row, model in enumerate(models):
        for number, fraction in enumerate(fractions):
            block, column = divmod(number, columns)
            axes = grid[row * blocks + block][column]
            chosen = [
                curve
                for init in inits
                for curve in curves.values()
                if (curve["model"], curve["fraction"], curve["init"]) == (model, fraction, init)
            ]
            percent_axis(axes, values)
            last = max((curve["epoch"][-1] for curve in curves.values()), default=1)
            axes.set_xlim(1 - 0.05 * last, last + 0.05 * last)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
            if row == len(models) - 1 and block == blocks - 1:
                axes.set_xlabel("epoch", labelpad=2)
            title(axes, f"{inputs.model(model)}, {'all images' if fraction == '1' else fraction}")
            if not chosen:
                note_panel(axes, "no complete run")
            for curve in chosen:
                _curve(sheet, inputs, axes, curve)
    for unused in [axes for line in grid for axes in line if not axes.get_title(loc="left")]:
        unused.set_axis_off()
    sheet.alt = headline(inputs, "overfitting")
    several = any(curve["n"] > 1 for curve in curves.values())
    sheet.caption = (
        "Accuracy in % after every epoch, on the test images (strong lines) and on the run's own training images "
        "(faint). Line style is the initial weights. "
        + (
            "Lines are means over seeds, the shade the 95 % interval of the test mean (Student t)."
            if several
            else "Each line is one run."
        )
    )
    return sheet


def _curve(sheet: Sheet, inputs: Inputs, axes: Axes, curve: Json) -> None:
    look = inputs.looks.of(curve["model"], curve["init"])
    epochs = curve["epoch"]
    axes.plot(
        epochs, curve["train_accuracy"], color=look.colour, linestyle=look.line, linewidth=1.0, alpha=0.45
    )
    (line,) = axes.plot(epochs, curve["test_accuracy"], color=look.colour, linestyle=look.line, linewidth=1.7)
    name = f"{curve['label']}: test {wording.bare_percent(curve['test_accuracy'][-1])} % after epoch {epochs[-1]}"
    sheet.mark(line, name, curve["runs"])
    every = 1 if len(epochs) <= 12 else len(epochs)
    axes.plot(
        epochs[::-1][::every],
        curve["test_accuracy"][::-1][::every],
        linestyle="none",
        marker=look.marker,
        markersize=3.4,
        color=look.colour,
        markerfacecolor=look.face,
        markeredgewidth=0.9,
    )
    low, high = curve.get("test_low"), curve.get("test_high")
    if low and high:
        bounds = [(e, lo, hi) for e, lo, hi in zip(epochs, low, high, strict=True) if lo is not None]
        if bounds:
            axes.fill_between(*np.array(bounds).T, color=look.colour, alpha=0.14, linewidth=0)
    for index, epoch in enumerate(epochs):
        sheet.rows.append(
            (
                curve["model"],
                curve["init"],
                curve["fraction"],
                epoch,
                curve["step"][index],
                curve["train_accuracy"][index],
                curve["test_accuracy"][index],
                low[index] if low else None,
                high[index] if high else None,
                curve["n"],
                " ".join(curve["runs"]),
            )
        )


def equal_steps(inputs: Inputs) -> Sheet:
    """Test accuracy against optimizer steps, a line per fraction: at equal steps only the data differ."""
    section = inputs.section("equal_steps")
    series = [each for each in section["series"] if each["steps"]]
    if not series:
        raise MissingDataError(
            "No run of the base recipe is complete yet; `snakemake` trains what is missing."
        )
    kinds = list(dict.fromkeys((each["model"], each["init"]) for each in series))
    fractions = [
        name for name in inputs.findings["axes"]["fraction"] if name in {each["fraction"] for each in series}
    ]
    sheet = Sheet(
        "Test accuracy against optimizer steps",
        ("model", "init", "fraction", "step", "test_accuracy", "runs"),
    )
    columns = min(len(kinds), 4 if len(kinds) != 3 else 3)
    if len(kinds) > 4:
        columns = 3
    lines = (len(kinds) + columns - 1) // columns
    room = label_room([_fraction(name) for name in fractions])
    height = panel_height(len(fractions), 1.9)
    grid = sheet.panels(
        lines, columns, height, right=room, across=room + 0.3, top=0.5, bottom=0.48, down=0.88
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat[len(kinds) :]:
        axes.set_axis_off()
    everything = [value for each in series for value in each["test_accuracy"]]
    steps = [step for each in series for step in each["steps"] if step > 0]
    for axes, kind in zip(flat, kinds, strict=False):
        count_axis(axes, "x", min(steps) / 1.3, max(steps) * 1.3)
        percent_axis(axes, everything)
        axes.set_xlabel("optimizer steps", labelpad=2)
        title(axes, f"{inputs.model(kind[0])}, {inputs.init(kind[1])}", lines=2)
        look = inputs.looks.of(*kind)
        labels = []
        for each in series:
            if (each["model"], each["init"]) != kind:
                continue
            strength = 0.4 + 0.6 * fractions.index(each["fraction"]) / max(len(fractions) - 1, 1)
            runs = inputs.cell(each["cell"])["runs"]
            (line,) = axes.plot(
                each["steps"],
                each["test_accuracy"],
                color=look.colour,
                alpha=strength,
                linestyle=look.line,
                linewidth=1.4,
            )
            sheet.mark(line, f"{each['label']}: test accuracy after every epoch", runs)
            axes.plot(
                each["steps"][-1:],
                each["test_accuracy"][-1:],
                color=look.colour,
                alpha=strength,
                marker=look.marker,
                markerfacecolor=look.face,
                markersize=4,
            )
            labels.append(
                LineLabel(each["steps"][-1], each["test_accuracy"][-1], _fraction(each["fraction"]), MUTED)
            )
            sheet.rows.extend(
                (each["model"], each["init"], each["fraction"], step, value, " ".join(runs))
                for step, value in zip(each["steps"], each["test_accuracy"], strict=True)
            )
        line_labels(axes, labels)
    sheet.alt = headline(inputs, "equal_steps")
    sheet.caption = (
        "Test accuracy in % after every epoch against the optimizer steps taken so far (logarithmic), one line per "
        "fraction of the training set. Where two lines lie apart at the same number of steps, data make the "
        "difference; what a line gains further right, it gains by more steps."
    )
    return sheet


def _fraction(name: str) -> str:
    return "all" if name == "1" else name


def cost(inputs: Inputs) -> Sheet:
    """Test accuracy against training seconds, with the Pareto front."""
    section = inputs.section("cost")
    points = [
        point for point in section["points"] if point["train_seconds"] and point["test_accuracy"] is not None
    ]
    if not points:
        raise MissingDataError("No run is complete yet; `snakemake` trains what is missing.")
    sheet = Sheet(
        "Accuracy against training time",
        (
            "label",
            "train_seconds",
            "images_per_second",
            "peak_memory_mb",
            "test_accuracy",
            "pareto",
            "device",
            "runs",
        ),
    )
    ((axes,),) = sheet.panels(1, 1, 2.9, right=0.3, left=0.42, bottom=0.5, width=7.4)
    times = [point["train_seconds"] for point in points]
    low, high = min(times) / 1.35, max(times) * 1.7
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [
        tick
        for tick in (
            0.1,
            0.2,
            0.5,
            1,
            2,
            5,
            10,
            20,
            30,
            60,
            120,
            300,
            600,
            1200,
            1800,
            3600,
            7200,
            18000,
            36000,
            86400,
            172800,
        )
        if low <= tick <= high
    ]
    while len(ticks) > 7:
        ticks = ticks[::2]
    axes.set_xticks(ticks, [wording.duration(tick).replace(".0 s", " s") for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    percent_axis(axes, [point["test_accuracy"] for point in points])
    axes.set_xlabel("training time of one run (logarithmic)", labelpad=2)
    title(axes, "Test accuracy, %")
    front = sorted((point for point in points if point["pareto"]), key=lambda point: point["train_seconds"])
    if front:
        axes.step(
            [point["train_seconds"] for point in front] + [high],
            [point["test_accuracy"] for point in front] + [front[-1]["test_accuracy"]],
            where="post",
            color=FAINT,
            linewidth=1.1,
            zorder=1,
        )
    for point in points:
        cell = inputs.cell(point["cell"])
        look = inputs.looks.of(cell["model"], cell["init"])
        note = (
            f"{cell['long_label']}: {wording.bare_percent(point['test_accuracy'])} % in "
            f"{wording.duration(point['train_seconds'])} (n = {cell['n']})",
            cell["runs"],
        )
        draw_points(
            sheet,
            axes,
            look,
            [point["train_seconds"]],
            [point["test_accuracy"]],
            [note],
            line=False,
            alpha=1.0 if point["pareto"] else 0.55,
        )
        sheet.rows.append(
            (
                cell["long_label"],
                point["train_seconds"],
                point["images_per_second"],
                point["peak_memory_mb"],
                point["test_accuracy"],
                point["pareto"],
                point["device_name"],
                " ".join(cell["runs"]),
            )
        )
    _front_labels(inputs, axes, front, points)
    sheet.alt = headline(inputs, "cost")
    sheet.caption = (
        "Each point is one setting; colour is the model, the marker the initial weights. The grey steps join the "
        "settings that no other beats in both accuracy and time; these carry their names. " + section["note"]
    ).strip()
    return sheet


def _front_labels(inputs: Inputs, axes: Axes, front: list[Json], points: list[Json]) -> None:
    """Name the points of the front where there is room: beside a point, never over another label or point."""
    scale = 72 / axes.figure.dpi
    box = axes.get_window_extent()
    taken = []
    for point in points:
        x, y = axes.transData.transform((point["train_seconds"], point["test_accuracy"])) * scale
        taken.append((x - 4, y - 4, x + 4, y + 4))
    for point in reversed(front):
        cell = inputs.cell(point["cell"])
        words = f"{inputs.model(cell['model'])}, {inputs.init(cell['init'])}, {_fraction(cell['fraction'])}"
        wide, tall = style.text_width(words, style.SMALL), style.SMALL * 1.1
        x, y = axes.transData.transform((point["train_seconds"], point["test_accuracy"])) * scale
        for dx, dy, align in (
            (-3, 6, "left"),
            (-7, -3, "right"),
            (5, -13, "left"),
            (-6, 6, "right"),
            (-7, -12, "right"),
        ):
            left = x + dx - {"left": 0, "right": wide, "center": wide / 2}[align]
            area = (left, y + dy - 1, left + wide, y + dy + tall - 1)
            inside = (
                area[0] >= box.x0 * scale and area[2] <= box.x1 * scale + 20 and area[1] >= box.y0 * scale
            )
            clear = all(
                area[2] < other[0] or area[0] > other[2] or area[3] < other[1] or area[1] > other[3]
                for other in taken
                if not (other[0] + 4 == x and other[1] + 4 == y)
            )
            if inside and clear:
                axes.annotate(
                    words,
                    (point["train_seconds"], point["test_accuracy"]),
                    xytext=(dx, dy),
                    textcoords="offset points",
                    ha=align,
                    fontsize=style.SMALL,
                    color=inputs.looks.colour(cell["model"]),
                )
                taken.append(area)
                break
