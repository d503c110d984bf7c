"""Training against test: the gap after the last epoch, and how runs came there."""

from scalestudy.topics.base import FigureCard, Planned, Topic


def _curves(study: Planned) -> bool:
    """Return whether a run is measured often enough for a curve: of equally many steps, two points make none."""
    measured = max(map(int, study.values.get("epochs", ("2",))))
    return measured > (1 if "None" in study.values.get("steps", ("None",)) else 2)


TOPIC = Topic(
    "overfitting",
    (
        FigureCard("gap_by_size", "Gap between training and test accuracy", lambda study: study.sizes > 1),
        FigureCard("learning_curves", "Learning curves", _curves),
    ),
)
