"""Cut a small folder of pictures out of what scikit-learn and matplotlib ship: python examples/make_pictures.py

Five classes (a temple, a flower, a portrait, a brain scan, mountains), each from one picture, in grey, 48 x 48 pixels:
pieces of many sizes, turned, mirrored, darker and lighter. A picture is divided into tiles, some for training pieces
and some for test pieces, so that no pixel is in both.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from matplotlib.colors import LightSource
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image

SIDE = 48
COUNTS = {"train": 200, "test": 80}
TILES = 8  # a picture has so many in each direction; every third one is for test pieces


def pictures() -> dict[str, NDArray[np.float64]]:
    """Return each class's picture in grey, float64 [H, W] in [0, 1]."""
    samples = Path(get_data_path()) / "sample_data"
    with gzip.open(samples / "s1045.ima.gz") as file:
        brain = np.frombuffer(file.read(), np.uint16).reshape(256, 256)
    with np.load(samples / "jacksboro_fault_dem.npz") as terrain:
        mountains = LightSource(azdeg=315, altdeg=45).hillshade(terrain["elevation"], vert_exag=0.02)
    with Image.open(samples / "grace_hopper.jpg") as image:
        portrait = np.asarray(image.convert("L"))
    found = {
        "brain": brain,
        "flower": load_sample_image("flower.jpg").mean(axis=2),
        "mountains": mountains,
        "portrait": portrait,
        "temple": load_sample_image("china.jpg").mean(axis=2),
    }
    return {name: _stretched(np.asarray(pixels, np.float64)) for name, pixels in found.items()}


def _stretched(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(pixels, [1, 99])
    return np.clip((pixels - low) / (high - low), 0, 1)


def piece(picture: NDArray[np.float64], split: str, chance: np.random.Generator) -> Image.Image:
    """Return a square piece from a tile of this split, turned, mirrored, of another contrast, `SIDE` pixels wide."""
    height, width = (length // TILES for length in picture.shape)
    tiles = [divmod(tile, TILES) for tile in range(TILES**2) if (tile % 3 == 0) == (split == "test")]
    while True:
        row, column = tiles[int(chance.integers(len(tiles)))]
        tile = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        size = int(chance.integers(16, min(48, *tile.shape) + 1))
        top, left = (int(chance.integers(0, length - size + 1)) for length in tile.shape)
        cut = np.rot90(tile[top : top + size, left : left + size], int(chance.integers(4)))
        if cut.std() > 0.06:  # something is to be seen
            break
    if chance.random() < 0.5:
        cut = cut[:, ::-1]
    grey = 0.5 + chance.uniform(0.6, 1.0) * (cut - 0.5) + chance.uniform(-0.1, 0.1)
    noisy = np.clip(grey + chance.normal(0, 0.03, cut.shape), 0, 1)
    image = Image.fromarray(np.rint(255 * noisy).astype(np.uint8))
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def make(folder: Path) -> None:
    """Write `folder`/{train,test}/<class>/<number>.png; the same files each time."""
    for label, (name, picture) in enumerate(pictures().items()):
        for number, (split, count) in enumerate(COUNTS.items()):
            chance = np.random.default_rng([label, number])
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                piece(picture, split, chance).save(folder / split / name / f"{index:03d}.png")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("pictures")
    make(target)
    print(f"{target}: {sum(1 for _ in target.rglob('*.png')):,} pictures")
