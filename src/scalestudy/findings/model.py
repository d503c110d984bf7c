"""The vocabulary of findings.json: what a number, a difference, a trend and a reading of them are.

Everything is frozen and checked when it is made and when it is read back. There are names, numbers and enums
here, and what a study's author or the makers of weights wrote; no sentence, so that rewording one changes no
byte. Shares (accuracies and their differences) lie in [-1, 1], times are in seconds.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from scalestudy.results.read import State

Scalar = bool | int | float | str | None
Measure = Literal[
    "test_accuracy",
    "train_accuracy",
    "train_eval_accuracy",
    "validation_accuracy",
    "test_loss",
    "train_loss",
    "train_eval_loss",
    "validation_loss",
    "gap",
    "balanced_accuracy",
    "macro_f1",
    "top5_accuracy",
    "ece",
    "training_gmacs",
    "train_seconds",
    "total_seconds",
    "images_per_second",
    "peak_memory_mb",
]


class Record(BaseModel):
    """A frozen record that knows exactly its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class IntervalKind(StrEnum):
    """What an interval of 95 % covers.

    SPREAD: run-to-run spread as verdicts use it (`stats.spread`: pooled over cells, or the cell's own where
    larger). SEEDS: Student's t over the cell's own runs. TEST_SAMPLING: Wilson's, of one run, or of runs
    that all got as many images right; which test images were drawn, and nothing else.
    """

    SPREAD = "spread"
    SEEDS = "seeds"
    TEST_SAMPLING = "test_sampling"


class Interval(Record):
    """A two-sided 95 % interval."""

    low: float
    high: float
    kind: IntervalKind


class Stat(Record):
    """One measure over the complete runs of a cell: their mean, in the order of `runs` their values.

    `sd` is the standard deviation over runs, None for one.
    """

    value: float
    values: tuple[float, ...]
    runs: tuple[str, ...]
    sd: float | None
    interval: Interval | None

    @property
    def n(self) -> int:
        """The number of runs."""
        return len(self.runs)


class LeftOut(Record):
    """A planned run that is in no number, and why."""

    run: str
    state: State
    reason: str


class Cell(Record):
    """The runs that differ in nothing but their seeds: one point of the study.

    `runs` are the complete ones by seed; `seeds` gives (seed, subset seed) of each. `measures` lacks what was
    not recorded; `primary` is the one that the report speaks of. `steps` and `images_seen` are means over runs, which
    differ with early stopping.
    """

    id: str
    group: str
    primary: Measure
    model: str
    init: str
    fraction: str
    train_images: int | None
    epochs: int
    steps: int | None
    images_seen: int | None
    settings: dict[str, Scalar]
    runs: tuple[str, ...]
    seeds: tuple[tuple[int, int], ...]
    left_out: tuple[LeftOut, ...]
    measures: dict[Measure, Stat]

    def stat(self, measure: Measure) -> Stat | None:
        """Return a measure; None where no run has it."""
        return self.measures.get(measure)

    @property
    def result(self) -> Stat | None:
        """The measure that the report speaks of, after the last epoch; None without a complete run."""
        return self.measures.get(self.primary)

    @property
    def value(self) -> float | None:
        """The mean result; None without a complete run."""
        return None if self.result is None else self.result.value

    @property
    def planned(self) -> int:
        """The number of runs that the study plans here."""
        return len(self.runs) + len(self.left_out)

    @property
    def share(self) -> Fraction:
        """The exact fraction of the training set."""
        return Fraction(self.fraction)


class Group(Record):
    """Cells that share a recipe: every setting but model, initial weights, fraction and seeds.

    `differs` holds the settings in which it is not the base recipe; it is empty for the base recipe itself. `title` is
    that of the experiment that trains this recipe and no other, where there is one.
    """

    id: str
    title: str | None
    settings: dict[str, Scalar]
    differs: dict[str, Scalar]
    cells: tuple[str, ...]


class Verdict(StrEnum):
    """What the runs decide about b against a.

    ONE_RUN_EACH: the settings have one run each and no spread is known, so the difference stands undecided.
    NOT_COMPARED: no test for another reason (nothing varies, or only one side's spread is known).
    """

    HIGHER = "higher"
    LOWER = "lower"
    NOT_DISTINGUISHABLE = "not_distinguishable"
    ONE_RUN_EACH = "one_run_each"
    NOT_COMPARED = "not_compared"

    @property
    def decided(self) -> bool:
        """Whether it says higher or lower."""
        return self in (Verdict.HIGHER, Verdict.LOWER)

    @property
    def tested(self) -> bool:
        """Whether it comes from a test."""
        return self.decided or self is Verdict.NOT_DISTINGUISHABLE


