"""Random changes of training images, a batch at a time; `study/registries.py` gives them their names.

Every function takes a batch, uint8 [B, 3, H, W], and where its random numbers come from, and returns a batch alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import v2

from scalestudy.study.registries import AUGMENTATIONS, load, parts_of
from scalestudy.training.recipe import stream_seed

CROP = 1 / 8  # of the side: 4 pixels for 32 x 32 images (He et al. 2016, section 4.2)
TRANSLATION = 1 / 16  # of the side: 2 pixels for 32 x 32 images (Jordan 2024)
# Images of a batch that get the same random operations of a policy: one by one takes five times as long.
POLICY_GROUP = 8
ERASED = (0.02, 1 / 3)  # share of the image (Zhong et al. 2020)
ERASING_RATIO = (0.3, 1 / 0.3)  # height over width
ERASING_PROBABILITY = 0.5


@dataclass(frozen=True)
class Draw:
    """Where a batch's random numbers come from: nothing but the run's seed, the step and the images themselves.

    generator: of this batch, on the CPU whatever the images' device. positions: int64 [B], of the images in the
    subset. passed: how many passes over the subset are complete. seed: the run's.
    """

    generator: torch.Generator
    positions: Tensor
    passed: int
    seed: int

    @classmethod
    def of(cls, positions: Tensor, seed: int, step: int, passed: int) -> "Draw":
        """Return the draw for the batch of optimizer step `step`."""
        generator = torch.Generator().manual_seed(stream_seed(seed, "augment", step))
        return cls(generator, positions, passed, seed)

    @contextmanager
    def as_torchs_own(self) -> Iterator[None]:
        """Let library code that takes no generator draw its numbers on the CPU from here."""
        seed = int(torch.randint(2**62, (), generator=self.generator))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # not the GPU's, which dropout draws from
            yield


def augment(images: Tensor, augmentation: str, draw: Draw) -> Tensor:
    """Return a batch changed at random by each part that `augmentation` names."""
    for name in parts_of(augmentation):
        images = load(AUGMENTATIONS[name].function)(images, draw)
    return images


def unchanged(images: Tensor, draw: Draw) -> Tensor:
    """Return the images as they are."""
    return images


def flip(images: Tensor, draw: Draw) -> Tensor:
    """Mirror half of the images."""
    return _mirror(images, torch.rand(len(images), generator=draw.generator) < 0.5)


def alternating_flip(images: Tensor, draw: Draw) -> Tensor:
    """Mirror half of the images in the first pass, and each image in every second pass from there."""
    generator = torch.Generator().manual_seed(stream_seed(draw.seed, "first flips", 0))
    first = torch.rand(int(draw.positions.max()) + 1, generator=generator)[draw.positions] < 0.5
    return _mirror(images, first ^ bool(draw.passed % 2))


def _mirror(images: Tensor, mirrored: Tensor) -> Tensor:
    return torch.where(
        mirrored.to(images.device, non_blocking=True)[:, None, None, None], images.flip(3), images
    )


def crop(images: Tensor, draw: Draw) -> Tensor:
    """Shift each image by up to an eighth of its side; what comes in is black."""
    pad = max(1, round(CROP * images.shape[2]))
    rows, columns = _shifts(images, pad, draw)
    return _pixels(F.pad(images, (pad, pad, pad, pad)), rows + pad, columns + pad)


def translate(images: Tensor, draw: Draw) -> Tensor:
    """Shift each image by up to a sixteenth of its side; what comes in is the image's own, reflected."""
    rows, columns = _shifts(images, max(1, round(TRANSLATION * images.shape[2])), draw)
    return _pixels(images, _reflected(rows, images.shape[2]), _reflected(columns, images.shape[3]))


def _shifts(images: Tensor, most: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """Return the rows, int64 [B, H], and columns, int64 [B, W], from which each image's pixels come."""
    count, _, height, width = images.shape
    down = torch.randint(-most, most + 1, (count, 1), generator=draw.generator) + torch.arange(height)
    right = torch.randint(-most, most + 1, (count, 1), generator=draw.generator) + torch.arange(width)
    return down, right


def _reflected(index: Tensor, size: int) -> Tensor:
    index = index.abs()
    return torch.minimum(index, 2 * (size - 1) - index)


def _pixels(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return each image's pixels at its own rows and columns, channels last in memory."""
    each = torch.arange(len(images), device=images.device)[:, None, None]
    rows = rows.to(images.device, non_blocking=True)[:, :, None]
    columns = columns.to(images.device, non_blocking=True)[:, None, :]
    return images.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2)


def randaugment(images: Tensor, draw: Draw) -> Tensor:
    """Apply two random operations of 14 at magnitude 9 of 31 (Cubuk et al. 2020), by torchvision."""
    return _policy(v2.RandAugment(), images, draw)


def trivialaugment(images: Tensor, draw: Draw) -> Tensor:
    """Apply one random operation at a random magnitude (Müller & Hutter 2021, wide), by torchvision."""
    return _policy(v2.TrivialAugmentWide(), images, draw)


def _policy(policy: v2.Transform, images: Tensor, draw: Draw) -> Tensor:
    """Apply `policy` to groups of a few images, which are random ones, as the whole batch is."""
    with draw.as_torchs_own():
        changed = torch.cat([policy(group) for group in torch.split(images, POLICY_GROUP)])
    return changed.contiguous(memory_format=torch.channels_last)


def erasing(images: Tensor, draw: Draw) -> Tensor:
    """Cover a random rectangle of half of the images with the batch's mean colour (Zhong et al. 2020)."""
    count, _, height, width = images.shape
    chosen, share, ratio, top, left = torch.rand(5, count, 1, generator=draw.generator)
    area = (ERASED[0] + share * (ERASED[1] - ERASED[0])) * height * width
    low, high = torch.tensor(ERASING_RATIO).log()
    ratio = (low + ratio * (high - low)).exp()
    rows = _inside(height, (area * ratio).sqrt(), top)
    columns = _inside(width, (area / ratio).sqrt(), left)
    covered = (rows[:, :, None] & columns[:, None, :] & (chosen < ERASING_PROBABILITY)[:, :, None])[:, None]
    colour = images.float().mean((0, 2, 3)).round().to(images.dtype)[:, None, None]
    return torch.where(covered.to(images.device, non_blocking=True), colour, images)


def _inside(size: int, extent: Tensor, start: Tensor) -> Tensor:
    """Return which of `size` rows or columns, bool [B, size], a stretch of `extent` covers; start: where, in [0, 1)."""
    extent = extent.round().clamp(1, size)
    first = (start * (size - extent + 1)).floor()
    index = torch.arange(size)
    return (index >= first) & (index < first + extent)
