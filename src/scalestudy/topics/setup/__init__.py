"""What was studied: data, subsets and their budgets, models, recipe, machines, and the state of the runs."""

from scalestudy.topics.base import FigureCard, Topic

TOPIC = Topic("setup", (FigureCard("samples", "Sample images"),))
