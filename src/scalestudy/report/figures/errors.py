"""Where the models are wrong, how sure they were, and what the images look like."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image

from scalestudy.report import style, wording
from scalestudy.report.figures.accuracy import headline, label_room
from scalestudy.report.figures.base import (
    LineLabel,
    Sheet,
    line_labels,
    percent_axis,
    shorten,
    title,
)
from scalestudy.report.inputs import Inputs, Json, MissingDataError
from scalestudy.report.palette import BAD, FAINT, INK, MUTED, PAPER, Look
from scalestudy.report.svg import Mark

_MOST_CLASSES = 20  # in the confusion matrix
_MOST_CLASS_ROWS = 30
_FEWEST_IN_BIN = 10  # images that a bin of confidence needs to be joined to the next
_IMAGE_PIXELS = 48  # larger images are shrunk to this for the page


def reliability(inputs: Inputs) -> Sheet:
    """Accuracy against confidence in bins, for the largest fraction: a panel per model, a line per init."""
    section = inputs.section("calibration")
    rows = [(row, inputs.cell(row["cell"])) for row in section["rows"]]
    if not rows:
        raise MissingDataError("No complete run has saved predictions; `snakemake` trains what is missing.")
    largest = max(cell["number"] for _, cell in rows)
    rows = [(row, cell) for row, cell in rows if cell["number"] == largest]
    models = [
        name for name in inputs.findings["axes"]["model"] if name in {cell["model"] for _, cell in rows}
    ]
    sheet = Sheet(
        "Calibration",
        ("model", "init", "fraction", "low", "high", "images", "confidence", "accuracy", "ece", "runs"),
    )
    columns = min(len(models), 3)
    lines = (len(models) + columns - 1) // columns
    names = [f"{inputs.init(cell['init'])}: ECE 00.0" for _, cell in rows]
    room = label_room(names)
    grid = sheet.panels(
        lines,
        columns,
        2.1,
        right=room,
        across=room + 0.36,
        bottom=0.5,
        width=min(style.WIDTH, columns * (2.2 + room) + 0.7),
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat[len(models) :]:
        axes.set_axis_off()
    for axes, model in zip(flat, models, strict=False):
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, zorder=1)
        percent_axis(axes, [0, 1])
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
        axes.set_xlabel("confidence, %", labelpad=2)
        title(axes, f"{inputs.model(model)}: accuracy, %")
        labels = []
        for row, cell in rows:
            if cell["model"] != model:
                continue
            look = inputs.looks.of(model, cell["init"])
            bins = [each for each in row["reliability"] if each["n"] >= _FEWEST_IN_BIN]
            thin = [each for each in row["reliability"] if 0 < each["n"] < _FEWEST_IN_BIN]
            axes.plot(
                [each["confidence"] for each in thin],
                [each["accuracy"] for each in thin],
                color=look.colour,
                alpha=0.35,
                linestyle="none",
                marker=look.marker,
                markersize=2.4,
                markeredgewidth=0,
            )
            (line,) = axes.plot(
                [each["confidence"] for each in bins],
                [each["accuracy"] for each in bins],
                color=look.colour,
                linestyle=look.line,
                linewidth=1.3,
                marker=look.marker,
                markersize=3.6,
                markerfacecolor=look.face,
                markeredgewidth=0.9,
            )
            sheet.mark(
                line,
                f"{cell['long_label']}: {row['text']}, ECE {wording.bare_percent(row['ece'])} points",
                [row["run"]],
            )
            labels.append(
                (
                    bins[-1] if bins else None,
                    f"{inputs.init(cell['init'])}: ECE {wording.bare_percent(row['ece'])}",
                    look,
                )
            )
            sheet.rows.extend(
                (
                    model,
                    cell["init"],
                    cell["fraction"],
                    each["low"],
                    each["high"],
                    each["n"],
                    each["confidence"],
                    each["accuracy"],
                    row["ece"],
                    row["run"],
                )
                for each in row["reliability"]
                if each["n"]
            )
        _labels(axes, labels)
    sheet.alt = headline(inputs, "calibration")
    fraction = "all training images" if largest == 1 else f"{rows[0][1]['fraction']} of the training images"
    sheet.caption = (
        f"Test predictions of the runs on {fraction}, in {section['bins']} bins of confidence. On the grey line "
        "a model is as often right as it is sure; below it, it is overconfident. Faint dots are bins of fewer than "
        f"{_FEWEST_IN_BIN} images. ECE is the expected "
        "calibration error in points."
    )
    return sheet


def _labels(axes: Axes, labels: Sequence[tuple[Json | None, str, Look]]) -> None:
    line_labels(
        axes,
        [
            LineLabel(end["confidence"], end["accuracy"], words, look.colour)
            for end, words, look in labels
            if end
        ],
    )


def confusion(inputs: Inputs) -> Sheet:
    """The confusion matrix of one run: rows are the true classes, columns the predictions."""
    section = inputs.section("errors")
    matrix = np.array(section["confusion"], dtype=float)
    classes = [str(name) for name in section["classes"]]
    kept = list(range(len(classes)))
    if len(classes) > _MOST_CLASSES:
        wrong = matrix.sum(axis=1) - np.diag(matrix)
        kept = sorted(np.argsort(-wrong, kind="stable")[:_MOST_CLASSES].tolist())
    sheet = Sheet("Confusion matrix", ("true", "predicted", "images", "share", "run"))
    totals = matrix.sum(axis=1)
    longest = min(max(style.text_width(classes[index], style.SMALL) for index in kept), 110)
    cell_size = min(0.5, 6.6 / len(kept), max(0.3, 4.6 / len(kept)))
    side = cell_size * len(kept)
    left, bottom = longest / 72 + 0.42, (longest * 0.75 if longest > cell_size * 68 else 10) / 72 + 0.42
    ((axes,),) = sheet.panels(
        1, 1, side, left=left, right=0.15, width=left + 0.15 + side, bottom=bottom, top=0.4
    )
    axes.grid(visible=False)
    axes.set_xlim(-0.5, len(kept) - 0.5)
    axes.set_ylim(len(kept) - 0.5, -0.5)
    most = max((matrix[i, j] / totals[i] for i in kept for j in kept if i != j and totals[i]), default=1) or 1
    for row, true in enumerate(kept):
        for column, predicted in enumerate(kept):
            number = int(matrix[true, predicted])
            share = number / totals[true] if totals[true] else 0.0
            sheet.rows.append((classes[true], classes[predicted], number, share, section["run"]))
            right = true == predicted
            strength = 0.82 * share if right else 0.75 * share / most
            if strength > 0.01:
                axes.add_patch(
                    Rectangle(
                        (column - 0.47, row - 0.47),
                        0.94,
                        0.94,
                        facecolor=INK if right else BAD,
                        alpha=strength,
                        linewidth=0,
                    )
                )
            if number:
                axes.text(
                    column,
                    row,
                    f"{number:,}",
                    ha="center",
                    va="center",
                    fontsize=style.SMALL - (len(kept) > 12),
                    color=PAPER if strength > 0.5 else INK,
                )
    names = [shorten(classes[index], 110, style.SMALL) for index in kept]
    axes.set_yticks(range(len(kept)), names)
    tilted = longest > cell_size * 68
    axes.set_xticks(range(len(kept)), names, rotation=40 if tilted else 0, ha="right" if tilted else "center")
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_ylabel("true class", labelpad=4)
    axes.set_xlabel("predicted class", labelpad=3)
    cell = inputs.cell(section["cell"])
    title(axes, "Test images by true and predicted class", most=side * 72)
    sheet.marks.append(Mark("", "", (section["run"],)))
    sheet.alt = headline(inputs, "errors")
    shown = (
        ""
        if len(kept) == len(classes)
        else f" The {len(kept)} of {len(classes)} classes with the most errors."
    )
    sheet.caption = (
        f"{cell['long_label']} ({section['chosen']}). Right answers in grey, errors in red, the stronger, the more of "
        f"the true class.{shown}"
    )
    return sheet


def per_class(inputs: Inputs) -> Sheet:
    """Accuracy of each class with its interval, best first."""
    section = inputs.section("errors")
    rows = sorted(section["per_class"], key=lambda row: -row["accuracy"])
    if len(rows) > _MOST_CLASS_ROWS:
        half = _MOST_CLASS_ROWS // 2
        rows = [*rows[:half], *rows[-half:]]
    cell = inputs.cell(section["cell"])
    look = inputs.looks.of(cell["model"], cell["init"])
    sheet = Sheet("Accuracy per class", ("class", "images", "correct", "accuracy", "low", "high", "run"))
    names = [shorten(str(row["class"]), 150, style.SMALL) for row in rows]
    ((axes,),) = sheet.panels(
        1, 1, 0.2 * len(rows) + 0.1, left=label_room(names), right=1.7, width=6.4, bottom=0.4, top=0.4
    )
    percent_axis(axes, [bound for row in rows for bound in (row["low"], row["high"])], which="x")
    axes.grid(axis="x", visible=True)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), names)
    title(axes, "Test accuracy, %", most=300)
    for place, row in enumerate(rows):
        axes.plot(
            [row["low"], row["high"]], [place, place], color=look.colour, linewidth=1.1, alpha=0.6, zorder=2
        )
        (point,) = axes.plot(
            [row["accuracy"]],
            [place],
            marker=look.marker,
            color=look.colour,
            markerfacecolor=look.face,
            markersize=5,
            linestyle="none",
            zorder=4,
        )
        sheet.mark(
            point,
            f"{row['class']}: {row['correct']:,} of {row['n']:,} right, {wording.bare_percent(row['accuracy'])} %",
            [section["run"]],
        )
        worst = row.get("worst_confusion")
        if worst:
            words = shorten(f"{worst['count']:,} taken for {worst['class']}", 116, style.SMALL)
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
        sheet.rows.append(
            (row["class"], row["n"], row["correct"], row["accuracy"], row["low"], row["high"], section["run"])
        )
    sheet.alt = headline(inputs, "errors")
    left_out = len(section["per_class"]) - len(rows)
    sheet.caption = (
        f"{cell['long_label']} ({section['chosen']}): share of each class's test images that is right, with the 95 % "
        "test-sampling interval (Wilson), and what it is most often taken for."
        + (
            f" The best and worst classes; {left_out} in between are in the CSV of the table."
            if left_out
            else ""
        )
    )
    return sheet


def mistakes(inputs: Inputs) -> Sheet:
    """The mistakes that the model was surest of, with their images."""
    section = inputs.section("errors")
    chosen = section["mistakes"][:24]
    if not chosen:
        raise MissingDataError("The run made no mistake on the test images.")
    images = inputs.images("test")
    classes = [str(name) for name in section["classes"]]
    sheet = Sheet("Confident mistakes", ("test_image", "true", "predicted", "confidence", "run"))
    columns = 8
    lines = (len(chosen) + columns - 1) // columns
    grid = sheet.panels(
        lines,
        columns,
        0.86,
        left=0.02,
        right=0.02,
        top=0.04,
        bottom=0.5,
        across=0.14,
        down=0.52,
        width=style.WIDTH,
    )
    flat = [axes for line in grid for axes in line]
    for axes in flat:
        axes.set_axis_off()
    for axes, mistake in zip(flat, chosen, strict=False):
        picture = axes.imshow(small(images[mistake["index"]]), interpolation="none", aspect="equal", zorder=2)
        axes.set_anchor("S")
        label, prediction = classes[mistake["label"]], classes[mistake["prediction"]]
        axes.text(
            0.5,
            -0.05,
            shorten(prediction, 68, style.SMALL, bold=True),
            transform=axes.transAxes,
            ha="center",
            va="top",
            fontsize=style.SMALL,
            color=BAD,
            fontweight="bold",
        )
        axes.text(
            0.5,
            -0.21,
            shorten(f"is {label}", 68, style.SMALL),
            transform=axes.transAxes,
            ha="center",
            va="top",
            fontsize=style.SMALL,
            color=INK,
        )
        axes.text(
            0.5,
            -0.37,
            _certainty(mistake["confidence"]),
            transform=axes.transAxes,
            ha="center",
            va="top",
            fontsize=style.SMALL,
            color=MUTED,
        )
        sheet.mark(
            picture,
            f"Test image {mistake['index']:,}: {label}, predicted {prediction} with "
            f"{wording.bare_percent(mistake['confidence'])} % confidence",
            [section["run"]],
        )
        sheet.rows.append((mistake["index"], label, prediction, mistake["confidence"], section["run"]))
    cell = inputs.cell(section["cell"])
    first = chosen[0]
    sheet.alt = (
        f"The {len(chosen)} most confident mistakes; the surest takes {classes[first['label']]} for "
        f"{classes[first['prediction']]} with {_certainty(first['confidence'])}."
    )
    sheet.caption = (
        f"{cell['long_label']} ({section['chosen']}): test images that it got wrong while being surest. Red: its "
        "answer; below it the true class and its confidence. Some labels may well be wrong themselves."
    )
    return sheet


def _certainty(confidence: float) -> str:
    """Return a confidence that never claims to be whole: `99.8 %`, `> 99.9 %`."""
    return "> 99.9 %" if confidence > 0.9995 else f"{wording.bare_percent(confidence)} %"


def samples(inputs: Inputs) -> Sheet:
    """The first training images of each class."""
    images, labels = inputs.images("train"), np.asarray(inputs.labels("train"))
    classes = inputs.classes() or [str(name) for name in range(int(labels.max()) + 1)]
    kept = list(range(len(classes)))
    if len(kept) > 10:  # spread over the list of classes, so that no end of it is favoured
        kept = sorted({round(place) for place in np.linspace(0, len(classes) - 1, 10)})
    each = 10 if len(kept) <= 5 else 5
    columns = 1 if len(kept) <= 5 else 2
    per_column = (len(kept) + columns - 1) // columns
    longest = min(max(style.text_width(classes[index], style.BODY) for index in kept), 100)
    sheet = Sheet("Sample images", ("class", "training_image"))
    side = 0.5
    room = longest / 72 + 0.16
    width = columns * (room + each * (side + 0.04)) + (columns - 1) * 0.3
    tall = per_column * (side + 0.06) + 0.04
    sheet.figure.set_size_inches(width, tall)
    for place, index in enumerate(kept):
        column, line = divmod(place, per_column)
        start = column * (room + each * (side + 0.04) + 0.3)
        middle = tall - 0.02 - line * (side + 0.06) - side / 2
        sheet.figure.text(
            (start + room - 0.12) / width,
            middle / tall,
            shorten(classes[index], 100, style.BODY),
            ha="right",
            va="center_baseline",
            fontsize=style.BODY,
            color=INK,
        )
        chosen = np.flatnonzero(labels == index)[:each]
        if not len(chosen):
            continue
        strip = np.concatenate([_padded(small(images[int(image)])) for image in chosen], axis=1)
        axes = sheet.figure.add_axes(
            (
                (start + room) / width,
                (middle - side / 2) / tall,
                len(chosen) * (side + 0.04) / width,
                side / tall,
            )
        )
        axes.set_axis_off()
        axes.imshow(strip, interpolation="none", aspect="auto")
        sheet.rows.extend((classes[index], int(image)) for image in chosen)
    size = images.shape[1]
    sheet.alt = (
        f"Training images of {size} x {size} pixels from {len(kept)} of {len(classes)} classes, {each} of each: "
        f"{wording.listing([classes[index] for index in kept])}."
    )
    part = "each class" if len(kept) == len(classes) else f"{len(kept)} of the {len(classes)} classes"
    sheet.caption = (
        f"The first training images of {part}, as the models see them before normalisation "
        f"({size} × {size} pixels)."
    )
    return sheet


def small(image: np.ndarray) -> np.ndarray:
    """Return an image (uint8 [H, W, 3]) shrunk so that a page of them stays small; small ones are left alone."""
    image = np.asarray(image)
    if max(image.shape[:2]) <= _IMAGE_PIXELS:
        return image
    shrunk = Image.fromarray(image).resize((_IMAGE_PIXELS, _IMAGE_PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(shrunk)


def _padded(image: np.ndarray) -> np.ndarray:
    """Return the image (RGBA) with a transparent gap of 8 % at its right, so that one strip holds a row of images."""
    gap = max(1, round(image.shape[1] * 0.08))
    padded = np.zeros((image.shape[0], image.shape[1] + gap, 4), dtype=np.uint8)
    padded[:, : image.shape[1], :3] = image
    padded[:, : image.shape[1], 3] = 255
    return padded
