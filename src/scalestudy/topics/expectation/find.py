"""Whether the textbook figure shows (more data and the larger model ahead), and what speaks for reasons why not."""

from collections.abc import Sequence
from enum import StrEnum

from scalestudy.findings.model import (
    Balance,
    Difference,
    Direction,
    Evidence,
    Reason,
    Record,
    Stance,
    Verdict,
)
from scalestudy.findings.study import Study
from scalestudy.topics.data_size import find as data_size
from scalestudy.topics.model_size import find as model_size
from scalestudy.topics.overfitting import find as overfitting
from scalestudy.topics.overfitting.find import Course
from scalestudy.topics.recipes import find as recipes
from scalestudy.topics.steps import find as steps
from scalestudy.topics.steps.find import Reading


class Missing(StrEnum):
    """Why there is nothing to find."""

    NOTHING_COMPARED = "nothing_compared"


class Figure(StrEnum):
    """Whether the textbook figure shows. OPEN: nothing that was compared is decided."""

    SHOWS = "shows"
    PARTLY = "partly"
    NOT = "not"
    OPEN = "open"


class Why(StrEnum):
    """Possible reasons why larger models or training sets are not ahead."""

    OPTIMISATION = "optimisation"
    OVERFITTING = "overfitting"
    LEARNING_RATE = "learning_rate"
    OTHER_RATE = "other_rate"
    FEW_STEPS = "few_steps"
    STEM = "stem"


class Ahead(Record):
    """How often one side is ahead, by verdicts."""

    ahead: int
    behind: int
    total: int
    differences: tuple[str, ...]


class Expectation(Record):
    """The textbook figure against these runs. `data` counts series, ends against ends; `models` counts pairs."""

    missing: Missing | None
    figure: Figure = Figure.OPEN
    data: Ahead | None = None
    models: Ahead | None = None
    reasons: tuple[Reason[Why], ...] = ()


def find(study: Study) -> Expectation:
    """Return whether the textbook figure shows, and each possible reason with what these runs say of it."""
    sizes, models = study.once(data_size.find), study.once(model_size.find)
    data = _ahead(study, sizes.ends.evidence.differences) if sizes.ends is not None else None
    pairs = [key for claim in models.balance for key in claim.evidence.differences]
    larger = _ahead(study, pairs) if pairs else None
    if data is None and larger is None:
        return Expectation(missing=Missing.NOTHING_COMPARED)
    figure = _figure([each for each in (data, larger) if each is not None])
    reasons = () if figure in (Figure.SHOWS, Figure.OPEN) else _reasons(study, pairs)
    return Expectation(missing=None, figure=figure, data=data, models=larger, reasons=reasons)


def _ahead(study: Study, keys: Sequence[str]) -> Ahead | None:
    found = study.grid.of(keys)
    if not found:
        return None
    return Ahead(
        ahead=sum(each.verdict is Verdict.HIGHER for each in found),
        behind=sum(each.verdict is Verdict.LOWER for each in found),
        total=len(found),
        differences=tuple(keys),
    )


def _figure(sides: Sequence[Ahead]) -> Figure:
    if all(side.ahead == side.total for side in sides):
        return Figure.SHOWS
    if all(side.ahead + side.behind == 0 for side in sides):
        return Figure.OPEN
    return Figure.PARTLY if any(side.ahead for side in sides) else Figure.NOT


