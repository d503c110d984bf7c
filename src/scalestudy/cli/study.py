"""`scalestudy check`, `plan`, `status`, `report`, `schema`, `write-study`: what needs no training."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from scalestudy.cli.completion import one_of, studies
from scalestudy.errors import UserError
from scalestudy.files import write_json
from scalestudy.report.wording import counted, duration
from scalestudy.results.read import DONE
from scalestudy.results.status import RunStatus, clock, run_status, study_status, summary
from scalestudy.study import paths
from scalestudy.study.config import DEFAULT_STUDY, Study, find_study, json_schema, load_study
from scalestudy.study.runs import Run, plan_runs
from scalestudy.workflow.asked import AS_TYPED, check_owner, require_name
from scalestudy.workflow.commands import start_command
from scalestudy.workflow.study_record import made_from, study_record

if TYPE_CHECKING:
    from scalestudy.workflow.price import Price

Name = Annotated[
    str,
    typer.Argument(
        help="A study's name in config/, or the path of a YAML file. `--config study=NAME` says it too; "
        f"{DEFAULT_STUDY} where neither does.",
        show_default=False,
        autocompletion=one_of(studies),
    ),
]
Config = Annotated[
    list[str],
    typer.Option("--config", help="KEY=VALUE ... that win over the file, as Snakemake's --config does."),
]


class Asked(NamedTuple):
    """The study that a command line asks for: with its overrides applied, its runs, and what it was loaded from."""

    study: Study
    runs: list[Run]
    file: Path
    overrides: dict[str, object]

    @property
    def start(self) -> str:
        """The command that runs the study, and goes on with it."""
        return start_command(self.file, self.overrides)

    @property
    def record(self) -> dict[str, Any]:
        """The resolved study, as `study.json` has it."""
        return study_record(*self)


def load(name: str, config: list[str]) -> Asked:
    """Return the study with overrides, and its runs; UserError for anything that is wrong with it."""
    named, overrides = _named(name, config)
    study = load_study(named, overrides)
    return Asked(study, plan_runs(study), find_study(named), overrides)


def _named(name: str, config: list[str]) -> tuple[str, dict[str, object]]:
    """Return which study is meant, and what wins over its file."""
    from scalestudy.study.yaml_text import parse_yaml

    overrides: dict[str, object] = {}
    for item in config:
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"--config {item}: KEY=VALUE is needed")
        overrides[key] = value if key in AS_TYPED and value else parse_yaml(value, f"--config {key}")
    if "study" in overrides:
        require_name(overrides["study"])
    named = str(overrides.pop("study", name or DEFAULT_STUDY))
    if name and named != name:
        raise UserError(
            f"two studies are named: {name}, and {named} by --config study={named}; give one of them"
        )
    return named, overrides


def check(study: Name = "", config: Config = []) -> None:  # noqa: B006
    """Say all that is wrong with a study, a line each (exit code 2), or what it holds. Trains and fetches nothing."""
    from scalestudy.workflow.check import check_study

    checked = check_study(*_named(study, config))
    if checked.faults or checked.study is None:
        raise UserError("\n".join(dict.fromkeys(checked.faults)))
    runs, experiments = checked.runs, len(checked.study.experiments)
    asked = sum(len(run.experiments) for run in runs)
    print(
        f"{checked.study.name}: valid; {len(runs):,} run{'s' if len(runs) != 1 else ''} in {experiments} "
        f"experiment{'s' if experiments != 1 else ''}"
    )
    if asked > len(runs):
        print(f"  {asked - len(runs):,} combinations coincide with another experiment's and are trained once")
    for line in checked.notes:
        print(f"  {line}")


def write_study(
    *,
    study: Name = "",
    output: Annotated[Path, typer.Option(help="The JSON file to write.")],
    config: Config = [],  # noqa: B006
) -> None:
    """Write the resolved study, every run with settings and command, as JSON."""
    write_json(output, load(study, config).record)


def plan(
    study: Name = "",
    config: Config = [],  # noqa: B006
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Training jobs at once; as many as the machine's cores allow if left out."),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option(help="Measure speeds that are not known yet on this machine (seconds each).")
    ] = True,
) -> None:
    """List the runs with steps and an estimate of memory and time, and say how long the study takes."""
    from rich.console import Console
    from rich.table import Table

    from scalestudy.workflow.price import price

    asked = load(study, config)
    found = price(asked.study, asked.runs, calibrate=calibrate, workers=workers)
    table = Table("run", "images", "steps", "images seen", "memory", "time", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"  # its end is what tells runs apart
    for column in table.columns[1:]:
        column.justify = "right"
    for run, each in zip(found.jobs, found.estimates, strict=True):
        table.add_row(
            run.name,
            _count(each.images),
            _count(each.steps),
            _count(each.images_seen),
            f"{each.memory_mb / 1024:.1f} GiB",
            "?" if each.seconds is None else duration(each.seconds) + ("" if each.measured else " (guess)"),
        )
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
    print(f"\n{price_in_words(found)}")
    for line in unsized_lines(found, start_command(asked.file, asked.overrides, "data")):
        print(line)
    for line in room_lines(found):
        print(line)


def unsized_lines(price: "Price", command: str) -> list[str]:
    """Return why the size of a dataset is not known, a line each; `command` prepares the data."""
    from scalestudy.workflow.estimate import UnpreparedError

    return [
        f"  not known: {reason}"
        + (f"; `{command}` prepares the data" if isinstance(reason, UnpreparedError) else "")
        for reason in price.unsized
    ]


def price_in_words(price: "Price") -> str:
    """Return how many runs there are and how long they take, or that it is not known, or for how many it is not."""
    from scalestudy.workflow.estimate import makespan

    runs = len(price.jobs) - price.upstreams
    what = counted(runs, "run") + (
        f" and {counted(price.upstreams, 'upstream stage')}" if price.upstreams else ""
    )
    known = price.known_seconds
    if not known:
        return f"{what}; how long they take is not known yet"
    end = makespan(known, price.at_once)
    words = (
        f"{what}; {duration(sum(known))} of training and measuring in all, about {duration(end)} with "
        f"{price.at_once} at once"
    )
    if len(known) < len(price.jobs):
        rest = len(price.jobs) - len(known)
        return f"{words} for {len(known):,} of them; how long the other {rest:,} take is not known yet"
    return f"{words} (until {clock(end)})"


def room_lines(price: "Price") -> list[str]:
    """Return what the study will write, disk by disk, beside what is free there; a warning where that is too little."""
    from scalestudy.workflow.disk import size_text

    lines = []
    for room in price.rooms:
        parts = ", ".join(f"{folder}/ {size_text(size)}" for folder, size in room.needed.items())
        bound = "at least" if price.unsized else "up to"
        lines.append(f"disk space: {bound} {size_text(room.total)} ({parts}); {size_text(room.free)} free")
        if room.total > room.free:
            lines.append(
                f"  not enough: make room there, or let {' or '.join(f'{each}/' for each in room.needed)} be a link "
                "to a folder on a larger disk"
            )
    return lines


def status(
    study: Name = "",
    config: Config = [],  # noqa: B006
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Show it again every few seconds, until who works on it, now or soon, has ended."
        ),
    ] = False,
) -> None:
    """Say who is done, running (epoch and time left), in the queue, interrupted, failed and waiting."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    asked = load(study, config)
    console = Console(highlight=False)
    now = Now.of(asked)
    if not watch:
        for line in _status_lines(asked, now):
            console.print(line, markup=False, soft_wrap=True)
        return
    seen_at_work = False
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(Group(*map(Text, _status_lines(asked, now))), refresh=True)
            seen_at_work |= now.goes_on
            if not now.goes_on and (seen_at_work or now.ended):
                return
            time.sleep(2)
            now = Now.of(asked)


