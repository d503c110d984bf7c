"""The topic of errors: classes and confusions, ties, few mistakes, calibration beyond noise, agreement of seeds."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import answers, made_findings
from synthetic import collected

from scalestudy.files import read_json, write_json
from scalestudy.findings.load import Predictions
from scalestudy.report import view
from scalestudy.report.figures.drawing import save
from scalestudy.results.measures import confusion_matrix
from scalestudy.topics import errors
from scalestudy.topics.drawing import draw
from scalestudy.topics.errors.find import (
    Confidence,
    Contrast,
    Missing,
    agreement,
    confident_mistakes,
    most_confused,
    overconfidence,
)
from scalestudy.topics.errors.say import say
from scalestudy.topics.errors.show import show
from scalestudy.topics.findings import Findings, write_findings
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.page import Page


def predicted(labels: Any, predictions: Any, confidence: Any = 0.9, classes: int = 10) -> Predictions:
    labels, predictions = np.asarray(labels, dtype=np.int64), np.asarray(predictions, dtype=np.int64)
    probabilities = np.full((len(labels), classes), 0.0, dtype=np.float32)
    probabilities[np.arange(len(labels)), predictions] = confidence
    return Predictions(labels, predictions, probabilities)


def of_classes(wrong: dict[int, int], *, into: int = 1, each: int = 40, classes: int = 10) -> Predictions:
    """Return predictions in which `wrong[k]` images of class k are taken for those `into` further on."""
    labels = np.repeat(np.arange(classes), each)
    predictions = labels.copy()
    for index, count in wrong.items():
        predictions[index * each : index * each + count] = (index + into) % classes
    return predicted(labels, predictions)


def found(made: Predictions | Any, **options: Any) -> Findings:
    """Return the findings of one setting with one run whose predictions are `made` (or made(settings, accuracy))."""
    own = (lambda settings, last: made) if isinstance(made, Predictions) else made
    one = {"models": ("resnet18",), "inits": ("none",), "fractions": ("1",), "seeds": (0,)}
    return made_findings(lambda settings: 0.8, **{**one, "predictions": own, **options})


def texts(findings: Findings) -> list[str]:
    return [each.text for each in say(findings).points]


def test_the_classes_right_most_and_least_often_are_named_and_ties_are_ties() -> None:
    findings = found(of_classes({5: 30, 6: 2, 7: 2, 8: 2, 9: 2}))
    assert findings.errors.contrast is Contrast.DIFFER
    assert texts(findings)[0] == (
        "The best result is right most often for 0, 1, 2, 3 and 4 (100.0 %), least often for 5 (25.0 %)."
    )


def test_classes_that_differ_no_more_than_the_drawing_of_test_images_are_not_ranked() -> None:
    findings = found(of_classes(dict.fromkeys(range(10), 3) | {4: 5}))
    assert findings.errors.contrast is Contrast.ALIKE
    assert texts(findings)[0].startswith("The classes of the best result do not differ in accuracy beyond")
    assert not any("most often for" in text for text in texts(findings))


def test_below_ten_mistakes_nothing_is_said_about_classes() -> None:
    findings = found(of_classes({5: 9}))
    assert findings.errors.contrast is Contrast.FEW_MISTAKES
    assert findings.errors.most_confused is None
    assert not any("most often" in text or "mistake takes" in text for text in texts(findings))


def test_the_most_frequent_mistake_is_said_where_it_stands_out() -> None:
    findings = found(of_classes({3: 20, 5: 4}, into=2))
    assert "Its most frequent mistake takes 3 for 5: 20 of 40 test images." in texts(findings)


def test_a_mistake_seen_twice_is_no_pattern_and_neither_are_two_equally_frequent_ones() -> None:
    matrix = np.diag(np.full(10, 40.0))
    matrix[3, 5] = 2
    assert most_confused(matrix) is None
    matrix[3, 5] = matrix[6, 7] = 20
    assert most_confused(matrix) is None
    matrix[3, 5] = 21
    assert most_confused(matrix) is not None


def test_two_classes_have_one_way_to_be_wrong_so_none_stands_out() -> None:
    assert most_confused(np.array([[10.0, 30.0], [0.0, 40.0]])) is None


def test_a_class_without_test_images_has_no_accuracy_and_shows_a_dash(tmp_path: Path) -> None:
    saved = predicted(np.arange(90) % 9, np.where(np.arange(90) < 20, 9, np.arange(90) % 9))
    findings = found(saved)
    last = findings.errors.classes[9]
    assert (last.images, last.accuracy, last.taken_for) == (0, None, ())
    assert "9" not in findings.errors.right(most=False)
    (_, row) = _class_rows(findings, tmp_path)[0]
    assert row[2].text == "–"
    assert row[2].small == "no test image"


def _class_rows(findings: Findings, folder: Path) -> list[tuple[str, tuple[view.Cell, ...]]]:
    inputs = Inputs(folder)
    inputs.__dict__["findings"] = findings
    section = show(Page(inputs, folder))
    assert section is not None
    (table,) = (
        block for block in section.blocks if isinstance(block, view.Table) and block.id == "table-per_class"
    )
    return [(row.cells[0].text, row.cells) for row in table.rows]


def test_overconfidence_is_said_only_beyond_noise() -> None:
    reading = {
        sure: found(partial(answers, sure=sure)).errors.networks[0].reading for sure in (0.15, 0.0, -0.15)
    }
    assert reading == {0.15: Confidence.OVER, 0.0: Confidence.FITS, -0.15: Confidence.UNDER}
    assert any(
        text.startswith("Confidence exceeds accuracy by 1")
        for text in texts(found(partial(answers, sure=0.15)))
    )
    assert "Confidence is not distinguishable from accuracy." in texts(found(answers))


def test_seeds_that_disagree_about_confidence_decide_nothing() -> None:
    def one(sure: float) -> Predictions:
        return answers({}, 0.8, sure=sure)

    apart = [one(0.18), one(0.0), one(-0.03)]
    assert overconfidence(apart[:1])[1] < 0.001
    mean, p = overconfidence(apart)
    assert mean > 0.03
    assert p > 0.2


def test_agreement_of_seeds_counts_equal_answers_and_shared_mistakes() -> None:
    labels = np.zeros(100, dtype=int)
    first, second = labels.copy(), labels.copy()
    first[:20], second[10:30] = 1, 2
    own = agreement({"a": predicted(labels, first), "b": predicted(labels, second)})
    assert own is not None
    assert (own.same, own.wrong_in_all, own.wrong) == pytest.approx((0.7, 0.1, 0.2))
    assert agreement({"a": predicted(labels, first)}) is None
    findings = found(answers, seeds=(0, 1, 2))
    assert any(
        text.startswith("The three runs of the best result agree pairwise on ") for text in texts(findings)
    )


def test_the_surest_mistakes_come_first_and_say_how_many_runs_share_them() -> None:
    labels = np.zeros(4, dtype=int)
    first = predicted(labels, [1, 1, 0, 1], [0.6, 0.9, 0.99, 0.9])
    second = predicted(labels, [0, 1, 0, 0])
    own = confident_mistakes([first, second])
    assert [(each.image, each.wrong_in) for each in own] == [(1, 2), (3, 1), (0, 1)]
    assert own[0].confidence == pytest.approx(0.9)


def test_without_predictions_there_is_no_section() -> None:
    findings = made_findings(lambda settings: 0.8)
    assert findings.errors.missing is Missing.NO_PREDICTIONS
    assert say(findings).everything == ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two seeds, one run of which failed."""
    study = collected(
        tmp_path_factory.mktemp("study"),
        seeds=(0, 1),
        broken={"resnet50_none_f1of2_adam_lr0.001_b32_s0": "failed"},
    )
    write_findings(study)
    return study


