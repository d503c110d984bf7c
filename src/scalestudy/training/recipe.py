"""The optimizer, the learning-rate schedule and the augmentation that a run's settings name."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from scalestudy.study.settings import RunSettings
from scalestudy.training.memory import in_memory_order

CROP_PADDING = 4  # pixels for 32 x 32 images, in proportion for others (He et al. 2016, section 4.2)


def make_optimizer(parameters: Iterable[nn.Parameter], settings: RunSettings) -> torch.optim.Optimizer:
    """Return the optimizer, fused: one pass over all parameters instead of one operation per tensor."""
    parameters = [in_memory_order(parameter) for parameter in parameters]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: RunSettings, steps: int
) -> lr_scheduler.LRScheduler:
    """Return the learning rate over `steps` optimizer steps: constant, cosine to zero, or one cycle (Smith 2018)."""
    if settings.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    if settings.schedule == "onecycle":
        return lr_scheduler.OneCycleLR(optimizer, max_lr=settings.lr, total_steps=max(steps, 2) + 1)
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def augment(images: Tensor, augmentation: str, seed: int) -> Tensor:
    """Return a batch, uint8 [B, 3, H, W], with each image changed at random: `flip`, or `crop_flip`.

    `flip` mirrors half of the images. `crop_flip` also shifts each by up to an eighth of its side, zero-padded. The
    random numbers follow from `seed` alone, on the CPU whatever the device.
    """
    if augmentation == "none":
        return images
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = images.shape
    if augmentation == "crop_flip":
        pad = max(1, round(CROP_PADDING * height / 32))
        down = torch.randint(0, 2 * pad + 1, (count, 1), generator=generator) + torch.arange(height)
        right = torch.randint(0, 2 * pad + 1, (count, 1), generator=generator) + torch.arange(width)
        padded = F.pad(images, (pad, pad, pad, pad)).permute(0, 2, 3, 1)
        each = torch.arange(count, device=images.device)[:, None, None]
        rows, columns = down.to(images.device)[:, :, None], right.to(images.device)[:, None, :]
        images = padded[each, rows, columns].permute(0, 3, 1, 2)
    mirrored = torch.rand(count, generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)


def stream_seed(seed: int, purpose: str, number: int) -> int:
    """Return a seed for one stream of random numbers, independent of all others and of where a run was resumed."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