class Balance(StrEnum):
    """What a set of verdicts comes to.

    HIGHER, LOWER, LEVEL: every one of them says so (LEVEL: not distinguishable). SOME_HIGHER, SOME_LOWER: at
    least one says so, none the opposite. BOTH: some higher, some lower. UNTESTED: none comes from a test.
    OPEN: nothing is decided, and some are not tested.
    """

    HIGHER = "higher"
    LOWER = "lower"
    LEVEL = "level"
    SOME_HIGHER = "some_higher"
    SOME_LOWER = "some_lower"
    BOTH = "both"
    OPEN = "open"
    UNTESTED = "untested"

    @staticmethod
    def of(verdicts: "Sequence[Verdict]") -> "Balance":
        """Return what one or more verdicts come to."""
        found = set(verdicts)
        if not any(verdict.tested for verdict in found):
            return Balance.UNTESTED
        if len(found) == 1:
            only = found.pop()
            return {Verdict.HIGHER: Balance.HIGHER, Verdict.LOWER: Balance.LOWER}.get(only, Balance.LEVEL)
        if {Verdict.HIGHER, Verdict.LOWER} <= found:
            return Balance.BOTH
        if Verdict.HIGHER in found:
            return Balance.SOME_HIGHER
        return Balance.SOME_LOWER if Verdict.LOWER in found else Balance.OPEN


class Family(StrEnum):
    """The pairs whose p values are corrected together: those that differ in the same one axis, or in several."""

    MODEL = "model"
    INIT = "init"
    DATA = "data"
    RECIPE = "recipe"
    SEVERAL = "several"


class Test(Record):
    """Student's t for a difference or a slope: its interval, p, and p corrected (Holm) for `tests` of them."""

    __test__ = False  # no test of pytest's

    error: float
    df: float
    low: float
    high: float
    p: float
    p_holm: float
    tests: int


class Side(Record):
    """One side of a difference: a cell, the mean over the runs compared, and their seeds."""

    cell: str
    mean: float
    runs: tuple[str, ...]
    seeds: tuple[tuple[int, int], ...]


class Networks(Record):
    """McNemar's exact test of one trained network against another on the same test images.

    It says whether these two networks err on different images, and nothing about their settings. `only_a`
    images were classified rightly by a alone.
    """

    run_a: str
    run_b: str
    only_a: int
    only_b: int
    p: float


class Difference(Record):
    """The result of b minus that of a (in the study's primary measure), and what the runs decide about it."""

    a: Side
    b: Side
    value: float
    family: Family
    verdict: Verdict
    test: Test | None
    networks: Networks | None

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs of both sides."""
        return (*self.a.runs, *self.b.runs)

    def turned(self) -> "Difference":
        """Return the same difference seen from the other side: a minus b."""
        swap = {Verdict.HIGHER: Verdict.LOWER, Verdict.LOWER: Verdict.HIGHER}
        test, networks = self.test, self.networks
        if test is not None:
            test = test.model_copy(update={"low": -test.high, "high": -test.low})
        if networks is not None:
            networks = Networks(
                run_a=networks.run_b,
                run_b=networks.run_a,
                only_a=networks.only_b,
                only_b=networks.only_a,
                p=networks.p,
            )
        return Difference(
            a=self.b,
            b=self.a,
            value=-self.value,
            family=self.family,
            verdict=swap.get(self.verdict, self.verdict),
            test=test,
            networks=networks,
        )


class Direction(StrEnum):
    """Where a trend goes. LEVEL: no trend beyond the run-to-run spread. UNTESTED: no spread is known.

    UNSTEADY: from one point to the next it goes both ways, or against its own slope, beyond the spread; of a mean
    effect: some of its parts go the other way.
    """

    RISES = "rises"
    FALLS = "falls"
    LEVEL = "level"
    UNSTEADY = "unsteady"
    UNTESTED = "untested"


class Effect(Record):
    """A difference of means that is no difference of two cells, such as an average over pairs, and its test."""

    value: float
    direction: Direction
    test: Test | None


class TrendPoint(Record):
    """One point of a trend: its value, and the cells that it comes from."""

    x: float
    value: float
    cells: tuple[str, ...]


class Trend(Record):
    """A least-squares slope over all `points` (two or more), tested against the run-to-run spread.

    For a trend over training-set sizes x is log2 of the training images, so the slope is per doubling.
    """

    points: tuple[TrendPoint, ...]
    slope: float
    direction: Direction
    test: Test | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of all points, each once."""
        return tuple(dict.fromkeys(cell for point in self.points for cell in point.cells))


class SeriesTrend(Record):
    """A trend over the training-set sizes of one model with one kind of initial weights."""

    model: str
    init: str
    trend: Trend


R = TypeVar("R", bound=StrEnum)


class Evidence(Record):
    """What a reading rests on: cells, and differences by their keys."""

    cells: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()


class Claim(Record, Generic[R]):
    """A reading of the results (an enum of its topic), what it is about, and the evidence that it rests on.

    `subjects` are names of models, initial weights or cells, as the topic says.
    """

    reading: R
    subjects: tuple[str, ...] = ()
    evidence: Evidence = Evidence()


class Stance(StrEnum):
    """Whether these runs speak for a possible reason, against it, or do not tell."""

    FOR = "for"
    AGAINST = "against"
    OPEN = "open"


