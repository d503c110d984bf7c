"""The study `best`: its ladder adds one part a row up to the full recipe, and other rows leave out one part each.

`best-final` trains the same recipe on all images.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scalestudy.study.config import Study, load_study
from scalestudy.study.runs import plan_runs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(ROOT)
    return load_study("best")


def recipe(study: Study, experiment: str) -> dict[str, Any]:
    """Return an experiment's settings but for its seeds; each must have one value."""
    axes = {key: values for key, values in study.axes(experiment).items() if key != "seed"}
    assert all(len(values) == 1 for values in axes.values()), experiment
    return {key: value for key, (value,) in axes.items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {key for key in before if before[key] != after[key]}


def test_each_row_of_the_ladder_adds_one_part_and_the_last_is_the_full_recipe(study: Study) -> None:
    ladder = ["plain", *(name for name in study.experiments if name.startswith("with_")), "full_recipe"]
    assert len(ladder) == 12
    rows = [recipe(study, name) for name in ladder]
    steps = [changed(before, after) for before, after in pairwise(rows)]
    assert all(len(step) == 1 for step in steps), steps
    # Flips and translation are two parts of one setting.
    assert set().union(*steps) == changed(rows[0], rows[-1])
    assert len(steps) == len(changed(rows[0], rows[-1])) + 1


def test_each_part_is_left_out_once_alone(study: Study) -> None:
    full = recipe(study, "full_recipe")
    left_out = {name: recipe(study, name) for name in study.experiments if name.startswith("without_")}
    assert all(len(changed(full, row)) == 1 for row in left_out.values())
    parts = set().union(*(changed(full, row) for row in left_out.values()))
    assert parts == changed(recipe(study, "plain"), full) - {"tta"} | {"weight_decay"}


def test_all_settings_are_selected_on_the_same_held_out_images(study: Study) -> None:
    runs = plan_runs(study)
    assert {(str(run.settings.validation), run.settings.subset_seed) for run in runs} == {("1/10", 0)}
    assert len(runs) == 4 * len(study.experiments)  # four seeds, and no row twice


def test_the_final_study_trains_the_full_recipe_at_full_size(study: Study) -> None:
    differing = changed(recipe(study, "full_recipe"), recipe(load_study("best-final"), "ten_passes"))
    size = {"model", "fraction", "batch_size", "lr", "steps", "epochs", "validation"}
    assert differing == size
