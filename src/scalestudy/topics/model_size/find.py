"""What a larger model brings: each against the smallest, at the same initial weights and training images."""

from enum import StrEnum

from scalestudy.findings.compare import Pair, balance, mean_of_pairs
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
    parameters: tuple[tuple[str, int], ...] = ()
    pairs: tuple[Against, ...] = ()
    balance: tuple[Claim[Balance], ...] = ()
    trends: tuple[SeriesTrend, ...] = ()
    fitted: tuple[Fitted, ...] = ()

    def of(self, init: str) -> list[Against]:
        """Return the pairs of one kind of initial weights."""
        return [pair for pair in self.pairs if pair.init == init]


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
    sizes = {
        str(run.settings["model"]): int(run.values["parameters"])
        for run in study.runs
        if "parameters" in run.values
    }
    parameters = tuple(sizes.items())
    if len(grid.models) < 2:
        return ModelSize(missing=Missing.ONE_MODEL, parameters=parameters)
    planned = pairs(study)
    both = [(a, b) for a, b in planned if a.value is not None and b.value is not None]
    if not both:
        return ModelSize(missing=Missing.NO_PAIR, parameters=parameters)
    return ModelSize(
        missing=None,
        parameters=parameters,
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
    fits, gaps = study.values("train_eval_accuracy"), study.values("gap")
    terms: dict[str, list[tuple[float, str]]] = {}
    for model in dict.fromkeys(large.model for _, large in both):
        own = mean_of_pairs([pair for pair in both if pair[1].model == model], gaps)
        if own:
            terms[model] = own
    fit, gap = study.effects(list(terms.values()), fits), study.effects(list(terms.values()), gaps)
    return tuple(
        Fitted(model=model, fit=own_fit, gap=own_gap)
        for model, own_fit, own_gap in zip(terms, fit, gap, strict=True)
    )
