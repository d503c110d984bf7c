"""The optimizer and the learning-rate schedule that a run's settings name, and seeds for its random numbers."""

import hashlib
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import lr_scheduler

from scalestudy.study.registries import OPTIMIZERS, SCHEDULES, load
from scalestudy.study.settings import RunSettings
from scalestudy.training.memory import in_memory_order


def make_optimizer(parameters: Iterable[nn.Parameter], settings: RunSettings) -> torch.optim.Optimizer:
    """Return the optimizer that the settings name, over all parameters."""
    entry = OPTIMIZERS[settings.optimizer]
    chosen = {argument: getattr(settings, key) for argument, key in entry.settings.items()}
    optimizer: torch.optim.Optimizer = load(entry.function)(
        [in_memory_order(parameter) for parameter in parameters],
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        **chosen,
        **entry.arguments,
    )
    return optimizer


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: RunSettings, steps: int
) -> lr_scheduler.LRScheduler:
    """Return the schedule that the settings name, for the learning rate over `steps` optimizer steps."""
    entry = SCHEDULES[settings.schedule]
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    schedule: lr_scheduler.LRScheduler = load(entry.function)(optimizer, **entry.arguments(rates, steps))
    return schedule


def stream_seed(seed: int, purpose: str, number: int) -> int:
    """Return a seed for one stream of random numbers, independent of all others and of where a run was resumed."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
