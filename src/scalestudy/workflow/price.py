"""What a study takes before it has run: each job's estimate, the sizes of its data, the room that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from scalestudy.errors import UserError
from scalestudy.machine import usable_cpus
from scalestudy.report.wording import counted
from scalestudy.study.config import Study
from scalestudy.study.paths import run_folder
from scalestudy.study.runs import Run
from scalestudy.workflow.disk import Room, rooms
from scalestudy.workflow.estimate import Estimate, Speeds, count_images, estimate, makespan, speed_key


@dataclass(frozen=True)
class Price:
    """jobs: upstream stages, then the study's runs, each with its estimate. at_once: jobs that train side by side.

    unsized: for each dataset whose size nobody knows yet, why.
    """

    jobs: list[Run]
    estimates: list[Estimate]
    upstreams: int
    at_once: int
    rooms: list[Room]
    unsized: list[UserError]

    @property
    def known_seconds(self) -> list[float]:
        """Seconds of each job for which they are known."""
        return [each.seconds for each in self.estimates if each.seconds is not None]

    @property
    def seconds(self) -> float | None:
        """Seconds from start to end; None where not all are known."""
        if len(self.known_seconds) < len(self.jobs):
            return None
        return makespan(self.known_seconds, self.at_once)


def price(study: Study, runs: Sequence[Run], *, calibrate: bool, workers: int | None = None) -> Price:
    """Return what the study takes on this machine; `calibrate`: measure the speeds that are not known yet first."""
    upstreams = {
        run.weights.name: run.weights.upstream for run in runs if run.weights and run.weights.upstream
    }
    jobs = [*upstreams.values(), *runs]
    train_eval = study.compute.train_eval
    folders = (run_folder(study.name, run.name) for run in runs)
    speeds = Speeds.of_machine(study.compute).with_finished(folders, train_eval)
    unknown = {speed_key(run.settings): run.settings for run in jobs if speeds.find(run.settings) is None}
    if unknown and calibrate:
        from scalestudy.training.calibration import measure_speeds

        print(f"measuring {counted(len(unknown), 'kind')} of run on this machine", flush=True)
        speeds = measure_speeds(unknown.values(), study.compute, speeds)
    sizes: dict[str, tuple[int, int] | None] = {}
    unsized: list[UserError] = []
    for dataset, settings in {run.dataset: run.dataset_settings for run in jobs}.items():
        try:
            sizes[dataset] = count_images(settings, dataset)
        except UserError as error:
            sizes[dataset] = None
            unsized.append(error)
    at_once = workers or max(1, usable_cpus() // study.compute.threads)
    return Price(
        jobs,
        [estimate(run, speeds, sizes[run.dataset], train_eval) for run in jobs],
        len(upstreams),
        at_once,
        rooms(jobs, study.name, sizes, at_once, study.save_weights),
        unsized,
    )
