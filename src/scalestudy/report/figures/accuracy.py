"""Accuracy against the amount of data, the size of the model, and the hyperparameters."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from scalestudy.report import palette, style, wording
from scalestudy.report.figures.base import (
    LineLabel,
    Sheet,
    bars_note,
    count_axis,
    draw_intervals,
    draw_points,
    line_labels,
    percent_axis,
    seed_interval,
    shorten,
    size_axis,
    stat_text,
    title,
    without_collisions,
)
from scalestudy.report.inputs import Inputs, Json, MissingDataError
from scalestudy.report.palette import INK, MUTED, Look

_MOST_RECIPES = 24  # lines of the figure of hyperparameters
MEASURES = {"test_accuracy": "Test accuracy, %", "train_accuracy": "Training accuracy, %"}
COLUMNS = (
    "model",
    "init",
    "fraction",
    "train_images",
    "measure",
    "value",
    "n",
    "low",
    "high",
    "interval",
    "runs",
)


def cell_row(cell: Json, measure: str) -> tuple[object, ...]:
    """Return a cell's number as a row of a figure's CSV (columns: `COLUMNS`)."""
    stat = cell[measure]
    return (
        cell["model"],
        cell["init"],
        cell["fraction"],
        cell["train_images"],
        measure,
        stat["value"],
        stat["n"],
        stat["low"],
        stat["high"],
        stat["interval"],
        " ".join(stat["runs"]),
    )


def planned_sizes(cells: Sequence[Json]) -> list[tuple[str, int]]:
    """Return (fraction, training images) of `cells`, each fraction once, ascending."""
    known = {
        cell["fraction"]: (cell["number"], cell["train_images"]) for cell in cells if cell["train_images"]
    }
    return [(fraction, images) for fraction, (_, images) in sorted(known.items(), key=lambda item: item[1])]


def comparison_rows(inputs: Inputs) -> list[tuple[Json, list[Json]]]:
    """Return each series of the six-model comparison with its planned cells; MissingDataError where none has one."""
    section = inputs.section("comparison")
    rows = [(row, [inputs.cell(name) for name in row["cells"] if name]) for row in section["rows"]]
    if not any(cell["test_accuracy"]["n"] for _, cells in rows for cell in cells):
        raise MissingDataError(
            "No run of the base recipe is complete yet; `snakemake` trains what is missing."
        )
    return rows


def draw_measure(
    sheet: Sheet,
    axes: Axes,
    look: Look,
    cells: Sequence[Json],
    measure: str,
    *,
    alpha: float = 1.0,
    faint: bool = False,
) -> tuple[float, float] | None:
    """Draw one measure of a series against the training images; return the line's last point, if it has one."""
    cells = [cell for cell in cells if cell["train_images"]]
    stats = [cell[measure] for cell in cells]
    xs = [float(cell["train_images"]) for cell in cells]
    ys = [stat["value"] for stat in stats]
    word = {"test_accuracy": "test", "train_accuracy": "training", "gap": "gap"}[measure]
    notes = [
        (f"{cell['long_label']}: {word} {stat_text(stat)}", stat["runs"])
        for cell, stat in zip(cells, stats, strict=True)
    ]
    draw_intervals(axes, look.colour, xs, [seed_interval(stat) for stat in stats])
    draw_points(sheet, axes, look, xs, ys, notes, alpha=alpha, faint_line=faint, size=4.0 if faint else 5.0)
    sheet.rows.extend(cell_row(cell, measure) for cell in cells)
    drawn = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
    return drawn[-1] if drawn else None


def values_of(cells: Sequence[Json], *measures: str) -> list[float]:
    """Return every value and bound over seeds of the measures, for the limits of an axis."""
    found = []
    for cell in cells:
        for measure in measures:
            stat = cell[measure]
            found += [value for value in (stat["value"], *seed_interval(stat)) if value is not None]
    return found


def numbers(cells: Sequence[Json], measure: str = "test_accuracy") -> list[int]:
    """Return n of every cell that has a value."""
    return [cell[measure]["n"] for cell in cells if cell[measure]["n"]]


