"""What the scheduler knows of a study's runs, beside what their own files say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scalestudy.results.status import RunStatus
from scalestudy.workflow.scheduler import Job, Scheduler, SchedulerError, refusal


def with_jobs(statuses: Sequence[RunStatus]) -> list[RunStatus]:
    """Return the states of runs with what the scheduler says about those that have not ended, where there is one."""
    left = [each.folder for each in statuses if not each.done]
    try:
        jobs = Scheduler.of().jobs_of(left)
    except (SchedulerError, OSError):
        jobs = {}
    return told(statuses, jobs)


def told(statuses: Sequence[RunStatus], jobs: Mapping[str, Job]) -> list[RunStatus]:
    """Return the states of runs, given the latest job of each that has one.

    A run hears of its end as a signal at best. So the scheduler decides whether one that has begun and does not run
    waits for its turn again (requeued, preempted), or has failed, and why (TIMEOUT, OUT_OF_MEMORY, NODE_FAIL).
    """
    return [_told(each, jobs.get(each.run)) for each in statuses]


def refusal_line() -> str:
    """Return the line that says that the scheduler takes no more jobs for now; empty where it takes them."""
    return f"the scheduler takes no more jobs for now: {said}" if (said := refusal()) else ""


def _told(status: RunStatus, job: Job | None) -> RunStatus:
    if status.done:
        return status
    said_nothing = status.facts.get("state") == "running"  # killed, if it does not run
    stopped = said_nothing or status.facts.get("kind") in ("terminated", "scheduler")
    if job is not None and job.state == "failed" and (stopped or status.state == "running"):
        return _with_reason(replace(status, state="failed"), f"job {job.id}: {job.word}")
    if job is not None and (job.state == "waiting" or (job.state == "running" and status.state != "running")):
        if status.state == "waiting":
            return replace(status, state="queued")
        epoch = f", goes on from epoch {status.facts['epoch']}" if status.facts.get("epoch") else ""
        again = "requeued" if job.state == "waiting" else "starts again"
        return _with_reason(replace(status, state="queued"), f"{again} (job {job.id}: {job.word}){epoch}")
    if status.state == "failed" and status.facts.get("kind") == "terminated":
        return replace(status, state="interrupted")
    return status


def _with_reason(status: RunStatus, reason: str) -> RunStatus:
    return replace(status, facts={**status.facts, "reason": reason})
