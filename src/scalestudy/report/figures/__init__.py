"""The report's figures: which there are, and which of them a study has. Drawing them is in `drawing`.

Nothing here imports matplotlib: the workflow asks for the names each time that it starts.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A figure that a report can have: `module` of this package has a function of the figure's name that draws it."""

    module: str
    title: str


# In the report's order.
FIGURES = {
    "samples": Kind("errors", "Sample images"),
    "accuracy_by_size": Kind("accuracy", "Accuracy against training-set size"),
    "model_size": Kind("accuracy", "Accuracy against model size"),
    "error_scaling": Kind("transfer", "Error against training-set size"),
    "equal_steps": Kind("curves", "Accuracy against optimizer steps"),
    "accuracy_by_batch_size": Kind("accuracy", "Accuracy by batch size"),
    "hyperparameters": Kind("accuracy", "Accuracy by setting"),
    "init_side_by_side": Kind("accuracy", "Initial weights side by side"),
    "init_gain": Kind("transfer", "Gain from initial weights"),
    "effective_data": Kind("transfer", "What initial weights are worth in images"),
    "gap_by_size": Kind("accuracy", "Overfitting gap"),
    "learning_curves": Kind("curves", "Learning curves"),
    "cost": Kind("curves", "Accuracy against training time"),
    "reference": Kind("accuracy", "Against reference numbers"),
    "reliability": Kind("errors", "Confidence against accuracy"),
    "confusion": Kind("errors", "Confusion matrix"),
    "per_class": Kind("errors", "Accuracy per class"),
    "mistakes": Kind("errors", "Confident mistakes"),
}

# Settings that are the study's own question; every other one that varies is a hyperparameter.
_QUESTION = ("model", "init", "fraction", "seed", "subset_seed", "dataset")


def figure_names(study: dict[str, Any]) -> list[str]:
    """Return the names of the figures that a study has, in the report's order, from its planned runs alone.

    `study` is study.json's content (or any mapping with `runs`, each with `settings`, and `references`): nothing
    needs to be trained to know the list.
    """
    settings = [run["settings"] for run in study["runs"]]
    values = {key: {str(each.get(key)) for each in settings} for key in (settings[0] if settings else {})}
    several = {key for key, found in values.items() if len(found) > 1}
    pretrained = "none" in values.get("init", set()) and "init" in several
    sizes = {Fraction(str(each["fraction"])) for each in settings}
    applies = {
        "model_size": "model" in several,
        "error_scaling": len(sizes) > 1,
        "equal_steps": len(sizes) > 1,
        "accuracy_by_batch_size": "batch_size" in several,
        "hyperparameters": bool(several - set(_QUESTION)),
        "init_side_by_side": "init" in several,
        "init_gain": pretrained,
        "effective_data": pretrained and len(sizes) > 1,
        "reference": bool(study.get("references")),
    }
    return [name for name in FIGURES if applies.get(name, True)]
