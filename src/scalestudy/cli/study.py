"""`scalestudy check`, `plan`, `status` and `write-study`: everything about a study that needs no training."""

from pathlib import Path
from typing import Annotated

import typer

from scalestudy.errors import UserError
from scalestudy.files import write_json
from scalestudy.study.config import Study, load_study
from scalestudy.study.record import study_record
from scalestudy.study.runs import Run, impossible_runs, plan_runs

Name = Annotated[str, typer.Argument(help="A study's name in config/, or the path of a YAML file.")]
Config = Annotated[
    list[str], typer.Option("--config", help="KEY=VALUE that wins over the file, as Snakemake's --config; repeatable.")
]


def load(name: str, config: list[str]) -> tuple[Study, list[Run]]:
    """Return the study with overrides, and its runs; UserError for anything that is wrong with it."""
    import yaml

    overrides = {}
    for item in config:
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"--config {item}: KEY=VALUE is needed")
        overrides[key] = yaml.safe_load(value)
    study = load_study(name, overrides)
    return study, plan_runs(study)


def check(study: Name, config: Config = []) -> None:  # noqa: B006
    """Validate a study: say what it holds, or one line for each fault (exit code 2)."""
    loaded, runs = load(study, config)
    left_out = impossible_runs(loaded)
    experiments = len(loaded.experiments)
    asked = sum(len(run.experiments) for run in runs)
    print(f"{loaded.name}: valid; {len(runs):,} runs in {experiments} experiment{'s' if experiments != 1 else ''}")
    if asked > len(runs):
        print(f"  {asked - len(runs):,} combinations coincide with another experiment's and are trained once")
    for line in left_out:
        print(f"  left out: {line}")


def write_study(study: Name, output: Path, config: Config = []) -> None:  # noqa: B006
    """Write the resolved study, every run with its settings and command, as JSON."""
    write_json(output, study_record(*load(study, config)))
