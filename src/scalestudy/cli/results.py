"""`scalestudy collect` and `analyse`: from the runs' files to tables and findings, without torch."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from scalestudy.errors import UserError
from scalestudy.study import paths

_AGAIN = "the next start makes it again"

Name = Annotated[str, typer.Argument(help="A study's name: its folder in results/.")]


def collect(
    study: Name,
    whole: Annotated[
        bool, typer.Option("--whole", help="Fail, and write nothing, where a run is not done.")
    ] = False,
) -> None:
    """Gather the runs of a study in results.csv and curves.csv; remove the checkpoints of finished runs."""
    from scalestudy.results.collect import collect as write_tables
    from scalestudy.results.collect import read_states, remove_leftovers

    record = _record(study)
    folder = write_tables(record, record["runs"], Path(), whole=whole)
    states = read_states(folder)
    remove_leftovers(study, states, Path())
    counts = Counter(states.values())
    others = "".join(
        f", {counts[state]:,} {state}" for state in ("diverged", "failed", "missing") if counts[state]
    )
    print(f"{folder / 'results.csv'}: {counts['complete']:,} of {len(states):,} runs complete{others}")


def analyse(study: Name) -> None:
    """Make findings.json, every number and reading of the report, from the collected tables."""
    from scalestudy.topics.findings import write_findings

    _record(study)
    print(write_findings(paths.study_folder(study)))


def _record(study: str) -> dict[str, Any]:
    """Return the study.json of a study; UserError where it is absent, damaged or another study's."""
    from scalestudy.files import read_object

    path = paths.study_folder(study) / "study.json"
    if not path.is_file():
        there = sorted(each.parent.name for each in paths.RESULTS.glob("*/study.json"))
        known = f"results/ holds {', '.join(there)}" if there else "results/ holds no study"
        raise UserError(f"{path} is not there; `scalestudy report {study}` makes it ({known})")
    record = read_object(path, _AGAIN, {"study": str, "runs": list, "dataset": dict})
    name, runs = record["study"], record["runs"]
    for run in runs:
        if (
            not isinstance(run, dict)
            or not isinstance(run.get("run"), str)
            or not isinstance(run.get("settings"), dict)
        ):
            raise UserError(f"{path} is damaged (a run is {str(run)[:40]!r}); {_AGAIN}")
    if name != study or not runs:
        raise UserError(f"{path} is the record of study {name!r} with {len(runs):,} runs; {_AGAIN}")
    return record
