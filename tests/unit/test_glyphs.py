"""The glyphs source draws legible, varied, repeatable letters and digits without any download."""

import time
from pathlib import Path

import numpy as np
import pytest

from scalestudy.data.prepare import prepare_dataset
from scalestudy.data.sources.glyphs import CHARACTERS, CLASSES, text_fonts
from scalestudy.data.store import Store
from scalestudy.errors import UserError
from scalestudy.study.dataset import parse_dataset


def glyphs(folder: Path, image_size: int = 32, **settings: object) -> Store:
    values = {"source": "glyphs", "train_images": 350, "test_images": 70, **settings}
    prepare_dataset(parse_dataset(values), image_size, folder)
    return Store.open(folder)


def test_classes_are_digits_and_letters_without_those_that_look_alike() -> None:
    assert len(CLASSES) == 35
    assert "O" not in CLASSES
    drawn = "".join(CHARACTERS.values())
    assert len(set(drawn)) == len(drawn)
    assert not set("OoIl") & set(drawn)


def test_only_text_fonts_that_hold_every_character_are_used() -> None:
    names = [font.stem for font in text_fonts()]
    assert len(names) >= 12
    assert {"DejaVuSans", "DejaVuSerif", "STIXGeneral", "cmr10"} <= set(names)
    assert not [
        name for name in names if name.startswith(("cmex", "cmsy", "LastResort", "STIXSiz", "STIXNon"))
    ]


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again = glyphs(tmp_path / "a"), glyphs(tmp_path / "b")
    other = glyphs(tmp_path / "c", split_seed=1)
    assert first.info["sha256"] == again.info["sha256"]
    assert first.info["sha256"] != other.info["sha256"]


def test_training_and_test_images_are_different_and_balanced(tmp_path: Path) -> None:
    store = glyphs(tmp_path / "glyphs")
    assert store.info["train_counts"] == [10] * 35
    assert store.info["test_counts"] == [2] * 35
    assert store.info["summary"]["duplicates_across_splits"] == 0


def test_every_glyph_has_ink_in_contrast_with_its_ground_and_inside_the_image(tmp_path: Path) -> None:
    images = glyphs(tmp_path / "glyphs").train_images.astype(int)
    assert (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3))).min() > 60
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1], 0]
    flat = (corners == corners[:, :1]).all(axis=1)
    assert flat.mean() > 0.97  # nearly always no ink in the corners


@pytest.mark.parametrize("size", [16, 48])
def test_glyphs_come_in_the_size_that_is_asked_for(tmp_path: Path, size: int) -> None:
    store = glyphs(tmp_path / "glyphs", size, train_images=35, test_images=35)
    assert store.train_images.shape == (35, size, size, 3)


def test_a_wrong_number_of_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="num_classes says 62, and the data have 35 "):
        glyphs(tmp_path / "glyphs", num_classes=62)


@pytest.mark.slow
def test_nine_thousand_glyphs_are_drawn_in_seconds(tmp_path: Path) -> None:
    started = time.process_time()
    store = glyphs(tmp_path / "glyphs", train_images=8_000, test_images=1_000)
    assert time.process_time() - started < 15
    assert np.unique(store.train_images.reshape(8_000, -1), axis=0).shape[0] > 7_900
