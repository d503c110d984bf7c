"""A folder as a user has it on a cluster: a copy of the project, a small study, Snakemake started in it."""

import compileall
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blank_drawing import draw_blanks

PROJECT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "profiles", "templates", "src")
EPOCHS = 6
HELD_AFTER = 2  # epochs that a run trains before it waits to be let go
POLL = 4  # seconds between Snakemake's questions about its jobs
COMMON = ("--latency-wait", "20")
PLUGIN = (
    "snakemake",
    "--profile",
    "profiles/slurm",
    "--slurm-init-seconds-before-status-checks",
    "2",
    *COMMON,
)
GENERIC = (
    *("snakemake", "--profile", "profiles/cluster"),
    *("--seconds-between-status-checks", str(POLL), *COMMON),
)
TO_THE_TABLE = ("--until", "collect")
SAVE = """\
                training.save(checkpoint, fingerprint, progress.say)
"""
HOLD = f"""\
                hold = checkpoint.parents[1] / f"hold-{{settings.seed}}"
                while epoch >= {HELD_AFTER} and hold.exists() and not stop_asked():
                    time.sleep(0.05)
"""
# Everything that could differ between two processes on a machine is fixed: precision above all, which `auto` times.
STUDY = f"""\
title: "A small study on a cluster"
dataset: {{source: digits, test_fraction: 1/20}}
compute: {{precision: float32}}
recipe: {{model: resnet18, fraction: 1/16, batch_size: 32, epochs: {EPOCHS}, lr: 1e-3, dropout: 0.2}}
experiments:
  seeds:
    grid: {{seed: %s}}
"""


@dataclass(frozen=True)
class Study:
    """One study's folder of results, read as a person would."""

    root: Path
    name: str

    @property
    def results(self) -> Path:
        """The folder of its results."""
        return self.root / "results" / self.name

    @property
    def report(self) -> Path:
        """Its page."""
        return self.root / "report" / self.name / "report.html"

    def run(self, seed: int) -> Path | None:
        """Return the folder of the run with that seed, once it is there."""
        return next(iter(self.results.glob(f"runs/*_s{seed}-*")), None)

    def status(self, seed: int) -> dict[str, Any]:
        """Return the run's status.json; empty before its job has begun."""
        folder = self.run(seed)
        try:
            return dict(json.loads((folder / "status.json").read_text())) if folder else {}
        except (OSError, ValueError):
            return {}

    @property
    def workers(self) -> int:
        """How many runs at once its forecast counts on."""
        return int(json.loads((self.results / "forecast.json").read_text())["workers"])

    def hold(self, *seeds: int) -> None:
        """Let these runs wait after each epoch from `HELD_AFTER` on, until they are let go or told to stop."""
        self.results.mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            (self.results / f"hold-{seed}").touch()

    def let_go(self, *seeds: int) -> None:
        """Let these runs go on."""
        for seed in seeds:
            (self.results / f"hold-{seed}").unlink(missing_ok=True)

    def is_held(self, seed: int) -> bool:
        """Return whether a run on hold has come so far that it waits, with a checkpoint to go on from."""
        status = self.status(seed)
        trains = status.get("state") == "running" and status["epoch"] >= HELD_AFTER
        return trains and any(self.results.glob(f"checkpoints/*_s{seed}-*.pt"))

    def record(self, seed: int) -> dict[str, Any]:
        """Return what run.json says of the finished run."""
        folder = self.run(seed)
        assert folder is not None
        return dict(json.loads((folder / "run.json").read_text()))

    def log(self, seed: int) -> str:
        """Return the log of the run's last attempt."""
        (path,) = self.results.glob(f"logs/train/*_s{seed}-*.log")
        return path.read_text()

    def metrics(self, seed: int) -> list[dict[str, str]]:
        """Return the rows of metrics.csv, times aside, as text."""
        folder = self.run(seed)
        assert folder is not None
        with (folder / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == EPOCHS
        return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows]


class Workplace:
    """The copy of the project; `start` runs a command in it, whose output `log` gives."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self.root = root
        self.environ = environ
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for part in PARTS:
            if (PROJECT / part).is_dir():
                shutil.copytree(PROJECT / part, root / part, ignore=ignored)
            else:
                shutil.copy2(PROJECT / part, root / part)
        # These runs are too short for a checkpoint every few seconds: here they save after each epoch. And on a busy
        # machine they may be over before anybody looks: after that they wait, while `Study.hold` asks them to.
        loop = root / "src" / "scalestudy" / "training" / "loop.py"
        text = loop.read_text()
        for old, new in (
            ("SECONDS_BETWEEN_CHECKPOINTS = 5.0", "SECONDS_BETWEEN_CHECKPOINTS = 0.0"),
            (SAVE, SAVE + HOLD),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        loop.write_text(text)
        draw_blanks(root)
        compileall.compile_dir(root / "src", quiet=1)  # once, and not in each of a hundred processes

    def study(self, name: str, *seeds: int, root: Path | None = None) -> Study:
        """Write a study of one run for each seed, into the project or another folder."""
        root = root or self.root
        (root / "config").mkdir(exist_ok=True)
        (root / "config" / f"{name}.yaml").write_text(STUDY % list(seeds))
        return Study(root, name)

    def status(self, study: Study) -> str:
        """Return what `scalestudy status` says: a process of half a second, so not to be asked without a pause."""
        words = ["scalestudy", "status", study.name]
        done = subprocess.run(words, cwd=study.root, env=self.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self, study: Study) -> str:
        """Return all that the commands for this study have printed."""
        return self._log(study).read_text()

    def _log(self, study: Study) -> Path:
        return self.root / f"{study.name}.log"

    @contextmanager
    def start(self, study: Study, *command: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
        """Start Snakemake, or another command, for a study; end it with the block, whatever happens."""
        with self._log(study).open("ab") as output:
            process = subprocess.Popen(
                [*command, "--config", f"study={study.name}"],
                cwd=self.root,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def finish(self, study: Study, *command: str | Path, seconds: float = 600) -> None:
        """Run Snakemake for a study to its end."""
        with self.start(study, *command) as process:
            self.wait_for_end(study, process, seconds)

    def wait_for_end(self, study: Study, process: "subprocess.Popen[bytes]", seconds: float = 600) -> None:
        """Wait until Snakemake has ended well; otherwise fail with its output."""
        try:
            code: int | str = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = "none, still running"
        if code != 0:
            pytest.fail(f"exit code {code}\n{self.log(study)}")

    def wait(
        self, study: Study, what: str, true: Callable[[], object], seconds: float = 240, every: float = 0.1
    ) -> float:
        """Wait until something holds; return the moment. Fail with Snakemake's output where it never does."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                pytest.fail(f"waited in vain: {what}\n{self.log(study)}")
            time.sleep(every)
        return time.monotonic()


def slurm_job(pid: int) -> str:
    """Return the Slurm job that a process belongs to."""
    found = re.search(rb"(?:^|\0)SLURM_JOB_ID=(\d+)", Path(f"/proc/{pid}/environ").read_bytes())
    assert found is not None
    return found.group(1).decode()
