"""From runs to cells: those that differ in nothing but their seeds, with their means, spreads and curves."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import get_args

import numpy as np

from scalestudy.findings.load import Collected, Run
from scalestudy.findings.model import (
    Cell,
    Curve,
    Grid,
    Group,
    Interval,
    IntervalKind,
    LeftOut,
    Measure,
    Scalar,
    Spread,
    Stat,
)
from scalestudy.stats.estimate import Bounds, Mean, contrast, deviation, t_interval
from scalestudy.stats.proportions import wilson
from scalestudy.stats.spread import Replicates, alike, cell_means, pooled_spread

SEEDS = ("seed", "subset_seed")
AXES = ("model", "init", "fraction")
MEASURES: tuple[Measure, ...] = get_args(Measure)
CURVE_MEASURES = ("lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
_SHARES = ("accuracy", "f1", "ece")
Values = Mapping[str, Mapping[str, float]]


@dataclass
class Planned:
    """The runs of one cell while cells are made: all of them, by their seeds."""

    settings: Mapping[str, Scalar]
    runs: list[Run] = field(default_factory=list)

    @property
    def complete(self) -> list[Run]:
        """The runs that count."""
        return [run for run in self.runs if run.complete]


def make_grid(collected: Collected, values: Values, primary: Measure, majority: float | None) -> Grid:
    """Return the study's cells, groups, spreads and curves; differences are not yet in it.

    `values` has the measures of each complete run (`MEASURES`; what is unknown is left out). The base group is the
    first whose settings equal study.json's recipe, else the one with most cells. Models are in the order
    of their parameters where known, initial weights with `none` first, fractions ascending.
    """
    planned = _planned(collected.runs)
    models = _models(collected.runs)
    inits = sorted(
        dict.fromkeys(str(each.settings["init"]) for each in planned), key=lambda init: init != "none"
    )
    fractions = sorted(dict.fromkeys(str(each.settings["fraction"]) for each in planned), key=Fraction)
    groups = _groups(planned, collected.study.get("recipe", {}))
    for _, own in groups:
        own.sort(
            key=lambda each: (
                models.index(str(each.settings["model"])),
                inits.index(str(each.settings["init"])),
                fractions.index(str(each.settings["fraction"])),
            )
        )
    ordered = [(f"g{number}", each) for number, (_, own) in enumerate(groups) for each in own]
    named = {f"c{number}": each for number, (_, each) in enumerate(ordered, start=1)}
    group_of = {name: group for name, (group, _) in zip(named, ordered, strict=True)}
    results = {
        name: [values[run.name][primary] for run in each.complete if primary in values[run.name]]
        for name, each in named.items()
    }
    means = cell_means([_replicates(name, named[name].settings, own) for name, own in results.items()])
    sizes = _sizes(list(named.values()), collected.dataset)
    cells = {
        name: _cell(name, group_of[name], each, sizes, values, primary, means.get(name))
        for name, each in named.items()
    }
    base = groups[0][0]
    titles = _titles(
        collected, {run.name: group_of[name] for name, each in named.items() for run in each.runs}
    )
    return Grid(
        primary=primary,
        majority=majority,
        models=tuple(models),
        inits=tuple(inits),
        fractions=tuple(fractions),
        titles={
            name: str(own.get("title") or name) for name, own in collected.study.get("weights", {}).items()
        },
        cells=cells,
        groups=tuple(
            Group(
                id=f"g{number}",
                title=titles.get(f"g{number}"),
                settings=dict(settings),
                differs={key: value for key, value in settings.items() if value != base.get(key)},
                cells=tuple(name for name, group in group_of.items() if group == f"g{number}"),
            )
            for number, (settings, _) in enumerate(groups)
        ),
        spreads=_spreads(cells, fractions),
        curves={
            name: curve
            for name, each in named.items()
            if (curve := _curve(name, each.complete, collected)) is not None
        },
    )


def means_of(grid: Grid, values: Mapping[str, Sequence[float]]) -> dict[str, Mean]:
    """Return the mean of each cell's `values` (one a run) with its run-to-run spread, where that is known."""
    return cell_means([_replicates(name, grid.cells[name].settings, own) for name, own in values.items()])


