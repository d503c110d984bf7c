"""Tables from typed columns, and cells made from findings. Every cell says its n and names its runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from scalestudy.report import view, wording
from scalestudy.report.view import Cell, Row, Table

Item = TypeVar("Item")


@dataclass(frozen=True)
class Column(Generic[Item]):
    """A column of a table: its head, and how an item becomes its cell.

    A cell given as text is plain, one given as a number a count, None a dash. `numeric` aligns to the right, `group`
    is a head above several columns, and an `optional` column without a value in any row is left out.
    """

    head: str
    cell: Callable[[Item], Cell | str | int | None]
    numeric: bool = False
    group: str = ""
    optional: bool = False

    def of(self, item: Item) -> Cell:
        """Return the item's cell."""
        found = self.cell(item)
        if isinstance(found, Cell):
            return found
        return number(found) if isinstance(found, int) else plain(found)


def tabulated(
    identity: str,
    title: str,
    columns: Sequence[Column[Item]],
    items: Iterable[Item],
    *,
    row_heads: int = 1,
    note: str = "",
    sortable: bool = False,
    folded: bool = False,
) -> list[Table]:
    """Return a table with a row per item, the first `row_heads` columns being row headers; nothing without items.

    Its number follows from its place on the page (`layout.numbered`).
    """
    lines = [(item, [column.of(item) for column in columns]) for item in items]
    empty = Cell(wording.MISSING)
    kept = [
        place
        for place, column in enumerate(columns)
        if not column.optional or any(cells[place] != empty for _, cells in lines)
    ]
    if not lines:
        return []
    heads = tuple(
        view.Column(columns[place].head, columns[place].numeric, columns[place].group) for place in kept
    )
    rows = tuple(Row(tuple(cells[place] for place in kept)) for _, cells in lines)
    return [Table(identity, 0, title, heads, rows, row_heads, note, sortable, folded)]


def short_names(runs: Sequence[str]) -> dict[str, str]:
    """Return a short name for each run: the tail of its name, or the whole names where two tails are alike."""
    tails = {run: run.rpartition("-")[2] for run in runs}
    return tails if len(set(tails.values())) == len(tails) else {run: run for run in runs}


def fraction(name: str, words: str = "") -> Cell:
    """Return a cell with a fraction of the training set, which sorts by its value; `words` stand for its name."""
    return Cell(words or wording.fraction(name), value=float(Fraction(name)))


def plain(value: object, *, code: bool = False) -> Cell:
    """Return a cell of plain text."""
    return Cell(wording.MISSING if value is None else str(value), code=code)


def number(value: float | None, runs: Sequence[str] = (), measure: str = "") -> Cell:
    """Return a cell with a count; `measure` is the column of results.csv that holds it."""
    return Cell(wording.count(value), "", tuple(runs), measure if runs else "", value)
