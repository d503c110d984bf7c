"""Shares of test images: intervals of one share, and tests of two classifiers on the same images."""

import math

from scalestudy.stats.estimate import CONFIDENCE, Bounds


def wilson(correct: int, total: int) -> Bounds:
    """Return the score interval of a proportion, `correct` of `total`: the sampling error of one test set.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22;
    without continuity correction. ValueError for an empty test set.
    """
    if total < 1:
        raise ValueError("a proportion needs at least one trial")
    from scipy import stats  # takes a second, and drawing and rendering need none of it

    found = stats.binomtest(correct, total).proportion_ci(CONFIDENCE, method="wilson")
    return Bounds(float(found.low), float(found.high))


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p of McNemar's test of two networks on the same test images.

    Only a is right on `only_a` images, only b on `only_b`. It asks whether these two networks err on
    different images, and says nothing about the settings that they were trained with: another seed is
    another network. Source: McNemar (1947), Psychometrika 12; Dietterich (1998), Approximate statistical
    tests for comparing supervised classification learning algorithms, Neural Computation 10, section 3.1.
    """
    if only_a + only_b == 0:
        return 1.0
    from scipy import stats

    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def binomial_error(share: float, total: int) -> float:
    """Return the standard error of a proportion of `total` trials."""
    return math.sqrt(share * (1 - share) / max(total, 1))
