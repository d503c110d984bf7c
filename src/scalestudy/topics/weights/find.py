"""What initial weights are worth: gains on each training-set size, the data they stand for, what they cost."""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from scalestudy.findings.compare import Pair, balance
from scalestudy.findings.load import record_in
from scalestudy.findings.model import (
    Balance,
    Cell,
    Claim,
    Direction,
    Effect,
    Evidence,
    Grid,
    Reason,
    Record,
    SeriesTrend,
    Stance,
    Verdict,
)
from scalestudy.findings.study import Study
from scalestudy.results.read import read_metrics
from scalestudy.results.record import METRICS, DamagedError
from scalestudy.study.paths import WEIGHTS

MATCHED = 0.02  # by how much of the images seen a control may differ
Found = tuple[float | None, Literal["above", "below"] | None]


class Missing(StrEnum):
    """Why there is nothing to find."""

    NO_SCRATCH = "no_scratch"
    ONLY_SCRATCH = "only_scratch"
    NO_PAIR = "no_pair"


class Order(StrEnum):
    """Whether the largest and the smallest model stand in the same order with both kinds of weights."""

    SAME = "same"
    CHANGES = "changes"
    OPEN = "open"


class Why(StrEnum):
    """Possible reasons why the weights act as they do."""

    FEATURES = "features"
    FASTER = "faster"
    LESS_OVERFITTING = "less_overfitting"
    UNSUITED_RECIPE = "unsuited_recipe"
    MORE_TRAINING = "more_training"


class Pretraining(Record):
    """What weights were made of. For published weights and checkpoint files only the source is known.

    `accuracy` is that on the pretext task's own test images; `own_images` says that the images were the
    study's training images; `model` is None where one entry holds for all models.
    """

    init: str
    model: str | None
    source: Literal["published", "checkpoint", "upstream"]
    task: str | None = None
    dataset: str | None = None
    own_images: bool | None = None
    labels_used: bool | None = None
    images: int | None = None
    epochs: int | None = None
    steps: int | None = None
    images_seen: int | None = None
    accuracy: float | None = None
    seconds: float | None = None
    run: str | None = None


class Gain(Record):
    """A planned pair of cells with the same model and images: `cell`, with the weights, against `scratch`."""

    model: str
    init: str
    fraction: str
    cell: str
    scratch: str


class EffectiveData(Record):
    """How many labelled images training from scratch needs for a cell's accuracy, read off `curve`.

    `images` is None where the accuracy lies beyond the curve, with the `bound` that is known. `low` and
    `high` are read at the ends of the cell's own interval; the curve's uncertainty is not in them.
    """

    model: str
    init: str
    fraction: str
    cell: str
    images: float | None
    bound: Literal["above", "below"] | None
    low: float | None
    high: float | None
    curve: tuple[str, ...]

    def ratio(self, grid: Grid) -> float | None:
        """Return how many times as many images that is as the cell has."""
        used = grid.cells[self.cell].train_images
        return None if self.images is None or not used else self.images / used


class Course(Record):
    """The mean gain after the first epoch and after the last, and the effect of the training in between."""

    init: str
    first: float
    last: float
    change: Effect


class Compared(Record):
    """Means over all pairs, with the weights minus from scratch: of the gap, and of the fit to the training set.

    The fit is accuracy on the run's own training images in evaluation mode after the last epoch.
    """

    init: str
    gap: Effect
    fit: Effect


class Reasons(Record):
    """The possible reasons for what one kind of weights does, judged by these runs."""

    init: str
    reasons: tuple[Reason[Why], ...]


class Weights(Record):
    """All that was found about initial weights. Claims have the weights as their first subject.

    In `controls` the runs from scratch saw as many images as those with the weights and their pretraining together:
    the two are matched in compute, and `matched` is what the verdicts on those from scratch against them come to.
    """

    missing: Missing | None
    pretraining: tuple[Pretraining, ...] = ()
    gains: tuple[Gain, ...] = ()
    controls: tuple[Gain, ...] = ()
    trends: tuple[SeriesTrend, ...] = ()
    effective: tuple[EffectiveData, ...] = ()
    courses: tuple[Course, ...] = ()
    compared: tuple[Compared, ...] = ()
    balance: tuple[Claim[Balance], ...] = ()
    matched: tuple[Claim[Balance], ...] = ()
    order: tuple[Claim[Order], ...] = ()
    reasons: tuple[Reasons, ...] = ()

    def of(self, init: str) -> list[Gain]:
        """Return the gains of one kind of weights."""
        return [gain for gain in self.gains if gain.init == init]


