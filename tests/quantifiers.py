"""Sentences that count or generalise, held against the evidence that they name.

Each phrase that quantifies has a checker here; a sentence with such a word and no phrase that is known fails, so a new
wording needs its checker.
"""

import re
from collections.abc import Callable, Sequence

from scalestudy.findings.model import Difference, Verdict
from scalestudy.report.wording import number_word
from scalestudy.topics.base import Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.words import DECIDED, UNDECIDED, VERDICTS

NUMBERS = {number_word(number): number for number in range(100)} | {"both": 2, "the one": 1}
WORDS = re.compile(
    r"\b(all|both|each|every|everywhere|always|never|none|no|throughout|only|only one|any)\b", re.I
)
VERDICT_WORDS = "|".join(sorted((*VERDICTS.values(), UNDECIDED), key=len, reverse=True))
NOUNS = r"(pairs?|comparisons?|series|steps?)( with results)?"
SETTINGS = r"((?P<all>both|all \w+|the one)|(?P<number>\w+) of \w+) (settings?|comparisons?(?=:)|pairs?(?=, and its))"
UNMATCHED = r"(?P<all>both|all \w+|the one) reported numbers? (has|have) no counterpart"
SHARE = r"(all \w+|none of \w+|\w+ of \w+)"
PARTS = (
    rf"added in turn, (?P<helps>{SHARE}) parts helps?[^;]*?(, (?P<hurts>\w+) hurts?)?; left out, (?P<costs>{SHARE}) "
    r"costs? accuracy([^;]*, (?P<raises>\w+) raises? it)?"
)
# Words that quantify nothing where they stand so.
IDIOMS = (
    *(r"all data", r"one run each", r"the one run of each", r"from one run each"),
    r"no (trend|change) beyond the run-to-run spread",
    r"no (dropout|weight decay|label smoothing)",
    r"(has|have) no counterpart here",
)


def _all(found: Sequence[Difference], match: re.Match[str]) -> None:
    """`beat ... in all six pairs`, `lower in both pairs`: the same of each, and as many as it says."""
    meant = {
        **dict.fromkeys(("beat", "beats", "raise"), "higher"),
        **dict.fromkeys(("stay below", "stays below"), "lower"),
        **dict.fromkeys(("are not distinguishable", "does not change"), "not distinguishable"),
    }
    wanted = meant.get(match["verdict"].lower(), match["verdict"].lower())
    if wanted == UNDECIDED:
        assert not any(each.verdict.decided for each in found)
    else:
        assert {VERDICTS[each.verdict] for each in found} == {wanted}
    assert len(found) == NUMBERS[match["number"].lower()]


def _some(found: Sequence[Difference], match: re.Match[str]) -> None:
    """`higher in three, lower in one and undecided in two of six pairs`: counts, and nothing left out."""
    counts = {
        part["verdict"].lower(): NUMBERS[part["number"]]
        for part in re.finditer(rf"(?P<verdict>{VERDICT_WORDS}) in (?P<number>\w+)", match[0], flags=re.I)
    }
    decided = {VERDICTS[way]: sum(each.verdict is way for each in found) for way in DECIDED}
    expected = {**decided, UNDECIDED: len(found) - sum(decided.values())}
    assert counts == {word: count for word, count in expected.items() if count}
    assert sum(counts.values()) == len(found) == NUMBERS[match["total"]]


def _decided(found: Sequence[Difference], match: re.Match[str]) -> None:
    """`beats ... in three of six pairs and stays below it in one; two are undecided`: counts, and nothing left out."""
    meant = {"beat": Verdict.HIGHER, "raise": Verdict.HIGHER, "stay": Verdict.LOWER, "lower": Verdict.LOWER}
    counts = {meant[match["verb"].lower().rstrip("s")]: NUMBERS[match["number"]]}
    if match["other"]:
        counts[meant[match["other"].rstrip("s")]] = NUMBERS[match["more"]]
    assert len(counts) == 1 + bool(match["other"])
    assert counts == {way: n for way in DECIDED if (n := sum(each.verdict is way for each in found))}
    assert len(found) == NUMBERS[match["total"]]
    assert len(found) - sum(counts.values()) == (NUMBERS[match["open"]] if match["open"] else 0)


