"""Image folders: layouts, classes, bad files, names, and the limits of the machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_folders import fill, noise
from PIL import Image

from scalestudy.data.decoding import Decoded, decode_pieces, worker_count
from scalestudy.data.prepare import prepare_dataset
from scalestudy.data.store import Store
from scalestudy.errors import UserError
from scalestudy.study.dataset import parse_dataset


def prepared(root: Path, output: Path, **settings: object) -> Store:
    values = {"source": "imagefolder", "folder": str(root), **settings}
    prepare_dataset(parse_dataset(values), 8, output)
    return Store.open(output)


def refusal(root: Path, output: Path, **settings: object) -> str:
    with pytest.raises(UserError) as caught:
        prepared(root, output, **settings)
    assert not output.exists()
    return str(caught.value)


# Layouts


def test_train_and_test_folders_are_the_two_splits(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__cat=3, train__dog=2, test__cat=1, test__dog=2)
    store = prepared(root, tmp_path / "set")
    assert store.info["classes"] == ["cat", "dog"]
    assert store.train_labels.tolist() == [0, 0, 0, 1, 1]
    assert store.test_labels.tolist() == [0, 1, 1]
    assert store.info["summary"]["modes"] == {"RGB": 8}


def test_a_val_folder_is_the_test_set_where_there_is_no_test_folder(tmp_path: Path) -> None:
    store = prepared(fill(tmp_path / "imgs", train__a=2, train__b=2, val__a=1, val__b=1), tmp_path / "set")
    assert store.info["test_images"] == 2
    root = fill(tmp_path / "both", train__a=2, train__b=2, val__a=1, val__b=1, test__a=2, test__b=2)
    store = prepared(root, tmp_path / "other")
    assert store.info["test_images"] == 4
    assert "val/ is neither the training nor the test set: not used" in store.info["summary"]["notes"]


def test_one_tree_is_split_stratified_and_the_same_way_each_time(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=20, b=10)
    first = prepared(root, tmp_path / "first", test_fraction="1/5")
    assert first.info["train_counts"] == [16, 8]
    assert first.info["test_counts"] == [4, 2]
    prepared(root, tmp_path / "x" / "first", test_fraction="1/5")
    for name in ("dataset.json", "train_images.npy", "test_images.npy"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "x" / "first" / name).read_bytes()
    other = prepared(root, tmp_path / "seeded", test_fraction="1/5", split_seed=1)
    assert other.info["sha256"] != first.info["sha256"]


def test_images_may_lie_in_folders_below_their_class_and_behind_links(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=4, b__deep__deeper=5)
    (root / "b" / "deep" / "loop").symlink_to(root / "b")
    (root / "c").symlink_to(fill(tmp_path / "elsewhere", c=5) / "c")
    store = prepared(root, tmp_path / "set")
    assert [
        sum(each) for each in zip(store.info["train_counts"], store.info["test_counts"], strict=True)
    ] == [4, 5, 5]


def test_train_without_test_says_how_to_split_one_off(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=4, train__b=4)
    message = refusal(root, tmp_path / "set")
    assert "has train/ but no test/" in message
    assert f"set `folder` to {root}/train" in message
    assert prepared(root / "train", tmp_path / "set").info["classes"] == ["a", "b"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert prepared(fill(tmp_path / "imgs", bus=5, train=5), tmp_path / "set").info["classes"] == [
        "bus",
        "train",
    ]


def test_a_folder_that_is_missing_or_has_no_classes_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/nowhere cannot be read: No such file" in refusal(
        tmp_path / "nowhere", tmp_path / "set"
    )
    (tmp_path / "empty").mkdir()
    assert "holds no class folders" in refusal(tmp_path / "empty", tmp_path / "set")


# Classes


def test_dot_folders_are_ignored_with_a_notice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, test__a=1, test__b=1)
    fill(root, **{"train__.ipynb_checkpoints": 1, "train__a__.thumbs": 1})
    (root / "train" / "a" / "._001.png").write_bytes(b"resource fork")
    (root / "train" / "notes.txt").write_text("hello")
    store = prepared(root, tmp_path / "set")
    assert store.info["classes"] == ["a", "b"]
    assert store.info["train_images"] == 4
    ignored = store.info["summary"]["ignored"]
    assert "train/.ipynb_checkpoints: its name starts with a dot" in ignored
    assert "train/a/.thumbs: its name starts with a dot" in ignored
    assert "not read as images: 1 hidden, 1 .txt" in ignored
    shown = capsys.readouterr().err
    assert "note: train/.ipynb_checkpoints: its name starts with a dot" in shown
    assert "4 train and 2 test images in 2 classes: a, b" in shown


def test_an_empty_class_is_an_error_that_names_it(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, train__empty=0, test__a=1, test__b=1)
    message = refusal(root, tmp_path / "set")
    assert "no training images of class empty" in message
    assert "empty_classes: allow" in message
    store = prepared(root, tmp_path / "set", empty_classes="allow")
    assert store.info["classes"] == ["a", "b", "empty"]
    assert store.info["train_counts"] == [2, 2, 0]
    assert "no training images of class empty (empty_classes: allow)" in store.info["summary"]["notes"]


def test_a_class_missing_in_the_test_set_keeps_the_numbers_of_the_others(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, train__c=2, val__a=1, val__c=1)
    store = prepared(root, tmp_path / "set")
    assert store.test_labels.tolist() == [0, 2]
    assert "no test images of class b: its accuracy cannot be measured" in store.info["summary"]["notes"]


def test_a_class_that_only_the_test_set_has_is_an_error(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, train__c=2, val__a=1, val__b=1, val__d=1)
    message = refusal(root, tmp_path / "set")
    assert "val/ has class d, which train/ lacks" in message
    assert "a, b, c" in message


def test_an_empty_folder_that_only_the_test_set_has_is_a_notice(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, test__a=1, test__b=1, test__d=0)
    assert (
        "test/d/ is empty and no class of train/: not used"
        in prepared(root, tmp_path / "s").info["summary"]["notes"]
    )


def test_numeric_names_are_in_numeric_order_and_stay_the_names(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", **{"1": 5, "2": 5, "10": 5})
    assert prepared(root, tmp_path / "set").info["classes"] == ["1", "2", "10"]
    fill(root, other=5)
    assert prepared(root, tmp_path / "mixed").info["classes"] == ["1", "10", "2", "other"]


def test_another_number_of_classes_than_configured_is_refused_with_the_names(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", a=3, b=3, c=3)
    assert "num_classes says 2, and the data have 3 (a, b, c); correct" in refusal(
        root, tmp_path / "set", num_classes=2
    )
    assert prepared(root, tmp_path / "set", num_classes=3).info["classes"] == ["a", "b", "c"]


# Files


def cut_images(root: Path) -> None:
    """Put a cut JPEG, text with an image's name and an empty file among the images."""
    noise(1, 64).save(root / "train" / "cat" / "whole.jpg", quality=95)
    content = (root / "train" / "cat" / "whole.jpg").read_bytes()
    (root / "train" / "cat" / "bad.jpg").write_bytes(content[:500])
    (root / "train" / "dog" / "text.png").write_text("this is not an image")
    (root / "test" / "dog" / "empty.png").touch()


