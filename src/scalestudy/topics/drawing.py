"""How a topic's figure is drawn. A drawing becomes files in `report.figures.drawing.save`."""

from scalestudy.errors import UserError
from scalestudy.report import style
from scalestudy.report.figures.base import Sheet, empty
from scalestudy.topics import figure_cards
from scalestudy.topics.inputs import Inputs, MissingDataError


def draw(name: str, inputs: Inputs) -> Sheet:
    """Return the drawing of the figure `name`; an empty one with the reason where its data are missing.

    Raises UserError for an unknown name.
    """
    cards = figure_cards()
    if name not in cards:
        raise UserError(f"no figure {name!r}; figures: {', '.join(cards)}")
    topic, card = cards[name]
    style.apply()
    try:
        sheet: Sheet = getattr(topic.part("draw"), name)(inputs)
    except MissingDataError as missing:
        return empty(card.title, str(missing))
    return sheet
