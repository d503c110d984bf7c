"""Discussion 1: how accuracy, model size and data size go together here, and why that may differ from the textbook."""

from scalestudy.topics.base import Topic

TOPIC = Topic("expectation")
