"""The section on training-set size."""

from collections.abc import Callable
from itertools import pairwise

from scalestudy.findings.model import Cell, Measure, Spread
from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES
from scalestudy.report.tables import Column, number
from scalestudy.topics import tables
from scalestudy.topics.data_size import say
from scalestudy.topics.data_size.find import Fit, Scaling, Step
from scalestudy.topics.page import Page, step_of

TITLE = "More training images"
TITLE_OF_ONE_SIZE = "Accuracy"
SLOPES_NOTE = (
    "A local slope is the change of log error per change of log images between two neighbouring sizes. At −0.2 the "
    "error falls by 13 % with each doubling (Hestness et al. 2017)."
)
SPREAD_NOTE = (
    "Standard deviation of the result from run to run, pooled within the settings of a training-set size (df: degrees "
    "of freedom). A verdict takes it, or a setting's own where that is larger. Alike: Brown and Forsythe's test of "
    "equal spreads, which notices little with few runs."
)
FIT_NOTE = (
    "error = a n^-b + c for n training images; after each value, 95 % bootstrap intervals. df: residual degrees of "
    "freedom; with one or two, the fit proves little. Data reliance: by how much the error would change with the "
    "number of images there (Hoiem et al. 2021). Last doubling: the fall of the fitted error over the last doubling."
)


def show(page: Page) -> view.Section | None:
    """Return the section; the main table stands in it even where there is one training-set size."""
    said = say.say(page.findings)
    missing = page.findings.data_size.missing
    lead, *_ = said.lead or (None,)
    return layout.section(
        "data-size",
        TITLE if len(page.grid.fractions) > 1 else TITLE_OF_ONE_SIZE,
        lead=None if lead is None else page.statement(lead),
        figures=page.figure("accuracy_by_size"),
        tables=[*_comparison(page), *_steps(page)],
        points=[page.statement(each) for each in said.points],
        details=[
            *_spreads(page),
            *page.figure("error_scaling"),
            *_slopes(page),
            *_fits(page),
            *page.points(said.details),
        ],
        could_add=[] if missing is None else [view.Statement(say.MISSING[missing])],
    )


def _comparison(page: Page) -> list[view.Block]:
    """Return the main table: a line for each series, the result and the training accuracy of each fraction."""
    grid = page.grid
    series = [
        (each, {grid.cells[name].fraction: grid.cells[name] for name in each.cells}) for each in grid.series()
    ]
    fractions = [f for f in grid.fractions if any(f in cells for _, cells in series)]
    line = tuple[object, dict[str, Cell]]

    def measure(fraction: str, which: Measure | None, group: str) -> Column[line]:
        return Column(
            wording.fraction(fraction),
            lambda row: tables.share(row[1].get(fraction), which),
            numeric=True,
            group=group,
        )

    names = {(each.model, each.init): each for each, _ in series}
    rows: list[line] = [(key, cells) for key, (_, cells) in zip(names, series, strict=True)]
    columns: list[Column[line]] = [
        Column("Model", lambda row: page.names.model(next(iter(row[1].values())).model)),
        Column("Initial weights", lambda row: page.names.title(next(iter(row[1].values())).init)),
        *(measure(f, None, wording.capitalised(f"{MEASURES[grid.primary]}, %")) for f in fractions),
        *(measure(f, "train_eval_accuracy", "Training accuracy, %") for f in fractions),
    ]
    cells = [cell for _, own in series for cell in own.values()]
    note = tables.intervals(cells, grid.primary, "train_eval_accuracy")
    return page.table("comparison", "Accuracy after the last epoch", columns, rows, row_heads=2, note=note)


def _steps(page: Page) -> list[view.Block]:
    grid, found = page.grid, page.findings.data_size.steps
    compared = {each: grid.difference(each.small, each.large) for each in found}
    columns: list[Column[Step]] = [
        Column("Series", lambda step: page.names.series(step.model, step.init)),
        Column(
            "Data",
            lambda step: step_of(page, step.small, step.large),
        ),
        Column("Images", lambda step: None if step.ratio is None else f"{step.ratio:.2g} ×", numeric=True),
        Column(
            "Steps",
            lambda step: _times(grid.cells[step.small], grid.cells[step.large]),
            numeric=True,
        ),
        Column("Difference, points", lambda step: tables.difference(compared[step]), numeric=True),
        Column("Verdict", lambda step: tables.verdict(compared[step])),
    ]
    title = "Each step to more images"
    note = page.basis(title, compared.values())
    return page.table("data_size", title, columns, found, row_heads=2, note=note, sortable=True)


