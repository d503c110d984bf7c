"""What the saved predictions say: classes and their confusions, calibration, and whether seeds agree."""

import itertools
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from scalestudy.findings.load import Predictions
from scalestudy.findings.model import Cell, Interval, IntervalKind, Record, Stat
from scalestudy.findings.study import Study
from scalestudy.results.measures import confusion_matrix
from scalestudy.stats.calibration import reliability
from scalestudy.stats.estimate import ALPHA, deviation, holm, t_interval
from scalestudy.stats.proportions import wilson
from scalestudy.topics.recipes import find as recipes

FEWEST_MISTAKES = 10  # of a network, below which nothing is said about its classes
MOST_MISTAKES = 24


class Missing(StrEnum):
    """Why there is nothing to find."""

    NO_PREDICTIONS = "no_predictions"


class Contrast(StrEnum):
    """Whether the classes differ in how often they are right, beyond which test images were drawn."""

    DIFFER = "differ"
    ALIKE = "alike"
    FEW_MISTAKES = "few_mistakes"


class Confidence(StrEnum):
    """Whether networks are more or less sure than they are right, beyond test sampling and seeds."""

    OVER = "over"
    UNDER = "under"
    FITS = "fits"


class OneClass(Record):
    """A class as the runs see it: how often it is right (None without test images), and what it is taken for.

    `images` is a single run's; `accuracy` that of the mean run. `taken_for` are the classes that it is mistaken for
    most often, several where they tie, by index; `taken` how often in the mean run.
    """

    name: str
    images: int
    accuracy: Stat | None
    taken_for: tuple[int, ...]
    taken: float


class Confusion(Record):
    """The most frequent mistake, where it is more frequent than an even spread of its class's mistakes explains."""

    true: int
    predicted: int
    count: float
    p: float


class Mistake(Record):
    """A wrong answer of one network: the row of the dataset store's test images, and how sure it was.

    `wrong_in` of the cell's runs get this image wrong.
    """

    image: int
    true: int
    predicted: int
    confidence: float
    wrong_in: int


class Agreement(Record):
    """How far runs that differ in their seeds alone answer alike: shares of test images.

    `same`: two runs give the same answer, on average over pairs. `wrong_in_all`: every run is wrong. `wrong`: one run
    is, on average.
    """

    runs: tuple[str, ...]
    same: float
    wrong_in_all: float
    wrong: float


class Bin(Record):
    """A bin of a reliability diagram: its edges, images, mean confidence and accuracy."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


class Network(Record):
    """How sure the runs of a cell are: mean confidence, and by how much it exceeds accuracy.

    `over` is the mean over runs, `p` (Holm-corrected over the cells) that it is zero, by the larger of the p of test
    sampling and that of seeds. `bins` are those of `run`, the first.
    """

    cell: str
    run: str
    confidence: Stat
    over: float
    p: float
    reading: Confidence
    agreement: Agreement | None
    bins: tuple[Bin, ...]


class Errors(Record):
    """All that was found about errors. Classes, confusions and mistakes are those of the best result, `cell`.

    `matrix` counts test images by true (rows) and predicted class, summed over `runs`; mistakes are those of the first.
    """

    missing: Missing | None
    cell: str | None = None
    runs: tuple[str, ...] = ()
    contrast: Contrast | None = None
    classes: tuple[OneClass, ...] = ()
    matrix: tuple[tuple[int, ...], ...] = ()
    most_confused: Confusion | None = None
    mistakes: tuple[Mistake, ...] = ()
    agreement: Agreement | None = None
    networks: tuple[Network, ...] = ()

    def right(self, most: bool) -> tuple[str, ...]:
        """Return the classes that are right most (or least) often: several where they tie."""
        known = [(each.name, each.accuracy.value) for each in self.classes if each.accuracy is not None]
        end = (max if most else min)((value for _, value in known), default=0.0)
        return tuple(name for name, value in known if abs(value - end) < 1e-12)


def find(study: Study) -> Errors:
    """Return what the predictions of the best result and of the base recipe's cells say.

    Where the base recipe has a single cell, the best result is asked how sure it is, too.
    """
    best = study.once(recipes.find).best
    asked = dict.fromkeys(study.grid.base.cells)
    if best is not None and study.grid.base_at_one_point:
        asked[best.cell] = None
    networks = _networks(study, tuple(asked))
    saved = _saved(study, study.grid.cells[best.cell]) if best is not None else {}
    if not saved:
        missing = None if networks else Missing.NO_PREDICTIONS
        return Errors(missing=missing, networks=networks)
    names = _names(study, saved)
    counts = np.stack(
        [confusion_matrix(each.labels, each.predictions, len(names)) for each in saved.values()]
    )
    classes = _classes(names, counts, tuple(saved))
    contrast = _contrast(counts)
    return Errors(
        missing=None,
        cell=best.cell if best else None,
        runs=tuple(saved),
        contrast=contrast,
        classes=classes,
        matrix=tuple(tuple(int(each) for each in row) for row in counts.sum(axis=0)),
        most_confused=None if contrast is Contrast.FEW_MISTAKES else most_confused(counts.mean(axis=0)),
        mistakes=tuple(confident_mistakes(list(saved.values()))),
        agreement=agreement(saved),
        networks=networks,
    )


def _saved(study: Study, cell: Cell) -> dict[str, Predictions]:
    """Return the predictions of a cell's runs on the same test images, by run; those of other images are left out."""
    found = {run: saved for run in cell.runs if (saved := study.predictions(run)) is not None}
    first = next(iter(found.values()), None)
    return {run: each for run, each in found.items() if first and each.labels_sha256 == first.labels_sha256}


