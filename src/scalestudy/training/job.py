"""One training job around the loop: device, data and weights in; metrics.csv, run.json and predictions.npz out."""

import os
import platform
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from scalestudy import __version__
from scalestudy.data.store import Store
from scalestudy.data.subsets import indices_sha256
from scalestudy.errors import UserError, disk_fault
from scalestudy.files import sha256_file, write_json
from scalestudy.results.read import read_metrics
from scalestudy.results.record import (
    METRICS,
    RECORD,
    WEIGHTS,
    DamagedError,
    Divergence,
    EarlyStop,
    Normalization,
    RecordedDataset,
    RecordedModel,
    RecordedSettings,
    RecordedWeights,
    RunRecord,
    Subset,
    read_record,
    write_run,
)
from scalestudy.results.weights import read_weights_record
from scalestudy.study.budget import batches_per_epoch, images_in_steps, step_boundaries
from scalestudy.study.names import short_hash
from scalestudy.study.paths import RUN_FILES, checkpoint_file, events_folder
from scalestudy.study.settings import RunSettings, TrainEval
from scalestudy.training.backbone import load_backbone
from scalestudy.training.checkpoint import Fingerprint, save_tensors
from scalestudy.training.device import (
    choose_device,
    describe_out_of_memory,
    device_name,
    set_threads,
    training_slot,
)
from scalestudy.training.events import LogTo, event_files
from scalestudy.training.examples import Normalize, Splits
from scalestudy.training.forms import choose_forms
from scalestudy.training.handover import keep_finished, run_lock, take_finished
from scalestudy.training.loop import DivergedError, TerminatedError, Training, fit
from scalestudy.training.memory import keep_freed_memory
from scalestudy.training.models import build_model, find_head, head_features
from scalestudy.training.precision import choose_precision
from scalestudy.training.progress import Row, RunProgress
from scalestudy.training.small_maps import Forms
from scalestudy.training.stems import WHITENING_IMAGES, whiten
from scalestudy.training.weights import load_weights, require_weights, state_sha256

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

_AFTER_A_SIGNAL = {
    True: "saved, the next start goes on from there",
    False: "its state could not be saved, the next start goes on from its last checkpoint, if it has one",
    None: "the next start goes on from there",
}


@dataclass(frozen=True)
class Job:
    """What one training process is told. data: a prepared dataset's folder; output: the run's folder."""

    name: str
    settings: RunSettings
    data: Path
    output: Path
    weights: Path | None = None
    task: Literal["labels", "rotation"] = "labels"
    normalization: Literal["imagenet", "dataset", "weights"] = "imagenet"
    device: str = "auto"
    precision: Literal["auto", "float32", "bf16"] = "auto"
    threads: int = 1
    jobs_per_gpu: int = 1
    save_weights: bool = False
    train_eval: TrainEval = "last"
    log_to: LogTo = "none"


def run_job(job: Job) -> int:
    """Train the run and write its files; return the exit code: 0 complete or diverged, 1 failed, 143 terminated.

    Whatever happens is in the run's status.json, which outlives the declared outputs of a failed job. UserError and
    unexpected errors are recorded there and raised again; a file that cannot be written or read is a UserError.
    """
    settings = job.settings
    progress = RunProgress(
        settings.epochs if settings.steps is None else min(settings.epochs, settings.steps)
    )
    status = Status(job.output / "status.json", progress.epochs)
    try:
        with progress, StopSignals() as stop, run_lock(job.output, progress.say):
            status.ours = True
            state = _train(job, progress, status, stop)
            with suppress(OSError):  # it is only shown; run.json has the word
                status.write(state)
        return 0
    except TerminatedError as error:
        what = _AFTER_A_SIGNAL[error.saved]
        if status.ours:  # else it is the status of who trains the run
            status.failed("terminated", f"{error}; {what}")
        progress.say(f"{error}; {what}")
        return 128 + signal.SIGTERM
    except UserError as error:
        status.failed("input", str(error))
        raise
    except Exception as error:
        if device := _out_of_memory(error):
            reason = describe_out_of_memory(device, settings.batch_size)
            status.failed("oom", reason)
            progress.say(f"error: {reason}")
            return 1
        if isinstance(error, OSError):  # a full disk, a folder without permission
            reason = disk_fault(error, job.output)
            status.failed("error", reason)
            raise UserError(reason) from None
        status.failed("error", f"{type(error).__name__}: {' '.join(str(error).split())}")
        raise


