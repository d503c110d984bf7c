"""Calibration: whether a network is as sure of its answers as it should be."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15


class Bin(NamedTuple):
    """A bin of a reliability diagram: its edges, count, mean confidence and accuracy."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


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
) -> list[Bin]:
    """Return the bins of the reliability diagram that are not empty (Guo et al. 2017, section 2)."""
    counts, confidences, hits = _binned(confidence, correct, bins)
    return [
        Bin(b / bins, (b + 1) / bins, int(n), float(confidences[b] / n), float(hits[b] / n))
        for b, n in enumerate(counts)
        if n
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
