"""What initial weights are worth: the gain on each training-set size, and the data that they stand for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from scalestudy.analysis.cells import Cell, Grid
from scalestudy.analysis.comparisons import Differences, noise_note
from scalestudy.analysis.intervals import student_t, wilson
from scalestudy.analysis.labels import Labels, share_of_data
from scalestudy.analysis.words import counted, point_range, points, rounded, thousands


@dataclass(frozen=True)
class EffectiveData:
    """How many images match an accuracy: `images`, or None with the side of the curve on which it lies."""

    images: float | None
    bound: Literal["above", "below"] | None = None


def effective_data(curve: Sequence[tuple[float, float]], accuracy: float) -> EffectiveData:
    """Return how many images training from scratch needs for `accuracy`, read off its measured `curve`.

    `curve` holds (images, test accuracy) by growing number of images, at least two. Between two points the
    accuracy is linear in log(images), and the first crossing counts, so that no power law has to hold;
    beyond the curve the answer is a bound, never an extrapolation. Source: Hernandez et al. (2021), Scaling
    laws for transfer (effective data transferred is this minus the images that were used).
    """
    if len(curve) < 2:
        raise ValueError("a curve needs at least two points")
    if accuracy < curve[0][1]:
        return EffectiveData(None, "below")
    for (n1, a1), (n2, a2) in pairwise(curve):
        if a1 <= accuracy <= a2:
            share = (accuracy - a1) / (a2 - a1) if a2 > a1 else 0.0
            return EffectiveData(math.exp(math.log(n1) + share * (math.log(n2) - math.log(n1))))
    return EffectiveData(None, "above")


def transfer(grid: Grid, differences: Differences, labels: Labels, test_images: int) -> dict[str, Any]:
    """Return the gains over training from scratch, and the effective data, of the base cells."""
    inits = [init for init in grid.inits if init != "none"]
    pairs = []
    for model in grid.models:
        for init in inits:
            for fraction in grid.fractions:
                cell = grid.find(grid.base, model, init, fraction)
                scratch = grid.find(grid.base, model, "none", fraction)
                if cell and scratch:
                    pairs.append((scratch, cell))
    ids = differences.compare(pairs)
    gains = [
        {
            "model": cell.model,
            "init": cell.init,
            "fraction": cell.fraction,
            "train_images": cell.train_images,
            "cell": cell.id,
            "scratch": scratch.id,
            "difference": name,
        }
        for (scratch, cell), name in zip(pairs, ids, strict=True)
        if name is not None
    ]
    missing = None
    if "none" not in grid.inits:
        missing = "No run starts from scratch; add `none` to `init`."
    elif not inits:
        missing = "All runs start from scratch; add other weights to `init`."
    elif not gains:
        missing = "No point has results both from scratch and with other weights; run the missing ones."
    effective = [] if missing else _effective(grid, inits, test_images)
    return {
        "gains": gains,
        "effective": effective,
        "family": len(gains),
        "missing": missing,
        "headline": _headline(gains, differences, labels),
    }


def _effective(grid: Grid, inits: Sequence[str], test_images: int) -> list[dict[str, Any]]:
    rows = []
    for model in grid.models:
        scratch = [
            cell
            for fraction in grid.fractions
            if (cell := grid.find(grid.base, model, "none", fraction))
            and cell.accuracy is not None
            and cell.train_images
        ]
        if len(scratch) < 2:
            continue
        curve = [(float(cell.train_images or 0), cell.accuracy or 0.0) for cell in scratch]
        for init in inits:
            for fraction in grid.fractions:
                cell = grid.find(grid.base, model, init, fraction)
                if cell and cell.accuracy is not None and cell.train_images:
                    rows.append(_row(cell, curve, [each.id for each in scratch], test_images))
    return rows


def _row(
    cell: Cell, curve: Sequence[tuple[float, float]], curve_cells: Sequence[str], test_images: int
) -> dict[str, Any]:
    accuracy, images = cell.accuracy or 0.0, cell.train_images or 1
    found = effective_data(curve, accuracy)
    low, high = _range(cell, curve, test_images)
    return {
        "model": cell.model,
        "init": cell.init,
        "fraction": cell.fraction,
        "cell": cell.id,
        "train_images": images,
        "accuracy": accuracy,
        "effective_images": found.images,
        "low": low,
        "high": high,
        "bound": found.bound,
        "text": effective_text(found, curve),
        "ratio": found.images / images if found.images is not None else None,
        "curve": list(curve_cells),
    }


def _range(
    cell: Cell, curve: Sequence[tuple[float, float]], test_images: int
) -> tuple[float | None, float | None]:
    """Return the images read off at the ends of the cell's own interval; None beyond the curve.

    The curve's own uncertainty is left out, so this is too narrow rather than too wide.
    """
    values = [run.values["test_accuracy"] for run in cell.runs]
    if len(values) > 1:
        interval = student_t(values)
    elif test_images:
        interval = wilson(round(values[0] * test_images), test_images)
    else:
        return None, None
    return effective_data(curve, interval.low).images, effective_data(curve, interval.high).images


def effective_text(found: EffectiveData, curve: Sequence[tuple[float, float]]) -> str:
    """Return `about 25,000`, `> 50,000` (above the whole curve) or `< 3,125` (below it)."""
    if found.images is not None:
        return f"about {thousands(rounded(found.images))}"
    if found.bound == "above":
        return f"> {thousands(curve[-1][0])}"
    return f"< {thousands(curve[0][0])}"


def _headline(gains: Sequence[dict[str, Any]], differences: Differences, labels: Labels) -> str:
    """Return one sentence on the gains."""
    if not gains:
        return ""
    found = [differences.by_id[each["difference"]] for each in gains]
    values = [each["value"] for each in found]
    higher = sum(each["verdict"] == "higher" for each in found)
    lower = sum(each["verdict"] == "lower" for each in found)
    largest = gains[max(range(len(values)), key=values.__getitem__)]
    span = (
        f"by {point_range(min(values), max(values))} points" if len(values) > 1 else f"by {points(values[0])}"
    )
    where = f"{labels.model(largest['model'])} on {share_of_data(largest['fraction'])}"
    return (
        f"Against training from scratch the initial weights change test accuracy {span}: higher in {higher}, "
        f"lower in {lower} of {counted(len(found), 'comparison')}{noise_note(found)}; most for {where}."
    )
