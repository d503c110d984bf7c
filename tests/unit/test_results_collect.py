"""From run folders to tables: damaged files never become numbers, and every run keeps its row."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from held import hold, let_go
from sklearn.metrics import balanced_accuracy_score, f1_score
from synthetic import collected, write_synthetic_study

from scalestudy.cli import results
from scalestudy.errors import UserError
from scalestudy.files import read_json, write_json
from scalestudy.findings.study import load_study
from scalestudy.results.collect import collect, read_states, remove_leftovers
from scalestudy.results.read import RunResult, read_run
from scalestudy.results.record import read_record, write_record
from scalestudy.study.paths import checkpoint_file, finished_folder, lock_file
from scalestudy.topics.findings import find_all, findings_text

HEADER = (
    "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,train_eval_loss,train_eval_accuracy,"
    "seconds,images_per_second\n"
)
SMALL: dict[str, Any] = {"models": ("resnet18",), "inits": ("none",), "store": False}


def one_run(tmp_path: Path, **options: Any) -> Path:
    """Return the folder of the one run of a study."""
    folder = write_synthetic_study(tmp_path, **SMALL, fractions=("1",), **options)
    (run,) = (folder / "runs").iterdir()
    return run


def cut(run: Path, text: str | bytes) -> RunResult:
    """Put `text` in place of a run's metrics and read the run."""
    (run / "metrics.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_run(run)


def table(folder: Path, name: str = "results.csv") -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_complete_run_gives_its_last_epoch(tmp_path: Path) -> None:
    found = read_run(one_run(tmp_path))
    assert (found.state, found.reason, len(found.metrics)) == ("complete", "", 5)
    assert found.last is not None
    assert found.last["epoch"] == 5


def test_a_cut_last_line_is_no_number(tmp_path: Path) -> None:
    rows = "".join(f"{epoch},{epoch},0.001,1,0.5,1,0.{epoch},1,0.5,1,9\n" for epoch in (1, 2))
    found = cut(one_run(tmp_path, epochs=3), HEADER + rows + "3,0.")
    assert found.state == "failed"
    assert found.reason == "metrics.csv, line 4: cut, after 2 whole epochs"
    assert found.metrics == []
    assert found.last is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "metrics.csv is empty"),
        (b"\x00" * 40, "metrics.csv, line 1: no column epoch"),
        (b"\xff\xfe\x00", "metrics.csv cannot be read"),
        (HEADER, "metrics.csv has 0 of 1 epochs"),
        (
            HEADER + "1,9,0.001,1,0.5,1,0.5,1,0.5,1,9",
            "metrics.csv is cut in its last line, after 0 whole epochs",
        ),
        (HEADER + "1,9,0.001,nan,0.5,1,0.5,1,0.5,1,9\n", "metrics.csv, line 2: train_loss nan is not finite"),
        (HEADER + "1,9,0.001,x,0.5,1,0.5,1,0.5,1,9\n", "metrics.csv, line 2: train_loss 'x' is no number"),
        (HEADER + "2,9,0.001,1,0.5,1,0.5,1,0.5,1,9\n", "epoch 2 where epoch 1 belongs"),
        (HEADER + "1,9,0.001,1,0.5,1,0.5,1,0.5,1,9\n" * 2, "epoch 1 where epoch 2 belongs"),
        (
            HEADER + "1,9,0.001,1,0.5,1,434,1,0.5,1,9\n",
            "metrics.csv, line 2: test_accuracy 434 is not in [0, 1]",
        ),
        (
            HEADER + "1,9,0.001,1,0.5,1,0.434,1,28.41,1,9\n",
            "line 2: train_eval_accuracy 28.41 is not in [0, 1]",
        ),
        (
            HEADER + "1,9,0.001,-1,0.5,1,0.5,1,0.5,1,9\n",
            "metrics.csv, line 2: train_loss -1 is not 0 or more",
        ),
        (
            HEADER + "1,9,0.001,1,0.5,1,0.95003,1,0.5,1,9\n",
            "metrics.csv, line 2: test_accuracy 0.95003 is no whole number of 400 test images",
        ),
        (
            HEADER + "1,9,0.001,1,0.5,1,0.5,1,0.5,1,9\n" + HEADER,
            "metrics.csv, line 3: the header once more",
        ),
        (
            HEADER.replace(",", ";") + "1;9;0,001;1;0,5;1;0,5;1;0,5;1;9\n",
            "metrics.csv, line 1: no column epoch; its columns are separated by ';', as a spreadsheet saves them",
        ),
        (HEADER + "1,9,0.001,1,0.5,1,0.95,1,0.5,1,9\n", "metrics.csv was altered since it was written"),
        ("\0" * 200_000, "metrics.csv cannot be read (field larger than field limit"),
        ("epoch,acc\n1,0.5\n", "metrics.csv, line 1: no column step"),
    ],
)
def test_a_damaged_metrics_file_makes_the_run_failed_with_the_reason(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    found = cut(one_run(tmp_path, epochs=1), text)
    assert found.state == "failed"
    assert reason in found.reason
    assert "\n" not in found.reason


def test_a_damaged_record_makes_the_run_failed_with_the_reason(tmp_path: Path) -> None:
    run = one_run(tmp_path)
    record = (run / "run.json").read_text()
    for text, reason in (
        ("", "empty or cut short"),
        (record[:100], "empty or cut short"),
        ("[1]", "is not a run's record"),
        ("[" * 100_000, "empty or cut short"),
        (record.replace(f'"run": "{run.name}"', '"run": "other"'), "was altered since it was written"),
        (record.replace('"train_images": 640', '"train_images": 641'), "was altered since it was written"),
        (record.replace('"checksum": "', '"checksun": "'), "was altered since it was written"),
        (json.dumps({"run": run.name, "status": "complete"}), "lacks settings"),
    ):
        (run / "run.json").write_text(text)
        assert read_run(run).state == "failed"
        assert reason in read_run(run).reason
    (run / "run.json").write_text(record)
    write_record(run / "run.json", read_record(run / "run.json").model_copy(update={"run": "other"}))
    assert "belongs to another run (other)" in read_run(run).reason
    (run / "run.json").unlink()
    assert "run.json is missing" in read_run(run).reason


def test_a_run_without_files_is_missing_and_one_whose_lock_nobody_holds_has_failed(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    assert (read_run(run).state, read_run(run).reason) == ("missing", "not run yet")
    write_json(run / "status.json", {"state": "running", "epoch": 2, "epochs": 5, "pid": os.getpid()})
    hold(lock_file(run))
    assert (read_run(run).state, "at epoch 2 of 5" in read_run(run).reason) == ("running", True)
    let_go(lock_file(run))
    assert (read_run(run).state, "killed?" in read_run(run).reason) == ("failed", True)
    lock_file(run).unlink()
    assert read_run(run).state == "failed"
    write_json(run / "status.json", {"state": "failed", "reason": "out of memory\non cuda:0", "kind": "oom"})
    assert (read_run(run).state, read_run(run).reason) == ("failed", "out of memory on cuda:0")


def test_every_run_has_one_row_whatever_its_state_and_pandas_opens_the_table_in_one_line(
    tmp_path: Path,
) -> None:
    states = {"1of32": "failed", "1of16": "half", "1of8": "empty", "1of4": "missing", "1of2": "diverged"}
    broken = {f"resnet18_none_f{name}_": state for name, state in states.items()}
    fractions = ("1/32", "1/16", "1/8", "1/4", "1/2", "1")
    folder = collected(tmp_path, **SMALL, fractions=fractions, broken=broken)
    rows = pandas.read_csv(folder / "results.csv")
    assert rows["run"].tolist() == [each["run"] for each in read_json(folder / "study.json")["runs"]]
    assert rows["state"].tolist() == ["failed", "failed", "failed", "missing", "diverged", "complete"]
    assert rows["reason"].notna().tolist() == [True] * 5 + [False]
    assert rows["fraction"].tolist() == list(fractions)
    assert rows["test_accuracy"].notna().tolist() == [False] * 5 + [True]
    assert not (rows == 0.0)["test_accuracy"].any()
    assert rows.loc[4, "diverged_epoch"] == 2
    curves = pandas.read_csv(folder / "curves.csv")
    assert curves.groupby("run").size().tolist() == [5, 1]
    assert read_states(folder) == dict(zip(rows["run"], rows["state"], strict=True))


def test_numbers_of_the_table_are_the_runs_own_to_the_last_digit(tmp_path: Path) -> None:
    folder = collected(tmp_path, **SMALL, recipe={"validation": "1/10", "lr": 0.1 + 0.2})
    for row in table(folder):
        run = read_run(folder / "runs" / row["run"])
        assert run.last is not None
        assert run.record is not None
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "validation_accuracy"):
            assert float(row[name]) == run.last[name]
        assert float(row["lr"]) == 0.1 + 0.2
        assert int(row["optimizer_steps"]) == run.record.steps
        assert row["steps"] == ""
        assert row["dataset_sha256"] == run.record.dataset.sha256
    for row in table(folder, "curves.csv"):
        metrics = read_run(folder / "runs" / row["run"]).metrics[int(row["epoch"]) - 1]
        assert {name: float(value) for name, value in row.items() if name != "run" and value} == metrics


def test_collecting_twice_gives_the_same_bytes_and_leaves_the_plan_its_time(tmp_path: Path) -> None:
    folder = collected(tmp_path, **SMALL)
    names = ("results.csv", "curves.csv", "study.json")
    before, then = (
        {name: (folder / name).read_bytes() for name in names},
        (folder / "study.json").stat().st_mtime_ns,
    )
    study = read_json(folder / "study.json")
    collect(study, study["runs"], tmp_path)
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert (folder / "study.json").stat().st_mtime_ns == then


def test_commas_quotes_and_other_scripts_in_texts_survive_the_table(tmp_path: Path) -> None:
    folder = write_synthetic_study(tmp_path, **SMALL, fractions=("1",), broken={"resnet18": "failed"})
    (run,) = (folder / "runs").iterdir()
    reason = 'no file "猫, é.png" | <b>&\u2028'
    write_json(run / "status.json", {"state": "failed", "reason": reason})
    study = read_json(folder / "study.json")
    collect(study, study["runs"], tmp_path)
    assert table(folder)[0]["reason"] == reason.strip()


def test_checkpoints_of_finished_runs_go_and_those_of_others_stay(tmp_path: Path) -> None:
    broken = {"resnet18_none_f1_": "failed", "resnet18_none_f1of2_": "diverged"}
    folder = collected(tmp_path, **SMALL, broken=broken)
    states = read_states(folder)
    for run in states:
        finished_folder(folder / "runs" / run).mkdir(parents=True)
        checkpoint_file(folder / "runs" / run).write_text("")
    remove_leftovers("synthetic", states, tmp_path)
    left = {path.name.removesuffix(path.suffix) for path in (folder / "checkpoints").iterdir()}
    assert left == {run for run, state in states.items() if state == "failed"}
    assert all(
        (folder / "runs" / run / "metrics.csv").exists() for run, s in states.items() if s == "complete"
    )


def test_the_commands_collect_and_analyse_a_study_from_its_name(tmp_path: Path) -> None:
    folder = write_synthetic_study(tmp_path, **SMALL, broken={"resnet18_none_f1_": "failed"})
    found = subprocess.run(
        [sys.executable, "-m", "scalestudy", "collect", "synthetic"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == "results/synthetic/results.csv: 2 of 3 runs complete, 1 failed"
    code = (
        "import sys; from scalestudy.cli.results import analyse, collect; collect('synthetic'); analyse('synthetic');"
        "print([name for name in ('torch', 'matplotlib', 'jinja2') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-2:] == ["results/synthetic/findings.json", "[]"], "heavy imports"
    assert (folder / "findings.json").read_text(encoding="utf-8") == findings_text(
        find_all(load_study(folder))
    )


def test_the_commands_say_in_one_line_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_synthetic_study(tmp_path, **SMALL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"results.csv is not there; `scalestudy collect synthetic` makes it"):
        results.analyse("synthetic")
    with pytest.raises(UserError, match=r"syntetic/study.json is not there; .*results/ holds synthetic"):
        results.collect("syntetic")
    (folder / "study.json").write_text("{")
    with pytest.raises(
        UserError, match=r"study.json is damaged: no JSON from line 1 on; the next start makes it again"
    ):
        results.collect("synthetic")


def test_a_table_of_another_plan_is_refused(tmp_path: Path) -> None:
    folder = collected(tmp_path, **SMALL)
    study = read_json(folder / "study.json")
    write_json(folder / "study.json", {**study, "runs": study["runs"][1:]})
    with pytest.raises(
        UserError, match=r"has other runs than study.json; `scalestudy collect synthetic` makes it again"
    ):
        load_study(folder)


def test_balanced_accuracy_macro_f1_and_the_majority_baseline_stand_beside_accuracy(tmp_path: Path) -> None:
    folder = write_synthetic_study(tmp_path, **SMALL, fractions=("1/2", "1"))
    record = read_json(folder / "study.json")
    first, second = [planned["run"] for planned in record["runs"]][:2]
    (folder / "runs" / second / "predictions.npz").write_bytes(b"cut")
    collect(record, record["runs"], tmp_path)
    rows = {row["run"]: row for row in table(folder)}
    with np.load(folder / "runs" / first / "predictions.npz") as saved:
        labels, predictions = saved["labels"], saved["predictions"]
    row = rows[first]
    assert float(row["test_balanced_accuracy"]) == pytest.approx(balanced_accuracy_score(labels, predictions))
    assert float(row["test_macro_f1"]) == pytest.approx(f1_score(labels, predictions, average="macro"))
    assert float(row["test_majority_accuracy"]) == pytest.approx(np.bincount(labels).max() / len(labels))
    assert row["test_top5_accuracy"] == ""  # ten classes
    assert rows[second]["test_balanced_accuracy"] == ""


def test_top5_accuracy_is_there_with_more_than_ten_classes(tmp_path: Path) -> None:
    folder = write_synthetic_study(
        tmp_path, **SMALL, fractions=("1",), classes=[f"class {n}" for n in range(12)]
    )
    record = read_json(folder / "study.json")
    collect(record, record["runs"], tmp_path)
    (row,) = table(folder)
    assert float(row["test_accuracy"]) <= float(row["test_top5_accuracy"]) <= 1


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("curves.csv", "run,", "ran,", "curves.csv: no column run; `scalestudy collect synthetic` makes it"),
        (
            "curves.csv",
            "test_accuracy",
            "test_acc",
            "curves.csv: no column test_accuracy; `scalestudy collect",
        ),
        ("results.csv", ",reason,", ",why,", "results.csv: no column reason; `scalestudy collect synthetic`"),
        (
            "results.csv",
            ",complete,",
            ",done,",
            "results.csv: 'done' is no state of a run; `scalestudy collect",
        ),
    ],
)
def test_an_altered_table_is_refused_in_one_line(
    tmp_path: Path, file: str, before: str, after: str, words: str
) -> None:
    path = collected(tmp_path, **SMALL) / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_study(path.parent)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
