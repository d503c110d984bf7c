"""Fixtures of the cluster tests: a Slurm of their own, a copy of the project."""

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm import Slurm, why_not
from workplace import Workplace


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
