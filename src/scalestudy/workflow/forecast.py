"""How long the rest of a study takes: the estimates of its start, corrected by the runs that have ended since."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scalestudy.files import read_json, write_json
from scalestudy.results.read import DONE
from scalestudy.results.status import RunStatus
from scalestudy.study import paths
from scalestudy.workflow.estimate import makespan

_LATELY = 60.0  # seconds
_LEFT = ("waiting", "queued", "interrupted")


@dataclass(frozen=True)
class Forecast:
    """Estimated seconds of each training before the study began, None of unknown size, and how many train at once.

    `measured` says whether all speeds behind it were measured on this machine. `upstreams` are the names of those
    that train initial weights; the others are the study's runs.
    """

    seconds: dict[str, float | None]
    workers: int
    measured: bool = False
    upstreams: list[str] = field(default_factory=list)

    def write(self, study: str) -> None:
        """Keep the forecast beside the study's results. Of estimates for the same runs the first whole ones count."""
        first = read_forecast(study)
        if first is None or first.seconds.keys() != self.seconds.keys() or None in first.seconds.values():
            first = self
        write_json(_file(study), {**asdict(first), "workers": self.workers})

    def folders(self, study: str) -> list[Path]:
        """Return the folder of each training."""
        return [
            paths.weights_record(name).parent if name in self.upstreams else paths.run_folder(study, name)
            for name in self.seconds
        ]

    def seconds_left(self, statuses: Sequence[RunStatus]) -> float | None:
        """Return the seconds until all these runs have ended; None where nobody knows what a waiting one will take.

        A run that waits, or has only begun, takes its estimate times what the ended and running ones have taken
        against theirs, less what it had done before it was interrupted; a run that runs takes what it says itself.
        Then the longest first, on as many workers as there really are (`at_once`).
        """
        estimates = [self.seconds.get(each.run) for each in statuses if each.state in _LEFT]
        if None in estimates:
            return None
        known = [(self.seconds.get(each.run), _taken(each)) for each in statuses]
        pairs = [(estimate, taken) for estimate, taken in known if estimate and taken]
        ratio = sum(taken for _, taken in pairs) / sum(estimate for estimate, _ in pairs) if pairs else 1.0

        def left(each: RunStatus) -> float:
            if each.state == "running" and each.seconds_left is not None:
                return each.seconds_left
            return (self.seconds.get(each.run) or 0.0) * ratio * _left(each)

        unfinished = [left(each) for each in statuses if each.state in (*_LEFT, "running")]
        return makespan(unfinished, self.at_once(statuses))

    def at_once(self, statuses: Sequence[RunStatus]) -> int:
        """Return how many runs train at once: never more than asked for, but what was asked for may be far more.

        `jobs: 100` on a cluster that gives four cores is four at once: where runs wait and some run, it is as many as
        ever overlapped since the first of those that run now began, or in the last minute: of short runs one may
        have ended whose place is not yet taken. Before the first run, and where nothing waits, it is `workers`.
        """
        spans = [(each, span) for each in statuses if (span := _span(each)) is not None]
        now = [span for each, span in spans if each.state == "running"]
        if not now or not any(each.state in _LEFT for each in statuses):
            return max(self.workers, 1)
        since = min(time.time() - _LATELY, *(began for began, _ in now))
        recent = [span for _, span in spans if span[1] >= since]
        changes = sorted([(began, 1) for began, _ in recent] + [(ended, -1) for _, ended in recent])
        most = max(itertools.accumulate(change for _, change in changes))
        return max(1, min(self.workers, most))


def read_forecast(study: str) -> Forecast | None:
    """Return the forecast of a study, or None where there is none."""
    try:
        content = read_json(_file(study))
        # Version 0.1.0 wrote a zero where it knew nothing.
        seconds = {str(run): float(each) if each else None for run, each in content["seconds"].items()}
        upstreams = [str(each) for each in content.get("upstreams", [])]
        return Forecast(seconds, int(content["workers"]), bool(content.get("measured", False)), upstreams)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent or damaged: it is only shown
        return None


def _taken(status: RunStatus) -> float | None:
    """Return the seconds that a run took, or will have taken by what it says now; None where that is unknown."""
    elapsed = status.facts.get("elapsed")
    if elapsed is None:
        return None
    if status.state in DONE:
        return float(elapsed)
    left = status.facts.get("seconds_left")
    return float(elapsed) + float(left) if status.state == "running" and left is not None else None


def _left(status: RunStatus) -> float:
    """Return the part of a run that is still to be done: by what it last said, in the midst of an epoch, too."""
    seconds, elapsed = status.facts.get("seconds_left"), status.facts.get("elapsed")
    if seconds is not None and elapsed:
        return float(seconds) / (float(seconds) + float(elapsed))
    epoch, epochs = status.facts.get("epoch"), status.facts.get("epochs")
    return 1 - epoch / epochs if epoch and epochs else 1.0


def _span(status: RunStatus) -> tuple[float, float] | None:
    """Return when a run's last attempt began and ended (now, for one that runs), as seconds; None where unknown.

    Times are rounded: an end is taken a little earlier, so that runs one after the other never overlap.
    """
    elapsed, updated = status.facts.get("elapsed"), status.facts.get("updated")
    if elapsed is None or updated is None:
        return None
    end = updated.timestamp()
    began = end - float(elapsed)
    return began, time.time() if status.state == "running" else max(began, end - 0.2)


def _file(study: str) -> Path:
    return paths.study_folder(study) / "forecast.json"
