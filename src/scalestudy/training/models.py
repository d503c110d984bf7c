"""Models: stock architecture, a fresh head, an initialisation that only the seed decides."""

from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from scalestudy.errors import UserError
from scalestudy.study.models import check_model, model_of
from scalestudy.study.registries import CONV_INITS, STEMS, load
from scalestudy.study.timm_models import PREFIX, require_timm, size_options
from scalestudy.training.fastnet import FASTNETS, FastNet


class DropoutLinear(nn.Linear):
    """A linear layer with dropout on its inputs; its parameters are those of a plain `nn.Linear`."""

    def __init__(self, in_features: int, out_features: int, bias: bool, dropout: float) -> None:
        super().__init__(in_features, out_features, bias)
        self.dropout = dropout

    def forward(self, input: Tensor) -> Tensor:
        """Return [N, out_features] for [N, in_features]."""
        return super().forward(F.dropout(input, self.dropout, self.training))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dropout={self.dropout}"


def build_model(
    name: str,
    num_classes: int,
    *,
    seed: int,
    dropout: float = 0.0,
    stem: str = "imagenet",
    conv_init: str = "stock",
    image_size: int = 224,
) -> nn.Module:
    """Return the model `name` with a fresh head for `num_classes`, in float32 on the CPU.

    The architecture is torchvision's, or a FastNet; `timm:NAME` is timm's model of that name, with the head that timm
    itself puts there. Else its head (see `find_head`) is replaced by a fresh linear layer of the same inputs
    (SqueezeNet's head is a 1x1 convolution and stays one). `dropout` > 0 drops that share of the head's inputs:
    where the stock model has an `nn.Dropout` there already (MobileNet, EfficientNet, VGG,
    ...), its rate becomes `dropout`; elsewhere the head is a `DropoutLinear`. Either way the names in the
    state_dict are those of the stock model. 0 leaves the stock model as it is.

    `stem` and `conv_init` name entries of `study/registries.py`; weights of the stem "whitening" are random until
    `stems.whiten` has seen images. `image_size` (pixels) only matters to models with position embeddings or
    partitions (ViT, MaxViT).

    GoogLeNet and Inception come without their auxiliary classifiers, which would need a loss of their own,
    and with the input rescaling that their published weights expect.

    Every initial value depends on the arguments alone; torch's global random state is not changed.
    UserError for an unknown model, an impossible size or stem, and dropout outside [0, 1).
    """
    check_model(name, image_size, stem)
    if not 0 <= dropout < 1:
        raise UserError(f"dropout is {dropout}: it must be at least 0 and less than 1")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name.startswith(PREFIX):
            model = _timm_model(name.removeprefix(PREFIX), num_classes, dropout, image_size)
        else:
            model = FastNet(FASTNETS[name]) if name in FASTNETS else _torchvision_model(name, image_size)
            load(STEMS[stem].function)(model)
            _replace_head(model, num_classes, dropout)
        load(CONV_INITS[conv_init].function)(model)
    return model


def _torchvision_model(name: str, image_size: int) -> nn.Module:
    """Return torchvision's model with 1,000 classes, its values drawn from torch's own generator."""
    family = model_of(name).family
    options: dict[str, Any] = {}
    if family == "vision_transformer":
        options["image_size"] = image_size
    elif family == "maxvit":
        options["input_size"] = (image_size, image_size)
    elif family in ("googlenet", "inception"):
        options.update(aux_logits=False, transform_input=True, init_weights=True)
    try:
        model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    except ValueError as error:
        raise UserError(
            f"the installed torchvision {torchvision.__version__} cannot build '{name}': {error}"
        ) from error
    return model


def _timm_model(architecture: str, num_classes: int, dropout: float, image_size: int) -> nn.Module:
    """Return timm's model with its own fresh head; `dropout` is its `drop_rate`, before the head (0: its own default).

    Models with position embeddings or windows are built for `image_size`.
    """
    options = size_options(architecture, image_size) | ({"drop_rate": dropout} if dropout else {})
    model: nn.Module = require_timm().create_model(architecture, num_classes=num_classes, **options)
    return model


def find_head(model: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Return the qualified name and the module of the layer that gives the classes' logits.

    timm's models name theirs. In every torchvision classification model it is the last linear or convolutional layer
    registered.
    """
    if hasattr(model, "get_classifier"):
        named = {id(module): name for name, module in model.named_modules()}
        head: nn.Linear | nn.Conv2d = model.get_classifier()  # type: ignore[operator]
        return named[id(head)], head
    layers = [
        (name, module) for name, module in model.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))
    ]
    if not layers:
        raise UserError(f"{type(model).__name__} has no linear or convolutional layer that could be its head")
    return layers[-1]


def head_features(model: nn.Module) -> int:
    """Return the number of inputs of the head: 512 for ResNet-18, 2048 for ResNet-50."""
    _, head = find_head(model)
    return head.in_features if isinstance(head, nn.Linear) else head.in_channels


def _replace_head(model: nn.Module, num_classes: int, dropout: float) -> None:
    """Put a fresh head in the place of the stock one, with dropout on its inputs."""
    name, old = find_head(model)
    parent_name, _, child_name = name.rpartition(".")
    parent = model.get_submodule(parent_name)
    stock_dropout = dropout_before(parent, child_name)
    head: nn.Module
    if isinstance(old, nn.Conv2d):
        head = nn.Conv2d(old.in_channels, num_classes, kernel_size=1)
        assert stock_dropout is not None, "SqueezeNet drops its head's inputs"
    elif dropout and stock_dropout is None:
        head = DropoutLinear(old.in_features, num_classes, old.bias is not None, dropout)
    else:
        head = nn.Linear(old.in_features, num_classes, old.bias is not None)
    if dropout and stock_dropout is not None:
        stock_dropout.p = dropout
    setattr(parent, child_name, head)


def dropout_before(parent: nn.Module, child_name: str) -> nn.Dropout | None:
    """Return the stock model's dropout right before the head: the sibling registered before it, or None."""
    children = list(parent.named_children())
    position = [name for name, _ in children].index(child_name)
    before = children[position - 1][1] if position else None
    return before if isinstance(before, nn.Dropout) else None
