"""The loop measures what it says, repeats itself to the bit, and goes on as if it had never been interrupted."""

import contextlib
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from looped import CPU, SPLITS, examples, normalize, run, same_weights, timeless
from torch import Tensor

from scalestudy.errors import UserError
from scalestudy.study.settings import RunSettings
from scalestudy.training import loop
from scalestudy.training.examples import Normalize, Splits
from scalestudy.training.models import build_model
from scalestudy.training.progress import Row, RunProgress

NORMALIZE = normalize()

SETTINGS = RunSettings(batch_size=8, epochs=3, dropout=0.3, schedule="cosine", augmentation="crop_flip")


def test_accuracy_is_correct_over_total_and_loss_the_mean_per_image_whatever_the_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build_model("resnet18", 3, seed=0).eval()
    results = []
    for size in (10, 4, 3):
        monkeypatch.setattr(loop, "EVALUATION_BATCH", size)
        results.append(loop.loss_and_accuracy(*loop.predict(model, examples(10), NORMALIZE, "float32")))
    losses, accuracies = zip(*results, strict=True)
    assert len(set(accuracies)) == 1
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-5)
    logits, labels = loop.predict(model, examples(10), NORMALIZE, "float32")
    assert accuracies[0] == (logits.argmax(1) == labels).double().mean().item()


def test_known_logits_have_the_known_loss_and_accuracy() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, math.log(3)]])
    loss, accuracy = loop.loss_and_accuracy(logits, torch.tensor([0, 0, 0]))
    assert loss == pytest.approx((math.log(2) + math.log(4 / 3) + math.log(4)) / 3, abs=1e-6)
    assert accuracy == 2 / 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[loop.Training, list[Row]]:
    """A run of SETTINGS that nothing interrupted, and its rows; to read."""
    return run(tmp_path_factory.mktemp("whole") / "whole.pt", SETTINGS)


def test_the_same_settings_give_the_same_numbers_and_weights_to_the_bit(
    tmp_path: Path, whole: tuple[loop.Training, list[Row]]
) -> None:
    (first, rows), (second, again) = whole, run(tmp_path / "again.pt", SETTINGS)
    assert timeless(rows) == timeless(again)
    assert same_weights(first.model, second.model)


def test_another_seed_gives_other_numbers(tmp_path: Path, whole: tuple[loop.Training, list[Row]]) -> None:
    _, others = run(tmp_path / "other.pt", SETTINGS.model_copy(update={"seed": 1}))
    assert timeless(whole[1]) != timeless(others)


@pytest.mark.parametrize("stop_after", [1, 3, 6, 9, 13, 18])
def test_a_run_stopped_anywhere_ends_as_one_never_stopped(
    tmp_path: Path, whole: tuple[loop.Training, list[Row]], stop_after: int
) -> None:
    uncut, expected = whole
    with pytest.raises(loop.TerminatedError):
        run(tmp_path / "cut.pt", SETTINGS, stop_after=stop_after)
    resumed, rows = run(tmp_path / "cut.pt", SETTINGS)
    assert timeless(rows) == timeless(expected)
    assert same_weights(uncut.model, resumed.model)
    assert len(resumed.resumed_from) == 1


class KilledError(Exception):
    """In the place of a SIGKILL: nothing is saved at the end."""


def test_a_run_killed_in_the_midst_of_a_long_epoch_goes_on_from_there_and_ends_as_one_never_killed(
    tmp_path: Path, whole: tuple[loop.Training, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    uncut, expected = whole
    monkeypatch.setattr(loop, "SECONDS_WITHIN_AN_EPOCH", 0.0)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)

    def killed_later(training: loop.Training, *_: object) -> bool:
        saved = save(training, *_)  # type: ignore[arg-type]
        if training.step == 8:
            raise KilledError
        return saved

    save = loop.Training.save
    monkeypatch.setattr(loop.Training, "save", killed_later)
    with pytest.raises(KilledError):
        run(tmp_path / "cut.pt", SETTINGS)
    monkeypatch.setattr(loop.Training, "save", save)
    resumed, rows = run(tmp_path / "cut.pt", SETTINGS)
    assert timeless(rows) == timeless(expected)
    assert same_weights(uncut.model, resumed.model)
    assert resumed.resumed_from == [1]
    assert all(row["seconds"] > 0 for row in rows)


def test_a_long_epoch_says_in_its_midst_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop, "SECONDS_WITHIN_AN_EPOCH", 0.0)
    left: list[float | None] = []
    run(tmp_path / "long.pt", SETTINGS.model_copy(update={"epochs": 1}), on_minute=left.append)
    assert len(left) == 6, "after each step, and before it is measured"
    assert left[0] is not None
    assert left[0] > 0 == left[-1]
    said = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in said if line.startswith("step")][:5] == [
        f"step {n}/5" for n in range(1, 6)
    ]


