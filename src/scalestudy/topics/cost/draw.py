"""The figure on cost: accuracy against training time."""

from dataclasses import dataclass

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell
from scalestudy.report import wording
from scalestudy.report.figures.base import Picture, percent_axis, time_axis
from scalestudy.report.figures.front import FrontFigure, Offer
from scalestudy.report.names import MEASURES
from scalestudy.report.palette import MUTED
from scalestudy.topics import plot
from scalestudy.topics.cost.find import Pretrained, Price
from scalestudy.topics.inputs import Inputs, MissingDataError

NO_TIMES = "No complete run has its training time."
ONE_PRICE = "All settings do the same work, or took about the same time."
TITLE = "Accuracy against training time"
LEAST = 1e-3  # seconds, on a logarithmic axis


@dataclass(frozen=True)
class Row:
    """A setting's price and result as a row of the figure's CSV."""

    setting: str
    training_seconds: float
    pretraining_seconds: float
    value: float | None
    low: float | None
    high: float | None
    n: int
    front: bool
    runs: tuple[str, ...]


def cost(inputs: Inputs) -> Picture:
    """Result against seconds of training, pretraining included; those that no other beats carry their names."""
    found, grid = inputs.findings.cost, inputs.findings.grid
    if found.missing is not None:
        raise inputs.untrained(NO_TIMES)
    if found.alike:
        raise MissingDataError(ONE_PRICE)
    priced = [(price, grid.cells[price.cell]) for price in found.prices]
    seconds = [max(price.seconds, LEAST) for price in found.prices]
    highest, values = (
        inputs.findings.reference.highest,
        plot.values_of([cell for _, cell in priced], grid.primary),
    )

    def up(axes: Axes) -> None:
        percent_axis(axes, [*values, *([] if highest is None else [highest])])
        if highest is not None:
            axes.axhline(highest, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)

    def across(axes: Axes) -> None:
        counted = any(price.pretrained is Pretrained.COUNTED for price, _ in priced)
        time_axis(axes, seconds, title="training of one run" + (", pretraining included" if counted else ""))

    return FrontFigure(
        title=TITLE,
        panel=wording.capitalised(f"{MEASURES[grid.primary]}, %"),
        offers=tuple(_offer(inputs, price, cell) for price, cell in priced),
        x=across,
        y=up,
        records=[_row(inputs, price, cell) for price, cell in priced],
        alt=(
            f"{wording.counted(len(priced), 'point')} of {MEASURES[grid.primary]} in per cent against the time of "
            f"training, on a logarithmic axis{', with a stepped line along the upper left' if found.front else ''}."
        ),
        caption=" ".join(
            [
                *(
                    []
                    if highest is None
                    else [f"Dashed: the highest reported number, {wording.percent(highest)}."]
                ),
                *(
                    ["The line joins settings than which no other is as fast and as accurate."]
                    if found.front
                    else []
                ),
            ]
        ),
    )


def _offer(inputs: Inputs, price: Price, cell: Cell) -> Offer:
    name = inputs.names.cell(cell, inputs.findings.grid)
    note = f"{name}: {plot.stat_note(cell.result)} after {wording.duration(price.seconds)}"
    return Offer(
        x=max(price.seconds, LEAST),
        y=cell.value or 0.0,
        name=_short(inputs, cell),
        look=inputs.looks.of(cell.model, cell.init),
        note=note,
        runs=cell.runs,
        front=price.front,
    )


def _short(inputs: Inputs, cell: Cell) -> str:
    """Return a setting's name as short as it tells it from all others."""
    names, group = inputs.names, inputs.findings.grid.group(cell.group)
    if inputs.findings.grid.at_one_point:
        return names.cell(cell, inputs.findings.grid)
    recipe = [names.recipe(group)] if group.differs else []
    where = (names.model(cell.model), names.short_init(cell.init), wording.fraction(cell.fraction))
    return ", ".join([*where, *recipe])


def _row(inputs: Inputs, price: Price, cell: Cell) -> Row:
    low, high = plot.seed_bounds(cell.result)
    name = inputs.names.cell(cell, inputs.findings.grid)
    return Row(
        name, price.own, price.pretraining, cell.value, low, high, len(cell.runs), price.front, cell.runs
    )
