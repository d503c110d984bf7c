"""Convolutions on tiny feature maps as matrix products: the same function, several times faster on a CPU.

On small images the last stages of an ImageNet model live on maps of 4x4, 2x2 and 1x1 pixels. A library's
convolution is slow there, its backward most of all. Two forms of the same sums replace it:

- *whole map*: every output pixel is a product of the flattened map with the taps that touch the map; taps
  that only meet padding are left out. One matrix product does all output pixels.
- *columns*: the map is unfolded into one row of `kernel area x channels` per output pixel (im2col;
  Chellapilla, Puri & Simard 2006, "High Performance Convolutional Neural Networks for Document Processing").

Which form is for which map depends on the processor: `Forms` holds the bounds, `training.forms` measures them.

Both are exact: in double precision they agree with `torch.nn.functional.conv2d` to rounding, gradients too.
`benchmarks/kernels.py` shows what they give.
"""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_Pair = tuple[int, int]


@dataclass(frozen=True)
class Forms:
    """How large maps may be, in pixels, for each form to be used; beyond that it is the library's own convolution.

    whole: of the input, where a batch is large. pointwise: of the output of a 1x1 convolution, as columns. columns: of
    the output of any other. With a backward to follow, columns are used up to learning_wide pixels (256 input
    channels and more) or learning_narrow (fewer, stride 1).
    """

    whole: int
    pointwise: int
    columns: int
    learning_wide: int
    learning_narrow: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {pixels}" for name, pixels in asdict(self).items())


USUAL_FORMS = Forms(whole=4, pointwise=64, columns=4, learning_wide=16, learning_narrow=4)
"""Measured for ResNet-18's and ResNet-50's layers, batches of 32 to 256, on an Intel Xeon with AMX, in float32."""


def usual_forms(precision: str) -> Forms:
    """Return the bounds that hold on most processors, for `float32` or `bf16`."""
    return replace(USUAL_FORMS, learning_narrow=16) if precision == "bf16" else USUAL_FORMS


WIDE = 256  # input channels


