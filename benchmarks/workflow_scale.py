"""How the workflow grows with a study: 100, 1,000 and 10,000 runs, none of which is trained.

    python benchmarks/workflow_scale.py                 # all three sizes, about four minutes on two cores
    python benchmarks/workflow_scale.py --runs 100 1000

Measured, each in a fresh process: `snakemake -n` with nothing trained; the time from typing `snakemake` to
the first training job (its log file appears; then Snakemake is stopped); a second start of a study in which
everything is done; `scalestudy status` of that study. The runs' files are true ones of runs that never were,
figures and pages are a few bytes. Time is in wall-clock seconds, memory the process's peak resident set in MiB.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scalestudy.data.prepare import prepare_dataset
from scalestudy.files import read_json, sha256_file, write_json
from scalestudy.results.collect import collect
from scalestudy.results.made import Made, source_of_findings, source_of_pages
from scalestudy.results.weights import read_weights_record, write_weights_record
from scalestudy.workflow.plan import Plan

PROJECT = Path(__file__).resolve().parents[1]
sys.path.append(str(PROJECT / "tests"))
from finished import finish  # noqa: E402

STUDY = """\
title: "{runs} runs that nobody trains"
dataset: digits
recipe: {{epochs: 5}}
experiments:
  everything:
    title: Everything
    grid:
      model: [{models}]
      fraction: [1/16, 1/8, 1/4, 1/2, 1]
      init: [none, IMAGENET1K_V1]
      lr: [{rates}]
      batch_size: [{sizes}]
      seed: [0, 1, 2, 3, 4]
"""
MODELS = [
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"),
    *("wide_resnet50_2", "densenet121", "densenet169", "densenet201", "mobilenet_v2", "mobilenet_v3_small"),
    *("mobilenet_v3_large", "efficientnet_b0", "efficientnet_b1", "regnet_y_400mf", "regnet_y_800mf"),
    *("shufflenet_v2_x1_0", "mnasnet1_0"),
]
RATES = ("1e-3", "3e-4", "1e-4", "3e-5", "1e-5")
# runs -> models, learning rates, batch sizes; times 5 fractions, 2 inits, 5 seeds.
GRIDS = {100: (2, 1, 1), 1_000: (20, 1, 1), 10_000: (20, 5, 2)}


@dataclass(frozen=True)
class Cost:
    """What a command took: wall-clock seconds, and peak memory in MiB."""

    seconds: float
    memory: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.memory:,.0f} MiB"


def main() -> None:
    """Measure every size that the command line names and print one table, a row each as it is done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", choices=GRIDS, default=list(GRIDS))
    sizes: list[int] = parser.parse_args().runs
    print("| runs | `snakemake -n` | first job starts after | all done: second start | `scalestudy status` |")
    print("|---:|---|---|---|---|", flush=True)
    for runs in sizes:
        with tempfile.TemporaryDirectory(prefix="workflow-scale-") as folder, contextlib.chdir(folder):
            costs = measure(runs)
        print(f"| {runs:,} | {' | '.join(map(str, costs))} |", flush=True)


def measure(runs: int) -> list[Cost]:
    """Return the four costs of a study of that many runs, in the current, empty folder."""
    make_project(runs)
    plan = Plan({"study": "scale"})
    assert len(plan.runs) == runs, len(plan.runs)
    make_inputs(plan)
    snakemake = ["snakemake", "--cores", "2", "--quiet", "all", "--config", "study=scale"]
    dry_run = run([*snakemake, "--dry-run"])
    first_job = time_to_first_job(snakemake)
    make_results(plan)
    return [dry_run, first_job, run(snakemake), run(["scalestudy", "status", "scale"])]


def make_project(runs: int) -> None:
    """Lay out the workflow and a study of that many runs in the current folder."""
    for name in ("Snakefile", "workflow", "profiles", "src", "templates"):
        Path(name).symlink_to(PROJECT / name)
    models, rates, sizes = GRIDS[runs]
    study = STUDY.format(
        runs=runs,
        models=", ".join(MODELS[:models]),
        rates=", ".join(RATES[:rates]),
        sizes=", ".join(["256", "64"][:sizes]),
    )
    Path("config").mkdir()
    Path("config", "scale.yaml").write_text(study, encoding="utf-8")


def make_inputs(plan: Plan) -> None:
    """Prepare the dataset, and pretend the initial weights."""
    for name, (settings, image_size) in plan.datasets.items():
        with contextlib.redirect_stdout(sys.stderr):
            prepare_dataset(settings, image_size, Path("data", name))
    for weights in plan.sources:
        pretend(Path("weights", weights, "weights.pth"))
        write_weights_record(
            Path("weights", weights), "pretended", sha256_file(Path("weights", weights, "weights.pth"))
        )


def make_results(plan: Plan) -> None:
    """Let every run be complete and the report be there: true run files and tables, pages of a few bytes."""
    shutil.rmtree(f"results/{plan.name}", ignore_errors=True)
    stores = {name: read_json(Path(plan.store(name)))["sha256"] for name in plan.datasets}
    for each in plan.runs.values():
        weights = read_weights_record(Path("weights", each.weights.name))["sha256"] if each.weights else ""
        finish(plan.name, each, dataset_sha256=stores[each.dataset], weights_sha256=weights)
    folder = collect(plan.record, plan.record["runs"], Path())
    made = Made.of(folder)
    write_json(folder / "findings.json", {})
    made.add([folder / "findings.json"], source_of_findings(folder))
    rest = [Path(name) for name in plan.results if "/figures/" in name or name.startswith("report/")]
    for path in rest:
        pretend(path)
    made.add(rest, source_of_pages(folder))


def pretend(path: Path) -> None:
    """Make a file of a few bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n", encoding="utf-8")


def run(command: list[str]) -> Cost:
    """Return what `command` took; CalledProcessError, after its output, where it fails."""
    return cost_until(command, lambda process: process.poll() is not None)


def time_to_first_job(command: list[str]) -> Cost:
    """Return what passes until the first training job's log appears; then end Snakemake and its jobs."""
    logs = Path("results", "scale", "logs", "train")
    cost = cost_until(command, lambda process: any(logs.glob("*.log")))
    shutil.rmtree(".snakemake")
    return cost


def cost_until(command: list[str], done: Callable[["subprocess.Popen[bytes]"], bool]) -> Cost:
    """Start `command`, and return what it took until `done`; what still runs then is killed.

    Raises CalledProcessError, after printing the command's output, where it fails.
    """
    memory = 0.0
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=environ
        )
        while not done(process) and process.poll() is None:
            memory = max(memory, peak_memory(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        elif process.returncode != 0:
            output.seek(0)
            sys.stderr.buffer.write(output.read())
            raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds, memory)


def peak_memory(pid: int) -> float:
    """Return the peak resident set of a running process in MiB; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, flags=re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
