"""What this study cannot say."""

from scalestudy.topics.base import Topic

TOPIC = Topic("limits")
