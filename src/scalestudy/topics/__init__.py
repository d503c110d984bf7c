"""The report's topics in their order. Sections, numbers of figures and tables, and Snakemake's figures follow it."""

from collections.abc import Mapping
from typing import Any

from scalestudy.topics import (
    cost,
    data_size,
    errors,
    expectation,
    limits,
    model_size,
    overfitting,
    recipes,
    reference,
    runs,
    setup,
    steps,
    weights,
)
from scalestudy.topics.base import FigureCard, Planned, Topic

TOPICS: tuple[Topic, ...] = (
    limits.TOPIC,
    expectation.TOPIC,
    data_size.TOPIC,
    model_size.TOPIC,
    steps.TOPIC,
    weights.TOPIC,
    recipes.TOPIC,
    reference.TOPIC,
    overfitting.TOPIC,
    errors.TOPIC,
    cost.TOPIC,
    setup.TOPIC,
    runs.TOPIC,
)


def figure_cards() -> dict[str, tuple[Topic, FigureCard]]:
    """Return every figure by its name, with its topic, in the report's order."""
    return {card.name: (topic, card) for topic in TOPICS for card in topic.figures}


def figure_names(study: Mapping[str, Any]) -> list[str]:
    """Return the names of the figures that a study has, in the report's order, from study.json alone."""
    planned = Planned.of(study)
    return [name for name, (_, card) in figure_cards().items() if card.applies(planned)]
