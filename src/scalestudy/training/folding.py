"""BatchNorm folded into the convolutions before it, for measuring: the same function, fewer passes."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from scalestudy.training.small_maps import SmallMapConv2d


@torch.no_grad()
def evaluation_model(model: nn.Module) -> nn.Module:
    """Return a copy of `model` for measuring: eval mode, BatchNorm folded into convolutions, no gradients.

    In eval mode BatchNorm is a fixed scale and shift per channel, which the convolution before it can take
    over (in float32, whatever the precision of the forward pass). `model` itself is left as it is; what is
    not folded is shared with it, so measure before training goes on. Nothing is folded where the forward
    cannot be traced.
    """
    tensors = [*model.parameters(), *model.buffers()]
    shared: dict[int, object] = {id(tensor): _without_gradient(tensor) for tensor in tensors}
    evaluated = copy.deepcopy(model, shared).eval()
    for convolution_name, norm_name in list(_pairs(evaluated)):
        convolution, norm = evaluated.get_submodule(convolution_name), evaluated.get_submodule(norm_name)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        evaluated.set_submodule(norm_name, nn.Identity())
    return evaluated.eval().requires_grad_(False)


def _without_gradient(tensor: Tensor) -> Tensor:
    return nn.Parameter(tensor.detach(), requires_grad=False) if isinstance(tensor, nn.Parameter) else tensor


class _Tracer(fx.Tracer):
    """Takes our convolutions as whole steps, as it does torch's own modules."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def _pairs(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of each convolution and the BatchNorm that alone reads it; both run only once."""
    try:
        nodes = list(_Tracer().trace(model).nodes)
    except Exception:  # whatever a model's forward raises on symbolic values: it is not traceable
        return
    calls = [node.target for node in nodes if node.op == "call_module"]
    modules = dict(model.named_modules())
    for node in nodes:
        if node.op != "call_module" or type(modules[node.target]) is not nn.BatchNorm2d:
            continue
        before = node.args[0]
        if (
            before.op == "call_module"
            and type(modules[before.target]) in (nn.Conv2d, SmallMapConv2d)
            and len(before.users) == 1
            and calls.count(before.target) == calls.count(node.target) == 1
            and modules[node.target].track_running_stats
        ):
            yield before.target, node.target
