"""What a run leaves at its initial values; `study/registries.py` gives the choices their names."""

from torch import nn

from scalestudy.study.registries import FREEZES, load
from scalestudy.training.models import dropout_before, find_head

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def freeze(model: nn.Module, name: str) -> None:
    """Take from training, in place, the parameters of `model` that the choice `name` leaves as they are."""
    load(FREEZES[name].function)(model)


def nothing(model: nn.Module) -> None:
    """Leave every parameter to training."""


def backbone(model: nn.Module) -> None:
    """Freeze all but the head: a linear probe of the features that the initial weights give."""
    _, head = find_head(model)
    model.requires_grad_(False)
    head.requires_grad_(True)


def norm_scales(model: nn.Module) -> None:
    """Freeze the scales of normalisation layers, at 1 where the model is fresh; their biases are trained."""
    for module in model.modules():
        if isinstance(module, NORMS) and isinstance(module.weight, nn.Parameter):
            module.weight.requires_grad_(False)


def training_mode(model: nn.Module) -> None:
    """Put `model` in training mode; of a frozen backbone only the head, with the dropout of its inputs.

    So a frozen backbone keeps its normalisation statistics and drops nothing: its features are as they are measured.
    """
    name, head = find_head(model)
    own = set(head.parameters())
    model.train()
    if any(each.requires_grad for each in model.parameters() if each not in own):
        return
    above = {model, *(model.get_submodule(name[:end]) for end in range(len(name)) if name[end] == ".")}
    parent_name, _, child_name = name.rpartition(".")
    kept = {head, dropout_before(model.get_submodule(parent_name), child_name)}
    for module in model.modules():
        if module not in above and module not in kept:
            module.training = False
