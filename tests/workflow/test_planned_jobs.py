"""What Snakemake is told of a study's jobs, and which study a command line names: by dry runs of both versions."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from image_folders import fill
from working_copy import Project

pytestmark = pytest.mark.workflow

# Two datasets, of which one is decoded on many cores; weights that are trained first, and some that are fetched.
STUDY = """
dataset: {source: imagefolder, folder: pictures}
weights:
  glyphs: {upstream: {dataset: {source: glyphs, train_images: 72, test_images: 36}, recipe: {epochs: 1}}}
recipe: {model: resnet18, batch_size: 8, epochs: 900, init: [none, glyphs, IMAGENET1K_V1]}
"""


@pytest.fixture(scope="module")
def planned(project: Project) -> Project:
    """The project with a study of which nothing is there yet."""
    fill(project.root / "pictures", cat=20, dog=20)
    (project.root / "config/order.yaml").write_text(STUDY)
    return project


@pytest.fixture(params=["9", "7"])
def dry_run(request: pytest.FixtureRequest, planned: Project) -> object:
    """A function that gives what a dry run with this configuration says, by Snakemake 9 and 7."""

    def by_9(*config: str) -> subprocess.CompletedProcess[str]:
        return planned.snakemake("-n", "--config", *config, check=False)

    def by_7(*config: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            [request.getfixturevalue("snakemake_7"), "-n", "--config", *config],
            cwd=planned.root,
            env={**planned.environment, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return by_9 if request.param == "9" else by_7


def priorities(shown: str) -> dict[str, list[int]]:
    """Return the priority of each job that a dry run lists, by rule; for a dataset, by rule and dataset."""
    found: dict[str, list[int]] = {}
    for rule, facts in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", shown, flags=re.MULTILINE):
        dataset = re.search(r"dataset=(glyphs|imagefolder)", facts)
        said = re.search(r"priority: (\d+)", facts)
        found.setdefault(f"{rule} {dataset.group(1)}" if dataset else rule, []).append(
            int(said.group(1)) if said else 0
        )
    return found


def test_what_runs_wait_for_is_brought_before_any_run_and_first_what_needs_many_cores(
    dry_run: object, request: pytest.FixtureRequest
) -> None:
    shown = dry_run("study=order")  # type: ignore[operator]
    assert shown.returncode == 0, shown.stderr
    told = priorities(shown.stdout + shown.stderr)
    assert len(told["train"]) == 3
    longest = max(*told["train"], *told["pretrain"])
    for rule in ("prepare_dataset imagefolder", "prepare_dataset glyphs", "fetch_weights", "write_study"):
        assert min(told[rule]) > longest, rule
    if "7" not in request.node.callspec.id:
        assert told["prepare_dataset imagefolder"] > told["prepare_dataset glyphs"] > told["write_study"]


@pytest.mark.parametrize(
    ("file", "name"), [("2026_07", "007"), ("007", "2026.10"), ("2026.10", "1e3"), ("1e3", "2026_07")]
)
def test_a_study_that_is_called_like_a_number_is_started_by_its_name(
    dry_run: object, planned: Project, file: str, name: str
) -> None:
    (planned.root / f"config/{file}.yaml").write_text("dataset: digits\nrecipe: {epochs: 1}\n")
    shown = dry_run(f"study={file}", "title=12", f"name={name}")  # type: ignore[operator]
    assert shown.returncode == 0, shown.stderr
    assert f"results/{name}/study.json" in shown.stdout + shown.stderr


def test_a_study_named_by_nothing_is_refused_in_one_line(dry_run: object) -> None:
    refused = dry_run("study=")  # type: ignore[operator]
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    [line] = [line for line in said.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: --config study= is empty; give the name of a study in config/")
