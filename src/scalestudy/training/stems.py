"""First layers of models, put in the place of the stock ones; `study/registries.py` gives them their names.

Each function changes a fresh model in place. Random values are drawn from torch's own generator, as the model's are.
"""

import torch
from torch import Tensor, nn

WHITENING_IMAGES = 5000  # from which the patches' covariance is taken (Jordan 2024)
WHITENING_EPSILON = 5e-4  # added to its eigenvalues, for normalised images (Jordan 2024)


def stock(model: nn.Module) -> None:
    """Leave the first layers as they are."""


def cifar(model: nn.Module) -> None:
    """Give a ResNet a 3x3 convolution with stride 1 and no pooling (He et al. 2016, section 4.2)."""
    model.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()


def whitening(model: nn.Module) -> None:
    """Take the weights of a FastNet's first convolution from training: `whiten` computes them from images.

    Its bias is trained.
    """
    stem = model.get_submodule("stem")
    assert isinstance(stem, nn.Conv2d)
    stem.weight.requires_grad_(False)


@torch.no_grad()
def whiten(model: nn.Module, images: Tensor) -> None:
    """Set the first convolution's weights so that its outputs on `images` are uncorrelated and of variance 1.

    images: normalised, float32 [N, 3, H, W]. The filters are the eigenvectors of the covariance of all patches,
    each divided by the root of its eigenvalue, and then the same with the other sign (Page 2018; Jordan 2024, section
    3.1). They need 2 x 3 x kernel area outputs, no more and no less.
    """
    stem = model.get_submodule("stem")
    assert isinstance(stem, nn.Conv2d)
    size = stem.kernel_size[0]
    covariance, patches = torch.zeros(3 * size**2, 3 * size**2, dtype=torch.float64), 0
    for part in torch.split(images, 500):  # all patches at once would take half a gigabyte
        windows = part.unfold(2, size, 1).unfold(3, size, 1).permute(0, 2, 3, 1, 4, 5)
        rows = windows.reshape(-1, 3 * size * size).double()
        covariance += rows.t() @ rows
        patches += len(rows)
    values, vectors = torch.linalg.eigh(covariance / patches)
    filters = (vectors / (values + WHITENING_EPSILON).sqrt()).t().reshape(-1, 3, size, size)
    stem.weight.copy_(torch.cat([filters, -filters]))
