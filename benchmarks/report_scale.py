"""A study of 1,000 runs of 100 epochs collected, analysed and rendered: seconds, peak memory, size of the page.

    .venv/bin/python benchmarks/report_scale.py [seeds]

The runs are made up (tests/synthetic.py): 3 models x 2 inits x 4 fractions x 42 seeds = 1,008 of 100 epochs unless
another number of seeds is given. The limits are 60 s and 2 GiB on two cores; exit code 1 beyond them. Measured on two
cores with Python 3.11: 9 s, 0.2 GiB, and 8.5 MB of HTML.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic import write_synthetic_study

from scalestudy.files import read_json
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect
from scalestudy.topics.findings import write_findings

MOST_SECONDS, MOST_BYTES = 60.0, 2 * 1024**3


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(seeds: int) -> int:
    """Time each step; return 1 where the whole is beyond the limits."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models, fractions = ("resnet18", "resnet34", "resnet50"), ("1/8", "1/4", "1/2", "1")
        study_dir = write_synthetic_study(
            root, models=models, fractions=fractions, seeds=range(seeds), epochs=100, test_images=1000
        )
        study = read_json(study_dir / "study.json")
        before = peak_memory()
        print(f"{len(study['runs']):,} runs of 100 epochs")
        total = 0.0
        for name, step in (
            ("collect", lambda: collect(study, study["runs"], root)),
            ("analyse", lambda: write_findings(study_dir)),
            ("render", lambda: render_report(study_dir, root / "report")),
        ):
            start = time.perf_counter()
            step()
            seconds = time.perf_counter() - start
            total += seconds
            print(f"{name:<8} {seconds:6.1f} s")
        size = (root / "report/report.html").stat().st_size
        peak = peak_memory()
        print(
            f"total    {total:6.1f} s, peak memory {peak / 1024**3:.2f} GiB (made up: {before / 1024**3:.2f}), ",
            end="",
        )
        print(f"page {size / 1e6:.1f} MB")
        return int(total > MOST_SECONDS or peak > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 42))
