"""The sentences about reported numbers, each chosen by a reading."""

import math

from scalestudy.findings.model import Evidence
from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.reference.find import Reported, Standing
from scalestudy.topics.words import share_of, signed_sizes

STANDINGS = {
    Standing.ABOVE: "above",
    Standing.BELOW: "below",
    Standing.WITHIN: "within the run-to-run spread of",
    Standing.UNDECIDED: "undecided against",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none without reported numbers."""
    rows = findings.reference.rows
    compared = [row for row in rows if row.standing.compared]
    stands = standing(compared)
    return Said(answer=tuple(stands), points=(*stands, *left_out(rows)))


def standing(rows: list[Reported]) -> list[Sentence]:
    """How this study stands against the reported numbers, counted, and by how much on average."""
    if not rows:
        return []
    evidence = Evidence(cells=tuple(dict.fromkeys(row.cell for row in rows if row.cell is not None)))
    values = [row.difference for row in rows if row.difference is not None]
    total = f"{wording.number_word(len(rows))} reported number{'' if len(rows) == 1 else 's'}"
    if len(rows) == 1 and rows[0].standing is not Standing.UNDECIDED:
        by = "" if rows[0].standing is Standing.WITHIN else f"{wording.points(abs(values[0]))} "
        ours, theirs = (wording.percent(value) for value in (rows[0].theirs + values[0], rows[0].theirs))
        text = f"at {ours}, this study is {by}{STANDINGS[rows[0].standing]} the reported {theirs}"
    elif all(row.standing is Standing.UNDECIDED for row in rows):
        text = f"this study is {signed_sizes(values)} against {total}: without seeds, undecided"
    else:
        counts = {way: sum(row.standing is way for row in rows) for way in STANDINGS}
        parts = [f"{STANDINGS[way]} {wording.number_word(count)}" for way, count in counts.items() if count]
        mean = math.fsum(values) / len(values)
        text = f"this study is {wording.listing(parts)} of {total}, on average {wording.signed_points(mean)}"
    return [Sentence(wording.sentence(text), evidence, ("reference",), ("reference",))]


def left_out(rows: list[Reported]) -> list[Sentence]:
    """How many reported numbers have no counterpart."""
    gone = [row for row in rows if not row.standing.compared]
    if not gone:
        return []
    verb = "has" if len(gone) == 1 else "have"
    text = f"{share_of(len(gone), len(rows), 'reported number')} {verb} no counterpart here"
    return [Sentence(wording.sentence(text), Evidence(), (), ("reference",))]


def label(names: Names, row: Reported) -> str:
    """Return the settings of a reported number in words."""
    parts = []
    for key, value in row.settings.items():
        if key == "fraction":
            parts.append("all data" if str(value) in ("1", "1.0") else f"{value} of the data")
        else:
            parts.append(names.value(key, value))
    return ", ".join(parts)
