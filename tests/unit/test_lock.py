"""`requirements.lock` is what `make` installs: exact versions of everything declared, and nothing from elsewhere."""

import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").split("\n")[:-1]
PINNED = {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in LINES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
DECLARED = [each for each in (*PROJECT["dependencies"], *EXTRAS) if not each.startswith("scalestudy[")]


def test_each_line_is_one_released_version_of_one_package() -> None:
    for line in LINES:
        requirement = Requirement(line)  # no address, no folder, no commit
        assert requirement.url is None, line
        (pin,) = requirement.specifier
        assert pin.operator == "==", line
        assert not Version(pin.version).is_prerelease, line
    assert len(PINNED) == len(LINES)


@pytest.mark.parametrize("declared", DECLARED)
def test_what_the_project_declares_is_pinned_within_its_range(declared: str) -> None:
    requirement = Requirement(declared)
    pin = PINNED[canonicalize_name(requirement.name)]
    assert pin in requirement.specifier


def test_each_pinned_version_runs_on_the_oldest_python_and_fits_the_others() -> None:
    oldest = Version(SpecifierSet(PROJECT["requires-python"]).__str__().removeprefix(">="))
    looked_at = 0
    for name, pin in PINNED.items():
        try:
            facts = metadata(name)
        except PackageNotFoundError:  # for another platform
            continue
        if facts["Version"] != pin:
            continue
        looked_at += 1
        assert f"{oldest}.1" in SpecifierSet(facts["Requires-Python"] or ""), name
        for text in facts.get_all("Requires-Dist") or []:
            needed = Requirement(text)
            other = PINNED.get(canonicalize_name(needed.name))
            if other is not None and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                assert other in needed.specifier, f"{name} needs {text}, and {other} is pinned"
    assert looked_at > len(PINNED) / 2