def test_every_bad_file_is_listed_and_nothing_is_prepared(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__cat=3, train__dog=3, test__cat=2, test__dog=2)
    cut_images(root)
    message = refusal(root, tmp_path / "set")
    assert "3 of 14 image files" in message
    assert re.search(r"train/cat/bad.jpg: .*truncated", message, re.IGNORECASE)  # Pillow's words vary
    assert "train/dog/text.png: not an image that Pillow can read" in message
    assert "test/dog/empty.png: the file is empty" in message
    assert "`bad_files: skip`" in message


def test_skipping_bad_files_counts_them_for_each_class(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__cat=3, train__dog=3, test__cat=2, test__dog=2)
    cut_images(root)
    store = prepared(root, tmp_path / "set", bad_files="skip")
    assert store.info["train_counts"] == [4, 3]
    assert store.info["test_counts"] == [2, 2]
    assert store.train_labels.tolist() == [0] * 4 + [1] * 3
    bad = store.info["summary"]["bad_files"]
    assert bad["per_class"] == {"cat": 1, "dog": 2}
    assert len(bad["files"]) == 3
    assert any(
        "3 of 14 files cannot be read and were left out (by class: cat 1, dog 2)" in n
        for n in store.info["summary"]["notes"]
    )
    again = prepared(root, tmp_path / "x" / "set", bad_files="skip")
    assert again.info == store.info


def test_a_class_whose_every_file_is_bad_is_an_empty_class(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=0, test__a=1, test__b=1)
    (root / "train" / "b" / "x.png").write_text("no")
    assert "no training images of class b" in refusal(root, tmp_path / "set", bad_files="skip")


def test_a_test_set_of_bad_files_alone_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, test__a=0, test__b=0)
    (root / "test" / "b" / "x.png").write_text("no")
    assert "no test images" in refusal(root, tmp_path / "set", bad_files="skip")


