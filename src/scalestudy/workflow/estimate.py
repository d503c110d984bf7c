"""What a run will take: images, steps, memory and time, before it has run. Torch-free."""

import heapq
import math
import socket
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from scalestudy.errors import UserError
from scalestudy.files import read_json, write_json
from scalestudy.machine import cache_folder
from scalestudy.results.record import DamagedError, read_record
from scalestudy.study import paths
from scalestudy.study.budget import images_seen, step_boundaries
from scalestudy.study.config import Compute
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.models import forward_gmacs, model_of
from scalestudy.study.registries import OPTIMIZERS, parts_of
from scalestudy.study.runs import Run
from scalestudy.study.settings import RunSettings, TrainEval

# A processor core in plain float32, in 10^9 multiply-adds per second, backward pass included; rather low.
_GUESSED_GMACS_PER_SECOND = 30.0
_START_SECONDS = 4.0  # imports, model, data
_MB_PER_GMAC = 25.0  # activations kept for the backward pass, float32; measured on ResNets
_SLOW_AUGMENTATIONS = {"randaugment", "trivialaugment"}  # the others take no time beside the network
_BASE_MB = 700.0  # torch and its libraries
_USUAL_SIZES = (50_000, 10_000)  # training and test images, where only the order of the runs matters


class UnpreparedError(UserError):
    """The size of a dataset is known once it is prepared."""


@dataclass(frozen=True)
class Estimate:
    """images: training images of the run, or None where the data is not prepared yet and its size unknown.

    seconds is None with them. `measured` says whether the time comes from measured speeds or from a rough guess.
    """

    images: int | None
    steps: int | None
    images_seen: int | None
    seconds: float | None
    memory_mb: int
    measured: bool


@dataclass(frozen=True)
class Speed:
    """Images per second of training and of measuring, for one kind of run on one machine."""

    train: float
    evaluate: float


def dataset_sizes(settings: DatasetSettings, dataset: str) -> tuple[int, int] | None:
    """Return the training and test images of a dataset (see `count_images`), or None where nobody knows them yet."""
    try:
        return count_images(settings, dataset)
    except UserError:
        return None


