"""An archive of one's own in CIFAR's format: a class's subset or mirror, named by its MD5, through the real command."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from cifar_archives import made_up_archive
from commands import Done, scalestudy
from file_server import serving

from scalestudy.data.store import Store
from scalestudy.errors import UserError
from scalestudy.study.config import load_study
from scalestudy.study.dataset import parse_dataset
from scalestudy.study.names import dataset_name

CLASSES = ["cat", "dog", "frog"]
META = {"label_names": CLASSES}


def batch(images: int, seed: int, key: str = "labels") -> dict[str, object]:
    """Return a batch as a teacher's Python 3 writes it: keys are text."""
    chance = np.random.default_rng(seed)
    data = chance.integers(0, 256, (images, 3072), dtype=np.uint8)
    return {"data": data, key: (np.arange(images) % len(CLASSES)).tolist()}


def subset(path: Path, mode: str = "w:gz", **batches: object) -> str:
    """Write an archive of these pickles in a folder of another name than the published one; return its MD5."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in batches.items():
            data = content if isinstance(content, bytes) else pickle.dumps(content)
            member = tarfile.TarInfo(f"our-class/{name.replace('__', '.')}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return hashlib.md5(path.read_bytes()).hexdigest()


def small(path: Path, mode: str = "w:gz") -> str:
    """Write a subset of one training batch, 9 images, and 6 test images; return its MD5."""
    return subset(path, mode, data_batch_1=batch(9, 0), test_batch=batch(6, 1), batches__meta=META)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def prepare(*arguments: str) -> Done:
    """Run `scalestudy prepare --source cifar10 ARGUMENTS --output set`."""
    return scalestudy("prepare", "--source", "cifar10", *arguments, "--output", "set")


def error(*arguments: str) -> str:
    """Return the one error line of a preparation that must fail and leave nothing."""
    done = prepare(*arguments)
    assert done.code == 2, done.said
    assert not Path("set").exists()
    (line,) = done.errors
    return line


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w"])
def test_a_subset_with_fewer_batches_and_classes_is_read_by_its_own_md5(tmp_path: Path, mode: str) -> None:
    md5 = small(tmp_path / "ours.tar", mode)
    done = prepare("--archive", "ours.tar", "--md5", md5.upper())
    assert done.code == 0, done.said
    store = Store.open(tmp_path / "set")
    assert store.info["classes"] == CLASSES
    assert (store.info["train_images"], store.info["test_images"]) == (9, 6)
    expected = np.random.default_rng(0).integers(0, 256, (9, 3, 32, 32), dtype=np.uint8)
    assert np.array_equal(store.train_images, expected.transpose(0, 2, 3, 1))
    assert store.train_labels.tolist() == [0, 1, 2] * 3


@pytest.mark.parametrize("host", ["file", "http"])
def test_a_mirror_may_be_a_file_or_a_host_and_what_came_lies_beside_the_published_archive(
    tmp_path: Path, host: str
) -> None:
    made = tmp_path / "share" / "ours.tgz"
    made.parent.mkdir()
    md5 = small(made)
    with serving(made) as server:
        mirror = made.as_uri() if host == "file" else server.url("whole", "ours.tgz")
        done = prepare("--mirror", mirror, "--md5", md5)
    assert done.code == 0, done.said
    assert (tmp_path / "data/downloads" / f"{md5[:8]}-ours.tgz").read_bytes() == made.read_bytes()
    assert Store.open(tmp_path / "set").info["train_images"] == 9


def test_a_mirror_that_is_a_file_must_have_the_md5_too(tmp_path: Path) -> None:
    small(tmp_path / "ours.tgz")
    line = error("--mirror", (tmp_path / "ours.tgz").as_uri(), "--md5", "0" * 32)
    assert "what came has the checksum" in line
    line = error("--mirror", (tmp_path / "gone.tgz").as_uri(), "--md5", "0" * 32)
    assert "No such file or directory" in line


def test_another_file_than_the_md5_says_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    md5 = small(tmp_path / "ours.tgz")
    before = (tmp_path / "ours.tgz").read_bytes()
    assert error("--archive", "ours.tgz", "--md5", "0" * 32) == (
        f"error: the archive ours.tgz has MD5 {md5}, and `md5` says {'0' * 32}; correct one of them"
    )
    assert error("--archive", "gone.tgz", "--md5", md5) == (
        "error: the archive gone.tgz is not there; correct `archive`, or set `mirror` to its URL"
    )
    assert (tmp_path / "ours.tgz").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("--md5 abc --archive x", "'abc' is not an MD5 of 32 hex digits"),
        (f"--md5 {'0' * 32}", "say where it is with `archive` or `mirror`"),
        ("--mirror ftp://host/x", "not a URL that starts with http://, https:// or file:///"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(tmp_path: Path, settings: str, words: str) -> None:
    assert words in error(*settings.split())


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (Path("it-ran"),))


def test_an_archive_that_would_run_code_is_refused_before_it_does(tmp_path: Path) -> None:
    md5 = subset(tmp_path / "ours.tgz", data_batch_1=_Evil(), test_batch=batch(6, 1), batches__meta=META)
    line = error("--archive", "ours.tgz", "--md5", md5)
    assert "data_batch_1 is not a pickled batch of CIFAR: it would run pathlib" in line
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ({"data_batch_1": batch(9, 0), "batches__meta": META}, "lacks cifar-10-batches-py/test_batch"),
        ({"test_batch": batch(9, 0), "batches__meta": META}, "lacks cifar-10-batches-py/data_batch_1"),
        ({"data_batch_1": {"data": np.zeros((2, 784), np.uint8), "labels": [0, 1]}}, "uint8 of shape (2, 784)"),
        ({"data_batch_1": {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 3]}}, "labels from 0 to 3"),
        ({"data_batch_1": {"data": np.zeros((2, 3072), np.uint8)}}, "lacks data or labels"),
        ({"data_batch_1": b"not a pickle"}, "data_batch_1 is not a pickled batch"),
        ({"batches__meta": {"names": CLASSES}}, "batches.meta has no list label_names"),
    ],
)  # fmt: skip
def test_what_is_wrong_inside_is_named(tmp_path: Path, batches: dict[str, object], words: str) -> None:
    whole = {
        "data_batch_1": batch(9, 0),
        "test_batch": batch(6, 1),
        "batches__meta": META,
    }
    lacks = words.startswith("lacks cifar")
    md5 = subset(tmp_path / "ours.tgz", **(batches if lacks else {**whole, **batches}))
    assert words in error("--archive", "ours.tgz", "--md5", md5)


def test_a_zip_file_is_said_to_be_no_tar_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ours.zip", "w") as archive:
        archive.writestr("data_batch_1", b"x")
    md5 = hashlib.md5((tmp_path / "ours.zip").read_bytes()).hexdigest()
    assert "ours.zip cannot be read as a tar archive" in error("--archive", "ours.zip", "--md5", md5)


def test_the_published_archive_still_needs_the_published_md5_and_keeps_its_name(tmp_path: Path) -> None:
    made_up_archive(tmp_path / "made.tgz")
    plain = parse_dataset({"source": "cifar10"})
    own = parse_dataset({"source": "cifar10", "md5": "0" * 32, "archive": "x.tgz"})
    moved = parse_dataset({"source": "cifar10", "md5": "0" * 32, "mirror": "https://host/x.tgz"})
    assert dataset_name(plain, 32) == dataset_name(parse_dataset({"source": "cifar10", "archive": "x"}), 32)
    assert dataset_name(own, 32) == dataset_name(moved, 32) != dataset_name(plain, 32)
    assert "c58f30108f718f92721af3b95e74349a" in error("--mirror", (tmp_path / "made.tgz").as_uri())


def test_a_study_takes_the_same_keys(tmp_path: Path) -> None:
    keys = {"source": "cifar10", "archive": "ours.tgz", "md5": "0" * 32}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"dataset": keys}))
    assert (
        load_study(str(tmp_path / "mine.yaml")).dataset.default_title()
        == "CIFAR-10 (an archive of one's own)"
    )
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"dataset": {**keys, "md5": "0"}}))
    with pytest.raises(UserError, match=r"dataset.*md5.*'0' is not an MD5"):
        load_study(str(tmp_path / "mine.yaml"))
