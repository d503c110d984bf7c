"""profiles/cluster: submit, status and cancel against stub schedulers (CASES C30, C31)."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROFILE = Path(__file__).parents[2] / "profiles" / "cluster"
JOB_SCRIPT = """\
#!/bin/sh
# properties = {"rule": "train", "output": ["results/digits/runs/one/metrics.csv"], "jobid": 1}
sh -c 'exit %d' && exit 0 || exit %d
"""


class Scheduler:
    """A copy of the profile's commands with a scheduler that the test controls, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.profile = folder / "profiles" / "cluster"
        shutil.copytree(PROFILE, self.profile, ignore=shutil.ignore_patterns("__pycache__"))
        self.configure()

    def configure(
        self, status: str = "cat answer-{id}", patience: float = 600, cancel: str = "echo {ids}"
    ) -> None:
        (self.profile / "scheduler.ini").write_text(
            "[use]\nscheduler = stub\n[stub]\njob_id = \\d+\n"
            f"status = {status}\nsuccess = ^COMPLETED\nfailure = ^(FAILED|TIMEOUT|OUT_OF_MEMORY)\n"
            f"cancel = {cancel}\nlog = log-{{id}}\npatience = {patience}\n"
        )

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words: list[str | Path] = [self.profile / command, *arguments]
        return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=30)

    def submit(self, code: int = 0, submit: str = "echo 17") -> subprocess.CompletedProcess[str]:
        script = self.folder / "job script.sh"
        script.write_text(JOB_SCRIPT % (code, code))
        return self.run("submit", *submit.split(), str(script))

    def run_job(self) -> None:
        """Run the one job that was submitted, as a scheduler would."""
        (script,) = (self.folder / ".snakemake" / "cluster").glob("*.sh")
        subprocess.run(["sh", script], check=False)

    def answer(self, text: str) -> None:
        (self.folder / "answer-17").write_text(text)

    def status(self) -> str:
        result = self.run("status", "17")
        assert result.returncode == 0
        return result.stdout.strip()


@pytest.fixture
def scheduler(tmp_path: Path) -> Scheduler:
    """Give stub commands in a folder whose name would break careless quoting."""
    folder = tmp_path / "my user's dir"
    folder.mkdir()
    return Scheduler(folder)


@pytest.mark.parametrize(
    ("said", "job"),
    [
        ("17", "17"),
        ("17;cluster", "17"),
        ("Submitted batch job 17", "17"),
        ("Your job 17 has been submitted", "17"),
        ("Job <17> is submitted to queue <gpu>.", "17"),
    ],
)
def test_submit_prints_nothing_but_the_job_id(scheduler: Scheduler, said: str, job: str) -> None:
    result = scheduler.submit(submit=f"printf {said.replace(' ', '_')}\\n")
    assert result.stdout == f"{job}\n"


def test_a_submit_command_that_fails_or_prints_no_id_is_an_error_that_says_so(scheduler: Scheduler) -> None:
    failed = scheduler.submit(submit="false")
    assert failed.returncode != 0
    assert "the submit command failed (exit code 1): false" in failed.stderr
    silent = scheduler.submit(submit="true")
    assert silent.returncode != 0
    assert "no job id" in silent.stderr
    missing = scheduler.submit(submit="no-such-command")
    assert missing.returncode != 0
    assert "cannot run the submit command no-such-command" in missing.stderr


@pytest.mark.parametrize(
    "answer", ["PENDING", "RUNNING", "CONFIGURING", "REQUEUED", "PREEMPTED", "SUSPENDED"]
)
def test_a_job_that_waits_or_runs_is_running(scheduler: Scheduler, answer: str) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    assert scheduler.status() == "running"


@pytest.mark.parametrize("answer", ["TIMEOUT", "OUT_OF_MEMORY", "FAILED"])
def test_a_job_that_the_scheduler_ended_fails_at_the_first_question_and_says_why(
    scheduler: Scheduler, answer: str
) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    (scheduler.folder / "log-17").write_text("slurmstepd: error: killed\n")
    result = scheduler.run("status", "17")
    assert result.stdout == "failed\n"
    assert f"job 17 failed: {answer}" in result.stderr
    assert "slurmstepd: error: killed" in result.stderr


def test_the_run_of_a_killed_job_is_shown_as_failed_with_the_reason(scheduler: Scheduler) -> None:
    status = scheduler.folder / "results/digits/runs/one/status.json"
    status.parent.mkdir(parents=True)
    status.write_text('{"state": "running", "epoch": 3}')
    scheduler.submit()
    scheduler.answer("OUT_OF_MEMORY")
    scheduler.status()
    run = json.loads(status.read_text())
    assert run == {
        "state": "failed",
        "epoch": 3,
        "kind": "scheduler",
        "reason": "job 17: OUT_OF_MEMORY",
    }


def test_what_a_run_said_about_its_own_end_is_kept(scheduler: Scheduler) -> None:
    status = scheduler.folder / "results/digits/runs/one/status.json"
    status.parent.mkdir(parents=True)
    said = '{"state": "failed", "kind": "oom", "reason": "out of memory on cuda:0"}'
    status.write_text(said)
    scheduler.submit()
    scheduler.answer("FAILED")
    assert scheduler.status() == "failed"
    assert status.read_text() == said


