"""Cells and tables made from findings. Every cell says its n and names its runs."""

from collections.abc import Iterable, Sequence
from typing import Any

from scalestudy.report import wording
from scalestudy.report.view import Cell, Column, Row, Table

Json = dict[str, Any]


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


def heads(*columns: Column | str) -> list[Column]:
    """Return the heads of columns; one given as text is not numeric."""
    return [column if isinstance(column, Column) else Column(column) for column in columns]


def numeric(*names: str, group: str = "") -> list[Column]:
    """Return the heads of numeric columns, below a common head where `group` is given."""
    return [Column(name, numeric=True, group=group) for name in names]


def table(
    identity: str,
    place: int,
    title: str,
    columns: Iterable[Column],
    rows: Iterable[Sequence[Cell]],
    row_heads: int = 1,
    note: str = "",
    sortable: bool = False,
    folded: bool = False,
) -> Table:
    """Return a table."""
    lines = tuple(Row(tuple(cells)) for cells in rows)
    return Table(identity, place, title, tuple(columns), lines, row_heads, note, sortable, folded)
