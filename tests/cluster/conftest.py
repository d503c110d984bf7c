"""Fixtures of the cluster tests: a Slurm of their own, and an environment with Snakemake 7."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm import Slurm, why_not

SNAKEMAKE_7 = ("snakemake==7.32.4", "pulp<2.8")


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Give a running Slurm; skip where none can be started."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    cluster = Slurm()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def snakemake_7() -> Path:
    """Give the `snakemake` command of an environment with version 7.32, made on first use inside this one.

    Only Snakemake itself is installed there; everything else (torch above all) is this interpreter's own.
    """
    home = Path(sys.prefix) / "snakemake7"
    command = home / "bin" / "snakemake"
    if not command.exists():
        install = f"{home}/bin/python -m pip install {' '.join(map(repr, SNAKEMAKE_7))}"
        try:
            subprocess.run([sys.executable, "-m", "venv", home], check=True, capture_output=True, timeout=120)
            pip: list[str | Path] = [home / "bin" / "python", "-m", "pip", "install", "--quiet", *SNAKEMAKE_7]
            subprocess.run(pip, check=True, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"no environment with Snakemake 7 ({error}); to make it: {install}")
    # Its own packages come first; the .pth files over there (this project, installed in place) count as well.
    purelib = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    Path(purelib, "everything-else.pth").write_text(line, encoding="utf-8")
    return command


@pytest.fixture
def environ() -> dict[str, str]:
    """Give variables for Snakemake: this environment's commands, and none of the user's own settings."""
    foreign = ("SNAKEMAKE_", "SBATCH_", "SLURM_", "CUDA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}
