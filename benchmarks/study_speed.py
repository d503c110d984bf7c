"""The same set of runs both ways on the same machine: the assignment's plain loop, and the whole workflow.

    python benchmarks/study_speed.py <folder of images> --epochs 5 --rounds 3

Ours is everything a person waits for on a first start: `snakemake` from its start to the rendered report, with the
folder still to be prepared, initial weights from scratch, and what is measured once for each machine still to be
measured. (Given a prepared dataset in place of a folder of images, that is used as it is.) The plain loop has its
images in memory when it starts.

Both sides run once a round, in turns; shown are medians and ranges over the rounds, as Markdown, with the processor,
the commit and what else ran meanwhile. A machine that is busy is refused: see `--busy`.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from machine import QUIET, Watch, describe, refuse_if_busy

from scalestudy.data.prepare import prepare_dataset
from scalestudy.files import read_json, write_json
from scalestudy.study.dataset import parse_dataset

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflow", "profiles", "templates", "src")


@dataclass(frozen=True)
class Side:
    """One side of a round: seconds in all, of training and of measuring summed over the runs, images/s by run."""

    seconds: float
    training: float
    measuring: float
    speeds: dict[str, float]
    accuracies: dict[str, float]
    others: float


@dataclass(frozen=True)
class Round:
    """The two sides, one right after the other."""

    plain: Side
    ours: Side

    @property
    def ratio(self) -> float:
        """How often ours fits into the plain loop."""
        return self.plain.seconds / self.ours.seconds


def run_plain(args: argparse.Namespace, store: Path) -> Side:
    """Run the plain loop as a process of its own."""
    command = [
        *(sys.executable, str(ROOT / "benchmarks" / "plain_loop.py"), str(store)),
        *("--models", *args.models, "--fractions", *args.fractions, "--workers", str(args.workers)),
        *("--epochs", str(args.epochs), "--batch-size", str(args.batch_size), "--device", args.device),
    ]
    with Watch() as watch:
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    runs = json.loads(output)
    names = [f"{run['model']} {run['fraction']}" for run in runs]
    return Side(
        watch.seconds,
        sum(run["train_seconds"] for run in runs),
        sum(run["measure_seconds"] for run in runs),
        {
            name: run["images"] * args.epochs / run["train_seconds"]
            for name, run in zip(names, runs, strict=True)
        },
        {name: run["test_accuracy"] for name, run in zip(names, runs, strict=True)},
        watch.others,
    )


def run_ours(args: argparse.Namespace) -> Side:
    """Run the workflow from start to report, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in PARTS:
            (root / name).symlink_to(ROOT / name)
        (root / "speed.yaml").write_text(json.dumps(study(args, root)), encoding="utf-8")  # JSON is YAML
        command = [sys.executable, "-m", "snakemake", "--cores", "all", "--quiet", "all"]
        environ = {**os.environ, "SCALESTUDY_CACHE": str(root / "cache")}
        with Watch() as watch:
            subprocess.run(
                [*command, "--config", "study=speed.yaml"],
                cwd=root,
                env=environ,
                check=True,
                stdout=sys.stderr,
            )
        return side_of(root / "results" / "speed" / "results.csv", watch)


def study(args: argparse.Namespace, root: Path) -> dict[str, object]:
    """Return the study of all runs; a dataset that is prepared is put where the workflow looks for it."""
    if is_prepared(args.images):
        info = read_json(args.images / "dataset.json")
        (root / "data").mkdir()
        (root / "data" / info["name"]).symlink_to(args.images.resolve())
        settings = {key: value for key, value in info["settings"].items() if value is not None}
        dataset, side = {"source": info["source"], **settings}, info["image_size"]
    else:
        dataset, side = {"source": "imagefolder", "folder": str(args.images.resolve())}, args.image_size
    axes = {
        "model": args.models,
        "fraction": args.fractions,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
    }
    compute = {"precision": args.precision, "device": args.device, "jobs_per_gpu": args.jobs_per_gpu}
    return {"dataset": dataset, "recipe": {"image_size": side, **axes}, "compute": compute}


def is_prepared(images: Path) -> bool:
    """Return whether this is a prepared dataset."""
    return (images / "dataset.json").is_file()


def side_of(results: Path, watch: Watch) -> Side:
    """Return our side from results.csv."""
    with results.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    training = sum(float(row["train_seconds"]) for row in rows)
    names = [f"{row['model']} {row['fraction']}" for row in rows]
    return Side(
        watch.seconds,
        training,
        sum(float(row["total_seconds"]) for row in rows) - training,
        {name: float(row["images_per_second"]) for name, row in zip(names, rows, strict=True)},
        {name: float(row["test_accuracy"]) for name, row in zip(names, rows, strict=True)},
        watch.others,
    )


