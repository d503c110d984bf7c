"""Every run of the study, and how to get the same numbers again."""

from scalestudy.topics.base import Topic

TOPIC = Topic("runs")