def test_after_a_resume_the_last_epoch_is_told_once_more_and_no_time_left_before_the_first_step(
    tmp_path: Path,
) -> None:
    with pytest.raises(loop.TerminatedError):
        run(tmp_path / "cut.pt", SETTINGS, stop_after=13)
    told: list[tuple[int, float | None]] = []
    run(tmp_path / "cut.pt", SETTINGS, on_epoch=lambda row, left: told.append((int(row["epoch"]), left)))
    assert [epoch for epoch, _ in told] == [told[0][0], *range(told[0][0] + 1, 4)]
    assert told[0][1] is None
    assert all(left is not None for _, left in told[1:])


AXES: list[dict[str, Any]] = [
    {"optimizer": "sgd", "nesterov": True, "schedule": "triangular", "norm_bias_lr": 4, "backbone_lr": "0.5"},
    {"optimizer": "adamw", "schedule": "cosine", "warmup": 4, "clip_norm": 1},
    {"freeze": "backbone", "augmentation": "flip"},
    {
        "model": "fastnet",
        "stem": "whitening",
        "conv_init": "identity",
        "freeze": "norm_scales",
        "norm_bias_lr": 64,
        "averaging": "lookahead",
    },
    {"freeze": "norm_scales", "schedule": "onecycle", "optimizer": "sgd"},
    {"augmentation": "translate+alternating_flip+trivialaugment+erasing", "dropout": "0.3"},
    {"averaging": "ema", "averaging_decay": "0.7", "tta": "flip_shift"},
    {"averaging": "lookahead", "optimizer": "sgd", "nesterov": True, "tta": "flip"},
    {"mixup": "0.2", "cutmix": 1, "label_smoothing": "0.1", "dropout": "0.3"},
]


@pytest.mark.parametrize("axes", AXES, ids=lambda axes: " ".join(axes))
def test_a_run_on_any_axis_stopped_in_the_middle_ends_as_one_never_stopped(
    tmp_path: Path, axes: dict[str, Any]
) -> None:
    settings = RunSettings.model_validate({"batch_size": 8, "epochs": 2, "lr": "1e-2", **axes})
    whole, expected = run(tmp_path / "whole.pt", settings)
    with pytest.raises(loop.TerminatedError):
        run(tmp_path / "cut.pt", settings, stop_after=8)
    resumed, rows = run(tmp_path / "cut.pt", settings)
    assert timeless(rows) == timeless(expected)
    assert same_weights(whole.model, resumed.model)
    assert len(resumed.resumed_from) == 1


def test_averaged_weights_are_what_is_measured_and_what_a_checkpoint_brings_back(tmp_path: Path) -> None:
    settings = RunSettings(batch_size=8, epochs=1, averaging="ema", averaging_decay=0.9)
    training, (row,) = run(tmp_path / "a.pt", settings)
    assert training.measured is not training.model
    logits, labels = loop.predict(loop.evaluation_model(training.measured), SPLITS.test, NORMALIZE, "float32")
    assert loop.loss_and_accuracy(logits, labels) == (row["test_loss"], row["test_accuracy"])
    plain, (other,) = run(tmp_path / "b.pt", RunSettings(batch_size=8, epochs=1))
    assert same_weights(plain.model, training.model), "the average must not change what is trained"
    assert other["test_loss"] != row["test_loss"]
    assert plain.measured is plain.model


def test_test_time_augmentation_measures_the_mean_over_the_views(tmp_path: Path) -> None:
    training, (row,) = run(tmp_path / "a.pt", RunSettings(batch_size=8, epochs=1, tta="flip"))
    network, (images, labels) = loop.evaluation_model(training.model), SPLITS.test.batch(torch.arange(10))
    with torch.inference_mode():
        inputs = NORMALIZE(images)
        logits = (network(inputs) + network(inputs.flip(3))) / 2
    loss, accuracy = loop.loss_and_accuracy(logits, labels)
    assert row["test_accuracy"] == accuracy
    assert row["test_loss"] == pytest.approx(loss, abs=1e-5)


# Early stopping

HELD_OUT = Splits(SPLITS.train, SPLITS.test, examples(9, seed=2), SPLITS.classes)


def with_accuracies(monkeypatch: pytest.MonkeyPatch, accuracies: list[float]) -> None:
    """Let the held-out images be answered as in `accuracies`, epoch by epoch, whatever the model says."""
    stock = loop.Training.keep_best

    def keep_best(training: loop.Training) -> None:
        training.rows[-1]["validation_accuracy"] = accuracies[len(training.rows) - 1]
        stock(training)

    monkeypatch.setattr(loop.Training, "keep_best", keep_best)


EARLY = RunSettings(batch_size=8, epochs=7, early_stopping=2, validation="1/5")  # type: ignore[arg-type]


