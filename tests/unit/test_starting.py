"""How Snakemake was started, by its command line, and that its default profiles agree."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from scalestudy.workflow.starting import how_started

PROFILES = Path(__file__).parents[2] / "profiles" / "default"


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("--cores all", "run"),
        ("--cores 2 report --config study=mine", "run"),
        ("-n", "dry-run"),
        ("-np", "dry-run"),
        ("-npj1", "dry-run"),
        ("-nc4 --config study=mine", "dry-run"),
        ("--dry-run", "dry-run"),
        ("--report study.zip", "other"),
        ("--report study.zip --report-after-run --cores 2", "run"),
        ("--cores 2 --conda-prefix envs --sdm conda", "run"),
        ("--conda-create-envs-only", "other"),
        ("--cleanup-metadata a", "other"),
        ("--cm a", "other"),
        ("--unlock", "other"),
        ("--lint", "other"),
        ("-S", "other"),
    ],
)
def test_a_command_line_says_whether_jobs_will_run(line: str, start: str) -> None:
    assert how_started(line.split(), SimpleNamespace()) == start


def test_a_profile_s_dry_run_is_one() -> None:
    assert how_started([], SimpleNamespace(output_settings=SimpleNamespace(dryrun=True))) == "dry-run"


def test_the_default_profiles_of_all_versions_agree_where_they_speak_of_the_same() -> None:
    seven, *newer = (
        yaml.safe_load(path.read_text())
        for path in sorted(PROFILES.iterdir(), key=lambda p: p.name != "config.yaml")
    )
    assert len(newer) == 2
    for each in newer:
        shared = seven.keys() & each.keys()
        assert {"cores", "rerun-triggers", "keep-going"} <= shared
        assert {key: each[key] for key in shared} == {key: seven[key] for key in shared}
