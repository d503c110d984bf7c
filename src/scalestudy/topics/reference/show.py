"""The section on reported numbers."""

from scalestudy.findings.model import Cell
from scalestudy.report import layout, view, wording
from scalestudy.report.tables import Column
from scalestudy.topics import tables
from scalestudy.topics.page import Page
from scalestudy.topics.reference import say
from scalestudy.topics.reference.find import MEASURE, Reported, Reports, Standing
from scalestudy.topics.words import TOO_FEW

TITLE = "Compared with reported numbers"
NOTE = (
    "A reported number counts as one more run with this study's spread, its own being unknown: is it further away than "
    "runs of one setting lie apart here?"
)
HOLM = "The p values are corrected (Holm) over all rows."
VERDICTS = {
    Standing.ABOVE: "▲ above",
    Standing.BELOW: "▼ below",
    Standing.WITHIN: "not distinguishable",
    Standing.UNDECIDED: "one run",
    Standing.NO_RESULT: "no result",
    Standing.NOT_PLANNED: "not part of this study",
}
TONES = {
    Standing.ABOVE: "good",
    Standing.BELOW: "bad",
    Standing.UNDECIDED: "untested",
    Standing.NO_RESULT: "gone",
}


def show(page: Page) -> view.Section | None:
    """Return the section; None without reported numbers."""
    found = page.findings.reference
    if found.missing is not None:
        return None
    points = [page.statement(each) for each in say.say(page.findings).points]
    made = [
        block
        for number, table in enumerate(found.tables)
        for block in _table(page, table, "reference" if not number else f"reference-{number + 1}")
    ]
    return layout.section(
        "reference", TITLE, lead=points[0], figures=page.figure("reference"), tables=made, points=points[1:]
    )


def _table(page: Page, table: Reports, name: str) -> list[view.Block]:
    def ours(row: Reported) -> Cell | None:
        return None if row.cell is None else page.grid.cells[row.cell]

    def runs(row: Reported) -> tuple[str, ...]:
        cell = ours(row)
        stat = None if cell is None else cell.stat(MEASURE)
        return () if stat is None else stat.runs

    def difference(row: Reported) -> view.Cell:
        bounds = "" if row.test is None else wording.bare_point_range(row.test.low, row.test.high)
        text, tone = wording.bare_points(row.difference), "" if row.test else "untested"
        return view.Cell(text, bounds, runs(row), "", row.difference, tone)

    def verdict(row: Reported) -> view.Cell:
        p = "" if row.test is None else wording.p_value(row.test.p_holm)
        return view.Cell(VERDICTS[row.standing], p, runs(row), tone=TONES.get(row.standing, ""))

    columns: list[Column[Reported]] = [
        Column("Our setting", lambda row: say.label(page.names, row)),
        Column("Ours, %", lambda row: tables.share(ours(row), MEASURE), numeric=True),
        Column(
            "Theirs, %",
            lambda row: view.Cell(wording.bare_percent(row.theirs), value=row.theirs),
            numeric=True,
        ),
        Column("Difference, points", difference, numeric=True),
        Column("Verdict", verdict),
    ]
    tested = any(row.test is not None for row in table.rows)
    several = [HOLM] if tested and len(page.findings.reference.rows) > 1 else []
    source = [f"Source: {table.source}."] if table.source else []
    note = " ".join([NOTE if tested else TOO_FEW, *several, *source])
    return page.table(name, table.title or "Reported numbers", columns, table.rows, note=note, sortable=True)
