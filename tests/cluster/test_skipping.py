"""Where no Slurm can be started, the tests that need one say why, and what would help."""

import os

import pytest
import slurm


def test_without_the_daemons_the_reason_names_them_and_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slurm, "_find", lambda daemon: None if daemon == "slurmd" else f"/usr/sbin/{daemon}")
    assert slurm.why_not() == (
        "Slurm is not installed (slurmd not found): apt-get install -y --no-install-recommends slurm-wlm munge"
    )


def test_without_root_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "_find", lambda daemon: f"/usr/sbin/{daemon}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    reason = slurm.why_not()
    assert reason is not None
    assert "only root may start munged, slurmctld and slurmd" in reason