def pairs(study: Study) -> list[Pair]:
    """Return each base cell with weights against its counterparts from scratch, and the models' ends within each."""
    grid = study.grid
    controls = _control_pairs(grid, _all_pretraining(study))
    return [
        *_gain_pairs(grid),
        *controls,
        *(pair for init in grid.inits for pair in _model_pairs(grid, init)),
    ]


def find(study: Study) -> Weights:
    """Return what initial weights are worth over the base recipe's cells."""
    grid = study.grid
    inits = [init for init in grid.inits if init != "none"]
    pretraining = _all_pretraining(study)
    planned, controls = _gain_pairs(grid), _control_pairs(grid, pretraining)
    both, matching = _with_results(planned), _with_results(controls)
    if "none" not in grid.inits:
        return Weights(missing=Missing.NO_SCRATCH, pretraining=pretraining)
    if not inits:
        return Weights(missing=Missing.ONLY_SCRATCH)
    if not both:
        return Weights(missing=Missing.NO_PAIR, pretraining=pretraining)
    having = [init for init in inits if any(cell.init == init for _, cell in both)]
    trends = study.trends_of_differences(both)
    courses = _courses(study, having, both)
    compared = _compared(study, having, both)
    gained = {init: balance(grid, _of(init, both), init) for init in having}
    matched = {cell.init: balance(grid, _of(cell.init, matching), cell.init) for cell, _ in matching}
    return Weights(
        missing=None,
        pretraining=pretraining,
        gains=tuple(_gain(a, b) for a, b in planned if b.init in having),
        controls=tuple(_gain(scratch, cell) for cell, scratch in controls if cell.init in having),
        trends=trends,
        effective=tuple(_effective(grid, having)),
        courses=tuple(courses),
        compared=tuple(compared),
        balance=tuple(gained.values()),
        matched=tuple(matched.values()),
        order=tuple(order for init in having if (order := _order(grid, init)) is not None),
        reasons=tuple(
            Reasons(
                init=init,
                reasons=_reasons(
                    grid,
                    gained[init],
                    [each for each in trends if each.init == init],
                    next((each for each in courses if each.init == init), None),
                    next((each for each in compared if each.init == init), None),
                    [each for each in pretraining if each.init == init],
                    matched.get(init),
                ),
            )
            for init in having
        ),
    )


def _gain_pairs(grid: Grid) -> list[Pair]:
    found = []
    for model in grid.models:
        for init in grid.inits:
            for fraction in grid.fractions:
                scratch, cell = grid.at(model, "none", fraction), grid.at(model, init, fraction)
                if init != "none" and scratch and cell:
                    found.append((scratch, cell))
    return found


def _control_pairs(grid: Grid, pretraining: Sequence[Pretraining]) -> list[Pair]:
    """Return each base cell with weights, and one from scratch that saw as many images as it and its pretraining.

    Such cells have the base recipe but for their epochs or steps, so they stand behind it in the study's order.
    """
    before = {(each.init, each.model): each.images_seen for each in pretraining if each.images_seen}
    longer = [group for group in grid.groups if group.differs and group.differs.keys() <= {"epochs", "steps"}]
    found = []
    for _, cell in _gain_pairs(grid):
        if cell.images_seen is None or (cell.init, cell.model) not in before:
            continue
        wanted = cell.images_seen + before[cell.init, cell.model]
        controls = [grid.at(cell.model, "none", cell.fraction, group) for group in longer]
        near = [
            each
            for each in controls
            if each and each.images_seen and abs(each.images_seen - wanted) <= MATCHED * wanted
        ]
        found += [(cell, each) for each in near[:1]]
    return found


def _with_results(pairs: Sequence[Pair]) -> list[Pair]:
    return [(a, b) for a, b in pairs if a.value is not None and b.value is not None]


