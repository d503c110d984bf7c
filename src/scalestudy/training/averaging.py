"""Averages of a run's weights, which are measured in place of the last ones; `study/registries.py` names them.

Each function is called after every optimizer step with the averaged model, the model that trains, the number of steps
taken and to be taken, and the run's settings. It changes the averaged model in place. Batch normalisation's running
statistics are averaged as the weights are.
"""

import torch
from torch import nn

from scalestudy.study.settings import RunSettings

LOOKAHEAD_EVERY = 5  # steps (Jordan 2024, as Zhang et al. 2019)
LOOKAHEAD_STEADINESS = 0.95**5  # what the slow weights keep at the end of a run (Jordan 2024)


def nothing(averaged: nn.Module, model: nn.Module, step: int, steps: int, settings: RunSettings) -> None:
    """Never called: a run without averaging has no second model."""


def ema(averaged: nn.Module, model: nn.Module, step: int, steps: int, settings: RunSettings) -> None:
    """Move the average towards the weights by 1 - `averaging_decay`; faster in the first steps.

    Without that a short run's average would still hold its random start.
    """
    _move(averaged, model, 1 - min(settings.averaging_decay, step / (step + 9)))


def lookahead(averaged: nn.Module, model: nn.Module, step: int, steps: int, settings: RunSettings) -> None:
    """Every few steps, move slow weights towards the fast ones, which go on from there (Zhang et al. 2019).

    The slow weights take all of the fast ones' way at first, and 23 % of it at the end (Jordan 2024). They are the
    result: of a number of steps that five does not divide, the last ones do not count.
    """
    if step % LOOKAHEAD_EVERY == 0:
        _move(averaged, model, 1 - LOOKAHEAD_STEADINESS * (step / steps) ** 3)
        _move(model, averaged, 1)


@torch.no_grad()
def _move(values: nn.Module, towards: nn.Module, share: float) -> None:
    """Move all parameters and buffers of one model towards another's by `share` of the way; counters are taken over."""
    goals = towards.state_dict()
    for name, value in values.state_dict().items():
        if share < 1 and value.is_floating_point():
            value.lerp_(goals[name], share)
        else:
            value.copy_(goals[name])
