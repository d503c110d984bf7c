"""The figures on overfitting: the gap, and learning curves of accuracy and loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scalestudy.findings.model import Cell, Curve
from scalestudy.report import wording
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs

GAP_CAPTION = (
    "Accuracy on the run's own training images, in evaluation mode, minus that on the test images, after "
    "the last epoch. "
)
CURVES_CAPTION = (
    "{when} Test (strong): over all test images. Training (faint): running over the epoch, while the "
    "images "
    "are trained on, so it lags behind and counts augmentation and dropout. Means over runs; bands are 95 % intervals."
)
MOST_MODELS = 4
Split = Literal["train", "test"]
Kind = Literal["accuracy", "loss"]


@dataclass(frozen=True)
class CurveRow:
    """A cell after one epoch, as a row of the figure's CSV."""

    model: str
    init: str
    fraction: str
    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    runs: tuple[str, ...]


def gap_by_size(inputs: Inputs) -> SeriesFigure:
    """Training minus test accuracy against the number of training images."""
    cells = plot.base_cells(inputs)
    return SeriesFigure(
        title="Gap between training and test accuracy",
        panels=tuple(
            plot.base_series(
                inputs, ("gap",), ("Training minus test accuracy, points",), whole=False, zero=True
            )
        ),
        records=[plot.cell_record(inputs, cell, "gap") for cell in cells],
        alt=(
            f"{wording.counted(len(list(inputs.findings.grid.series())), 'line')} of training minus test accuracy "
            "in points "
            "against training images, around a line at zero."
        ),
        caption=GAP_CAPTION + plot.bars_note(cells, "gap"),
        columns=1,
        height=2.3,
    )


def learning_curves(inputs: Inputs) -> SeriesFigure:
    """Accuracy and loss, training and test, after every epoch: a column per fraction, two rows per model."""
    grid, names = inputs.findings.grid, inputs.names
    known = [(grid.cells[name], grid.curves[name]) for name in grid.base.cells if name in grid.curves]
    if not known:
        raise inputs.untrained(plot.NO_RUN)
    models = [model for model in grid.models if any(cell.model == model for cell, _ in known)]
    shown = [each for each in known if each[0].model in models[:MOST_MODELS]]
    fractions = [each for each in grid.fractions if any(cell.fraction == each for cell, _ in shown)]
    panels = [
        _panel(
            inputs,
            f"{names.model(model)}, {wording.fraction(fraction)}: {kind}",
            shown,
            model,
            fraction,
            kind,
        )
        for model in models[:MOST_MODELS]
        for kind in ("accuracy", "loss")
        for fraction in fractions
    ]
    left_out = len(models) - MOST_MODELS
    more = f" {wording.counted(left_out, 'more model')} in curves.csv." if left_out > 0 else ""
    return SeriesFigure(
        title="Learning curves",
        panels=tuple(panels),
        records=[
            CurveRow(
                cell.model,
                cell.init,
                cell.fraction,
                epoch,
                curve.step[place],
                curve["train_loss"][place],
                curve["train_accuracy"][place],
                curve["test_loss"][place],
                curve["test_accuracy"][place],
                curve.runs,
            )
            for cell, curve in known
            for place, epoch in enumerate(curve.epoch)
        ],
        alt=f"{wording.counted(len(panels), 'small panel')} of accuracy and of loss against epochs, training and test.",
        caption=CURVES_CAPTION.format(when=f"After every {_measured(known)}.") + more,
        columns=max(2, min(len(fractions), 4)),
        height=1.35,
        key_above=True,
    )


def _panel(
    inputs: Inputs, title: str, known: list[tuple[Cell, Curve]], model: str, fraction: str, kind: Kind
) -> Panel:
    everything = [curve for _, curve in known]
    splits: tuple[Split, ...] = ("train", "test")
    series = tuple(
        _line(inputs, cell, curve, split, kind)
        for cell, curve in known
        if (cell.model, cell.fraction) == (model, fraction)
        for split in splits
    )
    epochs, measured = [epoch for curve in everything for epoch in curve.epoch], _measured(known)
    values = [value for curve in everything for split in splits for value in curve[f"{split}_{kind}"]]

    def by_epoch(axes: Axes, lowest: bool) -> None:
        axes.set_xlim(min(epochs) - 0.3, max(epochs) + 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(measured if lowest else "", labelpad=2)

    def by_loss(axes: Axes) -> None:
        axes.set_ylim(0, max(values) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(4))

    return Panel(title, series, by_epoch, plot.in_percent(values) if kind == "accuracy" else by_loss)


def _measured(known: Sequence[tuple[Cell, Curve]]) -> str:
    """Return what lies between two measurements: an epoch, or of runs with a number of steps an even part of them."""
    return "epoch" if any(cell.settings.get("steps") is None for cell, _ in known) else "part of the steps"


def _line(inputs: Inputs, cell: Cell, curve: Curve, split: Split, kind: Kind) -> Series:
    word = "training" if split == "train" else "test"
    name = inputs.names.cell(cell, inputs.findings.grid)
    banded = split == "test" and kind == "accuracy" and curve.low is not None and curve.high is not None
    points = []
    for place, (epoch, value) in enumerate(zip(curve.epoch, curve[f"{split}_{kind}"], strict=True)):
        shown = wording.percent(value) if kind == "accuracy" else wording.decimal(value)
        low = curve.low[place] if banded and curve.low else None
        high = curve.high[place] if banded and curve.high else None
        points.append(
            Point(float(epoch), value, f"{name}, epoch {epoch}: {word} {kind} {shown}", curve.runs, low, high)
        )
    look = inputs.looks.of(cell.model, cell.init)
    title = f"{inputs.names.model(cell.model)}, {inputs.names.short_init(cell.init)}, {word}"
    return Series(title, look, tuple(points), 1.0 if split == "test" else 0.45, markers=False)
