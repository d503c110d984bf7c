"""Test-time augmentation: the views of an image whose logits are averaged; `study/registries.py` names the choices.

Each function takes normalised images, float32 [B, 3, H, W], and returns views of them, each with its weight. Weights
sum to 1.
"""

from torch import Tensor
from torch.nn import functional as F

Views = list[tuple[float, Tensor]]


def one(images: Tensor) -> Views:
    """Return the images as they are."""
    return [(1.0, images)]


def flip(images: Tensor) -> Views:
    """Return the images and their mirror images."""
    return [(0.5, images), (0.5, images.flip(3))]


def flip_shift(images: Tensor) -> Views:
    """Return both, and both shifted up and left and down and right, by a 32nd of the side (Jordan 2024).

    What comes in at an edge is reflected. The unshifted views weigh as much as all others.
    """
    height, width = images.shape[2:]
    by = max(1, round(height / 32))
    padded = F.pad(images, (by, by, by, by), mode="reflect")
    shifted = padded[:, :, 2 * by :, 2 * by :], padded[:, :, :height, :width]
    return [
        (weight * share, view)
        for weight, each in ((0.5, images), (0.25, shifted[0]), (0.25, shifted[1]))
        for share, view in flip(each)
    ]
