"""The store appears whole or not at all, and says what it holds."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from scalestudy.data.store import Store, StoreWriter
from scalestudy.errors import UserError

CHANCE = np.random.default_rng(0)
TRAIN = CHANCE.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
TEST = CHANCE.integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
TRAIN_LABELS, TEST_LABELS = np.arange(23) % 3, np.arange(7) % 3


def written(folder: Path, piece: int = 100) -> Store:
    with StoreWriter(folder, 8) as writer:
        for split, images, labels in (("test", TEST, TEST_LABELS), ("train", TRAIN, TRAIN_LABELS)):
            for start in range(0, len(images), piece):
                writer.append(split, images[start : start + piece], labels[start : start + piece])
        writer.publish(["a", "b", "c"], {"source": "made up"}, {"notes": []})
    return Store.open(folder)


def test_what_is_written_is_read_back_through_read_only_memory_maps(tmp_path: Path) -> None:
    store = written(tmp_path / "set")
    for array, expected in (
        (store.train_images, TRAIN),
        (store.train_labels, TRAIN_LABELS),
        (store.test_images, TEST),
        (store.test_labels, TEST_LABELS),
    ):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
        assert np.array_equal(array, expected)
    assert (store.train_images.dtype, store.train_labels.dtype) == (np.uint8, np.int64)
    assert store.info["train_counts"] == [8, 8, 7]
    assert store.info["test_counts"] == [3, 2, 2]
    assert (store.info["name"], store.info["image_size"]) == ("set", 8)


def test_mean_and_deviation_are_over_all_training_pixels(tmp_path: Path) -> None:
    info = written(tmp_path / "set").info
    assert info["mean"] == pytest.approx((TRAIN / 255).mean(axis=(0, 1, 2)), rel=1e-12)
    assert info["std"] == pytest.approx((TRAIN / 255).std(axis=(0, 1, 2)), rel=1e-9)


def test_the_checksum_is_over_the_four_arrays(tmp_path: Path) -> None:
    info = written(tmp_path / "set").info
    digests = [hashlib.sha256(array.tobytes()).digest() for array in (TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)]
    assert info["sha256"] == hashlib.sha256(b"".join(digests)).hexdigest()


def test_neither_repetition_nor_the_size_of_the_pieces_changes_a_byte(tmp_path: Path) -> None:
    for folder, piece in (("a", 100), ("b", 5), ("a", 1)):
        written(tmp_path / folder / "set", piece)
    files = sorted(path.name for path in (tmp_path / "a" / "set").glob("[a-z]*"))
    assert files == [
        "dataset.json",
        "test_images.npy",
        "test_labels.npy",
        "train_images.npy",
        "train_labels.npy",
    ]
    for name in files:
        assert (tmp_path / "a" / "set" / name).read_bytes() == (tmp_path / "b" / "set" / name).read_bytes()


def test_a_folder_that_is_there_already_is_filled(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()  # as Snakemake does before the job
    assert len(written(tmp_path / "set").train_images) == 23


def test_a_failure_leaves_nothing_behind_and_an_older_store_untouched(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        with StoreWriter(folder, 8) as writer:
            writer.append("train", TRAIN, TRAIN_LABELS)
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []
    before = written(tmp_path / "set").info
    with pytest.raises(RuntimeError, match="stopped"):
        fail(tmp_path / "set")
    assert Store.open(tmp_path / "set").info == before


def test_what_a_killed_process_left_does_not_get_in(tmp_path: Path) -> None:
    (tmp_path / ".set.partial").mkdir()
    (tmp_path / ".set.partial" / "rubbish.npy").write_text("cut")
    written(tmp_path / "set")
    assert not (tmp_path / "set" / "rubbish.npy").exists()
    assert not (tmp_path / ".set.partial").exists()


def test_equal_images_have_equal_fingerprints(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "set", 8) as writer:
        writer.append("train", TRAIN, TRAIN_LABELS)
        writer.append("test", np.concatenate([TEST, TRAIN[5:6]]), np.append(TEST_LABELS, 0))
        prints, labels = writer.prints(), writer.labels()
    assert prints["test"][7] == prints["train"][5]
    assert len({*prints["train"].tolist(), *prints["test"].tolist()}) == len(TRAIN) + len(TEST)
    assert labels["test"].tolist() == [*TEST_LABELS, 0]


def test_a_store_that_is_not_complete_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dataset in .*: dataset.json is missing; .*scalestudy prepare"):
        Store.open(tmp_path / "nowhere")
    written(tmp_path / "set")
    (tmp_path / "set" / "test_images.npy").write_bytes(b"cut")
    with pytest.raises(
        UserError, match=r"test_images.npy cannot be read: it is no array; .* prepares it again"
    ):
        Store.open(tmp_path / "set")
    np.save(tmp_path / "set" / "test_images.npy", TEST[:3])
    with pytest.raises(UserError, match=r"test_images.npy does not fit its dataset.json"):
        Store.open(tmp_path / "set")
