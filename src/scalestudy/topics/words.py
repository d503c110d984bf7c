"""Phrases that several topics use: verdicts counted, differences in points, where a number is from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from scalestudy.findings.model import (
    Difference,
    Direction,
    Evidence,
    IntervalKind,
    Reason,
    SeriesTrend,
    Stance,
    Verdict,
)
from scalestudy.report import wording
from scalestudy.topics.base import Sentence

Why = TypeVar("Why", bound=StrEnum)

VERDICTS = {
    Verdict.HIGHER: "higher",
    Verdict.LOWER: "lower",
    Verdict.NOT_DISTINGUISHABLE: "not distinguishable",
    Verdict.ONE_RUN_EACH: "one run each",
    Verdict.NOT_COMPARED: "not compared",
}
DECIDED = (Verdict.HIGHER, Verdict.LOWER)
UNDECIDED = "undecided"
INTERVALS = {
    IntervalKind.SPREAD: "95 % interval from the run-to-run spread",
    IntervalKind.SEEDS: "95 % interval over seeds",
    IntervalKind.TEST_SAMPLING: "95 % test-sampling interval of one run (or of runs that agree)",
}
STANCES = {Stance.FOR: "for", Stance.AGAINST: "against", Stance.OPEN: "open"}
TESTED = (
    "Verdicts are t tests against the run-to-run spread of each training-set size, corrected (Holm) over all pairs of "
    "the report that differ in the same way. Intervals are those of single differences, before that correction."
)
ONE_RUN = "One run of each setting and no spread over seeds: the differences decide nothing."
TOO_FEW = "Too few runs of one setting for a spread over seeds: the differences decide nothing."

NO_TREND = "shows no trend beyond the run-to-run spread"


def basis(verdicts: Iterable[Verdict]) -> str:
    """Return the note under a table of verdicts: how they were tested, or why nothing was."""
    found = set(verdicts)
    if any(each.tested for each in found):
        return TESTED
    return ONE_RUN if found <= {Verdict.ONE_RUN_EACH} else TOO_FEW


def untested(differences: Sequence[Difference]) -> str:
    """Return how a sentence on differences without any test begins: `in the one run of each`."""
    single = all(each.verdict is Verdict.ONE_RUN_EACH for each in differences)
    return "in the one run of each" if single else "with too few runs to decide"


def tally(differences: Sequence[Difference], nouns: str) -> str:
    """Return verdicts counted: `lower in all six pairs`, `higher in three and undecided in two of five pairs`.

    Whatever it says of all or of some is true of the differences given. Undecided are those that a test does not
    tell apart and those without a test: a table says which.
    """
    total, kinds = len(differences), {each.verdict for each in differences}
    if len(kinds) == 1:
        return f"{VERDICTS[kinds.pop()]} {throughout(total, nouns)}"
    counts = {VERDICTS[way]: sum(each.verdict is way for each in differences) for way in DECIDED}
    counts[UNDECIDED] = total - sum(counts.values())
    parts = [f"{word} in {wording.number_word(count)}" for word, count in counts.items() if count]
    if len(parts) == 1:
        return f"{UNDECIDED} {throughout(total, nouns)}"
    return f"{wording.listing(parts)} of {wording.number_word(total)} {nouns}"


def decided(
    differences: Sequence[Difference],
    nouns: str,
    verbs: tuple[str, str],
    what: str,
    again: str = "it",
    *,
    sized: bool = True,
) -> str:
    """Return verdicts counted behind `verbs`, one for higher and one for lower; empty where nothing is decided.

    `beats ResNet-18 in all six pairs, by 1.0 to 2.0 points`, `beats ResNet-18 in two of six pairs and stays below it
    in three; one is undecided`. Sizes stand where all that is decided points one way, unless not `sized`.
    """
    total = len(differences)
    found = {way: [each for each in differences if each.verdict is way] for way in DECIDED}
    parts: list[str] = []
    for way, verb in zip(DECIDED, verbs, strict=True):
        if not (count := len(found[way])):
            continue
        if count == total:
            parts.append(f"{verb} {what} {throughout(total, nouns)}")
        elif not parts:
            parts.append(
                f"{verb} {what} in {wording.number_word(count)} of {wording.number_word(total)} {nouns}"
            )
        else:
            parts.append(f"{verb} {again} in {wording.number_word(count)}")
    if not parts:
        return ""
    text = " and ".join(parts)
    if sized and len(parts) == 1:
        text += f", by {sizes([each.value for way in DECIDED for each in found[way]])}"
    left = total - sum(map(len, found.values()))
    return f"{text}; {wording.number_word(left)} {'is' if left == 1 else 'are'} {UNDECIDED}" if left else text


def throughout(total: int, nouns: str) -> str:
    """Return `in the one pair`, `in both pairs`, `in all six pairs`."""
    return f"in {_all(total, nouns)}"


def _all(total: int, nouns: str) -> str:
    if total == 1:
        return f"the one {nouns}"
    return f"{'both' if total == 2 else f'all {wording.number_word(total)}'} {nouns}"


def share_of(count: int, total: int, noun: str) -> str:
    """Return `the one setting`, `both settings`, `all six settings`, `three of six settings`."""
    if count == total:
        return _all(total, noun if total == 1 else f"{noun}s")
    return f"{wording.number_word(count)} of {wording.number_word(total)} {noun}s"


def sizes(values: Sequence[float]) -> str:
    """Return the range of sizes of differences, without signs: `3.1 points`, `3.1 to 21.0 points`."""
    low, high = min(map(abs, values)), max(map(abs, values))
    return (
        wording.points(low)
        if wording.points(low) == wording.points(high)
        else f"{wording.point_range(low, high)} points"
    )


def signed_sizes(values: Sequence[float]) -> str:
    """Return the range of differences with signs: `+3.1 points`, `−1.0 to +3.1 points`."""
    low, high = min(values), max(values)
    if wording.signed_points(low) == wording.signed_points(high):
        return wording.signed_points(low)
    return f"{wording.bare_point_range(low, high)} points"


def several(names: Sequence[str], total: int, nouns: str) -> str:
    """Return one name, or how many they are of how many: `three of the twelve series`, `the four series`."""
    if len(names) == 1:
        return names[0]
    if len(names) == total:
        return f"the {wording.number_word(total)} {nouns}"
    return f"{wording.number_word(len(names))} of the {wording.number_word(total)} {nouns}"


def trends(
    found: Sequence[SeriesTrend],
    name: Callable[[SeriesTrend], str],
    nouns: str,
    goes: Mapping[Direction, str],
    figures: tuple[str, ...],
    **words: str,
) -> list[Sentence]:
    """Return a sentence for each way in which trends go, with the slopes of those that rise or fall.

    `goes` says for each direction what it means of `{who}` (one name, or how many of the `nouns`), with `{by}` for the
    slopes and `words` of its own. Trends without a test are not told.
    """
    sentences = []
    for way, text in goes.items():
        same = [each for each in found if each.trend.direction is way]
        if not same:
            continue
        by = ""
        if way in (Direction.RISES, Direction.FALLS):
            by = f"{sizes([each.trend.slope for each in same])} per doubling"
        who = several([name(each) for each in same], len(found), nouns)
        said = text.format(who=who, by=by, **words)
        cells = tuple(dict.fromkeys(cell for each in same for cell in each.trend.cells))
        sentences.append(Sentence(wording.sentence(said), Evidence(cells=cells), figures, figures))
    return sentences


def judged(
    reasons: Sequence[Reason[Why]],
    why: Mapping[tuple[Why, Stance], str],
    unsure: Mapping[Why, str],
    lead: str,
) -> list[Sentence]:
    """Return each possible reason as the runs judge it; those that they do not decide stand together after `lead`."""
    said = [
        Sentence(why[each.reason, each.stance], each.evidence)
        for each in reasons
        if each.stance is not Stance.OPEN
    ]
    undecided = [each for each in reasons if each.stance is Stance.OPEN]
    if undecided:
        text = f"{lead} {wording.listing([unsure[each.reason] for each in undecided], 'or')}"
        said.append(Sentence(wording.sentence(text), undecided[0].evidence))
    return said
