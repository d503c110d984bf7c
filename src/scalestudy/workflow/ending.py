"""What Snakemake says last: where the finished report is."""

import atexit
import sys
import time

from scalestudy.study.paths import report_folder

_BEGAN = time.time()


def name_report_at_exit(study: str) -> None:
    """Name the study's report as the last line of this process, after Snakemake's own remarks, if it made one.

    Nothing is said where it made something else only, such as the data.
    """
    page = report_folder(study) / "report.html"
    if page.is_file() and page.stat().st_mtime >= _BEGAN:
        atexit.register(print, f"The report is ready: {page}", file=sys.stderr)
