"""Memory: what tensors free is kept for the next step, and the optimizer sees weights in memory order."""

import ctypes
import platform

from torch import nn

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
    a tensor that is not contiguous into another order, and then do not even use the copy. The view gets each
    gradient as soon as it is complete, and `parameter.grad` stays None.
    """
    if parameter.dim() != 4 or parameter.is_contiguous():
        return parameter
    view = nn.Parameter(parameter.detach().permute(0, 2, 3, 1))

    def hand_over(parameter: nn.Parameter) -> None:
        assert parameter.grad is not None
        gradient = parameter.grad.permute(0, 2, 3, 1).contiguous()
        view.grad = gradient if view.grad is None else view.grad + gradient
        parameter.grad = None

    parameter.register_post_accumulate_grad_hook(hand_over)  # type: ignore[no-untyped-call]
    return view
