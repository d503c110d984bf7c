"""Tables from typed columns, and cells made from findings. Every cell says its n and names its runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic, TypeVar

from scalestudy.report import view, wording
from scalestudy.report.view import Cell, Row, Table

Json = dict[str, Any]
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
    heads = [view.Column(columns[place].head, columns[place].numeric, columns[place].group) for place in kept]
    rows = [[cells[place] for place in kept] for _, cells in lines]
    return [table(identity, 0, title, heads, rows, row_heads, note, sortable, folded)]


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


def gone(cell: Json) -> Cell:
    """Return the cell that stands where the number of runs without a result would be: state and reason."""
    left_out = cell["left_out"]
    states = list(dict.fromkeys(each["state"] for each in left_out)) or ["missing"]
    reasons = list(dict.fromkeys(each["reason"] for each in left_out if each["reason"]))
    runs = tuple(each["run"] for each in left_out) or tuple(cell["planned_runs"])
    return Cell(wording.listing(states), "; ".join(reasons), runs, tone="gone")


def stat(cell: Json | None, measure: str, *, bounds: bool = True, digits: int = 1) -> Cell:
    """Return a cell with a measure that is a proportion, in per cent, with n and its interval."""
    if cell is None:
        return Cell(wording.MISSING, "not planned")
    found = cell[measure]
    if not found or found["value"] is None:
        return gone(cell) if not cell["n"] else Cell(wording.MISSING, "not recorded", tuple(cell["runs"]))
    small = count_of(found)
    if bounds and found["low"] is not None:
        small = f"{wording.bare_percent_range(found['low'], found['high'], digits)}; {small}"
    return Cell(
        wording.bare_percent(found["value"], digits), small, tuple(found["runs"]), measure, found["value"]
    )


def quantity(cell: Json | None, measure: str, words: str) -> Cell:
    """Return a cell with a measure that is no proportion (seconds, megabytes), written as `words`, with n."""
    if cell is None:
        return Cell(wording.MISSING, "not planned")
    found = cell[measure]
    if not found or found["value"] is None:
        return gone(cell) if not cell["n"] else Cell(wording.MISSING, "not recorded", tuple(cell["runs"]))
    return Cell(words, count_of(found), tuple(found["runs"]), measure, found["value"])


def count_of(found: Json) -> str:
    """Return `n = 3`, or `n = 2 of 3` where runs are missing."""
    return wording.runs_counted(found["n"], found["planned"])


def difference(found: Json | None) -> Cell:
    """Return a cell with a difference in points, its interval and n; the verdict decides the tone."""
    if found is None:
        return Cell(wording.MISSING, "not compared")
    runs = tuple(found["runs"])
    if found["value"] is None:
        return Cell(wording.MISSING, found["verdict"], runs)
    small = f"n = {found['n']}"
    if found["low"] is not None:
        small = f"{wording.bare_point_range(found['low'], found['high'])}; {small}"
    return Cell(wording.bare_points(found["value"]), small, runs, "difference", found["value"])


def verdict(found: Json | None, methods: Sequence[str]) -> Cell:
    """Return a cell with the verdict in words and its p value; how it was reached where the table mixes `methods`."""
    if found is None:
        return Cell("not compared")
    tone = {"higher": "good", "lower": "bad"}.get(found["verdict"], "")
    sign = {"higher": "▲ ", "lower": "▼ "}.get(found["verdict"], "")
    small = [found["method_text"]] if len(methods) > 1 else []
    if found["p_holm"] is not None:
        small.append(wording.p_value(found["p_holm"]))
    return Cell(sign + found["verdict"], ", ".join(small), tuple(found["runs"]), tone=tone)


def methods_of(differences: Iterable[Json | None]) -> list[str]:
    """Return how the differences were tested, each method once."""
    return list(
        dict.fromkeys(each["method_text"] for each in differences if each and each["method"] != "none")
    )


def difference_note(methods: Sequence[str], family: int) -> str:
    """Return the sentence below a table of differences in test accuracy."""
    tested = f" ({methods[0]})" if len(methods) == 1 else ""
    words = f"Differences in test accuracy with 95 % intervals{tested}."
    if family > 1:
        words += f" p values are corrected for the {family} comparisons of this table (Holm)."
    return words


def heads(*columns: view.Column | str) -> list[view.Column]:
    """Return the heads of columns; one given as text is not numeric."""
    return [column if isinstance(column, view.Column) else view.Column(column) for column in columns]


def numeric(*names: str, group: str = "") -> list[view.Column]:
    """Return the heads of numeric columns, below a common head where `group` is given."""
    return [view.Column(name, numeric=True, group=group) for name in names]


def table(
    identity: str,
    place: int,
    title: str,
    columns: Iterable[view.Column],
    rows: Iterable[Sequence[Cell]],
    row_heads: int = 1,
    note: str = "",
    sortable: bool = False,
    folded: bool = False,
) -> Table:
    """Return a table."""
    lines = tuple(Row(tuple(cells)) for cells in rows)
    return Table(identity, place, title, tuple(columns), lines, row_heads, note, sortable, folded)
