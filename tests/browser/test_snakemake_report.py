"""Snakemake's own report of a study with hostile names, opened in a browser: nothing of them runs or is asked for."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from image_folders import fill

pytestmark = pytest.mark.workflow

SOURCE = Path(__file__).parents[2] / "src"
EVIL = "</script><script>evil()</script><img src=https://evil.example/a onerror=evil()>{{ 7*7 }} `x`_ :raw-html:`<b>`"
EVIL_CLASS = "<img src=https:evil.example onerror=evil()>"
STUDY = f"""
title: {EVIL!r}
description: {EVIL!r}
dataset: {{source: imagefolder, folder: ../pets, title: {EVIL!r}}}
recipe: {{model: resnet18, batch_size: 8, epochs: 1}}
experiments:
  one:
    title: {EVIL!r}
    grid: {{fraction: [1/2, 1]}}
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The study's page, and Snakemake's own report of it as one file."""
    home = tmp_path_factory.mktemp("hostile")
    fill(home / "pets", **{EVIL_CLASS: 12, "dog": 12})
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    environment.pop("SNAKEMAKE_PROFILE", None)

    def run(folder: Path, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run(home, "scalestudy", "new", "--project", "mine")
    root = home / "mine"
    (root / "config/tiny.yaml").write_text(STUDY)
    run(root, "snakemake", "--cores", "2", "--config", "study=tiny")
    run(root, "snakemake", "--report", "snakemake.html", "--config", "study=tiny")
    return [root / "report/tiny/report.html", root / "snakemake.html"]


@pytest.mark.parametrize(
    ("number", "parts"), [(0, ()), (1, ("Statistics", "About", "Key figures", "Report", "Runs", "Tables"))]
)
def test_nothing_of_a_hostile_name_runs_or_is_asked_for(
    browser: Any, reports: list[Path], number: int, parts: tuple[str, ...]
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script("window.evil = () => { window.ran = true }")
    page.goto(reports[number].as_uri())
    for part in parts:
        page.goto(reports[number].as_uri())
        page.get_by_text(part, exact=True).first.click()
        page.wait_for_timeout(200)
    assert page.locator("body").inner_text()
    assert not page.evaluate("Boolean(window.ran)")
    assert page.locator("img[onerror]").count() == 0
    assert not [url for url in asked if "evil" in url]
    page.close()
