"""From an image file, whatever its mode, to square RGB pixels.

This module is all that the decoding processes load, so it imports nothing but NumPy and Pillow.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Colour = tuple[int, int, int]

FORMATS = (
    "JPEG", "PNG", "PPM", "BMP", "DIB", "GIF", "TIFF", "WEBP", "JPEG2000", "AVIF", "TGA", "PCX", "ICO",
)  # fmt: skip
"""What may stand behind an image's name. Pillow knows more, some of which start other programs (EPS)."""

SEVERAL_FRAMES = "with several frames, of which the first is used"
TWELVE_BITS = "with 16 bits, of which at most 12 are used: dark, as 65,535 is white"

_ANIMATED = ("GIF", "PNG", "TIFF", "WEBP", "AVIF")  # not MPO: phones put a preview beside the photograph

_TURN_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation (Exif 2.3, tag 274)."""


@dataclass
class Picture:
    """One decoded image. `pixels`: uint8 [image_size, image_size, 3]; `mode`: as the file had it; `remarks` on it."""

    pixels: NDArray[np.uint8]
    mode: str
    remarks: list[str]


def decode_image(content: bytes, image_size: int, background: Colour) -> Picture:
    """Return the picture that a file's `content` holds.

    All of it is decoded, so that a cut file is found here and not in the middle of a training. Raises
    whatever Pillow raises for a file that it cannot read: that may be any exception.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is not worth a line for each image
        with Image.open(BytesIO(content), formats=_formats()) as image:
            mode = _mode_of(image)
            several = image.format in _ANIMATED and getattr(image, "is_animated", False)
            # Large JPEGs decode several times faster at 1/2, 1/4 or 1/8, which is still larger than needed.
            image.draft(None, (2 * image_size, 2 * image_size))
            image.load()
            remarks = [*([SEVERAL_FRAMES] if several else []), *depth_remarks(image)]
            rgb = to_rgb(_upright(image), background)
    return Picture(np.asarray(crop_and_resize(rgb, image_size)), mode, remarks)


@cache
def _formats() -> list[str]:
    """Return those of FORMATS that the installed Pillow reads."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def depth_remarks(image: Image.Image) -> list[str]:
    """Return what is to be said of integer pixels; raise ValueError where nothing states their range."""
    if not image.mode.startswith("I"):
        return []
    if image.mode == "I" and image.format not in (
        "PNG",
        "PPM",
    ):  # which have 16 bits, whatever Pillow calls it
        raise ValueError("32-bit integer pixels have no stated range; save it with 8 or 16 bits")
    return [TWELVE_BITS] if 0 < np.asarray(image).max() < 1 << 12 else []


def _mode_of(image: Image.Image) -> str:
    """Return the mode, with what the palette or a transparent colour adds: `P+alpha`."""
    return image.mode + ("+alpha" if "transparency" in image.info else "")


def _upright(image: Image.Image) -> Image.Image:
    """Return the image as its camera was held, by the EXIF orientation."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # broken metadata around good pixels
        return image
    turn = _TURN_BACK.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image, background: Colour) -> Image.Image:
    """Return the image in RGB: transparency over `background`, 16 bits scaled to 8.

    Raises ValueError for floating-point pixels, whose range nothing states.
    """
    if image.mode == "F":
        raise ValueError("floating-point pixels have no stated range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16-bit grey (see `depth_remarks`). 65535 / 257 = 255
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray(((deep + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        canvas = Image.new("RGBA", image.size, (*background, 255))
        return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def crop_and_resize(image: Image.Image, image_size: int) -> Image.Image:
    """Return the largest central square, resized bilinearly (smoothed where it shrinks) to `image_size`."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((image_size, image_size), Image.Resampling.BILINEAR, box=box)


def resize_all(images: NDArray[np.uint8], image_size: int) -> NDArray[np.uint8]:
    """Return images, uint8 [N, H, W, 3], as uint8 [N, image_size, image_size, 3]."""
    if images.shape[1:3] == (image_size, image_size):
        return images
    resized = np.empty((len(images), image_size, image_size, 3), dtype=np.uint8)
    for index, image in enumerate(images):
        resized[index] = np.asarray(crop_and_resize(Image.fromarray(image), image_size))
    return resized