def _names(study: Study, saved: Mapping[str, Predictions]) -> list[str]:
    """Return the names of the classes; their numbers where no names are known."""
    count = next(iter(saved.values())).probabilities.shape[1]
    named = [str(name) for name in study.collected.dataset.get("classes") or ()]
    if not named and (record := study.collected.record(next(iter(saved)))) is not None:
        named = list(record.dataset.classes)
    return named if len(named) >= count else [str(number) for number in range(count)]


def _classes(names: Sequence[str], counts: NDArray[np.int64], runs: tuple[str, ...]) -> tuple[OneClass, ...]:
    rows = []
    for index, name in enumerate(names):
        images = int(counts[0][index].sum())
        others = counts[:, index].sum(axis=0)
        others[index] = 0
        most = int(others.max())
        rows.append(
            OneClass(
                name=name,
                images=images,
                accuracy=_accuracy([int(each[index, index]) for each in counts], images, runs),
                taken_for=tuple(int(other) for other in np.flatnonzero(others == most)) if most else (),
                taken=most / len(counts),
            )
        )
    return tuple(rows)


def _accuracy(correct: Sequence[int], images: int, runs: tuple[str, ...]) -> Stat | None:
    """Return a class's accuracy over runs: with Student's interval, or Wilson's for one run and for runs that agree."""
    if not images:
        return None
    values = [each / images for each in correct]
    over_seeds = t_interval(values)
    bounds = over_seeds.clipped() if over_seeds else wilson(correct[0], images)
    kind = IntervalKind.SEEDS if over_seeds else IntervalKind.TEST_SAMPLING
    return Stat(
        value=sum(correct) / (images * len(correct)),
        values=tuple(values),
        runs=runs,
        sd=deviation(values) if len(values) > 1 else None,
        interval=Interval(low=bounds.low, high=bounds.high, kind=kind),
    )


def _contrast(counts: NDArray[np.int64]) -> Contrast:
    """Return whether classes differ in accuracy: Pearson's chi-squared test on the mean run of int64[runs, C, C].

    Source: Pearson (1900), On the criterion ..., Philosophical Magazine 50. The mean run, because runs share their test
    images: adding them up would count each image several times.
    """
    mean = counts.mean(axis=0)
    tested = mean.sum(axis=1) > 0
    right = np.diag(mean)[tested]
    wrong = mean.sum(axis=1)[tested] - right
    if wrong.sum() < FEWEST_MISTAKES:
        return Contrast.FEW_MISTAKES
    if len(right) < 2 or not right.sum():
        return Contrast.ALIKE
    from scipy import stats

    p = float(stats.chi2_contingency(np.stack([right, wrong]), correction=False).pvalue)
    return Contrast.DIFFER if p < ALPHA else Contrast.ALIKE


