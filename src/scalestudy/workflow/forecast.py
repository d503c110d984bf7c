"""How long the rest of a study takes: the estimates of its start, corrected by the runs that have ended since."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scalestudy.files import read_json, write_json
from scalestudy.results.status import RunStatus
from scalestudy.study import paths
from scalestudy.workflow.estimate import makespan

_DONE = ("complete", "diverged")


@dataclass(frozen=True)
class Forecast:
    """Estimated seconds of each run before the study began, and how many train at once.

    `measured` says whether all speeds behind it were measured on this machine.
    """

    seconds: dict[str, float]
    workers: int
    measured: bool = False

    @property
    def total(self) -> float:
        """Seconds from start to end with `workers` runs at once."""
        return makespan(self.seconds.values(), self.workers)

    def write(self, study: str) -> None:
        """Keep the forecast beside the study's results, unless one for these runs is there: the first counts."""
        kept = read_forecast(study)
        if kept is None or kept.seconds.keys() != self.seconds.keys():
            write_json(
                _file(study),
                {
                    "workers": self.workers,
                    "measured": self.measured,
                    "total": round(self.total, 1),
                    "seconds": self.seconds,
                },
            )

    def seconds_left(self, statuses: Sequence[RunStatus]) -> float:
        """Return the seconds until all these runs have ended.

        A run that waits takes its estimate times what the ended and running ones have taken against theirs; a run
        that runs takes what it says itself. Then the longest first on `workers` workers.
        """
        known = [(self.seconds.get(each.run), _taken(each)) for each in statuses]
        pairs = [(estimate, taken) for estimate, taken in known if estimate and taken]
        ratio = sum(taken for _, taken in pairs) / sum(estimate for estimate, _ in pairs) if pairs else 1.0
        left = [each.seconds_left for each in statuses if each.state == "running"]
        running = [seconds for seconds in left if seconds is not None]
        waiting = [self.seconds.get(each.run, 0.0) * ratio for each in statuses if each.state == "waiting"]
        return makespan([*running, *waiting], max(self.workers, 1))


def read_forecast(study: str) -> Forecast | None:
    """Return the forecast that was made when the study began, or None where there is none."""
    try:
        content = read_json(_file(study))
        return Forecast(content["seconds"], content["workers"], content.get("measured", False))
    except (OSError, ValueError, KeyError):
        return None


def _taken(status: RunStatus) -> float | None:
    """Return the seconds that a run took, or will have taken by what it says now; None where that is unknown."""
    elapsed = status.facts.get("elapsed")
    if elapsed is None:
        return None
    if status.state in _DONE:
        return float(elapsed)
    left = status.facts.get("seconds_left")
    return float(elapsed) + float(left) if status.state == "running" and left is not None else None


def _file(study: str) -> Path:
    return paths.study_folder(study) / "forecast.json"