def _recomputed(folder: Path, run: str, index: str) -> dict[str, float]:
    """Return the measures of a run from its predictions file; those of a class where there is an index."""
    with np.load(folder / "runs" / run / "predictions.npz") as saved:
        labels, predictions = saved["labels"], saved["predictions"]
        sure = saved["probabilities"].astype(np.float64).max(axis=1)
    right = labels == predictions
    bins = np.ceil(sure * 15)
    gaps = [abs((right - sure)[bins == each].sum()) for each in np.unique(bins)]
    found = {
        "test_accuracy": right.mean(),
        "confidence": sure.mean(),
        "overconfidence": sure.mean() - right.mean(),
        "ece": sum(gaps) / len(labels),
    }
    if index:
        own = labels == int(index)
        found |= {"class_images": own.sum(), "class_accuracy": right[own].mean()}
    return {name: float(value) for name, value in found.items()}


def test_the_numbers_of_the_section_are_those_of_the_predictions(folder: Path, tmp_path: Path) -> None:
    inputs = Inputs(folder)
    for card in errors.TOPIC.figures:
        save(draw(card.name, inputs), card.name, tmp_path, ("svg", "csv"))
    section = show(Page(inputs, tmp_path))
    assert section is not None
    tables = {block.id: block for block in section.blocks if isinstance(block, view.Table)}
    assert set(tables) == {"table-per_class", "table-calibration"}
    seen = set()
    for cell in (cell for each in tables.values() for row in each.rows for cell in row.cells if cell.measure):
        kind, _, index = cell.measure.partition(":")
        seen.add(kind)
        if kind == "agreement":
            first, second = (
                np.load(folder / "runs" / run / "predictions.npz")["predictions"] for run in cell.runs
            )
            assert cell.value == pytest.approx(float((first == second).mean()))
        else:
            values = [_recomputed(folder, run, index)[kind] for run in cell.runs]
            assert cell.value == pytest.approx(float(np.mean(values)), abs=1e-6)
    assert seen == {
        *(
            "class_images",
            "class_accuracy",
            "confidence",
            "overconfidence",
            "test_accuracy",
            "agreement",
            "ece",
        )
    }


