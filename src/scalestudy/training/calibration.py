"""How fast this machine trains and measures: a few batches of each kind of run, timed once and remembered."""

import statistics
import time
from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
import torch

from scalestudy.study.config import Compute
from scalestudy.study.settings import RunSettings
from scalestudy.training.device import choose_device, set_threads
from scalestudy.training.examples import Examples, Normalize
from scalestudy.training.folding import evaluation_model
from scalestudy.training.forms import choose_forms
from scalestudy.training.freezing import training_mode
from scalestudy.training.graphs import WARM_UP
from scalestudy.training.loop import EVALUATION_BATCH, Training, predict, take_step
from scalestudy.training.memory import keep_freed_memory
from scalestudy.training.models import build_model
from scalestudy.training.precision import choose_precision
from scalestudy.training.small_maps import Forms
from scalestudy.workflow.estimate import Speed, Speeds, speed_key

_REPEATS = 3


def measure_speeds(kinds: Iterable[RunSettings], compute: Compute, known: Speeds) -> Speeds:
    """Return `known` with the speed of each of these kinds of run, timed on random images, and remember it."""
    device = choose_device(compute.device)
    precision = choose_precision(compute.precision, device)
    set_threads(compute.threads)
    keep_freed_memory()
    forms = choose_forms(device, precision)
    measured = {speed_key(settings): _speed(settings, device, precision, forms) for settings in kinds}
    Speeds({**Speeds.of_machine(compute).known, **measured}).save(compute)
    return Speeds({**known.known, **measured})


def _speed(settings: RunSettings, device: torch.device, precision: str, forms: Forms) -> Speed:
    side = settings.image_size
    images = np.random.default_rng(0).integers(0, 256, (EVALUATION_BATCH, side, side, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % 10
    examples = Examples(images, labels, np.arange(len(images)), device)
    model = build_model(settings.model, 10, seed=0, stem=settings.stem, image_size=side)
    constant = settings.model_copy(
        update={"schedule": "constant", "warmup": Fraction(0)}
    )  # for any few steps
    training = Training.fresh(model, constant, 100, device, precision, forms)
    normalize = Normalize([0.5] * 3, [0.25] * 3, device)
    positions = torch.arange(settings.batch_size) % len(images)

    def train() -> None:
        take_step(training, examples, positions, normalize, classes=10)[0].item()

    training_mode(training.model)
    seconds = _median_seconds(train, warm_up=WARM_UP + 2 if device.type == "cuda" else 1)
    network = evaluation_model(training.measured)
    evaluated = _median_seconds(lambda: predict(network, examples, normalize, precision, tta=settings.tta))
    return Speed(train=settings.batch_size / seconds, evaluate=len(images) / evaluated)


def _median_seconds(work: Callable[[], object], warm_up: int = 1) -> float:
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