def most_confused(matrix: NDArray[np.float64]) -> Confusion | None:
    """Return the most frequent mistake, float[C, C], that stands out from the other mistakes of its class.

    Under the null each mistake of a class falls on any other class alike; exact binomial, Bonferroni over all pairs.
    None where none stands out, or the most frequent ones tie: a mistake seen twice is no pattern.
    """
    wrong = np.array(matrix, dtype=np.float64)
    np.fill_diagonal(wrong, 0)
    classes = len(wrong)
    places = np.argwhere(wrong == wrong.max())
    if classes < 3 or len(places) > 1:
        return None
    true, predicted = (int(place) for place in places[0])
    count, total = round(wrong[true, predicted]), round(wrong[true].sum())
    from scipy import stats

    p = float(stats.binomtest(count, max(total, count), 1 / (classes - 1), alternative="greater").pvalue)
    p = min(1.0, p * classes * (classes - 1))
    if p >= ALPHA:
        return None
    return Confusion(true=true, predicted=predicted, count=float(wrong[true, predicted]), p=p)


def confident_mistakes(saved: Sequence[Predictions]) -> list[Mistake]:
    """Return the first run's wrong answers of highest confidence, surest first, ties by test image."""
    first = saved[0]
    wrong = np.flatnonzero(~first.correct)
    confidence = first.confidence[wrong].astype(np.float64)
    times = sum((~each.correct).astype(np.int64) for each in saved)
    return [
        Mistake(
            image=int(wrong[place]),
            true=int(first.labels[wrong[place]]),
            predicted=int(first.predictions[wrong[place]]),
            confidence=float(confidence[place]),
            wrong_in=int(np.asarray(times)[wrong[place]]),
        )
        for place in np.lexsort((wrong, -confidence))[:MOST_MISTAKES]
    ]


def agreement(saved: Mapping[str, Predictions]) -> Agreement | None:
    """Return how far two or more runs answer alike on the same test images; None for one."""
    if len(saved) < 2:
        return None
    answers = [each.predictions for each in saved.values()]
    wrong = np.stack([~each.correct for each in saved.values()])
    same = [float((a == b).mean()) for a, b in itertools.combinations(answers, 2)]
    return Agreement(
        runs=tuple(saved),
        same=float(np.mean(same)),
        wrong_in_all=float(wrong.all(axis=0).mean()),
        wrong=float(wrong.mean()),
    )


def _networks(study: Study, cells: Sequence[str]) -> tuple[Network, ...]:
    known = {name: _saved(study, study.grid.cells[name]) for name in cells}
    known = {name: saved for name, saved in known.items() if saved}
    tested = {name: overconfidence(list(saved.values())) for name, saved in known.items()}
    adjusted = holm([p for _, p in tested.values()])
    return tuple(
        Network(
            cell=name,
            run=next(iter(saved)),
            confidence=_confidence(saved),
            over=tested[name][0],
            p=p,
            reading=Confidence.FITS
            if p >= ALPHA
            else (Confidence.OVER if tested[name][0] > 0 else Confidence.UNDER),
            agreement=agreement(saved),
            bins=_bins(next(iter(saved.values()))),
        )
        for (name, saved), p in zip(known.items(), adjusted, strict=True)
    )


def overconfidence(saved: Sequence[Predictions]) -> tuple[float, float]:
    """Return mean confidence minus accuracy over runs, and the p of its being zero.

    The larger of two: that of test sampling (normal; the runs' mean difference per image, float[M]) and, with several
    runs, that of seeds (Student's t).
    """
    each = np.stack([one.confidence.astype(np.float64) - one.correct for one in saved])
    per_image, per_run = each.mean(axis=0), each.mean(axis=1)
    error = float(per_image.std(ddof=1)) / len(per_image) ** 0.5 if len(per_image) > 1 else 0.0
    mean = float(each.mean())
    from scipy import stats

    p = 2 * float(stats.norm.sf(abs(mean) / error)) if error else 1.0
    if len(saved) > 1 and np.ptp(per_run):
        p = max(p, float(stats.ttest_1samp(per_run, 0.0).pvalue))
    return mean, p


def _confidence(saved: Mapping[str, Predictions]) -> Stat:
    values = [float(each.confidence.astype(np.float64).mean()) for each in saved.values()]
    found = t_interval(values)
    bounds = found.clipped() if found else None
    return Stat(
        value=float(np.mean(values)),
        values=tuple(values),
        runs=tuple(saved),
        sd=deviation(values) if len(values) > 1 else None,
        interval=Interval(low=bounds.low, high=bounds.high, kind=IntervalKind.SEEDS) if bounds else None,
    )


def _bins(saved: Predictions) -> tuple[Bin, ...]:
    return tuple(
        Bin(low=each.low, high=each.high, images=each.n, confidence=each.confidence, accuracy=each.accuracy)
        for each in reliability(saved.confidence, saved.correct)
    )
