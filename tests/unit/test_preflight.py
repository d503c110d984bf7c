"""A library that does not fit is named before training, not after."""

import sys

import pytest

from scalestudy.errors import UserError
from scalestudy.report.preflight import check_report_libraries


def test_libraries_that_fit_pass() -> None:
    check_report_libraries()


def test_a_library_that_breaks_is_named_with_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)  # an import of it fails
    with pytest.raises(UserError, match=r"numpy \d.*scipy \d.*scipy\.optimize.*`make` installs"):
        check_report_libraries()
