"""Whole studies on a real Slurm: by the plugin, by cluster-generic, by Snakemake 7; jobs and Snakemake killed."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm import Slurm
from workplace import GENERIC, PLUGIN, POLL, TO_THE_TABLE, Study, Workplace, slurm_job

pytestmark = [pytest.mark.cluster, pytest.mark.workflow]
ALIVE = ("RUNNING", "COMPLETING")  # what Slurm says of a job before it knows how the job ended
SEEDS = (0, 1, 2)


@pytest.fixture(scope="session")
def undisturbed(workplace: Workplace) -> Study:
    """The study's runs on this machine, without a cluster and without an interruption."""
    study = workplace.study("undisturbed", 0, 1, 2, 3)
    workplace.finish(study, "snakemake", "--cores", "2", *TO_THE_TABLE)
    assert study.workers == 2
    return study


class Disturbance:
    """Something that Slurm or, by default, SIGKILL does to the run of a seed while it trains.

    The run waits in its training until Slurm has acted, so that it cannot end before.
    """

    def __init__(self, seed: int, act: Callable[[str], object] | None = None) -> None:
        self.seed, self.act = seed, act
        self.job, self.over = "", False

    def go_on(self, slurm: Slurm, study: Study) -> bool:
        """Act if the run trains by now; return whether that has come to its end."""
        if not self.job and study.is_held(self.seed):
            pid = study.status(self.seed)["pid"]
            self.job = slurm_job(pid)
            if self.act is None:
                os.kill(pid, signal.SIGKILL)
            else:
                self.act(self.job)
        if self.job and not self.over and (self.act is None or slurm.state(self.job) != "RUNNING"):
            study.let_go(self.seed)
            self.over = True
        return self.over


def disturb(workplace: Workplace, slurm: Slurm, study: Study, *disturbances: Disturbance) -> None:
    """Let each of these happen as soon as its run trains, whichever comes first."""

    def all_over() -> bool:
        over = [each.go_on(slurm, study) for each in disturbances]
        return all(over)

    workplace.wait(study, "for the disturbances", all_over, 600)


def assert_resumed_with_the_same_numbers(study: Study, undisturbed: Study, *seeds: int) -> None:
    for seed in seeds:
        assert study.record(seed)["resumed_from"], f"seed {seed} began anew:\n{study.log(seed)}"
        assert "resuming from epoch" in study.log(seed)
        assert study.metrics(seed) == undisturbed.metrics(seed)


def assert_report(study: Study, runs: int) -> None:
    assert f"{runs} of {runs} runs" in study.report.read_text(encoding="utf-8")


def test_by_the_plugin_a_study_reaches_its_report_though_every_job_was_disturbed(
    slurm: Slurm, workplace: Workplace, undisturbed: Study
) -> None:
    study = workplace.study("plugin", 0, 1, 2, 3)
    asked: list[str] = []

    def cancel(job: str) -> None:
        asked.append(slurm.ask("scontrol", "show", "job", job))
        slurm.ask("scancel", job)

    def exceed_time_limit(job: str) -> None:
        """Slurm looks at time limits every 30 s."""
        slurm.ask("scontrol", "update", f"JobId={job}", f"EndTime={time.strftime('%Y-%m-%dT%H:%M:%S')}")

    limited = Disturbance(1, exceed_time_limit)
    others = [
        Disturbance(0, cancel),
        Disturbance(2, lambda job: slurm.ask("scontrol", "requeue", job)),
        Disturbance(3),
    ]
    study.hold(0, 1, 2, 3)
    with workplace.start(study, *PLUGIN, "report") as process:
        disturb(workplace, slurm, study, limited, *others)
        workplace.wait_for_end(study, process)
    assert slurm.state(limited.job) == "TIMEOUT"
    assert study.workers == 100, "the profile's jobs, whatever their threads"
    (request,) = asked
    for words in ("TimeLimit=00:15:00", "NumCPUs=1 ", "MinMemoryNode=1", "gpu:1"):
        assert words in request
    for job, word in ((limited.job, "TIMEOUT"), (others[0].job, "CANCELLED")):
        assert f"  job {job}: {word}\n" in workplace.log(study)
    assert_resumed_with_the_same_numbers(study, undisturbed, 0, 1, 2, 3)
    assert_report(study, 4)


