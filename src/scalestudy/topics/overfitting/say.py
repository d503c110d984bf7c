"""The sentences about gaps and learning curves, each chosen by a reading."""

from scalestudy.findings.model import Direction, Evidence
from scalestudy.report import wording
from scalestudy.report.names import share_of_data
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.overfitting.find import Course
from scalestudy.topics.words import NO_TREND, share_of

TRENDS = {
    Direction.RISES: "Over the whole range of images the gap grows.",
    Direction.FALLS: "Over the whole range of images the gap shrinks.",
    Direction.LEVEL: f"Over the whole range of images the mean gap {NO_TREND}.",
    Direction.UNSTEADY: "The gap grows with the images in some series and shrinks in others.",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none without a complete run."""
    if findings.overfitting.missing is not None:
        return Said()
    return Said(points=(*gap(findings), *courses(findings)))


def gap(findings: Findings) -> list[Sentence]:
    """The gap on the smallest and the largest subset, and its trend over all of them."""
    found = findings.overfitting
    if not found.gaps:
        return []
    first, last = found.gaps[0], found.gaps[-1]
    cells = Evidence(cells=tuple(name for each in found.gaps for name in each.cells))
    shown = (("gap_by_size",), ("overfitting",))
    if len(cells.cells) == 1:
        side = "above" if first.gap >= 0 else "below"
        text = f"training accuracy is {wording.points(abs(first.gap))} {side} test accuracy"
        return [Sentence(wording.sentence(text), cells, *shown)]
    if first is last:
        text = f"training accuracy minus test accuracy is {wording.signed_points(first.gap)} on average"
        return [Sentence(wording.sentence(text), cells, *shown)]
    text = (
        f"the mean gap between training and test accuracy is {wording.signed_points(first.gap)} on "
        f"{share_of_data(first.fraction)} and {wording.signed_points(last.gap)} on {share_of_data(last.fraction)}"
    )
    sentences = [Sentence(wording.sentence(text), cells, *shown)]
    if found.trend is not None and found.trend.direction in TRENDS:
        sentences.append(Sentence(TRENDS[found.trend.direction], cells, *shown))
    return sentences


def courses(findings: Findings) -> list[Sentence]:
    """How many settings were still improving, and how many unstable, when training ended."""
    every = findings.overfitting.ended
    sentences = []
    words = {
        Course.IMPROVING: "still improving on the test set in their last epoch",
        Course.FALLING: "worse on the test set after their last epoch",
        Course.UNSTABLE: "unstable: test accuracy fell and rose between epochs beyond test noise",
    }
    for course, what in words.items():
        own = findings.overfitting.of(course)
        if own:
            was, whose = ("was", "its") if len(own) == 1 else ("were", "their")
            text = f"{share_of(len(own), len(every), 'setting')} {was} {what.replace('their', whose)}"
            cells = tuple(each.cell for each in own)
            sentences.append(
                Sentence(
                    wording.sentence(text), Evidence(cells=cells), ("learning_curves",), ("overfitting",)
                )
            )
    if every and all(each.course in (Course.UNDECIDED, Course.SETTLED) for each in every):
        text = "the last epoch did not change test accuracy beyond the run-to-run spread"
        cells = tuple(each.cell for each in every)
        sentences.append(Sentence(wording.sentence(text), Evidence(cells=cells), ("learning_curves",)))
    return sentences