def _train(job: Job, progress: RunProgress, status: "Status", stop: "StopSignals") -> str:
    """Train from the start or the checkpoint to the end, write the declared outputs, return the run's state."""
    with training_slot(job.device, job.jobs_per_gpu, progress.say):
        started, clock = datetime.now(UTC), time.perf_counter()
        status.begin()
        device = choose_device(job.device)
        precision = choose_precision(job.precision, device)
        threads = set_threads(job.threads)
        keep_freed_memory()
        progress.say(
            f"{job.name}: {device_name(device)} ({device.type}), {precision}, {threads} CPU thread(s)"
        )
        store = Store.open(job.data)
        _check_size(store, job)
        forms = choose_forms(device, precision)
        weights = None if job.weights is None else _weights_record(job.weights, job.settings.init)
        fingerprint = _fingerprint(job, store, weights, device, precision, threads, forms)
        files = (*RUN_FILES, WEIGHTS) if job.save_weights else RUN_FILES
        if (state := take_finished(job.output, fingerprint, files)) is not None:
            progress.say("this run has finished before; its files are put back, nothing is trained")
            status.finished(job.output)
            return state
        ran = {"versions": versions(), "git_commit": git_commit()}  # now: hours later there may be others
        splits = Splits.of(store, job.settings, job.task, device)
        normalization = _normalization(job, store)
        normalize = Normalize(normalization.mean, normalization.std, device)
        model, notes = _initial_model(job, weights, splits, normalize)
        facts = _model_facts(model)
        images = len(splits.train)
        steps = step_boundaries(job.settings, images)[-1]
        for note in [*notes, _budget_note(job.settings, images, len(splits.test), steps)]:
            progress.say(note)
        checkpoint = checkpoint_file(job.output)
        training = Training.fresh(model, job.settings, steps, device, precision, forms)
        with suppress(OSError):
            status.write("running")
        stop.defer()
        diverged, logits, labels = None, torch.empty(0, 0), torch.empty(0, dtype=torch.int64)
        with event_files(job.log_to, events_folder(job.output)) as events:

            def epoch_done(row: Row, seconds_left: float | None) -> None:
                status.earlier = training.earlier
                status.epoch_done(row, seconds_left)
                if events is not None:
                    events.update(training.rows)

            def minute_passed(seconds_left: float | None) -> None:
                status.earlier = training.earlier
                status.goes_on(seconds_left)

            try:
                logits, labels = fit(
                    training,
                    splits,
                    normalize,
                    checkpoint,
                    fingerprint,
                    progress,
                    stop.asked,
                    epoch_done,
                    job.train_eval,
                    minute_passed,
                )
            except DivergedError as error:
                diverged = Divergence(epoch=error.epoch, step=error.step)
                progress.say(f"diverged: {error}; the run stops here")
        rows = training.rows if diverged else training.result
        taken = training.step if diverged else int(rows[-1]["step"])
        early = None
        if training.best is not None and not diverged:
            early = EarlyStop(epoch=len(rows), trained_epochs=len(training.rows))
        record = RunRecord(
            run=job.name,
            status="diverged" if diverged else "complete",
            settings=RecordedSettings(**job.settings.model_dump(), dataset=store.info["name"]),
            task=job.task,
            subset=_subset(store, splits),
            dataset=RecordedDataset.model_validate(store.info),
            weights=weights,
            model=facts,
            batches_per_epoch=batches_per_epoch(images, job.settings.batch_size),
            steps=taken,
            images_seen=images_in_steps(taken, job.settings.batch_size, images),
            test_images=len(splits.test),
            fingerprint=fingerprint,
            diverged=diverged,
            early_stopping=early,
            device=device.type,
            device_name=device_name(device),
            precision=precision,
            convolutions=str(forms),
            threads=threads,
            normalization=normalization,
            resumed_from=training.resumed_from,
            train_seconds=round(sum(float(row["seconds"]) for row in training.rows) + training.spent, 3),
            total_seconds=round(training.earlier + time.perf_counter() - clock, 3),
            peak_memory_mb=_peak_memory_mb(device),
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            final_weights_sha256=None if diverged else state_sha256(training.measured.state_dict()),
            platform=platform.platform(),
            hostname=socket.gethostname(),
            **ran,
            command=shlex.join(["scalestudy", *sys.argv[1:]]),
        )
        if job.save_weights and not diverged:
            _write_weights(job.output / WEIGHTS, training)
        elif (
            job.output / RECORD
        ).is_file():  # of an earlier training; without a record they are somebody's own
            (job.output / WEIGHTS).unlink(missing_ok=True)
        write_run(
            job.output,
            record,
            rows,
            labels.numpy(),
            logits.argmax(1).numpy() if len(logits) else np.empty(0, dtype=np.int64),
            logits.softmax(1).numpy(),
        )
        with suppress(OSError):  # it only saves a second training where Snakemake is killed now
            keep_finished(job.output)
    return record.status


