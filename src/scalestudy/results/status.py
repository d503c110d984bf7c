"""Who is done, running, failed and left, as `scalestudy status` and the progress of Snakemake show it."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from scalestudy.results.checked import run_states
from scalestudy.results.read import DONE, RunResult, read_run, read_status
from scalestudy.study import paths

# queued: the scheduler has its job. interrupted: it was told to stop, has saved, and goes on from there when started.
State = Literal["complete", "diverged", "running", "queued", "interrupted", "failed", "waiting"]
ORDER: tuple[State, ...] = ("complete", "diverged", "running", "queued", "interrupted", "failed", "waiting")


@dataclass(frozen=True)
class RunStatus:
    """The state of the run in `folder`; `facts` is its status.json (epoch, accuracies, seconds_left, reason, host)."""

    run: str
    state: State
    facts: dict[str, Any]
    folder: Path = Path()

    @property
    def done(self) -> bool:
        """Whether the run has a result, or diverged."""
        return self.state in DONE

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end of a running run, as it judged at its last epoch, less the time since."""
        left, updated = self.facts.get("seconds_left"), self.facts.get("updated")
        if self.state != "running" or left is None or updated is None:
            return None
        since = (datetime.now(UTC) - updated).total_seconds()
        return max(0.0, float(left) - max(float(since), 0.0))


def run_status(folder: Path) -> RunStatus:
    """Return the state of the run in `folder`, whatever it was made from."""
    return _status(read_run(folder), folder)


def study_status(study: str, planned: Sequence[Mapping[str, Any]]) -> list[RunStatus]:
    """Return the state of each planned run of a study's record."""
    folders = [paths.run_folder(study, each["run"]) for each in planned]
    return [
        _status(result, folder) for result, folder in zip(run_states(study, planned), folders, strict=True)
    ]


def _status(result: RunResult, folder: Path) -> RunStatus:
    facts = result.status or read_status(folder)
    if result.state == "failed" or (result.state == "missing" and result.record is not None):
        facts = {**facts, "reason": result.reason}
    return RunStatus(folder.name, "waiting" if result.state == "missing" else result.state, facts, folder)


def summary(statuses: list[RunStatus]) -> str:
    """Return one line: `7 of 12 runs done, 2 running, 1 failed, 2 waiting`."""
    counts = Counter(status.state for status in statuses)
    parts = [f"{sum(status.done for status in statuses):,} of {len(statuses):,} runs done"]
    if counts["diverged"]:
        parts[0] += f" ({counts['diverged']:,} diverged)"
    parts += [f"{counts[state]:,} {state}" for state in ORDER[2:] if counts[state]]
    return ", ".join(parts)


def clock(seconds_from_now: float) -> str:
    """Return the local time of day that many seconds from now, with the date where it is not today."""
    end = time.time() + seconds_from_now
    today = time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", time.localtime(end))
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", time.localtime(end))
