"""The `scalestudy` command."""

import io
import os
import re
import sys
from typing import Annotated, NoReturn

import typer

from scalestudy import __version__
from scalestudy.cli import data, new, report, results, sharing, study, training
from scalestudy.errors import UserError, disk_fault, printable

app = typer.Typer(
    name="scalestudy",
    help="One YAML file in, one finished scaling-study report out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

STUDY, RUNS, WORKFLOW = "A study", "By hand", "Steps of the workflow"
app.command(rich_help_panel=STUDY)(new.new)
app.command(rich_help_panel=STUDY)(study.check)
app.command(rich_help_panel=STUDY)(study.plan)
app.command(rich_help_panel=STUDY)(study.status)
app.command(rich_help_panel=STUDY)(study.report)
app.command(rich_help_panel=STUDY)(report.compare)
app.command(rich_help_panel=STUDY)(report.tables)
app.command(rich_help_panel=STUDY)(sharing.export)
app.command(rich_help_panel=STUDY)(sharing.verify)
app.command(rich_help_panel=RUNS)(training.train)
app.command(rich_help_panel=WORKFLOW)(data.prepare)
app.command("fetch-weights", rich_help_panel=WORKFLOW)(training.fetch_weights)
app.command(rich_help_panel=WORKFLOW)(training.pretrain)
app.command(rich_help_panel=STUDY)(study.schema)
app.command("write-study", rich_help_panel=WORKFLOW)(study.write_study)
app.command(rich_help_panel=WORKFLOW)(results.collect)
app.command(rich_help_panel=WORKFLOW)(results.analyse)
app.command(rich_help_panel=WORKFLOW)(report.figure)
app.command(rich_help_panel=WORKFLOW)(report.render)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"scalestudy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Take what stands before the command's name."""


def _use_utf8() -> None:
    """Take names and texts as UTF-8 whatever the locale says: Python decides that as it starts, so start again.

    What is not valid UTF-8 in a name is shown as an escape.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "scalestudy", *sys.argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def one_config_each(arguments: list[str]) -> list[str]:
    """Return the arguments with `--config a=1 b=2`, as Snakemake takes it, as `--config a=1 --config b=2`."""
    spread: list[str] = []
    inside = False
    for argument in arguments:
        pair = re.match(r"\w+=", argument) is not None
        if inside and pair and spread[-1] != "--config":
            spread.append("--config")
        inside = argument == "--config" or (inside and pair)
        spread.append(argument)
    return spread


def main() -> None:
    """Run the command line; a UserError is one line on standard error and exit code 2."""
    _use_utf8()
    try:
        try:
            app(args=one_config_each(sys.argv[1:]))
        finally:
            sys.stdout.flush()
    except UserError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        _end_without_reader()
    except SystemExit as ended:
        # typer makes it a 1, which is a failed run's code here.
        if isinstance(ended.__context__, BrokenPipeError):
            _end_without_reader()
        raise
    except OSError as error:
        if error.filename is None:
            raise
        print(printable(f"error: {disk_fault(error)}"), file=sys.stderr)
        sys.exit(2)


def _end_without_reader() -> NoReturn:
    """End as a program does whose output nobody reads any more, such as `... | head`: quietly, as by SIGPIPE."""
    # For what Python still has to write at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + 13)
