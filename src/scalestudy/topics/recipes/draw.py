"""The figures on recipes: what each changes at every point, and accuracy per batch size."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from matplotlib.axes import Axes

from scalestudy.findings.model import Cell, Difference, Group, Measure
from scalestudy.report import wording
from scalestudy.report.figures.base import Picture, percent_axis
from scalestudy.report.figures.rows import Dot, Line, LinesPanel, RowsFigure
from scalestudy.report.figures.series import Panel, SeriesFigure
from scalestudy.report.names import MEASURES, share_of_data
from scalestudy.topics import plot
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.recipes import say
from scalestudy.topics.recipes.find import Part, Recipe

NO_PAIR = "No two recipes have results at the same point."
NO_BATCH_SIZES = "No run with another batch size is complete yet."
MOST_LINES = 24
HOLLOW = "Filled: decided, after the correction (Holm) for all pairs; hollow: undecided."
BARS = "Bars are 95 % intervals of single differences, before the correction for their number."
SHOWN: tuple[tuple[Measure, str], ...] = (("test_accuracy", "test"), ("train_accuracy", "training"))


@dataclass(frozen=True)
class Row:
    """What a recipe changes at a point, as a row of the figure's CSV."""

    recipe: str
    against: str
    model: str
    init: str
    fraction: str
    before: float
    value: float
    difference: float
    low: float | None
    high: float | None
    verdict: str
    runs: tuple[str, ...]


def recipes(inputs: Inputs) -> Picture:
    """What each part is worth, added and left out; without parts, what each recipe changes."""
    return _parts(inputs) if inputs.findings.recipes.parts else _recipes(inputs)


def _parts(inputs: Inputs) -> Picture:
    """Two panels with a line for each part: added to the recipe before, and left out of the base recipe."""
    grid, findings, names = inputs.findings.grid, inputs.findings, inputs.names
    sides: tuple[tuple[str, str, Callable[[Part], tuple[str, str] | None]], ...] = (
        ("Added in turn", "adding {}", lambda part: part.added),
        (
            f"Left out of {say.titled(grid.base) or 'the base recipe'}",
            "without {}",
            lambda part: part.left_out,
        ),
    )
    panels, records = [], []
    for title, does, of in sides:
        lines = []
        for part in findings.recipes.parts:
            name, pair = say.part_name(names, part), of(part)
            found = None if pair is None else grid.difference(*pair)
            dots = []
            if pair is not None and found is not None:
                cell, what = grid.cells[pair[1]], does.format(name)
                look = replace(inputs.looks.of(cell.model, cell.init), hollow=not found.verdict.decided)
                note = wording.capitalised(f"{what}: {plot.difference_note(found)}")
                dots.append(Dot(found.value, look, note, found.runs, *_bounds(found)))
                records.append(_record(what, names.cell(grid.cells[pair[0]], grid), cell, found))
            lines.append(Line(wording.capitalised(name), tuple(dots)))
        panels.append(LinesPanel(title, tuple(lines)))
    if not records:
        raise inputs.untrained(NO_PAIR)
    edges = [edge for row in records for edge in (row.difference, row.low, row.high) if edge is not None]
    measure = MEASURES[grid.primary]
    return RowsFigure(
        title=f"What each part of the recipe changes in {measure}",
        panels=tuple(panels),
        x=lambda axes: percent_axis(axes, edges, which="x", whole=False, zero=True),
        records=records,
        alt=(
            f"2 panels with {wording.counted(len(panels[0].lines), 'line')} of points with bars, around a vertical "
            "line at zero."
        ),
        caption=f"Difference in {measure}, points. {HOLLOW} {BARS}",
    )


def _recipes(inputs: Inputs) -> Picture:
    """A panel for each model and weights: a line for each recipe, a point for each fraction."""
    grid, findings, names = inputs.findings.grid, inputs.findings, inputs.names
    compared = [
        (recipe, grid.cells[b], found)
        for recipe in findings.recipes.recipes
        for a, b in recipe.pairs
        if (found := grid.difference(a, b)) is not None
    ]
    if not compared:
        raise inputs.untrained(NO_PAIR)
    tried = list({(recipe.against, recipe.group): recipe for recipe, _, _ in compared}.values())
    shown = tried[:MOST_LINES]
    kinds = list(dict.fromkeys((cell.model, cell.init) for _, cell, _ in compared))
    edges = [edge for _, _, found in compared for edge in (found.value, *_bounds(found)) if edge is not None]
    several, measure = len({cell.fraction for _, cell, _ in compared}) > 1, MEASURES[grid.primary]

    def across(axes: Axes) -> None:
        percent_axis(axes, edges, which="x", whole=False, zero=True)

    def line(recipe: Recipe, kind: tuple[str, str]) -> Line:
        own = [
            (cell, found)
            for each, cell, found in compared
            if each is recipe and (cell.model, cell.init) == kind
        ]
        dots = tuple(_dot(inputs, recipe, cell, found, several) for cell, found in own)
        return Line(wording.capitalised(say.change(findings, names, recipe)), dots)

    left_out = len(tried) - len(shown)
    panels = {kind: tuple(line(recipe, kind) for recipe in shown) for kind in kinds}
    if sum(bool(each.dots) for lines in panels.values() for each in lines) * 2 <= len(kinds) * len(shown):
        # Each kind has recipes of its own: empty lines would say nothing.
        panels = {kind: tuple(each for each in lines if each.dots) for kind, lines in panels.items()}
    most = max(map(len, panels.values()))
    up_to = "" if len(set(map(len, panels.values()))) == 1 else "up to "
    return RowsFigure(
        title=f"Difference in {measure} by recipe",
        panels=tuple(
            LinesPanel(f"{names.model(model)}, {names.short_init(init)}", lines)
            for (model, init), lines in panels.items()
        ),
        x=across,
        records=[_row(inputs, recipe, cell, found) for recipe, cell, found in compared],
        alt=(
            f"{wording.counted(len(kinds), 'panel')} with {up_to}{wording.counted(most, 'line')} of points with bars, "
            "around a vertical line at zero."
        ),
        caption=(
            f"Difference in {measure}, points, against the most similar recipe before"
            + (", fainter on fewer images. " if several else ". ")
            + (f"{HOLLOW} " if len(grid.inits) == 1 else "")
            + BARS
            + (f" {wording.counted(left_out, 'recipe')} more in the table." if left_out else "")
        ),
    )


