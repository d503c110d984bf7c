"""What a finished run leaves behind: `run.json`, `metrics.csv` and `predictions.npz`, written and read here alone.

`run.json` is written last. It holds the SHA-256 of the run's other files and of itself, so that one edited number or
one flipped byte in any of them is found. No torch, no pandas: training writes it, everything else reads it.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from scalestudy.files import (
    CHECKSUM,
    DamagedFileError,
    atomic_path,
    read_json,
    seal_is_broken,
    sha256_file,
    write_sealed_json,
)
from scalestudy.study.settings import RunSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECORD, METRICS, PREDICTIONS, WEIGHTS = "run.json", "metrics.csv", "predictions.npz", "weights.pth"

COUNTED = ("epoch", "step")
# The training subset in evaluation mode: of the last epoch (empty in the others), or of every one.
TRAIN_EVAL = ("train_eval_loss", "train_eval_accuracy")
VALIDATION = ("validation_loss", "validation_accuracy")
SPEED = ("seconds", "images_per_second")
MEASURED = ("lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy", *SPEED)

Epoch = Mapping[str, float]


class DamagedError(Exception):
    """A file of a run is half-written, empty, altered, or not that run's; the message starts with its name."""


class _Part(BaseModel):
    """A part of a record. Keys that a later version may add are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class RecordedSettings(RunSettings):
    """All settings of a run, and the name of its dataset store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: str


class Subset(_Part):
    """The training images of a run: how many, the SHA-256 of their indices, how many of each class."""

    images: int
    sha256: str
    counts: list[int]


class RecordedDataset(_Part):
    """The dataset store that a run was trained on; sha256 is that of dataset.json."""

    name: str
    sha256: str
    classes: list[str]
    train_images: int
    test_images: int


class RecordedWeights(_Part):
    """The initial weights of a run, and where they came from."""

    name: str
    sha256: str
    source: str


class RecordedModel(_Part):
    """The network: its parameters, the features before its head, the name of the head."""

    parameters: int
    features: int
    head: str


class Divergence(_Part):
    """Where the loss was no finite number any more, or exploded. Counted from 1."""

    epoch: int
    step: int


class EarlyStop(_Part):
    """Which epoch was best on the held-out images, the last one of metrics.csv, and how many were trained."""

    epoch: int
    trained_epochs: int


class Normalization(_Part):
    """Input statistics, for each channel, in [0, 1]."""

    name: str
    mean: list[float]
    std: list[float]


class RunRecord(_Part):
    """What run.json says of a finished run, or of a finished upstream stage.

    `steps` and `images_seen` are those taken, also where a run diverged before its end; with early stopping, those
    taken to the epoch whose weights are the result, while `train_seconds` holds the time of all epochs. `fingerprint`
    is all that the numbers depend on, in short (see `training.job`). `convolutions` says up to which maps convolutions
    were computed as matrix products (see `training.small_maps.Forms`). Times are in seconds, `started` and `ended` in
    UTC. `files` maps the name of each other file of the run to its SHA-256; it and `convolutions` are empty in records
    of versions that did not note them.
    """

    run: str
    status: Literal["complete", "diverged"]
    settings: RecordedSettings
    task: Literal["labels", "rotation"] = "labels"
    subset: Subset
    dataset: RecordedDataset
    weights: RecordedWeights | None
    model: RecordedModel
    batches_per_epoch: int
    steps: int
    images_seen: int
    test_images: int
    fingerprint: dict[str, str]
    diverged: Divergence | None
    device: str
    device_name: str
    precision: str
    convolutions: str = ""
    threads: int
    normalization: Normalization
    resumed_from: list[int]
    train_seconds: float
    total_seconds: float
    peak_memory_mb: float
    started: str
    ended: str
    final_weights_sha256: str | None
    versions: dict[str, str]
    platform: str
    hostname: str
    git_commit: str | None
    command: str
    files: dict[str, str] = {}
    early_stopping: EarlyStop | None = None

    @property
    def complete(self) -> bool:
        """Whether the run reached its end (else it diverged)."""
        return self.status == "complete"


class JobStatus(_Part):
    """What status.json says of a run: written as it goes, also when it fails. Nothing depends on it but what is shown.

    `elapsed` and `seconds_left` are in seconds, the latter as judged at `updated`.
    """

    state: str
    kind: str | None = None
    reason: str | None = None
    epoch: int = 0
    epochs: int | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    seconds_left: float | None = None
    elapsed: float | None = None
    pid: int | None = None
    host: str | None = None
    updated: AwareDatetime | None = None


def write_run(
    folder: Path,
    record: RunRecord,
    epochs: Sequence[Epoch],
    labels: "NDArray[np.int64]",
    predictions: "NDArray[np.int64]",
    probabilities: "NDArray[np.float32]",
) -> RunRecord:
    """Write predictions.npz, metrics.csv and, last, run.json into `folder`; return the record as written.

    `epochs`: one mapping per finished epoch. labels and predictions int64 [M], probabilities [M, C] on the test set
    after the last epoch; all empty for a diverged run. `folder`/weights.pth belongs to the run where it is there.
    """
    import numpy as np

    with atomic_path(folder / PREDICTIONS) as temporary:
        np.savez_compressed(
            temporary, labels=labels, predictions=predictions, probabilities=probabilities.astype(np.float16)
        )
    columns = metrics_columns(held_out=record.settings.validation > 0)
    with (
        atomic_path(folder / METRICS) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(epochs)
    names = [METRICS, PREDICTIONS, *([WEIGHTS] if (folder / WEIGHTS).exists() else [])]
    whole = record.model_copy(update={"files": {name: sha256_file(folder / name) for name in names}})
    write_record(folder / RECORD, whole)
    return whole


def metrics_columns(*, held_out: bool) -> list[str]:
    """Return the columns of metrics.csv in their order; `held_out` says whether the study holds images out."""
    measured = [name for name in MEASURED if name not in SPEED]
    return [*COUNTED, *measured, *(VALIDATION if held_out else ()), *TRAIN_EVAL, *SPEED]


def write_record(path: Path, record: RunRecord) -> None:
    """Write a record as JSON, with a checksum of its own content."""
    write_sealed_json(path, record.model_dump(mode="json"))


def read_record(path: Path) -> RunRecord:
    """Return the record in the JSON file at `path`.

    Raises DamagedError, naming the file and what is wrong, where it is absent, cut, mistyped or altered.
    """
    name = path.name
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise DamagedError(f"{name} is missing") from None
    except DamagedFileError:
        raise DamagedError(f"{name} is empty or cut short") from None
    except OSError as error:
        raise DamagedError(f"{name} cannot be read ({error.strerror or error})") from None
    if not isinstance(content, dict):
        raise DamagedError(f"{name} is not a run's record")
    return parse_record(content, name)


def parse_record(content: Mapping[str, Any], name: str = RECORD) -> RunRecord:
    """Return the record that a JSON object holds; DamagedError as `read_record`."""
    if (CHECKSUM in content) != ("files" in content) or seal_is_broken(content):  # both came with one version
        raise DamagedError(f"{name} was altered since it was written")
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        if fault["type"] == "missing":
            raise DamagedError(f"{name} lacks {where}") from None
        raise DamagedError(f"{name} says {where}: {str(fault['input'])[:40]}") from None
