"""What results cost: training time, speed and memory, and which cells are not beaten at their price."""

from collections.abc import Sequence
from typing import Any

from scalestudy.analysis.cells import Cell, Grid, describe_cell
from scalestudy.analysis.labels import Labels, share_of_data
from scalestudy.analysis.load import StudyData
from scalestudy.analysis.words import counted, duration, percent


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the (cost, value) points that no other point beats, by growing cost.

    A point is beaten where another costs no more and is worth no less, and differs in one of the two. Of
    equal points all are kept. Source: Pareto dominance, e.g. Deb (2001), Multi-objective optimization,
    section 2.4.
    """
    order = sorted(range(len(points)), key=lambda k: (points[k][0], -points[k][1]))
    kept: list[int] = []
    for index in order:
        if not kept or points[index][1] > points[kept[-1]][1] or points[index] == points[kept[-1]]:
            kept.append(index)
    return kept


def cost(data: StudyData, grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return seconds, speed, memory and accuracy of every cell with a result, and the Pareto front."""
    groups = {group.id: group for group in grid.groups}
    cells = [
        cell for cell in grid.cells if cell.accuracy is not None and cell.mean("train_seconds") is not None
    ]
    front = pareto([(cell.mean("train_seconds") or 0.0, cell.accuracy or 0.0) for cell in cells])
    on_front = {cells[index].id for index in front}
    points = [
        {
            "cell": cell.id,
            "label": describe_cell(cell, groups[cell.group], labels)[1],
            "train_seconds": cell.mean("train_seconds"),
            "images_per_second": cell.mean("images_per_second"),
            "peak_memory_mb": cell.mean("peak_memory_mb"),
            "test_accuracy": cell.accuracy,
            "device_name": cell.runs[0].text.get("device_name", ""),
            "pareto": cell.id in on_front,
        }
        for cell in cells
    ]
    machines = machines_of(cells)
    comparable = len(machines) <= 1
    note = ""
    if not comparable:
        note = (
            f"Runs were timed on {counted(len(machines), 'kind')} of machine ({'; '.join(machines)}): times "
            "compare only within one kind."
        )
    seconds = [run.values.get("train_seconds", 0.0) for run in data.runs if run.complete]
    return {
        "points": points,
        "pareto": [cells[index].id for index in front],
        "total_train_seconds": sum(seconds),
        "comparable": comparable,
        "note": note,
        "missing": None if points else "No complete run has its training time; run the study first.",
        "headline": _headline(cells, front, labels),
    }


def machines_of(cells: Sequence[Cell]) -> list[str]:
    """Return each kind of machine (device, precision, threads) that complete runs were timed on."""
    return list(
        dict.fromkeys(
            f"{run.text.get('device_name') or run.text.get('device', 'unknown')}, "
            f"{run.text.get('precision', '?')}, {counted(int(run.values.get('threads', 1)), 'thread')}"
            for cell in cells
            for run in cell.runs
        )
    )


def _headline(cells: Sequence[Cell], front: Sequence[int], labels: Labels) -> str:
    if not front:
        return ""
    cheap, dear = cells[front[0]], cells[front[-1]]
    low, high = cheap.mean("train_seconds") or 0.0, dear.mean("train_seconds") or 0.0
    if cheap is dear:
        return (
            f"{labels.series(cheap.model, cheap.init)} on {share_of_data(cheap.fraction)} is both the fastest and the "
            f"most accurate: {percent(cheap.accuracy or 0.0)} after {duration(low)} of training."
        )
    return (
        f"The fastest cell, {labels.series(cheap.model, cheap.init)} on {share_of_data(cheap.fraction)}, reaches "
        f"{percent(cheap.accuracy or 0.0)} in {duration(low)}; the most accurate, "
        f"{labels.series(dear.model, dear.init)} on {share_of_data(dear.fraction)}, {percent(dear.accuracy or 0.0)} in "
        f"{duration(high)}; {counted(len(front), 'cell')} of {len(cells)} are not beaten at their price."
    )
