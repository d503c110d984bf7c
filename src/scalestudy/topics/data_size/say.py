"""The sentences about training-set size, each chosen by a reading."""

from scalestudy.findings.model import Balance, Claim, Direction, Evidence, IntervalKind
from scalestudy.report import wording
from scalestudy.report.names import MEASURES, Names, share_of_data
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.data_size.find import Budget, Fit, Missing, Scaling, Unfitted
from scalestudy.topics.findings import Findings
from scalestudy.topics.words import NO_TREND, decided, signed_sizes, tally, throughout, trends, untested

MISSING = {
    Missing.ONE_SIZE: "The study has one training-set size; add values to `fraction`.",
    Missing.NO_PAIR: "No series has results for two training-set sizes; run the missing ones.",
}
UNFITTED = {
    Unfitted.FEW_SIZES: "A power law with a floor has three parameters and needs at least four training-set sizes.",
    Unfitted.NO_FALL: "No power law is fitted where the error does not fall beyond its noise.",
    Unfitted.UNDETERMINED: "No power law is fitted where the sizes do not determine an exponent.",
}
GOES = {
    Direction.RISES: "with more images, the {what} of {who} rises by {by}",
    Direction.FALLS: "with more images, the {what} of {who} falls by {by}",
    Direction.LEVEL: "with more images, the {what} of {who} " + NO_TREND,
    Direction.UNSTEADY: "with more images, the {what} of {who} goes up and down",
}
RETURNS = {
    Direction.FALLS: "doublings bring less in larger training sets",
    Direction.RISES: "doublings bring more in larger training sets",
    Direction.LEVEL: "no change beyond the run-to-run spread",
    Direction.UNTESTED: "too few seeds to say whether that changes",
}


def say(findings: Findings) -> Said:
    """Return the sentences; where the study has one training-set size, none but what its single point reaches."""
    found = findings.data_size
    if found.missing is not None or found.balance is None:
        return Said(lead=tuple(one_point(findings)))
    return Said(
        lead=(more_data(findings, found.balance),),
        points=(*per_doubling(findings), *returns(findings)),
        details=tuple(sentence for each in found.scaling for sentence in scaling(findings, each)),
    )


def one_point(findings: Findings) -> list[Sentence]:
    """What the base recipe reaches where it has one point, in one sentence for the first screen."""
    grid = findings.grid
    cells = grid.having(grid.base.cells)
    if len(grid.base.cells) > 1 or not cells:
        return []
    cell, names = cells[0], Names(grid.titles)
    text = f"{names.series(cell.model, cell.init)} reaches a {MEASURES[grid.primary]} of {wording.percent(cell.value)}"
    text += f" on {share_of_data(cell.fraction)}"
    interval = cell.result.interval if cell.result else None
    if interval is not None and interval.kind is not IntervalKind.TEST_SAMPLING:
        text += f", 95 % interval {wording.bare_percent_range(interval.low, interval.high)}"
    evidence = Evidence(cells=(cell.id,))
    return [Sentence(wording.sentence(text), evidence, ("learning_curves",), ("comparison",))]


def more_data(findings: Findings, claim: Claim[Balance]) -> Sentence:
    """What each step to more images brings, in one sentence for the first screen."""
    compared = findings.grid.of(claim.evidence.differences)
    what = "step to more images" if len(compared) == 1 else "steps to more images"
    measure = MEASURES[findings.grid.primary]
    match claim.reading:
        case Balance.LEVEL:
            text = f"{measure} does not change beyond the run-to-run spread {throughout(len(compared), what)}"
        case Balance.UNTESTED:
            brings = signed_sizes([each.value for each in compared])
            text = f"{untested(compared)}, a step to more images brings {brings}: undecided"
        case _:
            counted = decided(compared, what.removesuffix(" to more images"), ("raise", "lower"), measure)
            text = f"more images {counted}" if counted else f"{measure} is {tally(compared, what)}"
    return Sentence(wording.sentence(text), claim.evidence, ("accuracy_by_size",), ("data_size",))


def budget(findings: Findings) -> list[Sentence]:
    """What else grows with the training set."""
    cells = findings.grid.having(findings.grid.base.cells)
    steps = sorted({cell.steps for cell in cells if cell.steps})
    if len(steps) == 1:
        text = f"runs take {wording.counted(steps[0], 'step')}, whatever their data"
    elif steps and findings.data_size.budget is Budget.STEPS:
        text = (
            f"runs are given equally many steps, and end early after {wording.count(steps[0])} to "
            f"{wording.count(steps[-1])}"
        )
    elif steps:
        text = (
            f"steps grow with the images, from {wording.count(steps[0])} to {wording.count(steps[-1])}: "
            "this comparison alone does not tell data from training"
        )
    else:
        return []
    return [
        Sentence(wording.sentence(text), Evidence(cells=tuple(cell.id for cell in cells)), (), ("data_size",))
    ]


def per_doubling(findings: Findings) -> list[Sentence]:
    """How the result changes per doubling, over the series of three sizes or more."""
    names, every = Names(findings.grid.titles), findings.data_size.trends
    found = [each for each in every if len(each.trend.points) > 2]
    nouns = "series" if len(found) == len(every) else "series of three sizes or more"
    return trends(
        found,
        lambda each: names.series(each.model, each.init),
        nouns,
        GOES,
        ("accuracy_by_size",),
        what=MEASURES[findings.grid.primary],
    )


def returns(findings: Findings) -> list[Sentence]:
    """Whether later doublings bring less."""
    found = findings.data_size.returns
    if found is None or found.contradicts_itself:
        return []
    reading = RETURNS.get(found.bend.direction, RETURNS[Direction.LEVEL])
    text = (
        f"per doubling, the mean gain is {wording.signed_points(found.first)} between the smallest sizes and "
        f"{wording.signed_points(found.last)} between the largest: {reading}"
    )
    return [
        Sentence(wording.sentence(text), Evidence(cells=found.cells), ("accuracy_by_size",), ("data_size",))
    ]


def scaling(findings: Findings, found: Scaling) -> list[Sentence]:
    """What a fitted curve says of one series; nothing where none is fitted."""
    if found.fit is None:
        return []
    name = Names(findings.grid.titles).series(found.model, found.init)
    evidence = Evidence(cells=found.cells)
    return [
        Sentence(wording.sentence(text), evidence, ("error_scaling",)) for text in _of_fit(name, found.fit)
    ]


def _of_fit(name: str, fit: Fit) -> list[str]:
    said = [
        f"{name}: error falls with the exponent {fit.b.value:.2f} (95 % bootstrap {fit.b.low:.2f} to {fit.b.high:.2f})"
    ]
    if fit.predicted is not None:
        missed = wording.signed_points(fit.observed - fit.predicted)
        said.append(
            f"Fitted to its smaller sizes alone, it predicts an error of {wording.percent(fit.predicted)} for the "
            f"largest; measured {wording.percent(fit.observed)} ({missed})"
        )
    return said


def unfitted(findings: Findings) -> list[str]:
    """Why series have no power law, each reason once."""
    found = [each.unfitted for each in findings.data_size.scaling if each.unfitted is not None]
    return [UNFITTED[reason] for reason in dict.fromkeys(found)]
