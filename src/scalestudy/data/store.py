"""The dataset store: four arrays on disk, read through memory maps by every run, and their description.

A store is a folder with `train_images.npy`, `train_labels.npy`, `test_images.npy`, `test_labels.npy` and
`dataset.json`, which is written last: where it is, the store is complete.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from scalestudy.data.seen import ARRAY_FILES, note_right, seen_right
from scalestudy.errors import UserError
from scalestudy.files import CHECKSUM, naming, read_object, seal_is_broken, write_sealed_json

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Split = Literal["train", "test"]
SPLITS: tuple[Split, Split] = ("train", "test")

_HEADER_BYTES = 128
_KEYS: dict[str, type] = {
    **{
        "name": str,
        "sha256": str,
        "image_size": int,
        "classes": list,
        "mean": list,
        "std": list,
        "summary": dict,
    },
    **{f"{split}_{what}": kind for split in SPLITS for what, kind in (("images", int), ("counts", list))},
}


@dataclass(frozen=True)
class Store:
    """A complete dataset, its arrays mapped read-only.

    Images are uint8 [N, H, W, 3] (RGB), labels int64 [N]. `info` is what dataset.json holds.
    """

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    info: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Return the store in the folder `path`. Raises UserError where it is not there, or not as it was prepared."""
        info = read_info(path)
        files = {f"{split}_{kind}": (split, kind) for split in SPLITS for kind in ("images", "labels")}
        arrays: dict[str, Any] = {name: _map(path / f"{name}.npy", info, *of) for name, of in files.items()}
        _check_content(path, info, arrays)
        for split in SPLITS:
            # On a GPU a label without a class is an opaque assertion that spoils all that follows.
            labels, classes = arrays[f"{split}_labels"], info["classes"]
            if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
                raise UserError(
                    f"{path}: {split} labels run from {labels.min()} to {labels.max()}, and there are "
                    f"{len(classes)} classes ({', '.join(classes)}); {_again(path)}"
                )
        return cls(**arrays, info=info)


def read_info(path: Path) -> dict[str, Any]:
    """Return what the dataset.json of the store in `path` says; UserError where it is absent or damaged."""
    file = path / "dataset.json"
    if not file.is_file():
        raise UserError(f"no dataset in {path}: dataset.json is missing; make it with `scalestudy prepare`")
    info = read_object(file, _again(path), _KEYS)
    if (CHECKSUM in info) != ("arrays" in info) or seal_is_broken(info):  # both came with one version
        raise UserError(f"{file} was altered since it was written; {_again(path)}")
    return info


def fault_of_store(path: Path) -> str:
    """Return what is wrong with the store in `path`, whose dataset.json is there; nothing where it is whole."""
    try:
        info = read_info(path)
        if not seen_right(path, ARRAY_FILES, info["sha256"]):
            Store.open(path)
    except UserError as error:
        return str(error)
    return ""


def _again(path: Path) -> str:
    return f"the next start of the study prepares it again (by hand: delete {path}, and `scalestudy prepare`)"


def _map(file: Path, info: Mapping[str, Any], split: Split, kind: str) -> NDArray[Any]:
    """Return an array of a store, mapped into memory; UserError where it is not the one that dataset.json means."""
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no array"
        raise UserError(f"{file} cannot be read: {reason}; {_again(file.parent)}") from None
    images, size = info[f"{split}_images"], info["image_size"]
    shape, dtype = ((images, size, size, 3), np.uint8) if kind == "images" else ((images,), np.int64)
    if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
        raise UserError(f"{file} does not fit its dataset.json; {_again(file.parent)}")
    return array


