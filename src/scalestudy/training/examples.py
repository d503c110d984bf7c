"""A run's data as batches: uint8 images from the shared memory map (or the GPU), and their labels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scalestudy.data.store import Store
from scalestudy.data.subsets import subset_indices
from scalestudy.study.budget import batches_per_epoch
from scalestudy.study.settings import RunSettings
from scalestudy.training.recipe import stream_seed

ROTATIONS = ("0 degrees", "90 degrees", "180 degrees", "270 degrees")


class Examples:
    """The images and labels of a subset.

    images: uint8 [N, H, W, 3], memory-mapped, shared by all jobs of the machine. indices: int64 [n], the subset. On a
    GPU the subset is copied there once. task `rotation` replaces the labels by the quarter turns of each image.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        indices: np.ndarray,
        device: torch.device,
        task: str = "labels",
    ) -> None:
        self.task = task
        self.device = device
        self.indices = indices
        self.labels = torch.from_numpy(np.asarray(labels)[indices])
        self.images = images
        self.resident = (
            torch.from_numpy(np.ascontiguousarray(images[indices])).to(device)
            if device.type == "cuda"
            else None
        )
        if self.resident is not None:
            self.labels = self.labels.to(device)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.indices)

    def batch(self, positions: Tensor, turns_seed: int | None = None) -> tuple[Tensor, Tensor]:
        """Return uint8 [B, 3, H, W] (channels last in memory) and int64 [B] for int64 [B] positions in the subset.

        For rotation, the turns are random from `turns_seed`, or fixed by the position where it is None.
        """
        if self.resident is not None:
            chosen = positions.to(self.device, non_blocking=True)
            images, labels = self.resident[chosen], self.labels[chosen]
        else:
            images = torch.from_numpy(self.images[self.indices[positions.numpy()]])
            labels = self.labels[positions]
        if self.task == "rotation":
            labels = _turns(positions, turns_seed).to(self.device, non_blocking=True)
            images = rotate_batch(images, labels)
        return images.permute(0, 3, 1, 2), labels


def _turns(positions: Tensor, seed: int | None) -> Tensor:
    if seed is None:
        return positions % 4
    return torch.randint(0, 4, positions.shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Splits:
    """A run's training subset, the test set, the held-out training images where there are any, and the class names."""

    train: Examples
    test: Examples
    validation: Examples | None
    classes: tuple[str, ...]

    @classmethod
    def of(cls, store: Store, settings: RunSettings, task: str, device: torch.device) -> "Splits":
        """Take what the settings name from a prepared dataset."""
        chosen, held_out = subset_indices(
            store.train_labels,
            settings.fraction,
            settings.subset_seed,
            settings.validation,
            store.info["classes"],
        )
        everything = np.arange(len(store.test_labels))
        return cls(
            train=Examples(store.train_images, store.train_labels, chosen, device, task),
            test=Examples(store.test_images, store.test_labels, everything, device, task),
            validation=Examples(store.train_images, store.train_labels, held_out, device, task)
            if len(held_out)
            else None,
            classes=ROTATIONS if task == "rotation" else tuple(store.info["classes"]),
        )

    def measured(self, *, train: bool) -> dict[str, Examples]:
        """Return the splits to measure in evaluation mode, by the name of their columns, in the columns' order."""
        held_out = {} if self.validation is None else {"validation": self.validation}
        return {"test": self.test, **held_out, **({"train_eval": self.train} if train else {})}


CONSTANT = 1e-6  # of [0, 1]: a smaller deviation is rounding


def rotate_batch(images: Tensor, quarter_turns: Tensor) -> Tensor:
    """Return `images` [B, H, W, C] (square), each turned counterclockwise by its `quarter_turns`, int64 [B] in 0..3.

    An upstream task that needs no labels (Gidaris et al. 2018, arXiv:1803.07728). Images are turned batch by batch, so
    that the four views never exist as a copy of the dataset.
    """
    turned = images.clone()
    for turns in (1, 2, 3):
        chosen = quarter_turns == turns
        turned[chosen] = torch.rot90(images[chosen], turns, (1, 2))
    return turned


class Normalize:
    """uint8 [B, 3, H, W] -> float32 of the same shape: minus the channel's mean, divided by its deviation.

    A channel that is the same everywhere has no deviation to divide by: it becomes 0.
    """

    def __init__(self, mean: list[float], std: list[float], device: torch.device) -> None:
        std = [each if each > CONSTANT else 1.0 for each in std]
        self.mean = torch.tensor(mean, device=device).mul(255).view(1, 3, 1, 1)
        self.scale = torch.tensor(std, device=device).mul(255).reciprocal().view(1, 3, 1, 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the normalised images, in the memory format in which they came."""
        return images.to(torch.float32).sub_(self.mean).mul_(self.scale)


def shuffled_batches(images: int, batch_size: int, seed: int, first_step: int) -> Iterator[Tensor]:
    """Yield batches of positions for ever, from optimizer step `first_step` on: int64 [B] each.

    Pass p over the data has the order of seed and p alone, so a resumed run sees what it would have seen. A last
    batch of one joins the batch before it (see `batches_per_epoch`).
    """
    each = batches_per_epoch(images, batch_size)
    number, skip = divmod(first_step, each)
    while True:
        generator = torch.Generator().manual_seed(stream_seed(seed, "shuffle", number))
        order = torch.randperm(images, generator=generator)
        for index in range(skip, each):
            end = images if index == each - 1 else (index + 1) * batch_size
            yield order[index * batch_size : end]
        number, skip = number + 1, 0
