"""The section on reported numbers."""

from scalestudy.report import layout, view, wording
from scalestudy.report.tables import heads, numeric, plain
from scalestudy.topics import tables
from scalestudy.topics.page import Page
from scalestudy.topics.reference import say
from scalestudy.topics.reference.find import MEASURE, Reported, Reports, Standing

TITLE = "Compared with reported numbers"
NOTE = (
    "A reported number counts as one more run: is it further away than runs of one setting lie apart here? p values "
    "are corrected (Holm) over all rows."
)
ONE_RUN = "One run of each setting and no spread over seeds: the differences decide nothing."
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
    lines = [_line(page, row) for row in table.rows]
    columns = heads("Setting", *numeric("Ours, %", "Theirs, %", "Difference, points"), "Verdict")
    tested = any(row.test is not None for row in table.rows)
    note = " ".join([NOTE if tested else ONE_RUN, *([f"Source: {table.source}."] if table.source else [])])
    return page.table(name, table.title or "Reported numbers", columns, lines, note=note, sortable=True)


def _line(page: Page, row: Reported) -> tuple[view.Cell, ...]:
    cell = None if row.cell is None else page.grid.cells[row.cell]
    stat = None if cell is None else cell.stat(MEASURE)
    runs = () if stat is None else stat.runs
    bounds = "" if row.test is None else wording.bare_point_range(row.test.low, row.test.high)
    p = "" if row.test is None else wording.p_value(row.test.p_holm)
    tone = "" if row.test else "untested"
    return (
        plain(say.label(page.names, row)),
        tables.share(cell, MEASURE),
        view.Cell(wording.bare_percent(row.theirs), value=row.theirs),
        view.Cell(wording.bare_points(row.difference), bounds, runs, "", row.difference, tone),
        view.Cell(VERDICTS[row.standing], p, runs, tone=TONES.get(row.standing, "")),
    )
