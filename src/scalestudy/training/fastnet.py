"""FastNet: a compact convolutional network for small images, after Jordan 2024 (arXiv 2404.00498) and Page 2018.

Written from the papers' descriptions. What makes the original fast beside its shape are settings of a run like any
other, so that each can be left out: `stem: whitening`, `conv_init: identity`, `freeze: norm_scales`, `norm_bias_lr`,
and the recipe. Images of any size from 9 pixels do, in any number of classes.
"""

from dataclasses import dataclass

from torch import Tensor, nn

STEM_SIZE = 2  # pixels, square
STEM_OUTPUTS = 2 * 3 * STEM_SIZE**2  # each whitened direction and its opposite
NORM_MOMENTUM = 0.4  # of the running statistics: short runs leave no time for the usual 0.1
LOGIT_SCALE = 1 / 9  # keeps the first logits small, and the head's steps with them


@dataclass(frozen=True)
class Shape:
    """The shape of a FastNet: the width of each of its three groups, its convolutions per group, its activation."""

    widths: tuple[int, int, int] = (64, 128, 256)
    depth: int = 2
    activation: type[nn.Module] = nn.GELU


FASTNETS: dict[str, Shape] = {
    "fastnet": Shape(),
    "fastnet_narrow": Shape(widths=(32, 64, 128)),  # a third of the multiply-adds
    "fastnet_relu": Shape(activation=nn.ReLU),
    "fastnet_wide": Shape(widths=(64, 256, 256)),  # Jordan's network for 94 % on CIFAR-10
    "fastnet_wider": Shape(widths=(128, 384, 384)),  # that for 95 %
    "fastnet_deep": Shape(widths=(64, 256, 256), depth=3),
}


class FastNet(nn.Module):
    """[N, 3, H, W] -> [N, classes]: a 2x2 convolution, three groups that halve the map, the maximum, a linear head."""

    def __init__(self, shape: Shape, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_OUTPUTS, STEM_SIZE)
        self.activation = shape.activation()
        inputs = (STEM_OUTPUTS, *shape.widths[:-1])
        groups = zip(inputs, shape.widths, strict=True)
        self.groups = nn.Sequential(*(_group(before, after, shape) for before, after in groups))
        self.head = nn.Linear(shape.widths[-1], classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = self.groups(self.activation(self.stem(images))).amax((2, 3))
        logits: Tensor = self.head(features) * LOGIT_SCALE
        return logits


def _group(inputs: int, outputs: int, shape: Shape) -> nn.Sequential:
    """Return convolutions with normalisation and activation; the first is followed by pooling."""
    layers: list[nn.Module] = []
    for number in range(shape.depth):
        layers.append(nn.Conv2d(outputs if number else inputs, outputs, 3, padding=1, bias=False))
        layers += [] if number else [nn.MaxPool2d(2)]
        layers += [nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM), shape.activation()]
    return nn.Sequential(*layers)