def use_small_map_convolutions(model: nn.Module, forms: Forms = USUAL_FORMS) -> nn.Module:
    """Make every plain `nn.Conv2d` of `model` a `SmallMapConv2d`, in place, and return the model.

    Parameters, state_dict keys and results stay the same. Left as they are: grouped and dilated convolutions
    and those whose padding is not zeros.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = SmallMapConv2d
            module.forms = forms  # type: ignore[assignment]
    return model


class SmallMapConv2d(nn.Conv2d):
    """An `nn.Conv2d` that computes by matrix products where the map is so small that this is faster."""

    forms: Forms = USUAL_FORMS

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        output: Tensor
        if input.device.type == "cpu" and input.dim() == 4:
            images, channels, height, width = input.shape
            windows = _windows(
                (height, width), _pair(self.kernel_size), _pair(self.stride), _pair(self.padding)
            )
            learning = torch.is_grad_enabled()
            form = choose_form(self.forms, windows, channels, self.out_channels, images, learning)
            if form != "stock":
                function = _WholeMap if form == "whole" else _Columns
                # Shaped out here: in-place operations after it would refuse a view that the function returns.
                rows: Tensor = function.apply(input.to(dtype), weight, windows)
                output = rows.view(images, *windows.output, -1).permute(0, 3, 1, 2)
                if bias is None:
                    return output
                bias = bias.to(dtype).view(1, -1, 1, 1)
                return output + bias if learning else output.add_(bias)
        output = super()._conv_forward(input, weight, bias)
        return output


class _Windows(NamedTuple):
    """Where the windows of one convolution lie on one map; sizes are (rows, columns) in pixels.

    `rows` and `columns` hold, for each row or column of the output, the window's taps that touch the map
    and the map's rows or columns that they touch, as half-open ranges: `((first tap, end), (first, end))`.
    """

    map: _Pair
    kernel: _Pair
    stride: _Pair
    padding: _Pair
    rows: tuple[tuple[_Pair, _Pair], ...]
    columns: tuple[tuple[_Pair, _Pair], ...]

    @property
    def output(self) -> _Pair:
        return len(self.rows), len(self.columns)


@lru_cache(maxsize=1024)
def _windows(map_size: _Pair, kernel: _Pair, stride: _Pair, padding: _Pair) -> _Windows:
    """Return the windows of a convolution on a map; without rows where the map is smaller than a window."""
    ranges = []
    for size, taps, step, pad in zip(map_size, kernel, stride, padding, strict=True):
        starts = range(-pad, size + pad - taps + 1, step)
        touched = [(max(0, -start), max(0, min(taps, size - start))) for start in starts]
        ranges.append(
            tuple(((a, b), (start + a, start + b)) for start, (a, b) in zip(starts, touched, strict=True))
        )
    return _Windows(map_size, kernel, stride, padding, *ranges)


def choose_form(
    forms: Forms, windows: _Windows, in_channels: int, out_channels: int, images: int, learning: bool
) -> str:
    """Return the form to compute by: `whole`, `columns` or `stock`; `learning` where a backward will follow."""
    pixels = windows.output[0] * windows.output[1]
    if pixels == 0 or any(a >= b for (a, b), _ in windows.rows + windows.columns):
        return "stock"  # an error for the library to raise, or windows that lie in the padding only
    if windows.kernel == (1, 1) and windows.padding == (0, 0):
        return "columns" if pixels <= forms.pointwise else "stock"
    if pixels == 1 <= forms.whole:
        return "whole"
    # One product for the whole map needs each weight once per output pixel: cheap where the batch is large.
    if windows.map[0] * windows.map[1] <= forms.whole and 4 * images >= out_channels:
        return "whole"
    limit = forms.columns
    if learning and in_channels >= WIDE:
        limit = forms.learning_wide
    elif learning and windows.stride == (1, 1):
        limit = forms.learning_narrow
    return "columns" if pixels <= limit else "stock"


class _WholeMap(torch.autograd.Function):
    """All output pixels as one product of the flattened map with the taps that touch it."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, windows: _Windows) -> Tensor:
        """Return [N, output pixels x O] for an input [N, C, H, W] and a weight [O, C, kh, kw]."""
        top, bottom = windows.rows[0][1][0], windows.rows[-1][1][1]
        left, right = windows.columns[0][1][0], windows.columns[-1][1][1]
        images, channels = input.shape[:2]
        outputs = weight.shape[0]
        box = input.permute(0, 2, 3, 1)[:, top:bottom, left:right]
        flat = box.reshape(images, -1)
        taps = weight.detach().permute(0, 2, 3, 1)
        height, width = bottom - top, right - left
        blocks = list(_blocks(windows, top, left))
        complete = all(
            rows[1] - rows[0] == height and columns[1] - columns[0] == width for _, _, rows, columns in blocks
        )
        allocate = torch.empty if complete else torch.zeros
        matrix = allocate(len(blocks), outputs, height, width, channels, dtype=input.dtype)
        for block, (tap_rows, tap_columns, rows, columns) in zip(matrix, blocks, strict=True):
            block[:, slice(*rows), slice(*columns)] = taps[:, slice(*tap_rows), slice(*tap_columns)]
        matrix = matrix.view(len(blocks) * outputs, -1)
        ctx.save_for_backward(flat, matrix)
        ctx.windows, ctx.input_shape = windows, input.shape
        ctx.weight_shape, ctx.weight_dtype = weight.shape, weight.dtype
        return flat @ matrix.t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        flat, matrix = ctx.saved_tensors
        windows: _Windows = ctx.windows
        images, channels, map_rows, map_columns = ctx.input_shape
        outputs, _, kernel_rows, kernel_columns = ctx.weight_shape
        top, bottom = windows.rows[0][1][0], windows.rows[-1][1][1]
        left, right = windows.columns[0][1][0], windows.columns[-1][1][1]
        height, width = bottom - top, right - left
        input_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            box = (gradient @ matrix).view(images, height, width, channels)
            if (height, width) != windows.map:
                box = F.pad(box, (0, 0, left, map_columns - right, top, map_rows - bottom))
            input_gradient = box.permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            blocks = list(_blocks(windows, top, left))
            products = (gradient.t() @ flat).view(len(blocks), outputs, height, width, channels)
            # Channels last, as the weights are: a gradient in another layout would be copied once more.
            taps = torch.zeros(outputs, kernel_rows, kernel_columns, channels, dtype=ctx.weight_dtype)
            for product, (tap_rows, tap_columns, rows, columns) in zip(products, blocks, strict=True):
                taps[:, slice(*tap_rows), slice(*tap_columns)] += product[:, slice(*rows), slice(*columns)]
            weight_gradient = taps.permute(0, 3, 1, 2)
        return input_gradient, weight_gradient, None


