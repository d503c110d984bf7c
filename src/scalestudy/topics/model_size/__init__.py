"""What a larger model brings, at the same initial weights and training images."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "model_size",
    (FigureCard("model_size", "Accuracy against model size", lambda study: study.several("model")),),
)
