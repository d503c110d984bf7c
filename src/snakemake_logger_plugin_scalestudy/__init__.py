"""What a person sees while Snakemake runs a study: runs done, running (epoch, accuracy), left, and the expected end.

A logger plugin of Snakemake 9 (`--logger scalestudy`, set by profiles/default). On a terminal the running jobs stay
at the bottom; elsewhere each run that ends is one plain line. A job that failed is named with the end of its log.
`--verbose`, `--printshellcmds`, `--debug-dag` and `-n` bring back Snakemake's own output.
"""

import logging
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from scalestudy.errors import printable
from scalestudy.report.wording import duration
from scalestudy.results.status import RunStatus, clock, run_status
from scalestudy.workflow.forecast import Forecast, read_forecast
from scalestudy.workflow.queue import refusal_line
from scalestudy.workflow.scheduler import mark_as_failed

_TRAINING = ("train", "pretrain")
_STARTS = "waits or starts"
_TOLD_OTHERWISE = {
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RUN_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.SHELLCMD,
    LogEvent.PROGRESS,
    LogEvent.RESOURCES_INFO,
}
# Snakemake's remarks on how it works, which say nothing about the study. Any other message is shown.
_REMARKS = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Conda environments: ignored",
    "Select jobs to execute",
    "Using profile",
    "Using workflow specific profile",
    "Using shell",
    "host:",
)
_LINES_OF_A_LOG = 12
_ROWS = 15  # on a cluster a hundred jobs may have been handed over
# What Snakemake's executors add to each message, and how its Slurm plugin tells of a job that Slurm ended.
_SEE_LOGS = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."
_ENDED_BY_SLURM = re.compile(r"SLURM-job '([^']+)' failed.*?status is:\s*'(\w+)'", re.DOTALL)


@dataclass
class _Job:
    rule: str
    wildcards: dict[str, str]
    folder: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def trains(self) -> bool:
        return self.rule in _TRAINING

    @property
    def title(self) -> str:
        what = (
            self.wildcards.get("run") or self.wildcards.get("weights") or self.wildcards.get("dataset") or ""
        )
        return what if self.rule == "train" else f"{self.rule.replace('_', ' ')} {what}".rstrip()


