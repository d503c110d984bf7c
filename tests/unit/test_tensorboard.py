"""TensorBoard's event files: the numbers of metrics.csv, also after a resume; nothing of it imported otherwise."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Done, scalestudy
from tiny import tiny_store

from scalestudy.training.events import tag

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_store(tmp_path / "data")


def train(*flags: str) -> Done:
    done = scalestudy(
        *("train", "--data", "data", "--epochs", "3", "--batch-size", "16", "--validation", "1/4"),
        *("--device", "cpu", "--output", "results/mine/runs/r", *flags),
    )
    assert done.code == 0, done.said
    return done


def scalars() -> dict[str, list[tuple[int, float]]]:
    """Return the values by tag, as (step, value), of all event files of the run."""
    found = event_accumulator.EventAccumulator("results/mine/tensorboard/r")
    found.Reload()
    return {
        name: [(each.step, each.value) for each in found.Scalars(name)] for name in found.Tags()["scalars"]
    }


def test_the_event_files_have_the_numbers_of_metrics_csv_over_steps() -> None:
    train("--log-to", "tensorboard")
    with Path("results/mine/runs/r/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = scalars()
    assert {"loss/train", "loss/test", "accuracy/train", "accuracy/test", "accuracy/validation", "lr"} <= set(
        found
    )
    for column in ("test_accuracy", "train_loss", "validation_loss", "lr"):
        expected = [(int(row["step"]), pytest.approx(float(row[column]), rel=1e-5)) for row in rows]
        assert found[tag(column)] == expected


def test_a_run_that_is_trained_again_has_each_epoch_once_and_other_files_stay() -> None:
    train("--log-to", "tensorboard")
    Path("results/mine/tensorboard/r/notes.txt").write_text("mine")
    train("--log-to", "tensorboard", "--seed", "1")
    assert len(scalars()["loss/test"]) == 3
    assert Path("results/mine/tensorboard/r/notes.txt").read_text() == "mine"


def test_numbers_are_the_same_with_and_without_and_nothing_is_imported_without() -> None:
    train("--log-to", "tensorboard")
    with_it = Path("results/mine/runs/r/predictions.npz").read_bytes()
    code = (
        "import sys\nfrom scalestudy.cli import main\ntry: main()\n"
        "finally: print([name for name in sys.modules if name.split('.')[0] == 'tensorboard'])"
    )
    arguments = ["train", "--data", "data", "--epochs", "3", "--batch-size", "16", "--validation", "1/4"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--device", "cpu", "--output", "results/plain/runs/r"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
    assert Path("results/plain/runs/r/predictions.npz").read_bytes() == with_it
    assert not Path("results/plain/tensorboard").exists()


def test_a_study_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.yaml").write_text("dataset: digits\ncompute: {tensorboard: true}\n")
    assert scalestudy("check", "mine.yaml").code == 0
    monkeypatch.setattr("scalestudy.training.events.find_spec", lambda name: None)
    done = scalestudy("check", "mine.yaml")
    assert done.code == 2
    [line] = done.errors
    assert "compute.tensorboard: " in line
    assert "pip install tensorboard" in line
