"""Does bf16 change accuracies? The same runs over several seeds in bf16 and in float32, and Welch's t test.

    python benchmarks/precision.py data/<dataset> --seeds 5

Needs a processor (or GPU) with bf16 in hardware. Prints a Markdown table.
"""

import argparse
import csv
import itertools
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scipy import stats


def final_accuracy(
    folder: Path, store: Path, model: str, precision: str, seed: int, args: argparse.Namespace
) -> float:
    """Train one run as the workflow does and return its test accuracy after the last epoch."""
    output = folder / f"{model}_{precision}_{seed}"
    command = [
        *("scalestudy", "train", "--model", model, "--fraction", args.fraction, "--seed", str(seed)),
        *(
            "--epochs",
            str(args.epochs),
            "--data",
            str(store),
            "--precision",
            precision,
            "--output",
            str(output),
        ),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with (output / "metrics.csv").open(encoding="utf-8") as file:
        return float(list(csv.DictReader(file))[-1]["test_accuracy"])


def main() -> None:
    """Train all of them, as many at once as asked for, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path, help="folder of a prepared dataset")
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--fraction", default="1/16")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.at_once) as pool:
        keys = list(itertools.product(args.models, ("bf16", "float32"), range(args.seeds)))
        jobs = {key: pool.submit(final_accuracy, Path(folder), args.store, *key, args) for key in keys}
        found = {key: job.result() for key, job in jobs.items()}
    print("| model | bf16: mean (SD) | float32: mean (SD) | difference, 95 % interval | p (Welch) |")
    print("|---|---|---|---|---|")
    for model in args.models:
        bf16, float32 = (
            [found[model, precision, seed] for seed in range(args.seeds)] for precision in ("bf16", "float32")
        )
        difference = 100 * (statistics.mean(bf16) - statistics.mean(float32))
        test = stats.ttest_ind(bf16, float32, equal_var=False)
        low, high = test.confidence_interval()
        print(
            f"| {model} | {_text(bf16)} | {_text(float32)} "
            f"| {difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) points "
            f"| {test.pvalue:.2f} |"
        )


def _text(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.1f} % ({100 * statistics.stdev(values):.1f})"


if __name__ == "__main__":
    main()