def not_shown(cells: Sequence[Json]) -> str:
    """Return a sentence that names the planned cells without a number and their state; nothing where all are there."""
    gone = [
        f"{cell['long_label']} ({cell['text'].removeprefix('no result: ').partition(' (')[0]})"
        for cell in cells
        if not cell["test_accuracy"]["n"]
    ]
    if len(gone) > 6:
        gone = [*gone[:5], f"{len(gone) - 5} more"]
    return f" Not drawn: {'; '.join(gone)}." if gone else ""


def panel_height(labels: int, least: float = 2.5) -> float:
    """Return a panel's height in inches that gives room to so many labels at the ends of lines."""
    return max(least, labels * style.SMALL * 1.32 / 72 + 0.3)


def label_room(labels: Sequence[str]) -> float:
    """Return the inches that labels at the ends of lines take."""
    return max((style.text_width(label, style.SMALL) for label in labels), default=0) / 72 + 0.24


def accuracy_by_size(inputs: Inputs) -> Sheet:
    """Test and training accuracy against the number of training images, one line per model and init."""
    rows = comparison_rows(inputs)
    everything = [cell for _, cells in rows for cell in cells]
    several_inits = len({row["init"] for row, _ in rows}) > 1
    names = [
        inputs.model(row["model"]) + (f", {inputs.init(row['init'])}" if several_inits else "")
        for row, _ in rows
    ]
    sheet = Sheet("Accuracy against training-set size", COLUMNS)
    room = label_room(names)
    (panels,) = sheet.panels(1, 2, panel_height(len(names)), right=room, across=room + 0.34)
    sizes = planned_sizes(everything)
    for axes, measure in zip(panels, MEASURES, strict=True):
        size_axis(axes, sizes)
        percent_axis(axes, values_of(everything, *MEASURES))
        title(axes, MEASURES[measure])
        labels = []
        for name, (row, cells) in zip(names, rows, strict=True):
            look = inputs.looks.of(row["model"], row["init"])
            if end := draw_measure(sheet, axes, look, cells, measure):
                labels.append(LineLabel(*end, name, look.colour))
        line_labels(axes, labels)
    sheet.alt = headline(inputs, "comparison")
    sheet.caption = (
        "Accuracy at the last epoch on the test images (left) and on the run's own training images (right) against "
        "the number of training images, on a logarithmic axis. Colour is the model; line style and marker are the "
        f"initial weights. {bars_note(numbers(everything))}{not_shown(everything)}"
    )
    return sheet


def headline(inputs: Inputs, section: str) -> str:
    """Return the section's computed sentence, or an empty text."""
    return str(inputs.findings[section].get("headline") or "")


def _init_title(inputs: Inputs, axes: Axes, init: str) -> str:
    """Return the title of a panel of one kind of initial weights: the full one where there is room for it."""
    full = str(inputs.findings["labels"]["init"].get(init, init))
    room = float(axes.get_window_extent().width) * 72 / axes.figure.dpi
    words = full if style.text_width(full, style.TITLE, bold=True) <= room else inputs.init(init)
    return wording.sentence(words).rstrip(".")


