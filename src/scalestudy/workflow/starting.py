"""How Snakemake was started: to run jobs, to say what it would run, or for something else."""

import re
from collections.abc import Sequence
from typing import Any, Literal

# Options with which Snakemake runs no job of the study: it shows, lists, cleans, or is itself the job of another one.
_OTHERWISE = re.compile(
    r"--(archive|cleanup-.*|conda-.*|container-.*|containerize|d3dag|dag|delete-.*|detailed-summary|export-cwl|filegraph"
    r"|generate-unit-tests|lint|list.*|l[cipuv]|lt|mode|print-compilation|report|rulegraph|sdm-.*|summary|touch|unlock)"
    r"|-[DSlt]"
)
_SHORT_DRY_RUN = re.compile(r"-[nprqFfk]*n[nprqFfk]*")

Start = Literal["run", "dry-run", "other"]


def how_started(arguments: Sequence[str], workflow: Any) -> Start:
    """Return what a Snakemake with these command-line `arguments` will do with its `workflow`."""
    options = {each.partition("=")[0] for each in arguments if each.startswith("-")}
    if any(_OTHERWISE.fullmatch(each) for each in options):
        return "other"
    short = any(_SHORT_DRY_RUN.fullmatch(each) for each in options)
    from_a_profile = getattr(
        getattr(workflow, "output_settings", None), "dryrun", False
    )  # Snakemake 8 and newer
    dry = short or from_a_profile or any(each.startswith("--dry") for each in options)
    return "dry-run" if dry else "run"


def force(workflow: Any, files: Sequence[str]) -> None:
    """Let a dry run of Snakemake 8 or newer count these files as made again; nothing on disk changes for it."""
    settings = getattr(workflow, "dag_settings", None)
    if settings is not None and files:
        settings.forcerun = frozenset({*settings.forcerun, *files})
