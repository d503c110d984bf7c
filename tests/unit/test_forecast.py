"""How long the rest of a study takes."""

from datetime import UTC, datetime, timedelta
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


def test_where_nobody_knows_a_size_nothing_is_foretold_and_the_next_start_that_knows_it_foretells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unknown = Forecast({"a": None, "b": 20.0}, workers=2)
    unknown.write("study")
    assert read_forecast("study") == unknown
    assert unknown.seconds_left([RunStatus("a", "waiting", {}), RunStatus("b", "waiting", {})]) is None
    assert unknown.seconds_left([RunStatus("b", "waiting", {})]) == 20.0
    known = Forecast({"a": 10.0, "b": 20.0}, workers=2)
    known.write("study")
    assert read_forecast("study") == known


def moments_ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def run_of(name: str, began: float, ended: float | None = None) -> RunStatus:
    """A run of epochs that began and ended so many seconds ago, or that runs and says that it needs ten more."""
    if ended is None:
        facts = {"elapsed": began, "updated": moments_ago(0), "seconds_left": 10.0}
        return RunStatus(name, "running", facts)
    return RunStatus(name, "complete", {"elapsed": began - ended, "updated": moments_ago(ended)})


def test_on_a_cluster_as_many_count_as_really_run_and_not_as_many_as_were_handed_over() -> None:
    """CASES D19: `jobs: 100` on four cores foretold 3 s two minutes before the end."""
    asked = Forecast({f"r{number}": 10.0 for number in range(20)}, workers=100)
    running = [run_of(f"r{number}", 2.0) for number in range(4)]
    waiting = [RunStatus(f"r{number}", "queued", {}) for number in range(4, 20)]
    assert asked.at_once([*running, *waiting]) == 4
    assert asked.seconds_left([*running, *waiting]) == pytest.approx(10.0 + 16 / 4 * 12, abs=8)


def test_runs_one_after_the_other_are_one_at_once_though_times_are_rounded() -> None:
    asked = Forecast(dict.fromkeys("abcd", 30.0), workers=8)
    statuses = [
        run_of("a", 70.0, 40.0),
        run_of("b", 40.05, 9.5),
        run_of("c", 9.55),
        RunStatus("d", "waiting", {}),
    ]
    assert asked.at_once(statuses) == 1
    assert asked.seconds_left(statuses) == pytest.approx(10.0 + 30.0, abs=6)


def test_a_run_that_ended_a_moment_ago_and_is_not_yet_followed_still_counts() -> None:
    asked = Forecast(dict.fromkeys("abcd", 30.0), workers=2)
    statuses = [
        run_of("a", 60.0),
        run_of("b", 50.0, 1.0),
        RunStatus("c", "waiting", {}),
        RunStatus("d", "waiting", {}),
    ]
    assert asked.at_once(statuses) == 2


def test_short_runs_of_which_one_has_just_begun_and_one_just_ended_are_two_at_once() -> None:
    """CASES E228: the quickstart foretold 72 s, 2.2 min, 60 s and 1.8 min in turns."""
    asked = Forecast(dict.fromkeys("abcdef", 5.0), workers=2)
    statuses = [
        run_of("a", 9.0, 4.6),
        run_of("b", 7.0, 2.0),
        run_of("c", 4.5, 0.1),
        run_of("d", 0.05),
        *(RunStatus(each, "waiting", {}) for each in "ef"),
    ]
    assert asked.at_once(statuses) == 2


def test_a_run_that_has_just_begun_and_says_nothing_yet_takes_what_it_was_expected_to() -> None:
    """CASES E234: `about 0.0 s left` as the last run of a study began."""
    statuses = [
        RunStatus("a", "complete", {"elapsed": 5.0}),
        RunStatus("b", "complete", {"elapsed": 10.0}),
        RunStatus("c", "running", {"elapsed": 0.0, "updated": moments_ago(0), "seconds_left": None}),
    ]
    assert FORECAST.seconds_left(statuses) == pytest.approx(20.0)


def test_before_the_first_run_and_where_nothing_waits_it_is_what_was_asked_for() -> None:
    asked = Forecast(dict.fromkeys("abc", 30.0), workers=3)
    assert asked.at_once([RunStatus(each, "waiting", {}) for each in "abc"]) == 3
    assert asked.at_once([run_of("a", 5.0), run_of("b", 60.0, 30.0), run_of("c", 60.0, 30.0)]) == 3


def test_an_interrupted_run_needs_only_the_rest() -> None:
    asked = Forecast({"a": 40.0}, workers=1)
    assert asked.seconds_left([RunStatus("a", "interrupted", {"epoch": 3, "epochs": 4})]) == pytest.approx(
        10.0
    )
    midst = {"epoch": 0, "epochs": 2, "elapsed": 30.0, "seconds_left": 90.0}
    assert asked.seconds_left([RunStatus("a", "interrupted", midst)]) == pytest.approx(30.0)


def test_the_first_estimates_of_a_study_are_kept_and_the_workers_of_the_last_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    FORECAST.write("study")
    Forecast({"a": 1.0, "b": 1.0, "c": 1.0}, workers=8, measured=True).write("study")
    assert read_forecast("study") == Forecast(FORECAST.seconds, workers=8, measured=False)
    Forecast({"d": 1.0}, workers=8, measured=True).write("study")
    assert read_forecast("study") == Forecast({"d": 1.0}, workers=8, measured=True)
