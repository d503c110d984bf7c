"""Runs killed in real processes, and started again, end as runs that were never interrupted."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from scalestudy.data.prepare import prepare_dataset
from scalestudy.files import read_json
from scalestudy.study.dataset import parse_dataset
from scalestudy.study.paths import checkpoint_file

pytestmark = pytest.mark.slow

EPOCHS = 5
RECIPE = [
    *(
        "--fraction",
        "1/16",
        "--batch-size",
        "32",
        "--epochs",
        str(EPOCHS),
        "--lr",
        "1e-3",
        "--dropout",
        "0.2",
    ),
    *("--schedule", "cosine", "--augmentation", "crop_flip"),
]
# `scalestudy`, with a checkpoint after each epoch: these runs are too short for one every few seconds.
PROGRAM = (
    "import scalestudy.training.loop as loop; loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0\n"
    "from scalestudy.cli import main; main()"
)


@dataclass
class Runs:
    """Runs on the digits, below one folder."""

    root: Path

    def start(self, name: str, *flags: str) -> subprocess.Popen[str]:
        """Start the training process of the run `name`; its log is what it prints."""
        arguments = ["train", *RECIPE, "--data", "digits", "--output", f"runs/{name}", *flags]
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, name: str, *flags: str) -> str:
        """Train the run `name` to its end; return the log."""
        process = self.start(name, *flags)
        log, _ = process.communicate(timeout=120)
        assert process.returncode == 0, log
        return log

    def metrics(self, name: str) -> list[dict[str, str]]:
        """Return the rows of metrics.csv without the times."""
        with (self.root / "runs" / name / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        timed = ("seconds", "images_per_second")
        return [{key: text for key, text in row.items() if key not in timed} for row in rows]

    def record(self, name: str) -> dict[str, Any]:
        """Return what run.json says."""
        return dict(read_json(self.root / "runs" / name / "run.json"))

    def status(self, name: str) -> dict[str, Any]:
        """Return what status.json says."""
        return dict(read_json(self.root / "runs" / name / "status.json"))

    def checkpoint(self, name: str) -> Path:
        """Return where the run's checkpoint lies."""
        return checkpoint_file(self.root / "runs" / name)

    def same(self, name: str, other: str) -> bool:
        """Return whether two runs have the same numbers, as text, and the same weights."""
        weights = [self.record(each)["final_weights_sha256"] for each in (name, other)]
        return self.metrics(name) == self.metrics(other) and weights[0] == weights[1]


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Read the log up to the first line with `words`; return what was read."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if words in line:
            return read
    pytest.fail(f"the process ended before it said {words!r}:\n{read}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The digits, and the run `whole`, which nothing interrupted."""
    made = Runs(tmp_path_factory.mktemp("resume"))
    prepare_dataset(parse_dataset({"source": "digits"}), 32, made.root / "digits")
    log = made.finish("whole")
    assert "resuming" not in log
    assert [row["epoch"] for row in made.metrics("whole")] == [str(epoch + 1) for epoch in range(EPOCHS)]
    assert made.record("whole")["resumed_from"] == []
    return made


def test_a_run_killed_without_warning_ends_as_one_never_interrupted(runs: Runs) -> None:
    process = runs.start("killed")
    wait_for(process, "epoch 2/")
    time.sleep(0.15)  # somewhere in the third epoch
    process.kill()
    process.communicate()
    assert not (runs.root / "runs" / "killed" / "run.json").exists()
    assert runs.status("killed")["state"] == "running"

    log = runs.finish("killed")
    assert "resuming from epoch " in log
    (epoch,) = runs.record("killed")["resumed_from"]
    assert epoch >= 1
    assert f"resuming from epoch {epoch} " in log
    assert runs.same("killed", "whole")
    assert not runs.checkpoint("killed").exists()


@pytest.fixture(scope="module")
def terminated(runs: Runs) -> Path:
    """The checkpoint that the run `terminated` saved when SIGTERM came."""
    process = runs.start("terminated")
    wait_for(process, "epoch 1/")
    began = time.monotonic()
    process.terminate()
    log, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 128 + signal.SIGTERM, log
    assert "saved" in log
    kept = runs.root / "kept.pt"
    shutil.copyfile(runs.checkpoint("terminated"), kept)
    return kept


def test_a_terminated_run_says_so_and_goes_on_from_the_very_step(runs: Runs, terminated: Path) -> None:
    status = runs.status("terminated")
    assert (status["state"], status["kind"]) == ("failed", "terminated")
    assert "stopped by a signal in epoch" in status["reason"] or "while measuring" in status["reason"]
    assert not (runs.root / "runs" / "terminated" / "run.json").exists()
    log = runs.finish("terminated")
    assert "resuming from epoch 1 " in log
    assert runs.same("terminated", "whole")
    assert runs.status("terminated")["state"] == "complete"


def test_a_checkpoint_of_other_settings_is_never_used(runs: Runs, terminated: Path) -> None:
    shutil.copyfile(terminated, runs.checkpoint("other"))
    log = runs.finish("other", "--epochs", "1", "--seed", "1")
    assert "belongs to a run that differs in settings" in log
    assert "resuming" not in log
    assert runs.record("other")["resumed_from"] == []
    assert runs.metrics("other")[0] != runs.metrics("whole")[0]
    assert runs.checkpoint("other").with_suffix(".unusable").exists()


def test_a_broken_checkpoint_is_set_aside_and_the_same_settings_give_the_same_numbers_again(
    runs: Runs, terminated: Path
) -> None:
    runs.checkpoint("broken").write_bytes(terminated.read_bytes()[:-5000])
    log = runs.finish("broken")
    assert "cannot be read" in log
    assert "kept as broken.unusable, starting from the first epoch" in log
    assert runs.record("broken")["resumed_from"] == []
    assert runs.same("broken", "whole")


def test_a_diverged_run_ends_well_and_is_not_resumed(runs: Runs) -> None:
    log = runs.finish("diverged", "--lr", "1e6", "--schedule", "constant")
    assert "diverged: the loss is not finite, or above" in log
    record = runs.record("diverged")
    assert record["status"] == "diverged"
    assert record["diverged"]["epoch"] == 1
    assert record["diverged"]["step"] >= 2
    assert "nan" not in (runs.root / "runs" / "diverged" / "metrics.csv").read_text()
    assert not runs.checkpoint("diverged").exists()


def test_a_run_that_waits_for_its_twin_ends_at_once_when_it_is_told_to(runs: Runs) -> None:
    with FileLock(runs.checkpoint("waiting").with_suffix(".lock")):
        process = runs.start("waiting")
        wait_for(process, "is being trained by another process; waiting for it")
        began = time.monotonic()
        process.terminate()
        process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(FileNotFoundError):  # it is for who trains the run to say how it goes
        runs.status("waiting")
