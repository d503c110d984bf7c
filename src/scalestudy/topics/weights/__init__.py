"""What initial weights are worth, what they cost to make, and why they may help or hurt (discussion 2)."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "weights",
    (
        FigureCard("init_side_by_side", "Initial weights side by side", lambda study: study.several("init")),
        FigureCard("init_gain", "Gain from initial weights", lambda study: study.pretrained),
        FigureCard(
            "effective_data",
            "What initial weights are worth in images",
            lambda study: study.pretrained and study.sizes > 1,
        ),
    ),
)
