"""The section on data against steps."""

from scalestudy.report import layout, view, wording
from scalestudy.report.tables import Column, number
from scalestudy.topics import tables
from scalestudy.topics.page import Page, step_of
from scalestudy.topics.steps import say
from scalestudy.topics.steps.find import Missing, ReadPair

TITLE = "More images, or more steps?"
NOTE = (
    "The larger subset's curve is read where the smaller one had ended: what lies between them there is due to images. "
    "What the larger one gains afterwards goes with more steps. Not read where the curve jumps by more than the "
    "difference, or where the learning rate was still high."
)


def show(page: Page) -> view.Section | None:
    """Return the section; None where the question does not arise, as all runs take equally many steps."""
    found, said = page.findings.steps, say.say(page.findings)
    if found.missing is Missing.EQUAL_ALREADY and not said.points:
        return None
    if found.missing is not None and not said.points:
        return layout.section("steps", TITLE, could_add=[view.Statement(say.MISSING[found.missing])])
    lead, *points = said.points
    return layout.section(
        "steps",
        TITLE,
        lead=page.statement(lead),
        figures=page.figure("equal_steps"),
        points=[page.statement(each) for each in points],
        details=_pairs(page),
    )


def _pairs(page: Page) -> list[view.Block]:
    grid = page.grid

    def at(pair: ReadPair) -> view.Cell:
        if pair.at is None:
            words = say.NOT_READ[pair.not_read] if pair.not_read else ""
            return view.Cell(wording.MISSING, words)
        runs = grid.cells[pair.large].runs
        return view.Cell(wording.bare_percent(pair.at), "", runs, f"test_accuracy@{pair.step}", pair.at)

    def small(pair: ReadPair) -> view.Cell:
        return tables.share(grid.cells[pair.small], "test_accuracy", bounds=False)

    def large(pair: ReadPair) -> view.Cell:
        return tables.share(grid.cells[pair.large], "test_accuracy", bounds=False)

    columns: list[Column[ReadPair]] = [
        Column("Series", lambda pair: page.names.series(pair.model, pair.init)),
        Column(
            "Data",
            lambda pair: step_of(page, pair.small, pair.large),
        ),
        Column(
            "At step",
            lambda pair: number(pair.step, grid.cells[pair.small].runs, "optimizer_steps"),
            numeric=True,
        ),
        Column("Smaller subset, %", small, numeric=True),
        Column("Larger subset there, %", at, numeric=True),
        Column("Larger subset at its end, %", large, numeric=True),
    ]
    found = page.findings.steps.pairs
    return page.table("equal_steps", "Images and steps told apart", columns, found, row_heads=2, note=NOTE)