@pytest.mark.parametrize("name", [card.name for card in errors.TOPIC.figures])
def test_figures_hold_the_numbers_of_their_runs_and_fit_a_phone(name: str, folder: Path) -> None:
    drawing = draw(name, Inputs(folder))
    assert not drawing.wide.missing
    assert drawing.wide.rows
    assert {len(row) for row in drawing.wide.rows} == {len(drawing.wide.columns)}
    assert drawing.wide.alt.endswith(".")
    assert drawing.narrow is not None
    assert drawing.narrow.rows == drawing.wide.rows
    runs = {row["run"] for row in csv.DictReader((folder / "results.csv").open(encoding="utf-8"))}
    assert set(drawing.wide.runs) <= runs
    assert drawing.wide.runs


def test_figures_of_a_study_without_predictions_say_so(tmp_path: Path) -> None:
    study = collected(tmp_path, models=("resnet18",), inits=("none",), fractions=("1",))
    for path in study.glob("runs/*/predictions.npz"):
        path.unlink()
    write_findings(study)
    for card in errors.TOPIC.figures:
        assert "no complete run has saved predictions" in draw(card.name, Inputs(study)).wide.missing.lower()
    assert show(Page(Inputs(study), tmp_path)) is None


def test_classes_without_a_dataset_store_have_the_names_that_the_runs_recorded(tmp_path: Path) -> None:
    study = collected(tmp_path, models=("resnet18",), inits=("none",), fractions=("1",))
    root = study.parent.parent
    store = root / read_json(study / "study.json")["dataset"]["path"] / "dataset.json"
    content = read_json(store)
    write_json(store, {key: value for key, value in content.items() if key != "classes"})
    write_findings(study)
    assert Inputs(study).findings.errors.classes[0].name == "zero"


def test_confusions_count_true_classes_in_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
