"""The paragraph of discussion 1, chosen by readings."""

from collections.abc import Sequence

from scalestudy.findings.model import Evidence, Stance
from scalestudy.report import wording
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.expectation.find import Expectation, Figure, Why
from scalestudy.topics.findings import Findings
from scalestudy.topics.words import judged

FIGURES = {
    Figure.SHOWS: "The textbook figure shows: {what} are ahead.",
    Figure.PARTLY: "The textbook figure, with {what} ahead, shows in part.",
    Figure.NOT: "The textbook figure, with {what} ahead, does not show.",
    Figure.OPEN: "These runs do not decide whether the textbook figure, with {what} ahead, shows.",
}
WHY = {
    (
        Why.OPTIMISATION,
        Stance.FOR,
    ): "Optimisation holds the larger model back: it fits even its own training images worse.",
    (
        Why.OPTIMISATION,
        Stance.AGAINST,
    ): "Optimisation is not it: the larger model fits its own training images better.",
    (
        Why.OVERFITTING,
        Stance.FOR,
    ): "Overfitting may explain it: the larger model has the larger gap between training and test.",
    (Why.OVERFITTING, Stance.AGAINST): "Overfitting is not it: the larger model has the smaller gap.",
    (
        Why.LEARNING_RATE,
        Stance.FOR,
    ): "The learning rate may be too high: some runs diverge, or fall and rise between epochs.",
    (Why.OTHER_RATE, Stance.FOR): "The learning rate may explain it: another one does better.",
    (
        Why.OTHER_RATE,
        Stance.AGAINST,
    ): "The learning rate is not it: other rates do worse where they differ.",
    (
        Why.FEW_STEPS,
        Stance.FOR,
    ): "Few steps may explain it: most of what a larger subset gains comes with its further steps.",
    (Why.FEW_STEPS, Stance.AGAINST): "Few steps are not it: most of the difference is there at equal steps.",
}
OPEN = {
    Why.OPTIMISATION: "optimisation",
    Why.OVERFITTING: "overfitting",
    Why.LEARNING_RATE: "the learning rate",
    Why.FEW_STEPS: "data against steps",
    Why.STEM: "the stock stem, made for larger images and not varied here",
}


def say(findings: Findings) -> Said:
    """Return the paragraph; none where nothing is compared."""
    found = findings.expectation
    if found.missing is not None:
        return Said()
    return Said(points=(figure(found, findings.grid.models), *reasons(found)))


def figure(found: Expectation, models: Sequence[str]) -> Sentence:
    """Whether the textbook figure shows."""
    sides = [side for side in (found.data, found.models) if side is not None]
    keys = tuple(dict.fromkeys(key for side in sides for key in side.differences))
    larger = "larger models" if len(models) == 2 else "models larger than the smallest"
    compared = (("more images", found.data), (larger, found.models))
    what = wording.listing([words for words, side in compared if side is not None])
    return Sentence(
        FIGURES[found.figure].format(what=what),
        Evidence(differences=keys),
        ("accuracy_by_size", "model_size"),
    )


def reasons(found: Expectation) -> list[Sentence]:
    """Return each possible reason as these runs judge it."""
    return judged(found.reasons, WHY, OPEN, "not decided here:")
