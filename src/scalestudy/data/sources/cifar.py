"""Sources `cifar10` and `cifar100`: the published archives (A. Krizhevsky, 2009), checked by their MD5.

Also an archive of one's own in their format (`md5`): a mirror of other bytes, or a class's subset with fewer batches.

The constants are those of torchvision.datasets.CIFAR10 and CIFAR100 (a test compares them): importing
torchvision would cost three seconds and more memory than the dataset.
"""

import pickle
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from scalestudy.data.download import Checksum, Download
from scalestudy.data.pixels import resize_all
from scalestudy.data.progress import say
from scalestudy.data.sources import Look, Written, check_num_classes
from scalestudy.data.store import SPLITS, StoreWriter
from scalestudy.errors import UserError
from scalestudy.files import from_home
from scalestudy.study.dataset import Cifar
from scalestudy.study.paths import DATA

_PIECE = 15_000_000  # bytes of resized images in memory at a time, besides one unpickled batch


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
    had, or is none in this format.
    """
    published = published or PUBLISHED[settings.source]
    archive = fetch(settings, published)
    say(f"reading {archive}")
    with _unpacked(archive, published, writer.folder.parent, own=settings.md5 is not None) as folder:
        meta = _unpickle(folder / published.meta, archive)
        try:
            classes = [_text(name) for name in meta[published.names_key.encode()]]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise UserError(f"{archive}: {published.meta} has no list {published.names_key}") from None
        check_num_classes(classes, settings.num_classes)
        for split in SPLITS:
            for batch_name in published.train if split == "train" else published.test:
                if not (folder / batch_name).exists():  # one's own archive may have fewer
                    continue
                data, labels = _batch(folder / batch_name, archive, published.labels_key, len(classes))
                each = max(1, _PIECE // (3 * image_size**2))
                for start in range(0, len(labels), each):
                    piece = slice(start, start + each)
                    planes = data[piece].reshape(-1, 3, 32, 32)
                    writer.append(split, resize_all(planes.transpose(0, 2, 3, 1), image_size), labels[piece])
            if not writer.count(split):
                raise UserError(f"{archive} has no {split} images")
    return Written(classes)


def look(settings: Cifar, published: Published | None = None) -> Look:
    """Return the published sizes, and whether the archive is still to be fetched; UserError for a wrong one."""
    published = published or PUBLISHED[settings.source]
    path, checksum = _archive(settings, published)
    notes = []
    if settings.md5 is not None and settings.mirror is None:
        fetch(settings, published)  # which asks no network then
    elif not path.is_file():
        notes.append(f"{path} is not there: it will be fetched from {settings.mirror or published.url}")
    elif not checksum.fits(checksum.of(path)):
        url = settings.mirror or published.url
        notes.append(f"{path} does not have {checksum}: the right file will be fetched from {url}")
    classes = {"cifar10": 10, "cifar100": 100}[settings.source]
    return Look(settings.known_sizes(), classes if settings.md5 is None else None, notes)


def _archive(settings: Cifar, published: Published) -> tuple[Path, Checksum]:
    """Return where the archive is, or is to be, and its checksum."""
    name = published.file_name
    if settings.md5 is not None:  # beside the published file, never in its place
        own_name = Path(urlsplit(settings.mirror or "").path).name or name
        name = f"{settings.md5[:8]}-{own_name}"
    path = from_home(settings.archive) if settings.archive else DATA / "downloads" / name
    return path, Checksum("md5", settings.md5 or published.md5)


def fetch(settings: Cifar, published: Published) -> Path:
    """Return the path of the archive, fetched where it is not there. Raises UserError where that fails."""
    path, checksum = _archive(settings, published)
    if settings.md5 is not None and settings.mirror is None:  # nobody else has that file
        if not path.is_file():
            raise UserError(f"the archive {path} is not there; correct `archive`, or set `mirror` to its URL")
        if not checksum.fits(found := checksum.of(path)):
            raise UserError(
                f"the archive {path} has MD5 {found}, and `md5` says {settings.md5}; correct one of them"
            )
        return path
    Download(
        url=settings.mirror or published.url,
        checksum=checksum,
        path=path,
        timeout=settings.download_timeout,
        advice="Set `mirror` (in a study: dataset.mirror) to the URL of the same file at another host, or "
        f"put the file at {path} (`archive` names another place, `download_timeout` allows more time)",
    ).ensure()
    return path


@contextmanager
def _unpacked(archive: Path, published: Published, beside: Path, own: bool = False) -> Iterator[Path]:
    """Yield a temporary folder with the batches; it is gone afterwards.

    An archive of one's `own` may lack training batches, and hold the files in any folder. One pass over the archive:
    reading a batch straight from it would decompress all that lies before, each time.
    """
    wanted = [*published.train, *published.test, published.meta]
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=beside) as temporary:
        folder = Path(temporary)
        try:
            with tarfile.open(archive, "r|*") as tar:
                for member in tar:
                    above, _, name = member.name.rpartition("/")
                    content = tar.extractfile(member) if member.isfile() and name in wanted else None
                    if content and (own or above == published.base):
                        with content, (folder / name).open("wb") as file:
                            shutil.copyfileobj(content, file)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise UserError(f"{archive} cannot be read as a tar archive: {error}") from None
        there = {each.name for each in folder.iterdir()}
        lacking = [name for name in wanted if name not in there]
        if own and there & set(published.train):
            lacking = [name for name in lacking if name not in published.train]
        if lacking:
            raise UserError(f"{archive} lacks {', '.join(f'{published.base}/{name}' for name in lacking)}")
        yield folder


class _BatchUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, text and NumPy arrays. A pickle that wants anything else could run code."""

    _ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
            *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
            *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few names that arrays are pickled with."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return super().find_class(module, name)


def _unpickle(path: Path, archive: Path) -> dict[bytes, Any]:
    """Return what a batch holds, its keys as bytes (Python 3 writes them as text)."""
    try:
        with path.open("rb") as file:
            content = _BatchUnpickler(file, encoding="bytes").load()
        return {key if isinstance(key, bytes) else str(key).encode(): value for key, value in content.items()}
    except Exception as error:  # a broken pickle makes the unpickler raise almost anything
        raise UserError(f"{archive}: {path.name} is not a pickled batch of CIFAR: {error}") from None


def _batch(
    path: Path, archive: Path, labels_key: bytes, classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images, uint8 [n, 3072] (planes of red, green, blue), and the labels, int64 [n]."""
    batch = _unpickle(path, archive)
    try:
        data, labels = np.asarray(batch[b"data"]), np.asarray(batch[labels_key], dtype=np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{archive}: {path.name} lacks data or {labels_key.decode()} ({error})") from None
    if data.dtype != np.uint8 or data.shape != (len(labels), 3072):
        raise UserError(
            f"{archive}: {path.name} holds {data.dtype} of shape {data.shape} with {len(labels)} labels; images of "
            "32 x 32 in three colours are uint8 [n, 3072]"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f"{archive}: {path.name} has labels from {labels.min()} to {labels.max()}, and there are {classes} classes"
        )
    return data, labels


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
