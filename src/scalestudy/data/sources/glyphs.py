"""Source `glyphs`: letters and digits drawn from the text fonts that matplotlib ships. Needs no download.

A stand-in for a large upstream dataset: enough variety (font, size, rotation, shear, position, light on
dark or dark on light, contrast) that a network learns strokes from it.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scalestudy.data.progress import progress
from scalestudy.data.sources import Look, Written, check_num_classes
from scalestudy.data.store import SPLITS, Images, StoreWriter
from scalestudy.study.dataset import Glyphs

# Upper and lower case are one class: c, k, s, v and others look alike in both. What no reader can tell apart
# is left out: the letter O (zero), upper I and lower l (one, and each other).
CHARACTERS: dict[str, str] = {
    **{digit: digit for digit in "0123456789"},
    **{letter: letter + letter.lower() for letter in "ABCDEFGHJKMNPQRSTUVWXYZ"},
    "I": "i",
    "L": "L",
}
CLASSES = sorted(CHARACTERS)

# The text fonts: matplotlib's others hold symbols, or the parts of large brackets.
_FONT_FAMILIES = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "cmr10", "cmb10", "cmss10", "cmti10", "cmtt10")

_PIECE = 500  # images drawn at a time
_OVERSAMPLING = 2


def look(settings: Glyphs) -> Look:
    """Return what is known of the glyphs."""
    return Look(settings.known_sizes(), len(CLASSES))


def write(settings: Glyphs, image_size: int, writer: StoreWriter) -> Written:
    """Draw `train_images` and `test_images` glyphs, the classes in turn; equal seeds draw equal images."""
    check_num_classes(CLASSES, settings.num_classes)
    fonts = text_fonts()
    counts = {"train": settings.train_images, "test": settings.test_images}
    with progress("drawing glyphs", sum(counts.values())) as advance:
        for stream, split in enumerate(SPLITS):
            random = np.random.Generator(np.random.PCG64([settings.split_seed, stream]))
            for start in range(0, counts[split], _PIECE):
                size = min(_PIECE, counts[split] - start)
                labels = np.arange(start, start + size, dtype=np.int64) % len(CLASSES)
                writer.append(split, _draw_all(labels, image_size, fonts, random.random((size, 9))), labels)
                advance(size)
    return Written(CLASSES)


def text_fonts() -> list[Path]:
    """Return the font files that hold every character, sorted by name."""
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    needed = {ord(character) for characters in CHARACTERS.values() for character in characters}
    files = sorted((Path(get_data_path()) / "fonts" / "ttf").glob("*.ttf"))
    named = [file for file in files if file.stem.startswith(_FONT_FAMILIES)]
    return [file for file in named if needed <= set(FT2Font(str(file)).get_charmap())]


def _draw_all(
    labels: NDArray[np.int64], image_size: int, fonts: list[Path], chances: NDArray[np.float64]
) -> Images:
    """Return an image for each label, uint8 [n, image_size, image_size, 3], by `chances` [n, 9] in [0, 1)."""
    images = np.empty((len(labels), image_size, image_size, 3), dtype=np.uint8)
    for index, (label, chance) in enumerate(zip(labels.tolist(), chances, strict=True)):
        images[index] = _draw(CHARACTERS[CLASSES[label]], image_size, fonts, chance)[..., np.newaxis]
    return images


def _draw(
    characters: str, image_size: int, fonts: list[Path], chance: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return one glyph, uint8 [image_size, image_size], by the nine numbers of `chance`."""
    which, font, scale, turn, slant, right, down, polarity, contrast = chance.tolist()
    canvas = _OVERSAMPLING * image_size
    character = characters[int(which * len(characters))]
    glyph, longest = _glyph(character, str(fonts[int(font * len(fonts))]), canvas)

    size = (0.5 + 0.4 * scale) * canvas / longest
    angle, shear = np.radians(40 * turn - 20), 0.6 * slant - 0.3
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(size * rotation @ np.array([[1, shear], [0, 1]]))
    centre = np.full(2, canvas / 2)
    shift = 0.12 * canvas * np.array([right - 0.5, down - 0.5])
    offset = centre - inverse @ (centre + shift)
    matrix = (*inverse[0], offset[0], *inverse[1], offset[1])
    moved = glyph.transform((canvas, canvas), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    ink = np.asarray(moved.reduce(_OVERSAMPLING), dtype=np.float64) / 255

    dark = 0.4 * contrast * 255
    light = 255 - 0.4 * (1 - contrast) * 255
    ground, pen = (dark, light) if polarity < 0.5 else (light, dark)
    drawn: NDArray[np.uint8] = np.rint(ground + (pen - ground) * ink).astype(np.uint8)
    return drawn


def _glyph(character: str, font: str, canvas: int) -> tuple[Image.Image, float]:
    """Return the character, white on black, in the middle of a grey [canvas, canvas]; and its longer side."""
    face = _face(font, round(0.7 * canvas))  # the widest character, a bold W, fits
    left, top, right, bottom = face.getbbox(character)
    image = Image.new("L", (canvas, canvas))
    corner = ((canvas - left - right) / 2, (canvas - top - bottom) / 2)
    ImageDraw.Draw(image).text(corner, character, fill=255, font=face)
    return image, max(right - left, bottom - top)


@lru_cache(maxsize=64)
def _face(font: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.BASIC)
