"""`scalestudy status` and `plan`: who is done, running, failed and waiting, and how long it all takes."""

import os
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from finished import finish

from scalestudy.cli import study as commands
from scalestudy.errors import UserError
from scalestudy.files import write_json
from scalestudy.study.config import load_study
from scalestudy.study.paths import run_folder
from scalestudy.study.runs import Run, plan_runs
from scalestudy.workflow.forecast import Forecast

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


def test_a_run_whose_process_is_gone_failed(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    is_in_state(runs[0], "running", pid=2**22 + 1)
    is_in_state(runs[1], "running", pid=2**22 + 1, host="elsewhere")
    commands.status("four")
    assert "1 running, 1 failed, 2 waiting" in capsys.readouterr().out


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