def _spreads(page: Page) -> list[view.Block]:
    """Return the table of what verdicts rest on: how far runs of one setting lie apart."""

    def runs(own: Spread) -> tuple[str, ...]:
        cells = [cell for cell in page.grid.cells.values() if cell.fraction == own.fraction and cell.result]
        return tuple(run for cell in cells if len(cell.runs) > 1 for run in cell.runs)

    def points(title: str, of: Callable[[Spread], float]) -> Column[Spread]:
        def cell(own: Spread) -> view.Cell:
            value = 100 * of(own)
            # 0.04 points are little, and not none.
            return view.Cell(wording.decimal(value, 1 if value >= 0.1 else 2), runs=runs(own), value=of(own))

        return Column(f"{title}, points", cell, numeric=True)

    columns: list[Column[Spread]] = [
        Column("Data", lambda own: wording.fraction(own.fraction)),
        points("Spread", lambda own: own.sd),
        Column("df", lambda own: number(own.df, runs(own)), numeric=True),
        Column("Settings", lambda own: number(own.cells, runs(own)), numeric=True),
        points("Smallest", lambda own: own.smallest),
        points("Largest", lambda own: own.largest),
        Column("Alike", lambda own: None if own.p_alike is None else wording.p_value(own.p_alike)),
    ]
    found = page.grid.spreads
    rows = [found[fraction] for fraction in page.grid.fractions if fraction in found]
    return page.table("spread", "How far runs of one setting lie apart", columns, rows, note=SPREAD_NOTE)


def _times(small: Cell, large: Cell) -> view.Cell:
    if not small.steps or not large.steps:
        return view.Cell(wording.MISSING)
    return view.Cell(f"{large.steps / small.steps:.2g} ×", runs=(*small.runs, *large.runs))


def _slopes(page: Page) -> list[view.Block]:
    grid = page.grid
    rows = [
        (each, grid.cells[a], grid.cells[b], slope)
        for each in page.findings.data_size.scaling
        for (a, b), slope in zip(pairwise(each.cells), each.slopes, strict=True)
        if slope is not None
    ]
    row = tuple[Scaling, Cell, Cell, float]
    columns: list[Column[row]] = [
        Column("Series", lambda own: page.names.series(own[0].model, own[0].init)),
        Column(
            "Data", lambda own: f"{wording.fraction(own[1].fraction)} → {wording.fraction(own[2].fraction)}"
        ),
        Column(
            "Local slope",
            lambda own: view.Cell(
                wording.decimal(own[3], 2), "", (*own[1].runs, *own[2].runs), "slope", own[3]
            ),
            numeric=True,
        ),
        Column(
            "Error per doubling",
            lambda own: f"{wording.signed(100 * (2 ** own[3] - 1), 0)} %",
            numeric=True,
        ),
    ]
    note = " ".join([SLOPES_NOTE, *say.unfitted(page.findings)])
    return page.table("scaling", "How the error falls with images", columns, rows, row_heads=2, note=note)


def _fits(page: Page) -> list[view.Block]:
    rows = [(each, each.fit) for each in page.findings.data_size.scaling if each.fit is not None]
    row = tuple[Scaling, Fit]

    def parameter(name: str) -> Column[row]:
        def cell(own: row) -> view.Cell:
            found = getattr(own[1], name)
            runs = tuple(run for each in own[0].cells for run in page.grid.cells[each].runs)
            return view.Cell(
                f"{found.value:.3g}", f"{found.low:.3g} to {found.high:.3g}", runs, f"fit_{name}", found.value
            )

        return Column(name, cell, numeric=True)

    columns: list[Column[row]] = [
        Column("Series", lambda own: page.names.series(own[0].model, own[0].init)),
        parameter("a"),
        parameter("b"),
        parameter("c"),
        Column(
            "RMSE, points",
            lambda own: view.Cell(f"{100 * own[1].rmse:.2f}", f"df = {own[1].df}", value=own[1].rmse),
            numeric=True,
        ),
        Column("Data reliance, points", lambda own: wording.bare_points(own[1].reliance), numeric=True),
        Column("Last doubling, points", lambda own: wording.bare_points(own[1].last_doubling), numeric=True),
    ]
    return page.table("scaling_fit", "Power laws with a floor", columns, rows, note=FIT_NOTE)
