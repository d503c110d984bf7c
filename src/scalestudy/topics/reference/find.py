"""Comparison with numbers that somebody else reported. Only variation over this study's seeds decides."""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any

from scalestudy.findings.cells import SEEDS, means_of
from scalestudy.findings.compare import corrected
from scalestudy.findings.model import Cell, Grid, Measure, Record, Scalar, Test
from scalestudy.findings.study import Study
from scalestudy.stats.estimate import ALPHA, Estimate, Mean, contrast

MEASURE: Measure = "test_accuracy"


class Missing(StrEnum):
    """Why there is nothing to find."""

    NO_NUMBERS = "no_numbers"


class Standing(StrEnum):
    """How this study stands against a reported number.

    WITHIN: as far as runs of one setting lie apart. UNDECIDED: no spread over seeds is known here. NO_RESULT: planned,
    without a complete run. NOT_PLANNED: no setting of this study is meant.
    """

    ABOVE = "above"
    BELOW = "below"
    WITHIN = "within"
    UNDECIDED = "undecided"
    NO_RESULT = "no_result"
    NOT_PLANNED = "not_planned"

    @property
    def compared(self) -> bool:
        """Whether there is a difference."""
        return self not in (Standing.NO_RESULT, Standing.NOT_PLANNED)


class Reported(Record):
    """A reported number with its settings, and this study's cell beside it: `difference` is ours minus theirs."""

    settings: dict[str, Scalar]
    theirs: float
    cell: str | None
    difference: float | None
    standing: Standing
    test: Test | None


class Reports(Record):
    """The numbers of one source, by its own words."""

    title: str
    source: str
    rows: tuple[Reported, ...]


class Reference(Record):
    """All that was found about reported numbers."""

    missing: Missing | None
    tables: tuple[Reports, ...] = ()

    @property
    def rows(self) -> list[Reported]:
        """The rows of all tables."""
        return [row for table in self.tables for row in table.rows]

    @property
    def highest(self) -> float | None:
        """The highest reported number."""
        return max((row.theirs for row in self.rows), default=None)


def find(study: Study) -> Reference:
    """Return each reported number beside this study's.

    A reported number counts as one run with this study's spread, so that the test asks whether a further run here would
    come out so far away (Hahn and Meeker 1991, Statistical intervals, section 4.7, with the spread of `stats.spread`);
    p values are corrected (Holm) over all rows.
    """
    tables = study.record.get("references") or ()
    if not any(table["rows"] for table in tables):
        return Reference(missing=Missing.NO_NUMBERS)
    values = study.values(MEASURE)
    means = means_of(study.grid, values)
    wanted = [(row, find_cell(row, study.grid)) for table in tables for row in table["rows"]]
    tests = iter(corrected([_estimate(cell, float(row[MEASURE]), means) for row, cell in wanted]))
    rows = iter([_row(row, cell, next(tests)) for row, cell in wanted])
    return Reference(
        missing=None,
        tables=tuple(
            Reports(
                title=str(table.get("title") or ""),
                source=str(table.get("source") or ""),
                rows=tuple(next(rows) for _ in table["rows"]),
            )
            for table in tables
        ),
    )


def find_cell(row: Mapping[str, Any], grid: Grid) -> Cell | None:
    """Return the cell that a row of reported numbers means: the first that has all its settings.

    Settings that the row does not name should be the base recipe's, so cells that differ least from it go first.
    """
    wanted = _settings(row)
    found = [
        cell
        for cell in grid.cells.values()
        if all(_equal(cell.settings.get(key), value) for key, value in wanted.items() if key not in SEEDS)
    ]
    return min(
        found, key=lambda cell: sum(key not in wanted for key in grid.group(cell.group).differs), default=None
    )


def _settings(row: Mapping[str, Any]) -> dict[str, Scalar]:
    return {key: value for key, value in row.items() if key != MEASURE}


def _equal(own: Scalar, wanted: Scalar) -> bool:
    """Return whether a setting is the wanted one: fractions and numbers by value."""
    if own == wanted:
        return True
    try:
        return Fraction(str(own)) == Fraction(str(wanted))
    except (ValueError, ZeroDivisionError):
        return False


def _estimate(cell: Cell | None, theirs: float, means: Mapping[str, Mean]) -> Estimate | None:
    own = None if cell is None else means.get(cell.id)
    if own is None:
        return None
    return contrast(((1.0, own), (-1.0, Mean(theirs, 1, own.variance, own.df, own.pool))))


def _row(row: Mapping[str, Any], cell: Cell | None, test: Test | None) -> Reported:
    theirs, found = float(row[MEASURE]), None if cell is None else cell.stat(MEASURE)
    difference = None if found is None else found.value - theirs
    if cell is None:
        standing = Standing.NOT_PLANNED
    elif difference is None:
        standing = Standing.NO_RESULT
    elif test is None:
        standing = Standing.UNDECIDED
    elif test.p_holm >= ALPHA:
        standing = Standing.WITHIN
    else:
        standing = Standing.ABOVE if difference > 0 else Standing.BELOW
    return Reported(
        settings=_settings(row),
        theirs=theirs,
        cell=None if cell is None else cell.id,
        difference=difference,
        standing=standing,
        test=test,
    )
