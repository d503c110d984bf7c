"""The section on limits."""

from scalestudy.report import layout, view
from scalestudy.topics.limits import say
from scalestudy.topics.page import Page
from scalestudy.topics.setup import say as setup

TITLE = "Limits"


def show(page: Page) -> view.Section | None:
    """Return the limits, with the warnings that belong to them."""
    points = [
        page.statement(each) for each in (*say.say(page.findings).points, *setup.say(page.findings).points)
    ]
    blocks: list[view.Block] = [view.Statements(tuple(points))] if points else []
    return layout.section("limits", TITLE, tables=blocks)
