"""Who is done, running, failed and left: read from the runs' small status files, fast for thousands of runs."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from scalestudy.files import read_json
from scalestudy.results.read import process_is_gone
from scalestudy.study import paths

# queued: the scheduler has its job. interrupted: it was told to stop, has saved, and goes on from there when started.
State = Literal["complete", "diverged", "running", "queued", "interrupted", "failed", "waiting"]
ORDER: tuple[State, ...] = ("complete", "diverged", "running", "queued", "interrupted", "failed", "waiting")


@dataclass(frozen=True)
class RunStatus:
    """The state of one run; `facts` is its status.json (epoch, epochs, accuracies, seconds_left, reason, host)."""

    run: str
    state: State
    facts: dict[str, Any]

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end of a running run, as it judged at its last epoch, less the time since."""
        left, updated = self.facts.get("seconds_left"), self.facts.get("updated")
        if self.state != "running" or left is None or updated is None:
            return None
        since = (datetime.now(UTC) - datetime.fromisoformat(updated)).total_seconds()
        return max(0.0, float(left) - since)


def run_status(folder: Path) -> RunStatus:
    """Return the state of the run in `folder`."""
    try:
        facts = read_json(folder / "status.json")
        state = facts["state"]
    except (OSError, ValueError, KeyError, TypeError):
        return RunStatus(folder.name, "waiting", {})
    if state in ("complete", "diverged"):
        # Snakemake deletes the outputs of a job that it starts again.
        return RunStatus(folder.name, state if (folder / "run.json").exists() else "waiting", facts)
    if state == "running" and process_is_gone(facts):
        return RunStatus(
            folder.name, "failed", {**facts, "reason": "its process ended without a word (killed?)"}
        )
    return RunStatus(folder.name, state, facts)


def study_status(study: str, runs: Iterable[str]) -> list[RunStatus]:
    """Return the state of each run of a study."""
    return [run_status(paths.run_folder(study, run)) for run in runs]


def summary(statuses: list[RunStatus]) -> str:
    """Return one line: `7 of 12 runs done, 2 running, 1 failed, 2 waiting`."""
    counts = Counter(status.state for status in statuses)
    done = counts["complete"] + counts["diverged"]
    parts = [f"{done:,} of {len(statuses):,} runs done"]
    if counts["diverged"]:
        parts[0] += f" ({counts['diverged']:,} diverged)"
    parts += [f"{counts[state]:,} {state}" for state in ORDER[2:] if counts[state]]
    return ", ".join(parts)


def clock(seconds_from_now: float) -> str:
    """Return the local time of day that many seconds from now, with the date where it is not today."""
    end = time.time() + seconds_from_now
    today = time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", time.localtime(end))
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", time.localtime(end))
