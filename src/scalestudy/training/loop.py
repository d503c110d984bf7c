"""The training loop: fresh model and optimizer from the seed, cross-entropy, the test set measured after each epoch.

Loss and accuracy on the training images are taken while they are trained on (running over the epoch: the model
changes meanwhile, dropout and augmentation are on, and an answer to a mixed image counts with the share that its
class has in it); after the last epoch the subset is read once more in evaluation mode, as the test set is, for the
gap between the two.

A run's numbers depend on its settings, its seed, the kind of machine and the number of threads, and on nothing
else: batches follow from the seed and the step alone, and all other state travels in the checkpoint.
"""

import copy
import functools
import math
import operator
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scalestudy.errors import UserError
from scalestudy.study.budget import batches_per_epoch, step_boundaries
from scalestudy.study.registries import AVERAGINGS, TTAS, load
from scalestudy.study.settings import RunSettings, TrainEval
from scalestudy.training.augmentation import Draw, augment
from scalestudy.training.averaging import LOOKAHEAD_EVERY
from scalestudy.training.checkpoint import Fingerprint, load_checkpoint, save_checkpoint
from scalestudy.training.examples import Examples, Normalize, Splits, shuffled_batches
from scalestudy.training.folding import evaluation_model
from scalestudy.training.freezing import freeze, training_mode
from scalestudy.training.graphs import Pass, Recorded
from scalestudy.training.mixing import correct_share, mix
from scalestudy.training.precision import autocast_context, prepare_model
from scalestudy.training.progress import Row, RunProgress
from scalestudy.training.recipe import make_optimizer, make_schedule, stream_seed
from scalestudy.training.small_maps import USUAL_FORMS, Forms

EVALUATION_BATCH = 500  # images of up to 64 x 64 pixels; does not change a result, only memory and speed
SECONDS_BETWEEN_CHECKPOINTS = 5.0  # at the ends of epochs
# A longer epoch is saved, and says how far it is, in its midst: killed without warning, no run loses more.
SECONDS_WITHIN_AN_EPOCH = 60.0
EXPLODED_LOSS = (
    1e6  # of a batch; chance is ln(classes), and from here no run comes back (Adam at lr 1e6 stays finite)
)
GPU_LOSSES_AT_ONCE = 50  # losses looked at together on a GPU, where each look waits for the device
SECONDS_UNSEEN = 10.0  # no loss there is left longer without a look: what nobody has looked at is not saved


class DivergedError(Exception):
    """The loss is no longer a finite number, or so large that it might as well be."""

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__(
            f"the loss is not finite, or above {EXPLODED_LOSS:,.0f}, in epoch {epoch}, step {step}"
        )
        self.epoch, self.step = epoch, step


class TerminatedError(BaseException):
    """A signal asked the run to stop. `saved`: whether its state is; None before the first step.

    As KeyboardInterrupt is no Exception: it may come while a file is read, and is no fault of that file.
    """

    saved: bool | None = None


