"""Sections put together, and a report's figures and tables numbered in the order in which they stand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from scalestudy.report.view import (
    Block,
    Details,
    Figure,
    Report,
    RunList,
    Section,
    Statement,
    Statements,
    Table,
)

MOST_POINTS = 5
COULD_ADD = "could-add"


def section(
    identity: str,
    title: str,
    *,
    lead: Statement | None = None,
    figures: Iterable[Block] = (),
    tables: Iterable[Block] = (),
    points: Sequence[Statement] = (),
    details: Iterable[Block] = (),
    could_add: Sequence[Statement] = (),
) -> Section:
    """Return a section in the order of every section: lead, figures, tables, at most five points, folded details.

    Further points go to the details. A section without a lead, blocks or points is left out of the report; what
    could be added to it is said at the report's end all the same.
    """
    blocks = [*figures, *tables]
    if points:
        blocks.append(Statements(tuple(points[:MOST_POINTS])))
    folded = [*details]
    if len(points) > MOST_POINTS:
        folded.insert(0, Statements(tuple(points[MOST_POINTS:])))
    if folded:
        blocks.append(Details(f"{identity}-details", "Details", tuple(folded)))
    return Section(identity, title, tuple(blocks), lead, tuple(could_add))


def arranged(sections: Iterable[Section | None]) -> tuple[Section, ...]:
    """Return the sections that have something to say, and at the end one on what could be added, if anything."""
    there = [each for each in sections if each is not None]
    kept = [each for each in there if each.lead or each.blocks]
    wishes = tuple({wish.text: wish for each in there for wish in each.could_add}.values())
    if wishes:
        kept.append(Section(COULD_ADD, "What could be added", (Statements(wishes),)))
    return tuple(kept)


def numbered(report: Report) -> Report:
    """Return the report with figures and tables numbered from 1 in the order of the page, and links to them right."""
    numbers = _Numbers()
    opening = report.opening
    if opening.figure is not None:
        opening = replace(opening, figure=numbers.figure(opening.figure))
    sections = tuple(replace(each, blocks=numbers.blocks(each.blocks)) for each in report.sections)
    labels = numbers.labels
    there = {name: (place, labels[place]) for name, (place, _) in report.targets.items() if place in labels}
    targets = there | {name: (name, label) for name, label in labels.items()}
    return replace(report, opening=opening, sections=sections, targets=targets)


class _Numbers:
    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self._figures = self._tables = 0

    def blocks(self, blocks: Iterable[Block]) -> tuple[Block, ...]:
        return tuple(self._block(block) for block in blocks)

    def _block(self, block: Block) -> Block:
        if isinstance(block, Figure):
            return self.figure(block)
        if isinstance(block, (Table, RunList)):
            self._tables += 1
            self.labels[block.id] = f"Table {self._tables}"
            return replace(block, number=self._tables)
        if isinstance(block, Details):
            return replace(block, blocks=self.blocks(block.blocks))
        return block

    def figure(self, figure: Figure) -> Figure:
        self._figures += 1
        self.labels[figure.id] = f"Figure {self._figures}"
        return replace(figure, number=self._figures)
