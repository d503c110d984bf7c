"""How long the rest of a study takes."""

from pathlib import Path

import pytest

from scalestudy.results.status import RunStatus
from scalestudy.workflow.forecast import Forecast, read_forecast

FORECAST = Forecast({"a": 10.0, "b": 20.0, "c": 40.0}, workers=1)


def test_what_ended_runs_took_corrects_what_waiting_runs_will_take() -> None:
    statuses = [
        RunStatus("a", "complete", {"elapsed": 5.0}),
        RunStatus("b", "waiting", {}),
        RunStatus("c", "waiting", {}),
    ]
    assert FORECAST.seconds_left(statuses) == pytest.approx(30.0)


def test_a_study_that_ended_needs_no_more_time() -> None:
    assert FORECAST.seconds_left([RunStatus(run, "complete", {"elapsed": 1.0}) for run in "abc"]) == 0.0


def test_the_first_forecast_of_a_study_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FORECAST.write("study")
    Forecast({"a": 1.0, "b": 1.0, "c": 1.0}, workers=8).write("study")
    assert read_forecast("study") == FORECAST
    Forecast({"d": 1.0}, workers=8, measured=True).write("study")
    assert read_forecast("study") == Forecast({"d": 1.0}, workers=8, measured=True)
