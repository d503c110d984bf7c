"""One training job: its device, its limits, its records, and the one line that it leaves when it fails."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from commands import scalestudy
from image_folders import fill, noise
from tiny import tiny_store
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.errors import UserError
from scalestudy.files import CHECKSUM, read_json, sha256_file, write_json, write_sealed_json
from scalestudy.results.read import read_run
from scalestudy.results.record import EarlyStop
from scalestudy.study.paths import checkpoint_file, finished_folder
from scalestudy.study.settings import RunSettings
from scalestudy.training import device, job, loop
from scalestudy.training.job import Job, run_job
from scalestudy.training.models import build_model
from scalestudy.training.small_maps import Forms
from scalestudy.training.weights import state_sha256


def settings(**values: Any) -> RunSettings:
    return RunSettings.model_validate({"epochs": 1, "batch_size": 16, **values})


@pytest.fixture
def one(tmp_path: Path) -> Job:
    """A job on a tiny dataset, in float32."""
    return Job(
        "run", settings(), tiny_store(tmp_path / "data"), tmp_path / "runs" / "run", precision="float32"
    )


def changed(one: Job, **values: Any) -> Job:
    return Job(**{**vars(one), **values})


def status(one: Job) -> dict[str, Any]:
    return dict(read_json(one.output / "status.json"))


def refusal(one: Job) -> str:
    with pytest.raises(UserError) as caught:
        run_job(one)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Devices


def test_cuda_without_a_gpu_ends_at_once_before_any_data_is_read_and_says_what_was_found(
    one: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    began = time.monotonic()
    message = refusal(changed(one, device="cuda", data=tmp_path / "no such data"))
    assert time.monotonic() - began < 5
    for part in (
        "device: cuda",
        "no usable GPU",
        torch.__version__,
        "CUDA_VISIBLE_DEVICES='0,1'",
        "GPUs seen: 0",
    ):
        assert part in message
    assert (status(one)["state"], status(one)["kind"]) == ("failed", "input")


def test_cuda_by_hand_is_looked_for_before_a_dataset_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(app, ["train", "--data", "cifar10", "--device", "cuda"])
    assert "no usable GPU" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_auto_without_a_gpu_says_that_it_takes_the_cpu(
    one: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run_job(changed(one, device="auto")) == 0
    assert "(cpu), float32, 1 CPU thread(s)" in capsys.readouterr().out
    record = read_json(one.output / "run.json")
    assert (record["device"], record["precision"], record["threads"]) == ("cpu", "float32", 1)
    assert record["device_name"]


class FakeGpu:
    """A GPU that is there and fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: RuntimeError) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Fake GPU 9000")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (12, 0))
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_50", "sm_90"])
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (3 * 2**29, 80 * 2**30))
        monkeypatch.setattr(torch, "ones", fail)