class LogHandler(LogHandlerBase):
    """Turns Snakemake's events into a study's progress."""

    def __post_init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        wanted = self.common_settings
        self.as_snakemake = wanted.dryrun or wanted.verbose or wanted.printshellcmds or wanted.debug_dag
        self.jobs: dict[int, _Job] = {}
        self.runs_left: int | None = None
        self.runs_done = 0
        self.statuses: dict[str, RunStatus] = {}
        self.forecast: Forecast | None = None
        self.runs_folder: Path | None = None
        self.live: Live | None = None

    @property
    def writes_to_stream(self) -> bool:
        """It writes to standard error, in the place of Snakemake's own output."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's log file stays Snakemake's."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's own filter serves."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Snakemake's own formatter serves."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """No."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Take one event."""
        try:
            event = getattr(record, "event", None)
            if self.as_snakemake:
                self._say(record)
            elif event == LogEvent.RUN_INFO and self.runs_left is None:
                stats: dict[str, Any] = getattr(record, "stats", {})
                self.runs_left = int(stats.get("train", 0))
                self._start(stats)
            elif event == LogEvent.JOB_INFO:
                self._job_started(record)
            elif event == LogEvent.JOB_FINISHED:
                self._job_finished(record.job_id)  # type: ignore[attr-defined]
            elif event == LogEvent.JOB_ERROR:
                self._job_failed(record)
            elif event == LogEvent.ERROR and getattr(record, "exception", "") == "RuleException":
                pass  # the same job's JOB_ERROR says it better
            elif event not in _TOLD_OTHERWISE and not (
                record.levelno == logging.INFO and str(record.msg or "").startswith(_REMARKS)
            ):
                self._say(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.live is not None:
            self.live.stop()
            self.live = None
        super().close()

    def _say(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if text and text != "None":
            style = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}.get(
                record.levelno, ""
            )
            self.console.print(Text(text, style=style))

    def _start(self, stats: dict[str, Any]) -> None:
        if self.runs_left:
            others = sum(
                count for rule, count in stats.items() if rule not in ("train", "total", "all", "report")
            )
            self.console.print(f"{self.runs_left:,} runs to train, {others:,} other jobs")
        if self.console.is_terminal:
            self.live = Live(
                console=self.console, get_renderable=self._screen, refresh_per_second=2, transient=True
            )
            self.live.start()

    def _job_started(self, record: Any) -> None:
        job = _Job(
            record.rule_name,
            dict(record.wildcards),
            Path(str(record.output[0])).parent if record.output else Path(),
        )
        self.jobs[record.jobid] = job
        if self.live is None and not job.trains and job.wildcards.keys() & {"dataset", "weights"}:
            self.console.print(Text(job.title))

    def _job_finished(self, jobid: int) -> None:
        job = self.jobs.pop(jobid, None)
        if job is None or not job.trains:
            return
        status = run_status(job.folder)
        result = "" if status.state == "complete" else f"{status.state} "
        accuracy = status.facts.get("test_accuracy")
        result += (
            f"test accuracy {accuracy:.3f}, " if accuracy is not None and status.state == "complete" else ""
        )
        count = ""
        self.statuses[status.run] = status
        if job.rule == "train":
            self.runs_done += 1
            self.runs_folder = job.folder.parent
            count = f"{self.runs_done:,}/{self.runs_left or 0:,}  "
        end = self._end()
        self.console.print(Text(f"{count}{job.title}  {result}{duration(time.monotonic() - job.began)}{end}"))

    def _job_failed(self, record: Any) -> None:
        """Say what failed, why, by the end of its log, and where to read more: not the whole command thrice."""
        job = self.jobs.pop(record.jobid, None)
        title = job.title if job else record.rule_name
        reason = _reason(record.rule_msg or "")
        if job is not None and job.trains and reason.startswith("job "):
            mark_as_failed(job.folder, reason)
        lines = [f"failed: {title}", *(f"  {line}" for line in reason.splitlines())]
        for name in map(str, record.log):
            try:
                tail = (
                    Path(name).read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_A_LOG:]
                )
            except OSError:
                if reason:
                    continue  # a job that never began has none
                tail = []
            lines += [*(f"    {line}" for line in tail), f"  log: {name}"]
        lines += [f"  {key}: {value}" for key, value in record.aux.items() if key == "external_jobid"]
        self.console.print(Text(printable("\n".join(lines)), style="red"))

    def _end(self) -> str:
        """Return `; about 2 min left (until 14:03)`, or nothing where that is unknown or nothing is left."""
        running = [job for job in self.jobs.values() if job.rule == "train"]
        if not self.runs_left or self.runs_done + len(running) == 0 or self.runs_done == self.runs_left:
            return ""
        if self.forecast is None:
            self._read_forecast(running[0] if running else None)
        if self.forecast is None:
            return ""
        now = {job.folder.name: run_status(job.folder) for job in self.jobs.values() if job.trains}
        left = self.forecast.seconds_left([*({**self.statuses, **now}.values())])
        if left is None:
            return ""
        return f"; about {duration(left)} left (until {clock(left)})"

    def _read_forecast(self, job: _Job | None) -> None:
        """Read the estimates that the Snakefile wrote at the start, and which runs earlier starts have finished."""
        folder = job.folder.parent if job else self.runs_folder
        if folder is None:
            return
        self.forecast = read_forecast(folder.parent.name)
        for each in self.forecast.folders(folder.parent.name) if self.forecast else ():
            status = run_status(each)
            self.statuses.setdefault(
                each.name, status if status.done else RunStatus(each.name, "waiting", {})
            )

    def _screen(self) -> RenderableType:
        """Return what stands at the bottom of the terminal."""
        table = Table.grid(padding=(0, 2))
        rows = [(f"  {job.title}", *self._columns(job)) for job in list(self.jobs.values())]
        rows.sort(key=lambda row: row[1] == _STARTS)
        for row in rows[:_ROWS]:
            table.add_row(*row)
        parts: list[RenderableType] = [table]
        if len(rows) > _ROWS:
            parts.append(Text(f"  and {len(rows) - _ROWS:,} more jobs"))
        if refused := refusal_line():
            parts.append(Text(f"  {printable(refused)}"))
        if not self.runs_left:
            return Group(*parts)
        bar = Progress(
            TextColumn("runs"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=self.console,
        )
        bar.add_task(self._end().lstrip("; "), total=self.runs_left, completed=self.runs_done)
        return Group(*parts, bar)

    @staticmethod
    def _columns(job: _Job) -> list[str]:
        if not job.trains:
            return [duration(time.monotonic() - job.began)]
        status = run_status(job.folder)
        if status.state != "running":
            return [_STARTS if status.state in ("waiting", "failed") else "done"]
        facts, left = status.facts, status.seconds_left
        accuracy = facts.get("test_accuracy")
        return [
            f"epoch {facts['epoch']} of {facts['epochs']}",
            f"test accuracy {accuracy:.3f}" if accuracy is not None else "",
            f"{duration(left)} left" if left is not None else "",
        ]


def _reason(message: str) -> str:
    """Return why a job failed, in the words of the scheduler; empty where its log says it."""
    if ended := _ENDED_BY_SLURM.search(message):
        return f"job {ended.group(1)}: {ended.group(2)}"
    words = message.replace(_SEE_LOGS, "").partition("\n    sbatch call:")[0].strip()
    return words if "sbatch" in words or "submi" in words else ""
