"""`scalestudy status` and `plan`: who is done, running, failed and waiting, and how long it all takes."""

import fcntl
import os
import re
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from finished import finish
from held import hold, let_go

from scalestudy.cli import study as commands
from scalestudy.errors import UserError
from scalestudy.files import write_json
from scalestudy.study.config import load_study
from scalestudy.study.paths import lock_file, run_folder, study_folder, weights_record
from scalestudy.study.runs import Run, plan_runs
from scalestudy.workflow import lock as workflow_lock
from scalestudy.workflow.forecast import Forecast
from scalestudy.workflow.lock import is_worked_on, lock_study

STUDY = """\
dataset: digits
recipe: {model: resnet18, epochs: 10}
experiments:
  seeds: {grid: {seed: [0, 1, 2, 3]}}
"""


PLANNED: dict[str, Run] = {}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of a study's four runs, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALESTUDY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "four.yaml").write_text(STUDY)
    PLANNED.update({run.name: run for run in plan_runs(load_study("four"))})
    return list(PLANNED)


def is_in_state(run: str, state: str, **facts: Any) -> None:
    """Write the status of a run; one that runs is locked by this process."""
    (hold if state == "running" else let_go)(lock_file(run_folder("four", run)))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    here = {"pid": os.getpid(), "host": socket.gethostname(), "updated": now}
    known = {"epoch": 5, "epochs": 10, "test_accuracy": 0.75, "elapsed": 100.0, "seconds_left": 100.0}
    if state == "complete":
        finish("four", PLANNED[run])
    write_json(run_folder("four", run) / "status.json", {"state": state, **here, **known, **facts})