def _check_content(path: Path, info: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise UserError where the arrays are not those of dataset.json: read through where they have changed since."""
    if seen_right(path, ARRAY_FILES, info["sha256"]):
        return
    digests = {name: hashlib.sha256(array.data).digest() for name, array in arrays.items()}
    for name, expected in info.get("arrays", {}).items():
        if digests[name].hex() != expected:
            raise UserError(f"{path / name}.npy was altered since it was prepared; {_again(path)}")
    if (
        _whole_sha256(digests[f"{split}_{kind}"] for split in SPLITS for kind in ("images", "labels"))
        != info["sha256"]
    ):
        raise UserError(f"the images in {path} were altered since they were prepared; {_again(path)}")
    note_right(path, ARRAY_FILES, info["sha256"])


def _whole_sha256(digests: Iterable[bytes]) -> str:
    """Return the checksum of a store by those of its arrays."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


class StoreWriter:
    """Writes a store piece by piece into a temporary folder beside it; moves it into place when whole.

    A context manager; one at a time for each store (others wait). Images go straight to disk, so memory
    holds one piece at a time. What describes the images (checksum, mean, standard deviation) is gathered on
    the way. What else is put into `partial` becomes part of the store.
    """

    def __init__(self, folder: Path, image_size: int) -> None:
        self.folder = folder
        self.image_size = image_size
        self.partial = folder.parent / f".{folder.name}.partial"
        self._lock = FileLock(folder.parent / f".{folder.name}.lock")
        self._files: dict[Split, BinaryIO] = {}
        self._splits: dict[Split, _Gathered] = {}

    def __enter__(self) -> "StoreWriter":
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        shutil.rmtree(self.partial, ignore_errors=True)  # what a killed process left
        self.partial.mkdir()
        for split in SPLITS:
            file = (self.partial / f"{split}_images.npy").open("wb")
            file.write(bytes(_HEADER_BYTES))  # the header needs the number of images, known at the end
            self._files[split] = file
            self._splits[split] = _Gathered()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            with suppress(OSError):  # a full disk once more, where that is what ended the block
                file.close()
        shutil.rmtree(self.partial, ignore_errors=True)
        self._lock.release()

    def append(self, split: Split, images: Images, labels: Labels) -> None:
        """Add `images`, uint8 [n, image_size, image_size, 3], with their `labels`, int64 [n], to a split."""
        assert images.dtype == np.uint8, images.dtype
        assert images.shape == (len(labels), self.image_size, self.image_size, 3), images.shape
        images = np.ascontiguousarray(images)
        with naming(self.partial / f"{split}_images.npy"):
            self._files[split].write(images.data)
        self._splits[split].add(images, labels)

    def count(self, split: Split) -> int:
        """Return how many images a split has so far."""
        return sum(map(len, self._splits[split].labels))

    def largest_label(self, split: Split) -> int:
        """Return the largest label of a split so far; -1 where it has no image."""
        return max((int(labels.max()) for labels in self._splits[split].labels if len(labels)), default=-1)

    def prints(self) -> dict[Split, NDArray[np.uint64]]:
        """Return a fingerprint of each image's pixels, by split: equal images have equal ones."""
        return {split: np.concatenate(self._splits[split].prints) for split in SPLITS}

    def labels(self) -> dict[Split, Labels]:
        """Return the label of each image so far, by split."""
        return {split: np.concatenate(self._splits[split].labels) for split in SPLITS}

    def publish(
        self, classes: list[str], info: Mapping[str, Any], summary: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Move the arrays into place, then write dataset.json; return its content.

        Both splits must hold an image. Mean and standard deviation are over all pixels of the training
        images, for each channel, in [0, 1]. `sha256` is over the SHA-256 digests of the four arrays' bytes,
        in the order of the files above.
        """
        for split in SPLITS:
            self._finish(split)
        mean, std = self._splits["train"].mean_and_std()
        digests = {}
        for split in SPLITS:
            digests[f"{split}_images"] = self._splits[split].sha256.digest()
            labels = np.concatenate(self._splits[split].labels).astype("<i8")
            digests[f"{split}_labels"] = hashlib.sha256(labels.tobytes()).digest()
        content = {
            "name": self.folder.name,
            **info,
            "image_size": self.image_size,
            "classes": classes,
            **{f"{split}_images": self.count(split) for split in SPLITS},
            **{f"{split}_counts": self._counts(split, len(classes)) for split in SPLITS},
            "mean": mean,
            "std": std,
            "sha256": _whole_sha256(digests.values()),
            "arrays": {name: digest.hex() for name, digest in digests.items()},
            "summary": dict(summary),
        }
        self.folder.mkdir(exist_ok=True)
        (self.folder / "dataset.json").unlink(missing_ok=True)  # not complete while its arrays change
        for file in sorted(self.partial.iterdir()):
            file.replace(self.folder / file.name)
        write_sealed_json(self.folder / "dataset.json", content)
        note_right(self.folder, ARRAY_FILES, content["sha256"])
        return read_info(self.folder)

    def _finish(self, split: Split) -> None:
        """Write a split's labels, and the header of its images."""
        header = BytesIO()
        shape = (self.count(split), self.image_size, self.image_size, 3)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        assert len(header.getvalue()) == _HEADER_BYTES
        file = self._files[split]
        with naming(self.partial / f"{split}_images.npy"):
            file.seek(0)
            file.write(header.getvalue())
            file.close()
        with naming(self.partial / f"{split}_labels.npy"):
            np.save(self.partial / f"{split}_labels.npy", np.concatenate(self._splits[split].labels))

    def _counts(self, split: Split, classes: int) -> list[int]:
        labels = np.concatenate(self._splits[split].labels)
        assert labels.min() >= 0, "negative label"
        assert labels.max() < classes, "label without a class"
        return [int(count) for count in np.bincount(labels, minlength=classes)]


class _Gathered:
    """What is gathered about one split while its images pass by."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []
        self.prints: list[NDArray[np.uint64]] = []
        self.sha256 = hashlib.sha256()
        self._histogram = np.zeros((3, 256), dtype=np.int64)

    def add(self, images: Images, labels: Labels) -> None:
        self.labels.append(np.asarray(labels, dtype=np.int64))
        digests = b"".join(hashlib.blake2b(image, digest_size=8).digest() for image in images)
        self.prints.append(np.frombuffer(digests, dtype=np.uint64))
        self.sha256.update(images.data)
        # Few at a time: counting takes eight bytes for each that it counts.
        for start in range(0, len(images), 64):
            for channel in range(3):
                values = images[start : start + 64, ..., channel]
                self._histogram[channel] += np.bincount(values.ravel(), minlength=256)

    def mean_and_std(self) -> tuple[list[float], list[float]]:
        """Return both for each channel, from the exact histogram: the same whatever the pieces were."""
        values = np.arange(256)
        pixels = self._histogram.sum(axis=1)
        mean = (self._histogram @ values) / pixels / 255
        square = (self._histogram @ values**2) / pixels / 255**2
        return mean.tolist(), np.sqrt(np.maximum(square - mean**2, 0)).tolist()
