"""Discussion 1, one paragraph: the sections after it have its evidence."""

from scalestudy.report import layout, view
from scalestudy.topics.expectation import say
from scalestudy.topics.page import Page

TITLE = "Discussion 1: accuracy, model size and data size"


def show(page: Page) -> view.Section | None:
    """Return the section; None where neither sizes nor models are compared."""
    said = say.say(page.findings)
    if not said.points:
        return None
    lead, *reasons = said.points
    return layout.section(
        "discussion-size", TITLE, lead=page.statement(lead), figures=page.paragraph(reasons)
    )