def test_each_running_and_failed_run_has_its_line_and_the_end_is_foretold(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Forecast(dict.fromkeys(runs, 100.0), 1).write("four")
    is_in_state(runs[0], "complete", elapsed=200.0)
    is_in_state(runs[1], "running")
    is_in_state(runs[2], "failed", reason="job 17: OUT_OF_MEMORY")
    commands.status("four")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("1 of 4 runs done, 1 running, 1 failed, 1 waiting; about 5 min left (until ")
    assert lines[0].startswith(f"  running   {runs[1]}  epoch 5 of 10, test accuracy 0.750, about ")
    assert lines[0].endswith(f"({socket.gethostname()})")
    assert lines[1:] == [f"  failed    {runs[2]}  job 17: OUT_OF_MEMORY"]


def test_a_run_whose_lock_nobody_holds_failed_whatever_process_has_its_number_now(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for run, facts in ((runs[0], {"pid": os.getpid()}), (runs[1], {"pid": os.getpid(), "host": "old-name"})):
        is_in_state(run, "running", **facts)
        let_go(lock_file(run_folder("four", run)))
    is_in_state(runs[2], "running", pid=2**22 + 1, host="node7")
    commands.status("four")
    said = capsys.readouterr().out
    assert "1 running, 2 failed, 1 waiting" in said
    assert f"  failed    {runs[1]}  the job ended without a word at epoch 5 of 10 (killed?)\n" in said


def test_watching_ends_when_every_run_has(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs[:3]:
        is_in_state(run, "complete")
    is_in_state(runs[3], "running")
    steps: list[Callable[[], None]] = [lambda: is_in_state(runs[3], "failed", reason="[bold]it[/bold]")]
    monkeypatch.setattr(commands.time, "sleep", lambda seconds: steps.pop()())
    commands.status("four", watch=True)
    assert not steps
    assert "3 of 4 runs done, 1 failed" in (shown := capsys.readouterr().out)
    assert "[bold]it[/bold]" in shown


def test_twice_the_workers_take_half_the_time(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ends = {}
    for workers in (1, 2, 4):
        commands.plan("four", workers=workers, calibrate=False)
        found = re.search(r"4 runs; .* about (.+) with \d at once", capsys.readouterr().out)
        assert found is not None
        ends[workers] = minutes(found.group(1))
    assert ends[1] == pytest.approx(2 * ends[2], abs=2)
    assert ends[1] == pytest.approx(4 * ends[4], abs=4)


def minutes(words: str) -> float:
    """Return `2 h 5 min`, `3.3 min` or `45 s` in minutes."""
    sizes = {"h": 60.0, "min": 1.0, "s": 1 / 60}
    return sum(float(count) * sizes[unit] for count, unit in re.findall(r"([\d.]+) (h|min|s)", words))


def test_a_report_of_another_study_of_the_same_name_is_refused(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.report("four")
    before = (tmp_path / "results/four/results.csv").read_bytes()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/four.yaml").write_text("dataset: digits\n")
    with pytest.raises(UserError, match=r"holds the results of config/four\.yaml, another study"):
        commands.report("other/four.yaml")
    assert (tmp_path / "results/four/results.csv").read_bytes() == before


def test_who_works_on_a_study_is_told_by_its_lock_on_a_read_only_disk_too(
    runs: list[str], tmp_path: Path
) -> None:
    lock = study_folder("four") / ".lock"
    assert not is_worked_on("four")
    hold(lock)
    lock.chmod(0o444)
    (tmp_path / "results/four/.lock-holder").write_text(f"process {2**22 + 1} on elsewhere")
    assert is_worked_on("four")
    let_go(lock)
    assert not is_worked_on("four")
    assert lock.read_bytes() == b""


def test_a_start_that_meets_a_look_at_the_lock_is_not_refused(runs: list[str]) -> None:
    lock = study_folder("four") / ".lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        end = threading.Timer(0.1, looked_at.close)
        end.start()
        lock_study("four")
        end.join()
    workflow_lock._held.pop().release()


def test_nobody_is_told_to_start_what_a_snakemake_works_on(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    hold(study_folder("four") / ".lock")
    commands.status("four")
    [first, wait] = capsys.readouterr().out.splitlines()
    assert first == "0 of 4 runs done, 4 waiting"
    assert wait.startswith("  runs wait for data/digits")
    let_go(study_folder("four") / ".lock")
    commands.status("four")
    [_, hint] = capsys.readouterr().out.splitlines()
    assert hint == "  to train what is missing: snakemake --cores all --config study=four"


def test_watching_ends_when_nobody_works_on_the_study_any_more(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(study_folder("four") / ".lock")
    steps: list[Callable[[], None]] = [
        lambda: let_go(study_folder("four") / ".lock"),
        lambda: is_in_state(runs[0], "complete"),
    ]
    monkeypatch.setattr(commands.time, "sleep", lambda seconds: steps.pop()())
    commands.status("four", watch=True)
    assert not steps
    assert "to train what is missing" in capsys.readouterr().out


UPSTREAM = """\
dataset: digits
weights: {glyphs: {upstream: {dataset: glyphs, recipe: {epochs: 4}}}}
recipe: {model: resnet18, epochs: 10, init: [none, glyphs]}
"""


def test_an_upstream_stage_is_shown_as_it_trains_and_counts_in_what_is_left(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config/two.yaml").write_text(UPSTREAM)
    planned = plan_runs(load_study("two"))
    (weights,) = (run.weights.name for run in planned if run.weights)
    hold(study_folder("two") / ".lock")
    commands.status("two")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "0 of 2 runs done, 2 waiting"
    assert [line.startswith("  runs wait for data/") for line in lines[1:]] == [True, True]
    Forecast({weights: 50.0, **{run.name: 100.0 for run in planned}}, 1, upstreams=[weights]).write("two")
    folder = weights_record(weights).parent
    hold(lock_file(folder))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"epoch": 2, "epochs": 4, "elapsed": 25.0, "seconds_left": 25.0, "updated": now}
    write_json(folder / "status.json", {"state": "running", "host": "node7", **facts})
    commands.status("two")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("0 of 2 runs done, 2 waiting; about 3.7 min left (until ")
    [line] = [line for line in lines if "upstream" in line]
    assert line.startswith(f"  running   upstream stage {weights}  epoch 2 of 4, about ")
    let_go(lock_file(folder))
    let_go(study_folder("two") / ".lock")
    commands.status("two")
    _, line, hint = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"  failed    upstream stage {weights}  the job ended without a word at epoch 2 of 4"
    )
    assert hint.startswith("  to train what is missing: ")


def test_watching_may_begin_before_the_start(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = study_folder("four") / ".lock"
    steps: list[Callable[[], None]] = [lambda: let_go(lock), lambda: hold(lock)]
    monkeypatch.setattr(commands.time, "sleep", lambda seconds: steps.pop()())
    commands.status("four", watch=True)
    assert not steps
