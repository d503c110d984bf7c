"""Sample images of the classes."""

from dataclasses import dataclass

import numpy as np

from scalestudy.report import wording
from scalestudy.report.figures.images import StripsFigure
from scalestudy.topics.inputs import Inputs

MOST_CLASSES = 10


@dataclass(frozen=True)
class Sample:
    """A training image that is shown, as a row of the figure's CSV."""

    label: str
    training_image: int


def samples(inputs: Inputs) -> StripsFigure:
    """The first training images of each class, or of ten classes spread over the list."""
    images, labels = inputs.images("train"), np.asarray(inputs.labels("train"))
    classes = inputs.findings.setup.data.classes or tuple(map(str, range(int(labels.max()) + 1)))
    kept = list(range(len(classes)))
    if len(kept) > MOST_CLASSES:
        kept = sorted({round(place) for place in np.linspace(0, len(classes) - 1, MOST_CLASSES)})
    each = 10 if len(kept) <= MOST_CLASSES // 2 else 5
    chosen = {index: [int(place) for place in np.flatnonzero(labels == index)[:each]] for index in kept}
    size = images.shape[1]
    part = "each class" if len(kept) == len(classes) else f"{len(kept)} of the {len(classes)} classes"
    return StripsFigure(
        title="Sample images",
        strips=tuple(
            (classes[index], tuple(np.asarray(images[place]) for place in places))
            for index, places in chosen.items()
            if places
        ),
        records=[Sample(classes[index], place) for index, places in chosen.items() for place in places],
        alt=f"Rows of training images, one for each of: {wording.listing([classes[index] for index in kept])}.",
        caption=f"The first training images of {part}, as the models see them ({size} × {size} pixels).",
    )
