"""Snakemake 7.32, which the workflow still serves, in an environment of its own inside the tests' one."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from filelock import FileLock

PACKAGES = ("snakemake==7.32.4", "pulp<2.8", "setuptools<81")  # the last for its pkg_resources


def snakemake_7_command() -> Path:
    """Return the `snakemake` command of version 7.32: SCALESTUDY_SNAKEMAKE7, or from an environment made on first use.

    That environment is Snakemake 7 with what else it needs, in front of this environment's packages.
    """
    if given := os.environ.get("SCALESTUDY_SNAKEMAKE7"):
        return Path(given)
    home = Path(sys.prefix) / "snakemake7"
    command = home / "bin" / "snakemake"
    with FileLock(f"{home}.lock"):  # tests run beside each other
        if not command.exists():
            _install(home)
    return command


def _install(home: Path) -> None:
    python = home / "bin" / "python"
    install: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", *PACKAGES]
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", "--without-pip", home],
            check=True,
            capture_output=True,
            timeout=60,
        )
        (site,) = home.glob("lib/python*/site-packages")
        (site / "packages.pth").write_text(
            f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        )
        subprocess.run(install, check=True, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        words = " ".join(map(str, install))
        pytest.skip(f"no environment with Snakemake 7 ({error}); to make it: {words}")