def _blocks(windows: _Windows, top: int, left: int) -> list[tuple[_Pair, _Pair, _Pair, _Pair]]:
    """Return per output pixel the taps' rows and columns and the rows and columns that they touch.

    The latter count from the corner (`top`, `left`) of the box that all windows touch together.
    """
    return [
        (tap_rows, tap_columns, (rows[0] - top, rows[1] - top), (columns[0] - left, columns[1] - left))
        for tap_rows, rows in windows.rows
        for tap_columns, columns in windows.columns
    ]


class _Columns(torch.autograd.Function):
    """The map unfolded into one row per output pixel, times the weights."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, windows: _Windows) -> Tensor:
        """Return [N x output pixels, O] for an input [N, C, H, W] and a weight [O, C, kh, kw]."""
        columns = _unfold(input.permute(0, 2, 3, 1), windows.kernel, windows.stride, windows.padding)
        matrix = weight.detach().permute(0, 2, 3, 1).to(input.dtype).reshape(weight.shape[0], -1)
        ctx.save_for_backward(columns, matrix)
        ctx.windows, ctx.input_shape, ctx.weight_dtype = windows, input.shape, weight.dtype
        return columns @ matrix.t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        columns, matrix = ctx.saved_tensors
        windows: _Windows = ctx.windows
        kernel, padding = windows.kernel, windows.padding
        channels = ctx.input_shape[1]
        outputs = matrix.shape[0]
        input_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            padded_less = padding[0] < kernel[0] and padding[1] < kernel[1]
            if kernel != (1, 1) and windows.stride == (1, 1) and padded_less:
                # The transpose of a stride-1 convolution is one with the flipped kernel: no scattered sums.
                around = (kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1])
                flipped = matrix.view(outputs, *kernel, channels).permute(1, 2, 0, 3).flip(0, 1)
                maps = gradient.reshape(-1, *windows.output, outputs)
                box = _unfold(maps, kernel, (1, 1), around) @ flipped.reshape(-1, channels)
                input_gradient = box.view(-1, *windows.map, channels).permute(0, 3, 1, 2)
            else:
                input_gradient = _fold(gradient @ matrix, windows, channels).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            taps = (gradient.t() @ columns).to(ctx.weight_dtype)
            weight_gradient = taps.view(outputs, *kernel, channels).permute(0, 3, 1, 2)
        return input_gradient, weight_gradient, None


def _unfold(maps: Tensor, kernel: _Pair, stride: _Pair, padding: _Pair) -> Tensor:
    """Return the windows of maps [N, H, W, C] as rows [N x output pixels, kernel pixels x C]."""
    if kernel == (1, 1) and padding == (0, 0):
        return maps[:, :: stride[0], :: stride[1]].reshape(-1, maps.shape[3])
    maps = F.pad(maps, (0, 0, padding[1], padding[1], padding[0], padding[0]))
    windows = maps.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])
    return windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, kernel[0] * kernel[1] * maps.shape[3])


def _fold(rows: Tensor, windows: _Windows, channels: int) -> Tensor:
    """Return maps [N, H, W, C] that sum the windows in rows [N x output pixels, kernel pixels x C].

    The transpose of `_unfold`.
    """
    kernel, stride, padding = windows.kernel, windows.stride, windows.padding
    height, width = windows.output
    values = rows.view(-1, height, width, *kernel, channels)
    if kernel == (1, 1) and stride == (1, 1) and padding == (0, 0):
        return values[:, :, :, 0, 0]
    map_rows, map_columns = windows.map[0] + 2 * padding[0], windows.map[1] + 2 * padding[1]
    maps = rows.new_zeros(values.shape[0], map_rows, map_columns, channels)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            to = maps[:, i : i + stride[0] * height : stride[0], j : j + stride[1] * width : stride[1]]
            to += values[:, :, :, i, j]
    return maps[:, padding[0] : padding[0] + windows.map[0], padding[1] : padding[1] + windows.map[1]]


def _is_plain(module: nn.Conv2d) -> bool:
    return (
        module.groups == 1
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _pair(value: Any) -> _Pair:
    first, second = value
    return first, second
