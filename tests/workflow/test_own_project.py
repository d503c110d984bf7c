"""Studies, data and results in a folder of one's own, with this workflow as a Snakemake module: to the report."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from held import hold, let_go
from image_folders import fill
from working_copy import PROJECT, Project

pytestmark = pytest.mark.workflow

STUDY = """
dataset: {source: imagefolder, folder: ../pets}
recipe: {model: resnet18, batch_size: 8, epochs: 1, fraction: [1/2, 1]}
"""
OWN_RULE = """
rule summary:
    input:
        "report/tiny/report.html",
    output:
        "summary.txt",
    shell:
        "head -1 results/tiny/results.csv > {output}"
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project made by `scalestudy new --project` beside a folder of pictures, with a study and a rule of its own."""
    home = tmp_path_factory.mktemp("home")
    fill(home / "pets", cat=20, dog=20)
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(home / "cache"),
        "SCALESTUDY_CACHE": str(home / "cache"),
    }
    environment.pop("SNAKEMAKE_PROFILE", None)
    Project(home, environment).scalestudy("new", "--project", "my studies")
    project = Project(home / "my studies", environment)
    (project.root / "config/tiny.yaml").write_text(STUDY)
    with (project.root / "Snakefile").open("a") as file:
        file.write(OWN_RULE)
    return project


def test_a_study_runs_to_its_report_and_everything_lies_in_ones_own_folder(own: Project) -> None:
    before = {
        path for path in PROJECT.glob("*/*") if path.parts[-2] in ("results", "data", "report", "weights")
    }
    assert "valid; 2 runs" in own.scalestudy("check", "tiny").stdout
    done = own.snakemake("--cores", "2", "--config", "study=tiny")
    assert done.stderr.splitlines()[-1] == "The report is ready: report/tiny/report.html"
    assert (own.root / "report/tiny/report.html").is_file()
    assert len(list((own.root / "results/tiny/runs").iterdir())) == 2
    assert "2 of 2 runs done" in own.scalestudy("status", "tiny").stdout
    after = {
        path for path in PROJECT.glob("*/*") if path.parts[-2] in ("results", "data", "report", "weights")
    }
    assert after == before


def test_a_rule_of_ones_own_goes_on_from_the_report(own: Project) -> None:
    own.snakemake("--cores", "2", "summary.txt", "--config", "study=tiny")
    assert (own.root / "summary.txt").read_text().startswith("run,state,")


def test_a_second_start_does_nothing_and_says_so(own: Project) -> None:
    again = own.snakemake("--cores", "2", "--config", "study=tiny")
    assert "Nothing to be done" in again.stderr
    assert "The report is ready" not in again.stderr


def test_the_lock_on_a_study_holds_there_too(own: Project) -> None:
    lock = own.root / "results/tiny/.lock"
    assert lock.is_file(), "the first start held it"
    hold(lock)
    try:
        second = own.snakemake(
            "--cores", "1", "--config", "study=tiny", "name=tiny", "epochs=60", check=False
        )
    finally:
        let_go(lock)
    assert second.returncode != 0
    assert "another Snakemake works on study tiny" in second.stderr


def test_by_snakemake_7_a_study_runs_to_its_report(own: Project, snakemake_7: Path) -> None:
    study = ["study=tiny", "name=seven", "recipe={model: resnet18, batch_size: 8, epochs: 1}"]
    done = subprocess.run(
        [snakemake_7, "--cores", "2", "--config", *study],
        cwd=own.root,
        env={**own.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "The report is ready: report/seven/report.html"


def test_included_it_says_how_to_name_its_target(own: Project, tmp_path: Path) -> None:
    """Snakemake takes no default target from an included file, and would say that there is nothing to be done."""
    shutil.copytree(own.root / "config", tmp_path / "config")
    (tmp_path / "Snakefile").write_text(f'include: "{PROJECT / "Snakefile"}"\n')
    mine = Project(tmp_path, own.environment)
    config = (
        "--config",
        "study=tiny",
        f"dataset={{source: imagefolder, folder: {own.root.parent / 'pets'}}}",
    )
    asked_for_nothing = mine.snakemake("-n", *config)
    assert "snakemake --cores all all" in asked_for_nothing.stderr.splitlines()[-1]
    assert mine.planned_jobs("all", *config)["train"] == 2


def test_in_a_project_with_a_configuration_of_its_own_the_study_has_a_part_of_it(
    own: Project, tmp_path: Path
) -> None:
    given = 'config.get("scalestudy", {})'
    assert given in (PROJECT / "docs/own-project.md").read_text(encoding="utf-8")
    shutil.copytree(own.root / "config", tmp_path / "config")
    module = (own.root / "Snakefile").read_text().replace("        config\n", f"        {given}\n")
    (tmp_path / "Snakefile").write_text(f'configfile: "own.yaml"\n\n{module}')
    pets = own.root.parent / "pets"
    (tmp_path / "own.yaml").write_text(
        "samples: [a, b]\nscalestudy:\n  study: tiny\n  name: mine\n"
        f"  dataset: {{source: imagefolder, folder: {pets}}}\n"
    )
    mine = Project(tmp_path, own.environment)
    assert mine.planned_jobs()["train"] == 2
    shown = mine.snakemake("-n", "--config", "scalestudy={name: another}")
    assert "results/another/study.json" in shown.stdout + shown.stderr