def over(rounds: Sequence[Round], value: Callable[[Round], float], form: str = ",.0f") -> str:
    """Return the median over the rounds, and the range."""
    values = sorted(value(each) for each in rounds)
    middle, low, high = (format(each, form) for each in (statistics.median(values), values[0], values[-1]))
    return middle if low == high else f"{middle} ({low} to {high})"


def table(rounds: Sequence[Round], workers: int) -> str:
    """Return the comparison as a table in Markdown; ours trains `workers` runs at once."""

    def rest(side: Side) -> float:
        return side.seconds - side.training - side.measuring

    def our_rest(each: Round) -> float:
        return each.ours.seconds - (each.ours.training + each.ours.measuring) / workers

    lines = [
        f"| median (range) of {len(rounds)} rounds | plain loop | scalestudy |",
        "|---|---|---|",
        f"| all runs, to the end, s | {over(rounds, lambda each: each.plain.seconds)} "
        f"| {over(rounds, lambda each: each.ours.seconds)} |",
        f"| training, s | {over(rounds, lambda each: each.plain.training)} "
        f"| {over(rounds, lambda each: each.ours.training / workers)} (over {workers} at once) |",
        f"| measuring, s | {over(rounds, lambda each: each.plain.measuring)} "
        f"| {over(rounds, lambda each: each.ours.measuring / workers)} (over {workers} at once) |",
        f"| all else, s | {over(rounds, lambda each: rest(each.plain))} | {over(rounds, our_rest)} |",
        f"| all else, share | | {over(rounds, lambda each: our_rest(each) / each.ours.seconds, '.1%')} |",
    ]
    for name in rounds[0].plain.speeds:
        lines.append(
            f"| {name}, images/s in training; accuracy "
            f"| {over(rounds, lambda each, name=name: each.plain.speeds[name])}; "  # type: ignore[misc]
            f"{rounds[-1].plain.accuracies[name]:.3f} "
            f"| {over(rounds, lambda each, name=name: each.ours.speeds[name])} a job; "  # type: ignore[misc]
            f"{rounds[-1].ours.accuracies[name]:.3f} |"
        )
    lines.append(f"\n**{over(rounds, lambda each: each.ratio, '.2f')} times as fast** as the plain loop.")
    disturbed = [
        f"round {number}, {name}: others used {side.others:.0%} of the processors"
        for number, each in enumerate(rounds, 1)
        for name, side in (("plain loop", each.plain), ("ours", each.ours))
        if side.others > QUIET
    ]
    if disturbed:
        lines.append(f"\nDisturbed, so not to be published: {'; '.join(disturbed)}.")
    return "\n".join(lines)


def main() -> None:
    """Time both and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "images", type=Path, help="folder of images (train/, test/), or of a prepared dataset"
    )
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--fractions", nargs="+", default=["1/16", "1/2", "1"])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--image-size", type=int, default=32, help="of a folder of images, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0, help="DataLoader workers of the plain loop")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bf16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--jobs-per-gpu", type=int, default=1)
    parser.add_argument(
        "--busy", action="store_true", help="measure although other work runs on this machine"
    )
    parser.add_argument("--raw", type=Path, help="write every round there, as JSON")
    args = parser.parse_args()
    refuse_if_busy(args.busy)
    machine = describe()
    workers = args.jobs_per_gpu if args.device == "cuda" else len(os.sched_getaffinity(0))
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as folder:
        store = args.images.resolve()
        if not is_prepared(store):
            store = Path(folder) / "store"
            dataset = parse_dataset({"source": "imagefolder", "folder": str(args.images.resolve())})
            prepare_dataset(dataset, args.image_size, store)
        for number in range(args.rounds):
            # In turns, so that a machine that grows slower or faster favours neither.
            if number % 2:
                ours = run_ours(args)
                plain = run_plain(args, store)
            else:
                plain = run_plain(args, store)
                ours = run_ours(args)
            rounds.append(Round(plain, ours))
            print(f"round {number + 1}: {rounds[-1].ratio:.2f}", file=sys.stderr, flush=True)
            if args.raw:
                write_json(args.raw, {"machine": machine, "rounds": [asdict(each) for each in rounds]})
    print(
        f"{machine}; {args.epochs} epochs, batch {args.batch_size}, {args.device}\n\n{table(rounds, workers)}"
    )


if __name__ == "__main__":
    main()
