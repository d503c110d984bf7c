"""Image folders as strangers have them: each is taken for what it is with a note, or refused with what to do."""

import os
import socket
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_folders import fill, noise
from PIL import Image
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.data.folders import role_of
from scalestudy.data.sources.imagefolder import look
from scalestudy.data.store import Store
from scalestudy.errors import UserError
from scalestudy.study.dataset import ImageFolder

TWO = {"a": 2, "b": 2}


def splits(root: Path, train: str, test: str, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    for name in classes:
        fill(root, **{f"{train}__{name}": 3, f"{test}__{name}": 2})
    return root


def prepare(root: Path, *flags: str) -> dict[str, Any]:
    """Run `scalestudy prepare` on a folder; return the store's record."""
    output = root.parent / f"{root.name}-store"
    arguments = ["prepare", "--source", "imagefolder", "--folder", str(root), "--image-size", "8"]
    done = CliRunner().invoke(app, [*arguments, "--output", str(output), *flags], catch_exceptions=True)
    if done.exception is not None:
        raise done.exception
    return Store.open(output).info


def refusal(root: Path, *flags: str) -> str:
    with pytest.raises(UserError) as caught:
        prepare(root, *flags)
    assert not (root.parent / f"{root.name}-store").exists()
    return str(caught.value)


def lines(info: dict[str, Any]) -> str:
    return "\n".join([*info["summary"]["notes"], *info["summary"]["ignored"]])


# Splits


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Training", "Testing"), ("Train", "Test"), ("TRAIN", "VAL"), ("training_set", "test_set"), ("train", "valid"),
        ("train", "validation"), ("trainset", "valset"), ("train-images", "test-images"), ("train", "test1"),
        ("seg_train", "seg_test"), ("training data", "testing data"),
    ],
)  # fmt: skip
def test_splits_by_other_names_are_taken_for_what_they_are_with_a_note(
    tmp_path: Path, train: str, test: str
) -> None:
    info = prepare(splits(tmp_path / "imgs", train, test))
    assert info["classes"] == ["cat", "dog"]
    assert (info["train_counts"], info["test_counts"]) == ([3, 3], [2, 2])
    assert f"{train}/ is taken for the training set, {test}/ for the test set" in lines(info)


def test_names_of_classes_are_not_taken_for_those_of_splits() -> None:
    for name in (
        b"trains",
        b"testicle",
        b"values",
        b"trainer",
        b"valley",
        b"contest",
        b"setting",
        b"device",
        b"images",
    ):
        assert role_of(name) is None
    assert (role_of(b"Train"), role_of(b"test_set"), role_of(b"dev")) == ("train", "test", "val")


