"""A working copy of the project, and commands run in it as a user does."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "profiles", "config", "templates", "src")


@dataclass
class Project:
    """A working copy of the project; `run` starts a command in it and returns what came of it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, check: bool = True, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=timeout,
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("snakemake", *arguments, check=check)

    def scalestudy(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("scalestudy", *arguments, check=check)

    def planned_jobs(self, *arguments: str) -> dict[str, int]:
        """Return the jobs that a dry run lists, counted by rule."""
        shown = self.snakemake("-n", *arguments)
        rows = [line.split() for line in (shown.stdout + shown.stderr).splitlines()]
        return {
            row[0]: int(row[1])
            for row in rows
            if len(row) == 2 and row[1].isdigit() and row[0].isidentifier() and row[0] != "total"
        }
