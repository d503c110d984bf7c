"""This study's numbers beside those that somebody else reported."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic(
    "reference", (FigureCard("reference", "Compared with reported numbers", lambda study: study.references),)
)
