"""Snakemake's own report of a study with missing runs says what to type (CASES D35)."""

from pathlib import Path

import pytest

from scalestudy.errors import UserError
from scalestudy.files import write_text
from scalestudy.study.paths import run_folder
from scalestudy.workflow.plan import Plan

STUDY = """\
dataset: digits
recipe: {model: resnet18}
experiments:
  seeds: {grid: {seed: [0, 1]}}
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A study of two runs, of which the first has finished."""
    monkeypatch.chdir(tmp_path)
    write_text(Path("config/two.yaml"), STUDY)
    made = Plan({"study": "two"})
    write_text(run_folder("two", next(iter(made.runs))) / "metrics.csv", "epoch\n")
    return made


@pytest.mark.parametrize("words", [["--report", "study.zip"], ["--report=study.zip"], ["--report"]])
def test_a_missing_run_is_named_with_the_command_that_makes_it(plan: Plan, words: list[str]) -> None:
    missing = list(plan.runs)[1]
    with pytest.raises(UserError) as caught:
        plan.check_for_snakemakes_report(["snakemake", *words])
    assert str(caught.value) == (
        f"Snakemake's own report needs every run, and 1 of 2 are missing ({missing}). Finish the study first: "
        "snakemake --cores all --config study=two; or read the report of what is there: scalestudy report two"
    )


def test_a_whole_study_and_any_other_start_pass(plan: Plan) -> None:
    plan.check_for_snakemakes_report(["snakemake", "--cores", "all", "report"])
    for run in plan.runs:
        write_text(run_folder("two", run) / "metrics.csv", "epoch\n")
    plan.check_for_snakemakes_report(["snakemake", "--report", "study.zip"])
