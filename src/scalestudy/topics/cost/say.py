"""The sentences about cost, each chosen by a reading."""

from scalestudy.findings.model import Cell, Evidence
from scalestudy.report import wording
from scalestudy.report.names import MEASURES, Names
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.cost.find import ALIKE, Cost, Pretrained
from scalestudy.topics.findings import Findings
from scalestudy.topics.recipes.say import setting


def say(findings: Findings) -> Said:
    """Return the sentences; none without a timed run."""
    found, names = findings.cost, Names(findings.grid.titles)
    if found.missing is not None:
        return Said()
    return Said(points=(*compute(found), *front(findings, names), *pretraining(found)))


def compute(found: Cost) -> list[Sentence]:
    """What the whole study took: one statement."""
    own = found.compute
    if own is None:
        return []
    text = (
        f"{wording.counted(own.runs, 'run')} took {wording.duration(own.whole)} of job time, "
        f"{wording.duration(own.training)} of it training"
    )
    if own.pretraining:
        text += f"; the pretraining took {wording.duration(own.pretraining)} more"
    return [Sentence(wording.sentence(text), _evidence(found), (), ("cost",))]


def front(findings: Findings, names: Names) -> list[Sentence]:
    """The cheapest setting and the most accurate one, at what price."""
    own, grid, prices = findings.cost.front, findings.grid, findings.cost.prices
    if findings.cost.alike and len(prices) > 1:
        seconds = [price.seconds for price in prices]
        low, high = wording.duration(min(seconds)), wording.duration(max(seconds))
        took = low if low == high else f"{low} to {high}"
        return [
            Sentence(
                f"The settings do the same work, in {took} a run."
                if max(seconds) > ALIKE * min(seconds)
                else f"The settings took about the same time: {took} a run.",
                _evidence(findings.cost),
                (),
                ("cost",),
            )
        ]
    if not own:
        return []
    cheap, dear = own[0], own[-1]
    first, last = grid.cells[cheap.cell], grid.cells[dear.cell]
    measure = MEASURES[grid.primary]
    if len(own) == 1:
        text = f"{setting(findings, names, first)}: {_at(first, cheap.seconds)}, fastest and of the highest {measure}"
        texts = [text]
    else:
        texts = [
            f"the fastest setting, {setting(findings, names, first)}, reaches {_at(first, cheap.seconds)}",
            f"the highest {measure}, {_at(last, dear.seconds)}, is that of {setting(findings, names, last)}",
        ]
    cells = Evidence(cells=tuple(price.cell for price in own))
    return [Sentence(wording.sentence(text), cells, ("cost",), ("cost",)) for text in texts]


def _at(cell: Cell, seconds: float) -> str:
    return f"{wording.percent(cell.value)} after {wording.duration(seconds)}"


def pretraining(found: Cost) -> list[Sentence]:
    """Whose pretraining is counted, and whose is not."""
    kinds = {price.pretrained for price in found.prices}
    said = {
        Pretrained.COUNTED: "Times of pretrained settings include their pretraining.",
        Pretrained.UNKNOWN: "Weights from elsewhere are free here: what their own training took is not counted.",
    }
    return [
        Sentence(
            text,
            Evidence(cells=tuple(price.cell for price in found.prices if price.pretrained is kind)),
            (),
            ("cost",),
        )
        for kind, text in said.items()
        if kind in kinds
    ]


def _evidence(found: Cost) -> Evidence:
    return Evidence(cells=tuple(price.cell for price in found.prices))