def _replicates(name: str, settings: Mapping[str, Scalar], values: Sequence[float]) -> Replicates:
    """Return a cell's runs for pooling: on one fraction, nearest the same model and weights, then the model."""
    model, init = str(settings["model"]), str(settings["init"])
    return Replicates(name, str(settings["fraction"]), (f"{model} {init}", model), values)


def _planned(runs: Sequence[Run]) -> list[Planned]:
    cells: dict[str, Planned] = {}
    for run in runs:
        settings = {key: value for key, value in run.settings.items() if key not in SEEDS}
        cells.setdefault(_key(settings), Planned(settings)).runs.append(run)
    for cell in cells.values():
        cell.runs.sort(key=lambda run: run.seeds)
    return list(cells.values())


def _groups(
    planned: Sequence[Planned], recipe: Mapping[str, Scalar]
) -> list[tuple[Mapping[str, Scalar], list[Planned]]]:
    """Return the cells by the settings that they share, the base recipe's in front, others as planned."""
    groups: dict[str, tuple[Mapping[str, Scalar], list[Planned]]] = {}
    for cell in planned:
        shared = {key: value for key, value in cell.settings.items() if key not in AXES}
        groups.setdefault(_key(shared), (shared, []))[1].append(cell)

    def matches(settings: Mapping[str, Scalar]) -> bool:
        own = [key for key in recipe if key in settings]
        return bool(own) and all(settings[key] == recipe[key] for key in own)

    found = list(groups.values())
    base = next((each for each in found if matches(each[0])), None) or max(
        found, key=lambda each: len(each[1])
    )
    return [base, *(each for each in found if each is not base)]


def _titles(collected: Collected, group_of: Mapping[str, str]) -> dict[str, str]:
    """Return for each group the title of the first experiment whose runs all are of that group."""
    found: dict[str, str] = {}
    for experiment in collected.study.get("experiments", {}).values():
        groups = {group_of[run] for run in experiment.get("runs", ()) if run in group_of}
        if len(groups) == 1 and experiment.get("title"):
            found.setdefault(groups.pop(), str(experiment["title"]))
    return found


def _key(settings: Mapping[str, Scalar]) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def _models(runs: Sequence[Run]) -> list[str]:
    """Return the models from small to large; those whose parameters no run tells stand last, in the plan's order."""
    planned = list(dict.fromkeys(str(run.settings["model"]) for run in runs))
    sizes = {
        str(run.settings["model"]): run.values["parameters"] for run in runs if "parameters" in run.values
    }
    return sorted(planned, key=lambda model: sizes.get(model, math.inf))


def _sizes(cells: Sequence[Planned], dataset: Mapping[str, object]) -> dict[tuple[str, str], int]:
    """Return the training images of each (fraction, validation): from runs, else from the dataset's size."""
    known: dict[tuple[str, str], int] = {}
    for cell in cells:
        for run in cell.runs:
            if "train_images" in run.values:
                known.setdefault(_subset(cell.settings), int(run.values["train_images"]))
    total = dataset.get("train_images")
    for cell in cells:
        fraction, validation = _subset(cell.settings)
        if (fraction, validation) not in known and isinstance(total, int):
            held = _round(Fraction(validation) * total)
            known[fraction, validation] = _round(Fraction(fraction) * (total - held))
    return known


def _subset(settings: Mapping[str, Scalar]) -> tuple[str, str]:
    return str(settings["fraction"]), str(settings.get("validation", "0"))


