"""Learning curves of cells: the mean over the complete replicates, epoch by epoch."""

import math
from dataclasses import dataclass
from typing import Any

from scalestudy.analysis.cells import Cell, Grid
from scalestudy.analysis.intervals import student_t
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.load import StudyData

MEASURES = ("lr", "train_accuracy", "test_accuracy", "train_loss", "test_loss")


@dataclass(frozen=True)
class MeanCurve:
    """One list per measure, each with one value per epoch; `runs` names the replicates that it averages."""

    epoch: list[int]
    step: list[int]
    measures: dict[str, list[float]]
    low: list[float] | None
    high: list[float] | None
    runs: list[str]

    def __getitem__(self, measure: str) -> list[float]:
        """Return a measure's means."""
        return self.measures[measure]

    @property
    def gap(self) -> list[float]:
        """Training minus test accuracy, epoch by epoch."""
        pairs = zip(self["train_accuracy"], self["test_accuracy"], strict=True)
        return [train - test for train, test in pairs]


def mean_curve(cell: Cell, data: StudyData) -> MeanCurve | None:
    """Return the mean curve of a cell; None without a complete run.

    low and high are the Student t interval of the mean test accuracy for two or more runs, None for one
    run.
    """
    curves = [data.curves[run.name] for run in cell.runs if run.name in data.curves]
    if not curves:
        return None
    tests = list(zip(*(curve["test_accuracy"] for curve in curves), strict=True))
    intervals = [student_t(values) for values in tests] if len(curves) > 1 else None
    return MeanCurve(
        epoch=[int(epoch) for epoch in curves[0]["epoch"]],
        step=[int(step) for step in curves[0]["step"]],
        measures={
            measure: [
                math.fsum(values) / len(values)
                for values in zip(*(curve[measure] for curve in curves), strict=True)
            ]
            for measure in MEASURES
        },
        low=[max(each.low, 0.0) for each in intervals] if intervals else None,
        high=[min(each.high, 1.0) for each in intervals] if intervals else None,
        runs=[run.name for run in cell.runs if run.name in data.curves],
    )


def curves_json(grid: Grid, curves: dict[str, MeanCurve], labels: Labels) -> dict[str, Any]:
    """Return the curves of the base cells as findings.json holds them, rounded to six decimals."""
    found = {}
    for cell in grid.base.cells:
        curve = curves.get(cell.id)
        if curve is None:
            continue
        found[cell.id] = {
            "label": f"{labels.series(cell.model, cell.init)}, {cell.fraction}",
            "model": cell.model,
            "init": cell.init,
            "fraction": cell.fraction,
            "n": len(curve.runs),
            "epoch": curve.epoch,
            "step": curve.step,
            **{measure: _rounded(curve[measure]) for measure in MEASURES},
            "test_low": _rounded(curve.low) if curve.low else None,
            "test_high": _rounded(curve.high) if curve.high else None,
            "runs": curve.runs,
        }
    return found


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 6) for value in values]
