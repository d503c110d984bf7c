"""Datasets of other libraries that give an image and a label for an index: resized, and written to a store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scalestudy.data.decoding import worker_count
from scalestudy.data.pixels import Colour, crop_and_resize, to_rgb
from scalestudy.data.progress import progress
from scalestudy.data.store import Split, StoreWriter
from scalestudy.errors import UserError

_PIECE = 64
_BACKGROUND: Colour = (255, 255, 255)

Piece = tuple[NDArray[np.uint8], NDArray[np.int64]]


class MapStyle(Protocol):
    """What can be indexed, as torch calls it."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class _Pixels:
    """The images of `dataset` at `indices` as pixels; a plain object, so that a process can be sent it.

    `read` takes what the dataset gives for an index and returns the image (Pillow) and the label.
    """

    dataset: MapStyle
    indices: NDArray[np.int64]
    read: Callable[[Any], tuple[Image.Image, int]]
    image_size: int

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> tuple[NDArray[np.uint8], int]:
        image, label = self.read(self.dataset[int(self.indices[position])])
        return np.asarray(crop_and_resize(to_rgb(image, _BACKGROUND), self.image_size)), label


def write_split(
    writer: StoreWriter,
    split: Split,
    dataset: MapStyle,
    indices: NDArray[np.int64],
    read: Callable[[Any], tuple[Image.Image, int]],
    in_memory: bool,
) -> None:
    """Write the images at `indices` in their order. Raises UserError, with its index, for one that cannot be read.

    Where they have to be decoded (not `in_memory`) and are many, several processes do it.
    """
    pixels = _Pixels(dataset, indices, read, writer.image_size)
    workers = 1 if in_memory else worker_count(len(pixels))
    with progress(f"reading {split} images", len(pixels)) as advance:
        for images, labels in _in_processes(pixels, workers) if workers > 1 else _here(pixels, split):
            if labels.min() < 0:
                raise UserError(f"a {split} image has the label {labels.min()}: this split is not labelled")
            writer.append(split, images, labels)
            advance(len(labels))


def _here(pixels: _Pixels, split: Split) -> Iterator[Piece]:
    for start in range(0, len(pixels), _PIECE):
        piece = []
        for position in range(start, min(start + _PIECE, len(pixels))):
            try:
                piece.append(pixels[position])
            except Exception as error:  # a broken file makes Pillow raise almost anything
                index = int(pixels.indices[position])
                raise UserError(f"{split} image {index} cannot be read: {error}") from None
        yield _stack(piece)


def _in_processes(pixels: _Pixels, workers: int) -> Iterator[Piece]:
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        pixels,  # type: ignore[arg-type]
        batch_size=_PIECE,
        num_workers=workers,
        collate_fn=_stack,
        multiprocessing_context="spawn",
    )
    try:
        yield from loader
    except Exception as error:
        raise UserError(f"an image cannot be read: {' '.join(str(error).split())[-300:]}") from None


def _stack(piece: Sequence[tuple[NDArray[np.uint8], int]]) -> Piece:
    return np.stack([image for image, _ in piece]), np.asarray([label for _, label in piece], dtype=np.int64)