def _of(init: str, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with these weights on either side."""
    return [(a, b) for a, b in pairs if init in (a.init, b.init)]


def _gain(scratch: Cell, cell: Cell) -> Gain:
    return Gain(model=cell.model, init=cell.init, fraction=cell.fraction, cell=cell.id, scratch=scratch.id)


def _model_pairs(grid: Grid, init: str) -> list[Pair]:
    """Return the largest model against the smallest on each fraction, for one kind of weights."""
    ends = [(grid.at(grid.models[0], init, f), grid.at(grid.models[-1], init, f)) for f in grid.fractions]
    return [(a, b) for a, b in ends if a and b and a.id != b.id]


def effective_data(curve: Sequence[tuple[float, float]], accuracy: float) -> Found:
    """Return how many images training from scratch needs for `accuracy`, or on which side of the curve it lies.

    `curve` holds (images, test accuracy) by growing number of images, at least two. Between two points the
    accuracy is linear in log(images), and the first crossing counts, so that no power law has to hold;
    beyond the curve the answer is a bound, never an extrapolation. Source: Hernandez et al. (2021), Scaling
    laws for transfer (effective data transferred is this minus the images that were used).
    """
    if len(curve) < 2:
        raise ValueError("a curve needs at least two points")
    if accuracy < curve[0][1]:
        return None, "below"
    for (n1, a1), (n2, a2) in pairwise(curve):
        if a1 <= accuracy <= a2:
            share = (accuracy - a1) / (a2 - a1) if a2 > a1 else 0.0
            return math.exp(math.log(n1) + share * (math.log(n2) - math.log(n1))), None
    return None, "above"


def _effective(grid: Grid, inits: Sequence[str]) -> list[EffectiveData]:
    rows = []
    for series in grid.series():
        if series.init not in inits:
            continue
        scratch = [grid.at(series.model, "none", fraction) for fraction in grid.fractions]
        curve = [cell for cell in scratch if cell and cell.value is not None and cell.train_images]
        if len(curve) > 1:
            rows += [_effective_row(cell, curve) for cell in grid.having(series.cells)]
    return rows


def _effective_row(cell: Cell, curve: Sequence[Cell]) -> EffectiveData:
    points = [(float(each.train_images or 0), each.value or 0.0) for each in curve]
    images, bound = effective_data(points, cell.value or 0.0)
    interval = cell.result.interval if cell.result else None
    return EffectiveData(
        model=cell.model,
        init=cell.init,
        fraction=cell.fraction,
        cell=cell.id,
        images=images,
        bound=bound,
        low=effective_data(points, interval.low)[0] if interval else None,
        high=effective_data(points, interval.high)[0] if interval else None,
        curve=tuple(each.id for each in curve),
    )


def _courses(study: Study, inits: Sequence[str], both: Sequence[Pair]) -> list[Course]:
    """Return how the mean gain changed from the first epoch to the last, for pairs with several epochs."""
    curves = study.collected.curves
    first: dict[str, list[float]] = {}
    climb: dict[str, list[float]] = {}
    for cell in {cell.id: cell for pair in both for cell in pair}.values():
        own = [curves[run]["test_accuracy"] for run in cell.runs if run in curves]
        if own and all(len(curve) > 1 for curve in own):
            first[cell.id] = [float(curve[0]) for curve in own]
            climb[cell.id] = [float(curve[-1] - curve[0]) for curve in own]
    groups = {init: _of(init, both) for init in inits}
    starts = study.mean_differences(groups, first)
    return [
        Course(init=init, first=starts[init].value, last=starts[init].value + change.value, change=change)
        for init, change in study.mean_differences(groups, climb).items()
    ]


def _compared(study: Study, inits: Sequence[str], both: Sequence[Pair]) -> list[Compared]:
    groups = {init: _of(init, both) for init in inits}
    gaps = study.mean_differences(groups, study.values("gap"))
    fits = study.mean_differences(groups, study.values("train_eval_accuracy"))
    return [Compared(init=init, gap=gap, fit=fits[init]) for init, gap in gaps.items()]


def _order(grid: Grid, init: str) -> Claim[Order] | None:
    """Return whether the models' order is the same as from scratch, over the fractions that both have."""
    own = {b.fraction: grid.difference(a.id, b.id) for a, b in _model_pairs(grid, init)}
    scratch = {b.fraction: grid.difference(a.id, b.id) for a, b in _model_pairs(grid, "none")}
    both = [(own[f], scratch[f], f) for f in own if own[f] and scratch.get(f)]
    if not both:
        return None
    decided = [
        (a.verdict, b.verdict, f) for a, b, f in both if a and b and a.verdict.decided and b.verdict.decided
    ]
    changed = [f for a, b, f in decided if a is not b]
    reading = Order.CHANGES if changed else (Order.SAME if len(decided) == len(both) else Order.OPEN)
    keys = [grid.key(each.a.cell, each.b.cell) for a, b, _ in both for each in (a, b) if each]
    return Claim[Order](
        reading=reading, subjects=(init, *changed), evidence=Evidence(differences=tuple(keys))
    )


def _reasons(
    grid: Grid,
    balance: Claim[Balance],
    trends: Sequence[SeriesTrend],
    course: Course | None,
    compared: Compared | None,
    pretraining: Sequence[Pretraining],
    matched: Claim[Balance] | None,
) -> tuple[Reason[Why], ...]:
    """Return each possible reason with what these runs say about it.

    Useful features: for, where the weights help a model, and help it more the fewer labelled images there are. Asked
    only where they help: a faster start alone: for, where the lead shrinks over the epochs; against, where it grows;
    and less overfitting: for, where the gap is smaller. A recipe that does not suit the weights, asked only where they
    hurt: for, where they also fit the training images worse. More training: against, where the weights help beyond runs
    from scratch that saw as many images in all; for, where they stay below such runs; open where that is not decided.
    """
    helps = balance.reading in (Balance.HIGHER, Balance.SOME_HIGHER)
    hurts = balance.reading in (Balance.LOWER, Balance.SOME_LOWER)
    helped = {
        grid.cells[each.b.cell].model
        for each in grid.of(balance.evidence.differences)
        if each.verdict is Verdict.HIGHER
    }
    falling = {each.model for each in trends if each.trend.direction is Direction.FALLS}
    rising = any(each.trend.direction is Direction.RISES for each in trends)
    cells = Evidence(cells=tuple(dict.fromkeys(cell for each in trends for cell in each.trend.cells)))
    features = Stance.OPEN
    if helps and helped & falling and not rising:
        features = Stance.FOR
    elif hurts:
        features = Stance.AGAINST
    found = [
        Reason[Why](reason=Why.FEATURES, stance=features, evidence=cells if trends else balance.evidence)
    ]
    if helps and course is not None and course.first > 0:
        stances = {
            Direction.FALLS: Stance.FOR,
            Direction.RISES: Stance.AGAINST,
        }
        stance = stances.get(course.change.direction, Stance.OPEN)
        found.append(Reason[Why](reason=Why.FASTER, stance=stance, evidence=balance.evidence))
    if helps and compared is not None:
        stances = {Direction.FALLS: Stance.FOR, Direction.RISES: Stance.AGAINST}
        stance = stances.get(compared.gap.direction, Stance.OPEN)
        found.append(Reason[Why](reason=Why.LESS_OVERFITTING, stance=stance, evidence=balance.evidence))
    if hurts and compared is not None:
        stance = {Direction.FALLS: Stance.FOR}.get(compared.fit.direction, Stance.OPEN)
        found.append(Reason[Why](reason=Why.UNSUITED_RECIPE, stance=stance, evidence=balance.evidence))
    if helps and any(each.steps for each in pretraining):
        stance = _more_training(matched)
        evidence = balance.evidence if matched is None else matched.evidence
        found.append(Reason[Why](reason=Why.MORE_TRAINING, stance=stance, evidence=evidence))
    return tuple(found)


def _more_training(matched: Claim[Balance] | None) -> Stance:
    """Return whether the pretraining's steps alone explain what the weights are worth, by the matched runs."""
    if matched is None:
        return Stance.OPEN
    return {
        Balance.LOWER: Stance.AGAINST,
        Balance.SOME_LOWER: Stance.AGAINST,
        Balance.HIGHER: Stance.FOR,
        Balance.SOME_HIGHER: Stance.FOR,
    }.get(matched.reading, Stance.OPEN)


def _all_pretraining(study: Study) -> tuple[Pretraining, ...]:
    return tuple(each for init in study.grid.inits if init != "none" for each in _pretraining(study, init))


def _pretraining(study: Study, init: str) -> list[Pretraining]:
    """Return what a study's weights were made of: of an upstream stage, one entry for each model's."""
    planned = study.record.get("weights", {}).get(init, {})
    upstream: dict[str, Any] | None = planned.get("upstream")
    if upstream is None:
        published = "published" in str(planned.get("source", "")) or init.startswith("IMAGENET")
        return [Pretraining(init=init, model=None, source="published" if published else "checkpoint")]
    own = upstream["dataset"] == study.record["dataset"].get("name")
    return [
        _upstream(init, upstream, study.collected.root / WEIGHTS / run, own_images=own)
        for run in upstream["runs"]
    ]


def _upstream(init: str, planned: dict[str, Any], folder: Path, *, own_images: bool) -> Pretraining:
    """Return what an upstream stage planned, and did where it is there still."""
    record = record_in(folder)
    found = Pretraining(
        init=init,
        model=None if record is None else record.settings.model,
        source="upstream",
        task=planned["task"],
        dataset=planned.get("dataset_title") or planned["dataset"],
        own_images=own_images,
        labels_used=planned["task"] == "labels",
        epochs=planned["settings"].get("epochs"),
        run=folder.name,
    )
    if record is None:
        return found
    try:
        accuracy = read_metrics(folder / METRICS)[-1]["test_accuracy"]
    except DamagedError:
        accuracy = None
    return found.model_copy(
        update={
            "images": record.subset.images,
            "steps": record.steps,
            "images_seen": record.images_seen,
            "seconds": record.train_seconds,
            "accuracy": accuracy,
        }
    )
