"""How Snakemake was started: to run jobs, to say what it would run, or for something else."""

import re
from collections.abc import Sequence
from typing import Any, Literal

# Options with which Snakemake runs no job of the study: it shows, lists, cleans, or is itself the job of another one.
_OTHERWISE = re.compile(
    r"--(archive|cleanup-.*|cm|conda-(cleanup-envs|create-envs-only)|container-cleanup-images|containerize|d3dag|dag"
    r"|delete-.*|detailed-summary|export-cwl|filegraph"
    r"|generate-unit-tests|lint|list.*|l[cipuv]|lt|mode|print-compilation|report|rulegraph|sdm-.*|summary|touch|unlock)"
    r"|-[DSlt]"
)
_SHORT_DRY_RUN = re.compile(r"-[prqFfk]*n.*")  # also -npj1: an option with a value may follow

Start = Literal["run", "dry-run", "other"]


def how_started(arguments: Sequence[str], workflow: Any) -> Start:
    """Return what a Snakemake with these command-line `arguments` will do with its `workflow`."""
    options = {each.partition("=")[0] for each in arguments if each.startswith("-")}
    if "--report-after-run" in options:
        options.discard("--report")
    if any(_OTHERWISE.fullmatch(each) for each in options):
        return "other"
    short = any(_SHORT_DRY_RUN.fullmatch(each) for each in options)
    from_a_profile = getattr(
        getattr(workflow, "output_settings", None), "dryrun", False
    )  # Snakemake 8 and newer
    dry = short or from_a_profile or any(each.startswith("--dry") for each in options)
    return "dry-run" if dry else "run"


def typed_config(workflow: Any) -> list[str]:
    """Return the words `KEY=VALUE` after --config as they were typed, in Snakemake 7 as well."""
    return list(getattr(workflow, "config_settings", workflow).config_args or ())


def force(workflow: Any, files: Sequence[str]) -> None:
    """Let Snakemake 8 or newer make these files again, or in a dry run count them so; nothing on disk changes for it.

    An old time alone does not do it: where the inputs have the checksums of the last time, Snakemake calls a file up to
    date all the same. `--forcerun` would make each file a target as well, and `snakemake data` train the study: so the
    files are given to the graph of jobs, where only those count that were asked for.
    """
    if not files or not hasattr(workflow, "dag_settings"):
        return

    class Forced(type(workflow)):  # type: ignore[misc]  # the class is known only here
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "_dag" and value is not None:
                value.forcefiles.update(files)
            super().__setattr__(name, value)

    workflow.__class__ = Forced