def _reasons(study: Study, pairs: Sequence[str]) -> tuple[Reason[Why], ...]:
    """Return each possible reason with what these runs say about it.

    Optimisation: for, where larger models that are behind fit their own training images worse; against, where
    better. Overfitting: the same with the gap. Few steps: for, where most of the difference between subsets comes with
    further steps; against, where it is there at equal steps. The stem: a hypothesis, unless it was varied.
    """
    behind = [key for key in pairs if study.grid.differences[key].verdict is Verdict.LOWER]
    evidence = Evidence(differences=tuple(behind or pairs))
    found: list[Reason[Why]] = []
    fitted = [
        each
        for each in study.once(model_size.find).fitted
        if any(_is_of(study, study.grid.differences[key], each.model) for key in behind)
    ]
    if fitted:
        for why, effects, good in (
            (Why.OPTIMISATION, [each.fit.direction for each in fitted], Direction.FALLS),
            (Why.OVERFITTING, [each.gap.direction for each in fitted], Direction.RISES),
        ):
            found.append(Reason[Why](reason=why, stance=_stance(effects, good), evidence=evidence))
    found.append(_learning_rate(study))
    told = study.once(steps.find)
    if told.missing is None and (told.read is not None or told.pairs):
        reading = told.read.reading if told.read is not None else Reading.OPEN
        stance = {Reading.STEPS: Stance.FOR, Reading.DATA: Stance.AGAINST}.get(reading, Stance.OPEN)
        cells = told.read.cells if told.read is not None else tuple(each.small for each in told.pairs)
        found.append(Reason[Why](reason=Why.FEW_STEPS, stance=stance, evidence=Evidence(cells=cells)))
    if _stock_stem(study):
        cells = tuple(cell.id for cell in study.grid.having(study.grid.base.cells))
        found.append(Reason[Why](reason=Why.STEM, stance=Stance.OPEN, evidence=Evidence(cells=cells)))
    return tuple(found)


def _learning_rate(study: Study) -> Reason[Why]:
    """Return what speaks for or against the learning rate.

    For, where base runs diverged or were unstable, or where another rate alone does better. Against, where those that
    were tried alone do worse. That runs are steady says nothing: a rate may be too low.
    """
    base = study.cells(study.grid.base.cells)
    shaky = {each.cell for each in study.once(overfitting.find).ended if each.course is Course.UNSTABLE}
    shaky |= {cell.id for cell in base if any(each.state == "diverged" for each in cell.left_out)}
    if shaky:
        cells = tuple(cell.id for cell in base if cell.id in shaky)
        return Reason[Why](reason=Why.LEARNING_RATE, stance=Stance.FOR, evidence=Evidence(cells=cells))
    tried = [
        each.balance
        for each in study.once(recipes.find).recipes
        if each.changed == ("lr",) and each.against == study.grid.base.id and each.balance is not None
    ]
    better = [each for each in tried if each.reading in (Balance.HIGHER, Balance.SOME_HIGHER)]
    if better:
        return Reason[Why](reason=Why.OTHER_RATE, stance=Stance.FOR, evidence=better[0].evidence)
    if tried and all(each.reading in (Balance.LOWER, Balance.SOME_LOWER) for each in tried):
        keys = tuple(key for each in tried for key in each.evidence.differences)
        return Reason[Why](reason=Why.OTHER_RATE, stance=Stance.AGAINST, evidence=Evidence(differences=keys))
    cells = tuple(cell.id for cell in base if cell.runs)
    return Reason[Why](reason=Why.LEARNING_RATE, stance=Stance.OPEN, evidence=Evidence(cells=cells))


def _is_of(study: Study, difference: Difference, model: str) -> bool:
    return model in (study.grid.cells[difference.a.cell].model, study.grid.cells[difference.b.cell].model)


def _stance(directions: Sequence[Direction], speaks_for: Direction) -> Stance:
    opposite = Direction.RISES if speaks_for is Direction.FALLS else Direction.FALLS
    if all(each is speaks_for for each in directions):
        return Stance.FOR
    return Stance.AGAINST if all(each is opposite for each in directions) else Stance.OPEN


def _stock_stem(study: Study) -> bool:
    """Return whether ResNets with the stock stem saw small images, and the stem was not varied."""
    cells = [study.grid.cells[name] for name in study.grid.base.cells]
    varied = len({str(cell.settings.get("stem")) for cell in study.grid.cells.values()}) > 1
    return not varied and any(
        cell.settings.get("stem") == "imagenet"
        and "resne" in cell.model
        and int(str(cell.settings.get("image_size", 224))) <= 64
        for cell in cells
    )
