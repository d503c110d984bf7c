"""What a run leaves at its initial values; `study/registries.py` gives the choices their names."""

from torch import nn

from scalestudy.study.registries import FREEZES, load
from scalestudy.training.models import find_head

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
    """Put `model` in training mode, but for modules without any parameter to train: those stay as they are measured.

    So a frozen backbone keeps its normalisation statistics and drops nothing.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
