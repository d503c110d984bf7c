"""The page in the making: topics ask it for figures, tables and statements, which it numbers in their order."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from scalestudy.findings.model import Difference
from scalestudy.report import markup, svg, view, wording
from scalestudy.report.tables import Column, Item, tabulated
from scalestudy.topics.base import Sentence
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.words import basis

MOST_INLINE = 120_000  # bytes of a CSV that still goes into the page itself
PIXELS_PER_POINT = 860 / 619.2  # a full-width figure is shown at 860 CSS pixels


class Page:
    """One report in the making, of the study in `inputs`, with the figures that lie drawn in `folder`."""

    def __init__(self, inputs: Inputs, folder: Path) -> None:
        self.inputs = inputs
        self.findings = inputs.findings
        self.grid = inputs.findings.grid
        self.names = inputs.names
        self.targets: dict[str, tuple[str, str]] = {}
        self._folder = folder
        self._basis: dict[str, str] = {}

    def named(self, kind: Literal["figure", "table"], name: str) -> str:
        """Return the anchor of a figure or table and remember it, for links to it.

        Its number follows from its place on the page (`layout.numbered`).
        """
        anchor = markup.anchor(f"{kind}-{name}")
        self.targets[f"{kind}-{name}"] = (anchor, "")
        return anchor

    def figure(self, name: str) -> list[view.Block]:
        """Return the figure, ready for the page; nothing where the study has none, or it has nothing to show."""
        path = self._folder / f"{name}.svg"
        if not path.is_file():
            return []
        drawing = path.read_text(encoding="utf-8")
        narrow = self._folder / f"{name}.narrow.svg"
        small = narrow.read_text(encoding="utf-8") if narrow.is_file() else ""
        said = svg.describe(drawing)
        if said.missing:
            return []
        return [
            view.Figure(
                id=self.named("figure", name),
                number=0,
                title=said.title,
                alt=said.alt,
                caption=said.caption,
                svg=svg.inline(drawing, f"fig-{name}"),
                width=round(svg.view_width(drawing) * PIXELS_PER_POINT),
                png=f"figures/{name}.png",
                csv=f"figures/{name}.csv",
                vector=f"figures/{name}.svg",
                csv_inline=data_link(self._folder / f"{name}.csv", "text/csv"),
                runs=said.runs,
                narrow=svg.inline(small, f"fig-{name}-narrow") if small else "",
            )
        ]

    def table(
        self,
        name: str,
        title: str,
        columns: Sequence[Column[Item]],
        items: Iterable[Item],
        *,
        row_heads: int = 1,
        note: str = "",
        sortable: bool = False,
        folded: bool = False,
    ) -> list[view.Block]:
        """Return a numbered table with a row per item, or nothing without one; `columns` make the cells."""
        made = tabulated(
            self.named("table", name),
            title,
            columns,
            items,
            row_heads=row_heads,
            note=note,
            sortable=sortable,
            folded=folded,
        )
        return [*made]

    def basis(self, title: str, found: Iterable[Difference | None]) -> str:
        """Return how the verdicts of the table `title` were reached; said before, only in which table."""
        verdicts = [each.verdict for each in found if each is not None]
        if not verdicts:
            return ""
        note = basis(verdicts)
        first = self._basis.setdefault(note, title)
        return note if first == title else f"Verdicts as in “{first}”."

    def statement(self, sentence: Sentence) -> view.Statement:
        """Return a sentence with its evidence: figures and tables of this report, and the runs behind it."""
        evidence = view.Evidence(sentence.figures, sentence.tables)
        return view.Statement(sentence.text, evidence, self.grid.runs(sentence.evidence))

    def paragraph(self, sentences: Sequence[Sentence]) -> list[view.Block]:
        """Return sentences as one paragraph, or nothing."""
        return [view.Paragraph(tuple(map(self.statement, sentences)))] if sentences else []

    def points(self, sentences: Sequence[Sentence]) -> list[view.Block]:
        """Return sentences as a list of short points, or nothing."""
        return [view.Statements(tuple(map(self.statement, sentences)))] if sentences else []


def step_of(page: Page, small: str, large: str) -> str:
    """Return the step from one cell's data to another's: `1/16 → 1/2`."""
    return " → ".join(wording.fraction(page.grid.cells[name].fraction) for name in (small, large))


def data_link(path: Path, kind: str) -> str:
    """Return a small file as a data: link, or nothing where it is large or not there."""
    if not path.is_file() or path.stat().st_size > MOST_INLINE:
        return ""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
