"""What Snakemake says last: where the finished report is, or why nothing was asked for."""

import atexit
import sys
import time
from typing import Any

from scalestudy.study.paths import report_folder

_BEGAN = time.time()


def name_report_at_exit(study: str) -> None:
    """Name the study's report as the last line of this process, after Snakemake's own remarks, if it made one.

    Nothing is said where it made something else only, such as the data.
    """
    page = report_folder(study) / "report.html"
    if page.is_file() and page.stat().st_mtime >= _BEGAN:
        atexit.register(print, f"The report is ready: {page}", file=sys.stderr)


def note_at_exit_if_included(workflow: Any) -> None:
    """Say what to type, where another Snakefile includes this one before any rule of its own.

    Snakemake takes no default target from an included file: it finds nothing to do, and says so as if all were done.
    """
    included = len(workflow.included_stack) > 1 and len(workflow.modifier_stack) == 1
    if included and workflow.default_target is None:
        line = (
            "note: an included workflow has no default target. Name one, `snakemake --cores all all`, or take the "
            "workflow as a module: docs/own-project.md"
        )
        atexit.register(print, line, file=sys.stderr)
