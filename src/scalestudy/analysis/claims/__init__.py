"""The report's sentences: each chosen and filled by the findings, each with the evidence that it rests on.

No sentence is fixed: opposite results give opposite sentences, and what is within noise is called not
distinguishable. Single runs carry the label of their test, and where a smaller subset also got fewer steps
no sentence credits data alone.
"""

from collections.abc import Callable, Sequence

from scalestudy.analysis.claims import initial_weights, key, limits, size, why
from scalestudy.analysis.claims.facts import Facts, Json

MOST_KEY_FINDINGS = 6
Maker = Callable[[Facts], Json | None]


def make_claims(findings: Json) -> dict[str, list[Json]]:
    """Return the claims by section: key findings, discussion 1 (size, why), discussion 2 (init), limits."""
    facts = Facts(findings)
    inits = [str(init) for init in findings["axes"]["init"]]
    pretrained = [init for init in inits if init != "none"]
    sections: dict[str, Sequence[Maker]] = {
        "size": (
            size.data,
            size.returns,
            size.slopes,
            *_each(size.models, inits),
            *_each(size.models_with_data, inits),
            *_each(size.why_behind, inits),
            size.gap,
            size.still_improving,
            size.equal_steps,
        ),
        "why": (
            why.expected_figure,
            why.stem,
            why.epochs,
            why.recipe,
            why.few_steps,
            why.augmentation,
            why.reference,
        ),
        "init": (
            *_each(initial_weights.gain_on_each_fraction, pretrained),
            *_each(initial_weights.gain_with_data, pretrained),
            *_each(initial_weights.effective, pretrained),
            *_each(initial_weights.head_start, pretrained),
            *_each(initial_weights.gap_with_weights, pretrained),
            initial_weights.order_of_models,
            *_each(initial_weights.reading, pretrained),
        ),
        "limits": (
            limits.without_result,
            limits.seeds,
            limits.subsets,
            limits.selection,
            limits.budget,
            limits.recipe,
            limits.edges,
            limits.caveats_of_recipes,
            limits.no_law,
            limits.machines,
            limits.test_set,
        ),
    }
    made = {name: _numbered(name, [make(facts) for make in makers]) for name, makers in sections.items()}
    return {"key": _key_findings(facts, pretrained), **made}


def _key_findings(facts: Facts, pretrained: Sequence[str]) -> list[Json]:
    """Return up to six findings, most asked-for first; runs without a result are named in any case."""
    makers: list[Maker] = [
        key.best,
        key.data,
        key.models,
        *_each(key.weights, pretrained),
        key.reference,
        *_each(initial_weights.effective, pretrained),
        key.recipes,
        size.gap,
        key.cost,
    ]
    found = [each for make in makers if (each := make(facts)) is not None]
    unfinished = limits.without_result(facts)
    if unfinished is not None:
        found = [*found[: MOST_KEY_FINDINGS - 1], unfinished]
    return _numbered("key", found[:MOST_KEY_FINDINGS])


def _each(make: Callable[[Facts, str], Json | None], inits: Sequence[str]) -> list[Maker]:
    """Return one maker for each kind of initial weights."""

    def bound(init: str) -> Maker:
        return lambda facts: make(facts, init)

    return [bound(init) for init in inits]


def _numbered(section: str, claims: Sequence[Json | None]) -> list[Json]:
    found = [each for each in claims if each is not None]
    return [{**each, "id": f"{section}-{number}"} for number, each in enumerate(found, start=1)]