def test_by_the_plugin_a_killed_snakemake_started_again_trains_nothing_twice(
    slurm: Slurm, workplace: Workplace, undisturbed: Study
) -> None:
    study = workplace.study("plugin-killed", 0)
    study.hold(0)
    with workplace.start(study, *PLUGIN, *TO_THE_TABLE) as process:
        workplace.wait(study, "for the run to train", lambda: study.is_held(0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    os.kill(study.status(0)["pid"], 0)  # the job lives on
    study.let_go(0)
    workplace.finish(study, *PLUGIN, *TO_THE_TABLE)
    assert "this run has finished before; its files are put back, nothing is trained" in study.log(0)
    assert study.record(0)["resumed_from"] == []
    assert study.metrics(0) == undisturbed.metrics(0)


def test_by_cluster_generic_preempted_and_killed_jobs_are_noticed_and_resume_to_the_report(
    slurm: Slurm, workplace: Workplace, undisturbed: Study
) -> None:
    study = workplace.study("generic", 0, 1)

    def preempt(_: str) -> None:
        """An urgent job takes both GPUs for a moment."""
        slurm.ask(
            "sbatch", "--partition=high", "--gres=gpu:2", "--mem=100", "--output=/dev/null", "--wrap=sleep 1"
        )

    killed, preempted = Disturbance(0), Disturbance(1, preempt)
    study.hold(0, 1)
    with workplace.start(study, *GENERIC, "report") as process:
        disturb(workplace, slurm, study, killed)
        workplace.wait(study, "for Slurm to notice", lambda: slurm.state(killed.job) not in ALIVE)
        failure, known = f"job {killed.job} failed", time.monotonic()
        noticed = workplace.wait(study, failure, lambda: failure in workplace.log(study))
        disturb(workplace, slurm, study, preempted)
        workplace.wait_for_end(study, process)
    assert noticed - known < POLL + 8  # one interval, and the seconds that a question takes on a busy machine
    assert f"job {preempted.job} failed" not in workplace.log(study)
    assert_resumed_with_the_same_numbers(study, undisturbed, 0, 1)
    assert_report(study, 2)


def test_by_snakemake_7_killed_and_started_again_a_study_reaches_its_report_with_each_job_submitted_once(
    slurm: Slurm, workplace: Workplace, undisturbed: Study, snakemake_7: Path
) -> None:
    study = workplace.study("seven", *SEEDS)
    submit = (
        "scalestudy-submit sbatch --parsable --cpus-per-task={threads} --mem={resources.mem_mb} "
        "--time={resources.runtime} --gres=gpu:{resources.gpu} --output=.snakemake/cluster/%j.log"
    )
    command = (
        snakemake_7,
        "--profile",
        "profiles/cluster",
        "--cluster",
        submit,
        "--latency-wait",
        "20",
        "report",
    )
    before = slurm.submissions_so_far()
    study.hold(*SEEDS)
    with workplace.start(study, *command) as process:
        workplace.wait(study, "for two runs to train", lambda: sum(map(study.is_held, SEEDS)) == 2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with workplace.start(study, *command) as process:
        taken_over = "of an earlier Snakemake is still there"
        workplace.wait(study, taken_over, lambda: workplace.log(study).count(taken_over) >= 2)
        study.let_go(*SEEDS)
        workplace.wait_for_end(study, process)
    assert slurm.submissions_so_far() - before == 3
    for seed in SEEDS:
        assert study.record(seed)["resumed_from"] == []
        assert study.metrics(seed) == undisturbed.metrics(seed)
    assert_report(study, 3)
