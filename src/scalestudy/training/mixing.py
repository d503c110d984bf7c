"""Mixed training images: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), by torchvision."""

import torch
from torch import Tensor
from torchvision.transforms import v2

from scalestudy.study.settings import RunSettings
from scalestudy.training.augmentation import Draw


def mix(
    inputs: Tensor, labels: Tensor, classes: int, settings: RunSettings, draw: Draw
) -> tuple[Tensor, Tensor]:
    """Return a batch, float32 [B, 3, H, W], each image mixed with another, and the targets, float32 [B, C].

    A target holds the shares of both images' classes. Where the settings ask for both ways, each batch takes one at
    random. Without either, inputs and labels, int64 [B], come back as they are.
    """
    ways: list[v2.Transform] = []
    if settings.mixup:
        ways.append(v2.MixUp(alpha=settings.mixup, num_classes=classes))
    if settings.cutmix:
        ways.append(v2.CutMix(alpha=settings.cutmix, num_classes=classes))
    if not ways:
        return inputs, labels
    with draw.as_torchs_own():
        mixed, targets = v2.RandomChoice(ways)(inputs, labels)
    return mixed.contiguous(memory_format=torch.channels_last), targets


def correct_share(logits: Tensor, targets: Tensor) -> Tensor:
    """Return how many predictions are right, a scalar: for labels, int64 [B], a whole number.

    For mixed targets, float [B, C], each prediction counts with the share that its class has in the target.
    """
    predicted = logits.argmax(1)
    if targets.dim() == 1:
        return (predicted == targets).sum()
    return targets.gather(1, predicted[:, None]).sum()
