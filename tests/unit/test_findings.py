"""findings.json: typed on both sides, without prose, the same bytes for the same files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made import made_findings
from synthetic import collected

from scalestudy.errors import UserError
from scalestudy.findings.model import IntervalKind, Verdict
from scalestudy.findings.study import load_study
from scalestudy.topics import TOPICS, figure_cards, figure_names
from scalestudy.topics.findings import (
    SCHEMA_FILE,
    Findings,
    find_all,
    findings_schema,
    findings_text,
    read_findings,
    write_findings,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    return collected(root, seeds=(0, 1), broken={"resnet50_none_f1of2_": "failed"})


def test_findings_are_read_back_as_they_were_and_the_same_files_give_the_same_bytes(folder: Path) -> None:
    path = write_findings(folder)
    first = path.read_bytes()
    assert read_findings(path) == find_all(load_study(folder))
    assert write_findings(folder).read_bytes() == first


def test_findings_hold_no_prose(folder: Path) -> None:
    """What holds blanks is a title that somebody gave, or the reason that a job left; all else are names."""
    given = {
        *("A synthetic study", "Made up for a test.", "Made-up digits", "rendered letters and digits"),
        *("Base recipe", "Synthetic CPU"),
    }

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [*value, *(text for each in value.values() for text in texts(each))]
        if isinstance(value, list):
            return [text for each in value for text in texts(each)]
        return [value] if isinstance(value, str) else []

    found = json.loads(findings_text(find_all(load_study(folder))))
    for cell in found["grid"]["cells"].values():
        for each in cell["left_out"]:
            assert each.pop("reason")
    for each in found["setup"]["problems"]:
        assert each.pop("reason")
    assert {text for text in texts(found) if " " in text} <= given


def test_findings_fit_their_schema_and_the_schema_is_that_of_the_types(folder: Path) -> None:
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == findings_schema(), (
        "write it anew: scalestudy schema --findings --output docs/findings.schema.json"
    )
    jsonschema.validate(
        json.loads(findings_text(find_all(load_study(folder)))), json.loads(findings_schema())
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text[: len(text) // 2], "invalid JSON"),
        (lambda text: "", "invalid JSON"),
        (lambda text: text.replace('"version": 2', '"version": 1'), "version"),
        (lambda text: text.replace('"higher"', '"heigher"', 1), "verdict"),
        (lambda text: text.replace('"epochs": 5', '"epochs": "many"', 1), "epochs"),
        (lambda text: text.replace('"study":', '"stduy":', 1), "study"),
        (lambda text: "[]", "object"),
    ],
)
def test_a_cut_or_mistyped_file_gives_one_line_that_names_it(
    folder: Path, tmp_path: Path, spoil: Any, said: str
) -> None:
    whole = findings_text(find_all(load_study(folder)))
    path = tmp_path / "findings.json"
    path.write_text(spoil(whole), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != whole
    with pytest.raises(UserError) as error:
        read_findings(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert said in str(error.value)
    assert "`snakemake --cores all --config study=" in str(error.value)


def test_a_missing_file_is_named_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"findings.json is not there; `snakemake --cores all --config study=test_a_missing"
    ):
        read_findings(tmp_path / "findings.json")


def test_every_topic_is_whole_and_every_finding_belongs_to_one() -> None:
    of_the_study = {"version", "study", "title", "description", "grid"}
    names = [topic.name for topic in TOPICS if topic.name != "runs"]
    assert set(Findings.model_fields) - of_the_study <= set(names)
    for topic in TOPICS:
        for figure in topic.figures:
            assert callable(getattr(topic.part("draw"), figure.name))
        if topic.name in Findings.model_fields:
            returned = topic.part("find").find.__annotations__["return"]
            assert returned is Findings.model_fields[topic.name].annotation
        assert callable(topic.part("show").show)
    assert len(figure_cards()) == sum(len(topic.figures) for topic in TOPICS)


def test_figures_follow_from_the_plan_alone() -> None:
    def planned(**values: list[str]) -> list[str]:
        longest = max(map(len, values.values()))
        runs = [
            {"settings": {key: own[place % len(own)] for key, own in values.items()}}
            for place in range(longest)
        ]
        return figure_names({"runs": runs})

    assert "init_gain" in planned(init=["none", "glyphs"], fraction=["1"])
    assert "effective_data" not in planned(init=["none", "glyphs"], fraction=["1"])
    assert "init_gain" not in planned(init=["a", "b"], fraction=["1"])
    assert "init_side_by_side" not in planned(init=["none"], fraction=["1"])
    # Dots above one training-set size make no line, and one measurement no curve.
    of_size = {"accuracy_by_size", "gap_by_size", "error_scaling"}
    assert not of_size & set(planned(model=["resnet18", "resnet50"], fraction=["1"], seed=["0", "1"]))
    assert of_size <= set(planned(model=["resnet18"], fraction=["1/2", "1"]))
    assert "learning_curves" not in planned(epochs=["1"], fraction=["1/2", "1"])
    assert "learning_curves" in planned(epochs=["1", "2"], fraction=["1/2", "1"])


def test_a_run_without_result_is_left_out_with_its_reason(folder: Path) -> None:
    grid = find_all(load_study(folder)).grid
    failed = grid.at("resnet50", "none", "1/2")
    assert failed is not None
    assert failed.value is None
    assert failed.planned == 2
    assert {(each.state, bool(each.reason)) for each in failed.left_out} == {("failed", True)}


def test_unbalanced_test_images_make_the_report_speak_of_balanced_accuracy(tmp_path: Path) -> None:
    """95 cats and 5 trucks: always answering cat is 95 % right (D32)."""
    from scalestudy.files import read_json, write_json

    study = collected(tmp_path)
    store = tmp_path / read_json(study / "study.json")["dataset"]["path"] / "dataset.json"
    write_json(store, {**read_json(store), "test_counts": [380, 20]})
    grid = find_all(load_study(study)).grid
    assert grid.primary == "balanced_accuracy"
    assert grid.majority == pytest.approx(0.95)
    cell = next(iter(grid.cells.values()))
    assert cell.result == cell.stat("balanced_accuracy")


def test_a_result_of_one_run_has_a_test_sampling_interval_unless_a_spread_is_known() -> None:
    one = made_findings(lambda settings: 0.6, seeds=(0,)).grid
    kinds = {cell.result.interval.kind for cell in one.cells.values() if cell.result and cell.result.interval}
    assert kinds == {IntervalKind.TEST_SAMPLING}
    assert {each.verdict for each in one.differences.values()} == {Verdict.ONE_RUN_EACH}
    assert not one.spreads


def test_the_curve_of_runs_that_stopped_early_has_the_epochs_that_all_of_them_have() -> None:
    findings = made_findings(
        lambda settings: 0.6,
        curve=lambda settings, last: [0.2, 0.4, last, last, last][: 5 - settings["seed"]],
    )
    for curve in findings.grid.curves.values():
        assert curve.epoch == (1, 2, 3)
        assert curve["test_accuracy"] == pytest.approx((0.2, 0.4, 0.6))
        assert len(curve.runs) == 3
    each = {"1/16": 3125, "1/2": 25_000, "1": 50_000}
    for cell in findings.grid.cells.values():  # 5, 4 and 3 epochs
        assert cell.steps == 4 * -(-each[cell.fraction] // int(str(cell.settings["batch_size"])))


def test_snakemake_learns_the_figures_without_loading_what_draws_or_tests() -> None:
    heavy = ("matplotlib", "pandas", "scipy", "torch", "jinja2")
    code = f"import sys; import scalestudy.topics; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_what_finds_knows_no_words_and_no_matplotlib() -> None:
    code = (
        "import sys; from scalestudy.topics import TOPICS; "
        "[topic.part('find') for topic in TOPICS if topic.name != 'runs']; "
        "print([name for name in sys.modules if name.startswith(('matplotlib', 'scalestudy.report', 'torch'))])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