@dataclass(frozen=True)
class Now:
    """How far a study is: its runs, its upstream stages, and whether a Snakemake works on it."""

    runs: list[RunStatus]
    upstreams: list[RunStatus]
    worked_on: bool

    @classmethod
    def of(cls, asked: Asked) -> "Now":
        """Return how far the study is now."""
        from scalestudy.workflow.lock import is_worked_on
        from scalestudy.workflow.queue import with_jobs

        planned = [made_from(run) for run in asked.runs]
        folders = {
            paths.weights_record(run.weights.name).parent: None
            for run in asked.runs
            if run.weights and run.weights.upstream
        }
        return cls(
            with_jobs(study_status(asked.study.name, planned)),
            with_jobs(list(map(run_status, folders))),
            is_worked_on(asked.study.name),
        )

    @property
    def ended(self) -> bool:
        """Whether every run has ended, be it that it failed."""
        return all(each.done or each.state == "failed" for each in self.runs)

    @property
    def goes_on(self) -> bool:
        """Whether anything more will happen by itself: Snakemake, or a job that it has left behind, is at it.

        Snakemake starts a run that failed again: while it works, a failure is not yet an end.
        """
        at_it = any(each.state in ("running", "queued") for each in (*self.upstreams, *self.runs))
        return at_it or (self.worked_on and not all(each.done for each in self.runs))