@pytest.mark.parametrize(
    "names", [("A", "B"), ("Lernen", "Pruefen"), ("train_v1", "extra"), ("site1", "site2", "site3")]
)
def test_folders_that_hold_the_same_folders_are_refused_as_likely_splits(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        fill(tmp_path / "imgs", **{f"{name}__{each}": 2 for each in ("glioma", "notumor", "pituitary")})
    message = refusal(tmp_path / "imgs")
    assert "hold folders of the same names (glioma, notumor, pituitary)" in message
    assert all(f"{name}/" in message for name in names)
    info = prepare(tmp_path / "imgs", "--num-classes", str(len(names)))  # as the message says
    assert info["classes"] == sorted(names)


def test_classes_with_folders_of_their_own_are_no_splits(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", cat__indoor=3, cat__outdoor=3, dog__park=3, dog__street=3)
    assert prepare(root)["classes"] == ["cat", "dog"]
    root = fill(tmp_path / "more", cat__images=6, dog__images=6)
    assert prepare(root)["classes"] == ["cat", "dog"]


def test_two_folders_that_both_look_like_the_training_set_are_refused(tmp_path: Path) -> None:
    root = splits(splits(tmp_path / "imgs", "Training", "Test"), "training_set", "Test")
    assert "Training/ and training_set/ both look like the training set" in refusal(root)
    splits(root, "train", "test")
    assert prepare(root)["classes"] == ["cat", "dog"]  # the plain names win


def test_splits_without_class_folders_are_refused(tmp_path: Path) -> None:
    message = refusal(fill(tmp_path / "imgs", Training=4, Testing=2))
    assert "Training/ and Testing/ hold no class folders" in message
    assert "Training/<class>/" in message


def test_a_test_set_of_loose_images_is_refused_with_their_number(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__cat=3, train__dog=3, test=6)
    assert "no test images in " in refusal(root)
    assert "(6 images outside of class folders); put those of each class" in refusal(root)


def test_a_split_folder_that_holds_itself_again_is_looked_into(tmp_path: Path) -> None:
    info = prepare(splits(tmp_path / "imgs", "seg_train__seg_train", "seg_test__seg_test"))
    assert info["classes"] == ["cat", "dog"]
    assert "the classes of seg_train/ lie in seg_train/seg_train/" in lines(info)


# Classes


def test_one_class_is_refused(tmp_path: Path) -> None:
    assert "holds one class folder only, cat/, and a study needs two classes" in refusal(
        fill(tmp_path / "one", cat=5)
    )
    root = fill(tmp_path / "two", train__cat=5, test__cat=2)
    assert f"{root}/train holds one class folder only, cat/" in refusal(root)


def test_a_dataset_one_folder_further_in_is_hinted_at(tmp_path: Path) -> None:
    root = tmp_path / "imgs"
    splits(root / "dataset", "train", "test", ("cats", "dogs"))
    message = refusal(root)
    assert "holds one class folder only, dataset/" in message
    assert f"{root}/dataset holds test/, train/: give that folder instead" in message
    assert prepare(root / "dataset")["classes"] == ["cats", "dogs"]


def test_loose_images_without_any_class_folder_are_named(tmp_path: Path) -> None:
    root = tmp_path / "imgs"
    root.mkdir()
    for index in range(4):
        noise(index).save(root / f"cat.{index}.jpg")
    assert "holds no class folders; images that lie in none: 4; put those" in refusal(root)


def test_an_archive_that_is_not_unpacked_is_named(tmp_path: Path) -> None:
    root = tmp_path / "imgs"
    root.mkdir()
    with zipfile.ZipFile(root / "animals.zip", "w") as archive:
        archive.writestr("cat/1.png", b"")
    assert "animals.zip lies there: unpack it" in refusal(root)


def test_class_names_that_differ_only_in_case_between_the_splits_are_refused(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__Cat=2, train__Dog=2, test__cat=1, test__Dog=1)
    message = refusal(root)
    assert (
        "test/ has class cat, which train/ lacks (Cat is there: upper and lower case must agree)" in message
    )


def test_accents_written_in_two_ways_are_one_class_name(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    root = fill(
        tmp_path / "imgs", **{f"train__{composed}": 2, "train__b": 2, f"test__{apart}": 1, "test__b": 1}
    )
    info = prepare(root)
    assert info["classes"] == ["b", composed]
    assert info["test_counts"] == [1, 1]
    both = fill(tmp_path / "both", **{composed: 2, apart: 2})
    assert "two class folders have names that look the same: café; rename one" in refusal(both)


def test_a_class_without_test_images_is_prepared_and_noted(tmp_path: Path) -> None:
    info = prepare(fill(tmp_path / "pool", big=60, mid=10, single=1))
    assert info["test_counts"][2] == 0
    assert "no test images of class single: its accuracy cannot be measured" in lines(info)
    info = prepare(
        fill(tmp_path / "imgs", train__blue=2, train__red=2, train__zz=2, test__blue=1, test__red=1)
    )
    assert info["test_counts"] == [1, 1, 0]


def test_a_class_of_files_that_are_not_read_says_what_lies_there(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=0, test__a=1, test__b=0)
    for index in range(4):
        (root / "train" / "b" / f"IMG_{index}.HEIC").write_bytes(b"x")
    message = refusal(root)
    assert (
        f"no training images of class b in {root} (not read as images: 4 .heic); remove the folder" in message
    )


def test_names_that_would_move_the_cursor_are_escaped(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", **{"a\nb": 3, "c\x1b[31m": 3})
    (root / "a\nb" / "x\ty.png").write_text("no")
    info = prepare(root, "--bad-files", "skip")
    assert info["classes"] == ["a\\nb", "c\\x1b[31m"]
    assert info["summary"]["bad_files"]["files"] == ["a\\nb/x\\ty.png: not an image that Pillow can read"]


# Links and special files


def test_a_class_that_is_a_link_to_nothing_is_refused_and_taken_once_it_is_mended(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, test__a=1, test__b=1, test__dog=1)
    target = tmp_path / "elsewhere"
    (root / "train" / "dog").symlink_to(target)
    assert f"{root}/train/dog is a link to {target}, which is not there; mend or remove it" in refusal(root)
    fill(target.parent, elsewhere=2)
    assert prepare(root)["classes"] == ["a", "b", "dog"]


def test_a_link_to_the_folder_of_classes_is_refused(tmp_path: Path) -> None:
    for name, target in (("above", ".."), ("root", "../..")):
        root = fill(tmp_path / name, train__a=2, train__b=2, test__a=1, test__b=1)
        (root / "train" / "a" / "up").symlink_to(target)
        message = refusal(root)
        assert f"{root}/train/a/up is a link to " in message
        assert "which holds the folders of all classes; remove it" in message


def test_no_image_is_counted_in_two_classes_by_links_between_them(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    (root / "a" / "loop").symlink_to("../b")
    (root / "b" / "loop").symlink_to("../a")
    message = refusal(root)
    assert f"{root}/b and {root}/a/loop are one and the same folder; remove the link" in message
    twins = fill(tmp_path / "twins", a=3)
    (twins / "b").symlink_to("a")
    assert "twins/b and" in refusal(twins)


def test_a_test_set_that_is_a_link_to_the_training_set_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2)
    (root / "test").symlink_to("train")
    message = refusal(root)
    assert f"{root}/test/a and {root}/train/a are one and the same folder" in message


def test_a_loop_inside_one_class_is_walked_once_and_noted(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=5, b__deep=5)
    (root / "b" / "deep" / "loop").symlink_to(root / "b")
    (root / "b" / "self").symlink_to("self")
    info = prepare(root, "--bad-files", "skip")
    assert sum(info["train_counts"]) + sum(info["test_counts"]) == 10
    assert "b/deep/loop: the same folder as b" in lines(info)
    assert "b/self: Too many levels of symbolic links" in "\n".join(info["summary"]["bad_files"]["files"])


def test_a_link_to_nothing_among_the_images_is_a_bad_file_with_its_target(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    (root / "a" / "x.png").symlink_to("/nowhere/x.png")
    (root / "a" / "more").symlink_to("/nowhere/more")
    message = refusal(root)
    assert "a/x.png: a link to /nowhere/x.png, which is not there" in message
    assert "a/more: a link to /nowhere/more, which is not there" in message


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=5, b=5)
    os.mkfifo(root / "a" / "x.png")
    (root / "a" / "zero.png").symlink_to("/dev/zero")
    (root / "pipe.png").symlink_to("a/x.png")
    short = Path("/tmp") / f"s{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as one:  # a socket's path must be short
        one.bind(str(short))
        (root / "b" / "socket.png").symlink_to(short)
        arguments = ["--folder", str(root), "--image-size", "8", "--output", str(tmp_path / "set")]
        done = subprocess.run(
            [sys.executable, "-m", "scalestudy", "prepare", "--source", "imagefolder", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
    short.unlink()
    assert done.returncode == 0, done.stderr
    for line in ("a/x.png: a pipe", "a/zero.png: a device", "b/socket.png: a socket", "pipe.png: a pipe"):
        assert f"note: {line}, not a file" in done.stderr
    assert Store.open(tmp_path / "set").info["train_images"] == 8


def test_hundreds_of_folders_inside_each_other_are_walked(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    deep = root / "a"
    for _ in range(400):
        deep = deep / "d"
    deep.mkdir(parents=True)
    noise(99).save(deep / "x.png")
    info = prepare(root)
    assert sum(info["train_counts"]) + sum(info["test_counts"]) == 7


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    (root / "b" / "private").mkdir(mode=0)
    for above in [root, *root.parents]:
        if above.stat().st_uid == os.geteuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o055)
    with as_nobody(), pytest.raises(UserError) as caught:
        look(ImageFolder(source="imagefolder", folder=str(root)))
    assert str(caught.value) == f"{root}/b/private in the image folder cannot be read: Permission denied"


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else meanwhile."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(me)


# What is left out


def test_what_is_left_out_is_counted_by_ending(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, test__a=1, test__b=1)
    for index in range(8):
        (root / "train" / "a" / f"{index}.svg").write_text("<svg/>")
    for index in range(3):
        (root / "train" / "b" / f"{index}.HEIC").write_bytes(b"x")
    (root / "train" / "b" / "README").write_text("x")
    for index in range(6):
        noise(index + 50).save(root / "test" / f"loose{index}.png")
    text = lines(prepare(root))
    assert "not read as images: 8 .svg, 3 .heic, 1 no ending" in text
    assert "outside of class folders: 6 images, such as test/loose0.png" in text


def test_what_systems_leave_behind_is_no_class_and_no_image(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=5, b=5)
    fill(root, **{"@eaDir__b": 1, "a__.thumbnails": 2})
    (root / "__MACOSX" / "a").mkdir(parents=True)
    (root / "__MACOSX" / "a" / "._000.png").write_bytes(b"resource fork")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._000.png"):
        (root / "a" / name).write_bytes(b"x")
    info = prepare(root)
    assert info["classes"] == ["a", "b"]
    assert sum(info["train_counts"]) + sum(info["test_counts"]) == 10
    text = lines(info)
    assert "__MACOSX: left by macOS" in text
    assert "@eaDir: left by a Synology disk station" in text
    assert "not read as images: 2 hidden, 1 .db, 1 .ini" in text


def test_a_file_of_ones_own_called_dataset_json_is_not_replaced(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    store = tmp_path / "imgs-store"
    store.mkdir()
    (store / "dataset.json").write_text("[1, 2]")
    with pytest.raises(UserError, match=r"dataset.json is there without a prepared dataset beside it"):
        prepare(root)
    assert (store / "dataset.json").read_text() == "[1, 2]"


# Formats and pixels


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("GIF", "gif"), ("JPEG", "jfif"), ("JPEG", "jpe"), ("JPEG", "JPG"), ("WEBP", "webp"), ("BMP", "bmp"),
        ("PCX", "pcx"), ("TIFF", "tif"), ("JPEG2000", "jp2"), ("TGA", "tga"), ("PPM", "pnm"), ("AVIF", "avif"),
        ("PNG", "jpg"),
    ],
)  # fmt: skip
def test_every_usual_format_is_read_whatever_its_ending_says(tmp_path: Path, kind: str, ending: str) -> None:
    root = fill(tmp_path / "imgs", train__a=1, train__b=1, test__a=1, test__b=1)
    Image.new("RGB", (32, 32), (200, 40, 40)).save(root / "train" / "a" / f"zz.{ending}", kind)
    prepare(root)
    pixels = Store.open(tmp_path / "imgs-store").train_images[1]
    assert np.abs(pixels.astype(int) - (200, 40, 40)).max() < 12


def test_an_animation_gives_its_first_frame_and_a_note(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=1, train__b=1, test__a=1, test__b=1)
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    for name in ("z1.gif", "z2.webp", "z3.tif", "z4.png"):
        frames[0].save(root / "train" / "a" / name, save_all=True, append_images=frames[1:], lossless=True)
    info = prepare(root)
    assert "4 images with several frames, of which the first is used" in lines(info)
    assert np.all(Store.open(tmp_path / "imgs-store").train_images[1:5] == (255, 0, 0))


@pytest.mark.parametrize("top", [254, 1 << 20])
def test_integer_pixels_without_a_stated_range_are_refused(tmp_path: Path, top: int) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    Image.fromarray(np.linspace(0, top, 256, dtype=np.int32).reshape(16, 16)).save(root / "a" / "deep.tif")
    message = refusal(root)
    assert "a/deep.tif: 32-bit integer pixels have no stated range; save it with 8 or 16 bits" in message


def test_sixteen_bit_images_that_use_twelve_are_noted(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=1, train__b=1, test__a=1, test__b=1)
    for name, top in (("x1.png", 65_535), ("x2.png", 4_000), ("x3.tif", 4_000)):
        Image.fromarray(np.full((16, 16), top, dtype=np.uint16)).save(root / "train" / "a" / name)
    info = prepare(root)
    assert "2 images with 16 bits, of which at most 12 are used: dark, as 65,535 is white" in lines(info)
    assert Store.open(tmp_path / "imgs-store").train_images[1:4, 0, 0, 0].tolist() == [255, 16, 16]


def test_an_enormous_image_and_an_enormous_file_fill_no_memory(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    Image.new("1", (30_000, 30_000)).save(root / "a" / "bomb.png")
    with (root / "b" / "sparse.png").open("wb") as file:
        file.truncate(50_000_000_000)
    message = refusal(root)
    assert "a/bomb.png: more than 178,956,970 pixels; make it smaller" in message
    assert "b/sparse.png: 50.0 GB are too much for an image" in message


def test_a_program_behind_an_images_name_is_not_run(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3)
    (root / "a" / "x.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    assert "a/x.png: not an image that Pillow can read" in refusal(root)
