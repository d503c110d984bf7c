"""The gap between training and test accuracy, its trend, and whether a run was still improving at its end."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scalestudy.analysis.cells import Cell, Grid
from scalestudy.analysis.curves import MeanCurve
from scalestudy.analysis.intervals import CONFIDENCE, t_quantile
from scalestudy.analysis.labels import Labels, share_of_data
from scalestudy.analysis.words import percent, point_range, points, signed_points

Trend = Literal["growing", "shrinking", "flat", "unknown"]


def gap_trend(gaps: Sequence[float]) -> tuple[float | None, Trend]:
    """Return the gap's change per epoch and its direction towards the end of training.

    The least-squares slope over the last half of the epochs, or the last five where that is more; growing or
    shrinking where its 95 % interval (Student t, Draper and Smith 1998, Applied regression analysis, section
    1.4) excludes zero, else flat. Descriptive: neighbouring epochs are not independent. unknown with fewer
    than four epochs.
    """
    gaps = gaps[-max(5, len(gaps) // 2) :]
    n = len(gaps)
    if n < 4:
        return None, "unknown"
    centre, mean = (n - 1) / 2, math.fsum(gaps) / n
    spread = math.fsum((k - centre) ** 2 for k in range(n))
    slope = math.fsum((k - centre) * (gap - mean) for k, gap in enumerate(gaps)) / spread
    residual = math.fsum((gap - mean - slope * (k - centre)) ** 2 for k, gap in enumerate(gaps))
    half = t_quantile((1 + CONFIDENCE) / 2, n - 2) * math.sqrt(residual / (n - 2) / spread)
    if slope - half > 1e-12:
        return slope, "growing"
    if slope + half < -1e-12:
        return slope, "shrinking"
    return slope, "flat"


def still_improving(test_accuracy: Sequence[float], test_images: int) -> tuple[float | None, bool | None]:
    """Return the change over the last fifth of the epochs, and whether that is still an improvement.

    Improving: the change (last epoch against the one a fifth of the epochs, at least one, before) exceeds
    one binomial standard error of a difference of two accuracies on M = `test_images` images,
    sqrt(2 a (1 - a) / M) (e.g. Fleiss, Levin and Paik 2003, Statistical methods for rates and proportions,
    section 3.2). Both are measured on the same images, so that this is too strict rather than too lax.
    (None, None) for a single epoch.
    """
    n = len(test_accuracy)
    if n < 2:
        return None, None
    before = test_accuracy[n - 1 - max(1, round(n / 5))]
    change = test_accuracy[-1] - before
    share = (test_accuracy[-1] + before) / 2
    return change, change > math.sqrt(2 * share * (1 - share) / max(test_images, 1))


def overfitting(
    grid: Grid, curves: Mapping[str, MeanCurve], labels: Labels, test_images: int
) -> dict[str, Any]:
    """Return gap, trend and improvement of every base cell with a result."""
    rows = []
    for cell in grid.base.cells:
        curve = curves.get(cell.id)
        if curve is None or cell.gap is None:
            continue
        slope, trend = gap_trend(curve.gap)
        change, improving = still_improving(curve["test_accuracy"], test_images)
        best = max(range(len(curve.epoch)), key=curve["test_accuracy"].__getitem__)
        rows.append(
            {
                "cell": cell.id,
                "gap": cell.gap,
                "first_gap": curve.gap[0],
                "slope_per_epoch": slope,
                "trend": trend,
                "best_epoch": curve.epoch[best],
                "last_epoch": curve.epoch[-1],
                "last_change": change,
                "improving": improving,
                "text": _text(cell, trend, change, improving),
            }
        )
    missing = None if rows else "No run of the base recipe is complete; run the missing ones."
    return {"rows": rows, "missing": missing, "headline": _headline(rows, grid, labels)}


def _text(cell: Cell, trend: Trend, change: float | None, improving: bool | None) -> str:
    gap = (
        f"train {signed_points(cell.gap or 0.0)} above test"
        if (cell.gap or 0.0) >= 0
        else (f"train {points(cell.gap or 0.0)} below test")
    )
    parts = [gap if trend == "unknown" else f"{gap}, {trend} when training ended"]
    if change is not None:
        state = "still improving at the end" if improving else "no longer improving beyond test noise"
        parts.append(f"{state} ({signed_points(change)})")
    return "; ".join(parts)


def _headline(rows: Sequence[dict[str, Any]], grid: Grid, labels: Labels) -> str:
    if not rows:
        return ""
    by_id = {cell.id: cell for cell in grid.cells}
    largest = by_id[max(rows, key=lambda row: row["gap"])["cell"]]
    values = [row["gap"] for row in rows]
    growing = sum(row["trend"] == "growing" for row in rows)
    improving = sum(bool(row["improving"]) for row in rows)
    where = f"{labels.series(largest.model, largest.init)} on {share_of_data(largest.fraction)}"
    return (
        f"Training accuracy lies {point_range(min(values), max(values))} points above test accuracy, most "
        f"for {where} (train {percent(largest.mean('train_accuracy') or 0.0)}, test "
        f"{percent(largest.accuracy or 0.0)}); the gap was growing in {growing} and test accuracy still "
        f"improving in {improving} of {len(rows)} cells."
    )
