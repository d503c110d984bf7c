"""A library that does not fit is named before training, not after."""

import sys
from pathlib import Path

import pytest

from scalestudy.errors import UserError
from scalestudy.report import preflight
from scalestudy.report.preflight import check_report_libraries


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the user's that is empty."""
    monkeypatch.setenv("SCALESTUDY_CACHE", str(tmp_path))
    return tmp_path


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)  # an import of it fails


def test_a_library_that_breaks_is_named_with_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    for _ in range(2):
        with pytest.raises(UserError, match=r"numpy \d.*scipy \d.*scipy\.optimize.*`make` installs"):
            check_report_libraries()


def test_libraries_that_fit_are_tried_once_until_something_else_is_installed(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    check_report_libraries()
    assert list(cache.iterdir())
    broken(monkeypatch)
    check_report_libraries()
    monkeypatch.setattr(preflight, "version", lambda name: "0.1")
    with pytest.raises(UserError, match=r"numpy 0\.1"):
        check_report_libraries()


def test_a_cache_that_cannot_be_written_to_costs_nothing_but_time(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    (cache / "file").write_text("no folder")
    monkeypatch.setenv("SCALESTUDY_CACHE", str(cache / "file"))
    check_report_libraries()