def _check_size(store: Store, job: Job) -> None:
    """Raise UserError where the images have another size than the run's settings say."""
    size, wanted = store.info["image_size"], job.settings.image_size
    if size != wanted:
        raise UserError(
            f"{job.data} holds images of {size} pixels, and image_size is {wanted}: use --image-size {size}, or "
            f"prepare the data with --image-size {wanted}"
        )


def _initial_model(
    job: Job, weights: RecordedWeights | None, splits: Splits, normalize: Normalize
) -> tuple[nn.Module, list[str]]:
    """Return the model with its initial weights, and notes for the log on what was loaded."""
    settings = job.settings
    model = build_model(
        settings.model,
        len(splits.classes),
        seed=settings.seed,
        dropout=settings.dropout,
        stem=settings.stem,
        conv_init=settings.conv_init,
        image_size=settings.image_size,
    )
    if job.weights is None or weights is None:
        if settings.stem == "whitening":
            count = min(WHITENING_IMAGES, len(splits.train))
            # From all over the subset, which a folder of images orders by class.
            images, _ = splits.train.batch(torch.arange(count) * len(splits.train) // count)
            whiten(model, normalize(images).cpu())
        return model, []
    return model, load_backbone(model, load_weights(job.weights, weights.sha256), settings.model)


def _subset(store: Store, splits: Splits) -> Subset:
    """Return which training images the run sees."""
    indices = splits.train.indices
    labels = np.asarray(store.train_labels)[indices]
    return Subset(
        images=len(indices),
        sha256=indices_sha256(indices),
        counts=np.bincount(labels, minlength=len(store.info["classes"])).tolist(),
    )


def _model_facts(model: nn.Module) -> RecordedModel:
    return RecordedModel(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        features=head_features(model),
        head=find_head(model)[0],
    )


def _fingerprint(
    job: Job,
    store: Store,
    weights: RecordedWeights | None,
    device: torch.device,
    precision: str,
    threads: int,
    forms: Forms,
) -> Fingerprint:
    """Return all that the run's numbers depend on, to tell whether a checkpoint or a finished run is this one."""
    content = [
        job.settings.lasting(),
        job.task,
        job.normalization,
        store.info["sha256"],
        weights and weights.sha256,
        *(["train_eval every"] if job.train_eval == "every" else []),
        # Before, the filters were computed from the first images only.
        *(["whitened over all classes"] if job.settings.stem == "whitening" else []),
    ]
    return {
        "settings": short_hash(content),
        "device": device.type,
        "precision": precision,
        "convolutions": str(forms),
        "threads": str(threads),
    }


def _budget_note(settings: RunSettings, images: int, test_images: int, steps: int) -> str:
    merged = images % settings.batch_size == 1 and images > settings.batch_size
    batches = batches_per_epoch(images, settings.batch_size)
    return (
        f"{images:,} training images, {test_images:,} test images; "
        f"{batches:,} batch{'' if batches == 1 else 'es'} of {settings.batch_size} a pass, "
        f"{steps:,} step{'' if steps == 1 else 's'}"
        + ("; the last image of a pass joins the batch before it" if merged else "")
    )


def _normalization(job: Job, store: Store) -> Normalization:
    """Return the input statistics that the job names, with their numbers."""
    if job.normalization == "imagenet":
        return Normalization(name="imagenet", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if job.normalization == "weights":
        record = job.weights and job.weights.with_name("weights.json")
        said = read_weights_record(record.parent) if record and record.is_file() else {}
        if "mean" not in said:
            raise UserError(
                f"--normalization weights: {record or 'a run without --weights'} states no mean and std; take "
                "imagenet or dataset"
            )
        return Normalization(name="weights", mean=said["mean"], std=said["std"])
    return Normalization(name="dataset", mean=store.info["mean"], std=store.info["std"])


def _weights_record(file: Path, name: str) -> RecordedWeights:
    """Return name, SHA-256 and source of initial weights, from the record beside them where there is one."""
    require_weights(file)
    if file.with_name("weights.json").is_file():
        return RecordedWeights.model_validate({"name": file.parent.name, **read_weights_record(file.parent)})
    return RecordedWeights(name=name, sha256=sha256_file(file), source=str(file))


class Status:
    """The run's status.json: what `scalestudy status` shows while it runs, and why it failed when it did."""

    def __init__(self, path: Path, epochs: int) -> None:
        self.path = path
        self.ours = False  # whether the run's lock is held
        self.earlier = 0.0  # seconds of earlier processes
        self.begin()
        self.facts: dict[str, Any] = {
            "epoch": 0,
            "epochs": epochs,
            "train_accuracy": None,
            "test_accuracy": None,
            "seconds_left": None,
            "elapsed": 0.0,
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }

    def begin(self) -> None:
        """Count the time from here on: waiting is none of the run's."""
        self.began = time.monotonic()

    def finished(self, folder: Path) -> None:
        """Take over the numbers of a run that finished before."""
        with suppress(DamagedError):
            self.earlier = read_record(folder / RECORD).total_seconds
            for row in read_metrics(folder / METRICS)[-1:]:
                self._take({**row, "epoch": int(row["epoch"])})
                self.facts["seconds_left"] = 0.0

    def write(self, state: str, kind: str | None = None, reason: str | None = None) -> None:
        """Write the state, and why, with the latest numbers."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.facts["elapsed"] = round(self.earlier + time.monotonic() - self.began, 1)
        write_json(self.path, {"state": state, "kind": kind, "reason": reason, **self.facts, "updated": now})

    def failed(self, kind: str, reason: str) -> None:
        """Write why the run failed, if that is possible at all: the disk may be what failed."""
        with suppress(OSError):
            self.write("failed", kind, reason)

    def epoch_done(self, row: Row, seconds_left: float | None) -> None:
        """Take over the numbers of a finished epoch."""
        self._take(row)
        self.goes_on(seconds_left)

    def _take(self, row: Row) -> None:
        self.facts |= {key: row[key] for key in ("epoch", "train_accuracy", "test_accuracy")}

    def goes_on(self, seconds_left: float | None) -> None:
        """Take over how long the run will take."""
        self.facts["seconds_left"] = None if seconds_left is None else round(seconds_left, 1)
        with suppress(OSError):  # it is only shown
            self.write("running")


class StopSignals:
    """SIGTERM and SIGINT, in a context: they raise TerminatedError at once, wherever the job waits or loads.

    From `defer` on they are a question that the loop asks, which then saves. A second signal ends the process, if it
    comes a second later or more: at once it is the same one by another way, from a whole group of processes that was
    told to end, and by the process that started this one (`forkserver`).
    """

    def __init__(self) -> None:
        self._received: float | None = None
        self._deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """From here on, only remember a signal."""
        self._deferred = True

    def asked(self) -> bool:
        """Return whether a signal has come."""
        return self._received is not None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._received is None:
            self._received = time.monotonic()
            if not self._deferred:
                raise TerminatedError("stopped by a signal before the first step")
        elif time.monotonic() - self._received > 1:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _out_of_memory(error: Exception) -> torch.device | None:
    """Return the device whose memory ran out, or None where that is not what happened."""
    if isinstance(error, torch.OutOfMemoryError) or "CUDA error: out of memory" in str(error):
        return torch.device("cuda", 0)
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "allocate memory" in str(error):
        return torch.device("cpu")
    return None


def _write_weights(path: Path, training: Training) -> None:
    save_tensors(path, {key: value.cpu() for key, value in training.measured.state_dict().items()})


def _peak_memory_mb(device: torch.device) -> float:
    """Return the most memory that this process held: on the GPU where it trained there, else resident.

    A forked job has not in it what it shares of the libraries' files and never touches, some 200 MB.
    """
    if device.type == "cuda":
        return round(torch.cuda.max_memory_reserved(device) / 2**20, 1)  # a graph's own memory, too
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


@cache
def versions() -> dict[str, str]:
    """Return the versions of everything that may change a number."""
    packages = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    return {"scalestudy": __version__, **packages, "python": platform.python_version()}


@cache
def git_commit() -> str | None:
    """Return the commit of the project that the process runs in, with `+` where files differ from it; None outside."""
    try:
        shown = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return shown.stdout.strip() or None
