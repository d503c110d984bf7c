"""Datasets of the Hugging Face Hub: from parquet files and the library's own cache, without any network."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import scalestudy
from image_folders import fill, noise

from scalestudy.data.store import Store

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, with the library's cache in it, and ask nothing of the network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def parquet(
    folder: str, labels: dict[str, list[Any]], feature: Any, column: str = "label", **more: list[Any]
) -> None:
    """Write one parquet file for each split, as datasets on the Hub have them."""
    for number, (split, values) in enumerate(labels.items()):
        features = {"image": datasets.Image(), column: feature}
        images = [noise(100 * number + index, 20) for index in range(len(values))]
        table = {"image": images, column: values}
        for name, extra in more.items():
            features[name], table[name] = datasets.ClassLabel(names=["x", "y"]), extra * len(values)
        made = datasets.Dataset.from_dict(table, datasets.Features(features))
        Path(folder, "data").mkdir(parents=True, exist_ok=True)
        made.to_parquet(f"{folder}/data/{split}-00000-of-00001.parquet")


PETS = datasets.ClassLabel(names=["cat", "dog"])


def prepared(name: str, *arguments: str, size: int = 20) -> Store:
    done = scalestudy(
        *("prepare", "--source", "huggingface", "--name", name, *arguments),
        *("--image-size", str(size), "--output", "set"),
    )
    assert done.code == 0, done.said
    return Store.open(Path("set"))


def refused(name: str, *arguments: str) -> str:
    done = scalestudy("prepare", "--source", "huggingface", "--name", name, *arguments, "--output", "set")
    assert done.code == 2, done.said
    assert not Path("set").exists()
    (line,) = done.errors
    return line


def test_parquet_files_give_their_images_and_class_names() -> None:
    parquet("pets", {"train": [0, 1, 0, 1, 1], "test": [1, 0]}, PETS)
    store = prepared("pets")
    assert store.info["classes"] == ["cat", "dog"]
    assert store.train_labels.tolist() == [0, 1, 0, 1, 1]
    assert np.array_equal(store.train_images[2], np.asarray(noise(2, 20)))
    assert np.array_equal(store.test_images[1], np.asarray(noise(101, 20)))


def test_a_dataset_in_the_librarys_cache_is_read_by_its_name_on_the_hub() -> None:
    parquet("flowers", {"train": [0, 1] * 5, "test": [1, 0]}, PETS)
    datasets.load_dataset("flowers")
    shutil.move("cache/flowers", "cache/somebody___flowers")  # as the library names what came from the Hub
    shutil.rmtree("flowers")
    store = prepared("somebody/flowers")
    assert (store.info["train_images"], store.info["test_images"]) == (10, 2)


def test_without_a_test_split_validation_serves_and_without_either_a_share_of_train() -> None:
    parquet("pets", {"train": [0, 1] * 5, "validation": [1, 0, 1]}, PETS)
    store = prepared("pets")
    assert store.info["test_images"] == 3
    assert store.info["summary"]["notes"] == ["split validation of pets is the test set"]
    shutil.rmtree("set")
    parquet("alone", {"train": [0, 1] * 5}, PETS)
    store = prepared("alone", "--test-fraction", "2/5")
    assert (store.info["train_counts"], store.info["test_counts"]) == ([3, 3], [2, 2])


@pytest.mark.parametrize(
    ("values", "feature", "classes"),
    [
        (["pug", "cat", "pug", "ape"], datasets.Value("string"), ["ape", "cat", "pug"]),
        ([3, 1, 3, 7], datasets.Value("int64"), ["1", "3", "7"]),
    ],
)
def test_plain_labels_are_classes_in_their_order(values: list[Any], feature: Any, classes: list[str]) -> None:
    parquet("pets", {"train": values, "test": values[:2]}, feature)
    store = prepared("pets")
    assert store.info["classes"] == classes
    assert [classes[label] for label in store.train_labels] == [str(value) for value in values]


def test_a_folder_of_images_is_read_as_the_library_does() -> None:
    fill(Path("imgs"), train__cat=4, train__dog=4, test__cat=2, test__dog=2)
    assert prepared("imgs").info["train_counts"] == [4, 4]


def test_a_study_takes_the_short_form() -> None:
    parquet("pets", {"train": [0, 1] * 5, "test": [1, 0]}, PETS)
    Path("mine.yaml").write_text("dataset: huggingface:pets\nrecipe: {epochs: 1, batch_size: 4}\n")
    assert "valid; 1 run" in scalestudy("check", "mine.yaml").out
    done = scalestudy(
        *("train", "--data", "huggingface:pets", "--epochs", "1", "--batch-size", "4", "--device", "cpu")
    )
    assert done.code == 0, done.said
    assert [path.name[:9] for path in Path("data").glob("pets-32px-*")] == ["pets-32px"]


def test_what_is_unclear_or_missing_is_one_line() -> None:
    parquet("pets", {"train": [0, 1, 0], "test": [1, -1]}, PETS)
    assert "has labels that are no class of train: -1" in refused("pets")
    assert "has no split 'tset'; it has train, test" in refused("pets", "--test-split", "tset")
    assert "has no column 'pixels' (image_column); it has image, label" in refused(
        "pets", "--image-column", "pixels"
    )
    parquet("two", {"train": [0, 1, 0], "test": [1, 0]}, PETS, "fine", coarse=[0])
    assert "which column holds the label? Set `label_column` to one of " in refused("two")
    assert prepared("two", "--label-column", "coarse").info["classes"] == ["x", "y"]
    shutil.rmtree("set")
    line = refused("somebody/absent")
    assert "the dataset somebody/absent could not be had: " in line
    assert "HF_HUB_OFFLINE=1" in line


def test_without_the_library_the_extra_to_install_is_named() -> None:
    code = "import sys; sys.modules['datasets'] = None\nfrom scalestudy.cli import main; main()"
    arguments = ("prepare", "--source", "huggingface", "--name", "beans", "--output", "set")
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "error: the source huggingface needs the package `datasets`: pip install datasets\n"
    )