def init_side_by_side(inputs: Inputs) -> Sheet:
    """One panel per init, with test and training accuracy of every model."""
    rows = comparison_rows(inputs)
    everything = [cell for _, cells in rows for cell in cells]
    inits = list(dict.fromkeys(row["init"] for row, _ in rows))
    sheet = Sheet("Initial weights side by side", COLUMNS)
    columns = min(len(inits), 3)
    lines = (len(inits) + columns - 1) // columns
    models = list(dict.fromkeys(row["model"] for row, _ in rows))
    room = label_room([f"{inputs.model(model)}, training" for model in models])
    grid = sheet.panels(
        lines, columns, panel_height(2 * len(models)), left=0.6, right=room, across=room + 0.34, down=0.8
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat[len(inits) :]:
        axes.set_axis_off()
    for axes, init in zip(flat, inits, strict=False):
        size_axis(axes, planned_sizes(everything))
        percent_axis(axes, values_of(everything, *MEASURES))
        title(axes, _init_title(inputs, axes, init), most=float(room) * 72 + 60)
        if axes in [line[0] for line in grid]:
            axes.set_ylabel("accuracy, %", labelpad=3)
        labels = []
        for row, cells in rows:
            if row["init"] != init:
                continue
            look = inputs.looks.of(row["model"], init)
            if end := draw_measure(sheet, axes, look, cells, "train_accuracy", alpha=0.55, faint=True):
                labels.append(LineLabel(*end, f"{inputs.model(row['model'])}, training", MUTED))
            if end := draw_measure(sheet, axes, look, cells, "test_accuracy"):
                labels.append(LineLabel(*end, f"{inputs.model(row['model'])}, test", look.colour, bold=True))
        line_labels(axes, labels)
    sheet.alt = headline(inputs, "transfer") or headline(inputs, "comparison")
    sheet.caption = (
        "The same axes for every kind of initial weights: test accuracy in full strength, training accuracy faint. "
        f"Last epoch. {bars_note(numbers(everything))}{not_shown(everything)}"
    )
    return sheet


def gap_by_size(inputs: Inputs) -> Sheet:
    """Training minus test accuracy against the number of training images."""
    rows = comparison_rows(inputs)
    everything = [cell for _, cells in rows for cell in cells]
    names = [f"{inputs.model(row['model'])}, {inputs.init(row['init'])}" for row, _ in rows]
    sheet = Sheet("Overfitting gap against training-set size", COLUMNS)
    ((axes,),) = sheet.panels(1, 1, panel_height(len(names), 2.3), right=label_room(names), width=6.2)
    size_axis(axes, planned_sizes(everything))
    percent_axis(axes, values_of(everything, "gap"), whole=False, zero=True)
    title(axes, "Training minus test accuracy, points")
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    labels = []
    for name, (row, cells) in zip(names, rows, strict=True):
        look = inputs.looks.of(row["model"], row["init"])
        if end := draw_measure(sheet, axes, look, cells, "gap"):
            labels.append(LineLabel(*end, name, look.colour))
    line_labels(axes, labels)
    sheet.alt = headline(inputs, "overfitting")
    sheet.caption = (
        "Training accuracy minus test accuracy at the last epoch: the higher, the more a run has learnt its own "
        f"training images rather than the task. {bars_note(numbers(everything, 'gap'))}{not_shown(everything)}"
    )
    return sheet


def accuracy_by_batch_size(inputs: Inputs) -> Sheet:
    """Test (top) and training accuracy (bottom) against training images, a line per batch size, a column per series."""
    section = inputs.section("batch_sizes")
    series = [each for each in section["series"] if each["points"]]
    if not series:
        raise MissingDataError(
            "No run with another batch size is complete yet; `snakemake` trains what is missing."
        )
    kinds = list(dict.fromkeys((each["model"], each["init"]) for each in series))
    sizes_of_batch = list(section["batch_sizes"])
    everything = [inputs.cell(point["cell"]) for each in series for point in each["points"]]
    sheet = Sheet("Accuracy per batch size", ("batch_size", *COLUMNS))
    columns = min(len(kinds), 4)
    blocks = (len(kinds) + columns - 1) // columns
    room = label_room([f"batch {max(sizes_of_batch)}"])
    grid = sheet.panels(
        2 * blocks, columns, 1.55, left=0.62, right=room, across=room + 0.32, top=0.5, down=0.56
    )
    for place, (model, init) in enumerate(kinds):
        block, column = divmod(place, columns)
        look = inputs.looks.of(model, init)
        for offset, measure in enumerate(MEASURES):
            axes = grid[2 * block + offset][column]
            size_axis(axes, planned_sizes(everything), title=offset == 1)
            percent_axis(axes, values_of(everything, *MEASURES))
            if offset == 0:
                title(axes, f"{inputs.model(model)}, {inputs.init(init)}", lines=2)
            if column == 0:
                axes.set_ylabel("test, %" if offset == 0 else "training, %", labelpad=3)
            labels = []
            for each in series:
                if (each["model"], each["init"]) != (model, init):
                    continue
                rank = sizes_of_batch.index(each["batch_size"]) / max(len(sizes_of_batch) - 1, 1)
                cells = [inputs.cell(point["cell"]) for point in each["points"]]
                before = len(sheet.rows)
                end = draw_measure(sheet, axes, look, cells, measure, alpha=0.4 + 0.6 * rank)
                sheet.rows[before:] = [(each["batch_size"], *row) for row in sheet.rows[before:]]
                if end:
                    labels.append(LineLabel(*end, f"batch {each['batch_size']}", INK if rank == 1 else MUTED))
            line_labels(axes, labels)
    for empty_axes in [axes for line in grid for axes in line if not axes.lines]:
        empty_axes.set_axis_off()
    sheet.alt = headline(inputs, "batch_sizes") or headline(inputs, "hyperparameters")
    sheet.caption = (
        "Test and training accuracy in % at the last epoch against training-set size, one line per batch size "
        "(the fainter, the smaller), one column per model and initial weights; all other settings as in the base "
        f"recipe. {bars_note(numbers(everything))}"
    )
    return sheet


def hyperparameters(inputs: Inputs) -> Sheet:
    """A panel per model and init: the recipes down the side, test accuracy across, a marker per fraction."""
    section = inputs.section("hyperparameters")
    tables = section["tables"]
    if not tables:
        raise MissingDataError("The study varies no hyperparameter.")
    compared = {column["group"] for table in tables for column in table["columns"]}
    groups = [group for group in inputs.findings["groups"] if group["id"] in compared]
    left_out = len(groups) - _MOST_RECIPES
    groups = groups[:_MOST_RECIPES]
    kinds = list(dict.fromkeys((table["model"], table["init"]) for table in tables))
    cells = [inputs.cell(name) for group in groups for name in group["cells"]]
    everything = [cell for cell in cells if (cell["model"], cell["init"]) in kinds]
    values = values_of(everything, "test_accuracy")
    if not values:
        raise MissingDataError(
            "No run of these settings is complete yet; `snakemake` trains what is missing."
        )
    sheet = Sheet("Test accuracy by recipe", ("recipe", *COLUMNS))
    columns = min(len(kinds), 2 if len(kinds) < 5 else 3)
    lines = (len(kinds) + columns - 1) // columns
    names = [str(group["label"]) for group in groups]
    room = min(label_room(names), 2.6)
    height = 0.2 * len(groups) + 0.25
    grid = sheet.panels(
        lines, columns, height, left=room, right=0.15, across=0.2, down=0.74, bottom=0.32, top=0.5
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat[len(kinds) :]:
        axes.set_axis_off()
    for place, (axes, kind) in enumerate(zip(flat, kinds, strict=False)):
        title(axes, f"{inputs.model(kind[0])}, {inputs.init(kind[1])}: test accuracy, %")
        percent_axis(axes, values, which="x")
        axes.grid(axis="x", visible=True)
        axes.grid(axis="y", visible=True, linestyle=(0, (1, 2)))
        axes.set_ylim(len(groups) - 0.5, -0.8)
        shown = [shorten(name, room * 72 - 14, style.SMALL) for name in names] if place % columns == 0 else []
        axes.set_yticks(range(len(groups)), shown or [""] * len(groups))
        for line, group in enumerate(groups):
            own = [inputs.cell(name) for name in group["cells"]]
            own = [cell for cell in own if (cell["model"], cell["init"]) == kind]
            _recipe_line(
                sheet, inputs, axes, group["label"], sorted(own, key=lambda cell: cell["number"]), line
            )
    sheet.alt = headline(inputs, "hyperparameters")
    sheet.caption = (
        "Test accuracy at the last epoch of every recipe, named by what differs from the base recipe; the numbers "
        "above the first markers are the fraction of the training set, the stronger the colour, the more. "
        f"{bars_note(numbers(everything))}"
        + (f" The first {len(groups)} recipes; {left_out} more are in the tables." if left_out > 0 else "")
    )
    return sheet


def _recipe_line(
    sheet: Sheet, inputs: Inputs, axes: Axes, recipe: str, cells: Sequence[Json], line: int
) -> None:
    """Draw the accuracies of one recipe, a marker per fraction, on one line of a panel."""
    fractions = inputs.findings["axes"]["fraction"]
    edge = float("-inf")
    for cell in cells:
        stat = cell["test_accuracy"]
        sheet.rows.append((recipe, *cell_row(cell, "test_accuracy")))
        if stat["value"] is None:
            continue
        look = inputs.looks.of(cell["model"], cell["init"])
        strength = 0.45 + 0.55 * fractions.index(cell["fraction"]) / max(len(fractions) - 1, 1)
        if stat["interval"] == "student_t":
            bounds = [stat["low"], stat["high"]]
            axes.plot(bounds, [line, line], color=look.colour, linewidth=1.1, alpha=0.75)
        note = (f"{cell['long_label']}: test {stat_text(stat)}", stat["runs"])
        draw_points(sheet, axes, look, [stat["value"]], [float(line)], [note], alpha=strength, line=False)
        if line:
            continue
        words = "all" if cell["fraction"] == "1" else cell["fraction"]
        middle = float(axes.transData.transform((stat["value"], 0))[0]) * 72 / axes.figure.dpi
        half = style.text_width(words, style.SMALL) / 2
        if middle - half > edge + 2:
            edge = middle + half
            axes.annotate(
                words,
                (stat["value"], line),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=style.SMALL,
                color=MUTED,
            )


def model_size(inputs: Inputs) -> Sheet:
    """Test accuracy against the parameters of the model, a line per fraction, a panel per init."""
    rows = comparison_rows(inputs)
    parameters = {each["model"]: each["parameters"] for each in inputs.findings["setup"]["models"]}
    if len({value for value in parameters.values() if value}) < 2:
        raise MissingDataError(
            "Fewer than two models have a complete run; `snakemake` trains what is missing."
        )
    inits = list(dict.fromkeys(row["init"] for row, _ in rows))
    fractions = list(inputs.findings["comparison"]["fractions"])
    everything = [cell for _, cells in rows for cell in cells]
    sheet = Sheet("Test accuracy against model size", ("parameters", *COLUMNS))
    known = [value for value in parameters.values() if value]
    low, high = min(known), max(known)
    margin = max(high / low, 1.5) ** 0.14
    columns = min(len(inits), 3)
    lines = (len(inits) + columns - 1) // columns
    grid = sheet.panels(
        lines, columns, panel_height(len(fractions), 2.2), left=0.6, right=0.62, across=0.98, bottom=0.66
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat[len(inits) :]:
        axes.set_axis_off()
    for axes, init in zip(flat, inits, strict=False):
        count_axis(axes, "x", low / margin, high * margin)
        _model_ticks(inputs, axes, parameters)
        percent_axis(axes, values_of(everything, "test_accuracy"))
        title(axes, _init_title(inputs, axes, init))
        if axes in [line[0] for line in grid]:
            axes.set_ylabel("test accuracy, %", labelpad=3)
        labels = []
        for number, fraction in enumerate(fractions):
            cells = [
                cell
                for row, cells in rows
                if row["init"] == init
                for cell in cells
                if cell["fraction"] == fraction and parameters.get(cell["model"])
            ]
            cells.sort(key=lambda cell: parameters[cell["model"]])
            there = [cell for cell in cells if cell["test_accuracy"]["value"] is not None]
            sheet.rows.extend((parameters[cell["model"]], *cell_row(cell, "test_accuracy")) for cell in cells)
            xs = [float(parameters[cell["model"]]) for cell in there]
            ys = [cell["test_accuracy"]["value"] for cell in there]
            strength = 0.35 + 0.65 * number / max(len(fractions) - 1, 1)
            axes.plot(
                xs, ys, color=MUTED, linestyle=inputs.looks.of("", init).line, linewidth=1.2, alpha=strength
            )
            for cell, x, y in zip(there, xs, ys, strict=True):
                stat = cell["test_accuracy"]
                look = inputs.looks.of(cell["model"], init)
                draw_intervals(axes, look.colour, [x], [seed_interval(stat)])
                note = (f"{cell['long_label']}: test {stat_text(stat)}", stat["runs"])
                draw_points(sheet, axes, look, [x], [y], [note], line=False)
            if there:
                labels.append(LineLabel(xs[-1], ys[-1], "all" if fraction == "1" else fraction, MUTED))
        line_labels(axes, labels)
    sheet.alt = headline(inputs, "model_size")
    sheet.caption = (
        "Test accuracy at the last epoch against the number of trainable parameters (logarithmic); lines join the "
        f"models trained on the same fraction of the data. {bars_note(numbers(everything))}"
    )
    return sheet


def _model_ticks(inputs: Inputs, axes: Axes, parameters: dict[str, int | None]) -> None:
    """Put the models themselves on the axis of parameters, those left out whose label would touch another."""
    known = sorted((value, name) for name, value in parameters.items() if value)
    labels = [f"{inputs.model(name)}\n{wording.short_count(value)}" for value, name in known]
    values = [float(value) for value, _ in known]
    axes.set_xticks(values, without_collisions(axes, values, labels))
    axes.set_xlabel("parameters", labelpad=3)


def _reference_names(inputs: Inputs, rows: Sequence[Json]) -> list[str]:
    """Return a short name of each reference number: the settings that tell it from the others."""
    words: dict[str, Callable[[str], str]] = {
        "model": inputs.model,
        "init": inputs.init,
        "fraction": lambda name: "all" if name == "1" else name,
    }
    settings = inputs.findings["labels"]["setting"]
    keys = list(dict.fromkeys(key for row in rows for key in row["settings"]))
    telling = [key for key in keys if len({str(row["settings"].get(key)) for row in rows}) > 1] or keys[:1]
    return [
        ", ".join(
            words[key](row["settings"][key])
            if key in words
            else f"{settings.get(key, key)} {row['settings'][key]}"
            for key in telling
            if row["settings"].get(key) is not None
        )
        for row in rows
    ]


def reference(inputs: Inputs) -> Sheet:
    """Ours and theirs on one line per reference number."""
    section = inputs.section("reference")
    rows: list[Json] = [row for table in section["tables"] for row in table["rows"]]
    drawn = [row for row in rows if row["ours"] is not None]
    if not drawn:
        raise MissingDataError(
            "No run that a reference number belongs to is complete; `snakemake` trains them."
        )
    sheet = Sheet(
        "Our test accuracy beside the reference",
        ("label", "ours", "theirs", "difference", "low", "high", "verdict", "runs"),
    )
    names = _reference_names(inputs, rows)
    room = min(label_room(names), 3.4)
    ((axes,),) = sheet.panels(
        1, 1, 0.21 * len(rows) + 0.2, left=room, right=1.3, width=7.6, bottom=0.42, top=0.5
    )
    values = [value for row in rows for value in (row["ours"], row["theirs"]) if value is not None]
    percent_axis(axes, values, which="x")
    axes.grid(axis="x", visible=True)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [shorten(name, room * 72 - 14, style.SMALL) for name in names])
    title(axes, "Test accuracy, %: ours filled, the reference's open")
    for place, row in enumerate(rows):
        runs = inputs.cell(row["cell"])["test_accuracy"]["runs"] if row["cell"] else []
        sheet.rows.append(
            (
                row["label"],
                row["ours"],
                row["theirs"],
                row["difference"],
                row["low"],
                row["high"],
                row["verdict"],
                " ".join(runs),
            )
        )
        colour = inputs.looks.colour(row["settings"].get("model", ""))
        theirs = Look(colour, palette.INITS[1][0], "o", hollow=True)
        ours = Look(colour, palette.INITS[1][0], "o", hollow=False)
        note = f"{row['label']}: theirs {wording.bare_percent(row['theirs'])} %"
        if row["ours"] is not None:
            axes.plot(
                [row["theirs"], row["ours"]], [place, place], color=colour, linewidth=1.1, alpha=0.6, zorder=2
            )
            note += f", ours {wording.bare_percent(row['ours'])} %; {row['verdict']}"
            draw_points(sheet, axes, ours, [row["ours"]], [float(place)], [(note, runs)], line=False)
        draw_points(sheet, axes, theirs, [row["theirs"]], [float(place)], [(note, runs)], line=False)
        words = row["verdict"] if row["ours"] is not None else row["reason"] or "no result"
        axes.annotate(
            words,
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=style.SMALL,
            color=MUTED,
        )
    sheet.alt = headline(inputs, "reference")
    sheet.caption = (
        "One line per number of the reference: our test accuracy at the last epoch and the reported one; at the right, "
        "whether the difference is within noise."
    )
    return sheet