def _round(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _cell(
    name: str,
    group: str,
    planned: Planned,
    sizes: Mapping[tuple[str, str], int],
    values: Values,
    primary: Measure,
    mean: Mean | None,
) -> Cell:
    runs = planned.complete
    measured = [values[run.name] for run in runs]
    settings = planned.settings

    def count(key: str) -> int | None:
        # The mean: runs that stop early take different numbers of steps.
        counts = [run.values[key] for run in runs if key in run.values]
        return round(math.fsum(counts) / len(counts)) if counts else None

    stats = {}
    for measure in MEASURES:
        having = [(own[measure], run.name) for own, run in zip(measured, runs, strict=True) if measure in own]
        if having:
            numbers, names = zip(*having, strict=True)
            own_mean = mean if measure == primary else None
            stats[measure] = _stat(measure, numbers, names, own_mean, count("test_images"))
    return Cell(
        id=name,
        group=group,
        primary=primary,
        model=str(settings["model"]),
        init=str(settings["init"]),
        fraction=str(settings["fraction"]),
        train_images=sizes.get(_subset(settings)),
        epochs=int(str(settings["epochs"])),
        steps=count("optimizer_steps"),
        images_seen=count("images_seen"),
        settings=dict(settings),
        runs=tuple(run.name for run in runs),
        seeds=tuple(run.seeds for run in runs),
        left_out=tuple(
            LeftOut(run=run.name, state=run.state, reason=run.reason)
            for run in planned.runs
            if not run.complete
        ),
        measures=stats,
    )


def _stat(
    measure: Measure, values: Sequence[float], runs: Sequence[str], mean: Mean | None, test_images: int | None
) -> Stat:
    """Return the summary of a measure; with its `mean`, it has the interval that verdicts are made of."""
    bounds: Bounds | None = None
    kind = IntervalKind.SEEDS
    estimate = None if mean is None else contrast([(1.0, mean)])
    if estimate is not None:
        bounds, kind = estimate.bounds, IntervalKind.SPREAD
    else:
        bounds = t_interval(values)
    if bounds is None and measure == "test_accuracy" and test_images:
        bounds, kind = wilson(round(values[0] * test_images), test_images), IntervalKind.TEST_SAMPLING
    if bounds is not None and any(measure.endswith(word) for word in _SHARES):
        bounds = bounds.clipped()
    return Stat(
        value=math.fsum(values) / len(values),
        values=tuple(values),
        runs=tuple(runs),
        sd=deviation(values) if len(values) > 1 else None,
        interval=None if bounds is None else Interval(low=bounds.low, high=bounds.high, kind=kind),
    )


def _spreads(cells: Mapping[str, Cell], fractions: Sequence[str]) -> dict[str, Spread]:
    found = {}
    for fraction in fractions:
        own = [cell.result.values for cell in cells.values() if cell.fraction == fraction and cell.result]
        pooled = pooled_spread(own)
        if pooled is not None:
            found[fraction] = Spread(fraction=fraction, p_alike=alike(own), **asdict(pooled))
    return found


def _curve(name: str, runs: Sequence[Run], collected: Collected) -> Curve | None:
    """Return a cell's mean curve over its complete runs, rounded to six decimals; None without any.

    Where runs stopped early, it has the epochs that all of them have.
    """
    own = [(run.name, collected.curves[run.name]) for run in runs if run.name in collected.curves]
    if not own:
        return None
    epochs = min(len(curve["epoch"]) for _, curve in own)
    curves = [{column: values[:epochs] for column, values in curve.items()} for _, curve in own]
    means = {
        measure: np.mean([curve[measure] for curve in curves], axis=0)
        for measure in CURVE_MEASURES
        if measure in curves[0]
    }
    tests = np.stack([curve["test_accuracy"] for curve in curves], axis=1)
    intervals = [_band(list(values)) for values in tests] if len(curves) > 1 else None
    return Curve(
        cell=name,
        runs=tuple(run for run, _ in own),
        epoch=tuple(int(epoch) for epoch in curves[0]["epoch"]),
        step=tuple(int(step) for step in curves[0]["step"]),
        measures={measure: tuple(round(float(each), 6) for each in own) for measure, own in means.items()},
        low=tuple(round(each.low, 6) for each in intervals) if intervals else None,
        high=tuple(round(each.high, 6) for each in intervals) if intervals else None,
    )


def _band(values: Sequence[float]) -> Bounds:
    """Return the interval of a curve's mean at one epoch; of no width where its runs agree."""
    return (t_interval(values) or Bounds(values[0], values[0])).clipped()
