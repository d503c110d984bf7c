"""Comparison with numbers that somebody else reported."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from scalestudy.analysis.cells import Cell, Grid
from scalestudy.analysis.intervals import CONFIDENCE, Interval, deviation, t_quantile, wilson
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.load import StudyData
from scalestudy.analysis.words import counted, percent, point_range, signed_points


def prediction_interval(values: Sequence[float]) -> Interval:
    """Return the interval in which one further run should fall, from two or more runs.

    mean -/+ t(n - 1) s sqrt(1 + 1/n): normal scatter over seeds on one test set. Source: Hahn and Meeker
    (1991), Statistical intervals, section 4.7.
    """
    n = len(values)
    mean = math.fsum(values) / n
    half = t_quantile((1 + CONFIDENCE) / 2, n - 1) * deviation(values) * math.sqrt(1 + 1 / n)
    return Interval(mean - half, mean + half)


def independent_proportions(ours: float, theirs: float, images: int) -> Interval:
    """Return the interval of `ours` - `theirs`, independent accuracies on `images` test images each.

    Source: Newcombe (1998), Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17:873, method 10 (Wilson intervals combined).
    """
    first, second = wilson(round(ours * images), images), wilson(round(theirs * images), images)
    difference = ours - theirs
    low = difference - math.hypot(ours - first.low, second.high - theirs)
    high = difference + math.hypot(first.high - ours, theirs - second.low)
    return Interval(low, high)


def reference(data: StudyData, grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return each table of reported numbers beside this study's, with difference and verdict.

    Two or more seeds: the reported number is within noise where it lies in the prediction interval for one
    further run. One run: where the interval of the difference of two accuracies on test sets of this size
    covers zero (test-sampling error alone: how much seeds scatter is not known, so real noise is larger).
    """
    tables = []
    for number, table in enumerate(data.study.get("references", []), start=1):
        rows = [_row(row, data, grid, labels) for row in table["rows"]]
        compared = [row["difference"] for row in rows if row["difference"] is not None]
        tables.append(
            {
                "id": f"r{number}",
                "title": table.get("title", ""),
                "source": table.get("source", ""),
                "columns": list(dict.fromkeys(key for row in rows for key in row["settings"])),
                "rows": rows,
                "within": sum(row["verdict"] == "within noise" for row in rows),
                "above": sum(row["verdict"] == "above" for row in rows),
                "below": sum(row["verdict"] == "below" for row in rows),
                "missing": sum(row["verdict"] == "no result" for row in rows),
                "mean_difference": math.fsum(compared) / len(compared) if compared else None,
            }
        )
    missing = None
    if not tables:
        missing = "The study has no reference numbers; add them under `references`."
    return {"tables": tables, "missing": missing, "headline": _headline(tables)}


def find_cell(row: Mapping[str, Any], grid: Grid) -> Cell | None:
    """Return the cell that a row of reported numbers means: the first that has all its settings.

    Settings that the row does not name should be the base recipe's, so cells that differ least from it go
    first.
    """
    wanted = {key: value for key, value in row.items() if key != "test_accuracy"}
    groups = {group.id: group for group in grid.groups}
    found = [
        cell
        for cell in grid.cells
        if all(_equal(_setting(cell, key), value) for key, value in wanted.items())
    ]
    return min(
        found, key=lambda cell: sum(key not in wanted for key in groups[cell.group].differs), default=None
    )


def _setting(cell: Cell, key: str) -> Any:
    if key in ("seed", "subset_seed"):
        return [run.settings[key] for run in cell.planned]
    return cell.settings.get(key)


def _equal(own: Any, wanted: Any) -> bool:
    """Return whether a setting is the wanted one: fractions and numbers by value."""
    if isinstance(own, list):
        return wanted in own
    if own == wanted:
        return True
    try:
        return Fraction(str(own)) == Fraction(str(wanted))
    except ValueError:
        return False


def _row(row: Mapping[str, Any], data: StudyData, grid: Grid, labels: Labels) -> dict[str, Any]:
    theirs = float(row["test_accuracy"])
    settings = {key: value for key, value in row.items() if key != "test_accuracy"}
    found: dict[str, Any] = {
        "settings": settings,
        "label": labels.describe(settings),
        "cell": None,
        "ours": None,
        "theirs": theirs,
        "difference": None,
        "low": None,
        "high": None,
        "within": None,
        "verdict": "no result",
        "text": "",
        "reason": "not part of this study",
    }
    cell = find_cell(row, grid)
    if cell is None:
        found["text"] = "no result: not part of this study"
        return found
    found["cell"] = cell.id
    if cell.accuracy is None:
        run = cell.planned[0]
        found["reason"] = f"{run.state} ({run.reason})"
        found["text"] = f"no result: {found['reason']}"
        return found
    found |= {"reason": None, "ours": cell.accuracy, "difference": cell.accuracy - theirs}
    values = [run.values["test_accuracy"] for run in cell.runs]
    if len(values) > 1:
        further = prediction_interval(values)
        interval = Interval(further.low - theirs, further.high - theirs)
        basis = f"95 % prediction interval for one run, from {len(values)} seeds"
    else:
        outcome = data.outcome(cell.runs[0])
        images = int(cell.runs[0].values.get("test_images", len(outcome.correct) if outcome else 0))
        if not images:
            found["text"] = f"{signed_points(found['difference'])}; size of the test set unknown"
            return found
        interval = independent_proportions(values[0], theirs, images)
        basis = "95 % interval, test-sampling error of two single runs"
    inside = interval.low <= 0 <= interval.high
    verdict = "within noise" if inside else ("above" if found["difference"] > 0 else "below")
    found |= {"low": interval.low, "high": interval.high, "within": inside, "verdict": verdict}
    span = point_range(interval.low, interval.high)
    found["text"] = (
        f"{percent(cell.accuracy)} against {percent(theirs)}: {signed_points(found['difference'])}, "
        f"{verdict} ({basis}: {span})"
    )
    return found


def _headline(tables: Sequence[dict[str, Any]]) -> str:
    rows = [row for table in tables for row in table["rows"]]
    compared = [row for row in rows if row["difference"] is not None]
    if not compared:
        return "None of the reference numbers has a counterpart with a result." if rows else ""
    within = sum(row["verdict"] == "within noise" for row in compared)
    above = sum(row["verdict"] == "above" for row in compared)
    below = sum(row["verdict"] == "below" for row in compared)
    mean = math.fsum(row["difference"] for row in compared) / len(compared)
    text = (
        f"Of {counted(len(compared), 'reference number')} with a counterpart, this study is within noise of "
        f"{within}, above {above} and below {below}; the mean difference is {signed_points(mean)}"
    )
    left = len(rows) - len(compared)
    return f"{text}; {counted(left, 'number')} without a result here." if left else f"{text}."
