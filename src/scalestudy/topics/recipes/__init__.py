"""What other recipes bring, part by part: hyperparameters, batch sizes, ablations, and the best result of all."""

from scalestudy.topics.base import Topic

TOPIC = Topic("recipes")