class Reason(Record, Generic[R]):
    """A possible reason for what was found, and what these runs say about it."""

    reason: R
    stance: Stance
    evidence: Evidence = Evidence()


class Spread(Record):
    """The run-to-run standard deviation of the result on one fraction, pooled within `cells` cells.

    `smallest` and `largest` are single cells' own; `p_alike` is that of Brown and Forsythe's test.
    """

    fraction: str
    sd: float
    df: int
    cells: int
    smallest: float
    largest: float
    p_alike: float | None


class Curve(Record):
    """The learning curve of a cell: means over its complete runs, one value an epoch in each list.

    Measures: lr, train_loss, train_accuracy (both running over the epoch while training), test_loss,
    test_accuracy. `low` and `high` are the interval of the mean test accuracy over two or more runs.
    """

    cell: str
    runs: tuple[str, ...]
    epoch: tuple[int, ...]
    step: tuple[int, ...]
    measures: dict[str, tuple[float, ...]]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None

    def __getitem__(self, measure: str) -> tuple[float, ...]:
        """Return a measure's means."""
        return self.measures[measure]


class Series(Record):
    """The planned cells of one recipe, model and initial weights, by growing fraction."""

    group: str
    model: str
    init: str
    cells: tuple[str, ...]


class Grid(Record):
    """All cells of a study with their groups (the base recipe's first), spreads and differences.

    Models are ordered by size, initial weights with `none` first, fractions ascending; `titles` are the names
    that initial weights were given. A difference has the key `a:b`, in the order of the cells. `primary` is the
    measure that results, differences and trends are about; `majority` the accuracy of always answering the
    largest class of the test set, None where no predictions tell.
    """

    primary: Measure
    majority: float | None
    models: tuple[str, ...]
    inits: tuple[str, ...]
    fractions: tuple[str, ...]
    titles: dict[str, str]
    cells: dict[str, Cell]
    groups: tuple[Group, ...]
    spreads: dict[str, Spread]
    curves: dict[str, Curve]
    differences: dict[str, Difference] = {}

    @property
    def base(self) -> Group:
        """The group of the base recipe."""
        return self.groups[0]

    @property
    def at_one_point(self) -> bool:
        """Whether only the recipe varies: one model, one kind of initial weights, one fraction, several groups."""
        return len(self.models) == len(self.inits) == len(self.fractions) == 1 < len(self.groups)

    @property
    def base_at_one_point(self) -> bool:
        """Whether the study has one fraction and the base recipe one cell there: others differ in more than a point."""
        return len(self.fractions) == len(self.base.cells) == 1 < len(self.groups)

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each cell in the order of the study."""
        return {name: place for place, name in enumerate(self.cells)}

    def group(self, name: str) -> Group:
        """Return a group by its id."""
        return next(group for group in self.groups if group.id == name)

    def series(self, group: Group | None = None) -> Iterator[Series]:
        """Yield the series of a group (the base recipe's where none is given), by model and initial weights."""
        own = [self.cells[name] for name in (group or self.base).cells]
        for model in self.models:
            for init in self.inits:
                names = tuple(cell.id for cell in own if (cell.model, cell.init) == (model, init))
                if names:
                    yield Series(group=(group or self.base).id, model=model, init=init, cells=names)

    def at(self, model: str, init: str, fraction: str, group: Group | None = None) -> Cell | None:
        """Return the cell at a point of a group (the base recipe's where none is given); None if not planned."""
        for name in (group or self.base).cells:
            cell = self.cells[name]
            if (cell.model, cell.init, cell.fraction) == (model, init, fraction):
                return cell
        return None

    def having(self, names: Sequence[str]) -> list[Cell]:
        """Return the cells of `names` that have a result."""
        return [self.cells[name] for name in names if self.cells[name].value is not None]

    def difference(self, a: str, b: str) -> Difference | None:
        """Return the difference of cell b against cell a, whichever way round it was compared first.

        None where a side has no result. KeyError where no topic asked for the pair.
        """
        if self.cells[a].value is None or self.cells[b].value is None:
            return None
        key = self.key(a, b)
        found = self.differences[key]
        return found if key == f"{a}:{b}" else found.turned()

    def key(self, a: str, b: str) -> str:
        """Return the key of the difference of two cells."""
        return f"{a}:{b}" if self.places[a] < self.places[b] else f"{b}:{a}"

    def of(self, keys: Sequence[str]) -> list[Difference]:
        """Return differences by their keys."""
        return [self.differences[key] for key in keys]

    def runs(self, evidence: Evidence) -> tuple[str, ...]:
        """Return the runs behind some evidence, each once."""
        own = [run for name in evidence.cells for run in self.cells[name].runs]
        compared = [run for found in self.of(evidence.differences) for run in found.runs]
        return tuple(dict.fromkeys([*own, *compared]))

    def steps_of_data(self, series: Series) -> list[tuple[Cell, Cell]]:
        """Return each cell of a series with a result, and the next larger one."""
        return list(pairwise(self.having(series.cells)))
