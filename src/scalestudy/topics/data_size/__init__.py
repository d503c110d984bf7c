"""What more training images bring: accuracy against training-set size, and how the error falls with it."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "data_size",
    (
        FigureCard("accuracy_by_size", "Accuracy against training-set size", lambda study: study.sizes > 1),
        FigureCard("error_scaling", "Test error against training-set size", lambda study: study.sizes > 1),
    ),
)
