"""Accuracy at equal numbers of optimizer steps, so that more data and more optimisation are told apart."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from scalestudy.analysis.cells import Cell, Grid, Group
from scalestudy.analysis.comparisons import Differences
from scalestudy.analysis.curves import MeanCurve
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.words import percent, signed_points, thousands


def accuracy_at(steps: Sequence[float], accuracies: Sequence[float], step: float) -> float | None:
    """Return a curve's accuracy at `step`, linear between two measured steps; None outside them."""
    if not steps or not steps[0] <= step <= steps[-1]:
        return None
    for (s1, a1), (s2, a2) in pairwise(zip(steps, accuracies, strict=True)):
        if s1 <= step <= s2:
            return a1 + (a2 - a1) * (step - s1) / (s2 - s1) if s2 > s1 else a2
    return accuracies[0]


def equal_steps(
    grid: Grid, curves: Mapping[str, MeanCurve], differences: Differences, labels: Labels
) -> dict[str, Any]:
    """Return the accuracy at equal steps of neighbouring fractions, for every base series.

    The larger fraction's curve is read at the smaller one's last step. `by_data` is what the larger subset
    adds at equal steps, `by_steps` what its further steps add after that: the two sum to the whole
    difference. Where the larger one was first evaluated after the smaller one's last step, nothing is
    measured, and the text says so. Groups of runs that were planned with equal steps are listed too.
    """
    pairs, series = [], []
    for model, init, cells in grid.series(grid.base):
        having = [cell for cell in cells if cell.id in curves]
        for cell in having:
            curve = curves[cell.id]
            series.append(
                {
                    "model": model,
                    "init": init,
                    "fraction": cell.fraction,
                    "cell": cell.id,
                    "label": f"{labels.series(model, init)}, {cell.fraction}",
                    "steps": curve.step,
                    "test_accuracy": [round(value, 6) for value in curve["test_accuracy"]],
                }
            )
        pairs += [_pair(small, large, curves) for small, large in pairwise(having)]
    groups = [
        {
            "group": group.id,
            "label": labels.describe(group.differs) or "base recipe",
            "steps": group.settings["steps"],
            "cells": [cell.id for cell in group.cells],
            "ends": _ends(grid, group, differences),
        }
        for group in grid.groups
        if group.settings.get("steps") and len({cell.fraction for cell in group.cells}) > 1
    ]
    missing = None
    if not pairs and not groups:
        missing = "Needs results for two training-set sizes of the base recipe; run the missing ones."
    return {
        "pairs": pairs,
        "series": series,
        "groups": groups,
        "note": _note(str(grid.base.settings.get("schedule", "constant"))),
        "missing": missing,
        "headline": _headline(pairs),
    }


def _ends(grid: Grid, group: Group, differences: Differences) -> list[dict[str, Any]]:
    """Return the largest fraction against the smallest, for every series of a group with equal steps."""
    pairs = []
    for _, _, cells in grid.series(group):
        having = [cell for cell in cells if cell.accuracy is not None]
        if len(having) > 1:
            pairs.append((having[0], having[-1]))
    return [
        {"model": a.model, "init": a.init, "from": a.id, "to": b.id, "difference": name}
        for (a, b), name in zip(pairs, differences.compare(pairs), strict=True)
    ]


def _note(schedule: str) -> str:
    """Return the caveat of reading a curve before its schedule has ended."""
    if schedule == "constant":
        return ""
    return (
        f"Under the {schedule} schedule the larger subset's learning rate is still high where the smaller "
        "one's has reached its end, so the reading at equal steps is too low."
    )


def _pair(small: Cell, large: Cell, curves: Mapping[str, MeanCurve]) -> dict[str, Any]:
    step = curves[small.id].step[-1]
    curve = curves[large.id]
    reached, final = small.accuracy or 0.0, large.accuracy or 0.0
    found = accuracy_at(curve.step, curve["test_accuracy"], step)
    if found is None:
        text = (
            f"not measured: {large.fraction} was first evaluated after {thousands(curve.step[0])} steps, "
            f"{small.fraction} ended after {thousands(step)}; a recipe with `steps` gives every fraction "
            "equally many"
        )
        if curve.step[-1] < step:
            text = (
                f"not measured: {large.fraction} ended after {thousands(curve.step[-1])} steps, "
                f"{small.fraction} after {thousands(step)}"
            )
    else:
        text = (
            f"after {thousands(step)} steps {large.fraction} had {percent(found)}, {small.fraction} "
            f"{percent(reached)} ({signed_points(found - reached)}); its further steps, to "
            f"{thousands(curve.step[-1])}, brought {signed_points(final - found)}"
        )
    return {
        "model": small.model,
        "init": small.init,
        "small": small.id,
        "large": large.id,
        "step": step,
        "small_accuracy": reached,
        "large_accuracy": found,
        "large_final": final,
        "by_data": None if found is None else found - reached,
        "by_steps": None if found is None else final - found,
        "measured": found is not None,
        "text": text,
    }


def _headline(pairs: Sequence[dict[str, Any]]) -> str:
    measured = [pair for pair in pairs if pair["measured"]]
    if not measured:
        return "No two fractions were evaluated at equal numbers of steps." if pairs else ""
    data = sum(pair["by_data"] for pair in measured) / len(measured)
    further = sum(pair["by_steps"] for pair in measured) / len(measured)
    return (
        f"At equal steps the larger of two neighbouring subsets differs by {signed_points(data)} on average, "
        f"and its further steps bring {signed_points(further)} ({len(measured)} of {len(pairs)} pairs "
        "measured)."
    )