@pytest.mark.parametrize("setting", ["cuda", "auto"])
def test_a_gpu_that_this_torch_has_no_code_for_is_named_with_what_the_build_holds(
    one: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    error = RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore lines")
    FakeGpu(monkeypatch, error)
    message = refusal(changed(one, device=setting, data=tmp_path / "no such data"))
    for part in (
        "Fake GPU 9000 has compute capability 12.0",
        "sm_50, sm_90",
        "no kernel image",
        "Install a torch",
    ):
        assert part in message
    assert status(one)["state"] == "failed"


def test_a_gpu_whose_memory_another_process_holds_is_named_with_what_is_free(
    one: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeGpu(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"))
    assert "1.5 of 80.0 GiB free" in refusal(changed(one, device="cuda"))


def test_whether_there_is_a_gpu_is_found_out_without_starting_cuda() -> None:
    # CUDA reads CUDA_VISIBLE_DEVICES as it starts: the slot's device must be chosen before that.
    assert device.torch.cuda._nvml_based_avail()  # type: ignore[attr-defined]


def test_out_of_memory_on_a_gpu_names_device_memory_and_batch_size(
    one: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        FakeGpu(monkeypatch, RuntimeError())
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(job, "fit", fail)
    assert run_job(one) == 1
    left = status(one)
    assert (left["state"], left["kind"]) == ("failed", "oom")
    for part in (
        "Fake GPU 9000",
        "1.5 of 80.0 GiB free",
        "batch_size 16",
        "smaller batch_size",
        "never changed",
    ):
        assert part in left["reason"]
    assert left["reason"] in capsys.readouterr().out.replace("\n", " ")
    assert not (one.output / "run.json").exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_out_of_main_memory_is_told_from_other_errors(
    one: Job, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(job, "fit", fail)
    assert run_job(one) == 1
    assert status(one)["kind"] == "oom"
    assert "main memory" in status(one)["reason"]


def test_an_unexpected_error_is_recorded_and_raised(one: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("what\nnobody thought of")

    monkeypatch.setattr(job, "fit", fail)
    with pytest.raises(ZeroDivisionError):
        run_job(one)
    assert status(one)["reason"] == "ZeroDivisionError: what nobody thought of"


def test_threads_keep_to_the_cpus_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(device, "usable_cpus", lambda: 1)
    try:
        assert device.set_threads(64) == 1 == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


# Batches


def test_the_last_image_of_a_pass_joins_the_batch_before_it_and_the_log_says_so(
    one: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run_job(changed(one, data=tiny_store(tmp_path / "33", train=33), settings=settings(batch_size=32)))
        == 0
    )
    assert "the last image of a pass joins the batch before it" in capsys.readouterr().out
    record = read_json(one.output / "run.json")
    assert (record["steps"], record["images_seen"], record["subset"]["images"]) == (1, 33, 33)
    assert len(np.load(one.output / "predictions.npz")["labels"]) == 15


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--batch-size", "1"], "use 2 or more"),
        (
            ["--steps", "2"],
            "cannot be evaluated 5 times (epochs); set epochs to 2 or fewer, or steps to 5 or more",
        ),
        (["--norm-bias-lr", "a_b"], "--norm-bias-lr: 'a_b' is not a number"),
        (["--data", "digit"], "(did you mean 'digits'?)"),
        (["--data", "huggingface:"], "--data huggingface: names no dataset: name: it is empty"),
    ],
)
def test_impossible_settings_are_refused_by_hand_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["train", *flags])
    assert isinstance(done.exception, UserError)
    assert words in str(done.exception)
    assert list(tmp_path.iterdir()) == []


# Records


def test_a_finished_run_says_what_it_was(one: Job) -> None:
    assert run_job(changed(one, settings=settings(fraction="1/2", validation="1/6", epochs=2))) == 0
    record = read_json(one.output / "run.json")
    assert record["status"] == "complete"
    assert record["settings"]["fraction"] == "1/2"
    assert record["dataset"]["classes"] == ["dark", "grey", "bright"]
    assert sorted(record["subset"]["counts"]) == [6, 7, 7]
    assert record["model"]["features"] == 512
    with (one.output / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == [
        *("epoch", "step", "lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy"),
        *("validation_loss", "validation_accuracy", "train_eval_loss", "train_eval_accuracy"),
        *("seconds", "images_per_second"),
    ]
    assert [bool(row["train_eval_accuracy"]) for row in rows] == [False, True]
    assert status(one)["state"] == "complete"
    saved = np.load(one.output / "predictions.npz")
    assert (saved["labels"].dtype, saved["probabilities"].dtype) == (np.int64, np.float16)
    assert float(rows[-1]["test_accuracy"]) == (saved["labels"] == saved["predictions"]).mean()


def test_a_run_by_hand_touches_nothing_beside_its_own_folder(one: Job, tmp_path: Path) -> None:
    strangers = tmp_path / "mine" / "checkpoints" / "run.pt"
    strangers.parent.mkdir(parents=True)
    strangers.write_text("somebody else's")
    assert run_job(changed(one, output=tmp_path / "mine" / "run")) == 0
    assert strangers.read_text() == "somebody else's"
    assert sorted(path.name for path in (tmp_path / "mine").rglob("*.*") if "run" not in path.parts) == [
        "run.pt"
    ]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_run_that_diverges_is_recorded_as_such_and_is_no_failure(one: Job, optimizer: str) -> None:
    assert run_job(changed(one, settings=settings(lr=1e6, epochs=2, optimizer=optimizer))) == 0
    record = read_json(one.output / "run.json")
    assert record["status"] == "diverged"
    assert record["diverged"]["epoch"] == 1
    assert 2 <= record["diverged"]["step"] <= 3
    assert record["steps"] == record["diverged"]["step"], "the steps taken, not the planned ones"
    assert record["images_seen"] <= record["steps"] * one.settings.batch_size
    assert record["final_weights_sha256"] is None
    assert len(np.load(one.output / "predictions.npz")["labels"]) == 0
    assert (one.output / "metrics.csv").read_text().count("\n") == 1
    assert status(one)["state"] == "diverged"
    assert record["train_seconds"] > 0, "of the steps that were taken"


def test_waiting_for_a_gpu_is_no_time_of_the_run(one: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = 0.0

    @contextmanager
    def slot(*_: object) -> Iterator[None]:
        nonlocal waited
        waited = 10_000.0
        yield

    monkeypatch.setattr(job, "training_slot", slot)
    clock, steady = time.perf_counter, time.monotonic
    times = SimpleNamespace(perf_counter=lambda: clock() + waited, monotonic=lambda: steady() + waited)
    monkeypatch.setattr(job, "time", times)
    monkeypatch.setattr(loop, "time", times)
    assert run_job(one) == 0
    assert read_json(one.output / "run.json")["total_seconds"] < 1000
    assert status(one)["elapsed"] < 1000


def test_the_record_names_the_weights_that_were_loaded_whatever_becomes_of_their_file(
    one: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "mine.pth"
    torch.save(build_model("resnet18", 3, seed=1).state_dict(), weights)
    sha256 = sha256_file(weights)

    def fit_and_lose(*arguments: Any) -> Any:
        weights.unlink()
        return fit(*arguments)

    fit = job.fit
    monkeypatch.setattr(job, "fit", fit_and_lose)
    assert run_job(changed(one, settings=settings(init="mine"), weights=weights)) == 0
    assert read_json(one.output / "run.json")["weights"]["sha256"] == sha256


def test_stopped_while_it_waits_for_the_one_that_trains_a_run_it_leaves_the_status_alone(
    one: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def never_free(*_: object) -> Iterator[None]:
        raise loop.TerminatedError("stopped by a signal before the first step")
        yield

    write_json(one.output / "status.json", {"state": "running", "epoch": 3})
    monkeypatch.setattr(job, "run_lock", never_free)
    assert run_job(one) == 128 + signal.SIGTERM
    assert status(one) == {"state": "running", "epoch": 3}


def test_the_status_of_a_run_that_goes_on_or_had_finished_has_its_epochs_and_seconds(
    one: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = changed(one, settings=settings(epochs=3))

    def stopped_after(epochs: int) -> None:
        def asked(stop: job.StopSignals) -> bool:
            return status(long).get("epoch", 0) >= epochs

        monkeypatch.setattr(job.StopSignals, "asked", asked)

    stopped_after(2)
    assert run_job(long) == 128 + signal.SIGTERM
    earlier = torch.load(checkpoint_file(long.output), weights_only=True)["earlier"]
    assert earlier > 0
    stopped_after(0)
    assert run_job(long) == 128 + signal.SIGTERM
    assert status(long)["epoch"] == 2
    assert status(long)["test_accuracy"] is not None
    assert status(long)["elapsed"] >= round(earlier, 1)
    stopped_after(9)
    assert run_job(long) == 0
    total = read_json(long.output / "run.json")["total_seconds"]
    for name in ("run.json", "status.json"):
        (long.output / name).unlink()
    assert run_job(long) == 0
    assert status(long)["epoch"] == 3
    assert status(long)["elapsed"] >= round(total, 1), "status.json has tenths of a second"


def test_a_run_that_stops_early_says_which_epoch_it_ends_with_and_is_complete(
    one: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_best(training: loop.Training) -> None:
        weights = {name: value.clone() for name, value in training.model.state_dict().items()}
        training.best = training.best or {"epoch": 1, "accuracy": 0.5, "weights": weights}

    monkeypatch.setattr(loop.Training, "keep_best", keep_best)
    stopping = settings(epochs=5, early_stopping=2, validation="1/6", averaging="lookahead")
    assert run_job(changed(one, settings=stopping, save_weights=True)) == 0
    result = read_run(one.output)
    assert (result.state, len(result.metrics)) == ("complete", 1)
    assert result.record is not None
    assert result.record.early_stopping == EarlyStop(epoch=1, trained_epochs=3)
    assert (result.record.steps, result.record.images_seen) == (3, 40)
    assert result.record.train_seconds > result.metrics[0]["seconds"]
    saved = np.load(one.output / "predictions.npz")
    assert result.metrics[-1]["test_accuracy"] == (saved["labels"] == saved["predictions"]).mean()
    weights = torch.load(one.output / "weights.pth", weights_only=True)
    assert state_sha256(weights) == result.record.final_weights_sha256


def test_stopping_early_without_held_out_images_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["train", "--early-stopping", "3"])
    assert "early_stopping: needs held-out images to judge by; set validation" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_label_without_a_class_stops_before_training(one: Job) -> None:
    info = read_json(one.data / "dataset.json")
    content = {key: value for key, value in info.items() if key != CHECKSUM}
    write_sealed_json(one.data / "dataset.json", {**content, "classes": ["dark", "grey"]})
    message = refusal(one)
    assert "labels run from 0 to 2, and there are 2 classes (dark, grey)" in message


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_data_with_flipped_bytes_are_not_trained_on_and_the_file_is_named(
    one: Job, tmp_path: Path, name: str
) -> None:
    data = Path(shutil.copytree(one.data, tmp_path / "damaged"))
    content = bytearray((data / f"{name}.npy").read_bytes())
    place = 128 + (len(content) - 128) // 2
    content[place : place + 8] = bytes(byte ^ 1 for byte in content[place : place + 8])
    (data / f"{name}.npy").write_bytes(content)
    message = refusal(changed(one, data=data))
    assert f"{data / name}.npy was altered since it was prepared" in message
    assert "the next start of the study prepares it again" in message


def test_a_dataset_record_that_is_cut_or_altered_is_named(one: Job, tmp_path: Path) -> None:
    data = Path(shutil.copytree(one.data, tmp_path / "damaged"))
    whole = (data / "dataset.json").read_text()
    for text, reason in (
        (whole[:50], "is damaged: no JSON from line"),
        ("[]", "is damaged: no JSON object"),
        ('{"name": 3}', "is damaged: name is '3'"),
        (whole.replace("grey", "gray"), "was altered since it was written"),
    ):
        (data / "dataset.json").write_text(text)
        assert f"{data}/dataset.json {reason}" in refusal(changed(one, data=data))


# A finished run whose outputs Snakemake deleted


@pytest.fixture(scope="module")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job's data and its finished run; to copy."""
    home = tmp_path_factory.mktemp("finished")
    run_job(Job("run", settings(), tiny_store(home / "data"), home / "runs" / "run", precision="float32"))
    return home


@pytest.fixture
def finished(one: Job, finished_home: Path) -> Job:
    """The job `one`, which has finished before."""
    shutil.copytree(finished_home, one.data.parent, dirs_exist_ok=True)
    for kept in finished_folder(one.output).iterdir():  # one file with two names, as the job left it
        kept.unlink()
        os.link(one.output / kept.name, kept)
    return one


def test_a_run_that_has_finished_before_is_put_back_and_not_trained_again(
    finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    one = finished
    before = {file.name: file.read_bytes() for file in one.output.iterdir() if file.name != "status.json"}
    shutil.rmtree(one.output)
    assert run_job(one) == 0
    assert "has finished before" in capsys.readouterr().out
    assert {f.name: f.read_bytes() for f in one.output.iterdir() if f.name != "status.json"} == before


@pytest.mark.parametrize("name", ["metrics.csv", "run.json", "predictions.npz"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_finished_run_with_a_damaged_file_is_trained_again(finished: Job, name: str, damage: str) -> None:
    one = finished
    kept = finished_folder(one.output) / name
    whole = kept.read_bytes()
    if damage == "cut":
        with kept.open("r+b") as file:  # in place: the run's own file is the same one
            file.truncate(len(whole) - 20)
    else:
        kept.unlink()
    assert run_job(one) == 0
    rows = [line.split(",")[:7] for line in (one.output / "metrics.csv").read_text().splitlines()]
    assert len(rows) == 2
    assert read_json(one.output / "run.json")["status"] == "complete"
    assert np.load(one.output / "predictions.npz")["labels"].shape == (15,)


def test_a_finished_run_without_the_weights_that_are_now_asked_for_is_trained_again(finished: Job) -> None:
    assert run_job(changed(finished, save_weights=True)) == 0
    assert (finished.output / "weights.pth").is_file()


def test_a_finished_run_of_other_settings_is_not_taken(finished: Job) -> None:
    assert run_job(changed(finished, settings=settings(seed=1))) == 0
    assert read_json(finished.output / "run.json")["settings"]["seed"] == 1


def test_a_finished_run_is_not_taken_where_convolutions_are_computed_in_other_forms(
    finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = read_json(finished.output / "run.json")
    other = Forms(whole=1, pointwise=0, columns=0, learning_wide=0, learning_narrow=0)
    monkeypatch.setattr(job, "choose_forms", lambda *_: other)
    assert run_job(finished) == 0
    record = read_json(finished.output / "run.json")
    assert record["convolutions"] == record["fingerprint"]["convolutions"] == str(other)
    assert usual["convolutions"] != record["convolutions"]
    assert usual["started"] <= record["started"]
    assert usual["final_weights_sha256"] != record["final_weights_sha256"]  # other sums, rounded otherwise


# Disks and signals


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: a full disk, in small."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_weights_that_do_not_fit_on_the_disk_are_one_clear_line(one: Job) -> None:
    with largest_file(1_000_000):
        message = refusal(changed(one, save_weights=True))
    assert message == f"{one.output / 'weights.pth'} cannot be written or read: File too large"
    assert status(one)["reason"] == message
    assert not (one.output / "weights.pth").exists()
    assert [file.name for file in one.output.iterdir()] == ["status.json"]


def test_a_disk_that_takes_nothing_at_all_is_one_clear_line(one: Job) -> None:
    with largest_file(0):
        assert "cannot be written or read: File too large" in refusal(one)


def test_an_output_that_cannot_be_a_folder_is_one_clear_line(one: Job, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no folder")
    message = refusal(changed(one, output=tmp_path / "text" / "runs" / "run"))
    assert f"{tmp_path}/text" in message
    assert "Not a directory" in message


def test_data_that_is_not_prepared_is_one_clear_line(one: Job, tmp_path: Path) -> None:
    assert "dataset.json is missing; make it with `scalestudy prepare`" in refusal(
        changed(one, data=tmp_path / "x")
    )


def test_a_signal_before_the_first_step_ends_the_job_at_once(
    one: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    monkeypatch.setattr(job.Store, "open", waits)
    handler, began = signal.getsignal(signal.SIGTERM), time.monotonic()
    assert run_job(one) == 143
    assert time.monotonic() - began < 5
    assert status(one)["kind"] == "terminated"
    assert signal.getsignal(signal.SIGTERM) == handler


# Real processes


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")
def test_one_allowed_cpu_is_one_thread_whatever_is_asked_for(tmp_path: Path) -> None:
    tiny_store(tmp_path / "data")
    train = [
        "-m",
        "scalestudy",
        "train",
        "--data",
        "data",
        "--output",
        "run",
        "--epochs",
        "1",
        "--threads",
        "8",
    ]
    cpu = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(
        ["taskset", "-c", cpu, sys.executable, *train, "--batch-size", "16"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "1 CPU thread(s)" in done.stdout
    assert read_json(tmp_path / "run" / "run.json")["threads"] == 1


@pytest.mark.slow
def test_names_outside_ascii_under_a_c_locale_and_few_open_files_train_to_the_end(tmp_path: Path) -> None:
    fill(tmp_path / "imgs", train__猫=6, train__b=6, test__猫=2, test__b=2)
    noise(1).save(tmp_path / "imgs" / "train" / "猫" / "é.png")
    noise(2).save(tmp_path / "imgs" / "train" / "b" / "\udcff.png")  # the byte 0xff, which is no UTF-8
    scalestudy = f'"{sys.executable}" -m scalestudy'
    script = (
        f"ulimit -n 64 && {scalestudy} prepare --source imagefolder --folder imgs --output dätä && "
        f"{scalestudy} train --data dätä --output läuf --epochs 1 --batch-size 4"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=120,
    )
    log = (done.stdout + done.stderr).decode("utf-8")
    assert done.returncode == 0, log
    assert "2 classes: b, 猫" in log
    record = json.loads((tmp_path / "läuf" / "run.json").read_bytes().decode("utf-8"))
    assert record["dataset"]["classes"] == ["b", "猫"]
    assert record["subset"]["counts"] == [7, 7]
    assert record["run"] == "läuf"


def test_images_of_another_size_than_the_settings_say_are_refused(one: Job, tmp_path: Path) -> None:
    small = tiny_store(tmp_path / "small", size=16)
    assert "small holds images of 16 pixels, and image_size is 32: use --image-size 16" in refusal(
        changed(one, data=small)
    )


def test_a_record_says_which_code_ran_and_not_what_was_there_when_it_ended(
    one: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = iter(["the first", "a later one"])
    monkeypatch.setattr(job, "git_commit", lambda: next(commits))
    assert run_job(one) == 0
    assert read_json(one.output / "run.json")["git_commit"] == "the first"


def test_what_a_killed_process_left_of_a_checkpoint_is_removed_by_the_next(one: Job) -> None:
    checkpoint = checkpoint_file(one.output)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    left, others = (checkpoint.with_name(f".{name}-a1b2c3d4.pt") for name in (checkpoint.stem, "another"))
    for file in (left, others):
        file.write_bytes(b"half")
    assert run_job(one) == 0
    assert not left.exists()
    assert others.exists()


def test_by_hand_data_and_weights_of_one_name_in_two_places_are_two_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    started = []
    monkeypatch.setattr("scalestudy.training.job.run_job", lambda each: started.append(each.name) or 0)
    for place, train in (("a", 48), ("b", 51)):
        tiny_store(tmp_path / place / "pets", train=train)
        (tmp_path / place / "best.pth").write_bytes(place.encode())
    for data in "ab":
        for weights in "ab":
            done = scalestudy(
                *("train", "--data", f"{data}/pets", "--weights", f"{weights}/best.pth", "--init", "mine")
            )
            assert done.code == 0, done.err
    assert len(set(started)) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["pretrain", "--output", "w", "--init", "mine"],
            "--init mine: an upstream stage begins from scratch",
        ),
        (["fetch-weights", "--output", "w", "--url", "u", "--sha256", "0"], "takes either --url, or --file"),
        (
            ["fetch-weights", "--output", "w", "--timm", "t", "--model", "resnet18"],
            "takes either --url, or --file",
        ),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = scalestudy(*arguments)
    assert done.code == 2
    assert words in done.err
