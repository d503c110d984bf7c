"""Rotated views of images: an upstream task that needs no labels (Gidaris et al. 2018, arXiv:1803.07728).

The label of an image is by how many quarter turns it was rotated. Images are turned batch by batch, so the
four views never exist as a copy of the dataset.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

    Batch = TypeVar("Batch", np.ndarray, torch.Tensor)

ROTATIONS = ("0", "90", "180", "270")
"""The four classes: degrees, counterclockwise."""


def rotate_batch(images: "Batch", quarter_turns: "Batch") -> "Batch":
    """Return `images` [B, H, W, C] (square), each turned counterclockwise by its `quarter_turns`.

    `quarter_turns`: int64 [B] in 0..3. Both are NumPy arrays, or both torch tensors on one device; the
    result is a new one of the same kind.
    """
    assert images.shape[1] == images.shape[2], (
        f"images of {images.shape[1]} x {images.shape[2]} are not square"
    )
    if isinstance(images, np.ndarray):
        rotated = images.copy()
        for turns in (1, 2, 3):
            chosen = quarter_turns == turns
            rotated[chosen] = np.rot90(images[chosen], turns, axes=(1, 2))
        return rotated
    import torch

    turned = images.clone()
    for turns in (1, 2, 3):
        chosen = quarter_turns == turns
        turned[chosen] = torch.rot90(images[chosen], turns, (1, 2))
    return turned
