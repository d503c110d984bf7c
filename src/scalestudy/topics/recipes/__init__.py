"""What other recipes bring, part by part: hyperparameters, batch sizes, ablations, and the best result of all."""

from scalestudy.topics.base import FigureCard, Planned, Topic


def _several_recipes(study: Planned) -> bool:
    axes = {"model", "init", "fraction", "seed", "subset_seed"}
    return any(study.several(key) for key in study.values if key not in axes)


TOPIC = Topic(
    "recipes",
    (
        FigureCard("recipes", "What other recipes change", _several_recipes),
        FigureCard(
            "accuracy_by_batch_size", "Accuracy per batch size", lambda study: study.several("batch_size")
        ),
    ),
)
