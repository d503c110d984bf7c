"""How a fresh model's convolutions begin; `study/registries.py` gives the choices their names."""

import torch
from torch import nn

from scalestudy.training.models import find_head


def stock(model: nn.Module) -> None:
    """Leave the values that the architecture begins with."""


@torch.no_grad()
def identity(model: nn.Module) -> None:
    """Let each convolution begin by passing its inputs on, in as many outputs as it has inputs (Jordan 2024).

    Further outputs keep their random values. The first convolution and the head stay as they are, and so do grouped
    convolutions.
    """
    _, head = find_head(model)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    for convolution in convolutions[1:]:
        if convolution is not head and convolution.groups == 1:
            nn.init.dirac_(convolution.weight[: convolution.in_channels])
