"""More data, or more steps? Accuracy at equal numbers of optimizer steps."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "steps",
    (FigureCard("equal_steps", "Accuracy against optimizer steps", lambda study: study.sizes > 1),),
)
