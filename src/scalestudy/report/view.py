"""The one view model of a report: plain frozen data that both templates, HTML and Markdown, show.

Everything is decided before: words, numbers as text, order, numbering. A template only lays out.
A report opens with one screen of answers; then come sections: a title, a lead sentence, blocks. A block is one of the
classes below, told apart by its `kind`. `layout` puts sections together and numbers figures and tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

_SHORT = 12  # letters of a cell's second line that still fit beside its number
_MOST_ROWS_TOGETHER = 16
MOST_PROBLEMS = 5  # that stand above the answers


@dataclass(frozen=True)
class Evidence:
    """Where a statement can be checked: the id of a figure or table of this report."""

    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One finished sentence with its evidence and the runs behind it."""

    text: str
    evidence: Evidence = Evidence()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paragraph:
    """Plain words, with evidence where they state a finding."""

    kind: ClassVar[str] = "paragraph"
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Statements:
    """A list of statements."""

    kind: ClassVar[str] = "statements"
    items: tuple[Statement, ...]


@dataclass(frozen=True)
class Note:
    """Something to know before reading on."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Fact:
    """A term and what it stands for here."""

    term: str
    text: str
    code: bool = False


@dataclass(frozen=True)
class Facts:
    """Terms with their facts."""

    kind: ClassVar[str] = "facts"
    items: tuple[Fact, ...]


@dataclass(frozen=True)
class Code:
    """Lines to paste into a terminal."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Column:
    """The head of a column. `numeric` aligns its cells to the right; `group` is a head above several columns."""

    text: str
    numeric: bool = False
    group: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, a small second line, and where its number comes from.

    `measure` and `value` (unrounded, or None) say which number of the runs it is, so that it can be recomputed.
    `n` is the number of runs in words (`n = 3`); a table whose cells all have the same says it once.
    `tone`: "" | gone (no result) | good | bad | untested (no test: grey).
    """

    text: str
    small: str = ""
    runs: tuple[str, ...] = ()
    measure: str = ""
    value: float | None = None
    tone: str = ""
    mark: str = ""
    code: bool = False
    n: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a table; `head` cells at its start are row headers."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table with its number and title."""

    kind: ClassVar[str] = "table"
    id: str
    number: int
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    heads: int = 1
    note: str = ""
    sortable: bool = False
    folded: bool = False

    @property
    def n(self) -> str:
        """The number of runs where it is the same for every number of the table, in words; else nothing."""
        found = {cell.n for row in self.rows for cell in row.cells if cell.n}
        return found.pop() if len(found) == 1 else ""

    def second_line(self, cell: Cell) -> str:
        """Return what stands in small type with a cell: its own words, and n where it differs between cells."""
        return "; ".join(filter(None, (cell.small, "" if self.n else cell.n)))

    @property
    def short(self) -> bool:
        """Whether it is short enough to stay on one page of paper."""
        return len(self.rows) <= _MOST_ROWS_TOGETHER

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """The heads above the columns as (text, columns spanned); empty where there are none."""
        if not any(column.group for column in self.columns):
            return ()
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return tuple(spans)

    @property
    def tight(self) -> tuple[bool, ...]:
        """For each column, whether its second lines (`n = 1`) are short enough to stand beside the numbers."""
        columns = zip(*(row.cells for row in self.rows), strict=True) if self.rows else ()
        return tuple(all(len(self.second_line(cell)) <= _SHORT for cell in column) for column in columns)

    @property
    def spans(self) -> tuple[tuple[Row, int], ...]:
        """Each row with how many rows its first head cell spans: 0 where an earlier row's cell covers it."""
        found: list[tuple[Row, int]] = []
        for place, row in enumerate(self.rows):
            same = self.heads > 1 and not self.sortable
            if same and place and row.cells[0].text == self.rows[place - 1].cells[0].text:
                found.append((row, 0))
                continue
            after = self.rows[place + 1 :] if same else ()
            covered = next(
                (n for n, each in enumerate(after) if each.cells[0].text != row.cells[0].text), len(after)
            )
            found.append((row, 1 + covered))
        return tuple(found)


@dataclass(frozen=True)
class Figure:
    """A figure with its number, its words, and its files (paths relative to the report's folder).

    `title` says what it shows, a sentence of the section what follows from it. `narrow` is the same drawing for a
    narrow screen (SVG as `svg`; empty: there is none).
    """

    kind: ClassVar[str] = "figure"
    id: str
    number: int
    title: str
    alt: str
    caption: str
    svg: str
    width: int
    png: str
    csv: str
    vector: str
    csv_inline: str
    runs: tuple[str, ...]
    narrow: str = ""


@dataclass(frozen=True)
class RunDetails:
    """One run of the list: the cells of its line, and what unfolds.

    `short` is a name that tells it from the study's other runs, `fields` what a reader may filter by.
    """

    name: str
    state: str
    cells: tuple[Cell, ...]
    settings: str
    log: str
    command: str
    machine: str
    short: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunList:
    """All runs of the study, whatever their state."""

    kind: ClassVar[str] = "runs"
    groups: ClassVar[tuple[tuple[str, int], ...]] = ()
    id: str
    number: int
    title: str
    columns: tuple[Column, ...]
    runs: tuple[RunDetails, ...]
    note: str = ""


@dataclass(frozen=True)
class Details:
    """Blocks folded under a title: open on paper, complete in Markdown."""

    kind: ClassVar[str] = "details"
    id: str
    title: str
    blocks: tuple["Block", ...]


Block = Paragraph | Statements | Note | Facts | Code | Table | Figure | RunList | Details


@dataclass(frozen=True)
class Section:
    """A section of the report. `could_add` says what it lacks and how to get it; that stands at the report's end."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    lead: Statement | None = None
    could_add: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One of the first screen's questions with its answer: a sentence of at most 25 words."""

    question: str
    statement: Statement


@dataclass(frozen=True)
class Opening:
    """The first screen: one line of facts, the answers, a line on what they rest on, the main figure."""

    facts: tuple[str, ...]
    answers: tuple[Answer, ...]
    basis: Statement | None = None
    figure: Figure | None = None


@dataclass(frozen=True)
class State:
    """How much of the study is there. `counts`: (state, number) of every state that occurs."""

    text: str
    complete: bool
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Link:
    """A file that goes with the report; `inline` is a data: link where the file is small enough, else empty."""

    text: str
    path: str
    inline: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report."""

    study: str
    title: str
    state: State
    problems: tuple[Statement, ...]
    opening: Opening
    sections: tuple[Section, ...]
    files: tuple[Link, ...]
    version: str
    targets: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def problems_shown(self) -> tuple[Statement, ...]:
        """What is said above the answers, which must not be buried: all of a few problems, else the first."""
        return self.problems if len(self.problems) <= MOST_PROBLEMS + 1 else self.problems[:MOST_PROBLEMS]

    @property
    def problems_more(self) -> int:
        """How many there are besides."""
        return len(self.problems) - len(self.problems_shown)

    def blocks(self) -> Iterator[Block]:
        """Yield every block in order, those inside details after them."""
        if self.opening.figure:
            yield self.opening.figure
        for section in self.sections:
            yield from _flat(section.blocks)

    def evidence(self, evidence: Evidence) -> tuple[tuple[str, str], ...]:
        """Return (id to link to, label), each once, for the figures and tables that this report has."""
        wanted = [f"figure-{name}" for name in evidence.figures] + [
            f"table-{name}" for name in evidence.tables
        ]
        return tuple(dict.fromkeys(self.targets[name] for name in wanted if name in self.targets))


def _flat(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Details):
            yield from _flat(block.blocks)
