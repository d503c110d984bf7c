"""The section on model size."""

from scalestudy.report import layout, view
from scalestudy.report.tables import Column, fraction
from scalestudy.topics import tables
from scalestudy.topics.model_size import say
from scalestudy.topics.model_size.find import Against
from scalestudy.topics.page import Page

TITLE = "A larger model"
NOTE = "Same initial weights and images, another model. "


def show(page: Page) -> view.Section | None:
    """Return the section; None where the study has one model."""
    found = page.findings.model_size
    if found.missing is not None:
        return layout.section("model-size", TITLE, could_add=[view.Statement(say.MISSING[found.missing])])
    said = say.say(page.findings)
    lead, *others = said.lead
    return layout.section(
        "model-size",
        TITLE,
        lead=page.statement(lead),
        figures=page.figure("model_size"),
        tables=_pairs(page),
        points=[page.statement(each) for each in (*others, *said.points)],
    )


def _pairs(page: Page) -> list[view.Block]:
    grid, found = page.grid, page.findings.model_size.pairs
    compared = {each: grid.difference(each.small, each.large) for each in found}
    columns: list[Column[Against]] = [
        Column("Larger model", lambda pair: page.names.model(grid.cells[pair.large].model)),
        Column("Initial weights", lambda pair: page.names.title(pair.init)),
        Column("Data", lambda pair: fraction(pair.fraction)),
        Column(
            f"{page.names.model(grid.models[0])}, %",
            lambda pair: tables.share(grid.cells[pair.small], bounds=False),
            numeric=True,
        ),
        Column(
            "Larger model, %", lambda pair: tables.share(grid.cells[pair.large], bounds=False), numeric=True
        ),
        Column("Difference, points", lambda pair: tables.difference(compared[pair]), numeric=True),
        Column("Verdict", lambda pair: tables.verdict(compared[pair])),
    ]
    title = "The larger model against the smallest"
    note = NOTE + page.basis(title, compared.values())
    return page.table("model_size", title, columns, found, row_heads=3, note=note, sortable=True)
