"""The sentences about initial weights, each chosen by a reading."""

from collections.abc import Sequence

from scalestudy.findings.model import Balance, Claim, Direction, Evidence, Stance
from scalestudy.report import wording
from scalestudy.report.names import Names, share_of_data
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.weights.find import Course, EffectiveData, Missing, Order, Pretraining, Reasons, Why
from scalestudy.topics.words import (
    NO_TREND,
    decided,
    judged,
    signed_sizes,
    tally,
    throughout,
    trends,
    untested,
)

MISSING = {
    Missing.NO_SCRATCH: "No run starts from scratch; add `none` to `init`.",
    Missing.ONLY_SCRATCH: "All runs start from scratch; add other weights to `init`.",
    Missing.NO_PAIR: "No setting has results both from scratch and with other weights; run the missing ones.",
}
WHY = {
    (
        Why.FEATURES,
        Stance.FOR,
    ): "Useful features fit these runs: the weights help, and help more where labelled images are fewer.",
    (
        Why.FEATURES,
        Stance.AGAINST,
    ): "Useful features do not fit these runs: where the weights make a decided difference, they lower accuracy.",
    (
        Why.FASTER,
        Stance.FOR,
    ): "A faster start may explain the gain: the lead over training from scratch shrinks over the epochs.",
    (
        Why.FASTER,
        Stance.AGAINST,
    ): "A faster start alone does not explain the gain: the lead grows over the epochs.",
    (
        Why.LESS_OVERFITTING,
        Stance.FOR,
    ): "Less overfitting may explain the gain: with the weights, training accuracy lies less far above test accuracy.",
    (
        Why.LESS_OVERFITTING,
        Stance.AGAINST,
    ): "Less overfitting does not explain it: with the weights, training accuracy lies further above test accuracy.",
    (
        Why.UNSUITED_RECIPE,
        Stance.FOR,
    ): "The recipe may not suit the weights: they also fit their own training images "
    "worse. A lower learning rate would tell.",
    (
        Why.MORE_TRAINING,
        Stance.FOR,
    ): "The further steps of the pretraining may explain the gain: training from scratch for as many images "
    "in all does better where they differ.",
    (
        Why.MORE_TRAINING,
        Stance.AGAINST,
    ): "The further steps of the pretraining alone do not explain it: training from scratch for as many images does "
    "worse where they differ.",
}
GOES = {
    Direction.RISES: "the gain of {who} rises by {by} of the labelled images",
    Direction.FALLS: "the gain of {who} falls by {by} of the labelled images",
    Direction.LEVEL: "the gain of {who} " + NO_TREND + " as labelled images are added",
    Direction.UNSTEADY: "the gain of {who} goes up and down as labelled images are added",
}
OPEN = {
    Why.FEATURES: "useful features",
    Why.FASTER: "merely a faster start",
    Why.LESS_OVERFITTING: "less overfitting",
    Why.UNSUITED_RECIPE: "a recipe that does not suit the weights",
    Why.MORE_TRAINING: "the further steps of the pretraining",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none where the study compares no initial weights."""
    found, names = findings.weights, Names(findings.grid.titles)
    if found.missing is not None:
        return Said()
    points: list[Sentence] = []
    details: list[Sentence] = []
    for claim in found.balance:
        init = claim.subjects[0]
        points += [matched(findings, names, each) for each in found.matched if each.subjects[0] == init]
        points += trend(findings, names, init)
        points += effective(findings, names, init)
        details += [course(findings, names, each) for each in found.courses if each.init == init]
        points += order(findings, names, [each for each in found.order if each.subjects[0] == init])
    points += pretraining(names, found.pretraining)
    return Said(
        lead=tuple(gain(findings, names, claim) for claim in found.balance),
        answer=several_kinds(findings, found.balance),
        synthesis=tuple(sentence for own in found.reasons for sentence in reasons(own)),
        points=tuple(points),
        details=tuple(details),
    )


def gain(findings: Findings, names: Names, claim: Claim[Balance]) -> Sentence:
    """What the weights are worth over all pairs, in one sentence for the first screen."""
    init = claim.subjects[0]
    compared = findings.grid.of(claim.evidence.differences)
    models, pairs = f"models {names.init(init)}", "pair" if len(compared) == 1 else "pairs"
    if len(compared) < len(findings.weights.of(init)):
        pairs += " with results"
    match claim.reading:
        case Balance.LEVEL:
            text = (
                f"{models} are not distinguishable from those from scratch {throughout(len(compared), pairs)}"
            )
        case Balance.UNTESTED:
            by = signed_sizes([each.value for each in compared])
            text = f"{untested(compared)}, {models} are {by} against those from scratch: undecided"
        case _:
            # A first sentence has room for 25 words.
            short = len(models.split()) < 6 or claim.reading in (Balance.HIGHER, Balance.LOWER)
            verbs = ("beat", "stay below")
            nouns = pairs if short else pairs.removesuffix(" with results")
            counted = decided(compared, nouns, verbs, "those from scratch", "them", sized=short)
            text = f"{models} {counted or f'against from scratch: {tally(compared, pairs)}'}"
    return Sentence(wording.sentence(text), claim.evidence, ("init_gain",), ("init_gain",))


def several_kinds(findings: Findings, claims: Sequence[Claim[Balance]]) -> tuple[Sentence, ...] | None:
    """Return what several kinds of weights are worth together, for the first screen; None for one: its own lead."""
    if len(claims) < 2:
        return None
    keys = tuple(key for claim in claims for key in claim.evidence.differences)
    text = f"{wording.number_word(len(claims))} kinds of weights against from scratch: "
    text += tally(findings.grid.of(keys), "pairs")
    return (Sentence(wording.sentence(text), Evidence(differences=keys), ("init_gain",), ("init_gain",)),)


def matched(findings: Findings, names: Names, claim: Claim[Balance]) -> Sentence:
    """How runs from scratch that saw as many images in all stand against those with the weights."""
    compared = findings.grid.of(claim.evidence.differences)
    pairs = "pair" if len(compared) == 1 else "pairs"
    text = f"training from scratch for as many images in all is {tally(compared, pairs)}, against models "
    text += names.init(claim.subjects[0])
    return Sentence(wording.sentence(text), claim.evidence, (), ("init_matched",))


def control(findings: Findings, names: Names, init: str) -> list[Sentence]:
    """How a control that is matched in compute could be had, where the study has none."""
    found, grid = findings.weights, findings.grid
    cells = [cell for each in found.of(init) if (cell := grid.cells[each.cell]).steps]
    seen = max((each.images_seen or 0 for each in found.pretraining if each.init == init), default=0)
    if not seen or not cells or any(each.init == init for each in found.controls):
        return []
    cell = max(cells, key=lambda each: each.train_images or 0)
    steps = (cell.steps or 0) + round(seen / float(str(cell.settings["batch_size"])))
    text = (
        f"A control for {names.title(init)}, matched in compute: from scratch with `steps: {steps}` on "
        f"{share_of_data(cell.fraction)}, which sees the pretraining's {wording.count(seen)} images as well."
    )
    return [Sentence(text, Evidence(cells=(cell.id,)), (), ("pretraining",))]


def trend(findings: Findings, names: Names, init: str) -> list[Sentence]:
    """How each model's gain changes with the labelled images."""
    own = [each for each in findings.weights.trends if each.init == init]
    return trends(own, lambda each: names.model(each.model), "models", GOES, ("init_gain",))


def effective(findings: Findings, names: Names, init: str) -> list[Sentence]:
    """How many labelled images training from scratch would need, on the smallest subset, where the gain is decided."""
    own = [each for each in findings.weights.effective if each.init == init]
    smallest = next((f for f in findings.grid.fractions if any(each.fraction == f for each in own)), None)
    decided_there = {
        gain.cell
        for gain in findings.weights.of(init)
        if (found := findings.grid.difference(gain.scratch, gain.cell)) is not None and found.verdict.decided
    }
    return [
        _effective(findings, names, each)
        for each in own
        if each.fraction == smallest and each.cell in decided_there
    ]


def _effective(findings: Findings, names: Names, row: EffectiveData) -> Sentence:
    ratio = row.ratio(findings.grid)
    what = f"with {share_of_data(row.fraction)}, {names.model(row.model)} {names.init(row.init)}"
    if row.images is not None and ratio is not None:
        what += (
            f" has the mean accuracy of training from scratch on about {wording.count(wording.rounded(row.images))} "
            f"labelled images, {ratio:.1f} times as many"
        )
    else:
        end = findings.grid.cells[row.curve[-1 if row.bound == "above" else 0]].train_images
        side = "higher" if row.bound == "above" else "lower"
        what += (
            f" has a {side} mean accuracy than training from scratch on {wording.count(end)} labelled images"
        )
    cells = tuple(dict.fromkeys((row.cell, *row.curve)))
    return Sentence(
        wording.sentence(what), Evidence(cells=tuple(cells)), ("effective_data",), ("effective_data",)
    )


def course(findings: Findings, names: Names, found: Course) -> Sentence:
    """How the mean gain changed over the epochs."""
    verb = {
        Direction.RISES: "it rises over the epochs",
        Direction.FALLS: "it falls over the epochs",
        Direction.LEVEL: "no change beyond the run-to-run spread",
        Direction.UNSTEADY: "up in some pairs, down in others",
        Direction.UNTESTED: "too few seeds to judge",
    }[found.change.direction]
    text = (
        f"Mean gain in test accuracy, {names.init(found.init)}: {wording.signed_points(found.first)} after the first "
        f"epoch, {wording.signed_points(found.last)} after the last; {verb}"
    )
    cells = [name for gain in findings.weights.of(found.init) for name in (gain.scratch, gain.cell)]
    return Sentence(wording.sentence(text), Evidence(cells=tuple(cells)), ("learning_curves",))


def order(findings: Findings, names: Names, claims: list[Claim[Order]]) -> list[Sentence]:
    """Whether the models, of several the largest and the smallest, stand in the same order as from scratch."""
    sentences = []
    who = "the models" if len(findings.grid.models) == 2 else "the largest and the smallest model"
    for claim in claims:
        init, *changed = claim.subjects
        where = (
            share_of_data(changed[0])
            if len(changed) == 1
            else f"{wording.number_word(len(changed))} training-set sizes"
        )
        both = f"{names.init(init)} and from scratch"
        whole = len(claim.evidence.differences) == 2 * len(findings.grid.fractions)
        each = "each training-set size" + ("" if whole else " with results")
        text = {
            Order.SAME: f"On {each} {who} stand in the same order {both}",
            Order.CHANGES: f"On {where} {who} stand in different orders {both}",
            Order.OPEN: f"Whether {who} stand in the same order {both} is not decided",
        }[claim.reading]
        sentences.append(Sentence(wording.sentence(text), claim.evidence, ("init_side_by_side",)))
    return sentences


def pretraining(names: Names, made: Sequence[Pretraining]) -> list[Sentence]:
    """What upstream stages saw, one sentence for models that saw the same; nothing of weights from elsewhere."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in made:
        if each.images is None or each.steps is None:
            continue
        images = wording.count(each.images)
        whose = "of the study's own training images" if each.own_images else f"images ({each.dataset})"
        labels = "with" if each.labels_used else "without"
        seen = f"{images} {whose}, {labels} their labels, for {wording.counted(each.steps, 'step')}"
        model = names.model(each.model) if each.model else "the models"
        alike.setdefault((names.title(each.init), seen), []).append(model)
    told = [
        f"Pretraining on {title.removeprefix('pretrained on ')} took {wording.listing(list(dict.fromkeys(models)))} "
        f"through {seen}."
        for (title, seen), models in alike.items()
    ]
    return [Sentence(text, tables=("pretraining",)) for text in told]


def reasons(found: Reasons) -> list[Sentence]:
    """Return each possible reason as these runs judge it: the paragraph of discussion 2."""
    return judged(found.reasons, WHY, OPEN, "these runs do not decide about")
