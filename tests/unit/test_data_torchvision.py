"""Datasets of torchvision by their names, from files in their formats placed where torchvision looks. No network."""

import gzip
import inspect
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torchvision
from commands import scalestudy
from image_folders import fill
from PIL import Image
from scipy.io import savemat
from torchvision.datasets.utils import calculate_md5

from scalestudy.data.sources.map_style import write_split
from scalestudy.data.store import Store, StoreWriter
from scalestudy.errors import UserError
from scalestudy.study.dataset import parse_dataset
from scalestudy.study.names import dataset_name
from scalestudy.study.torchvision_datasets import TORCHVISION

ROOT = Path("data/downloads/torchvision")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def prepared(name: str, *arguments: str, size: int = 32) -> Store:
    done = scalestudy(
        *("prepare", "--source", "torchvision", "--name", name, *arguments),
        *("--image-size", str(size), "--output", "set"),
    )
    assert done.code == 0, done.said
    return Store.open(Path("set"))


def refused(*arguments: str) -> str:
    done = scalestudy("prepare", "--source", "torchvision", *arguments, "--output", "set")
    assert done.code == 2, done.said
    assert not Path("set").exists()
    (line,) = done.errors
    return line


def idx(path: Path, values: np.ndarray) -> None:
    """Write an array of bytes in the format of MNIST."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


def fashion(root: Path) -> np.ndarray:
    """Put a small FashionMNIST below `root`; return its training images."""
    chance = np.random.default_rng(0)
    train = chance.integers(0, 256, (40, 28, 28))
    idx(root / "FashionMNIST/raw/train-images-idx3-ubyte", train)
    idx(root / "FashionMNIST/raw/train-labels-idx1-ubyte", np.arange(40) % 10)
    idx(root / "FashionMNIST/raw/t10k-images-idx3-ubyte", chance.integers(0, 256, (20, 28, 28)))
    idx(root / "FashionMNIST/raw/t10k-labels-idx1-ubyte", np.arange(20) % 10)
    return train


def test_fashion_mnist_is_read_from_where_torchvision_keeps_it() -> None:
    train = fashion(ROOT)
    store = prepared("FashionMNIST", size=28)
    assert (store.info["train_images"], store.info["test_images"]) == (40, 20)
    assert store.info["classes"][:2] == ["T-shirt/top", "Trouser"]
    assert np.array_equal(store.train_images, np.repeat(train[..., None], 3, axis=3))
    assert store.train_labels.tolist() == (np.arange(40) % 10).tolist()


def test_an_archive_in_gz_is_unpacked_and_checked_by_torchvision_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fashion(Path("made"))
    folder = ROOT / "FashionMNIST/raw"
    folder.mkdir(parents=True)
    resources = []
    for file in sorted(Path("made/FashionMNIST/raw").iterdir()):
        with gzip.open(folder / f"{file.name}.gz", "wb") as packed:
            packed.write(file.read_bytes())
        resources.append((f"{file.name}.gz", calculate_md5(folder / f"{file.name}.gz")))
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert prepared("FashionMNIST").info["train_images"] == 40


def test_svhn_has_digits_for_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    ROOT.mkdir(parents=True)
    for split, count in (("train", 30), ("test", 20)):
        images = np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = 1 + np.arange(count) % 10  # SVHN writes 10 for the digit 0
        savemat(ROOT / f"{split}_32x32.mat", {"X": images, "y": labels[:, None].astype(np.uint8)})
        listed = torchvision.datasets.SVHN.split_list
        monkeypatch.setitem(listed, split, [*listed[split][:2], calculate_md5(ROOT / f"{split}_32x32.mat")])
    store = prepared("SVHN")
    assert store.info["classes"] == [str(digit) for digit in range(10)]
    assert store.train_labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_a_dataset_without_a_test_set_gives_a_stratified_share_of_its_images() -> None:
    fill(ROOT / "eurosat" / "2750", Forest=10, River=5)
    for file in (ROOT / "eurosat").rglob("*.png"):
        file.rename(file.with_suffix(".jpg"))
    store = prepared("EuroSAT", "--test-fraction", "1/5", size=16)
    assert store.info["classes"] == ["Forest", "River"]
    assert store.info["train_counts"] == [8, 4]
    assert store.info["test_counts"] == [2, 1]


def test_many_files_are_decoded_in_several_processes_to_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(ROOT / "eurosat" / "2750", Forest=80, River=70)
    alone = prepared("EuroSAT", size=8).info
    shutil.rmtree("set")
    monkeypatch.setattr("scalestudy.data.sources.map_style.worker_count", lambda files: 2)
    assert prepared("EuroSAT", size=8).info == alone


def test_pets_and_food_come_by_their_own_lists() -> None:
    pets = ROOT / "oxford-iiit-pet"
    fill(pets, images=3)
    for file, name in zip(
        sorted((pets / "images").iterdir()), ("Abyssinian_1", "beagle_7", "Abyssinian_2"), strict=True
    ):
        file.rename(pets / "images" / f"{name}.jpg")
    (pets / "annotations").mkdir()
    (pets / "annotations/trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_7 2 2 1\n")
    (pets / "annotations/test.txt").write_text("Abyssinian_2 1 1 1\n")
    store = prepared("OxfordIIITPet")
    assert store.info["classes"] == ["Abyssinian", "Beagle"]
    assert (store.info["train_counts"], store.info["test_counts"]) == ([1, 1], [1, 0])

    food = ROOT / "food-101"
    fill(food, images__pizza=4, images__sushi=3)
    for file in (food / "images").rglob("*.png"):
        file.rename(file.with_suffix(".jpg"))
    (food / "meta").mkdir()
    train = {"pizza": ["pizza/000", "pizza/001", "pizza/002"], "sushi": ["sushi/000"]}
    test = {"pizza": ["pizza/003"], "sushi": ["sushi/001", "sushi/002"]}
    (food / "meta/train.json").write_text(json.dumps(train))
    (food / "meta/test.json").write_text(json.dumps(test))
    shutil.rmtree("set")
    store = prepared("Food101")
    assert store.info["classes"] == ["pizza", "sushi"]
    assert (store.info["train_counts"], store.info["test_counts"]) == ([3, 1], [1, 2])


def test_torchvisions_fake_data_goes_through_with_options() -> None:
    options = "{size: 30, image_size: [3, 20, 24], num_classes: 3}"
    store = prepared("FakeData", "--options", options, "--num-classes", "3")
    assert store.train_images.shape == (24, 32, 32, 3)
    assert store.test_images.shape == (6, 32, 32, 3)
    assert store.info["classes"] == ["0", "1", "2"]
    assert store.info["settings"]["options"] == '{"image_size": [3, 20, 24], "num_classes": 3, "size": 30}'
    shutil.rmtree("set")
    assert prepared("FakeData", "--options", options).info["sha256"] == store.info["sha256"]


def test_a_run_by_hand_and_a_study_take_the_name() -> None:
    fashion(ROOT)
    done = scalestudy(
        *("train", "--data", "FashionMNIST", "--epochs", "1", "--batch-size", "20", "--device", "cpu")
    )
    assert done.code == 0, done.said
    Path("mine.yaml").write_text("dataset: FashionMNIST\nrecipe: {epochs: 1}\n")
    checked = scalestudy("check", "mine.yaml")
    assert "valid; 1 run" in checked.out, checked.said
    [store] = Path("data").glob("FashionMNIST-32px-*")
    assert dataset_name(parse_dataset("FashionMNIST"), 32) == store.name
    assert "40" in scalestudy("plan", "mine.yaml", "--no-calibrate").out


def test_without_network_or_files_the_folder_to_put_them_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets.KMNIST, "mirrors", ["http://127.0.0.1:9/"])
    line = refused("--name", "KMNIST", "--root", "elsewhere")
    assert "torchvision could not get KMNIST: " in line
    assert "http://127.0.0.1:9/" in line
    assert "put its files below elsewhere (or where `root` says)" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--name", "FashonMNIST"],
            "no classification dataset of torchvision (did you mean 'FashionMNIST'?)",
        ),
        (["--name", "EMNIST", "--options", "{train: false}"], "options.train is set by the source itself"),
        (["--name", "FakeData", "--options", "size"], "'size' is not a mapping such as {split: letters}"),
        (["--name", "FakeData", "--options", "{sise: 3}"], "does not take these options"),
        (
            ["--name", "FakeData", "--options", "{size: 9}", "--num-classes", "2"],
            "num_classes says 2, and the data have 10 (0, 1, ",
        ),
        ([], "name: this key is needed"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], words: str) -> None:
    assert words in refused(*arguments)


def test_a_picture_that_cannot_be_read_is_named_by_its_index() -> None:
    fill(ROOT / "eurosat" / "2750", Forest=10, River=5)
    (ROOT / "eurosat/2750/Forest/003.png").write_bytes(b"no picture")
    assert "image 3 cannot be read: cannot identify image file" in refused("--name", "EuroSAT")


@pytest.mark.parametrize("name", sorted(set(TORCHVISION) - {"FakeData"}))
def test_the_installed_torchvision_knows_each_name_and_its_splits(name: str, tmp_path: Path) -> None:
    kind = getattr(torchvision.datasets, name)
    for arguments in TORCHVISION[name][:2]:
        if arguments is None:
            continue
        more = {"download": False} if "download" in inspect.signature(kind.__init__).parameters else {}
        # It finds no files, which it looks for after it has checked the arguments: those would be a ValueError.
        with pytest.raises((RuntimeError, FileNotFoundError)):
            kind(root=tmp_path, **arguments, **more)


def test_the_split_of_a_dataset_with_its_own_test_set_is_no_part_of_its_name() -> None:
    mnist = [parse_dataset({"source": "torchvision", "name": "MNIST", "split_seed": seed}) for seed in (0, 1)]
    sat = [parse_dataset({"source": "torchvision", "name": "EuroSAT", "split_seed": seed}) for seed in (0, 1)]
    assert dataset_name(mnist[0], 32) == dataset_name(mnist[1], 32)
    assert dataset_name(sat[0], 32) != dataset_name(sat[1], 32)


def test_so_it_is_where_several_processes_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ROOT / "eurosat" / "2750", Forest=80, River=70)
    (ROOT / "eurosat/2750/Forest/003.png").write_bytes(b"no picture")
    monkeypatch.setattr("scalestudy.data.sources.map_style.worker_count", lambda files: 2)
    assert "image 3 cannot be read: cannot identify image file" in refused("--name", "EuroSAT")


def test_whole_numbers_without_a_stated_range_are_refused_and_not_made_black(tmp_path: Path) -> None:
    dark = Image.fromarray(np.full((8, 8), 200, dtype=np.int32))
    with (
        StoreWriter(tmp_path / "set", 8) as writer,
        pytest.raises(UserError, match="train image 0 cannot be read"),
    ):
        write_split(writer, "train", [(dark, 0)], np.array([0]), lambda item: item, True)