def _status_lines(asked: Asked, now: Now) -> list[str]:
    """Return the summary with the expected end, a line for each job of which there is more to say, and what to type."""
    from scalestudy.workflow.forecast import read_forecast
    from scalestudy.workflow.queue import refusal_line

    everything = [*now.upstreams, *now.runs]
    lines = [summary(now.runs)]
    forecast = read_forecast(asked.study.name)
    if forecast is not None and any(each.state == "running" for each in everything):
        rest = forecast.seconds_left(everything)
        if rest is not None:
            lines[0] += f"; about {duration(rest)} left (until {clock(rest)})"
    if (refused := refusal_line()) and any(each.state == "waiting" for each in now.runs):
        lines.append(f"  {refused}")
    if now.worked_on:
        lines += _lines_of_what_is_missing(asked, now)
    lines += [line for each in now.upstreams for line in _run_lines(each, "upstream stage ")]
    lines += [line for each in now.runs for line in _run_lines(each)]
    if not now.goes_on and any(not each.done for each in now.runs):
        lines.append(f"  to train what is missing: {asked.start}")
    return lines


def _lines_of_what_is_missing(asked: Asked, now: Now) -> list[str]:
    """Return a line for each dataset, and each initial weights from elsewhere, that runs wait for."""
    left = {each.run for each in now.runs if not each.done}
    runs = [run for run in asked.runs if run.name in left]
    weights = {run.weights.name: run.weights.upstream for run in runs if run.weights}
    trained = [*runs, *filter(None, weights.values())]
    needed = [
        *(paths.dataset_folder(run.dataset) / "dataset.json" for run in trained),
        *(paths.weights_record(name) for name, upstream in weights.items() if upstream is None),
    ]
    missing = dict.fromkeys(file.parent for file in needed if not file.is_file())
    return [f"  runs wait for {folder}" for folder in missing]


def _run_lines(status: RunStatus, kind: str = "") -> list[str]:
    """Return a line about a run, or another kind of training, where there is more to say than its state."""
    facts = status.facts
    if status.state == "running":
        left, accuracy = status.seconds_left, facts.get("test_accuracy")
        return [
            f"  running   {kind}{status.run}  epoch {facts.get('epoch', 0)} of {facts.get('epochs') or '?'}"
            + (f", test accuracy {accuracy:.3f}" if accuracy is not None else "")
            + (f", about {duration(left)} left" if left is not None else "")
            + f"  ({facts.get('host') or 'unknown machine'})"
        ]
    if status.state in ("failed", "diverged", "interrupted") or (
        (status.state == "queued" and facts) or (status.state == "waiting" and facts.get("reason"))
    ):
        return [f"  {status.state:<9} {kind}{status.run}  {facts.get('reason') or ''}".rstrip()]
    return []


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def report(
    study: Name = "",
    config: Config = [],  # noqa: B006
    if_any_run: Annotated[
        bool, typer.Option("--if-any-run", help="Do nothing where no run has ended yet.")
    ] = False,
) -> None:
    """Render the report from the runs that are there, and name those that are not. Trains nothing."""
    from scalestudy.report.render import render_report
    from scalestudy.results.collect import collect
    from scalestudy.topics.findings import write_findings

    asked = load(study, config)
    record = asked.record
    check_owner(record)
    done = sum(each.state in DONE for each in study_status(asked.study.name, record["runs"]))
    if not done and if_any_run:
        return
    folder = collect(record, record["runs"], Path())
    write_findings(folder)
    page = render_report(folder, paths.report_folder(asked.study.name))
    print(f"{page}: {done:,} of {len(asked.runs):,} runs")
    if done < len(asked.runs):
        print(f"`{record['start']}` trains the others and makes the finished report")


def schema(
    output: Annotated[
        Path | None, typer.Option(help="Where to write it; standard output if left out.")
    ] = None,
    findings: Annotated[bool, typer.Option("--findings", help="That of findings.json instead.")] = False,
    readme: Annotated[
        Path | None, typer.Option(help="Bring the tables of keys in this README up to date.")
    ] = None,
) -> None:
    """Print the JSON schema of a study file, for editors; or that of findings.json, for who reads it."""
    from scalestudy.files import write_text

    if readme is not None:
        from scalestudy.study.keys import readme_with_tables

        write_text(readme, readme_with_tables(readme.read_text(encoding="utf-8")))
        if output is None:
            return
    if findings:
        from scalestudy.topics.findings import findings_schema

        text = findings_schema()
    else:
        text = json_schema()
    if output is None:
        print(text, end="")
    else:
        write_text(output, text)
