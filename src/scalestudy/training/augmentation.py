"""Random changes of training images, a batch at a time; `study/registries.py` gives them their names.

Every function takes and returns a batch, uint8 [B, 3, H, W], and draws its random numbers from a generator on the
CPU, whatever the images' device.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from scalestudy.study.registries import AUGMENTATIONS, load

CROP_PADDING = 4  # pixels for 32 x 32 images, in proportion for others (He et al. 2016, section 4.2)


def augment(images: Tensor, augmentation: str, seed: int) -> Tensor:
    """Return a batch with each image changed at random as `augmentation` says; the numbers follow from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    changed: Tensor = load(AUGMENTATIONS[augmentation].function)(images, generator)
    return changed


def unchanged(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return the images as they are."""
    return images


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)


def crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its side, zero-padded, then mirror half of them."""
    count, _, height, width = images.shape
    pad = max(1, round(CROP_PADDING * height / 32))
    down = torch.randint(0, 2 * pad + 1, (count, 1), generator=generator) + torch.arange(height)
    right = torch.randint(0, 2 * pad + 1, (count, 1), generator=generator) + torch.arange(width)
    padded = F.pad(images, (pad, pad, pad, pad)).permute(0, 2, 3, 1)
    each = torch.arange(count, device=images.device)[:, None, None]
    rows, columns = down.to(images.device)[:, :, None], right.to(images.device)[:, None, :]
    return flip(padded[each, rows, columns].permute(0, 3, 1, 2), generator)
