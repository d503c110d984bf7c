"""Balanced accuracy, macro F1, top-5 and the majority baseline, against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, top_k_accuracy_score

from scalestudy.errors import UserError
from scalestudy.results.measures import is_balanced, measures, primary_measure, top_k_accuracy


def probabilities_for(predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return probabilities, float16 [M, classes], whose largest are the predictions."""
    drawn = np.random.default_rng(0).dirichlet(np.ones(classes), len(predictions))
    drawn[np.arange(len(predictions)), predictions] += 1
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float16)


def test_always_answering_cat_is_95_percent_accurate_and_worth_half_in_balance() -> None:
    labels = np.array([0] * 95 + [1] * 5)
    always_cat = np.zeros(100, dtype=np.int64)
    found = measures(labels, always_cat, probabilities_for(always_cat, 2))
    assert found.accuracy == 0.95
    assert found.majority_accuracy == 0.95
    assert found.balanced_accuracy == 0.5
    assert found.macro_f1 == pytest.approx((2 * 95 / 195 + 0) / 2)
    assert found.top5_accuracy is None


@pytest.mark.parametrize("classes", [2, 10, 11, 100])
def test_the_measures_are_those_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.choice(classes, 3000, p=random.dirichlet(np.ones(classes)))
    predictions = np.where(random.random(3000) < 0.6, labels, random.integers(0, classes, 3000))
    probabilities = probabilities_for(predictions, classes)
    found = measures(labels, predictions, probabilities)
    assert found.accuracy == pytest.approx(accuracy_score(labels, predictions))
    tested = np.unique(labels)
    expected = f1_score(labels, predictions, labels=tested, average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of answers that are no test image's class
        assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predictions))
    if classes <= 10:
        assert found.top5_accuracy is None
    else:
        exact = probabilities.astype(np.float64) + random.random(probabilities.shape) * 1e-9  # no ties
        top5 = top_k_accuracy_score(labels, exact, k=5, labels=np.arange(classes))
        assert top_k_accuracy(labels, exact, 5) == pytest.approx(top5)
        assert found.top5_accuracy == pytest.approx(top5, abs=0.01)


def test_a_class_without_test_images_enters_no_mean() -> None:
    labels, predictions = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    found = measures(labels, predictions, probabilities_for(predictions, 3))
    assert found.balanced_accuracy == pytest.approx((1 + 1 / 2) / 2)
    assert found.macro_f1 == pytest.approx((1 + 2 / 3) / 2)


def test_a_label_that_ties_at_the_fifth_place_counts_by_its_chance() -> None:
    probabilities = np.zeros((1, 12), dtype=np.float16)
    probabilities[0, :3] = 0.3  # three before it; nine classes tie for the two places that are left
    assert top_k_accuracy(np.array([11]), probabilities, 5) == pytest.approx(2 / 9)
    assert top_k_accuracy(np.array([0]), probabilities, 5) == 1


@pytest.mark.parametrize(
    ("counts", "balanced"),
    [([1000] * 10, True), ([36, 35, 37, 34], True), ([95, 5], False), ([3, 2], True), ([40, 40, 0], True)],
)
def test_accuracy_is_spoken_of_where_the_classes_are_balanced(counts: list[int], balanced: bool) -> None:
    assert is_balanced(counts) is balanced
    assert primary_measure("auto", counts) == ("accuracy" if balanced else "balanced_accuracy")
    assert primary_measure("macro_f1", counts) == "macro_f1"


def test_top5_of_ten_classes_is_refused_with_what_to_do() -> None:
    assert primary_measure("top5_accuracy", [5] * 11) == "top5_accuracy"
    with pytest.raises(
        UserError, match=r"says nothing with 10 classes .* choose accuracy, .* no run is trained again"
    ):
        primary_measure("top5_accuracy", [5] * 10)
