"""What results cost: training time with pretraining counted in, and which settings are not beaten at their price."""

from collections.abc import Container, Sequence
from enum import StrEnum

from scalestudy.findings.load import Run
from scalestudy.findings.model import Cell, Record
from scalestudy.findings.study import Study
from scalestudy.topics.setup import find as setup
from scalestudy.topics.weights import find as weights
from scalestudy.topics.weights.find import Pretraining

ALIKE = 1.25  # by which factor times may differ that are about the same
ALIKE_OF_SAME_WORK = 2.0  # where all do the same multiply-adds: what else a machine does takes as much


class Missing(StrEnum):
    """Why there is nothing to find."""

    NO_TIMES = "no_times"


class Pretrained(StrEnum):
    """Whether the seconds that a setting's initial weights took are counted. UNKNOWN: they were made elsewhere."""

    NONE = "none"
    COUNTED = "counted"
    UNKNOWN = "unknown"


class Price(Record):
    """What a run of a cell costs in seconds: `own` for its training, on average, `pretraining` for its weights.

    `front`: no other cell costs no more and is no less accurate. Nothing is on the front where machines differ.
    """

    cell: str
    own: float
    pretraining: float
    pretrained: Pretrained
    front: bool

    @property
    def seconds(self) -> float:
        """The seconds of both."""
        return self.own + self.pretraining


class Compute(Record):
    """What the whole study took, in seconds of jobs: training and measuring of all complete runs, and pretraining."""

    runs: int
    training: float
    whole: float
    pretraining: float


class Cost(Record):
    """All that was found about cost.

    `alike`: all prices are about the same, or of the same work, so that a front would be the noise of times; so is a
    single one. Then `prices` stand in the study's order, else they ascend.
    """

    missing: Missing | None
    prices: tuple[Price, ...] = ()
    alike: bool = True
    compute: Compute | None = None

    @property
    def front(self) -> list[Price]:
        """The prices on the front, cheapest first."""
        return [price for price in self.prices if price.front]


def find(study: Study) -> Cost:
    """Return the price of each cell with a result, and of the study."""
    cells = [
        cell for cell in study.grid.having(tuple(study.grid.cells)) if cell.stat("train_seconds") is not None
    ]
    if not cells:
        return Cost(missing=Missing.NO_TIMES)
    made = study.once(weights.find).pretraining
    weights_of = {str(run["run"]): run.get("weights") for run in study.record["runs"]}
    prices = [_price(cell, made, {weights_of.get(run) for run in cell.runs}) for cell in cells]
    alike = _alike([price.seconds for price in prices], cells)
    front: set[int] = set()
    if len(study.once(setup.find).machines) < 2 and not alike:
        points = [(price.seconds, cell.value or 0.0) for price, cell in zip(prices, cells, strict=True)]
        front = set(pareto(points))
    prices = [price.model_copy(update={"front": place in front}) for place, price in enumerate(prices)]
    runs = [run for run in study.runs if run.complete]
    upstream = {each.run: each.seconds or 0.0 for each in made if each.run is not None}
    return Cost(
        missing=None,
        prices=tuple(prices if alike else sorted(prices, key=lambda price: price.seconds)),
        alike=alike,
        compute=Compute(
            runs=len(runs),
            training=sum(run.values.get("train_seconds", 0.0) for run in runs),
            whole=sum(map(whole_seconds, runs)),
            pretraining=sum(upstream.values()),
        ),
    )


def _alike(seconds: Sequence[float], cells: Sequence[Cell]) -> bool:
    """Return whether the prices of these cells may be those of the same work."""
    work = [round(stat.value, 1) for cell in cells if (stat := cell.stat("training_gmacs")) is not None]
    factor = ALIKE_OF_SAME_WORK if len(work) == len(cells) and len(set(work)) == 1 else ALIKE
    return max(seconds) <= factor * min(seconds)


def whole_seconds(run: Run) -> float:
    """Return the seconds of a run's training and measuring; 0 where they are not known.

    Records of resumed runs had only the last process in their total once.
    """
    return max(run.values.get(key, 0.0) for key in ("total_seconds", "train_seconds"))


def _price(cell: Cell, made: Sequence[Pretraining], used: Container[str | None]) -> Price:
    """Return a cell's price; `used` names the weights that its runs began from, of which a kind may have several."""
    own = cell.stat("train_seconds")
    seconds = [each.seconds for each in made if each.run in used and each.seconds is not None]
    pretrained = Pretrained.COUNTED if seconds else Pretrained.UNKNOWN
    return Price(
        cell=cell.id,
        own=own.value if own else 0.0,
        pretraining=sum(seconds),
        pretrained=Pretrained.NONE if cell.init == "none" else pretrained,
        front=False,
    )


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
