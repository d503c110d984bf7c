"""From the files of 1,000 runs of 100 epochs to the finished report: time and memory of every step.

    python benchmarks/report_scale.py                           # 1,000 runs x 100 epochs, made up
    python benchmarks/report_scale.py --runs 100 --epochs 10
    python benchmarks/report_scale.py --study quickstart        # a finished study of this checkout, on a copy

Each step is the command that the workflow runs, in a fresh process; time is in wall-clock seconds, memory the
process's peak resident set in MiB.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
FRACTIONS = ("1/32", "1/16", "1/8", "1/4", "1/2")
BATCH_SIZES = (32, 64, 128, 256)


def make_up(root: Path, runs: int, epochs: int) -> None:
    """Write the files of a made-up study, `scale`, of CIFAR-10's size."""
    sys.path.insert(0, str(PROJECT / "tests"))
    from synthetic import write_synthetic_study

    seeds = max(1, runs // 200)
    write_synthetic_study(
        root,
        study="scale",
        models=("resnet18", "resnet34", "resnet50", "vgg16", "densenet121"),
        inits=("none", "IMAGENET1K_V1"),
        fractions=FRACTIONS,
        seeds=range(seeds),
        epochs=epochs,
        train_images=50_000,
        test_images=10_000,
        extra={"batch sizes": {"batch_size": BATCH_SIZES}},
    )


def measure(root: Path, *arguments: str) -> tuple[float, float]:
    """Run `scalestudy` in `root`; return its wall-clock seconds and peak memory in MiB."""
    start = time.perf_counter()
    with (root / "output.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scalestudy", *arguments], cwd=root, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit((root / "output.log").read_text())
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Measure every step after training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--study", help="measure a finished study of this checkout instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if options.study:
            name = options.study
            shutil.copytree(PROJECT / "results" / name, root / "results" / name)
            (root / "data").symlink_to(PROJECT / "data")
        else:
            name = "scale"
            # A process of its own: a child's peak memory is never less than its parent's as it starts.
            making = multiprocessing.get_context("spawn").Process(
                target=make_up, args=(root, options.runs, options.epochs)
            )
            making.start()
            making.join()
        (root / "templates").symlink_to(PROJECT / "templates")
        total = 0.0
        for step in (["collect"], ["analyse"], ["figure", "all"], ["render"]):
            seconds, memory = measure(root, *step, name)
            total += seconds
            print(f"{' '.join(step):<12} {seconds:6.1f} s {memory:7.0f} MiB", flush=True)
        page = root / "report" / name / "report.html"
        print(f"{'all':<12} {total:6.1f} s; report.html {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
