"""What a person sees of jobs that fail on a cluster (CASES D26), and on a screen of a hundred jobs."""

import io
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from held import hold
from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from scalestudy.files import write_json, write_text
from scalestudy.study.paths import lock_file
from scalestudy.workflow.scheduler import NOTES
from snakemake_logger_plugin_scalestudy import LogHandler

TAIL = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."
TIMEOUT = (
    "SLURM-job '57' failed, SLURM status is: 'TIMEOUT'. Detailed failure reason unavailable (status command is not "
    "'sacct')."
)
NODE_FAIL = "SLURM-job '57' failed due to a node failure, SLURM status is: 'NODE_FAIL'. Failed nodes will be excluded."
REFUSED = (
    "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition specified: gpuu'.\n"
    "    sbatch call:\n        sbatch --parsable --wrap=..."
)


class Handler(LogHandler):
    """The plugin as Snakemake makes it, with a console that the test can read."""

    def __init__(self) -> None:
        options = dict.fromkeys(("dryrun", "verbose", "printshellcmds", "debug_dag"), False)
        super().__init__(SimpleNamespace(**options), None)  # type: ignore[arg-type]
        self.said = io.StringIO()
        self.console = Console(file=self.said, width=120, soft_wrap=True)

    def tell(self, event: LogEvent, **facts: Any) -> None:
        self.emit(logging.makeLogRecord({"event": event, "levelno": logging.ERROR, "msg": "", **facts}))

    def starts(self, number: int, run: str, rule: str = "train") -> None:
        output = [f"results/s/runs/{run}/metrics.csv"]
        self.tell(LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards={"run": run}, output=output)

    def fails(self, number: int, message: str, log: str, external: str | None = "57") -> None:
        aux = {"external_jobid": external} if external else {}
        facts = {"rule_name": "train", "rule_msg": message + TAIL, "log": [log], "aux": aux}
        self.tell(LogEvent.JOB_ERROR, jobid=number, **facts)


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handler:
    """The plugin in a project of its own."""
    monkeypatch.chdir(tmp_path)
    return Handler()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (TIMEOUT, "  job 57: TIMEOUT"),
        (NODE_FAIL, "  job 57: NODE_FAIL"),
        (
            REFUSED,
            "  SLURM sbatch failed. The error message was 'sbatch: error: invalid partition specified: gpuu'.",
        ),
    ],
)
def test_the_reason_that_the_scheduler_gives_reaches_the_screen(
    handler: Handler, message: str, expected: str
) -> None:
    handler.starts(1, "a")
    handler.fails(1, message, "results/s/logs/train/a.log")
    first, second, *rest = handler.said.getvalue().splitlines()
    assert (first, second) == ("failed: a", expected)
    assert rest == ["  external_jobid: 57"]  # there is no log, and so none is named


def test_a_run_that_was_ended_by_slurm_is_told_so_in_status_and_report(handler: Handler) -> None:
    status = Path("results/s/runs/a/status.json")
    for before in ({"state": "running", "epoch": 3}, {"state": "failed", "kind": "terminated", "epoch": 3}):
        write_json(status, before)
        handler.starts(1, "a")
        handler.fails(1, TIMEOUT, "a.log")
        after = json.loads(status.read_text())
        assert after == {"state": "failed", "kind": "scheduler", "reason": "job 57: TIMEOUT", "epoch": 3}
    said = {"state": "failed", "kind": "oom", "reason": "out of memory on cuda:0"}
    write_json(status, said)
    handler.starts(1, "a")
    handler.fails(1, TIMEOUT.replace("TIMEOUT", "FAILED"), "a.log")
    assert json.loads(status.read_text()) == said


def test_a_job_that_failed_by_itself_is_shown_by_its_log_alone(handler: Handler) -> None:
    write_text(Path("a.log"), "resuming\n\x1b[2Jerror: the data is not there\n")
    handler.starts(1, "a")
    handler.fails(1, "", "a.log", external=None)
    assert handler.said.getvalue().splitlines() == [
        "failed: a",
        "    resuming",
        r"    \x1b[2Jerror: the data is not there",
        "  log: a.log",
    ]


def test_of_a_hundred_jobs_those_that_run_are_on_the_screen_and_a_full_queue_is_told(
    handler: Handler,
) -> None:
    write_text(NOTES / "refused", "sbatch: error: QOSMaxSubmitJobPerUserLimit")
    for number in range(100):
        handler.starts(number, f"run{number:02}")
    facts = {"epoch": 3, "epochs": 5, "test_accuracy": 0.5, "seconds_left": None, "updated": None}
    write_json(Path("results/s/runs/run97/status.json"), {"state": "running", **facts})
    hold(lock_file(Path("results/s/runs/run97")))
    handler.console.print(handler._screen())
    shown = handler.said.getvalue().splitlines()
    assert re.fullmatch(r"  run97 +epoch 3 of 5 +test accuracy 0\.500 *", shown[0])
    assert len(shown) == 15 + 2
    assert shown[-2].strip() == "and 85 more jobs"
    assert "the scheduler takes no more jobs for now: sbatch: error: QOSMax" in shown[-1]
