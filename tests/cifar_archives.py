"""CIFAR archives of made-up images, in the published format."""

import hashlib
import io
import pickle
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from scalestudy.data.sources.cifar import PUBLISHED, Published


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes bytes as Python 2 wrote its strings, which the published batches consist of."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def _save_string(self, text: bytes) -> None:
        short = len(text) < 256
        head = (
            pickle.SHORT_BINSTRING + bytes([len(text)])
            if short
            else pickle.BINSTRING + struct.pack("<i", len(text))
        )
        self.write(head + text)
        self.memoize(text)

    dispatch[bytes] = _save_string


def made_up_archive(
    path: Path, source: str = "cifar10", images: int = 12, base: str | None = None
) -> Published:
    """Write an archive with `images` images in each batch; return what is published about it, its MD5 too.

    Images are blocks of random colours, so that a large archive is written quickly.
    """
    published = PUBLISHED[source]
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in _batches(published, images):
            member = tarfile.TarInfo(f"{base or published.base}/{name}")
            data = io.BytesIO()
            _Python2Pickler(data, protocol=2).dump(content)
            member.size = data.tell()
            data.seek(0)
            tar.addfile(member, data)
    with path.open("rb") as file:
        return replace(published, md5=hashlib.file_digest(file, "md5").hexdigest())


def _batches(published: Published, images: int) -> Iterator[tuple[str, dict[object, object]]]:
    chance = np.random.default_rng(0)
    fine = 100 if "100" in published.base else 10
    for name in (*published.train, *published.test):
        small = chance.integers(0, 256, (images, 3, 4, 4), dtype=np.uint8)
        data = small.repeat(8, axis=2).repeat(8, axis=3).reshape(images, 3072)
        labels = (np.arange(images) % fine).tolist()
        yield name, {b"data": data, published.labels_key: labels}
    yield published.meta, {published.names_key.encode(): [f"class {n}".encode() for n in range(fine)]}
