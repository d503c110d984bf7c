"""The loop on images whose brightness tells their class, on a processor or a GPU, as tests of it want it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from scalestudy.study.budget import step_boundaries
from scalestudy.study.settings import RunSettings, TrainEval
from scalestudy.training import loop
from scalestudy.training.examples import Examples, Normalize, Splits
from scalestudy.training.models import build_model
from scalestudy.training.progress import Row, RunProgress
from scalestudy.training.stems import whiten

CPU = torch.device("cpu")
KEY = {"settings": "test"}


def normalize(device: torch.device = CPU) -> Normalize:
    """Return what a run's images are normalised by."""
    return Normalize([0.5] * 3, [0.25] * 3, device)


def examples(count: int, seed: int = 0, device: torch.device = CPU) -> Examples:
    """Images whose brightness tells their class, so that a few steps learn something."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = random.integers(0, 60, (count, 32, 32, 3)) + (labels * 60)[:, None, None, None]
    return Examples(images.astype(np.uint8), labels, np.arange(count), device)


def splits(train: int, test: int, device: torch.device = CPU) -> Splits:
    """Return so many images of three classes, none held out."""
    return Splits(
        examples(train, device=device),
        examples(test, seed=1, device=device),
        None,
        ("dark", "grey", "bright"),
    )


SPLITS = splits(40, 10)


def run(
    checkpoint: Path,
    settings: RunSettings,
    images: Splits = SPLITS,
    stop_after: int | None = None,
    train_eval: TrainEval = "last",
    on_minute: Callable[[float | None], None] = lambda left: None,
    on_epoch: Callable[[Row, float | None], None] = lambda row, left: None,
    precision: str = "float32",
) -> tuple[loop.Training, list[Row]]:
    """Train to the end where the images lie, or until a signal comes after so many questions."""
    asked, device = 0, images.train.device

    def stop_asked() -> bool:
        nonlocal asked
        asked += 1
        return stop_after is not None and asked >= stop_after

    torch.set_num_threads(1)
    model = build_model(
        settings.model,
        3,
        seed=settings.seed,
        dropout=settings.dropout,
        stem=settings.stem,
        conv_init=settings.conv_init,
    )
    if settings.stem == "whitening":
        whiten(model, normalize(device)(images.train.batch(torch.arange(40))[0]).cpu())
    steps = step_boundaries(settings, len(images.train))[-1]
    training = loop.Training.fresh(model, settings, steps, device, precision)
    with RunProgress(settings.epochs) as progress:
        loop.fit(
            training,
            images,
            normalize(device),
            checkpoint,
            KEY,
            progress,
            stop_asked,
            on_epoch,
            train_eval,
            on_minute,
        )
    return training, training.rows


def timeless(rows: list[Row]) -> list[Row]:
    return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows]


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )
