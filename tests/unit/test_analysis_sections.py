"""Every section of the findings against values by hand, and what it says where something is missing."""

import csv
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import Settings, collected, synthetic_findings, write_json, write_synthetic_study

from scalestudy.analysis.calibration import (
    confident_mistakes,
    confused_pairs,
    confusion_matrix,
    expected_calibration_error,
    per_class,
    reliability,
)
from scalestudy.analysis.cost import pareto
from scalestudy.analysis.findings import analyse
from scalestudy.analysis.intervals import student_t, wilson
from scalestudy.analysis.overfitting import gap_trend, still_improving
from scalestudy.analysis.steps import accuracy_at
from scalestudy.files import read_json
from scalestudy.results.collect import collect
from scalestudy.results.record import parse_record, write_record

SMALL: dict[str, Any] = {"models": ("resnet18",), "inits": ("none",), "store": False}


def recollect(folder: Path) -> dict[str, Any]:
    study = read_json(folder / "study.json")
    return analyse(collect(study, study["runs"], folder.parent.parent))


def edit(path: Path, **changes: Any) -> None:
    write_json(path, {**read_json(path), **changes})


def another(path: Path, **changes: Any) -> None:
    """Write the record of a run that was made otherwise."""
    content = {key: value for key, value in read_json(path).items() if key not in ("checksum", "files")}
    write_record(path, parse_record({**content, **changes}))


# One run, several, and some that failed


def test_one_seed_has_no_band_and_n_stands_in_every_cell(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path)
    for cell in found["cells"].values():
        assert "(n = 1)" in cell["text"]
        assert "interval" not in cell["text"]
        assert cell["test_accuracy"]["sd"] is None
        assert cell["test_accuracy"]["interval"] == "wilson"
        correct = round(cell["test_accuracy"]["value"] * 400)
        assert cell["test_accuracy"]["low"] == pytest.approx(wilson(correct, 400).low)
        for measure in ("train_accuracy", "test_loss", "gap", "train_seconds", "ece"):
            assert (cell[measure]["low"], cell[measure]["interval"]) == (None, None)
    assert all(curve["test_low"] is None and curve["n"] == 1 for curve in found["curves"].values())


def test_several_seeds_have_the_student_interval_of_their_runs(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path, **SMALL, seeds=(0, 1, 2))
    for cell in found["cells"].values():
        accuracy = cell["test_accuracy"]
        interval = student_t(accuracy["values"])
        assert (accuracy["low"], accuracy["high"]) == (interval.low, interval.high)
        assert "n = 3" in cell["text"]
        assert "95 % interval" in cell["text"]
        assert accuracy["sd"] == pytest.approx(np.std(accuracy["values"], ddof=1))
        curve = found["curves"][cell["id"]]
        assert curve["test_accuracy"][-1] == pytest.approx(accuracy["value"], abs=1e-6)
        assert curve["test_low"][-1] == pytest.approx(interval.low, abs=1e-6)


def test_one_surviving_run_of_three_counts_as_one_and_the_others_are_named(tmp_path: Path) -> None:
    broken = {
        "resnet18_none_f1_adam_lr0.001_b32_s1": "failed",
        "resnet18_none_f1_adam_lr0.001_b32_s2": "diverged",
    }
    found = synthetic_findings(tmp_path, **SMALL, seeds=(0, 1, 2), broken=broken)
    cell = next(cell for cell in found["cells"].values() if cell["fraction"] == "1")
    assert (cell["n"], cell["planned"], cell["test_accuracy"]["interval"]) == (1, 3, "wilson")
    assert cell["test_accuracy"]["sd"] is None
    assert cell["text"].endswith("(n = 1 of 3); left out: 2 runs (failed, diverged)")
    assert [each["state"] for each in cell["left_out"]] == ["failed", "diverged"]
    assert found["state"]["text"] == "7 of 9 runs"
    problem = found["state"]["problems"][0]
    assert "out of memory" in problem["reason"]
    assert problem["log"].endswith(f"{problem['run']}.log")
    assert problem["cell"] == cell["id"]


