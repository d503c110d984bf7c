"""A study as topics read it: its grid with all differences, its runs' files, and what was found already."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from scalestudy.findings.cells import MEASURES, make_grid, means_of
from scalestudy.findings.compare import (
    Outcome,
    Pair,
    Point,
    Terms,
    differences,
    effects,
    mean_of_pairs,
    trends,
    united,
)
from scalestudy.findings.load import Collected, Predictions, Run, load
from scalestudy.findings.model import Cell, Effect, Grid, Measure, SeriesTrend
from scalestudy.results.measures import majority_accuracy, primary_measure
from scalestudy.stats.calibration import expected_calibration_error
from scalestudy.stats.estimate import Mean

Found = TypeVar("Found")
# Columns of results.csv, with `test_` before them.
_OF_TEST_IMAGES: tuple[Measure, ...] = ("balanced_accuracy", "macro_f1", "top5_accuracy")


class Study:
    """A collected study with its cells; `compare` puts the differences into its grid before topics read it."""

    def __init__(self, collected: Collected) -> None:
        self.collected = collected
        self._by_name = {run.name: run for run in collected.runs}
        self._found: dict[Callable[[Study], Any], Any] = {}
        self._outcomes: dict[str, Outcome | None] = {}
        self.test_counts: list[int] = [int(count) for count in collected.dataset.get("test_counts") or ()]
        values = {run.name: self._measured(run) for run in collected.runs if run.complete}
        self.grid: Grid = make_grid(
            collected,
            values,
            self._primary(),
            majority_accuracy(self.test_counts) if self.test_counts else None,
        )

    @property
    def record(self) -> Mapping[str, Any]:
        """The content of study.json."""
        return self.collected.study

    @property
    def runs(self) -> Sequence[Run]:
        """All planned runs."""
        return self.collected.runs

    def run(self, name: str) -> Run:
        """Return a run by its name."""
        return self._by_name[name]

    def predictions(self, run: str) -> Predictions | None:
        """Return a run's predictions; None where they are absent, damaged or of another training."""
        return self.collected.predictions(self._by_name[run])

    def outcome(self, run: str) -> Outcome | None:
        """Return which test images a complete run classified rightly; None without its predictions."""
        return self._outcomes.get(run)

    @cached_property
    def means(self) -> dict[str, Mean]:
        """Each cell's mean result with its run-to-run spread, where that is known."""
        return means_of(self.grid, self.values(self.grid.primary))

    def values(self, measure: Measure) -> dict[str, tuple[float, ...]]:
        """Return each cell's values of a measure, one a run; a cell without any is left out."""
        found = {name: cell.stat(measure) for name, cell in self.grid.cells.items()}
        return {name: stat.values for name, stat in found.items() if stat is not None}

    def compare(self, pairs: Iterable[Pair]) -> None:
        """Put the differences of all pairs into the grid. Called once, with the pairs of every topic."""
        found = differences(self.grid, pairs, self.means, self.outcome)
        self.grid = self.grid.model_copy(update={"differences": found})

    def trends(self, series: Sequence[Sequence[Cell]]) -> tuple[SeriesTrend, ...]:
        """Return the trend of each series of cells over log2 of their training images, tested as one family."""
        return self._trends([[((1.0, cell),) for cell in cells] for cells in series])

    def trends_of_differences(self, pairs: Iterable[Pair]) -> tuple[SeriesTrend, ...]:
        """Return the trend of b minus a over log2 of b's training images, for each model and kind of weights of b."""
        series: dict[tuple[str, str], list[Terms]] = {}
        for a, b in pairs:
            series.setdefault((b.model, b.init), []).append(((-1.0, a), (1.0, b)))
        return self._trends(list(series.values()))

    def _trends(self, series: Sequence[Sequence[Terms]]) -> tuple[SeriesTrend, ...]:
        """Return the trend of each series of weighted sums; each sum is at the size of its last cell, where known."""
        sized = [[terms for terms in own if terms[-1][1].train_images] for own in series]
        points = [[Point(math.log2(terms[-1][1].train_images or 1), terms) for terms in own] for own in sized]
        return tuple(
            SeriesTrend(model=own[-1].terms[-1][1].model, init=own[-1].terms[-1][1].init, trend=trend)
            for own, trend in zip(points, trends(points, self.means), strict=True)
            if trend is not None
        )

    def effects(
        self, wanted: Sequence[Sequence[tuple[float, str]]], values: Mapping[str, Sequence[float]]
    ) -> list[Effect]:
        """Return weighted sums over cells of the mean of `values` (one a run), tested as one family."""
        plain = {name: math.fsum(own) / len(own) for name, own in values.items()}
        return effects(wanted, plain, means_of(self.grid, values))

    def mean_differences(
        self, groups: Mapping[str, Sequence[Pair]], values: Mapping[str, Sequence[float]]
    ) -> dict[str, Effect]:
        """Return the mean of b minus a over each group of pairs, tested as one family; groups without any are left out.

        `values` has one a run.
        """
        terms = {name: own for name, pairs in groups.items() if (own := mean_of_pairs(pairs, values))}
        found = dict(zip(terms, self.effects(list(terms.values()), values), strict=True))
        means = {name: math.fsum(own) / len(own) for name, own in values.items()}
        for name, effect in found.items():
            single = [means[b.id] - means[a.id] for a, b in groups[name] if a.id in means and b.id in means]
            found[name] = united(effect, single)
        return found

    def once(self, find: "Callable[[Study], Found]") -> Found:
        """Return what another topic's `find` returns, found at most once."""
        if find not in self._found:
            self._found[find] = find(self)
        found: Found = self._found[find]
        return found

    def cells(self, names: Iterable[str]) -> list[Cell]:
        """Return cells by their ids."""
        return [self.grid.cells[name] for name in names]

    def _primary(self) -> Measure:
        """Return the measure that the report speaks of."""
        chosen = self.record.get("primary", "auto")
        if not self.test_counts:
            return "test_accuracy"
        found = primary_measure(chosen, self.test_counts)
        return "test_accuracy" if found == "accuracy" else found

    def _measured(self, run: Run) -> dict[str, float]:
        """Return the measures of a complete run: columns of results.csv, and what its predictions say."""
        found: dict[str, float] = {
            measure: run.values[measure] for measure in MEASURES if measure in run.values
        }
        if "train_eval_accuracy" in found:
            found["gap"] = found["train_eval_accuracy"] - found["test_accuracy"]
        saved = self.collected.predictions(run)
        self._outcomes[run.name] = None if saved is None else Outcome(saved.correct, saved.labels_sha256)
        for measure in _OF_TEST_IMAGES:
            if f"test_{measure}" in run.values:
                found[measure] = run.values[f"test_{measure}"]
        if saved is not None:
            found["ece"] = expected_calibration_error(saved.confidence, saved.correct)
            if not self.test_counts:
                classes = saved.probabilities.shape[1]
                self.test_counts = [int(n) for n in np.bincount(saved.labels, minlength=classes)]
        return found


def load_study(folder: Path) -> Study:
    """Return the collected study in `folder` (`results/<study>`). Raises UserError where collect has not run."""
    return Study(load(folder))
