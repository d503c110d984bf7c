"""What the saved predictions say: calibration, per-class accuracy, confusions, confident mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalestudy.analysis.intervals import wilson

BINS = 15


def expected_calibration_error(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], bins: int = BINS
) -> float:
    """Return the expected calibration error of M predictions.

    The sum over bins of the bin's share of predictions times |accuracy - mean confidence|. confidence
    float[M] in [0, 1] is the probability of the predicted class, correct bool[M]. `bins` equal-width bins
    (low, high], the first closed at 0. Source: Guo et al. (2017), On calibration of modern neural networks,
    section 2, equation 3 (with M = 15 bins, as in its experiments).
    """
    counts, confidences, hits = _binned(confidence, correct, bins)
    return float(np.abs(hits - confidences).sum() / max(counts.sum(), 1))


def reliability(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], bins: int = BINS
) -> list[dict[str, float]]:
    """Return the reliability diagram (Guo et al. 2017, section 2).

    Per bin that is not empty: its edges `low` and `high`, count `n`, mean `confidence` and `accuracy`.
    """
    counts, confidences, hits = _binned(confidence, correct, bins)
    return [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "n": int(counts[b]),
            "confidence": float(confidences[b] / counts[b]),
            "accuracy": float(hits[b] / counts[b]),
        }
        for b in range(bins)
        if counts[b]
    ]


def _binned(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return per bin the count, the sum of confidences and the number of correct predictions."""
    exact = confidence.astype(np.float64)
    index = np.clip(np.ceil(exact * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins).astype(np.float64)
    sums = np.bincount(index, weights=exact, minlength=bins)
    hits = np.bincount(index, weights=correct.astype(np.float64), minlength=bins)
    return counts, sums.astype(np.float64), hits.astype(np.float64)


def confusion_matrix(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return counts int64[classes, classes]: rows are true classes, columns predicted ones."""
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def per_class(confusion: NDArray[np.int64], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return each class's accuracy (recall) with Wilson interval and its most frequent confusion.

    confusion int64[C, C] as `confusion_matrix` returns it. A class without test images has accuracy None.
    """
    rows = []
    for index, name in enumerate(names):
        total, correct = int(confusion[index].sum()), int(confusion[index, index])
        others = confusion[index].copy()
        others[index] = 0
        worst = int(others.argmax())
        interval = wilson(correct, total) if total else None
        rows.append(
            {
                "class": name,
                "index": index,
                "n": total,
                "correct": correct,
                "accuracy": correct / total if total else None,
                "low": interval.low if interval else None,
                "high": interval.high if interval else None,
                "worst_confusion": {"class": names[worst], "count": int(others[worst])}
                if others[worst]
                else None,
            }
        )
    return rows


def confused_pairs(confusion: NDArray[np.int64], at_most: int = 10) -> list[dict[str, int]]:
    """Return the most frequent mistakes (true class, predicted class, count), most frequent first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:at_most]
    pairs = []
    for flat in order:
        label, prediction = divmod(int(flat), len(wrong))
        if wrong[label, prediction]:
            pairs.append({"label": label, "prediction": prediction, "count": int(wrong[label, prediction])})
    return pairs


def confident_mistakes(
    labels: NDArray[np.int64],
    predictions: NDArray[np.int64],
    probabilities: NDArray[np.floating[Any]],
    at_most: int = 24,
) -> list[dict[str, Any]]:
    """Return the wrong predictions of highest confidence, most confident first, ties by test index.

    `index` is the row of the dataset store's test images.
    """
    wrong = np.flatnonzero(labels != predictions)
    confidence = probabilities[wrong, predictions[wrong]].astype(np.float64)
    order = np.lexsort((wrong, -confidence))[:at_most]
    return [
        {
            "index": int(wrong[each]),
            "label": int(labels[wrong[each]]),
            "prediction": int(predictions[wrong[each]]),
            "confidence": float(confidence[each]),
        }
        for each in order
    ]