@pytest.mark.parametrize("state", ["failed", "diverged", "missing", "half", "empty", "running"])
def test_a_cell_without_a_result_says_why_where_its_number_would_be(tmp_path: Path, state: str) -> None:
    found = synthetic_findings(tmp_path, **SMALL, broken={"resnet18_none_f1_": state})
    cell = next(cell for cell in found["cells"].values() if cell["fraction"] == "1")
    assert cell["test_accuracy"]["value"] is None
    reason = found["state"]["problems"][0]["reason"]
    assert reason
    assert cell["text"].startswith("no result: ")
    assert reason in cell["text"]
    assert found["curves"].keys() == {"c1", "c2"}


def test_a_study_without_any_result_is_analysed_and_says_what_is_missing(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path, broken={"resnet": "missing"}, store=False)
    assert found["state"]["text"] == "0 of 12 runs"
    for name in ("comparison", "scaling", "transfer", "overfitting", "cost", "calibration", "errors", "best"):
        assert found[name]["missing"], name
        assert found[name]["headline"] == "", name
    assert found["claims"]["key"]


def test_all_numbers_agree_with_the_tables_and_two_analyses_with_each_other(tmp_path: Path) -> None:
    folder = collected(tmp_path, seeds=(0, 1))
    first, second = analyse(folder), analyse(folder)
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)
    with (folder / "results.csv").open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    for cell in first["cells"].values():
        for measure in ("test_accuracy", "train_accuracy", "test_loss", "train_seconds", "peak_memory_mb"):
            values = [float(rows[run][measure]) for run in cell[measure]["runs"]]
            assert cell[measure]["values"] == values
            assert cell[measure]["value"] == pytest.approx(sum(values) / len(values))


def test_every_reference_between_sections_leads_somewhere(tmp_path: Path) -> None:
    found = synthetic_findings(
        tmp_path,
        seeds=(0, 1),
        extra={"batch": {"batch_size": [32, 64]}, "equal": {"steps": [40]}},
        references=[{"title": "r", "source": "s", "rows": [{"model": "resnet18", "test_accuracy": 0.5}]}],
    )

    def walk(value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            for key, each in value.items():
                yield key, each
                yield from walk(each)
        elif isinstance(value, list):
            for each in value:
                yield from walk(each)

    runs = {run for cell in found["cells"].values() for run in cell["planned_runs"]}
    checked = 0
    for key, value in walk({name: part for name, part in found.items() if name != "cells"}):
        if key in ("cell", "scratch", "small", "large", "from", "to", "runner_up") and value is not None:
            assert value in found["cells"], (key, value)
            checked += 1
        elif key == "difference" and isinstance(value, str):
            assert value in found["differences"], value
            checked += 1
        elif key == "runs" and isinstance(value, list):
            assert set(value) <= runs
            checked += 1
    assert checked > 200


# Predictions


def test_the_calibration_error_is_the_hand_computed_one() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, True, True, False, True, False])
    # Ten bins: |0.75 - 0.95| for four of six, |0.5 - 0.55| for two of six.
    assert expected_calibration_error(confidence, correct, 10) == pytest.approx(0.2 * 4 / 6 + 0.05 * 2 / 6)
    bins = reliability(confidence, correct, 10)
    assert [(each["n"], each["accuracy"]) for each in bins] == [(2, 0.5), (4, 0.75)]
    assert expected_calibration_error(np.ones(5), np.ones(5, dtype=bool)) == 0
    assert expected_calibration_error(np.ones(5), np.zeros(5, dtype=bool)) == 1


def test_confusions_and_classes_are_counted_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    predictions = np.array([0, 1, 1, 1, 0, 2])
    confusion = confusion_matrix(labels, predictions, 4)
    assert confusion.tolist() == [[1, 2, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    rows = per_class(confusion, ["a", "b", "c", "d"])
    assert [row["accuracy"] for row in rows] == [pytest.approx(1 / 3), 0.5, 1.0, None]
    assert rows[0]["worst_confusion"] == {"class": "b", "count": 2}
    assert rows[2]["worst_confusion"] is None
    assert rows[1]["low"] == pytest.approx(wilson(1, 2).low)
    assert confused_pairs(confusion)[0] == {"label": 0, "prediction": 1, "count": 2}


def test_the_most_confident_mistakes_come_first() -> None:
    labels, predictions = np.array([0, 1, 0]), np.array([1, 1, 1])
    probabilities = np.array([[0.4, 0.6], [0.1, 0.9], [0.1, 0.9]])
    found = confident_mistakes(labels, predictions, probabilities)
    assert [each["index"] for each in found] == [2, 0]
    assert found[0]["confidence"] == pytest.approx(0.9)


def test_accuracy_is_correct_over_total_for_a_test_set_that_no_batch_divides(tmp_path: Path) -> None:
    folder = collected(tmp_path, **SMALL, test_images=397, accuracy=lambda settings: 199 / 397)
    found = analyse(folder)
    for cell in found["cells"].values():
        assert cell["test_accuracy"]["value"] == 199 / 397
    assert sum(row["correct"] for row in found["errors"]["per_class"]) == 199
    assert sum(row["n"] for row in found["errors"]["per_class"]) == 397


def test_predictions_of_another_training_are_not_used_and_the_report_is_warned(tmp_path: Path) -> None:
    folder = collected(tmp_path, **SMALL, fractions=("1",))
    (run,) = (folder / "runs").iterdir()
    labels = np.zeros(400, dtype=np.int64)
    for predictions, probabilities in (
        (labels, np.full((400, 10), 0.1, dtype=np.float16)),  # all correct: not this run's accuracy
        (labels - 1, np.full((400, 10), 0.1, dtype=np.float16)),
        (labels, np.full((400, 10), np.nan, dtype=np.float16)),
        (labels, np.full((3, 10), 0.1, dtype=np.float16)),
    ):
        np.savez(run / "predictions.npz", labels=labels, predictions=predictions, probabilities=probabilities)
        found = analyse(folder)
        assert found["calibration"]["missing"]
        assert found["errors"]["missing"]
        assert [each["runs"] for each in found["warnings"] if each["id"] == "predictions"] == [[run.name]]
    (run / "predictions.npz").write_bytes(b"PK\x03\x04 cut")
    assert analyse(folder)["calibration"]["missing"]


# Training


def test_the_trend_of_the_gap_is_that_of_the_last_epochs() -> None:
    slope, trend = gap_trend([0.0, 0.1, 0.2, 0.3, 0.4])
    assert (slope == pytest.approx(0.1), trend) == (True, "growing")
    assert gap_trend([0.4, 0.3, 0.2, 0.1, 0.0])[1] == "shrinking"
    assert gap_trend([0.1, 0.2, 0.1, 0.2, 0.1])[1] == "flat"
    assert gap_trend([0.1, 0.2, 0.3]) == (None, "unknown")
    assert gap_trend([0.1 * min(epoch, 10) for epoch in range(40)])[1] == "flat"


def test_a_run_still_improves_only_beyond_the_noise_of_its_test_set() -> None:
    rising = [0.3, 0.4, 0.5, 0.55, 0.6]
    change, improving = still_improving(rising, 10_000)
    assert (change == pytest.approx(0.05), improving) == (True, True)
    assert still_improving(rising, 50)[1] is False
    assert still_improving([0.6, 0.5], 10_000)[1] is False
    assert still_improving([0.6], 10_000) == (None, None)


def test_a_curve_is_read_between_its_epochs_and_never_outside() -> None:
    assert accuracy_at([10, 20, 30], [0.2, 0.4, 0.5], 15) == pytest.approx(0.3)
    assert accuracy_at([10, 20, 30], [0.2, 0.4, 0.5], 30) == 0.5
    assert accuracy_at([10, 20, 30], [0.2, 0.4, 0.5], 9) is None
    assert accuracy_at([10, 20, 30], [0.2, 0.4, 0.5], 31) is None


def test_data_and_steps_are_told_apart_and_sum_to_the_whole_difference(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path, **SMALL, fractions=("1/2", "1"))
    (pair,) = found["equal_steps"]["pairs"]
    assert pair["measured"]
    assert pair["by_data"] + pair["by_steps"] == pytest.approx(pair["large_final"] - pair["small_accuracy"])


def test_the_budget_names_epochs_and_steps_of_every_fraction(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path, **SMALL, fractions=("1/10", "1"))
    assert found["setup"]["budget"]["rule"] == "epochs"
    assert "trains for 5 epochs" in found["setup"]["budget"]["text"]
    assert "(10 on 1/10, 100 on all)" in found["setup"]["budget"]["text"]
    budgets = [subset["budgets"][0] for subset in found["setup"]["subsets"]]
    assert [(each["epochs"], each["steps"], each["images_seen"]) for each in budgets] == [
        (5, 10, 320),
        (5, 100, 3200),
    ]
    claim = next(
        each for each in found["claims"]["key"] if "rises" in each["text"] or "higher" in each["text"]
    )
    assert "optimizer steps differ too (10 against 100), so data and steps change together" in claim["text"]


def test_with_equal_steps_a_difference_is_not_credited_to_them(tmp_path: Path) -> None:
    found = synthetic_findings(tmp_path, **SMALL, fractions=("1/10", "1"), recipe={"steps": 100})
    assert found["setup"]["budget"]["rule"] == "steps"
    text = " ".join(claim["text"] for section in found["claims"].values() for claim in section)
    assert "every subset got the same 100 optimizer steps" in text
    assert "steps differ too" not in text
    assert "this difference is not one of optimizer steps" in text


# Settings and selection


def batch_sizes(settings: Settings) -> float:
    """Test accuracy that falls with the batch size."""
    return {32: 0.8, 64: 0.7, 128: 0.6, 256: 0.5}[settings["batch_size"]]


def test_the_best_value_at_the_edge_of_its_range_gets_a_warning(tmp_path: Path) -> None:
    extra = {"batch": {"batch_size": [32, 64, 128, 256]}}
    found = synthetic_findings(tmp_path, **SMALL, fractions=("1",), extra=extra, accuracy=batch_sizes)
    (table,) = found["hyperparameters"]["tables"]
    (row,) = table["rows"]
    assert table["columns"][row["best"]]["settings"] == {"batch_size": 32}
    assert table["columns"][row["second"]]["settings"] == {"batch_size": 64}
    (edge,) = table["edges"]
    assert (edge["setting"], edge["value"], edge["edge"]) == ("batch_size", 32, "lowest")
    assert "lower ones may do better still" in edge["text"]
    assert any("learning rate is the same for every batch size" in caveat for caveat in table["caveats"])
    assert any("edge of what was tried" in claim["text"] for claim in found["claims"]["limits"])


def test_a_best_value_inside_its_range_gets_no_warning(tmp_path: Path) -> None:
    extra = {"rates": {"lr": [1e-4, 1e-3, 1e-2]}}
    found = synthetic_findings(
        tmp_path, **SMALL, extra=extra, accuracy=lambda settings: 0.8 if settings["lr"] == 1e-3 else 0.5
    )
    (table,) = found["hyperparameters"]["tables"]
    assert table["edges"] == []
    assert table["caveats"] == []


def test_means_of_batch_sizes_are_over_the_points_that_all_of_them_have(tmp_path: Path) -> None:
    found = synthetic_findings(
        tmp_path,
        **SMALL,
        extra={"batch": {"batch_size": [32, 64]}},
        broken={"resnet18_none_f1_adam_lr0.001_b64": "failed"},
        accuracy=lambda settings: 0.9 if settings["fraction"] == "1" else 0.5,
    )
    assert found["batch_sizes"]["headline"] == (
        "Mean test accuracy over the 2 points that every batch size has: 50.0 % at 32, 50.0 % at 64."
    )


def rewrite_metrics(folder: Path, change: Any) -> None:
    """Change every row of every run's metrics.csv."""
    for path in folder.glob("runs/*/metrics.csv"):
        with path.open(newline="") as file:
            rows = [change(path.parent.name, row) for row in csv.DictReader(file)]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def test_the_last_epoch_counts_though_the_test_peaked_before(tmp_path: Path) -> None:
    folder = write_synthetic_study(tmp_path, **SMALL, fractions=("1",), accuracy=lambda settings: 0.6)

    def peak(run: str, row: dict[str, str]) -> dict[str, str]:
        return {**row, "test_accuracy": "0.9"} if row["epoch"] == "2" else row

    rewrite_metrics(folder, peak)
    found = recollect(folder)
    assert found["cells"]["c1"]["test_accuracy"]["value"] == 0.6
    assert found["overfitting"]["rows"][0]["best_epoch"] == 2
    assert "last epoch" in found["hyperparameters"]["selection"]["text"]
    assert "test set" in found["hyperparameters"]["selection"]["text"]


def test_selection_goes_by_validation_where_images_are_held_out(tmp_path: Path) -> None:
    extra = {"batch": {"batch_size": [32, 64]}}
    options: dict[str, Any] = {**SMALL, "recipe": {"validation": "1/10"}, "extra": extra}
    folder = write_synthetic_study(tmp_path, **options, fractions=("1",), accuracy=batch_sizes)

    def reverse(run: str, row: dict[str, str]) -> dict[str, str]:
        return {**row, "validation_accuracy": "0.9" if "_b64_" in run else "0.4"}

    rewrite_metrics(folder, reverse)
    found = recollect(folder)
    (table,) = found["hyperparameters"]["tables"]
    assert table["columns"][table["rows"][0]["best"]]["settings"] == {"batch_size": 64}
    best = found["cells"][found["best"]["cell"]]
    assert (best["settings"]["batch_size"], best["test_accuracy"]["value"]) == (64, 0.7)
    assert found["best"]["rule"] == found["hyperparameters"]["selection"]["rule"] == "validation"
    assert "held-out validation images" in found["claims"]["key"][0]["text"]
    assert "optimistic" not in found["best"]["text"]


@pytest.mark.parametrize(("source", "said"), [("course assignment", True), ("a paper", False)])
def test_selecting_on_the_test_set_is_said_in_words(tmp_path: Path, source: str, said: bool) -> None:
    rows = [{"model": "resnet18", "test_accuracy": 0.5}]
    found = synthetic_findings(tmp_path, **SMALL, references=[{"title": "R", "source": source, "rows": rows}])
    text = found["hyperparameters"]["selection"]["text"]
    assert "on the test set" in text
    assert "slightly optimistic" in text
    assert ("as the assignment did" in text) is said


# Cost, reference, setup


def test_a_point_that_costs_more_and_is_worth_less_is_not_on_the_front() -> None:
    assert pareto([(1, 0.5), (2, 0.7), (3, 0.6), (4, 0.8)]) == [0, 1, 3]
    assert pareto([(1, 0.5), (1, 0.6)]) == [1]
    assert pareto([(1, 0.5), (1, 0.5)]) == [0, 1]
    assert pareto([]) == []


def reference_rows(tmp_path: Path, theirs: float, **options: Any) -> dict[str, Any]:
    """Return the row of one reported number beside the study's 60 %."""
    rows = [{"model": "resnet18", "fraction": "1", "lr": 1e-3, "test_accuracy": theirs}]
    reference = {"title": "Reported", "source": "a paper", "rows": rows}
    options = {"accuracy": lambda settings: 0.6 + 0.01 * settings["seed"], **options}
    found = synthetic_findings(tmp_path, **SMALL, fractions=("1/2", "1"), references=[reference], **options)
    return dict(found["reference"]["tables"][0]["rows"][0])


def test_a_reported_number_is_within_noise_above_or_below(tmp_path: Path) -> None:
    verdicts = {
        theirs: reference_rows(tmp_path / str(theirs), theirs)["verdict"] for theirs in (0.4, 0.58, 0.8)
    }
    assert verdicts == {0.4: "above", 0.58: "within noise", 0.8: "below"}


def test_over_seeds_a_reported_number_is_held_against_one_further_run(tmp_path: Path) -> None:
    found = reference_rows(tmp_path, 0.7, seeds=(0, 1, 2))
    # 61 % with SD 1 point over three: 4.3027 sqrt(1 + 1/3) points to each side.
    assert found["difference"] == pytest.approx(-0.09)
    assert found["high"] - found["low"] == pytest.approx(2 * 4.302653 * 0.01 * (4 / 3) ** 0.5, rel=1e-4)
    assert found["verdict"] == "below"
    assert "3 seeds" in found["text"]


def test_a_reported_number_without_counterpart_says_why(tmp_path: Path) -> None:
    found = reference_rows(tmp_path, 0.6, broken={"resnet18_none_f1_": "failed"})
    assert found["verdict"] == "no result"
    assert found["reason"] == "failed (out of memory on cpu: 3 GB asked, 1 GB free)"
    rows = [{"model": "vgg16", "test_accuracy": 0.5}]
    other = synthetic_findings(
        tmp_path / "b", **SMALL, references=[{"title": "", "source": "", "rows": rows}]
    )
    assert other["reference"]["tables"][0]["rows"][0]["reason"] == "not part of this study"


def test_mixed_machines_data_and_weights_are_warned_of(tmp_path: Path) -> None:
    folder = write_synthetic_study(tmp_path, models=("resnet18",), store=False)
    for path in sorted(folder.glob("runs/*f1_*/run.json")):
        another(path, device="cuda", device_name="A GPU")
    for path in sorted(folder.glob("runs/*glyphs*f1of2_*/run.json")):
        another(path, weights={**read_json(path)["weights"], "sha256": "f" * 64})
    for path in sorted(folder.glob("runs/*none*f1of2_*/run.json")):
        another(path, dataset={**read_json(path)["dataset"], "sha256": "f" * 64})
    found = recollect(folder)
    warned = {each["id"]: each for each in found["warnings"]}
    assert {"mixed-devices", "mixed-dataset", "mixed-weights"} <= warned.keys()
    assert "f1of2" in warned["mixed-dataset"]["runs"][0]
    assert not found["cost"]["comparable"]
    assert any("different kinds of machine" in claim["text"] for claim in found["claims"]["limits"])


def test_the_base_recipe_comes_first_and_other_recipes_say_how_they_differ(tmp_path: Path) -> None:
    found = synthetic_findings(
        tmp_path, **SMALL, extra={"sgd": {"optimizer": ["sgd"], "lr": [0.1], "dropout": [0.2]}}
    )
    assert [group["label"] for group in found["groups"]] == [
        "base recipe",
        "SGD, learning rate 0.1, dropout 0.2",
    ]
    assert found["axes"]["optimizer"] == ["adam", "sgd"]


def test_weights_are_named_by_their_title_whichever_way_it_begins(tmp_path: Path) -> None:
    folder = write_synthetic_study(tmp_path, models=("resnet18",), store=False)
    for title, label in (
        ("drawn letters", "pretrained on drawn letters"),
        ("Pretrained on drawn letters", "pretrained on drawn letters"),
    ):
        edit(folder / "study.json", weights={"glyphs": {"title": title, "source": "x"}})
        assert recollect(folder)["labels"]["init"]["glyphs"] == label


def test_two_hundred_runs_are_collected_and_analysed_in_a_fraction_of_a_minute(tmp_path: Path) -> None:
    """The whole of it, 1,000 runs of 100 epochs, is measured by benchmarks/report_scale.py."""
    folder = write_synthetic_study(
        tmp_path,
        models=("resnet18", "resnet50"),
        fractions=("1/32", "1/16", "1/8", "1/4", "1/2"),
        seeds=range(5),
        epochs=20,
        train_images=3200,
        extra={"batch": {"batch_size": [32, 64]}},
        store=False,
    )
    start = time.perf_counter()
    found = recollect(folder)
    seconds = time.perf_counter() - start
    assert found["state"]["text"] == "200 of 200 runs"
    assert seconds < 15
