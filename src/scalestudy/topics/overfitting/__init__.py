"""Training against test: the gap after the last epoch, and how runs came there."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "overfitting",
    (
        FigureCard("gap_by_size", "Gap between training and test accuracy", lambda study: study.points),
        FigureCard(
            "learning_curves",
            "Learning curves",
            lambda study: study.values.get("epochs") != frozenset(("1",)),
        ),
    ),
)
