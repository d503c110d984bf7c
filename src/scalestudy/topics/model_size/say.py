"""The sentences about model size, each chosen by a reading."""

from scalestudy.findings.model import Balance, Claim, Direction, Evidence
from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.model_size.find import Fitted, Missing
from scalestudy.topics.words import NO_TREND, decided, signed_sizes, tally, throughout, trends, untested

MISSING = {
    Missing.ONE_MODEL: "The study has one model; add a second to `model`.",
    Missing.NO_PAIR: "No two models have results with the same weights and images; run the missing ones.",
}
FIT = {
    Direction.FALLS: "fits its own training images worse than the smaller model",
    Direction.RISES: "fits its own training images better than the smaller model",
    Direction.LEVEL: "is not distinguishable from the smaller model in how it fits its own training images",
    Direction.UNSTEADY: "fits its own training images better than the smaller model in some pairs, worse in others",
}
GOES = {
    Direction.RISES: "with more images, {small} loses {by} to {who}",
    Direction.FALLS: "with more images, {small} gains {by} on {who}",
    Direction.LEVEL: "as images are added, the difference of {who} to {small} " + NO_TREND,
    Direction.UNSTEADY: "as images are added, the difference of {who} to {small} goes up and down",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none where the study has one model."""
    found, names = findings.model_size, Names(findings.grid.titles)
    if found.missing is not None:
        return Said()
    return Said(
        # The largest model first: the first screen has room for one.
        lead=tuple(larger(findings, names, claim) for claim in reversed(found.balance)),
        points=(*with_images(findings, names), *(fitted(findings, names, each) for each in found.fitted)),
    )


def larger(findings: Findings, names: Names, claim: Claim[Balance]) -> Sentence:
    """What one larger model brings over all pairs, in one sentence for the first screen."""
    compared = findings.grid.of(claim.evidence.differences)
    small, large = names.model(findings.grid.models[0]), names.model(claim.subjects[0])
    pairs = "pair" if len(compared) == 1 else "pairs"
    match claim.reading:
        case Balance.LEVEL:
            text = f"{large} is not distinguishable from {small} {throughout(len(compared), pairs)}"
        case Balance.UNTESTED:
            by = signed_sizes([each.value for each in compared])
            text = f"{untested(compared)}, {large} is {by} against {small}: undecided"
        case _:
            counted = decided(compared, pairs, ("beats", "stays below"), small)
            text = f"{large} {counted or f'against {small} is {tally(compared, pairs)}'}"
    return Sentence(wording.sentence(text), claim.evidence, ("model_size",), ("model_size",))


def with_images(findings: Findings, names: Names) -> list[Sentence]:
    """How the distance to the smallest model changes with data."""
    return trends(
        findings.model_size.trends,
        lambda each: names.series(each.model, each.init),
        "series",
        GOES,
        ("model_size",),
        small=names.model(findings.grid.models[0]),
    )


def fitted(findings: Findings, names: Names, found: Fitted) -> Sentence:
    """How well the larger model fits its own training images."""
    cells = tuple(
        name
        for pair in findings.model_size.pairs
        if findings.grid.cells[pair.large].model == found.model
        for name in (pair.small, pair.large)
    )
    model, by = names.model(found.model), wording.signed_points(found.fit.value)
    if found.fit.direction is Direction.UNTESTED:
        text = f"on its own training images, {model} is {by} on average against the smaller model: not tested"
    else:
        text = f"{model} {FIT[found.fit.direction]} ({by} on average)"
    return Sentence(wording.sentence(text), Evidence(cells=cells), ("gap_by_size",), ("overfitting",))
