"""The figure on model size."""

from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from scalestudy.report import wording
from scalestudy.report.figures.base import count_axis, without_collisions
from scalestudy.report.figures.series import Panel, Series, SeriesFigure
from scalestudy.report.names import MEASURES
from scalestudy.report.palette import MUTED
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs

TOO_FEW = "Fewer than two models have a complete run."
CAPTION = (
    "Against the number of trainable parameters (logarithmic). A line joins the models that were trained on the same "
    "images. "
)


def model_size(inputs: Inputs) -> SeriesFigure:
    """The result against the parameters of the model, a line per fraction, a panel per kind of weights."""
    grid, names = inputs.findings.grid, inputs.names
    parameters = {each.model: each.parameters for each in inputs.findings.setup.models if each.parameters}
    cells = plot.base_cells(inputs)
    if (
        len({parameters[cell.model] for cell in cells if cell.value is not None and cell.model in parameters})
        < 2
    ):
        raise inputs.untrained(TOO_FEW)
    models = [model for model in grid.models if model in parameters]
    values = plot.values_of(cells, grid.primary)

    def line(init: str, fraction: str) -> Series:
        own = [cell for model in models if (cell := grid.at(model, init, fraction)) is not None]
        points = tuple(plot.point(inputs, cell, grid.primary, float(parameters[cell.model])) for cell in own)
        look = replace(inputs.looks.of(grid.models[-1], init), colour=MUTED)  # a line joins several models
        return Series(wording.fraction(fraction), look, points, plot.strength(fraction, grid.fractions))

    def ticks(axes: Axes, lowest: bool) -> None:
        places = [parameters[model] for model in models]
        low, high = min(places), max(places)
        margin = max(high / low, 1.5) ** 0.14
        count_axis(axes, "x", low / margin, high * margin)
        labels = [f"{names.model(model)}\n{wording.short_count(parameters[model])}" for model in models]
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_major_formatter(FixedFormatter(without_collisions(axes, places, labels)))
        axes.set_xlabel("parameters" if lowest else "", labelpad=3)

    measure = MEASURES[grid.primary]
    return SeriesFigure(
        title=wording.capitalised(f"{measure} against model size"),
        panels=tuple(
            Panel(
                wording.capitalised(names.init(init))
                if len(grid.inits) > 1
                else f"{wording.capitalised(measure)}, %",
                tuple(line(init, fraction) for fraction in grid.fractions),
                ticks,
                plot.in_percent(values),
            )
            for init in grid.inits
        ),
        records=[plot.cell_record(inputs, cell, grid.primary) for cell in cells],
        alt=(
            f"{wording.counted(len(grid.inits), 'panel')} of {measure} in per cent against the models' "
            "parameters, a line "
            f"for each of {wording.counted(len(grid.fractions), 'training-set size')}."
        ),
        caption=CAPTION + plot.bars_note(cells),
        height=2.2,
    )
