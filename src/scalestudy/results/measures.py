"""Measures of a run beside its accuracy, from the labels of the test images and what the model made of them.

Accuracy rewards a model for the large classes: of 95 cats and 5 trucks, always answering "cat" is right 95 times in a
hundred. Balanced accuracy and macro F1 count each class alike; the majority baseline is what answering without
looking gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scalestudy.errors import UserError

Measure = Literal["accuracy", "balanced_accuracy", "macro_f1", "top5_accuracy"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

CLASSES_FOR_TOP5 = 11
"""From this many classes on, top-5 accuracy says something: of ten, half the classes would count as right."""

_BALANCED_RATIO = 1.5


@dataclass(frozen=True)
class Measures:
    """The measures of one run on the test set, each in [0, 1]. `top5_accuracy` is None with ten classes or fewer.

    `majority_accuracy` is the accuracy of always answering the largest class of the test set, the best that an answer
    without looking can reach: it belongs to the data, and is the same for all runs.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    top5_accuracy: float | None
    majority_accuracy: float


def measures(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> Measures:
    """Return the measures of one run: `labels`, `predictions` [M], `probabilities` [M, C]; M is at least 1."""
    confusion = confusion_matrix(labels, predictions, probabilities.shape[1])
    top5 = probabilities.shape[1] >= CLASSES_FOR_TOP5
    return Measures(
        accuracy=float(np.trace(confusion) / confusion.sum()),
        balanced_accuracy=balanced_accuracy(confusion),
        macro_f1=macro_f1(confusion),
        top5_accuracy=top_k_accuracy(labels, probabilities, 5) if top5 else None,
        majority_accuracy=majority_accuracy(confusion.sum(axis=1)),
    )


def confusion_matrix(
    labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return how many images of each class (row) were taken for each class (column), int64 [C, C]."""
    cells = np.bincount(labels * classes + predictions, minlength=classes**2)
    return cells.astype(np.int64).reshape(classes, classes)


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Return the mean over classes of the share that was right (recall), over the classes that have test images.

    Brodersen et al. 2010; as scikit-learn's `balanced_accuracy_score`.
    """
    images = confusion.sum(axis=1)
    tested = images > 0
    return float(np.mean(np.diag(confusion)[tested] / images[tested]))


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Return the mean over classes of the harmonic mean of precision and recall, 2 TP / (images + answers).

    Over the classes that have test images; as scikit-learn's `f1_score(average="macro", labels=those)`. A class that
    is never answered counts 0.
    """
    images, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    tested = images > 0
    return float(np.mean(2 * np.diag(confusion)[tested] / (images + answers)[tested]))


def top_k_accuracy(labels: NDArray[np.int64], probabilities: NDArray[np.floating], k: int) -> float:
    """Return the share of images whose label is among the `k` most probable classes.

    Saved probabilities have 11 significant bits, so that small ones may tie at the k-th place; such a label counts by
    its chance of coming in when the tied classes are drawn in random order.
    """
    own = probabilities[np.arange(len(labels)), labels][:, np.newaxis]
    before = (probabilities > own).sum(axis=1)
    tied = (probabilities == own).sum(axis=1)
    return float(np.mean(np.clip((k - before) / tied, 0, 1)))


def majority_accuracy(counts: Sequence[int] | NDArray[np.int64]) -> float:
    """Return the accuracy of always answering the largest class, by the number of test images of each class."""
    return float(np.max(counts) / np.sum(counts))


def is_balanced(counts: Sequence[int]) -> bool:
    """Return whether accuracy treats the classes alike: the largest has at most 1.5 times the images of the smallest.

    `counts`: test images of each class; classes without any are left out, for no measure sees them.
    """
    tested = [count for count in counts if count]
    return max(tested) <= _BALANCED_RATIO * min(tested)


def primary_measure(chosen: Measure | Literal["auto"], counts: Sequence[int]) -> Measure:
    """Return the measure that the report speaks of: the study's choice, or by the balance of the test set.

    `counts`: test images of each class. Raises UserError for `top5_accuracy` with too few classes.
    """
    if chosen == "auto":
        return "accuracy" if is_balanced(counts) else "balanced_accuracy"
    if chosen == "top5_accuracy" and len(counts) < CLASSES_FOR_TOP5:
        raise UserError(
            f"primary: top5_accuracy says nothing with {len(counts)} classes (it needs {CLASSES_FOR_TOP5}); choose "
            f"{', '.join(each for each in MEASURES if each != chosen)} or auto: no run is trained again for it"
        )
    return chosen
