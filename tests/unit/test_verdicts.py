"""Verdicts come from variation over seeds, and one pair has one verdict."""

from collections.abc import Callable

import numpy as np
import pytest
from made import Settings, made_findings, made_study
from scipy import stats

from scalestudy.findings.compare import Outcome
from scalestudy.findings.model import Balance, Cell, Direction, Family, IntervalKind, Verdict
from scalestudy.findings.study import Study


def scattered(by: float, **shifts: float) -> Callable[[Settings], float]:
    """Return results that scatter by `by` around 0.6, shifted for settings whose value has a shift."""

    def result(settings: Settings) -> float:
        rng = np.random.default_rng(
            abs(hash(tuple(sorted((k, str(v)) for k, v in settings.items())))) % 2**32
        )
        return (
            0.6 + by * float(rng.standard_normal()) + sum(shifts.get(str(v), 0.0) for v in settings.values())
        )

    return result


def cell(study: Study, model: str, init: str, fraction: str) -> Cell:
    found = study.grid.at(model, init, fraction)
    assert found is not None
    return found


def test_one_run_of_each_setting_gives_a_difference_and_no_verdict() -> None:
    findings = made_findings(scattered(0.01, glyphs=0.2), seeds=(0,))
    assert findings.grid.differences
    for found in findings.grid.differences.values():
        assert found.verdict is Verdict.ONE_RUN_EACH
        assert found.test is None
    assert [claim.reading for claim in findings.weights.balance] == [Balance.UNTESTED]
    assert {each.trend.direction for each in findings.weights.trends} == {Direction.UNTESTED}


def test_seeds_on_the_base_recipe_judge_single_runs_of_other_recipes_on_the_same_fraction() -> None:
    study = made_study(
        scattered(0.005),
        recipes=({}, {"batch_size": 256}),
        seeds=lambda settings: (0, 1, 2) if settings["batch_size"] == 32 else (0,),
    )
    base, other = (study.grid.at("resnet18", "none", "1/2", group) for group in study.grid.groups)
    assert base is not None
    assert other is not None
    study.compare([(base, other)])
    found = study.grid.difference(base.id, other.id)
    assert found is not None
    assert found.family is Family.RECIPE
    assert found.test is not None
    assert found.test.df >= 2
    assert other.result is not None
    assert other.result.interval is not None
    assert other.result.interval.kind is IntervalKind.SPREAD


def test_a_pair_has_one_verdict_whoever_asks_and_from_either_side() -> None:
    study = made_study(scattered(0.01, glyphs=0.1))
    a, b = cell(study, "resnet18", "none", "1"), cell(study, "resnet18", "glyphs", "1")
    study.compare([(a, b), (b, a), (a, b)])
    assert len(study.grid.differences) == 1
    there, back = study.grid.difference(a.id, b.id), study.grid.difference(b.id, a.id)
    assert there is not None
    assert back is not None
    assert there.test is not None
    assert back.test is not None
    assert (there.verdict, back.verdict) == (Verdict.HIGHER, Verdict.LOWER)
    assert back.value == -there.value
    assert (back.test.low, back.test.high) == (-there.test.high, -there.test.low)
    assert there.test.tests == 1
    assert back.turned() == there


def test_p_values_are_corrected_over_all_pairs_that_differ_in_the_same_axis() -> None:
    study = made_study(scattered(0.01))
    at = {(c.model, c.init, c.fraction): c for c in study.grid.cells.values()}
    init = [(at[m, "none", f], at[m, "glyphs", f]) for m in study.grid.models for f in study.grid.fractions]
    data = [(at["resnet18", "none", "1/16"], at["resnet18", "none", "1"])]
    both = [(at["resnet18", "none", "1/16"], at["resnet50", "glyphs", "1"])]
    study.compare([*init, *data, *both])
    found = study.grid.differences.values()
    tests = {each.family: each.test.tests for each in found if each.test is not None}
    assert tests == {Family.INIT: 6, Family.DATA: 1, Family.SEVERAL: 1}


