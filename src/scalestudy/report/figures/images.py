"""Figures of images: some of each class, and single ones with words below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from scalestudy.report import style
from scalestudy.report.figures.base import Frame, Sheet, shorten
from scalestudy.report.palette import INK
from scalestudy.report.style import BODY, SMALL

_PIXELS = 48  # larger images are shrunk to this, so that a page of them stays small


@dataclass(frozen=True)
class Tile:
    """An image (uint8 [H, W, 3]) with lines of (words, colour) below, the first in bold; what it says, and its runs."""

    image: np.ndarray
    lines: tuple[tuple[str, str], ...]
    note: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class TilesFigure:
    """Images side by side, eight a line on a page and four on a phone. `records` are the rows of its CSV."""

    title: str
    tiles: tuple[Tile, ...]
    records: Sequence[Any]
    alt: str = ""
    caption: str = ""

    def on(self, frame: Frame) -> Sheet:
        """Return the drawing on a frame."""
        sheet = Sheet(self.title, frame=frame, alt=self.alt, caption=self.caption)
        sheet.record(self.records)
        columns, across = (4, 0.1) if frame.narrow else (8, 0.14)
        side = (frame.width - 0.04 - (columns - 1) * across) / columns
        words = max(len(tile.lines) for tile in self.tiles) * SMALL * 1.25 / 72 + 0.1
        lines = (len(self.tiles) + columns - 1) // columns
        tall = 0.04 + lines * (side + words)
        axes = _inches(sheet, frame.width, tall)
        for number, tile in enumerate(self.tiles):
            line, column = divmod(number, columns)
            middle = 0.02 + column * (side + across) + side / 2
            bottom = tall - 0.04 - line * (side + words) - side
            image = small(tile.image)
            height, width = (side * length / max(image.shape[:2]) for length in image.shape[:2])
            place = (middle - width / 2, middle + width / 2, bottom, bottom + height)
            picture = axes.imshow(image, interpolation="none", aspect="auto", extent=place, zorder=2)
            sheet.mark(picture, tile.note, tile.runs)
            for row, (words_below, colour) in enumerate(tile.lines):
                axes.annotate(
                    shorten(words_below, side * 72 + 4, SMALL, bold=row == 0),
                    (middle, bottom),
                    xytext=(0, -3 - row * SMALL * 1.25),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=SMALL,
                    color=colour,
                    fontweight="bold" if row == 0 else "normal",
                )
        axes.set(xlim=(0, frame.width), ylim=(0, tall))  # showing an image has set others
        return sheet


@dataclass(frozen=True)
class StripsFigure:
    """Some images of each class in a strip with its name. `records` are the rows of its CSV."""

    title: str
    strips: tuple[tuple[str, tuple[np.ndarray, ...]], ...]
    records: Sequence[Any]
    alt: str = ""
    caption: str = ""

    def on(self, frame: Frame) -> Sheet:
        """Return the drawing on a frame."""
        sheet = Sheet(self.title, frame=frame, alt=self.alt, caption=self.caption)
        sheet.record(self.records)
        side, gap, most = (0.42, 0.05, 80.0) if frame.narrow else (0.5, 0.06, 100.0)
        columns = 1 if frame.narrow or len(self.strips) <= 5 else 2
        lines = (len(self.strips) + columns - 1) // columns
        longest = min(max(style.text_width(name, BODY) for name, _ in self.strips), most)
        room, pitch = longest / 72 + 0.16, side * 1.08
        fit = max(1, int((frame.width / columns - room - 0.1) / pitch))
        each = min(max(len(images) for _, images in self.strips), fit)
        wide = room + each * pitch
        width, tall = columns * wide + (columns - 1) * 0.3, lines * (side + gap) + 0.04
        sheet.figure.set_size_inches(width, tall)
        for place, (name, images) in enumerate(self.strips):
            column, line = divmod(place, lines)
            start, middle = column * (wide + 0.3), tall - 0.02 - line * (side + gap) - side / 2
            sheet.figure.text(
                (start + room - 0.12) / width,
                middle / tall,
                shorten(name, most, BODY),
                ha="right",
                va="center_baseline",
                fontsize=BODY,
                color=INK,
            )
            shown = images[:each]
            if not shown:
                continue
            axes = sheet.figure.add_axes(
                (
                    (start + room) / width,
                    (middle - side / 2) / tall,
                    len(shown) * pitch / width,
                    side / tall,
                )
            )
            axes.set_axis_off()
            strip = np.concatenate([_padded(small(image)) for image in shown], axis=1)
            axes.imshow(strip, interpolation="none", aspect="auto")
        return sheet


def _inches(sheet: Sheet, width: float, height: float) -> Axes:
    """Make the figure so large, with one panel over all of it whose unit is an inch. A panel an image is slow."""
    sheet.figure.set_size_inches(width, height)
    axes = sheet.figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return axes


def small(image: np.ndarray) -> np.ndarray:
    """Return an image (uint8 [H, W, 3]) shrunk so that a page of them stays small; small ones are left alone."""
    image = np.asarray(image)
    if max(image.shape[:2]) <= _PIXELS:
        return image
    shrunk = Image.fromarray(image).resize((_PIXELS, _PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(shrunk)


def _padded(image: np.ndarray) -> np.ndarray:
    """Return the image (RGBA) with a transparent gap of 8 % at its right, so that one strip holds a row of images."""
    gap = max(1, round(image.shape[1] * 0.08))
    padded = np.zeros((image.shape[0], image.shape[1] + gap, 4), dtype=np.uint8)
    padded[:, : image.shape[1], :3] = image
    padded[:, : image.shape[1], 3] = 255
    return padded