def _bounds(found: Difference) -> tuple[float | None, float | None]:
    return (None, None) if found.test is None else (found.test.low, found.test.high)


def _dot(inputs: Inputs, recipe: Recipe, cell: Cell, found: Difference, several: bool) -> Dot:
    what = say.change(inputs.findings, inputs.names, recipe)
    where = f"{inputs.names.series(cell.model, cell.init)}, {share_of_data(cell.fraction)}"
    before = say.against(inputs.findings, inputs.names, recipe)
    note = f"{what} against {before}, {where}: {plot.difference_note(found)}"
    look = inputs.looks.of(cell.model, cell.init)
    if len(inputs.findings.grid.inits) == 1:
        look = replace(look, hollow=not found.verdict.decided)
    strength = plot.strength(cell.fraction, inputs.findings.grid.fractions)
    above = wording.fraction(cell.fraction) if several else ""
    return Dot(found.value, look, wording.capitalised(note), found.runs, *_bounds(found), strength, above)


def _row(inputs: Inputs, recipe: Recipe, cell: Cell, found: Difference) -> Row:
    findings, names = inputs.findings, inputs.names
    return _record(say.change(findings, names, recipe), say.against(findings, names, recipe), cell, found)


def _record(recipe: str, against: str, cell: Cell, found: Difference) -> Row:
    return Row(
        recipe,
        against,
        *(cell.model, cell.init, cell.fraction),
        *(found.a.mean, found.b.mean, found.value),
        *_bounds(found),
        found.verdict,
        found.runs,
    )


def accuracy_by_batch_size(inputs: Inputs) -> Picture:
    """Test and training accuracy against training images, a line for each batch size, a panel for each series."""
    grid, names = inputs.findings.grid, inputs.names
    groups = [
        group for group in grid.groups if not set(group.differs) - {"batch_size"} and grid.having(group.cells)
    ]
    groups.sort(key=_batch_size)
    if len(groups) < 2:
        raise inputs.untrained(NO_BATCH_SIZES)
    series: dict[tuple[str, str], dict[str, list[Cell]]] = {}
    for group in groups:
        for each in grid.series(group):
            series.setdefault((each.model, each.init), {})[group.id] = [
                grid.cells[name] for name in each.cells
            ]
    shown = {kind: own for kind, own in series.items() if len(own) > 1}
    if not shown:
        raise inputs.untrained(NO_BATCH_SIZES)
    cells = [cell for own in shown.values() for each in own.values() for cell in each]
    measures = [measure for measure, _ in SHOWN]
    panels = tuple(
        Panel(
            f"{names.model(model)}, {names.short_init(init)}: {word} accuracy, %",
            tuple(
                plot.size_series(
                    inputs,
                    f"batch {_batch_size(group)}",
                    inputs.looks.of(model, init),
                    own[group.id],
                    measure,
                    0.35 + 0.65 * place / (len(groups) - 1),
                )
                for place, group in enumerate(groups)
                if group.id in own
            ),
            plot.by_size(plot.planned_sizes(cells)),
            plot.in_percent(plot.values_of(cells, *measures)),
        )
        for (model, init), own in shown.items()
        for measure, word in SHOWN
    )
    numbers = wording.listing([str(_batch_size(group)) for group in groups])
    return SeriesFigure(
        title=f"Accuracy at batch sizes {numbers}",
        panels=panels,
        records=[plot.cell_record(inputs, cell, measure) for cell in cells for measure in measures],
        alt=(
            f"{wording.counted(len(panels), 'panel')} of accuracy in per cent against training images, with up to "
            f"{wording.counted(len(groups), 'line')}, the stronger the larger the batch."
        ),
        caption="Training accuracy is measured while training. " + plot.bars_note(cells, *measures),
        columns=2,
        height=2.0,
    )


def _batch_size(group: Group) -> int:
    return int(str(group.settings["batch_size"]))
