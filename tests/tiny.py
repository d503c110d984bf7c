"""A tiny dataset that a few steps can learn, for tests that train."""

from pathlib import Path

import numpy as np

from scalestudy.data.store import StoreWriter

CLASSES = ("dark", "grey", "bright")


def tiny_store(folder: Path, train: int = 48, test: int = 15, size: int = 32) -> Path:
    """Write a store of images whose brightness tells their class; return its folder."""
    with StoreWriter(folder, size) as writer:
        for seed, count in enumerate((train, test)):
            labels = np.arange(count) % len(CLASSES)
            noise = np.random.default_rng(seed).integers(0, 60, (count, size, size, 3))
            images = (noise + labels[:, None, None, None] * 60).astype(np.uint8)
            writer.append("test" if seed else "train", images, labels)
        writer.publish(list(CLASSES), {"source": "made up", "settings": {}}, {"notes": []})
    return folder
