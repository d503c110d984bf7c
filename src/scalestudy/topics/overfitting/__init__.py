"""Training against test: the gap after the last epoch, and how runs came there."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "overfitting",
    (
        FigureCard("gap_by_size", "Gap between training and test accuracy"),
        FigureCard("learning_curves", "Learning curves"),
    ),
)
