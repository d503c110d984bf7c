"""What a larger model brings: each against the smallest, at the same initial weights and training images."""

from enum import StrEnum

from scalestudy.findings.compare import Pair, balance
from scalestudy.findings.model import Balance, Claim, Effect, Record, SeriesTrend
from scalestudy.findings.study import Study


class Missing(StrEnum):
    """Why there is nothing to find."""

    ONE_MODEL = "one_model"
    NO_PAIR = "no_pair"


class Against(Record):
    """A planned pair of base cells that differ in the model alone: `large` against `small`."""

    init: str
    fraction: str
    small: str
    large: str


class Fitted(Record):
    """Over the pairs of one model, larger minus smaller: mean difference in accuracy on their own training images.

    That accuracy is measured in evaluation mode after the last epoch; `gap` is that of the overfitting gap.
    """

    model: str
    fit: Effect
    gap: Effect


class ModelSize(Record):
    """All that was found about model size. A balance has the larger model as its subject."""

    missing: Missing | None
    pairs: tuple[Against, ...] = ()
    balance: tuple[Claim[Balance], ...] = ()
    trends: tuple[SeriesTrend, ...] = ()
    fitted: tuple[Fitted, ...] = ()


def pairs(study: Study) -> list[Pair]:
    """Return each base cell of a larger model with its counterpart of the smallest model."""
    grid = study.grid
    found = []
    for model in grid.models[1:]:
        for init in grid.inits:
            for fraction in grid.fractions:
                small, large = grid.at(grid.models[0], init, fraction), grid.at(model, init, fraction)
                if small and large:
                    found.append((small, large))
    return found


def find(study: Study) -> ModelSize:
    """Return what larger models bring over the base recipe's cells."""
    grid = study.grid
    if len(grid.models) < 2:
        return ModelSize(missing=Missing.ONE_MODEL)
    planned = pairs(study)
    both = [(a, b) for a, b in planned if a.value is not None and b.value is not None]
    if not both:
        return ModelSize(missing=Missing.NO_PAIR)
    return ModelSize(
        missing=None,
        pairs=tuple(Against(init=b.init, fraction=b.fraction, small=a.id, large=b.id) for a, b in planned),
        balance=tuple(
            balance(study.grid, own, model)
            for model in grid.models[1:]
            if (own := [pair for pair in both if pair[1].model == model])
        ),
        trends=study.trends_of_differences(both),
        fitted=_fitted(study, both),
    )


def _fitted(study: Study, both: list[Pair]) -> tuple[Fitted, ...]:
    groups: dict[str, list[Pair]] = {}
    for pair in both:
        groups.setdefault(pair[1].model, []).append(pair)
    fits = study.mean_differences(groups, study.values("train_eval_accuracy"))
    gaps = study.mean_differences(groups, study.values("gap"))
    return tuple(Fitted(model=model, fit=fits[model], gap=gap) for model, gap in gaps.items())
