"""The sentences about model size, each chosen by a reading."""

from scalestudy.findings.model import Balance, Claim, Direction, Evidence
from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.model_size.find import Fitted, Missing
from scalestudy.topics.words import decided, direction, several, signed_sizes, sizes, tally, throughout

MISSING = {
    Missing.ONE_MODEL: "The study has one model; add a second to `model`.",
    Missing.NO_PAIR: "No two models have results with the same weights and images; run the missing ones.",
}
FIT = {
    Direction.FALLS: "also fits its own training images worse",
    Direction.RISES: "fits its own training images better",
    Direction.LEVEL: "fits its own training images about as well",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none where the study has one model."""
    found, names = findings.model_size, Names(findings.grid.titles)
    if found.missing is not None:
        return Said()
    return Said(
        lead=tuple(larger(findings, names, claim) for claim in found.balance),
        points=(*trends(findings, names), *(fitted(findings, names, each) for each in found.fitted)),
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
            text = f"in the one run of each, {large} is {by} against {small}: not decided"
        case _:
            counted = decided(compared, pairs, ("beats", "stays below"), small)
            text = f"{large} {counted or f'against {small} is {tally(compared, pairs)}'}"
    return Sentence(wording.sentence(text), claim.evidence, ("model_size",), ("model_size",))


def trends(findings: Findings, names: Names) -> list[Sentence]:
    """How the distance to the smallest model changes with data; one sentence for the same direction."""
    small, found = names.model(findings.grid.models[0]), findings.model_size.trends
    sentences = []
    for way in Direction:
        same = [each for each in found if each.trend.direction is way]
        if not same or way is Direction.UNTESTED:
            continue
        who = several([names.series(each.model, each.init) for each in same], len(found), "series")
        text = f"with more images, the difference of {who} to {small} {direction(way)}"
        if way in (Direction.RISES, Direction.FALLS):
            text += f" by {sizes([each.trend.slope for each in same])} per doubling"
        cells = tuple(dict.fromkeys(cell for each in same for cell in each.trend.cells))
        sentences.append(
            Sentence(wording.sentence(text), Evidence(cells=cells), ("model_size",), ("model_size",))
        )
    return sentences


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
        compared = "as" if found.fit.direction is Direction.LEVEL else "than"
        text = f"{model} {FIT[found.fit.direction]} {compared} the smaller model ({by} on average)"
    return Sentence(wording.sentence(text), Evidence(cells=cells), ("gap_by_size",), ("overfitting",))
