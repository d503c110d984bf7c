"""What this study does not know: missing runs, few seeds, copies among the images, one test set, unmatched arms."""

import math

from scalestudy.findings.model import Record
from scalestudy.findings.study import Study
from scalestudy.stats.proportions import wilson
from scalestudy.topics.setup import find as setup
from scalestudy.topics.weights import find as weights


class Copies(Record):
    """Test images that are training images too, pixel for pixel; and images with a copy of another label."""

    across_splits: int
    conflicts: int
    named: tuple[str, ...]


class Unsafe(Record):
    """How many settings with a result have a single run, of how many; and the fewest and most runs of one."""

    single: int
    settings: int
    fewest: int
    most: int


class Baseline(Record):
    """The best mean accuracy against always answering the largest class: `beaten` by how many settings of how many."""

    majority: float
    best: str
    accuracy: float
    beaten: int
    settings: int


class Limits(Record):
    """All limits that the runs show. `sampling` is the half width of a result's 95 % test-sampling interval."""

    lost: dict[str, int]
    seeds: Unsafe | None
    subset_seeds: int
    copies: Copies | None
    baseline: Baseline | None
    test_images: int
    sampling: float | None
    unmatched: tuple[str, ...]


def find(study: Study) -> Limits:
    """Return the limits of a study."""
    grid, described = study.grid, study.once(setup.find)
    cells = grid.having(list(grid.cells))
    runs = [len(cell.runs) for cell in cells]
    accuracies = {cell.id: stat.value for cell in cells if (stat := cell.stat("test_accuracy")) is not None}
    images = sum(study.test_counts)
    mean = sum(accuracies.values()) / len(accuracies) if accuracies else None
    return Limits(
        lost={state: count for state, count in described.counts.items() if count and state != "complete"},
        seeds=Unsafe(single=runs.count(1), settings=len(runs), fewest=min(runs), most=max(runs))
        if runs
        else None,
        subset_seeds=len(described.subset_seeds),
        copies=_copies(study),
        baseline=_baseline(grid.majority, accuracies, images),
        test_images=images,
        sampling=_sampling(mean, images) if mean is not None and images else None,
        unmatched=_unmatched(study.once(weights.find)),
    )


def _sampling(mean: float, images: int) -> float:
    bounds = wilson(round(mean * images), images)
    return (bounds.high - bounds.low) / 2


def _unmatched(found: weights.Weights) -> tuple[str, ...]:
    """Return the weights whose pretraining took steps that no runs from scratch got as well."""
    matched = {each.init for each in found.controls}
    return tuple(
        dict.fromkeys(each.init for each in found.pretraining if each.steps and each.init not in matched)
    )


def _copies(study: Study) -> Copies | None:
    found = (study.collected.dataset.get("summary") or {}).get("copies") or {}
    across, conflicts = int(found.get("across_splits", 0)), int(found.get("with_other_labels", 0))
    if not across and not conflicts:
        return None
    return Copies(
        across_splits=across, conflicts=conflicts, named=tuple(map(str, found.get("conflicts", ())))
    )


def _baseline(majority: float | None, accuracies: dict[str, float], images: int) -> Baseline | None:
    """Return the comparison with always answering the largest class; beaten beyond a result's test sampling."""
    if majority is None or not accuracies:
        return None
    margin = 1.96 * math.sqrt(majority * (1 - majority) / images) if images else 0.0
    best = max(accuracies, key=accuracies.__getitem__)
    beaten = sum(value > majority + margin for value in accuracies.values())
    return Baseline(
        majority=majority, best=best, accuracy=accuracies[best], beaten=beaten, settings=len(accuracies)
    )
