"""Training on a GPU with each step recorded as a CUDA graph, and as it is: images/s of one process alone on the card.

    python benchmarks/graphs.py

Data and augmentation are counted in; the images are random ones.
"""

import sys
import time

import numpy as np
import torch

from scalestudy.errors import UserError
from scalestudy.study.settings import RunSettings
from scalestudy.training import graphs
from scalestudy.training.device import choose_device, device_name
from scalestudy.training.examples import Examples, Normalize
from scalestudy.training.loop import Training, take_step
from scalestudy.training.models import build_model
from scalestudy.training.precision import choose_precision

IMAGES, STEPS, WARM_UP = 20_000, 60, 6
FAST = RunSettings(
    optimizer="sgd",
    lr=0.75,
    momentum=0.85,
    nesterov=True,
    norm_bias_lr=64,
    weight_decay="1.33e-3",
    schedule="triangular",
    label_smoothing=0.2,
    augmentation="translate+alternating_flip",
    averaging="lookahead",
    freeze="norm_scales",
    conv_init="identity",
    batch_size=512,
)
STOCK = RunSettings(batch_size=256)
KINDS = (
    STOCK.model_copy(update={"model": "resnet18"}),
    STOCK.model_copy(update={"model": "resnet50"}),
    STOCK.model_copy(update={"model": "resnet50", "batch_size": 32}),
    STOCK.model_copy(update={"model": "resnet18", "stem": "cifar", "augmentation": "crop+flip"}),
    *(FAST.model_copy(update={"model": name}) for name in ("fastnet", "fastnet_wide", "fastnet_wider")),
)


def images_per_second(settings: RunSettings, examples: Examples, precision: str) -> float:
    """Return how fast the settings train on the examples' device, once all is warm."""
    device, batch = examples.device, settings.batch_size
    normalize = Normalize([0.5] * 3, [0.25] * 3, device)
    model = build_model(settings.model, 10, seed=0, stem=settings.stem, conv_init=settings.conv_init)
    training = Training.fresh(model, settings, STEPS + WARM_UP, device, precision)
    training.model.train()

    def step() -> None:
        positions = (torch.arange(batch) + training.step * batch) % len(examples)
        take_step(training, examples, positions, normalize, classes=10)

    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize()
    return STEPS * batch / (time.perf_counter() - began)


def main() -> None:
    """Time every kind both ways and print a table in Markdown; the better of two tries each."""
    try:
        device = choose_device("cuda")
    except UserError as error:
        sys.exit(f"error: {error}")
    precision = choose_precision("auto", device)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    examples = Examples(images, random.integers(0, 10, IMAGES), np.arange(IMAGES), device)
    print(f"{device_name(device)}, torch {torch.__version__}, {precision}\n")
    print("| images/s in training | batch | as it is | recorded | |\n|---|---|---|---|---|")
    usual = graphs.WARM_UP
    for settings in KINDS:
        speeds = []
        for graphs.WARM_UP in (10**9, usual):
            speeds.append(max(images_per_second(settings, examples, precision) for _ in range(2)))
        name = f"{settings.model}{f', {settings.stem} stem' if settings.stem == 'cifar' else ''}"
        as_it_is, recorded = speeds
        print(
            f"| {name} | {settings.batch_size} | {as_it_is:,.0f} | {recorded:,.0f} | x {recorded / as_it_is:.1f} |"
        )


if __name__ == "__main__":
    main()
