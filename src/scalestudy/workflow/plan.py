"""The study as the workflow sees it: each job's inputs, command and resources, looked up by wildcard."""

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from scalestudy.errors import UserError, disk_fault
from scalestudy.report.preflight import check_report_libraries
from scalestudy.report.wording import counted
from scalestudy.results.read import read_status
from scalestudy.results.record import WEIGHTS
from scalestudy.study import paths
from scalestudy.study.config import find_study, load_study
from scalestudy.study.runs import Run, plan_runs
from scalestudy.training.events import require_tensorboard
from scalestudy.workflow import commands
from scalestudy.workflow.asked import AS_TYPED, asked_for, check_owner
from scalestudy.workflow.estimate import Estimate, Speeds, dataset_sizes, estimate, relative_costs
from scalestudy.workflow.forecast import Forecast
from scalestudy.workflow.lock import hold_preparation, lock_study
from scalestudy.workflow.starting import Start
from scalestudy.workflow.stock import Stock, clear, say, take_stock
from scalestudy.workflow.study_record import study_record

# A priority. That of a training job is the seconds that it takes, in centuries no more than this.
BEFORE_ALL_RUNS = 10**12


class Plan:
    """All jobs of a study. Rules ask it for what belongs to a wildcard, and hold no logic of their own."""

    def __init__(
        self,
        config: Mapping[str, Any],
        configfiles: Sequence[Path | str] = (),
        typed: Sequence[str] = (),
    ) -> None:
        """Load the study that Snakemake's `config` names; every other key of it wins over the file.

        A file given with --configfile that holds a whole study is that study. `typed`: the words after --config.
        """
        spec, overrides = asked_for(config, configfiles, typed)
        self.study = load_study(spec, overrides)
        self.name = self.study.name
        self.file = str(find_study(spec))
        self.overrides = overrides
        self.runs = {run.name: run for run in plan_runs(self.study)}
        self.sources = {run.weights.name: run.weights for run in self.runs.values() if run.weights}
        self.upstreams = {name: source.upstream for name, source in self.sources.items() if source.upstream}
        self.threads = self.study.compute.threads
        words = {
            key: commands.as_typed(value) if key in AS_TYPED else json.dumps(value)
            for key, value in overrides.items()
        }
        given = [part for key, value in words.items() for part in ("--config", f"{key}={value}")]
        self.arguments = shlex.join([spec, *given])
        trained = [*self.runs.values(), *self.upstreams.values()]
        self.datasets = {run.dataset: (run.dataset_settings, run.settings.image_size) for run in trained}
        self._known_sizes: dict[str, tuple[int, int] | None] = {}
        self._stock: Stock | None = None
        self._again: set[str] = set()

    def begin(self, started: Start) -> list[str]:
        """Look at what is there, before Snakemake does; return the files that are there, and that it is to make again.

        A start that runs jobs takes the study for itself, and takes what is damaged out of the way.
        Raises UserError where another process works on the study, or the results are another study's.
        """
        if started == "other":
            return []
        check_owner(self.record)
        if started == "run":
            lock_study(self.name)
        self._stock = take_stock(self.record, self.figures, self.datasets, self.sources)
        if started == "run":
            clear(self._stock, self.name)
            self._note_runs_without_weights(self._stock)
            if not self._is_finished(self._stock):
                self._check_what_jobs_need(self._stock)
                hold_preparation(self._stores_to_prepare(self._stock))
            return [str(path) for path in self._stock.stale]
        say(self._stock, "it will be made again")
        self._note_runs_without_weights(self._stock)
        self._again = {*self.runs, *self.sources} - self._stock.done
        to_train = [run for name, run in self.runs.items() if name not in self._stock.done]
        wanted = {*self.results, *self.repairs, *self.files("run.json")}
        wanted |= {str(paths.weights_record(run.weights.name)) for run in to_train if run.weights}
        return [file for file in self._stock.made_again() if file in wanted]

    def _left(self, stock: Stock) -> list[Run]:
        """Return the runs and upstream stages that are not done."""
        return [run for name, run in {**self.runs, **self.upstreams}.items() if name not in stock.done]

    def _stores_to_prepare(self, stock: Stock) -> set[Path]:
        """Return the folders of the datasets that are not there, and that runs or upstream stages wait for."""
        records = {Path(self.store(run.dataset)) for run in self._left(stock)}
        return {record.parent for record in records if not record.is_file()}

    def _note_runs_without_weights(self, stock: Stock) -> None:
        """Say which finished runs have no weights though the study keeps them: that alone trains nothing again."""
        if not self.study.save_weights:
            return
        done = [paths.run_folder(self.name, run) for run in self.runs if run in stock.done]
        without = [folder for folder in done if not (folder / WEIGHTS).exists()]
        without = [folder for folder in without if read_status(folder).get("state") != "diverged"]
        if without:
            more = ", ..." if len(without) > 1 else ""
            print(
                f"note: {counted(len(without), 'finished run')} without {WEIGHTS}, from before save_weights; to train "
                f"again, remove the folder: {without[0]}{more}",
                file=sys.stderr,
            )

    def _is_finished(self, stock: Stock) -> bool:
        """Return whether nothing is left to be made."""
        return not (stock.damaged or stock.stale) and all(Path(file).exists() for file in self.everything())

    def _check_what_jobs_need(self, stock: Stock) -> None:
        """Raise UserError where a job would fail in hours for what can be known now: libraries, folders to write to."""
        check_report_libraries()
        if self.study.compute.tensorboard:
            require_tensorboard()
        self._require_folders_to_write_to(stock)

    def _require_folders_to_write_to(self, stock: Stock) -> None:
        """Raise UserError where something is to be made in a folder that cannot be written to."""
        to_train = [run for name, run in self.runs.items() if name not in stock.done]
        needed = {
            *(Path(self.store(run.dataset)) for run in to_train),
            *(paths.weights_record(run.weights.name) for run in to_train if run.weights),
        }
        folders = [file.parent for file in sorted(needed) if not file.exists()]
        for folder in (*folders, paths.study_folder(self.name), paths.report_folder(self.name)):
            while not folder.exists():
                folder = folder.parent
            try:
                TemporaryFile(dir=folder).close()
            except OSError as error:
                raise UserError(disk_fault(OSError(error.errno, error.strerror, str(folder)))) from None

    @property
    def repairs(self) -> list[str]:
        """The records of dataset stores that this start found damaged: made again, though no run may wait for them."""
        damaged = self._stock.damaged if self._stock else {}
        return [store for name in self.datasets if Path(store := self.store(name)) in damaged]

    @property
    def _sizes(self) -> dict[str, tuple[int, int] | None]:
        """Training and test images of each dataset; None where nobody knows them before it is prepared."""
        for name, (settings, _) in self.datasets.items():
            known = self._known_sizes.get(name)
            if name not in self._known_sizes or (known is None and Path(self.store(name)).is_file()):
                self._known_sizes[name] = dataset_sizes(settings, name)
        return self._known_sizes

    @cached_property
    def record(self) -> dict[str, Any]:
        """The resolved study, as `study.json` has it."""
        return study_record(self.study, list(self.runs.values()), Path(self.file), self.overrides)

    @cached_property
    def figures(self) -> dict[str, str]:
        """The figures that the study's report has: the title of each, by its name."""
        from scalestudy.topics import figure_cards, figure_names

        cards = figure_cards()
        return {name: cards[name][1].title for name in figure_names(self.record)}

    def files(self, *names: str) -> list[str]:
        """Return the path of each of these files for every run."""
        return [str(paths.run_folder(self.name, run) / name) for run in self.runs for name in names]

    @property
    def results(self) -> list[str]:
        """The files that follow from the runs, from the resolved study to the report."""
        folder, report = paths.study_folder(self.name), paths.report_folder(self.name)
        tables = [folder / name for name in ("study.json", "results.csv", "curves.csv", "findings.json")]
        figures = [
            folder / "figures" / f"{name}.{kind}" for name in self.figures for kind in ("svg", "png", "csv")
        ]
        return [str(path) for path in (*tables, *figures, report / "report.html", report / "report.md")]

    def everything(self) -> list[str]:
        """Return every file that a finished study has: what is missing anywhere is made, whatever stands further on."""
        return [*self.results, *self.repairs, *self.files("run.json")]

    def stores(self) -> list[str]:
        """Return the record of each dataset that the study's own runs use."""
        return sorted({self.store(run.dataset) for run in self.runs.values()})

    @staticmethod
    def store(dataset: str) -> str:
        """Return the record whose presence says that a dataset is prepared."""
        return str(paths.dataset_folder(dataset) / "dataset.json")

    def labels(self, run: str) -> dict[str, str]:
        """Return what tells a run from the others in Snakemake's own report."""
        settings = self.runs[run].settings.model_dump(mode="json")
        return {key: str(settings[key]) for key in dict.fromkeys(("model", "init", "fraction", *self.varied))}

    @cached_property
    def varied(self) -> list[str]:
        """The settings of which the study has more than one value."""
        every = [run.settings.model_dump(mode="json") for run in self.runs.values()]
        return [key for key in every[0] if len({str(settings[key]) for settings in every}) > 1]

    def run_data(self, run: str) -> list[str]:
        """Return the dataset record that `run` waits for."""
        return self._needed(run, self.store(self.runs[run].dataset))

    def run_weights(self, run: str) -> list[str]:
        """Return the record of the initial weights that `run` waits for, if any."""
        weights = self.runs[run].weights
        return self._needed(run, str(paths.weights_record(weights.name))) if weights else []

    def _needed(self, name: str, file: str) -> list[str]:
        """Return the file that a run, or initial weights, wait for; nothing where they are done without it.

        What it holds decides, not its time, so it is `ancient`: what is made from other contents was taken away at the
        start. A dry run takes nothing away: there the file's being made again makes again what waits for it.
        """
        from snakemake.io import ancient  # not for those who read a plan without Snakemake

        done = self._stock is not None and name in self._stock.done
        if done and not Path(file).exists():
            return []
        return [file if name in self._again else ancient(file)]

    def check_for_snakemakes_report(self, words: Sequence[str]) -> None:
        """Raise UserError where Snakemake is asked for its own report, which needs every run, and some are missing."""
        asked = any(word == "--report" or word.startswith("--report=") for word in words)
        if not asked or "--report-after-run" in words:
            return
        missing = [
            run for run in self.runs if not Path(paths.run_folder(self.name, run), "metrics.csv").is_file()
        ]
        if missing:
            raise UserError(
                f"Snakemake's own report needs every run, and {len(missing):,} of {len(self.runs):,} are missing "
                f"({missing[0]}{', ...' if len(missing) > 1 else ''}). Finish the study first: "
                f"{self.record['start']}; or read the report of what is there: scalestudy report {self.arguments}"
            )

    def train(self, run: str) -> str:
        """Return the arguments of `scalestudy train` for `run`."""
        return commands.train_command(self.study, self.runs[run])

    def upstream_data(self, weights: str) -> list[str]:
        """Return the dataset record that an upstream stage waits for."""
        return self._needed(weights, self.store(self.upstreams[weights].dataset))

    def pretrain(self, weights: str) -> str:
        """Return the arguments of `scalestudy pretrain` for an upstream stage."""
        return commands.pretrain_command(self.study, self.upstreams[weights])

    def fetch(self, weights: str) -> str:
        """Return the arguments of `scalestudy fetch-weights`."""
        return commands.fetch_command(self.sources[weights])

    def prepare(self, dataset: str) -> str:
        """Return the arguments of `scalestudy prepare`."""
        settings, image_size = self.datasets[dataset]
        return commands.prepare_command(settings, dataset, image_size)

    def preparation_threads(self, dataset: str) -> int:
        """Return the threads to prepare a dataset with: image files are decoded on as many cores as there are."""
        settings, _ = self.datasets[dataset]
        return 16 if settings.decodes_files else 1

    def preparation_priority(self, dataset: str) -> int:
        """Return the priority of preparing a dataset: before all else, and first what needs many cores at once.

        Snakemake keeps no core free for a job that needs several: once others have begun, it waits for all of them.
        """
        return BEFORE_ALL_RUNS + self.preparation_threads(dataset)

    @cached_property
    def speeds(self) -> Speeds:
        """Speeds measured on this machine."""
        return Speeds.of_machine(self.study.compute)

    def estimate(self, name: str) -> Estimate:
        """Return what a run, or an upstream stage, will take."""
        run = self.runs.get(name) or self.upstreams[name]
        return estimate(run, self.speeds, self._sizes[run.dataset], self.study.compute.train_eval)

    def start(self, workers: int, here: bool) -> None:
        """Keep what the study is expected to take, with `workers` runs at once, before its first job starts.

        Where several of them run `here`, not on nodes of a scheduler, they need not load torch one by one.
        """
        if sys.platform == "linux" and here and self._stock is not None and len(self._left(self._stock)) > 1:
            from scalestudy import forkserver

            self._forkserver = forkserver.start(self.threads)
        estimates = {name: self.estimate(name) for name in (*self.upstreams, *self.runs)}
        seconds = {name: each.seconds and round(each.seconds, 1) for name, each in estimates.items()}
        measured = all(each.measured for each in estimates.values())
        Forecast(seconds, workers, measured, list(self.upstreams)).write(self.name)

    def priority(self, name: str) -> int:
        """Return a job's priority: what it takes, and then the longest job that waits for it.

        The longest start first, and no core idles at the end (Graham 1969, critical path included).
        """
        after = (self._costs[run.name] for run in self._waiting.get(name, ()))
        return max(1, round(self._costs[name] + max(after, default=0.0)))

    @cached_property
    def _costs(self) -> dict[str, float]:
        jobs = {**self.runs, **self.upstreams}
        return relative_costs(jobs, self.speeds, self._sizes, self.study.compute.train_eval)

    @cached_property
    def _waiting(self) -> dict[str, list[Run]]:
        """The runs that wait for each upstream stage."""
        waiting: dict[str, list[Run]] = {}
        for run in self.runs.values():
            if run.weights and run.weights.upstream:
                waiting.setdefault(run.weights.name, []).append(run)
        return waiting

    def memory_mb(self, name: str, attempt: int) -> int:
        """Return the memory to ask a scheduler for, in MiB: the estimate, a quarter more, half more each retry."""
        return math.ceil(self.estimate(name).memory_mb * 1.25 * (1 + 0.5 * (attempt - 1)))

    def minutes(self, name: str, attempt: int) -> int:
        """Return the time to ask a scheduler for, in minutes: thrice the estimate, at least 15, more each retry."""
        seconds = self.estimate(name).seconds
        return math.ceil(max(15.0, 3 * seconds / 60 if seconds else 240.0) * attempt)


def project_files(*patterns: str) -> list[str]:
    """Return the project's files that match any of `patterns`; relative paths where the workflow runs in its root."""
    root = Path(__file__).parents[3]
    found = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(os.path.relpath(path) if root == Path.cwd() else str(path) for path in found)


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression that matches these names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"
