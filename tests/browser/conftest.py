"""A headless Chromium, and the report of a study with everything in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_study import rendered

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
REFERENCE = {
    "title": "A book",
    "source": "page 7",
    "rows": [{"model": "resnet18", "init": "none", "fraction": "1/2", "test_accuracy": 0.6}],
}


def find_chromium() -> str | None:
    """Return the program of an installed Chromium or Chrome: `CHROMIUM`, the path, the usual places."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), *PLACES]
    return next((path for path in found if path and Path(path).is_file()), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium or Chrome found: `apt-get install chromium`, or set CHROMIUM to its program")
    with playwright.sync_playwright() as started:
        # Chromium's sandbox does not start as root, which is what a container is.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        launched = started.chromium.launch(executable_path=program, args=["--no-sandbox"] if root else [])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with seeds, recipes, references, a failed, a diverged and a missing run."""
    return (
        rendered(
            tmp_path_factory.mktemp("browser"),
            title="A study | of <b>a|b_c&</b>",
            seeds=(0, 1),
            models=("resnet18", "resnet50"),
            extra={"batch sizes": {"batch_size": [32, 64]}},
            references=[REFERENCE],
            broken={
                "resnet50_none_f1of2_": "failed",
                "resnet18_glyphs_f1of16_": "diverged",
                "resnet50_glyphs_f1_adam_lr0.001_b32_s1": "missing",
            },
        )
        / "report.html"
    )
