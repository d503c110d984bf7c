"""The sentences about data against steps, each chosen by a reading."""

from collections.abc import Sequence

from scalestudy.findings.model import Evidence
from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.recipes.say import named
from scalestudy.topics.steps.find import Missing, NotRead, Planned, Read, Reading, ReadPair
from scalestudy.topics.words import share_of, signed_sizes, tally

MISSING = {
    Missing.ONE_SIZE: "The study has one training-set size; add values to `fraction`.",
    Missing.EQUAL_ALREADY: "Every run takes equally many steps, so the comparison of sizes is one at equal steps.",
    Missing.NO_PAIR: "No series has results for two training-set sizes; run the missing ones.",
}
NOT_READ = {
    NotRead.LATE: "not measured so early",
    NotRead.JUMP: "not read: the curve jumps there",
    NotRead.SCHEDULE: "not read: learning rate still high",
}
READINGS = {
    Reading.DATA: "most is there at equal steps",
    Reading.STEPS: "most comes with these",
    Reading.OPEN: "undecided which is more",
}
WHY_NOT = {
    NotRead.LATE: "larger subsets were measured too late",
    NotRead.JUMP: "the curves jump by more than the difference",
    NotRead.SCHEDULE: "the learning rate was still high there",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none where the question does not arise."""
    found = findings.steps
    points = [equal(findings, each) for each in found.planned]
    if found.missing is None and found.read is not None:
        points.append(read(found.read, found.pairs))
    elif found.missing is None and found.pairs:
        points.append(unread(findings))
    return Said(points=tuple(points))


def equal(findings: Findings, found: Planned) -> Sentence:
    """What the largest subset brings where all subsets get equally many steps."""
    compared = findings.grid.of(found.balance.evidence.differences)
    series = "series"
    group = findings.grid.group(found.group)
    rest = tuple(key for key in group.differs if key not in ("steps", "epochs"))
    more = f" and {named(Names(findings.grid.titles), group, rest)}" if rest else ""
    text = (
        f"with {wording.counted(found.steps, 'step')} for every subset{more}, the largest against the smallest is "
        f"{tally(compared, series)} ({signed_sizes([each.value for each in compared])})"
    )
    return Sentence(wording.sentence(text), found.balance.evidence, ("equal_steps",), ("equal_steps",))


def read(found: Read, pairs: Sequence[ReadPair]) -> Sentence:
    """What the larger of two subsets had gained when the smaller one had ended, and what followed."""
    read_there = sum(pair.at is not None for pair in pairs)
    over = "" if read_there == len(pairs) else f" over {share_of(read_there, len(pairs), 'pair')}"
    text = (
        f"at equal steps, the larger subset's test accuracy is on average {wording.signed_points(found.by_data.value)}"
        f"{over}, and its further steps bring {wording.signed_points(found.by_steps.value)}: {READINGS[found.reading]}"
    )
    return Sentence(wording.sentence(text), Evidence(cells=found.cells), ("equal_steps",), ("equal_steps",))


def unread(findings: Findings) -> Sentence:
    """Why the curves do not tell data from steps."""
    pairs = findings.steps.pairs
    reasons = list(dict.fromkeys(each.not_read for each in pairs if each.not_read is not None))
    text = f"learning curves do not tell data from steps here: {wording.listing([WHY_NOT[each] for each in reasons])}"
    cells = tuple(dict.fromkeys(name for each in pairs for name in (each.small, each.large)))
    return Sentence(wording.sentence(text), Evidence(cells=cells), ("equal_steps",), ("equal_steps",))