@pytest.mark.parametrize(
    "status", ["true", "cat missing", "no-such-command", "sh -c 'echo accounting off >&2; exit 1'"]
)
def test_no_answer_means_ask_again_up_to_the_limit(scheduler: Scheduler, status: str) -> None:
    scheduler.configure(status=status)
    scheduler.submit()
    assert [scheduler.status() for _ in range(3)] == ["running"] * 3
    scheduler.configure(status=status, patience=0)
    result = scheduler.run("status", "17")
    assert result.stdout == "failed\n"
    assert "has not answered" in result.stderr


def test_an_answer_in_between_starts_the_patience_anew(scheduler: Scheduler) -> None:
    scheduler.configure(patience=0.2)
    scheduler.submit()
    assert scheduler.status() == "running"
    scheduler.answer("RUNNING")
    time.sleep(0.3)
    assert scheduler.status() == "running"
    scheduler.answer("")
    assert scheduler.status() == "running"


def test_a_job_that_ended_well_is_a_success_though_the_scheduler_has_forgotten_it(
    scheduler: Scheduler,
) -> None:
    scheduler.submit(code=0)
    scheduler.run_job()
    assert scheduler.status() == "success"


def test_a_job_that_ended_badly_fails_at_once_though_the_scheduler_has_forgotten_it(
    scheduler: Scheduler,
) -> None:
    scheduler.submit(code=3)
    scheduler.run_job()
    result = scheduler.run("status", "17")
    assert result.stdout == "failed\n"
    assert "exit code 3" in result.stderr


def test_a_job_that_was_requeued_is_running_whatever_its_first_attempt_left(scheduler: Scheduler) -> None:
    scheduler.submit(code=1)
    scheduler.run_job()
    scheduler.answer("PENDING")
    assert scheduler.status() == "running"


def test_the_scheduler_is_believed_where_the_note_is_not_to_be_seen_yet(scheduler: Scheduler) -> None:
    scheduler.submit()
    scheduler.answer("COMPLETED")
    assert scheduler.status() == "success"


@pytest.mark.parametrize("answer", ["PENDING", "RUNNING"])
def test_a_job_that_an_earlier_snakemake_left_behind_is_taken_over_instead_of_submitted_again(
    scheduler: Scheduler, answer: str
) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    again = scheduler.submit(submit="echo 18")
    assert again.stdout == "17\n"
    assert "job 17 of an earlier Snakemake is still there" in again.stderr


@pytest.mark.parametrize("answer", ["", "FAILED", "COMPLETED"])
def test_a_job_that_ended_or_that_nobody_knows_is_submitted_again(scheduler: Scheduler, answer: str) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    assert scheduler.submit(submit="echo 18").stdout == "18\n"


def test_cancel_gives_all_ids_to_one_command(scheduler: Scheduler) -> None:
    assert scheduler.run("cancel", "17", "18").stdout == "17 18\n"


WORKFLOW = """\
rule all:
    input: "done.txt"
    localrule: True
rule train:
    output: "done.txt"
    shell: "echo $$ > pid; echo started >> starts; test -e again && echo 1 > {output} || sleep 60"
"""


@pytest.mark.workflow
def test_a_killed_job_is_noticed_by_snakemake_within_a_polling_interval_and_tried_again(
    scheduler: Scheduler, environ: dict[str, str]
) -> None:
    scheduler.configure(status="ps -o stat= -p {id}", patience=0, cancel="kill {ids}")
    (scheduler.folder / "Snakefile").write_text(WORKFLOW)
    # A scheduler of one line: start the job in the background and print its process.
    start = scheduler.folder / "start.sh"
    start.write_text('#!/bin/sh\nsetsid sh "$1" > job.log 2>&1 &\necho $!\n')
    start.chmod(0o755)
    snakemake = [
        *("snakemake", "--executor", "cluster-generic", "--jobs", "1", "--retries", "1"),
        *("--cluster-generic-submit-cmd", "profiles/cluster/submit ./start.sh"),
        *("--cluster-generic-status-cmd", "profiles/cluster/status"),
        *("--cluster-generic-cancel-cmd", "profiles/cluster/cancel"),
        *("--seconds-between-status-checks", "1"),
    ]
    with (scheduler.folder / "snakemake.log").open("w") as log:
        process = subprocess.Popen(snakemake, cwd=scheduler.folder, stdout=log, stderr=log, env=environ)
    try:
        pid = scheduler.folder / "pid"
        end = time.monotonic() + 30
        while not pid.exists() or not pid.read_text().strip():
            assert time.monotonic() < end, (scheduler.folder / "snakemake.log").read_text()
            time.sleep(0.1)
        (scheduler.folder / "again").touch()
        (job,) = (path.stem for path in (scheduler.folder / ".snakemake" / "cluster").glob("*.json"))
        os.killpg(int(job), signal.SIGKILL)
        assert process.wait(20) == 0, (scheduler.folder / "snakemake.log").read_text()
    finally:
        process.kill()
    assert (scheduler.folder / "starts").read_text() == "started\n" * 2
    assert "the job left no exit code: killed?" in (scheduler.folder / "snakemake.log").read_text()
