"""What `scalestudy status` says of runs whose jobs a scheduler has (CASES D25)."""

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from finished import finish
from held import hold, let_go

from scalestudy.cli import study as commands
from scalestudy.files import write_json, write_text
from scalestudy.results.status import RunStatus
from scalestudy.study.config import load_study
from scalestudy.study.paths import lock_file, run_folder
from scalestudy.study.runs import plan_runs
from scalestudy.workflow.queue import refusal_line, told
from scalestudy.workflow.scheduler import NOTES, REMIND_SECONDS, Job, State

STUDY = """\
dataset: digits
recipe: {model: resnet18, epochs: 10}
experiments:
  seeds: {grid: {seed: [0, 1, 2, 3]}}
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of a study's four runs, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "four.yaml").write_text(STUDY)
    return [run.name for run in plan_runs(load_study("four"))]


def is_in_state(run: str, state: str, **facts: Any) -> None:
    """Write the status of a run; one that runs is locked by this process."""
    (hold if state == "running" else let_go)(lock_file(run_folder("four", run)))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    here = {"pid": os.getpid(), "host": socket.gethostname(), "updated": now}
    known = {"epoch": 5, "epochs": 10, "test_accuracy": 0.75, "elapsed": 100.0, "seconds_left": 100.0}
    write_json(run_folder("four", run) / "status.json", {"state": state, **here, **known, **facts})


def has_ended(run: str) -> None:
    (planned,) = (each for each in plan_runs(load_study("four")) if each.name == run)
    finish("four", planned)
    is_in_state(run, "complete")


def squeue_says(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Put commands of Slurm first on PATH, of which `squeue` prints these lines."""
    (folder / "bin").mkdir()
    for command, script in (("sbatch", "exit 1"), ("squeue", f"cat <<'END'\n{chr(10).join(lines)}\nEND")):
        (folder / "bin" / command).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def test_an_interrupted_run_is_no_failed_one(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    is_in_state(runs[0], "failed", kind="terminated", reason="stopped by a signal in epoch 5")
    is_in_state(runs[1], "failed", kind="input", reason="the weights are not there")
    commands.status("four")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("0 of 4 runs done, 1 interrupted, 1 failed, 2 waiting")
    assert lines[0] == f"  interrupted {runs[0]}  stopped by a signal in epoch 5"


def test_the_scheduler_says_who_is_queued_requeued_and_why_a_run_failed(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue_says(tmp_path, monkeypatch, "50 PENDING", "51 PENDING", "52 TIMEOUT", "53 RUNNING", "7_1 RUNNING")
    for number, run in enumerate(runs):
        write_text(NOTES / "runs" / run_folder("four", run), f"{number + 50}")
    is_in_state(runs[1], "failed", kind="terminated", reason="stopped by a signal")
    is_in_state(runs[2], "failed", kind="terminated", reason="stopped by a signal")
    is_in_state(runs[3], "running")
    commands.status("four")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("0 of 4 runs done, 1 running, 2 queued, 1 failed")
    assert lines[:2] == [
        f"  queued    {runs[1]}  requeued (job 51: PENDING), goes on from epoch 5",
        f"  failed    {runs[2]}  job 52: TIMEOUT",
    ]
    assert runs[0] not in "".join(lines)  # one of thousands that wait for their first turn needs no line


def test_a_run_of_a_job_that_ran_out_of_memory_elsewhere_is_not_shown_as_running(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue_says(tmp_path, monkeypatch, "50 OUT_OF_MEMORY")
    write_text(NOTES / "runs" / run_folder("four", runs[0]), "50")
    is_in_state(runs[0], "running", host="node7", pid=1)
    let_go(lock_file(run_folder("four", runs[0])))
    commands.status("four")
    assert f"  failed    {runs[0]}  job 50: OUT_OF_MEMORY\n" in capsys.readouterr().out


def test_a_scheduler_that_does_not_answer_changes_nothing(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue_says(tmp_path, monkeypatch)
    write_text(NOTES / "runs" / run_folder("four", runs[0]), "50")
    is_in_state(runs[0], "running")
    commands.status("four")
    assert "0 of 4 runs done, 1 running, 3 waiting" in capsys.readouterr().out


def test_a_refusal_is_told_while_somebody_waits_and_writes_it_anew(runs: list[str], tmp_path: Path) -> None:
    assert refusal_line() == ""
    write_text(NOTES / "refused", "QOSMaxSubmitJobPerUserLimit")
    assert refusal_line() == "the scheduler takes no more jobs for now: QOSMaxSubmitJobPerUserLimit"
    long_ago = time.time() - 3 * REMIND_SECONDS
    os.utime(NOTES / "refused", (long_ago, long_ago))
    assert refusal_line() == "", "of a Snakemake that was killed while it waited"


@pytest.mark.parametrize(
    "word", ["PENDING", "PREEMPTED", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING"]
)
@pytest.mark.parametrize("state", ["running", "failed"])
def test_a_job_that_waits_again_is_queued_whatever_the_run_s_files_say(word: str, state: Any) -> None:
    before = RunStatus("a", state, {"epoch": 2, "kind": "terminated"})
    (after,) = told([before], {"a": Job("57", word, "waiting")})
    assert (after.state, after.facts["reason"]) == (
        "queued",
        f"requeued (job 57: {word}), goes on from epoch 2",
    )


@pytest.mark.parametrize("said", get_args(State))
def test_the_end_of_a_run_is_its_own_to_tell(said: Any) -> None:
    ended = [RunStatus("a", "complete", {}), RunStatus("b", "diverged", {})]
    assert told(ended, {name: Job("57", "WORD", said) for name in "ab"}) == ended
    failed = RunStatus("a", "failed", {"kind": "oom", "reason": "out of memory on cuda:0"})
    assert told([failed], {"a": Job("57", "FAILED", "failed")}) == [failed]


def test_a_full_queue_is_told(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_text(NOTES / "refused", "sbatch: error: QOSMaxSubmitJobPerUserLimit")
    is_in_state(runs[0], "running")
    commands.status("four")
    words = "  the scheduler takes no more jobs for now: sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
    assert words in capsys.readouterr().out


def test_the_job_of_another_study_with_the_same_run_is_not_taken_for_this_ones(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue_says(tmp_path, monkeypatch, "50 PENDING")
    write_text(NOTES / "runs" / run_folder("five", runs[0]), "50")
    commands.status("four")
    assert capsys.readouterr().out.startswith("0 of 4 runs done, 4 waiting\n")
    write_text(NOTES / "runs" / run_folder("four", runs[0]), "50")
    commands.status("four")
    assert capsys.readouterr().out.startswith("0 of 4 runs done, 1 queued, 3 waiting\n")


def test_watching_goes_on_over_an_interrupted_run_and_over_one_that_snakemake_tries_again(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs[:3]:
        has_ended(run)
    is_in_state(runs[3], "failed", kind="terminated", reason="stopped by a signal")
    hold(Path("results/four/.lock"))
    steps: list[Callable[[], None]] = [
        lambda: has_ended(runs[3]),
        lambda: is_in_state(runs[3], "running"),
        lambda: is_in_state(runs[3], "failed", kind="scheduler", reason="job 57: TIMEOUT"),
    ]
    monkeypatch.setattr(commands.time, "sleep", lambda seconds: steps.pop()())
    commands.status("four", watch=True)
    assert not steps
    assert "4 of 4 runs done" in capsys.readouterr().out
