"""What this process may use of the machine."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the user's folder for what can be found out again: `$SCALESTUDY_CACHE`, else the system's usual place."""
    return Path(os.environ.get("SCALESTUDY_CACHE") or platformdirs.user_cache_dir("scalestudy"))


def usable_cpus() -> int:
    """Return how many CPUs this process may use: its affinity, and Slurm's allocation where there is one."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allocated = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cpus, int(allocated)) if allocated.isdigit() and int(allocated) > 0 else cpus