def test_modes_are_mixed_freely_and_counted(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=1, train__b=1, test__a=1, test__b=1)
    folder = root / "train" / "a"
    Image.new("L", (20, 20), 5).save(folder / "l.png")
    Image.new("RGBA", (20, 20), (9, 9, 9, 0)).save(folder / "rgba.png")
    Image.new("P", (20, 20), 0).save(folder / "p.png", transparency=0)
    Image.new("CMYK", (20, 20)).save(folder / "cmyk.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(3, 40).save(folder / "phone.JPG", exif=exif)
    store = prepared(root, tmp_path / "set", background="#102030")
    assert store.info["summary"]["modes"] == {"CMYK": 1, "L": 1, "P+alpha": 1, "RGB": 5, "RGBA": 1}
    names = ["000.png", "cmyk.jpg", "l.png", "p.png", "phone.JPG", "rgba.png"]
    assert np.all(store.train_images[names.index("rgba.png")] == (0x10, 0x20, 0x30))
    assert np.all(store.train_images[names.index("p.png")] == (0x10, 0x20, 0x30))


def test_images_that_are_in_both_splits_are_named(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=2, train__b=2, test__a=1, test__b=1)
    (root / "test" / "b" / "copy.png").write_bytes((root / "train" / "a" / "001.png").read_bytes())
    store = prepared(root, tmp_path / "set")
    assert store.info["summary"]["duplicates_across_splits"] == 1
    note = "the first: test/b/copy.png is train/a/001.png"
    assert any(note in each for each in store.info["summary"]["notes"])


# The machine


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_outside_ascii_and_outside_utf8_are_read_in_every_locale(tmp_path: Path, locale: str) -> None:
    root = fill(tmp_path / "büldär", train__猫=2, train__b=2, test__猫=1, test__b=1)
    (root / "train" / "猫" / "é.png").write_bytes((root / "train" / "猫" / "000.png").read_bytes())
    odd = root / "train" / "b\udcff"  # the byte 0xff
    odd.mkdir()
    (root / "train" / "b" / "000.png").rename(odd / "\udcfe.png")
    (root / "train" / "猫" / "é-bad.png").write_text("no")
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0"}
    code = (
        "import sys; from pathlib import Path; from scalestudy.cli.data import prepare;"
        "prepare(source='imagefolder', output=Path(sys.argv[2]), image_size=8, folder=sys.argv[1], bad_files='skip')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), str(tmp_path / "set")],
        env=environment,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    info = Store.open(tmp_path / "set").info
    assert info["classes"] == ["b", "b\\xff", "猫"]
    assert info["train_counts"] == [1, 1, 3]
    assert info["summary"]["bad_files"]["per_class"] == {"猫": 1}
    assert info["settings"]["folder"] == str(root)
    assert "猫" in (tmp_path / "set" / "dataset.json").read_bytes().decode("utf-8")


def many_files(folder: Path, count: int) -> list[bytes]:
    folder.mkdir(parents=True)
    noise(0).save(folder / "0.png")
    noise(1).save(folder / "1.png")
    files = [folder / f"{index}.png" for index in range(count)]
    for index in range(2, count):
        os.link(folder / f"{index % 2}.png", files[index])
    return [os.fsencode(file) for file in files]


def test_spawned_processes_decode_the_same_in_the_same_order(tmp_path: Path) -> None:
    files = many_files(tmp_path / "many", 40)
    (tmp_path / "many" / "7.png").unlink()
    pieces = [files[start : start + 3] for start in range(0, 40, 3)]

    def all_of(workers: int) -> list[Decoded]:
        return list(decode_pieces(pieces, 8, (255, 255, 255), workers))

    for one, two in zip(all_of(1), all_of(2), strict=True):
        assert np.array_equal(one.images, two.images)
        assert (one.good, one.modes, one.bad) == (two.good, two.modes, two.bad)
    assert [one.bad for one in all_of(1) if one.bad] == [[(1, "No such file or directory")]]


def test_decoding_goes_on_when_its_processes_die(tmp_path: Path) -> None:
    many_files(tmp_path / "many", 12)
    script = tmp_path / "script.py"
    script.write_text(  # without the guard for spawned processes, each of them fails as it starts
        "import os, sys\n"
        "from scalestudy.data.decoding import decode_pieces\n"
        "files = [os.path.join(os.fsencode(sys.argv[1]), b'%d.png' % i) for i in range(12)]\n"
        "print(sum(len(d.good) for d in decode_pieces([files[:6], files[6:]], 8, (0, 0, 0), 2)))\n"
    )
    done = subprocess.run(
        [sys.executable, script, tmp_path / "many"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["12"], done.stderr
    assert "decoding goes on in one process" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("limit", [24, 64])
def test_a_low_limit_of_open_files_is_no_obstacle(tmp_path: Path, limit: int) -> None:
    for name in ("a", "b"):
        many_files(tmp_path / "imgs" / name, 300)
    prepare = "-m scalestudy prepare --source imagefolder --folder imgs --image-size 8 --output set"
    command = f'ulimit -n {limit} && exec "{sys.executable}" {prepare}'
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert Store.open(tmp_path / "set").info["train_images"] == 480


def test_the_number_of_processes_keeps_to_the_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(48)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert worker_count(100) == 1  # not worth starting processes
    assert worker_count(100_000) <= 48
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "6")
    assert worker_count(100_000) == 6
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # a rule's threads
    assert worker_count(100_000) == 2
