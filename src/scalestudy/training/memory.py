"""Memory: what tensors free is kept for the next step, and the optimizer sees weights in memory order."""

import ctypes
import platform

import torch
from torch import Tensor, nn

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # bytes; glibc takes no more


def keep_freed_memory() -> None:
    """Let this process keep the memory that tensors free, for the next step's tensors.

    Each step allocates the same tensors again. glibc gives large blocks back to the system at once, and
    thousands of page faults a step fetch them anew. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never


def in_memory_order(parameter: nn.Parameter) -> nn.Parameter:
    """Return a contiguous parameter for the optimizer: `parameter` itself, or another view of its memory.

    A convolution's weights are stored channels last. On the CPU torch's fused optimizers copy the gradient of
    a tensor that is not contiguous into another order, and then do not even use the copy. The view's gradient
    is the parameter's own, so clipping, norms and `zero_grad` work through the model and the optimizer alike.
    """
    if parameter.device.type != "cpu" or parameter.dim() != 4 or parameter.is_contiguous():
        return parameter
    return _InMemoryOrder.of(parameter)


class _InMemoryOrder(nn.Parameter):
    """A weight [O, I, kh, kw] seen as [O, kh, kw, I], the order in memory: same values, same gradient."""

    seen: nn.Parameter

    @classmethod
    def of(cls, parameter: nn.Parameter) -> "_InMemoryOrder":
        view = cls(parameter.detach().permute(0, 2, 3, 1), parameter.requires_grad)
        view.seen = parameter
        return view

    @property
    def grad(self) -> Tensor | None:
        gradient = self.seen.grad
        if gradient is None:
            return None
        if not gradient.is_contiguous(memory_format=torch.channels_last):  # given by hand, not by autograd
            gradient = self.seen.grad = gradient.contiguous(memory_format=torch.channels_last)
        return gradient.permute(0, 2, 3, 1)

    @grad.setter
    def grad(self, gradient: Tensor | None) -> None:
        self.seen.grad = None if gradient is None else gradient.permute(0, 3, 1, 2)
