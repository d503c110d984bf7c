"""The same set of runs both ways, one after the other on the same machine: the plain loop, then the whole workflow.

    python benchmarks/study_speed.py data/<dataset> --epochs 1

Ours is everything a person waits for: `snakemake` from its start to the rendered report, initial weights from scratch.
Prints seconds of each part and the ratio. Nothing else should run on the machine meanwhile.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def plain(args: argparse.Namespace) -> tuple[float, list[dict]]:
    """Return the seconds of the plain loop as a whole process, and its runs."""
    command = [
        *(sys.executable, str(ROOT / "benchmarks" / "plain_loop.py"), str(args.store.resolve())),
        *("--models", *args.models, "--fractions", *args.fractions, "--workers", str(args.workers)),
        *("--epochs", str(args.epochs), "--batch-size", str(args.batch_size)),
    ]
    began = time.perf_counter()
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return time.perf_counter() - began, json.loads(output)


def ours(args: argparse.Namespace) -> tuple[float, list[dict]]:
    """Return the seconds of the workflow from start to report, and its runs (rows of results.csv)."""
    info = json.loads((args.store / "dataset.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("Snakefile", "workflow", "profiles", "templates", "src"):
            (root / name).symlink_to(ROOT / name)
        (root / "data").mkdir()
        (root / "data" / info["name"]).symlink_to(args.store.resolve())
        settings = {key: value for key, value in info["settings"].items() if value is not None}
        study = {
            "dataset": {"source": info["source"], **settings},
            "recipe": {
                "image_size": info["image_size"],
                "model": args.models,
                "fraction": args.fractions,
                "epochs": args.epochs,
                "batch_size": args.batch_size,
            },
            "compute": {"precision": args.precision},
        }
        (root / "speed.yaml").write_text(json.dumps(study), encoding="utf-8")  # JSON is YAML
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "all",
            "--quiet",
            "all",
            "--config",
            "study=speed.yaml",
        ]
        began = time.perf_counter()
        subprocess.run(command, cwd=root, check=True, stdout=sys.stderr)
        seconds = time.perf_counter() - began
        with (root / "results" / "speed" / "results.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if args.keep:
            shutil.copytree(root / "results", args.keep, dirs_exist_ok=True)
    return seconds, rows


def main() -> None:
    """Time both and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path, help="folder of a prepared dataset")
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--fractions", nargs="+", default=["1/16", "1/2", "1"])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=0, help="DataLoader workers of the plain loop")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bf16"])
    parser.add_argument("--keep", type=Path, help="copy our results there")
    args = parser.parse_args()
    our_seconds, rows = ours(args)
    plain_seconds, runs = plain(args)
    training = sum(float(row["train_seconds"]) for row in rows)
    inside = sum(float(row["total_seconds"]) for row in rows)
    cores = os.cpu_count() or 1
    trained, measured = (sum(run[f"{key}_seconds"] for run in runs) for key in ("train", "measure"))
    print(f"plain loop: {plain_seconds:.1f} s")
    print(f"  training {trained:.1f} s, measuring {measured:.1f} s")
    for run in runs:
        speed = run["images"] * args.epochs / run["train_seconds"]
        print(
            f"  {run['model']} {run['fraction']}: {speed:,.0f} images/s, accuracy {run['test_accuracy']:.3f}"
        )
    print(f"workflow, to the report: {our_seconds:.1f} s")
    print(
        f"  training {training / cores:.1f} s and measuring {(inside - training) / cores:.1f} s (over {cores} cores)"
    )
    print(
        f"  all else (Snakemake, imports, an idle core at the end, report): {our_seconds - inside / cores:.1f} s"
    )
    for row in rows:
        speed, accuracy = float(row["images_per_second"]), float(row["test_accuracy"])
        name = f"{row['model']} {row['fraction']}"
        print(f"  {name}: {speed:,.0f} images/s a job, {row['precision']}, accuracy {accuracy:.3f}")
    print(f"ratio: {plain_seconds / our_seconds:.2f}")


if __name__ == "__main__":
    main()
