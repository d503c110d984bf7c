"""Sources `cifar10` and `cifar100`: the published archives (A. Krizhevsky, 2009), checked by their MD5.

The constants are those of torchvision.datasets.CIFAR10 and CIFAR100 (a test compares them): importing
torchvision would cost three seconds and more memory than the dataset.
"""

import pickle
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalestudy.data.download import Checksum, Download
from scalestudy.data.pixels import resize_all
from scalestudy.data.progress import say
from scalestudy.data.sources import Written, check_num_classes
from scalestudy.data.store import SPLITS, StoreWriter
from scalestudy.errors import UserError
from scalestudy.study.dataset import Cifar
from scalestudy.study.paths import DATA

_PIECE = 5_000  # images in memory at a time, besides one unpickled batch


@dataclass(frozen=True)
class Published:
    """One published archive: a .tar.gz of pickled batches in the folder `base`, and the keys inside them."""

    url: str
    md5: str
    base: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    names_key: str
    labels_key: bytes

    @property
    def file_name(self) -> str:
        """The archive's own name."""
        return self.url.rsplit("/", 1)[1]


PUBLISHED = {
    "cifar10": Published(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        md5="c58f30108f718f92721af3b95e74349a",
        base="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        meta="batches.meta",
        names_key="label_names",
        labels_key=b"labels",
    ),
    "cifar100": Published(
        url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        md5="eb9058c3a382ffc7106e4002c42a8d85",
        base="cifar-100-python",
        train=("train",),
        test=("test",),
        meta="meta",
        names_key="fine_label_names",
        labels_key=b"fine_labels",
    ),
}


def write(
    settings: Cifar, image_size: int, writer: StoreWriter, published: Published | None = None
) -> Written:
    """Write the images in the archive's order, resized bilinearly where `image_size` is not 32.

    `published` is the archive to expect, by default that of the source. Raises UserError where it cannot be
    had.
    """
    published = published or PUBLISHED[settings.source]
    archive = fetch(settings, published)
    say(f"reading {archive}")
    with _unpacked(archive, published, writer.folder.parent) as folder:
        names = _unpickle(folder / published.meta)[published.names_key.encode()]
        classes = [name.decode() for name in names]
        check_num_classes(classes, settings.num_classes)
        for split in SPLITS:
            for batch_name in published.train if split == "train" else published.test:
                batch = _unpickle(folder / batch_name)
                labels = np.asarray(batch[published.labels_key], dtype=np.int64)
                for start in range(0, len(labels), _PIECE):
                    piece = slice(start, start + _PIECE)
                    planes = batch[b"data"][piece].reshape(-1, 3, 32, 32)
                    writer.append(split, resize_all(planes.transpose(0, 2, 3, 1), image_size), labels[piece])
    return Written(classes)


def fetch(settings: Cifar, published: Published) -> Path:
    """Return the path of the archive, fetched where it is not there. Raises UserError where that fails."""
    path = (
        Path(settings.archive).expanduser() if settings.archive else DATA / "downloads" / published.file_name
    )
    Download(
        url=settings.mirror or published.url,
        checksum=Checksum("md5", published.md5),
        path=path,
        timeout=settings.download_timeout,
        advice="Set `mirror` (in a study: dataset.mirror) to the URL of the same file at another host, or "
        f"put the file at {path} (`archive` names another place, `download_timeout` allows more time)",
    ).ensure()
    return path


@contextmanager
def _unpacked(archive: Path, published: Published, beside: Path) -> Iterator[Path]:
    """Yield a temporary folder with the batches; it is gone afterwards.

    One pass over the archive: reading a batch straight from it would decompress all that lies before, each
    time.
    """
    wanted = {
        f"{published.base}/{name}": name for name in (*published.train, *published.test, published.meta)
    }
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=beside) as folder:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                name = wanted.pop(member.name, None)
                content = tar.extractfile(member) if name else None
                if name and content:
                    with content, (Path(folder) / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
        if wanted:
            raise UserError(f"{archive} lacks {', '.join(wanted)}")
        yield Path(folder)


def _unpickle(path: Path) -> Any:
    """Return what a batch holds. Pickles can run code: these come from an archive with the published MD5."""
    with path.open("rb") as file:
        return pickle.load(file, encoding="bytes")
