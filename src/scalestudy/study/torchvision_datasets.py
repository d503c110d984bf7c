"""The classification datasets of torchvision, by the names of their classes, without importing torchvision.

A study is checked before any job runs, and at once: so what it may name stands here. A test compares it with the
installed torchvision. CIFAR-10 and CIFAR-100 are sources of their own (`cifar10`, `cifar100`).
"""

from typing import Any, NamedTuple


class Splits(NamedTuple):
    """The arguments that open the training and the test set; `test` None: there is one set, to be split.

    side: the shorter side of most pictures, in pixels; 300 stands for photographs of many sizes.
    """

    train: dict[str, Any]
    test: dict[str, Any] | None
    side: int = 300


def _split(train: str, test: str, side: int = 300) -> Splits:
    return Splits({"split": train}, {"split": test}, side)


TORCHVISION: dict[str, Splits] = {
    "CLEVRClassification": _split("train", "val"),
    "Caltech101": Splits({}, None),
    "Caltech256": Splits({}, None),
    "Country211": _split("train", "test"),
    "DTD": _split("train", "test"),
    "EMNIST": Splits({"split": "balanced", "train": True}, {"split": "balanced", "train": False}, 28),
    "EuroSAT": Splits({}, None, 64),
    "FER2013": _split("train", "test", 48),
    "FGVCAircraft": _split("trainval", "test"),
    "FakeData": Splits({}, None),
    "FashionMNIST": Splits({"train": True}, {"train": False}, 28),
    "Flowers102": _split("train", "test"),
    "Food101": _split("train", "test"),
    "GTSRB": _split("train", "test", 50),
    "INaturalist": Splits({"version": "2021_train"}, {"version": "2021_valid"}),
    "ImageNet": _split("train", "val"),
    "Imagenette": _split("train", "val"),
    "KMNIST": Splits({"train": True}, {"train": False}, 28),
    "LFWPeople": _split("train", "test"),
    "MNIST": Splits({"train": True}, {"train": False}, 28),
    "OxfordIIITPet": _split("trainval", "test"),
    "PCAM": _split("train", "test", 96),
    "Places365": _split("train-standard", "val"),
    "QMNIST": Splits({"train": True}, {"train": False}, 28),
    "RenderedSST2": _split("train", "test"),
    "SEMEION": Splits({}, None, 16),
    "STL10": _split("train", "test", 96),
    "SUN397": Splits({}, None),
    "SVHN": _split("train", "test", 32),
    "StanfordCars": _split("train", "test"),
    "USPS": Splits({"train": True}, {"train": False}, 16),
}
