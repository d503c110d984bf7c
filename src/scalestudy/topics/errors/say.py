"""The sentences about errors, each chosen by a reading."""

from collections.abc import Sequence

from scalestudy.findings.model import Evidence
from scalestudy.report import wording
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.errors.find import Confidence, Contrast, Errors, Network
from scalestudy.topics.findings import Findings
from scalestudy.topics.words import share_of, sizes

MOST_CLASSES = 5  # of equal accuracy that a sentence names
SURENESS = {
    Confidence.OVER: "Confidence exceeds accuracy",
    Confidence.UNDER: "Confidence stays below accuracy",
    Confidence.FITS: "Confidence is not distinguishable from accuracy",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none without predictions, and none about classes where there are few mistakes."""
    found = findings.errors
    return Said(points=(*classes(found), *confusion(found), *agreement(found), *sureness(found.networks)))


def classes(found: Errors) -> list[Sentence]:
    """For which classes the best result is right most often and least often."""
    if found.cell is None:
        return []
    if found.contrast is Contrast.ALIKE:
        text = "The classes of the best result do not differ in accuracy beyond which test images were drawn."
    elif found.contrast is Contrast.DIFFER:
        most, least = found.right(True), found.right(False)
        share = {each.name: each.accuracy.value for each in found.classes if each.accuracy is not None}
        text = (
            f"The best result is right most often for {named(most)} ({wording.percent(share[most[0]])}), least often "
            f"for {named(least)} ({wording.percent(share[least[0]])})."
        )
    else:
        return []
    return [Sentence(text, Evidence(cells=(found.cell,)), ("per_class",), ("per_class",))]


def named(classes: Sequence[str]) -> str:
    """Return classes as a list; of many, the first and how many more."""
    more = len(classes) - MOST_CLASSES
    return wording.listing(classes if more <= 0 else [*classes[:MOST_CLASSES], f"{more} more"])


def confusion(found: Errors) -> list[Sentence]:
    """The most frequent mistake, where one stands out."""
    if found.cell is None or found.most_confused is None:
        return []
    own = found.most_confused
    true, predicted = found.classes[own.true], found.classes[own.predicted]
    text = (
        f"its most frequent mistake takes {true.name} for {predicted.name}: {wording.count(own.count)} of "
        f"{wording.counted(true.images, 'test image')}"
    )
    return [Sentence(wording.sentence(text), Evidence(cells=(found.cell,)), ("confusion",), ("per_class",))]


def agreement(found: Errors) -> list[Sentence]:
    """How far runs of the best result that differ in their seeds answer alike."""
    own = found.agreement
    if found.cell is None or own is None:
        return []
    text = (
        f"the {wording.number_word(len(own.runs))} runs of the best result agree pairwise on "
        f"{wording.percent(own.same)} of the test images; a run errs on {wording.percent(own.wrong)}, "
        f"the {wording.number_word(len(own.runs))} together on the same {wording.percent(own.wrong_in_all)}"
    )
    return [Sentence(wording.sentence(text), Evidence(cells=(found.cell,)), (), ("calibration",))]


def sureness(networks: Sequence[Network]) -> list[Sentence]:
    """How many settings are overconfident beyond noise, and how many underconfident."""
    sentences = []
    for reading, words in SURENESS.items():
        own = [each for each in networks if each.reading is reading]
        if not own or (reading is Confidence.FITS and len(own) < len(networks)):
            continue
        text = words if len(networks) == 1 else f"{words} in {share_of(len(own), len(networks), 'setting')}"
        by = "" if reading is Confidence.FITS else f"by {sizes([each.over for each in own])}"
        text += (" " if len(networks) == 1 else ", ") + by if by else ""
        evidence = Evidence(cells=tuple(each.cell for each in own))
        sentences.append(Sentence(wording.sentence(text), evidence, ("reliability",), ("calibration",)))
    return sentences
