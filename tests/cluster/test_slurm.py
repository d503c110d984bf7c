"""Whole studies on a real Slurm: by the plugin, by cluster-generic, by Snakemake 7; jobs and Snakemake killed."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm import Slurm
from workplace import GENERIC, PLUGIN, POLL, TO_THE_TABLE, Study, Workplace, slurm_job

pytestmark = [pytest.mark.cluster, pytest.mark.workflow]


@pytest.fixture(scope="session")
def undisturbed(workplace: Workplace) -> Study:
    """The study's runs on this machine, without a cluster and without an interruption."""
    study = workplace.study("undisturbed", 0, 1, 2, 3)
    workplace.finish(study, "snakemake", "--cores", "2", *TO_THE_TABLE)
    return study


class Disturbance:
    """Something that Slurm or a signal does to the run of a seed once it trains.

    The training stands still until Slurm has acted, so that it cannot end before.
    """

    def __init__(self, seed: int, act: Callable[[str], object] | None) -> None:
        self.seed, self.act = seed, act
        self.pid, self.job, self.at = 0, "", 0.0

    def begin(self, study: Study) -> bool:
        """Act if the run trains; return whether it has begun."""
        if not self.job and study.is_training(self.seed) and study.has_checkpoint(self.seed):
            self.pid = study.status(self.seed)["pid"]
            self.job = slurm_job(self.pid)
            self.at = time.monotonic()
            os.kill(self.pid, signal.SIGKILL if self.act is None else signal.SIGSTOP)
            if self.act is not None:
                self.act(self.job)
        return bool(self.job)

    def end(self, slurm: Slurm) -> bool:
        """Let the training hear what Slurm has to say to it; return whether that is so."""
        if self.job and self.act is not None and slurm.state(self.job) != "RUNNING":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)
            self.act = None
        return bool(self.job) and self.act is None


def disturb(workplace: Workplace, slurm: Slurm, study: Study, *disturbances: Disturbance) -> None:
    """Let each of these happen as soon as its run trains, whichever comes first."""

    def all_over() -> bool:
        over = [each.begin(study) and each.end(slurm) for each in disturbances]
        return all(over)

    workplace.wait(study, "for the disturbances", all_over, 300)


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
        Disturbance(3, None),
    ]
    with workplace.start(study, *PLUGIN, "report") as process:
        disturb(workplace, slurm, study, limited, *others)
        workplace.wait_for_end(study, process)
    assert slurm.state(limited.job) == "TIMEOUT"
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
    with workplace.start(study, *PLUGIN, *TO_THE_TABLE) as process:
        workplace.wait(study, "for the run to train", lambda: study.is_training(0))
        pid = study.status(0)["pid"]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    os.kill(pid, 0)  # the job lives on
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

    killed, preempted = Disturbance(0, None), Disturbance(1, preempt)
    with workplace.start(study, *GENERIC, "report") as process:
        disturb(workplace, slurm, study, killed)
        failure, held = f"job {killed.job} failed", list[int]()

        def noticed() -> bool:
            """Whether the failure is said; the other run stands still meanwhile, lest it ends before its turn."""
            if not held and study.is_training(1) and study.has_checkpoint(1):
                held.append(study.status(1)["pid"])
                os.kill(held[0], signal.SIGSTOP)
            return failure in workplace.log(study)

        seen = workplace.wait(study, failure, noticed, 60)
        for pid in held:
            os.kill(pid, signal.SIGCONT)
        disturb(workplace, slurm, study, preempted)
        workplace.wait_for_end(study, process)
    # One interval, and the seconds that it takes the job's own Snakemake to end.
    assert seen - killed.at < POLL + 8
    assert f"job {preempted.job} failed" not in workplace.log(study)
    assert_resumed_with_the_same_numbers(study, undisturbed, 0, 1)
    assert_report(study, 2)


def test_by_snakemake_7_killed_and_started_again_a_study_reaches_its_report_with_each_job_submitted_once(
    slurm: Slurm, workplace: Workplace, undisturbed: Study, snakemake_7: Path
) -> None:
    study = workplace.study("seven", 0, 1, 2)
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
    before, pids = slurm.submissions_so_far(), set[int]()
    with workplace.start(study, *command) as process:
        workplace.wait(study, "for two runs to train", lambda: stand_still(study, pids) == 2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with workplace.start(study, *command) as process:
        taken_over = "of an earlier Snakemake is still there"
        workplace.wait(study, taken_over, lambda: workplace.log(study).count(taken_over) >= 2)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        workplace.wait_for_end(study, process)
    assert slurm.submissions_so_far() - before == 3
    for seed in (0, 1, 2):
        assert study.record(seed)["resumed_from"] == []
        assert study.metrics(seed) == undisturbed.metrics(seed)
    assert_report(study, 3)


def stand_still(study: Study, pids: set[int]) -> int:
    """Stop each run that trains by now, so that it cannot end; return how many that are."""
    for seed in (0, 1, 2):
        if study.is_training(seed, 1) and (pid := study.status(seed)["pid"]) not in pids:
            os.kill(pid, signal.SIGSTOP)
            pids.add(pid)
    return len(pids)
