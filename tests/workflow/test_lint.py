"""What `snakemake --lint` says about the rules."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

# Jobs run in the environment that runs Snakemake: it holds this project, which no conda channel does.
MEANT = "    * Specify a conda environment or container for each rule.:"


def test_snakemake_finds_nothing_to_complain_about_in_the_rules_but_what_is_meant() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("    * ")]
    assert MEANT in found, done.stderr
    assert set(found) == {MEANT}
