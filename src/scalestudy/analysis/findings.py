"""Assembles findings.json: everything that the report says, computed from a collected study."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from scalestudy.analysis.calibration import (
    BINS,
    confident_mistakes,
    confused_pairs,
    confusion_matrix,
    per_class,
    reliability,
)
from scalestudy.analysis.cells import Cell, Grid, cell_json, make_grid
from scalestudy.analysis.claims import make_claims
from scalestudy.analysis.comparisons import Differences, noise_note
from scalestudy.analysis.cost import cost
from scalestudy.analysis.curves import curves_json, mean_curve
from scalestudy.analysis.hyperparameters import best_result, hyperparameters
from scalestudy.analysis.labels import SETTINGS, Labels, share_of_data
from scalestudy.analysis.load import StudyData, load_study
from scalestudy.analysis.overfitting import overfitting
from scalestudy.analysis.reference import reference
from scalestudy.analysis.scaling import scaling
from scalestudy.analysis.setup import axes, setup, state, warnings
from scalestudy.analysis.steps import equal_steps
from scalestudy.analysis.transfer import transfer
from scalestudy.analysis.words import counted, listing, percent, points, share_range, signed_points
from scalestudy.files import write_text
from scalestudy.results.made import Made, source_of_findings

SCHEMA = 1


def write_findings(folder: Path) -> Path:
    """Analyse the collected study in `folder` (`results/<study>`) and write its findings.json."""
    path = folder / "findings.json"
    source = source_of_findings(folder)
    write_text(path, findings_text(analyse(folder)))
    Made.of(folder).add([path], source)
    return path


def findings_text(findings: Mapping[str, Any]) -> str:
    """Return findings as JSON with one line per entry of each section; NaN and infinity raise ValueError.

    Full indentation would put each number of each curve on a line of its own.
    """

    def compact(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))

    lines = []
    for key, section in findings.items():
        if isinstance(section, dict) and section:
            entries = ",\n".join(f"    {compact(name)}: {compact(value)}" for name, value in section.items())
            lines.append(f"  {compact(key)}: {{\n{entries}\n  }}")
        else:
            lines.append(f"  {compact(key)}: {compact(section)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def analyse(study_dir: Path) -> dict[str, Any]:
    """Return the findings of the collected study in `study_dir` (`results/<study>`).

    The same files give the same findings: nothing is drawn at random but with a fixed seed, and no time of
    day goes in. Raises UserError where the study is not collected.
    """
    data = load_study(study_dir)
    grid = make_grid(data)
    labels = Labels(data.study.get("weights", {}))
    differences = Differences(data)
    curves = {cell.id: curve for cell in grid.base.cells if (curve := mean_curve(cell, data)) is not None}
    groups = {group.id: group for group in grid.groups}
    setup_found = setup(data, grid, labels)
    test_images = _test_images(data, grid)
    best = best_result(data, grid, differences, labels)
    findings: dict[str, Any] = {
        "schema": SCHEMA,
        "study": data.study["study"],
        "title": data.study.get("title") or data.study["study"],
        "description": data.study.get("description", ""),
        "state": state(data, grid, labels),
        "labels": {
            "model": {model: labels.model(model) for model in grid.models},
            "init": {init: labels.init(init) for init in grid.inits},
            "setting": dict(SETTINGS),
        },
        "axes": axes(data, grid),
        "setup": setup_found,
        "warnings": warnings(data, setup_found["devices"]),
        "cells": {cell.id: cell_json(cell, groups[cell.group], data, labels) for cell in grid.cells},
        "groups": [
            {
                "id": group.id,
                "label": labels.describe(group.differs) or "base recipe",
                "settings": dict(group.settings),
                "differs": dict(group.differs),
                "cells": [cell.id for cell in group.cells],
            }
            for group in grid.groups
        ],
        "differences": differences.by_id,
        "comparison": _comparison(grid, labels),
        "batch_sizes": _batch_sizes(grid, labels),
        "model_size": _model_size(grid, differences, labels),
        "data_size": _data_size(grid, differences),
        "transfer": transfer(grid, differences, labels, test_images),
        "scaling": scaling(data, grid, labels),
        "overfitting": overfitting(grid, curves, labels, test_images),
        "curves": curves_json(grid, curves, labels),
        "equal_steps": equal_steps(grid, curves, differences, labels),
        "hyperparameters": hyperparameters(data, grid, differences, labels),
        "best": best,
        "cost": cost(data, grid, labels),
        "reference": reference(data, grid, labels),
        "calibration": _calibration(data, grid),
        "errors": _errors(data, grid, labels, best["cell"], setup_found["dataset"]["classes"]),
        "experiments": {
            name: [cell.id for cell in grid.cells if any(name in run.experiments for run in cell.planned)]
            for name in data.study.get("experiments", {})
        },
    }
    findings["claims"] = make_claims(findings)
    return findings


def _test_images(data: StudyData, grid: Grid) -> int:
    """Return the size of the test set; 0 where nothing tells."""
    for run in data.runs:
        if "test_images" in run.values:
            return int(run.values["test_images"])
    for run in data.runs:
        if run.complete and (outcome := data.outcome(run)):
            return len(outcome.correct)
    return int(data.dataset.get("test_images", 0))


def _comparison(grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return the main table: one row per model and initial weights, one column per fraction."""
    fractions = [f for f in grid.fractions if any(cell.fraction == f for cell in grid.base.cells)]
    rows, series = [], []
    for model, init, cells in grid.series(grid.base):
        by_fraction = {cell.fraction: cell for cell in cells}
        common = {"model": model, "init": init, "label": labels.series(model, init)}
        row = [by_fraction[f].id if f in by_fraction else None for f in fractions]
        rows.append({**common, "cells": row})
        if points := _points(cells):
            series.append({**common, "points": points})
    missing = None if series else "No run of the base recipe is complete; run the missing ones."
    return {
        "group": grid.base.id,
        "fractions": fractions,
        "rows": rows,
        "series": series,
        "missing": missing,
        "headline": _comparison_headline(grid, labels),
    }