def count_images(settings: DatasetSettings, dataset: str) -> tuple[int, int]:
    """Return the training and test images of a dataset: from its store, its settings, or counted in its folder.

    Counting goes by the files' names; whether each can be read shows when the dataset is prepared. Raises UserError
    with the reason where the sizes cannot be known before that.
    """
    record = paths.dataset_folder(dataset) / "dataset.json"
    if record.is_file():
        try:
            info = read_json(record)
            return int(info["train_images"]), int(info["test_images"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{record} cannot be read ({error}); the next start prepares the data again"
            ) from None
    if (known := settings.known_sizes()) is not None:
        return known
    from scalestudy.data.sources import look  # which imports NumPy

    if (seen := look(settings).sizes) is not None:
        return seen
    raise UnpreparedError(f"{dataset} is not prepared yet")


def estimate(
    run: Run, speeds: "Speeds", sizes: tuple[int, int] | None, train_eval: TrainEval = "last"
) -> Estimate:
    """Return what `run` will take, with `sizes` the dataset's training and test images where they are known.

    `train_eval`: after which epochs the training subset is measured, too.
    """
    settings = run.settings
    memory = memory_mb(settings)
    if sizes is None:
        return Estimate(None, None, None, None, memory, False)
    train, test = sizes
    held_out = _nearest(settings.validation * train)
    images = max(1, _nearest(settings.fraction * (train - held_out)))
    steps = step_boundaries(settings, images)[-1]
    seen = images_seen(settings, images)
    measured = speeds.find(settings)
    speed = measured or guessed_speed(settings)
    evaluated = _images_measured(settings, images, test + held_out, train_eval)
    seconds = _START_SECONDS + seen / speed.train + evaluated / speed.evaluate
    return Estimate(images, steps, seen, seconds, memory, measured is not None)


def relative_costs(
    runs: Mapping[str, Run],
    speeds: "Speeds",
    sizes: Mapping[str, tuple[int, int] | None],
    train_eval: TrainEval = "last",
) -> dict[str, float]:
    """Return what each run takes in comparison with the others, by the runs' names: to start the longest first.

    Seconds where all kinds of run were measured and all sizes are known. Otherwise no more than an order: a
    measured model beside a guessed one could seem the slower of the two, so then all are guessed; and a dataset
    whose size nobody knows yet is taken to be as large as CIFAR-10.
    """
    if any(speeds.find(run.settings) is None for run in runs.values()):
        speeds = Speeds({})
    costs = {}
    for name, run in runs.items():
        cost = estimate(run, speeds, sizes[run.dataset] or _USUAL_SIZES, train_eval).seconds
        assert cost is not None
        costs[name] = cost
    return costs


def _images_measured(settings: RunSettings, images: int, others: int, train_eval: TrainEval) -> int:
    """Return how many images are read in evaluation mode: `others` after each epoch, the subset as told."""
    return settings.epochs * others + images * (settings.epochs if train_eval == "every" else 1)


def _nearest(value: Fraction) -> int:
    """Return the nearest whole number, halves up: the images of a subset (`data.subsets`), without NumPy."""
    return math.floor(value + Fraction(1, 2))


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return how long jobs take on `workers` workers, the longest first (Graham 1969, the LPT rule)."""
    busy = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(busy, busy[0] + each)
    return max(busy)


def memory_mb(settings: RunSettings) -> int:
    """Return the memory that a run needs, in MiB: weights, gradients, optimizer state and activations of a batch."""
    cost = model_of(settings.model)
    copies = OPTIMIZERS[settings.optimizer].copies + (settings.averaging != "none")
    parameters = cost.parameters * 4 * copies / 2**20
    activations = _MB_PER_GMAC * _gmacs(settings) * settings.batch_size
    return round(_BASE_MB + parameters + activations)


def guessed_speed(settings: RunSettings) -> Speed:
    """Return a cautious guess of the speed of one CPU core, from the model's multiply-adds."""
    forward = _GUESSED_GMACS_PER_SECOND / max(_gmacs(settings), 1e-3)
    return Speed(train=forward / 3, evaluate=forward)


def _gmacs(settings: RunSettings) -> float:
    return forward_gmacs(settings.model, settings.image_size, settings.stem)


class Speeds:
    """Measured speeds of one machine, by what else they depend on: see `speed_key`."""

    def __init__(self, known: Mapping[str, Speed]) -> None:
        self.known = dict(known)

    def find(self, settings: RunSettings) -> Speed | None:
        """Return the measured speed for settings like these, or None."""
        return self.known.get(speed_key(settings))

    @classmethod
    def of_machine(cls, compute: Compute) -> "Speeds":
        """Return what `scalestudy plan` has measured before, on this machine and for runs that compute like this."""
        try:
            content = _speeds_of_all_machines()[_machine(compute)]
            known = {str(key): Speed(*map(float, values)) for key, values in content.items()}
        except (KeyError, ValueError, TypeError, AttributeError):
            return cls({})
        return cls({key: each for key, each in known.items() if each.train > 0 and each.evaluate > 0})

    def save(self, compute: Compute) -> None:
        """Keep the speeds for later plans on this machine, of runs that compute like this."""
        known = {key: [each.train, each.evaluate] for key, each in sorted(self.known.items())}
        write_json(speeds_file(), {**_speeds_of_all_machines(), _machine(compute): known})

    def with_finished(self, folders: Iterable[Path], train_eval: TrainEval = "last") -> "Speeds":
        """Return these speeds with those of finished runs in their place (the median of each kind)."""
        found: dict[str, list[Speed]] = {}
        for folder in folders:
            try:
                record = read_record(folder / "run.json")
                if record.resumed_from or record.early_stopping or record.diverged:
                    continue  # its seconds are not those of its steps
                settings = record.settings
                images, test = record.subset.images, record.test_images
                held_out = _nearest(settings.validation * record.dataset.train_images)
                measured = _images_measured(settings, images, test + held_out, train_eval)
                evaluation = max(record.total_seconds - record.train_seconds - 1, 0.1)
                speed = Speed(record.images_seen / record.train_seconds, measured / evaluation)
            except (DamagedError, ZeroDivisionError):
                continue
            found.setdefault(speed_key(settings), []).append(speed)
        return Speeds(
            {
                **self.known,
                **{
                    key: Speed(
                        statistics.median(each.train for each in speeds),
                        statistics.median(each.evaluate for each in speeds),
                    )
                    for key, speeds in found.items()
                },
            }
        )


def speed_key(settings: RunSettings) -> str:
    """Return what a run's speed depends on, as text: the network, the batch, and the parts that cost time."""
    parts = [part for part in parts_of(settings.augmentation) if part in _SLOW_AUGMENTATIONS]
    parts += ["backbone frozen"] if settings.freeze == "backbone" else []
    parts += [f"tta {settings.tta}"] if settings.tta != "none" else []
    return " ".join(
        [settings.model, str(settings.image_size), settings.stem, str(settings.batch_size), *parts]
    )


def _machine(compute: Compute) -> str:
    """Return what speeds are measured on, as text: a home folder may be that of many machines."""
    return f"{socket.gethostname()} {compute.device} {compute.precision} {compute.threads} thread(s)"


def _speeds_of_all_machines() -> dict[str, Any]:
    """Return the content of the file of measured speeds; nothing where it is absent, damaged or of an old version."""
    try:
        content = read_json(speeds_file())
    except (OSError, ValueError):
        return {}
    found = content if isinstance(content, dict) else {}
    return {machine: speeds for machine, speeds in found.items() if isinstance(speeds, dict)}


def speeds_file() -> Path:
    """Return the file of measured speeds in the user's cache."""
    return cache_folder() / "speeds.json"
