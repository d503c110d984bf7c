"""How a topic's figure is drawn. A drawing becomes files in `report.figures.drawing.save`."""

from scalestudy.errors import UserError, nearest
from scalestudy.report.figures.drawing import Drawing, drawn
from scalestudy.topics import figure_cards
from scalestudy.topics.inputs import Inputs


def draw(name: str, inputs: Inputs) -> Drawing:
    """Return the drawing of the figure `name`; an empty one with the reason where its data are missing.

    Raises UserError for an unknown name.
    """
    cards = figure_cards()
    if name not in cards:
        raise UserError(f"no figure {name!r}{nearest(name, cards)}; figures: {', '.join(cards)}, or all")
    topic, card = cards[name]
    return drawn(lambda: getattr(topic.part("draw"), name)(inputs), card.title)
