"""Datasets of other libraries that give an image and a label for an index: resized, and written to a store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scalestudy.data.decoding import worker_count
from scalestudy.data.pixels import Colour, crop_and_resize, depth_remarks, to_rgb
from scalestudy.data.progress import progress
from scalestudy.data.store import Split, StoreWriter
from scalestudy.errors import UserError

_PIECE = 64
_BACKGROUND: Colour = (255, 255, 255)

Piece = tuple[NDArray[np.uint8], NDArray[np.int64]]
Item = tuple[NDArray[np.uint8], int] | str  # or why it cannot be read


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

    def __getitem__(self, position: int) -> Item:
        index = int(self.indices[position])
        try:
            image, label = self.read(self.dataset[index])
            depth_remarks(image)
            return np.asarray(crop_and_resize(to_rgb(image, _BACKGROUND), self.image_size)), label
        except Exception as error:  # a broken file makes Pillow raise almost anything
            return f"image {index} cannot be read: {' '.join(str(error).split())}"


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
        for piece in _in_processes(pixels, workers) if workers > 1 else _here(pixels):
            if isinstance(piece, str):
                raise UserError(f"{split} {piece}")
            images, labels = piece
            if labels.min() < 0:
                raise UserError(f"a {split} image has the label {labels.min()}: this split is not labelled")
            writer.append(split, images, labels)
            advance(len(labels))


def _here(pixels: _Pixels) -> Iterator[Piece | str]:
    for start in range(0, len(pixels), _PIECE):
        yield _stack([pixels[position] for position in range(start, min(start + _PIECE, len(pixels)))])


def _in_processes(pixels: _Pixels, workers: int) -> Iterator[Piece | str]:
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        pixels,  # type: ignore[arg-type]
        batch_size=_PIECE,
        num_workers=workers,
        collate_fn=_stack,
        multiprocessing_context="spawn",
    )
    yield from loader


def _stack(items: Sequence[Item]) -> Piece | str:
    """Return items as one piece, or why the first that cannot be read cannot."""
    whole = []
    for item in items:
        if isinstance(item, str):
            return item
        whole.append(item)
    return np.stack([image for image, _ in whole]), np.asarray([label for _, label in whole], dtype=np.int64)
