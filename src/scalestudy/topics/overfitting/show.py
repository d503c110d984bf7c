"""The section on training against test."""

from scalestudy.report import layout, view, wording
from scalestudy.report.tables import Column
from scalestudy.topics import tables
from scalestudy.topics.overfitting import say
from scalestudy.topics.overfitting.find import Course, Ended
from scalestudy.topics.page import Page

TITLE = "Training against test"
COURSES = {
    Course.IMPROVING: "still improving",
    Course.FALLING: "falling",
    Course.UNDECIDED: "undecided",
    Course.UNSTABLE: "unstable",
    Course.SETTLED: "settled",
    Course.UNKNOWN: "not known",
}
TRAINING = "Training accuracy is that on the run's own images in evaluation mode."
COURSE = (
    "Still improving, falling: the last epoch raised, or lowered, test accuracy beyond the run-to-run spread. "
    "Undecided: the change lies within. Unstable: in some run test accuracy fell and rose between epochs, beyond "
    "test noise."
)


def show(page: Page) -> view.Section | None:
    """Return the section; what is missing where no run is complete."""
    found, said = page.findings.overfitting, say.say(page.findings)
    if found.missing is not None or not said.points:
        return None
    lead, *points = said.points
    return layout.section(
        "overfitting",
        TITLE,
        lead=page.statement(lead),
        figures=[*page.figure("gap_by_size"), *page.figure("learning_curves")],
        points=[page.statement(each) for each in points],
        details=_ended(page),
    )


def _ended(page: Page) -> list[view.Block]:
    cells = page.grid.cells

    def change(each: Ended) -> view.Cell:
        if each.change is None:
            return view.Cell(wording.MISSING)
        return view.Cell(
            wording.bare_points(each.change.value),
            "",
            cells[each.cell].runs,
            "last_change",
            each.change.value,
        )

    columns: list[Column[Ended]] = [
        Column("Setting", lambda each: page.names.cell(cells[each.cell], page.grid)),
        Column(
            "Training, %",
            lambda each: tables.share(cells[each.cell], "train_eval_accuracy", bounds=False),
            numeric=True,
        ),
        Column(
            "Test, %",
            lambda each: tables.share(cells[each.cell], "test_accuracy", bounds=False),
            numeric=True,
        ),
        Column("Gap, points", lambda each: tables.share(cells[each.cell], "gap"), numeric=True),
    ]
    found = page.findings.overfitting.ended
    title, note = "Gap of each setting", TRAINING
    if any(each.course is not Course.UNKNOWN for each in found):
        columns += [
            Column("Last epoch, points", change, numeric=True),
            Column("Course", lambda each: COURSES[each.course]),
        ]
        title, note = "Gap and course of each setting", f"{TRAINING} {COURSE}"
    return page.table("overfitting", title, columns, found, note=note, sortable=True, folded=len(found) > 12)