@dataclass
class Training:
    """One run in progress: all that a checkpoint holds. rows: one per finished epoch; lr: of the last step.

    steps: those to take in all. averaged: the model of averaged weights, where the settings ask for one. best: with
    early stopping, the epoch that was best on the held-out images, its accuracy there and its weights. running:
    float64 [3] on the device, summed over the epoch so far: loss times images, correct images, images. spent: seconds
    of the epoch that an earlier process began; earlier: seconds of earlier processes in all; began: of this one.
    """

    model: nn.Module
    settings: RunSettings
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    device: torch.device
    precision: str
    steps: int
    gradients: Pass
    averaged: nn.Module | None = None
    step: int = 0
    lr: float = 0.0
    rows: list[Row] = field(default_factory=list)
    best: dict[str, Any] | None = None
    resumed_from: list[int] = field(default_factory=list)
    running: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    spent: float = 0.0
    earlier: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    @classmethod
    def fresh(
        cls,
        model: nn.Module,
        settings: RunSettings,
        steps: int,
        device: torch.device,
        precision: str,
        forms: Forms = USUAL_FORMS,
    ) -> "Training":
        """Start `steps` optimizer steps of `model` on `device`, its convolutions computed by `forms`."""
        model = prepare_model(model.to(device), forms)
        freeze(model, settings.freeze)
        if settings.averaging == "lookahead" and steps < LOOKAHEAD_EVERY:
            raise UserError(
                f"averaging: lookahead moves every {LOOKAHEAD_EVERY} steps, and the run has {steps}, so that the "
                "untrained network would be its result; train longer, or take `ema`"
            )
        averaged = None if settings.averaging == "none" else copy.deepcopy(model)
        optimizer = make_optimizer(model, settings)
        torch.manual_seed(stream_seed(settings.seed, "dropout", 0))
        schedule = make_schedule(optimizer, settings, steps)
        running = torch.zeros(3, dtype=torch.float64, device=device)

        def gradients(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            with autocast_context(device, precision):
                logits = model(inputs).float()
            loss = F.cross_entropy(logits, targets, label_smoothing=settings.label_smoothing)
            model.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach(), logits.detach()

        found: Pass = Recorded(gradients, model) if device.type == "cuda" else gradients
        return cls(
            model, settings, optimizer, schedule, device, precision, steps, found, averaged, running=running
        )

    @property
    def measured(self) -> nn.Module:
        """The model whose weights are measured and are the run's result: the averaged one, where there is one."""
        return self.model if self.averaged is None else self.averaged

    def save(self, path: Path, fingerprint: Fingerprint, warn: Callable[[str], None]) -> bool:
        """Write the checkpoint, complete or not at all; return whether that was possible."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "step": self.step,
            "lr": self.lr,
            "rows": self.rows,
            "running": self.running,
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "best": self.best,
            "resumed_from": self.resumed_from,
            "spent": self.spent,
            "earlier": self.earlier + time.perf_counter() - self.began,
        }
        return save_checkpoint(path, fingerprint, state, warn)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` wrote."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"], self.device)
        self.step, self.lr, self.rows = state["step"], state["lr"], state["rows"]
        self.running.copy_(state["running"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.best = state.get("best")  # a checkpoint of version 0.1.0 has none
        self.resumed_from = [*state["resumed_from"], len(self.rows)]
        self.spent, self.earlier = state.get("spent", 0.0), state.get("earlier", 0.0)

    def update(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Take one optimizer step on a batch; return its loss and the share of right answers, scalars, before it.

        targets: the labels, int64 [B], or the shares of the classes in mixed images, float32 [B, C].
        """
        loss, logits = self.gradients(inputs, targets)
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.lr = float(self.schedule.get_last_lr()[0])
        self.schedule.step()
        self.step += 1
        if self.averaged is not None:
            follow = load(AVERAGINGS[self.settings.averaging].function)
            follow(self.averaged, self.model, self.step, self.steps, self.settings)
        correct, images = correct_share(logits, targets), float(len(targets))
        self.running += torch.stack([loss.double() * images, correct, torch.full_like(correct, images)])
        return loss.clone(), correct / images

    def running_means(self) -> Row:
        """Return the epoch's running loss (mean per image, as minimised) and accuracy."""
        loss, correct, images = self.running.tolist()
        return {"train_loss": round(loss / images, 6), "train_accuracy": correct / images}

    def keep_best(self) -> None:
        """Keep the weights of the epoch just measured where it is the best yet on the held-out images."""
        accuracy = self.rows[-1]["validation_accuracy"]
        if self.best is None or accuracy > self.best["accuracy"]:
            weights = {name: value.clone() for name, value in self.measured.state_dict().items()}
            self.best = {"epoch": len(self.rows), "accuracy": accuracy, "weights": weights}

    @property
    def result(self) -> list[Row]:
        """The rows of the epochs up to that whose weights are the run's result: all, or to the best one."""
        return self.rows if self.best is None else self.rows[: self.best["epoch"]]

    @property
    def stops_early(self) -> bool:
        """Whether as many epochs as the settings allow have passed since the best one."""
        return self.best is not None and len(self.rows) - self.best["epoch"] >= self.settings.early_stopping


def fit(
    training: Training,
    splits: Splits,
    normalize: Normalize,
    checkpoint: Path,
    fingerprint: Fingerprint,
    progress: RunProgress,
    stop_asked: Callable[[], bool],
    on_epoch: Callable[[Row, float | None], None],
    train_eval: TrainEval = "last",
    on_minute: Callable[[float | None], None] = lambda left: None,
) -> tuple[Tensor, Tensor]:
    """Train to the end and measure after each epoch; return the test set's logits, float32 [M, C], and labels.

    `on_epoch` gets each epoch's row and the seconds left (None: not known yet), after a resume the last row once more;
    `on_minute` the seconds left in the midst of a long epoch.
    `train_eval` says after which epochs the training subset is measured in evaluation mode. Goes on from
    `checkpoint` where it holds this run. Raises DivergedError, or TerminatedError after saving when `stop_asked`.
    """
    settings = training.settings
    boundaries = step_boundaries(settings, len(splits.train))
    if state := load_checkpoint(checkpoint, fingerprint, progress.say):
        training.restore(state)
        del state  # as large as the model, its optimizer and its average
        progress.say(
            f"resuming from epoch {len(training.rows)} (step {training.step:,} of {boundaries[-1]:,})"
        )
    batches = shuffled_batches(len(splits.train), settings.batch_size, settings.seed, training.step)
    progress.start(training.step, boundaries[-1])
    if training.rows:
        on_epoch(training.rows[-1], None)
    saved = time.monotonic()

    def keep(older_than: float = SECONDS_WITHIN_AN_EPOCH) -> None:
        nonlocal saved
        if time.monotonic() - saved < older_than:
            return
        progress.say_step(training.step)
        on_minute(progress.seconds_left(training.step))
        training.save(checkpoint, fingerprint, progress.say)
        saved = time.monotonic()

    try:
        for epoch in range(len(training.rows) + 1, len(boundaries) + 1):
            if training.stops_early:
                break
            row = train_epoch(
                training, epoch, boundaries[epoch - 1], batches, splits, normalize, progress, stop_asked, keep
            )
            keep(SECONDS_WITHIN_AN_EPOCH / 2)  # nothing is saved while it is measured
            whole = train_eval == "every" or epoch == len(boundaries)
            measured, logits, labels = measure(training, splits, normalize, stop_asked, train=whole)
            if not all(math.isfinite(value) for value in measured.values()):
                raise DivergedError(epoch, training.step)
            speed = {name: row.pop(name) for name in ("seconds", "images_per_second")}
            training.rows.append({**row, **measured, **speed})
            training.running.zero_()
            training.spent = 0.0
            if settings.early_stopping:
                training.keep_best()
            progress.epoch_done(training.rows[-1], training.step)
            on_epoch(training.rows[-1], progress.seconds_left(training.step))
            if epoch < len(boundaries) and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                training.save(checkpoint, fingerprint, progress.say)
                saved = time.monotonic()
        if training.best is not None:
            progress.say(
                f"early stopping: the best of {len(training.rows)} epochs is {training.best['epoch']}"
            )
            training.measured.load_state_dict(training.best["weights"])
            measured, logits, labels = measure(training, splits, normalize, stop_asked, train=True)
            training.result[-1] |= measured
    except TerminatedError as error:
        error.saved = training.save(checkpoint, fingerprint, progress.say)
        raise
    return logits, labels


def train_epoch(
    training: Training,
    epoch: int,
    last_step: int,
    batches: Iterator[Tensor],
    splits: Splits,
    normalize: Normalize,
    progress: RunProgress,
    stop_asked: Callable[[], bool],
    keep: Callable[[], None] = lambda: None,
) -> Row:
    """Take optimizer steps up to `last_step`; return the epoch's row but for what is measured after it.

    `keep` is called between steps, whenever the state is one to go on from.
    """
    settings = training.settings
    training_mode(training.model)
    progress.start_epoch(epoch, last_step - training.step)
    each_pass = batches_per_epoch(len(splits.train), settings.batch_size)
    began, seen = time.perf_counter() - training.spent, int(training.running[2])
    unseen: list[Tensor] = []
    looked = began
    while training.step < last_step:
        positions = next(batches)
        passed = training.step // each_pass
        loss, accuracy = take_step(training, splits.train, positions, normalize, len(splits.classes), passed)
        seen += len(positions)
        unseen.append(loss)
        together = len(unseen) < GPU_LOSSES_AT_ONCE and time.perf_counter() - looked < SECONDS_UNSEEN
        if training.device.type == "cpu" or not together or training.step == last_step:
            _raise_if_diverged(unseen, epoch, training.step)
            unseen.clear()
            looked = time.perf_counter()
        if progress.shows_batches:
            progress.batch(loss.item(), accuracy.item(), seen / (time.perf_counter() - began))
        training.spent = time.perf_counter() - began
        if stop_asked():
            if unseen:
                _raise_if_diverged(unseen, epoch, training.step)
            raise TerminatedError(f"stopped by a signal in epoch {epoch}, step {training.step}")
        if not unseen:
            keep()
            began = time.perf_counter() - training.spent  # saving is no training
    seconds = training.spent = time.perf_counter() - began
    return {
        "epoch": epoch,
        "step": training.step,
        "lr": training.lr,
        **training.running_means(),
        "seconds": round(seconds, 3),
        "images_per_second": round(seen / seconds, 1),
    }


def take_step(
    training: Training,
    examples: Examples,
    positions: Tensor,
    normalize: Normalize,
    classes: int,
    passed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Take one optimizer step on the examples at `positions`, int64 [B]; return what `Training.update` returns.

    passed: how many passes over the subset are complete.
    """
    settings = training.settings
    draw = Draw.of(positions, settings.seed, training.step, passed)
    images, labels = examples.batch(positions, stream_seed(settings.seed, "turns", training.step))
    inputs = normalize(augment(images, settings.augmentation, draw))
    return training.update(*mix(inputs, labels, classes, settings, draw))


def _raise_if_diverged(losses: list[Tensor], epoch: int, step: int) -> None:
    sane = torch.stack(losses) <= EXPLODED_LOSS  # false for nan, too
    if not bool(sane.all()):
        raise DivergedError(epoch, step - len(losses) + 1 + int((~sane).int().argmax()))


def measure(
    training: Training, splits: Splits, normalize: Normalize, stop_asked: Callable[[], bool], *, train: bool
) -> tuple[Row, Tensor, Tensor]:
    """Return loss and accuracy over the whole of each split, and the test set's logits and labels.

    The training subset is among them where `train` says so.
    """
    network = evaluation_model(training.measured)
    row: Row = {}
    for name, examples in splits.measured(train=train).items():
        logits, labels = predict(
            network, examples, normalize, training.precision, stop_asked, training.settings.tta
        )
        row[f"{name}_loss"], row[f"{name}_accuracy"] = loss_and_accuracy(logits, labels)
        if name == "test":
            test_logits, test_labels = logits, labels
    return row, test_logits, test_labels


def evaluation_batch(image_size: int) -> int:
    """Return how many images of that side are measured together: fewer of larger ones, for the same memory."""
    return max(16, min(EVALUATION_BATCH, EVALUATION_BATCH * 64**2 // image_size**2))


@torch.inference_mode()
def predict(
    model: nn.Module,
    examples: Examples,
    normalize: Normalize,
    precision: str,
    stop_asked: Callable[[], bool] = lambda: False,
    tta: str = "none",
) -> tuple[Tensor, Tensor]:
    """Return the logits, float32 [N, C], and labels, int64 [N], of all examples in order, on the CPU.

    The logits are the means over the views that `tta` names.
    """
    views, logits, labels = load(TTAS[tta].function), [], []
    for positions in torch.split(torch.arange(len(examples)), evaluation_batch(examples.images.shape[1])):
        images, batch_labels = examples.batch(positions)
        with autocast_context(examples.device, precision):
            each = [weight * model(view).float() for weight, view in views(normalize(images))]
        logits.append(functools.reduce(operator.add, each))
        labels.append(batch_labels)
        if stop_asked():
            raise TerminatedError("stopped by a signal while measuring")
    return torch.cat(logits).cpu(), torch.cat(labels).cpu()


def loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy per image, and correct/total, for logits float32 [N, C] and labels int64 [N].

    Everything is gathered first and counted once, so uneven batches cannot weigh wrongly.
    """
    loss = F.cross_entropy(logits.double(), labels).item()
    correct = int((logits.argmax(1) == labels).sum())
    return round(loss, 6) if math.isfinite(loss) else loss, correct / len(labels)