def _same_order(found: Sequence[Difference], match: re.Match[str]) -> None:
    """`On each training-set size the models stand in the same order`: neighbours in the evidence are its pairs."""
    assert len(found) % 2 == 0
    for one, other in zip(found[::2], found[1::2], strict=True):
        assert one.verdict.decided
        assert one.verdict is other.verdict


def _parts(findings: Findings, match: re.Match[str]) -> None:
    """`Added in turn, all eleven parts help; left out, seven of twelve cost accuracy`: counted over the parts."""
    sides = (
        (match["helps"], Verdict.HIGHER, [each.added for each in findings.recipes.parts]),
        (match["costs"], Verdict.LOWER, [each.left_out for each in findings.recipes.parts]),
    )
    opposite = ((match["hurts"], Verdict.LOWER), (match["raises"], Verdict.HIGHER))
    for (said, verdict, pairs), (against, other) in zip(sides, opposite, strict=True):
        found = [each for pair in pairs if pair and (each := findings.grid.difference(*pair))]
        words = said.lower().split()
        total = NUMBERS[words[-1]]
        count = {"all": total, "none": 0}.get(words[0], NUMBERS.get(words[0]))
        assert (sum(each.verdict is verdict for each in found), len(found)) == (count, total)
        assert sum(each.verdict is other for each in found) == (NUMBERS[against] if against else 0)


CHECKS: dict[str, Callable[[Sequence[Difference], re.Match[str]], None]] = {
    rf"(?P<verdict>beats?|stays? below|raise|does not change|are not distinguishable|{VERDICT_WORDS})[^,;:]* "
    rf"in (all )?(?P<number>both|the one|\w+) {NOUNS}": _all,
    rf"((?P<_v>{VERDICT_WORDS}) in \w+(, | and )?)+ ?of (?P<total>\w+) {NOUNS}": _some,
    rf"(?P<verb>beats?|stays?|raise|lower) [^,;:]* ?in (?P<number>\w+) of (?P<total>\w+) {NOUNS}"
    r"( and (?P<other>stays?|lower) [^,;:]* ?in (?P<more>\w+))?"
    r"(, by [\d. to]+ points?)?(; (?P<open>\w+) (is|are) undecided)?\.": _decided,
    r"on each training-set size (with results )?the (models|largest and the smallest model) stand in the same order": (
        _same_order
    ),
}


def check(sentence: Sentence, findings: Findings) -> bool:
    """Hold a sentence against its evidence; return whether it quantifies."""
    rest, quantifies = sentence.text, False
    found = findings.grid.of(sentence.evidence.differences)
    for pattern, holds in CHECKS.items():
        if match := re.search(pattern, rest, flags=re.I):
            assert found, f"quantifies over nothing: {sentence.text}"
            holds(found, match)
            rest, quantifies = rest.replace(match[0], ""), True
    if match := re.search(SETTINGS, rest, flags=re.I):
        if match["all"]:
            assert len(sentence.evidence.cells) == NUMBERS[match["all"].lower().removeprefix("all ")]
        rest, quantifies = rest.replace(match[0], ""), True
    if match := re.search(PARTS, rest, flags=re.I):
        _parts(findings, match)
        rest, quantifies = rest.replace(match[0], ""), True
    if match := re.search(UNMATCHED, rest, flags=re.I):
        rows = findings.reference.rows
        assert not any(row.standing.compared for row in rows)
        assert len(rows) == NUMBERS[match["all"].lower().removeprefix("all ")]
        rest, quantifies = rest.replace(match[0], ""), True
    for idiom in IDIOMS:
        rest = re.sub(idiom, "", rest, flags=re.I)
    assert not WORDS.search(rest), f"no check for: {sentence.text}"
    return quantifies
