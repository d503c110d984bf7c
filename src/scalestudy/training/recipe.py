"""The optimizer and the learning-rate schedule that a run's settings name, and seeds for its random numbers."""

import hashlib
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from scalestudy.errors import UserError
from scalestudy.study.budget import warmup_steps
from scalestudy.study.registries import OPTIMIZERS, SCHEDULES, load
from scalestudy.study.settings import RunSettings
from scalestudy.training.freezing import NORMS
from scalestudy.training.memory import in_memory_order
from scalestudy.training.models import find_head


def make_optimizer(model: nn.Module, settings: RunSettings) -> torch.optim.Optimizer:
    """Return the optimizer that the settings name, over the parameters that are trained."""
    entry = OPTIMIZERS[settings.optimizer]
    chosen = {argument: getattr(settings, key) for argument, key in entry.settings.items()}
    optimizer: torch.optim.Optimizer = load(entry.function)(
        parameter_groups(model, settings),
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        **chosen,
        **entry.arguments,
    )
    return optimizer


def parameter_groups(model: nn.Module, settings: RunSettings) -> list[dict[str, Any]]:
    """Return the trained parameters by learning rate and weight decay; first those that have the run's own."""
    head = set(find_head(model)[1].parameters()) if settings.backbone_lr != 1 else set(model.parameters())
    norm_biases = {
        module.bias for module in model.modules() if isinstance(module, NORMS) and module.bias is not None
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {(settings.lr, settings.weight_decay): []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            bias_factor = settings.norm_bias_lr if parameter in norm_biases else 1.0
            rate = settings.lr * bias_factor * (1.0 if parameter in head else settings.backbone_lr)
            chosen = groups.setdefault((rate, settings.weight_decay / bias_factor), [])
            chosen.append(in_memory_order(parameter))
    return [{"params": each, "lr": lr, "weight_decay": decay} for (lr, decay), each in groups.items() if each]


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: RunSettings, steps: int
) -> lr_scheduler.LRScheduler:
    """Return the learning rate over `steps` optimizer steps: the warmup, then the schedule that the settings name."""
    entry = SCHEDULES[settings.schedule]
    warmup = warmup_steps(settings, steps)
    if warmup >= steps:
        raise UserError(
            f"warmup: {warmup} steps, and the run has {steps}; set fewer, or a share such as 1/10"
        )
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    schedule: lr_scheduler.LRScheduler = load(entry.function)(
        optimizer, **entry.arguments(rates, steps - warmup)
    )
    if not warmup:
        return schedule
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, schedule], milestones=[warmup])


def stream_seed(seed: int, purpose: str, number: int) -> int:
    """Return a seed for one stream of random numbers, independent of all others and of where a run was resumed."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