def _points(cells: list[Cell]) -> list[dict[str, Any]]:
    return [
        {"cell": cell.id, "fraction": cell.fraction, "train_images": cell.train_images}
        for cell in cells
        if cell.accuracy is not None
    ]


def _comparison_headline(grid: Grid, labels: Labels) -> str:
    having = [cell for cell in grid.base.cells if cell.accuracy is not None]
    if not having:
        return ""
    low = min(having, key=lambda cell: cell.accuracy or 0.0)
    high = max(having, key=lambda cell: cell.accuracy or 0.0)
    if low is high:
        return f"Test accuracy of {_named(low, labels)}: {percent(low.accuracy or 0.0)}."
    return (
        f"Test accuracy runs from {percent(low.accuracy or 0.0)} ({_named(low, labels)}) to "
        f"{percent(high.accuracy or 0.0)} ({_named(high, labels)})."
    )


def _named(cell: Cell, labels: Labels) -> str:
    return f"{labels.series(cell.model, cell.init)}, {share_of_data(cell.fraction)}"


def _batch_sizes(grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return the series of the groups that differ from the base recipe in nothing but the batch size."""
    groups = [group for group in grid.groups if not set(group.differs) - {"batch_size"}]
    series = [
        {
            "batch_size": group.settings["batch_size"],
            "group": group.id,
            "model": model,
            "init": init,
            "label": f"{labels.series(model, init)}, batch size {group.settings['batch_size']}",
            "points": points,
        }
        for group in sorted(groups, key=lambda group: int(group.settings["batch_size"]))
        for model, init, cells in grid.series(group)
        if (points := _points(cells))
    ]
    sizes = sorted({each["batch_size"] for each in series})
    if len(sizes) < 2:
        missing = "The study compares no two batch sizes; give an experiment a grid over `batch_size`."
        return {"batch_sizes": sizes, "series": [], "missing": missing, "headline": ""}
    return {
        "batch_sizes": sizes,
        "series": series,
        "missing": None,
        "headline": _batch_sizes_headline(grid, series, sizes),
    }


def _batch_sizes_headline(grid: Grid, series: list[dict[str, Any]], sizes: list[int]) -> str:
    """Return the mean of each batch size over the points that every one of them has."""
    by_id = {cell.id: cell for cell in grid.cells}
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for each in series:
        for point in each["points"]:
            where = (each["model"], each["init"], point["fraction"])
            found.setdefault(where, {})[each["batch_size"]] = by_id[point["cell"]].accuracy or 0.0
    shared = [values for values in found.values() if len(values) == len(sizes)]
    if not shared:
        return f"Test accuracy at batch sizes {listing([str(size) for size in sizes])}; no point has all of them."
    parts = [f"{percent(float(np.mean([values[size] for values in shared])))} at {size}" for size in sizes]
    points = counted(len(shared), "point")
    return f"Mean test accuracy over the {points} that every batch size has: {', '.join(parts)}."


def _model_size(grid: Grid, differences: Differences, labels: Labels) -> dict[str, Any]:
    """Return each larger model against the smallest, at the same weights and data."""
    pairs = [
        (small, large)
        for model in grid.models[1:]
        for init in grid.inits
        for fraction in grid.fractions
        if (small := grid.find(grid.base, grid.models[0], init, fraction))
        and (large := grid.find(grid.base, model, init, fraction))
    ]
    found = [
        {"init": a.init, "fraction": a.fraction, "small": a.id, "large": b.id, "difference": name}
        for (a, b), name in zip(pairs, differences.compare(pairs), strict=True)
        if name is not None
    ]
    missing = None
    if len(grid.models) < 2:
        missing = "The study has one model; add a second to `model`."
    elif not found:
        missing = "No two models have results at the same point; run the missing ones."
    verdicts = [differences.by_id[each["difference"]] for each in found]
    headline = ""
    if verdicts:
        higher = sum(each["verdict"] == "higher" for each in verdicts)
        lower = sum(each["verdict"] == "lower" for each in verdicts)
        what = (
            f"{labels.model(grid.models[1])} against {labels.model(grid.models[0])}"
            if len(grid.models) == 2
            else f"The larger models against {labels.model(grid.models[0])}"
        )
        headline = f"{what}: higher in {higher}, lower in {lower} of {len(verdicts)} comparisons{noise_note(verdicts)}."
    return {"pairs": found, "family": len(found), "missing": missing, "headline": headline}


def _data_size(grid: Grid, differences: Differences) -> dict[str, Any]:
    """Return each fraction of the base recipe against the next smaller one, and the ends of each series."""
    series = [[cell for cell in cells if cell.accuracy is not None] for _, _, cells in grid.series(grid.base)]
    pairs = [pair for cells in series for pair in pairwise(cells)]
    ends = [(cells[0], cells[-1]) for cells in series if len(cells) > 1]
    found = [
        {
            "model": a.model,
            "init": a.init,
            "from": a.id,
            "to": b.id,
            "ratio": b.train_images / a.train_images if a.train_images and b.train_images else None,
            "difference": name,
        }
        for (a, b), name in zip(pairs, differences.compare(pairs), strict=True)
    ]
    whole = [
        {"model": a.model, "init": a.init, "from": a.id, "to": b.id, "difference": name}
        for (a, b), name in zip(ends, differences.compare(ends), strict=True)
    ]
    missing = None if found else "No series has results for two training-set sizes; run the missing ones."
    verdicts = [differences.by_id[str(each["difference"])] for each in found]
    headline = ""
    if verdicts:
        higher = sum(each["verdict"] == "higher" for each in verdicts)
        values = [each["value"] for each in verdicts]
        headline = (
            f"From one training-set size to the next test accuracy changes by {signed_points(min(values))} "
            f"to {signed_points(max(values))}; higher in {higher} of {len(verdicts)} steps{noise_note(verdicts)}."
        )
    return {
        "steps": found,
        "ends": whole,
        "family": len(found),
        "missing": missing,
        "headline": headline,
    }


def _calibration(data: StudyData, grid: Grid) -> dict[str, Any]:
    """Return the calibration of the first complete replicate of every base cell."""
    rows: list[dict[str, Any]] = []
    for cell in grid.base.cells:
        run = next((run for run in cell.runs if data.outcome(run)), None)
        saved = data.predictions(run.name) if run else None
        outcome = data.outcome(run) if run else None
        if run is None or saved is None or outcome is None:
            continue
        confidence = saved.probabilities[np.arange(len(saved.labels)), saved.predictions]
        accuracy = float(outcome.correct.mean())
        over = outcome.mean_confidence - accuracy
        word = "overconfident" if over > 0 else "underconfident"
        rows.append(
            {
                "cell": cell.id,
                "run": run.name,
                "ece": outcome.ece,
                "accuracy": accuracy,
                "mean_confidence": outcome.mean_confidence,
                "text": f"{word} by {points(over)} (calibration error {percent(outcome.ece)})",
                "reliability": reliability(confidence, outcome.correct),
            }
        )
    missing = None if rows else "No complete run has saved predictions; train the runs again."
    headline = ""
    if rows:
        errors = [row["ece"] for row in rows]
        over_all = sum(row["mean_confidence"] > row["accuracy"] for row in rows)
        headline = (
            f"Expected calibration error {share_range(min(errors), max(errors))}; {over_all} of {len(rows)} "
            "runs are overconfident."
        )
    return {"bins": BINS, "rows": rows, "missing": missing, "headline": headline}


def _errors(
    data: StudyData, grid: Grid, labels: Labels, best: str | None, classes: list[str]
) -> dict[str, Any]:
    """Return confusions, per-class accuracy and confident mistakes of one run of the best cell."""
    empty: dict[str, Any] = {
        "cell": None,
        "run": None,
        "chosen": "",
        "classes": classes,
        "confusion": [],
        "per_class": [],
        "worst": [],
        "pairs": [],
        "mistakes": [],
        "missing": "The best result has no saved predictions; train its run again.",
        "headline": "",
    }
    cell = next((cell for cell in grid.cells if cell.id == best), None)
    run = next((run for run in cell.runs if data.outcome(run)), None) if cell else None
    saved = data.predictions(run.name) if run else None
    if cell is None or run is None or saved is None:
        return empty
    highest = int(max(saved.labels.max(), saved.predictions.max()))
    names = list(classes) if len(classes) > highest else [str(k) for k in range(highest + 1)]
    confusion = confusion_matrix(saved.labels, saved.predictions, len(names))
    rows = per_class(confusion, names)
    tested = [row for row in rows if row["accuracy"] is not None]
    worst = sorted(tested, key=lambda row: row["accuracy"])
    pairs = confused_pairs(confusion)
    top, low = worst[-1], worst[0]
    headline = (
        f"The best result is right most often for {top['class']} ({percent(top['accuracy'])}) and least "
        f"often for {low['class']} ({percent(low['accuracy'])})"
    )
    if pairs:
        pair = pairs[0]
        headline += (
            f"; its most frequent mistake takes {names[pair['label']]} for {names[pair['prediction']]} "
            f"({pair['count']} of {int(confusion[pair['label']].sum())})"
        )
    return {
        "cell": cell.id,
        "run": run.name,
        "chosen": f"the best result: {_named(cell, labels)}",
        "classes": names,
        "confusion": confusion.tolist(),
        "per_class": rows,
        "worst": [row["index"] for row in worst[:3]],
        "pairs": pairs,
        "mistakes": confident_mistakes(saved.labels, saved.predictions, saved.probabilities),
        "missing": None,
        "headline": f"{headline}.",
    }
