"""What results cost: training time, speed and memory, the pretraining counted in."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic("cost", (FigureCard("cost", "Accuracy against training time"),))
