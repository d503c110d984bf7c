"""The sentences on what the study does not know."""

from scalestudy.findings.model import Evidence
from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.limits.find import Baseline, Unsafe
from scalestudy.topics.words import share_of

MATCHED = "The arms are not matched in compute: runs from scratch got no steps for those of pretraining on {weights}."
FEW_RUNS = 3  # up to which differences of a few spreads are often missed (benchmarks/verdicts.py)
SMALL = "differences of a few run-to-run spreads can stay undecided"
SUBSETS = "One draw of the subsets: how much results depend on which images were drawn is not in the spread."


def say(findings: Findings) -> Said:
    """Return the limits; the baseline leads where results do not beat it."""
    found, names = findings.limits, Names(findings.grid.titles)
    points = [
        *([lost(found.lost)] if found.lost else []),
        *([seeds(findings, found.seeds)] if found.seeds else []),
        *copies(findings),
        *unmatched(findings, names),
        *test_set(findings),
    ]
    if found.subset_seeds == 1 and len(findings.grid.fractions) > 1:
        points.append(Sentence(SUBSETS, tables=("subsets",)))
    lead = [baseline(found.baseline)] if found.baseline and _doubtful(found.baseline) else []
    return Said(lead=tuple(lead), points=tuple(points))


def _doubtful(found: Baseline) -> bool:
    return found.beaten < found.settings


def baseline(found: Baseline) -> Sentence:
    """How results stand against always answering the largest class."""
    rate = wording.percent(found.majority)
    if not found.beaten:
        text = (
            f"the best accuracy, {wording.percent(found.accuracy)}, does not beat always answering the largest class "
            f"({rate}) beyond test sampling"
        )
    else:
        settings = share_of(found.beaten, found.settings, "setting")
        beat = "beats" if found.beaten == 1 else "beat"
        text = f"{settings} {beat} always answering the largest class ({rate}) beyond test sampling"
    return Sentence(wording.sentence(text), Evidence(cells=(found.best,)), (), ("comparison",))


def lost(counts: dict[str, int]) -> Sentence:
    """How many runs have no result."""
    words = {"diverged": "diverged", "failed": "failed", "missing": "without result yet"}
    parts = [f"{wording.number_word(count)} {words[state]}" for state, count in counts.items()]
    text = f"runs are missing: {wording.listing(parts)}, and numbers are without them"
    return Sentence(wording.sentence(text), tables=("runs",))


def seeds(findings: Findings, found: Unsafe) -> Sentence:
    """How many runs each setting has."""
    if found.most == 1:
        text = "one run of a setting decides nothing about it; two or more seeds would"
    elif found.fewest == found.most:
        runs = wording.counted(found.most, "run")
        text = f"{runs} a setting"
        text += f": {SMALL}" if found.most <= FEW_RUNS and found.settings > 1 else ""
    else:
        text = f"{found.fewest} to {found.most} runs a setting"
        if found.single:
            text += f", a single one of {share_of(found.single, found.settings, 'setting')}"
    cells = tuple(cell.id for cell in findings.grid.cells.values() if cell.runs)
    return Sentence(wording.sentence(text), Evidence(cells=cells), (), ("comparison",))


def copies(findings: Findings) -> list[Sentence]:
    """How many test images are training images too, and which images are labelled twice."""
    found = findings.limits.copies
    if found is None:
        return []
    sentences = []
    if found.across_splits:
        are = "is a training image" if found.across_splits == 1 else "are training images"
        text = f"{wording.counted(found.across_splits, 'test image')} {are} too, pixel for pixel"
        sentences.append(Sentence(wording.sentence(text), tables=("subsets",)))
    if found.conflicts:
        named = wording.listing(list(found.named[:2]))
        have = "has" if found.conflicts == 1 else "have"
        text = f"{wording.counted(found.conflicts, 'image')} {have} a copy with another label: {named}"
        sentences.append(Sentence(wording.sentence(text), tables=("subsets",)))
    return sentences


def unmatched(findings: Findings, names: Names) -> list[Sentence]:
    """That pretraining took steps which runs from scratch did not get."""
    weights = [names.title(each) for each in findings.limits.unmatched]
    if not weights:
        return []
    return [Sentence(MATCHED.format(weights=wording.listing(weights)), tables=("pretraining",))]


def test_set(findings: Findings) -> list[Sentence]:
    """How far the one test set carries."""
    found = findings.limits
    if found.sampling is None:
        return []
    text = (
        f"one dataset and one test set of {wording.count(found.test_images)} images, whose sampling alone moves a "
        f"test accuracy by about {wording.points(found.sampling)} either way"
    )
    return [Sentence(wording.sentence(text), tables=("comparison",))]
