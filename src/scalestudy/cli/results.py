"""`scalestudy collect` and `analyse`: from the runs' files to tables and findings, without torch."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from scalestudy.errors import UserError
from scalestudy.study import paths

Name = Annotated[str, typer.Argument(help="A study's name: its folder in results/.")]


def collect(study: Name) -> None:
    """Gather the runs of a study in results.csv and curves.csv; remove the checkpoints of finished runs."""
    from scalestudy.results.collect import collect as write_tables
    from scalestudy.results.collect import read_states, remove_leftovers

    record = _record(study)
    folder = write_tables(record, record["runs"], Path())
    states = read_states(folder)
    remove_leftovers(study, states, Path())
    counts = Counter(states.values())
    others = "".join(
        f", {counts[state]:,} {state}" for state in ("diverged", "failed", "missing") if counts[state]
    )
    print(f"{folder / 'results.csv'}: {counts['complete']:,} of {len(states):,} runs complete{others}")


def analyse(study: Name) -> None:
    """Make findings.json, every number and sentence of the report, from the collected tables."""
    from scalestudy.analysis.findings import write_findings

    _record(study)
    print(write_findings(paths.study_folder(study)))


def _record(study: str) -> dict[str, Any]:
    """Return the study.json of a study; UserError where it is absent, damaged or another study's."""
    from scalestudy.files import read_json

    path = paths.study_folder(study) / "study.json"
    try:
        record = read_json(path)
        name, runs = record["study"], record["runs"]
    except FileNotFoundError:
        there = sorted(each.parent.name for each in paths.RESULTS.glob("*/study.json"))
        known = f"results/ holds {', '.join(there)}" if there else "results/ holds no study"
        raise UserError(f"{path}: not there; `scalestudy report {study}` makes it ({known})") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a study's record ({error}); delete it and start again") from None
    if name != study or not runs:
        raise UserError(
            f"{path}: the record of study {name!r} with {len(runs):,} runs; delete it and start again"
        )
    return dict(record)
