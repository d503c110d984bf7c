"""Where the networks are wrong, whether they are as sure as they should be, and whether seeds agree."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "errors",
    (
        FigureCard("confusion", "Test images by true and predicted class"),
        FigureCard("per_class", "Accuracy per class"),
        FigureCard("mistakes", "Confident mistakes"),
        FigureCard("reliability", "Calibration"),
    ),
)
