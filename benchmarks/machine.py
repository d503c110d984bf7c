"""What a timing is worth: on which machine it was taken, at which commit, and what else ran meanwhile."""

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

QUIET = 0.05  # of all processors: what a machine that does nothing else may use
_LOOK_SECONDS = 5.0


def refuse_if_busy(allowed: bool) -> None:
    """End the program where other work uses this machine's processors, unless `allowed`."""
    used = psutil.cpu_percent(interval=_LOOK_SECONDS) / 100
    if used > QUIET and not allowed:
        sys.exit(
            f"error: this machine is busy ({used:.0%} of {os.cpu_count()} processors in use), so timings taken now say "
            "nothing; wait until it is quiet, or add --busy and do not publish them"
        )


def describe() -> str:
    """Return one line: processor, torch, commit, date, load."""
    threads = f"{len(os.sched_getaffinity(0))} usable" if hasattr(os, "sched_getaffinity") else "all usable"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{_processor()}, {os.cpu_count()} processors ({threads}); torch {version('torch')}, Python "
        f"{platform.python_version()}; commit {_commit()}; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; load {load}"
    )


class Watch:
    """Times a block, child processes included.

    seconds: on the clock. others: the share of all processors that the rest of the world used meanwhile.
    """

    seconds = others = 0.0

    def __enter__(self) -> "Watch":
        self._began = time.perf_counter(), _busy_seconds() - _own_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        clock, others = self._began
        self.seconds = time.perf_counter() - clock
        used = max(0.0, _busy_seconds() - _own_seconds() - others)
        self.others = used / (self.seconds * (os.cpu_count() or 1))


def _own_seconds() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usages)


def _busy_seconds() -> float:
    """Return the seconds for which this machine's processors have worked, or were taken away by its host."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _processor() -> str:
    """Return the processor's name, with what tells its kinds of arithmetic apart."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return platform.processor() or platform.machine()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())
    }
    name = facts.get("model name", platform.machine())
    kind = f"family {facts['cpu family']} model {facts['model']}" if "cpu family" in facts else ""
    special = [
        flag
        for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2")
        if flag in facts.get("flags", "").split()
    ]
    return f"{name} ({', '.join([kind, *special]).strip(', ')})"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    shown = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return shown.stdout.strip() or f"unknown, version {version('scalestudy')}"