def test_the_means_of_a_difference_are_those_of_its_cells_and_name_their_seeds() -> None:
    """Three runs on one side, two on the other: all count, and the difference is that of the means shown (D31)."""
    study = made_study(
        scattered(0.02),
        models=("resnet18",),
        missing=lambda settings: settings["init"] == "glyphs" and settings["seed"] == 1,
    )
    a, b = cell(study, "resnet18", "none", "1"), cell(study, "resnet18", "glyphs", "1")
    study.compare([(a, b)])
    found = study.grid.difference(a.id, b.id)
    assert found is not None
    assert (found.a.mean, found.b.mean) == (a.value, b.value)
    assert found.value == pytest.approx(found.b.mean - found.a.mean)
    assert [seed for seed, _ in found.a.seeds] == [0, 1, 2]
    assert [seed for seed, _ in found.b.seeds] == [0, 2]


def test_runs_that_do_not_vary_are_not_compared() -> None:
    study = made_study(lambda settings: 0.9 if settings["init"] == "glyphs" else 0.5)
    a, b = cell(study, "resnet18", "none", "1"), cell(study, "resnet18", "glyphs", "1")
    study.compare([(a, b)])
    found = study.grid.difference(a.id, b.id)
    assert found is not None
    assert found.verdict is Verdict.NOT_COMPARED


def test_a_side_without_result_gives_no_difference() -> None:
    study = made_study(scattered(0.01), missing=lambda settings: settings["init"] == "glyphs")
    a, b = cell(study, "resnet18", "none", "1"), cell(study, "resnet18", "glyphs", "1")
    study.compare([(a, b)])
    assert study.grid.difference(a.id, b.id) is None
    assert [each.state for each in b.left_out] == ["missing"] * 3


def test_an_unstable_cell_is_not_judged_by_its_calm_neighbours() -> None:
    """One cell moves by ten points between seeds, the others by a tenth of one."""

    def result(settings: Settings) -> float:
        wild = settings["model"] == "resnet50" and settings["init"] == "glyphs"
        return 0.75 + 0.1 * (settings["seed"] - 1) if wild else 0.6 + 0.001 * settings["seed"]

    study = made_study(result)
    a, b = cell(study, "resnet18", "glyphs", "1"), cell(study, "resnet50", "glyphs", "1")
    study.compare([(a, b)])
    found = study.grid.difference(a.id, b.id)
    assert found is not None
    assert found.test is not None
    pooled = study.grid.spreads["1"]
    as_in_anova = abs(found.value) / (pooled.sd * (2 / 3) ** 0.5)
    assert 2 * stats.t.sf(as_in_anova, pooled.df) < 0.01
    assert found.verdict is Verdict.NOT_DISTINGUISHABLE
    assert found.test.df < pooled.df


def test_mcnemar_compares_two_networks_and_makes_no_verdict() -> None:
    study = made_study(scattered(0.01), seeds=(0,))
    a, b = cell(study, "resnet18", "none", "1"), cell(study, "resnet18", "glyphs", "1")
    right = np.array([True] * 60 + [False] * 40)
    study._outcomes = {a.runs[0]: Outcome(right, "same"), b.runs[0]: Outcome(~right, "same")}
    study.compare([(a, b)])
    found = study.grid.difference(a.id, b.id)
    assert found is not None
    assert found.networks is not None
    assert (found.networks.only_a, found.networks.only_b) == (60, 40)
    assert found.networks.p == pytest.approx(0.057, abs=1e-3)
    assert found.verdict is Verdict.ONE_RUN_EACH


def test_what_a_set_of_verdicts_comes_to() -> None:
    h, l, n, o = Verdict.HIGHER, Verdict.LOWER, Verdict.NOT_DISTINGUISHABLE, Verdict.ONE_RUN_EACH  # noqa: E741
    cases = {
        (h, h): Balance.HIGHER,
        (l,): Balance.LOWER,
        (n, n): Balance.LEVEL,
        (h, n): Balance.SOME_HIGHER,
        (h, o): Balance.SOME_HIGHER,
        (l, n, o): Balance.SOME_LOWER,
        (h, l): Balance.BOTH,
        (n, o): Balance.OPEN,
        (o, o): Balance.UNTESTED,
    }
    for verdicts, expected in cases.items():
        assert Balance.of(verdicts) is expected, verdicts
