"""Small image folders for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, side: int = 12) -> Image.Image:
    """Return an image of random pixels, another one for each seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def fill(root: Path, **counts: int) -> Path:
    """Save PNG images below `root`: `train__cat=3` makes three in train/cat/. All are different."""
    for path, count in counts.items():
        folder = root.joinpath(*path.split("__"))
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            seed = int.from_bytes(f"{path}/{index}".encode(), "big")
            noise(seed).save(folder / f"{index:03d}.png")
    return root