def test_a_run_stops_when_the_held_out_images_get_no_better_and_ends_with_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_accuracies(monkeypatch, [0.3, 0.5, 0.5, 0.4, 0.9])
    training, rows = run(tmp_path / "a.pt", EARLY, HELD_OUT)
    assert len(rows) == 4
    assert len(training.result) == 2
    two, (_, last) = run(tmp_path / "b.pt", RunSettings(batch_size=8, epochs=2), HELD_OUT)
    assert same_weights(training.measured, two.model)
    best = timeless(training.result)[-1]
    assert {key: best[key] for key in ("test_loss", "train_eval_loss")} == {
        key: last[key] for key in ("test_loss", "train_eval_loss")
    }


def test_a_run_whose_last_epoch_is_the_best_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_accuracies(monkeypatch, [0.3, 0.2, 0.5])
    training, rows = run(tmp_path / "a.pt", EARLY.model_copy(update={"epochs": 3}), HELD_OUT)
    assert len(rows) == len(training.result) == 3
    assert "train_eval_accuracy" in rows[-1]


EARLY_AND_AVERAGED = EARLY.model_copy(update={"averaging": "ema"})
RISE_AND_FALL = [0.3, 0.5, 0.5, 0.4, 0.9]


@pytest.fixture(scope="module")
def stopped_early(tmp_path_factory: pytest.TempPathFactory) -> loop.Training:
    """A run that stopped early, in peace."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        with_accuracies(monkeypatch, RISE_AND_FALL)
        return run(tmp_path_factory.mktemp("whole") / "whole.pt", EARLY_AND_AVERAGED, HELD_OUT)[0]


@pytest.mark.parametrize("stop_after", [13, 24, 30])
def test_a_run_that_stops_early_and_was_interrupted_ends_as_one_that_was_not(
    stopped_early: loop.Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    with_accuracies(monkeypatch, RISE_AND_FALL)
    with pytest.raises(loop.TerminatedError):
        run(tmp_path / "cut.pt", EARLY_AND_AVERAGED, HELD_OUT, stop_after=stop_after)
    resumed, _ = run(tmp_path / "cut.pt", EARLY_AND_AVERAGED, HELD_OUT)
    assert timeless(resumed.result) == timeless(stopped_early.result)
    assert same_weights(resumed.measured, stopped_early.measured)


def test_a_gradient_above_the_norm_is_scaled_down_to_it_and_one_below_is_left(tmp_path: Path) -> None:
    def step(**values: Any) -> Tensor:
        """Return how far one step of plain gradient descent at rate 1 moves the weights."""
        settings = RunSettings(optimizer="sgd", momentum=0, lr=1, batch_size=40, epochs=1, **values)
        before = build_model("resnet18", 3, seed=0)
        after = run(tmp_path / f"{values}.pt", settings)[0].model
        pairs = zip(before.parameters(), after.parameters(), strict=True)
        return torch.cat([(old - new).detach().flatten().double() for old, new in pairs])

    free = step()
    norm = float(free.detach().norm())
    clipped = step(clip_norm=norm / 4)
    assert float(clipped.norm()) == pytest.approx(norm / 4, rel=1e-3)
    assert torch.allclose(clipped * 4, free, rtol=1e-2, atol=1e-4)
    assert torch.equal(step(clip_norm=norm * 4), free)


def test_a_pass_of_one_image_more_than_whole_batches_trains(tmp_path: Path) -> None:
    splits = Splits(examples(33), SPLITS.test, None, SPLITS.classes)
    training, _ = run(tmp_path / "a.pt", RunSettings(batch_size=32, epochs=1), splits)
    assert training.step == 1


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(tmp_path: Path) -> None:
    settings = RunSettings(batch_size=8, epochs=2, lr=1e30, optimizer="sgd")
    with pytest.raises(loop.DivergedError) as caught:
        run(tmp_path / "a.pt", settings)
    assert 1 <= caught.value.step <= 10
    assert not (tmp_path / "a.pt").exists()


def test_held_out_images_are_measured_too(tmp_path: Path) -> None:
    splits = Splits(SPLITS.train, SPLITS.test, examples(9, seed=2), SPLITS.classes)
    _, rows = run(tmp_path / "a.pt", RunSettings(batch_size=8, epochs=1), splits)
    assert {"validation_loss", "validation_accuracy"} <= rows[0].keys()


def test_rotation_turns_images_anew_each_time_in_training_and_always_alike_in_measuring() -> None:
    data = examples(8)
    data.task = "rotation"
    positions = torch.arange(8)
    _, fixed = data.batch(positions)
    assert fixed.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    _, turned = data.batch(positions, turns_seed=1)
    _, again = data.batch(positions, turns_seed=1)
    _, other = data.batch(positions, turns_seed=2)
    assert turned.tolist() == again.tolist() != other.tolist()


def test_a_learnable_problem_is_learnt(tmp_path: Path) -> None:
    _, rows = run(tmp_path / "a.pt", RunSettings(batch_size=8, epochs=6))
    assert rows[-1]["train_accuracy"] > 0.6


def test_the_training_subset_is_measured_in_evaluation_mode_after_the_last_epoch_only(
    whole: tuple[loop.Training, list[Row]],
) -> None:
    _, rows = whole
    assert ["train_eval_accuracy" in row for row in rows] == [False] * (len(rows) - 1) + [True]


def test_the_training_subset_is_measured_after_every_epoch_on_request_and_no_other_number_changes(
    tmp_path: Path, whole: tuple[loop.Training, list[Row]]
) -> None:
    _, rows = whole
    _, measured = run(tmp_path / "b.pt", SETTINGS, train_eval="every")
    assert ["train_eval_accuracy" in row for row in measured] == [True] * len(rows)
    for row, more in zip(timeless(rows), timeless(measured), strict=True):
        assert {key: more[key] for key in row} == row


def test_running_numbers_are_means_over_the_images_of_the_epoch_before_each_step(tmp_path: Path) -> None:
    settings = RunSettings(batch_size=8, epochs=1, lr=1e-9)  # the weights hardly move
    training, (row,) = run(tmp_path / "a.pt", settings)
    training.model.train()
    order = next(loop.shuffled_batches(len(SPLITS.train), len(SPLITS.train), settings.seed, 0))
    losses, correct = 0.0, 0
    for positions in torch.split(order, 8):
        images, labels = SPLITS.train.batch(positions)
        logits = training.model(NORMALIZE(images)).float()
        losses += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        correct += int((logits.argmax(1) == labels).sum())
    assert row["train_loss"] == pytest.approx(losses / len(order), rel=1e-3)
    assert row["train_accuracy"] == pytest.approx(correct / len(order), abs=0.026)


def test_times_are_those_of_all_processes_that_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0

    def tick() -> float:
        nonlocal clock
        clock += 1.0
        return clock

    monkeypatch.setattr(loop.time, "perf_counter", tick)
    settings = SETTINGS.model_copy(update={"epochs": 1})
    _, (whole,) = run(tmp_path / "whole.pt", settings)
    with pytest.raises(loop.TerminatedError):
        run(tmp_path / "cut.pt", settings, stop_after=3)
    resumed, (row,) = run(tmp_path / "cut.pt", settings)
    assert row["seconds"] >= whole["seconds"]
    assert row["images_per_second"] == round(40 / row["seconds"], 1)
    assert resumed.earlier != 0


def test_a_signal_right_after_a_loss_that_exploded_does_not_hide_it(tmp_path: Path) -> None:
    """On a GPU losses are looked at together; a checkpoint does not hold those that nobody has looked at."""
    settings = SETTINGS.model_copy(
        update={"epochs": 1, "lr": 1e9, "optimizer": "sgd", "schedule": "constant"}
    )
    model = build_model("resnet18", 3, seed=0)
    training = loop.Training.fresh(model, settings, 5, CPU, "float32")
    training.device = torch.device("cuda")  # for the loop, which asks for no more than its name
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(loop, "autocast_context", lambda device, precision: contextlib.nullcontext())
    answers = iter([False, False, True])
    with monkeypatch.context(), RunProgress(1) as progress, pytest.raises(loop.DivergedError):
        loop.train_epoch(
            training,
            1,
            5,
            loop.shuffled_batches(40, 8, 0, 0),
            SPLITS,
            NORMALIZE,
            progress,
            lambda: next(answers),
        )
    monkeypatch.undo()


@pytest.mark.parametrize(("size", "images"), [(32, 500), (64, 500), (128, 125), (224, 40), (1024, 16)])
def test_fewer_larger_images_are_measured_together(size: int, images: int) -> None:
    assert loop.evaluation_batch(size) == images


def test_lookahead_of_a_run_too_short_to_move_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lookahead moves every 5 steps, and the run has 4"):
        loop.Training.fresh(
            build_model("resnet18", 3, seed=0), RunSettings(averaging="lookahead"), 4, CPU, "float32"
        )


def test_a_channel_that_is_the_same_everywhere_becomes_zero_and_no_other_is_changed() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    images[:, 2] = 77
    mean, std = [0.5, 0.4, 77 / 255], [0.25, 0.2, 1e-9]
    normalized = Normalize(mean, std, CPU)(images)
    assert normalized[:, 2].abs().max() < 1e-4
    assert torch.equal(normalized[:, :2], Normalize(mean, [0.25, 0.2, 1.0], CPU)(images)[:, :2])


def test_a_signal_is_no_fault_of_what_was_being_read() -> None:
    """What reads a stranger's file catches every Exception."""
    assert not issubclass(loop.TerminatedError, Exception)
