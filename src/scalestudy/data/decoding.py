"""Decoding many image files in parallel processes.

Processes are spawned, never forked: it is the one way that works on every system, and besides loaded
libraries.
"""

import multiprocessing
import os
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scalestudy.data.pixels import Colour, decode_image
from scalestudy.data.progress import say
from scalestudy.machine import usable_cpus

_FILES_WORTH_PROCESSES = 500
_OPEN_FILES_RESERVED = 32
_OPEN_FILES_OF_A_WORKER = 4
_LARGEST_FILE = 1_000_000_000  # bytes; Pillow itself refuses more pixels than such a file can sensibly hold


@dataclass
class Decoded:
    """One piece of files. `images`: uint8 [k, H, W, 3] of those that could be read; `good`: their positions.

    `modes` counts the files' modes, `remarks` what is to be said of some; `bad` holds position and reason of each
    file that cannot be read.
    """

    images: NDArray[np.uint8]
    good: list[int] = field(default_factory=list)
    modes: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)


def decode_pieces(
    pieces: Sequence[Sequence[bytes]], image_size: int, background: Colour, workers: int
) -> Iterator[Decoded]:
    """Yield each piece of files (paths) decoded, in order; never more than a few pieces are in memory."""
    finished = 0
    if workers > 1:
        try:
            for decoded in _in_processes(pieces, image_size, background, workers):
                finished += 1
                yield decoded
            return
        except (BrokenProcessPool, OSError) as error:
            say(f"decoding goes on in one process; the others failed ({error or type(error).__name__})")
    for piece in pieces[finished:]:
        yield decode_piece(piece, image_size, background)


def _in_processes(
    pieces: Sequence[Sequence[bytes]], image_size: int, background: Colour, workers: int
) -> Iterator[Decoded]:
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        waiting: deque[Future[Decoded]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(decode_piece, piece, image_size, background))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def decode_piece(files: Sequence[bytes], image_size: int, background: Colour) -> Decoded:
    """Return the files decoded; one that cannot be read is reported, not raised."""
    decoded = Decoded(np.empty((len(files), image_size, image_size, 3), dtype=np.uint8))
    for position, file in enumerate(files):
        try:
            picture = decode_image(_content(file), image_size, background)
        except Exception as error:  # a broken file makes Pillow raise almost anything
            decoded.bad.append((position, _reason(error, file)))
            continue
        decoded.images[len(decoded.good)] = picture.pixels
        decoded.good.append(position)
        decoded.modes[picture.mode] += 1
        decoded.remarks.update(picture.remarks)
    decoded.images = decoded.images[: len(decoded.good)]
    return decoded


def _content(file: bytes) -> bytes:
    """Return what a file holds; ValueError where that cannot be an image."""
    with open(file, "rb") as opened:  # noqa: PTH123 (a name in bytes, which Path does not take)
        size = os.fstat(opened.fileno()).st_size
        if size == 0:
            raise ValueError("the file is empty")
        if size > _LARGEST_FILE:
            raise ValueError(f"{size / 1e9:.1f} GB are too much for an image")
        return opened.read()


def _reason(error: Exception, file: bytes) -> str:
    """Return why a file cannot be read, in the same words each time (no addresses in memory)."""
    if isinstance(error, FileNotFoundError) and os.path.islink(file):  # noqa: PTH114
        return f"a link to {os.readlink(file).decode('utf-8', 'backslashreplace')}, which is not there"  # noqa: PTH115
    if isinstance(error, UnidentifiedImageError):
        return "not an image that Pillow can read"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; make it smaller"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return re.sub(r"\s+", " ", re.sub(r" at 0x[0-9a-f]+", "", str(error))) or type(error).__name__


def worker_count(files: int) -> int:
    """Return how many processes should decode so many files, within this process's CPUs and open files."""
    if files < _FILES_WORTH_PROCESSES:
        return 1
    limits = [usable_cpus()]
    threads = os.environ.get("OMP_NUM_THREADS", "")  # Snakemake sets it to a rule's threads
    if threads.isdigit():
        limits.append(int(threads))
    try:
        import resource
    except ImportError:  # Windows has no such limit
        pass
    else:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            limits.append((soft - _OPEN_FILES_RESERVED) // _OPEN_FILES_OF_A_WORKER)
    return max(1, min(limits))
