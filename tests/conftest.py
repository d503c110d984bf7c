"""What all tests share. Its presence makes the helpers of this folder, such as `synthetic`, importable from each.

How to keep `make test` fast (the goal is 6 minutes on two cores); it works on several files of tests at once:

- All tests of a file run in one process, one after the other. So what several tests of a file only read is made once,
  by a fixture of scope `module`; a test that alters it takes a copy (`shutil.copytree`) into its `tmp_path`.
- A process that imports torch takes 2 s before it does anything, and `snakemake` as long. Call `run_job`, `Plan` or
  `CliRunner` in the test's own process wherever a process of its own is not the point.
- `tiny.tiny_store` (48 images that one step learns) is the dataset of tests that train, with an epoch or two at batch 8
  or 16. `report_study.analysed` and `rendered` make a finished study without training.
- Drawing is half of the way from runs to a report. Where nobody looks at the figures they are blank:
  `rendered(root, drawn=())`, and `DRAWN = False` in a file of workflow tests (`blank_drawing`).
- A process that is asked again and again, such as `scalestudy status`, is asked once a second.
- Tests, and the commands that they start, use one thread of torch, and a cache of their own: nothing of the user's is
  read or changed, and whether bf16 pays is measured once for all.
- Files with the marks `cluster`, `workflow` or `slow` start first. Mark one that takes half a minute `slow`.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from snakemake7 import snakemake_7_command

from scalestudy.machine import usable_cpus

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # `make test &`: what tests start must not inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in every process that a test starts

MOST_WORKERS = 8  # each may hold a GiB
FIRST = ("cluster", "workflow", "slow")


def pytest_configure(config: pytest.Config) -> None:
    """Give all processes of the tests one cache of their own."""
    if not hasattr(config, "workerinput"):
        os.environ["SCALESTUDY_CACHE"] = tempfile.mkdtemp(prefix="scalestudy-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ["SCALESTUDY_CACHE"], ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` means: one for each CPU that may be used, one for those that wait."""
    return min(usable_cpus() + 1, MOST_WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long files start first, so that no processor idles at the end."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in FIRST))


@pytest.fixture(scope="session")
def snakemake_7() -> Path:
    """Give the `snakemake` command of version 7.32."""
    return snakemake_7_command()
