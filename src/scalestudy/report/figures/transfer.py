"""What initial weights are worth, and how the error falls with data."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from scalestudy.report import wording
from scalestudy.report.figures.accuracy import (
    headline,
    label_room,
    panel_height,
    planned_sizes,
)
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
from scalestudy.report.inputs import Inputs, Json, MissingDataError
from scalestudy.report.palette import FAINT, MUTED


def init_gain(inputs: Inputs) -> Sheet:
    """Test accuracy with initial weights minus test accuracy from scratch, against training images."""
    section = inputs.section("transfer")
    differences = inputs.findings["differences"]
    gains = [(gain, differences[gain["difference"]]) for gain in section["gains"] if gain["difference"]]
    gains = [(gain, difference) for gain, difference in gains if difference["value"] is not None]
    if not gains:
        raise MissingDataError(
            "No pair of complete runs, with and without initial weights; `snakemake` trains what is missing."
        )
    sheet = Sheet(
        "Gain from initial weights",
        (
            "model",
            "init",
            "fraction",
            "train_images",
            "gain",
            "low",
            "high",
            "n",
            "method",
            "verdict",
            "runs",
        ),
    )
    kinds = list(dict.fromkeys((gain["model"], gain["init"]) for gain, _ in gains))
    several = len({init for _, init in kinds}) > 1
    names = [inputs.model(model) + (f", {inputs.init(init)}" if several else "") for model, init in kinds]
    ((axes,),) = sheet.panels(1, 1, panel_height(len(kinds), 2.1), right=label_room(names), width=6.2)
    sizes = planned_sizes([inputs.cell(gain["cell"]) for gain in section["gains"]])
    size_axis(axes, sizes)
    bounds = [bound for _, each in gains for bound in (each["value"], each["low"], each["high"])]
    percent_axis(axes, [bound for bound in bounds if bound is not None], whole=False, zero=True)
    title(axes, "Gain in test accuracy over training from scratch, points", most=400)
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    labels = []
    step = max(sizes[-1][1] / sizes[0][1], 1.5) ** 0.012
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        chosen = [(gain, each) for gain, each in gains if (gain["model"], gain["init"]) == kind]
        chosen.sort(key=lambda pair: pair[0]["train_images"])
        shift = step ** (
            place - (len(kinds) - 1) / 2
        )  # side by side, so that the bars do not hide each other
        xs = [gain["train_images"] * shift for gain, _ in chosen]
        look = inputs.looks.of(*kind)
        draw_intervals(axes, look.colour, xs, [(each["low"], each["high"]) for _, each in chosen])
        notes = [
            (
                f"{inputs.model(gain['model'])}, {inputs.init(gain['init'])}, {gain['fraction']}: {each['text']}",
                each["runs"],
            )
            for gain, each in chosen
        ]
        draw_points(sheet, axes, look, xs, [each["value"] for _, each in chosen], notes)
        labels.append(LineLabel(xs[-1], chosen[-1][1]["value"], name, look.colour))
        sheet.rows.extend(
            (
                gain["model"],
                gain["init"],
                gain["fraction"],
                gain["train_images"],
                each["value"],
                each["low"],
                each["high"],
                each["n"],
                each["method"],
                each["verdict"],
                " ".join(each["runs"]),
            )
            for gain, each in chosen
        )
    line_labels(axes, labels)
    sheet.alt = headline(inputs, "transfer")
    methods = wording.listing(list(dict.fromkeys(each["method_text"] for _, each in gains)))
    sheet.caption = (
        "Test accuracy with the initial weights minus test accuracy from scratch, same model and same images. "
        f"Bars are 95 % intervals of the difference ({methods}); one that crosses zero is not distinguishable."
    )
    return sheet


def effective_data(inputs: Inputs) -> Sheet:
    """Images that training from scratch would need to match, against the images used."""
    section = inputs.section("transfer")
    rows = [row for row in section["effective"] if row["effective_images"] is not None or row["bound"]]
    if not rows:
        raise MissingDataError(
            "Effective data are read off the curve of the runs from scratch, which has too few complete runs; "
            "`snakemake` trains what is missing."
        )
    columns = (
        "model",
        "init",
        "fraction",
        "train_images",
        "effective_images",
        "low",
        "high",
        "bound",
        "text",
        "runs",
    )
    sheet = Sheet("Effective data of initial weights", columns)
    kinds = list(dict.fromkeys((row["model"], row["init"]) for row in rows))
    several = len({init for _, init in kinds}) > 1
    names = [inputs.model(model) + (f", {inputs.init(init)}" if several else "") for model, init in kinds]
    ((axes,),) = sheet.panels(
        1, 1, panel_height(len(kinds), 2.5), right=label_room(names) + 0.1, width=6.2, left=0.62
    )
    sizes = planned_sizes([inputs.cell(row["cell"]) for row in section["effective"]])
    size_axis(axes, sizes)
    edges = {row["cell"]: _edge(inputs, row) for row in rows}
    low, high = _log_limits([*edges.values(), *(float(number) for _, number in sizes)])
    count_axis(axes, "y", low, high)
    title(axes, "Images that training from scratch would need", most=400)
    line = axes.get_xlim()
    axes.plot(line, line, color=FAINT, linewidth=0.9, zorder=1)
    labels = []
    for name, kind in zip(names, kinds, strict=True):
        chosen = sorted(
            (row for row in rows if (row["model"], row["init"]) == kind), key=lambda row: row["train_images"]
        )
        look = inputs.looks.of(*kind)
        xs = [float(row["train_images"]) for row in chosen]
        ys = [edges[row["cell"]] for row in chosen]
        notes = [
            (
                f"{inputs.cell(row['cell'])['long_label']}: as good as {row['text']} images from scratch",
                inputs.cell(row["cell"])["runs"],
            )
            for row in chosen
        ]
        draw_intervals(axes, look.colour, xs, [(row["low"], row["high"]) for row in chosen])
        draw_points(sheet, axes, look, xs, ys, notes)
        for row, x, y in zip(chosen, xs, ys, strict=True):
            if row["bound"]:
                up = row["bound"] == "above"
                axes.annotate(
                    "",
                    (x, y),
                    xytext=(0, 17 if up else -17),
                    textcoords="offset points",
                    arrowprops={"arrowstyle": "<-", "color": look.colour, "linewidth": 1.0},
                )
        labels.append(LineLabel(xs[-1], ys[-1], name, look.colour))
        sheet.rows.extend(
            (
                row["model"],
                row["init"],
                row["fraction"],
                row["train_images"],
                row["effective_images"],
                row["low"],
                row["high"],
                row["bound"],
                row["text"],
                " ".join(inputs.cell(row["cell"])["runs"]),
            )
            for row in chosen
        )
    line_labels(axes, labels)
    sheet.alt = next(iter(section.get("headlines", [])), "") or headline(inputs, "transfer")
    sheet.caption = (
        "Both axes logarithmic. On the grey line the weights are worth nothing; above it, they stand for more images. "
        "Read off the curve of the runs from scratch (Hernandez et al. 2021) and not beyond it: an arrow means more, "
        "or less, than that curve reaches."
    )
    return sheet


def _edge(inputs: Inputs, row: Json) -> float:
    """Return where a row is drawn: its effective images, or the end of the curve that it lies beyond."""
    if row["effective_images"] is not None:
        return float(row["effective_images"])
    sizes = [float(inputs.cell(name)["train_images"]) for name in row["curve"]]
    return max(sizes) if row["bound"] == "above" else min(sizes)


def _log_limits(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = max(high / low, 2.0) ** 0.1
    return low / margin, high * margin


def error_scaling(inputs: Inputs) -> Sheet:
    """Test error against training images on two logarithmic axes, with the fit where there is one."""
    section = inputs.section("scaling")
    series = [each for each in section["series"] if each["points"]]
    base = inputs.findings["groups"][0]["id"] if inputs.findings["groups"] else None
    series = [each for each in series if each["group"] == base] or series[:8]
    points = [point for each in series for point in each["points"] if point["error"] > 0]
    if not points:
        raise MissingDataError("No series has a complete run with an error above zero.")
    sheet = Sheet(
        "Test error against training-set size",
        (
            "model",
            "init",
            "train_images",
            "error",
            "low",
            "high",
            "fitted_error",
            "fitted_low",
            "fitted_high",
            "runs",
        ),
    )
    names = [f"{inputs.model(each['model'])}, {inputs.init(each['init'])}" for each in series]
    ((axes,),) = sheet.panels(
        1, 1, panel_height(len(names), 2.7), right=label_room(names), width=6.6, left=0.5
    )
    size_axis(
        axes, planned_sizes([inputs.cell(point["cell"]) for each in series for point in each["points"]])
    )
    _error_axis(axes, [point["error"] for point in points])
    title(axes, "Test error, % (logarithmic)", most=400)
    labels = []
    for name, each in zip(names, series, strict=True):
        look = inputs.looks.of(each["model"], each["init"])
        shown = [point for point in each["points"] if point["error"] > 0]
        if not shown:
            continue
        xs = [float(point["train_images"]) for point in shown]
        ys = [point["error"] for point in shown]
        stats = [inputs.cell(point["cell"])["test_accuracy"] for point in shown]
        notes = [
            (
                f"{inputs.cell(point['cell'])['long_label']}: test error {wording.bare_percent(point['error'])} %",
                stat["runs"],
            )
            for point, stat in zip(shown, stats, strict=True)
        ]
        bounds = [
            (point["low"], point["high"]) if stat["interval"] == "student_t" else (None, None)
            for point, stat in zip(shown, stats, strict=True)
        ]
        draw_intervals(axes, look.colour, xs, bounds)
        curve = each["fit"]["curve"] if each["fit"]["fitted"] else []
        if curve:
            axes.plot(
                [row[0] for row in curve],
                [row[1] for row in curve],
                color=look.colour,
                linewidth=1.1,
                linestyle=look.line,
            )
            axes.fill_between(
                [row[0] for row in curve],
                [row[2] for row in curve],
                [row[3] for row in curve],
                color=look.colour,
                alpha=0.12,
                linewidth=0,
            )
        draw_points(sheet, axes, look, xs, ys, notes, line=not curve)
        labels.append(LineLabel(xs[-1], ys[-1], name, look.colour))
        sheet.rows.extend(
            (
                each["model"],
                each["init"],
                int(x),
                y,
                point["low"],
                point["high"],
                None,
                None,
                None,
                " ".join(stat["runs"]),
            )
            for x, y, point, stat in zip(xs, ys, shown, stats, strict=True)
        )
        sheet.rows.extend(
            (each["model"], each["init"], round(row[0]), None, None, None, row[1], row[2], row[3], "")
            for row in curve
        )
    line_labels(axes, labels)
    fitted = [each for each in series if each["fit"]["fitted"]]
    sheet.alt = headline(inputs, "scaling")
    sheet.caption = "On two logarithmic axes a power law is a straight line. " + (
        "Curves are fits error = a n^-b + c with 95 % bootstrap bands."
        if fitted
        else wording.sentence(series[0]["fit"]["reason"])
    )
    return sheet


def _error_axis(axes: Axes, errors: list[float]) -> None:
    low, high = _log_limits(errors)
    axes.set_yscale("log")
    axes.set_ylim(low, min(high, 1.05))
    shown: list[float] = []
    for mantissas in ((1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        shown = [
            m * 10.0**power for power in range(-4, 1) for m in mantissas if low <= m * 10.0**power <= high
        ]
        if len(shown) >= 4:
            break
    if len(shown) < 3:
        shown = [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    axes.set_yticks(shown, [f"{100 * tick:g}" for tick in shown])
    axes.yaxis.set_minor_locator(NullLocator())
