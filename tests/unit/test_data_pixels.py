"""Every image mode comes out as upright RGB, on a stated background (case C41)."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scalestudy.data.pixels import decode_image, resize_all

WHITE, BLUE = (255, 255, 255), (0, 0, 255)
SIZE = 16


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def decoded(
    image: Image.Image, kind: str = "PNG", background: tuple[int, int, int] = WHITE, **options: Any
) -> Any:
    picture = decode_image(encoded(image, kind, **options), SIZE, background)
    return picture.pixels, picture.mode


def quarters() -> Image.Image:
    """Return red, green / blue, grey quarters: every turn and mirror image of it looks different."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:32, :32], pixels[:32, 32:] = (200, 0, 0), (0, 200, 0)
    pixels[32:, :32], pixels[32:, 32:] = (0, 0, 200), (90, 90, 90)
    return Image.fromarray(pixels)


def test_grey_becomes_three_equal_channels() -> None:
    pixels, mode = decoded(Image.new("L", (40, 40), 77))
    assert mode == "L"
    assert pixels.shape == (SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    assert np.all(pixels == 77)


@pytest.mark.parametrize("background", [WHITE, BLUE])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_lies_over_the_stated_background(mode: str, background: tuple[int, int, int]) -> None:
    clear = Image.new(mode, (20, 20), 0)
    pixels, found = decoded(clear, background=background)
    assert found == mode
    assert np.all(pixels == background)


def test_half_transparent_pixels_are_blended() -> None:
    pixels, _ = decoded(Image.new("RGBA", (20, 20), (255, 0, 0, 128)), background=BLUE)
    assert np.abs(pixels[0, 0].astype(int) - (128, 0, 127)).max() <= 1


def test_a_palette_is_looked_up_and_its_transparent_entry_shows_the_background() -> None:
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([9, 9, 9, 250, 10, 20])
    pixels, mode = decoded(palette)
    assert mode == "P"
    assert np.all(pixels == (250, 10, 20))
    pixels, mode = decoded(palette, transparency=1)
    assert mode == "P+alpha"
    assert np.all(pixels == 255)
    pixels, mode = decoded(palette, transparency=bytes([255, 0]), background=BLUE)
    assert mode == "P+alpha"
    assert np.all(pixels == BLUE)


def test_a_transparent_colour_without_an_alpha_channel_shows_the_background() -> None:
    pixels, mode = decoded(Image.new("RGB", (20, 20), (1, 2, 3)), transparency=(1, 2, 3))
    assert mode == "RGB+alpha"
    assert np.all(pixels == 255)


def test_cmyk_is_converted() -> None:
    pixels, mode = decoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG", quality=95)
    assert mode == "CMYK"
    assert pixels[8, 8, 0] > 200
    assert pixels[8, 8, 1:].max() < 60


@pytest.mark.parametrize(("deep", "shallow"), [(0, 0), (257, 1), (32_768, 128), (65_535, 255)])
def test_sixteen_bits_are_scaled_to_eight_and_not_clipped(deep: int, shallow: int) -> None:
    image = Image.fromarray(np.full((20, 20), deep, dtype=np.uint16))
    pixels, mode = decoded(image)
    assert mode in ("I;16", "I")
    assert np.all(pixels == shallow)


def test_black_and_white_is_converted() -> None:
    pixels, mode = decoded(Image.new("1", (20, 20), 1))
    assert mode == "1"
    assert np.all(pixels == 255)


def test_floating_point_pixels_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="floating-point pixels have no stated range"):
        decoded(Image.new("F", (20, 20), 0.5), "TIFF")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(orientation: int) -> None:
    # Viewing a file applies the orientation; storing it undid the inverse.
    store = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if store is None else upright.transpose(store)
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 95})):
        pixels, _ = decoded(stored, kind, exif=exif, **options)
        expected, _ = decoded(upright)
        assert (
            np.abs(
                pixels[[3, 3, 12, 12], [3, 12, 3, 12]].astype(int) - expected[[3, 3, 12, 12], [3, 12, 3, 12]]
            ).max()
            < 12
        )


def test_broken_metadata_around_good_pixels_is_no_reason_to_refuse_them() -> None:
    content = encoded(quarters(), "JPEG", quality=95)
    garbage = b"\xff\xe1\x00\x10Exif\x00\x00MM\x00*\xff\xff\xff\xff"
    pixels = decode_image(content[:2] + garbage + content[2:], SIZE, WHITE).pixels
    assert pixels[3, 3, 0] > 150


def test_the_largest_central_square_is_kept() -> None:
    wide = Image.new("RGB", (60, 20), (255, 0, 0))
    wide.paste((0, 255, 0), (20, 0, 40, 20))
    for image in (wide, wide.transpose(Image.Transpose.ROTATE_90)):
        pixels, _ = decoded(image)
        assert np.all(pixels[1:-1, 1:-1] == (0, 255, 0))  # at the edge the filter blends in a neighbour


def test_an_image_of_the_right_size_keeps_every_pixel() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert np.array_equal(decoded(Image.fromarray(noise))[0], noise)


def test_large_photographs_shrink_smoothly() -> None:
    stripes = np.zeros((1024, 1024, 3), dtype=np.uint8)
    stripes[::2] = 255
    pixels, _ = decoded(Image.fromarray(stripes), "JPEG", quality=95)
    assert np.abs(pixels.astype(int) - 128).max() < 12  # one pixel in 64 would be black or white


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("side", [32, 600])
def test_a_cut_file_is_found_whatever_its_format(kind: str, side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    with pytest.raises(Exception):  # noqa: B017, PT011 (Pillow has no one exception for it)
        decode_image(content[: len(content) * 2 // 3], SIZE, WHITE)


def test_arrays_are_resized_image_by_image() -> None:
    images = np.stack([np.full((8, 8, 3), value, dtype=np.uint8) for value in (10, 200)])
    bigger = resize_all(images, 32)
    assert bigger.shape == (2, 32, 32, 3)
    assert np.all(bigger[0] == 10)
    assert np.all(bigger[1] == 200)
    assert resize_all(images, 8) is images
