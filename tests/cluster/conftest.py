"""Fixtures of the cluster tests: a Slurm of their own, a copy of the project, an environment with Snakemake 7."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from slurm import Slurm, why_not
from workplace import Workplace

SNAKEMAKE_7 = ("snakemake==7.32.4", "pulp<2.8", "setuptools<81")  # the last for its pkg_resources


@pytest.fixture(scope="session")
def environ() -> dict[str, str]:
    """Give variables for Snakemake: this environment's commands, and none of the user's own settings."""
    foreign = ("SNAKEMAKE_", "SBATCH_", "SLURM_", "CUDA_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}


@pytest.fixture(scope="session")
def slurm(environ: dict[str, str]) -> Iterator[Slurm]:
    """Give a running Slurm; skip where none can be started."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    cluster = Slurm(environ)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def workplace(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Give a copy of the project in which commands talk to this Slurm.

    Whichever Snakemake runs there, 7 of another environment too, finds the rest of this one's packages.
    """
    root = tmp_path_factory.mktemp("cluster")
    packages = root / "packages" / "sitecustomize.py"
    packages.parent.mkdir()
    packages.write_text(f"import site\nsite.addsitedir({sysconfig.get_path('purelib')!r})\n")
    (root / "project").mkdir()
    more = {
        "PYTHONPATH": f"{root / 'project' / 'src'}:{packages.parent}",
        "SCALESTUDY_CACHE": str(root / "cache"),
        "CI": "true",  # Snakemake 7 then asks about its jobs every second and not every ten
    }
    return Workplace(root / "project", {**slurm.environ, **more})


@pytest.fixture(scope="session")
def snakemake_7() -> Path:
    """Give the `snakemake` command of version 7.32: SCALESTUDY_SNAKEMAKE7, or from an environment inside this one.

    That environment is made on first use: Snakemake 7 with what else it needs, in front of this environment's packages.
    """
    if given := os.environ.get("SCALESTUDY_SNAKEMAKE7"):
        return Path(given)
    home = Path(sys.prefix) / "snakemake7"
    command = home / "bin" / "snakemake"
    with FileLock(f"{home}.lock"):  # tests run beside each other
        if not command.exists():
            _install_snakemake_7(home)
    return command


def _install_snakemake_7(home: Path) -> None:
    python = home / "bin" / "python"
    install: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", *SNAKEMAKE_7]
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
