"""Every number of the page, recomputed from the tables and the runs' files; the same in HTML and Markdown."""

import csv
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Page, PageCell, markdown_tables, plain
from report_study import rendered

from scalestudy.report import wording
from scalestudy.topics.steps.find import accuracy_at

HYPERPARAMETERS = {"batch sizes": {"batch_size": [32, 64]}, "sgd": {"optimizer": ["sgd"], "lr": [0.1]}}
REFERENCE = {
    "title": "A book",
    "source": "page 7",
    "rows": [
        {"model": "resnet18", "init": "none", "fraction": "1/2", "test_accuracy": 0.6},
        {"model": "resnet50", "init": "none", "fraction": "1", "batch_size": 512, "test_accuracy": 0.7},
    ],
}
STUDIES: dict[str, dict[str, Any]] = {
    "one seed": {"references": [REFERENCE]},
    "seeds, recipes, validation": {
        "seeds": (0, 1, 2),
        "models": ("resnet18",),
        "extra": HYPERPARAMETERS,
        "recipe": {"validation": "1/10"},
    },
    "five sizes": {"fractions": ("1/16", "1/8", "1/4", "1/2", "1"), "seeds": (0, 1), "models": ("resnet18",)},
    "broken runs": {
        "broken": {
            "resnet50_none_f1of2_": "failed",
            "resnet18_glyphs_f1of16_": "diverged",
            "resnet18_none_f1_": "half",
        }
    },
}


class Study:
    """A rendered study with what its numbers come from."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.report = rendered(root, drawn=("accuracy_by_size",), **settings)
        study = self.report.parent if self.report.name == "partial" else self.report
        self.folder = root / "results" / study.name
        self.page = Page(self.report / "report.html")
        self.markdown = (self.report / "report.md").read_text(encoding="utf-8")
        self.rows = {row["run"]: row for row in self._read("results.csv")}
        self.curves = self._read("curves.csv")
        # What replicates have in common: every setting but the seeds, up to the column after the last setting.
        columns = list(next(iter(self.rows.values())))
        settings_end = columns.index("fraction_value")
        self.settings = [name for name in columns[4:settings_end] if name not in ("seed", "subset_seed")]

    def _read(self, name: str) -> list[dict[str, str]]:
        with (self.report / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def column(self, name: str, runs: list[str]) -> float:
        """Return the mean of a column of results.csv."""
        return math.fsum(float(self.rows[run][name]) for run in runs) / len(runs)

    def groups(self, runs: list[str]) -> list[list[str]]:
        """Return the runs by replicate sets, in order of appearance."""
        found: dict[tuple[str, ...], list[str]] = {}
        for run in runs:
            found.setdefault(tuple(self.rows[run][name] for name in self.settings), []).append(run)
        return list(found.values())

    def predictions(self, run: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels, predictions and the confidence of each prediction."""
        with np.load(self.folder / "runs" / run / "predictions.npz") as arrays:
            labels, predicted = arrays["labels"], arrays["predictions"]
            probabilities = arrays["probabilities"].astype(np.float32)
        return labels, predicted, probabilities[np.arange(len(labels)), predicted]

    def at_step(self, step: float, runs: list[str]) -> float:
        """Return the mean test accuracy of the runs' learning curves at a step."""
        curves = [[row for row in self.curves if row["run"] == run] for run in runs]
        steps = [float(row["step"]) for row in curves[0]]
        means = [
            math.fsum(float(curve[place]["test_accuracy"]) for curve in curves) / len(curves)
            for place in range(len(steps))
        ]
        found = accuracy_at(steps, means, step)
        assert found is not None
        return found

    def last_change(self, runs: list[str]) -> float:
        """Return the mean change of test accuracy in the last epoch."""
        own = [[float(row["test_accuracy"]) for row in self.curves if row["run"] == run] for run in runs]
        return math.fsum(curve[-1] - curve[-2] for curve in own) / len(own)

    def recomputed(self, cell: PageCell) -> float | None:
        """Return what a cell should hold, from the runs that it names; None for a fit, which has its own tests."""
        measure, _, argument = cell.attributes["data-measure"].partition(":")
        name, _, step = measure.partition("@")
        runs = cell.runs
        if measure == "gap":
            return self.column("train_eval_accuracy", runs) - self.column("test_accuracy", runs)
        if measure == "last_change":
            return self.last_change(runs)
        if step:
            return self.at_step(float(step), runs)
        if measure == "difference":
            first, second = self.groups(runs)
            return self.column("test_accuracy", second) - self.column("test_accuracy", first)
        if measure == "slope":
            first, second = self.groups(runs)
            error = [1 - self.column("test_accuracy", each) for each in (first, second)]
            images = [self.column("train_images", each) for each in (first, second)]
            return math.log(error[1] / error[0]) / math.log(images[1] / images[0])
        if measure.startswith("fit_"):
            return None
        if measure == "agreement":
            answers = [self.predictions(run)[1] for run in runs]
            alike = [float((a == b).mean()) for a, b in itertools.combinations(answers, 2)]
            return math.fsum(alike) / len(alike)
        if measure in ("confidence", "overconfidence", "ece") or measure.startswith("class_"):
            own = [self.from_predictions(measure, argument, run) for run in runs]
            return math.fsum(own) / len(own)
        return self.column(name, runs)

    def from_predictions(self, measure: str, argument: str, run: str) -> float:
        labels, predicted, confidence = self.predictions(run)
        right = labels == predicted
        if measure == "confidence":
            return float(confidence.mean())
        if measure == "overconfidence":
            return float(confidence.mean() - right.mean())
        if measure == "ece":
            bins = np.minimum((confidence * 15).astype(int), 14)
            parts = [bins == each for each in range(15)]
            return float(
                sum(
                    part.mean() * abs(right[part].mean() - confidence[part].mean())
                    for part in parts
                    if part.any()
                )
            )
        own = labels == int(argument)
        return float(
            {"class_images": own.sum(), "class_correct": (own & right).sum()}.get(measure, right[own].mean())
        )


@pytest.fixture(scope="module", params=STUDIES)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"), **STUDIES[request.param])


def test_every_cell_with_a_measure_is_what_its_runs_give(study: Study) -> None:
    seen = set()
    for cell in study.page.cells:
        if "data-measure" not in cell.attributes:
            continue
        assert cell.runs, cell
        expected = study.recomputed(cell)
        seen.add(cell.attributes["data-measure"].partition(":")[0].partition("@")[0])
        if expected is not None:
            assert float(cell.attributes["data-value"]) == pytest.approx(expected, rel=1e-3, abs=2e-4), cell
    assert {
        "test_accuracy",
        "train_eval_accuracy",
        "gap",
        "difference",
        "ece",
        "class_accuracy",
        "train_images",
    } <= seen


WRITTEN: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("difference", "gap", "last_change"), wording.bare_points),
    "slope": lambda value: wording.decimal(value, 2),
    "train_seconds": wording.duration,
    "training_gmacs": wording.operations,
    "images_per_second": wording.rate,
    "peak_memory_mb": wording.rate,
    **dict.fromkeys(
        ("test_accuracy", "train_eval_accuracy", "validation_accuracy", "ece", "confidence"),
        wording.bare_percent,
    ),
    **dict.fromkeys(
        ("train_images", "optimizer_steps", "images_seen", "batch_size", "epochs"), wording.count
    ),
}


def test_every_cell_shows_the_value_that_it_carries(study: Study) -> None:
    for cell in study.page.cells:
        measure = cell.attributes.get("data-measure", "").partition(":")[0].partition("@")[0]
        if measure in WRITTEN:
            assert cell.text.strip().startswith(WRITTEN[measure](float(cell.attributes["data-value"]))), cell


# Numbers that no run decides: the data, the models, the reference, and what is derived in a cell's own row.
_OF_NO_RUN = ("Images per class", "Models", "Initial weights", "Experiments")
_DERIVED = (
    "Per class",
    "Theirs",
    "Images",
    "Ratio",
    "By data",
    "By steps",
    "Epoch of",
    "Runs",
    "RMSE",
    "Difference",
)


def test_every_number_in_a_table_names_its_runs(study: Study) -> None:
    for table in study.page.tables:
        if any(table.caption.endswith(words) for words in _OF_NO_RUN):
            continue
        heads = [plain(cell.text) for cell in table.head[-1]]
        for row in table.body:
            for cell, head in zip(row[::-1], heads[::-1], strict=False):
                derived = any(head.startswith(words) for words in _DERIVED)
                if (
                    "num" in cell.attributes.get("class", "").split()
                    and cell.text[:1].isdigit()
                    and not derived
                ):
                    assert cell.runs, (table.caption, head, cell)


def test_n_stands_in_every_cell_with_an_accuracy(study: Study) -> None:
    lists = study.page.tables[-1]  # one row a run
    for table in study.page.tables:
        for row in table.body:
            for cell in row:
                if (
                    cell.attributes.get("data-measure") in ("test_accuracy", "train_eval_accuracy")
                    and table is not lists
                ):
                    n = f"n = {len(cell.runs)}"
                    assert n in cell.text or f"{n} throughout" in table.caption, (table.caption, cell)


def test_html_and_markdown_say_the_same_in_every_table(study: Study) -> None:
    in_markdown = markdown_tables(study.markdown)
    for table in study.page.tables:
        name = plain(table.caption).partition(".")[0]
        lines = in_markdown.pop(name)[1:]
        assert len(lines) == len(table.body), name
        for line, row in zip(lines, table.body, strict=True):
            # A row header that spans rows stands once in HTML; the run list unfolds in HTML.
            for words, cell in zip(line[::-1], row[::-1][: len(line) - 1], strict=False):
                assert plain(words.replace("(", "").replace(")", "")) == plain(
                    cell.text.replace("(", "").replace(")", "")
                ), (name, cell)
    assert not in_markdown
    text_of_page = plain(" ".join(study.page.words))
    for line in study.markdown.splitlines():
        if line.startswith("**Figure"):
            assert plain(line.split("**")[1]).rstrip(".") in text_of_page


def test_figures_csv_files_hold_the_values_of_their_runs(study: Study) -> None:
    with (study.report / "figures/accuracy_by_size.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        if row["value"]:
            runs = row["runs"].split()
            assert float(row["value"]) == pytest.approx(study.column(row["measure"], runs))
            assert int(row["n"]) == len(runs)


def test_a_run_without_result_is_named_where_its_number_would_be(study: Study) -> None:
    states = {name: row["state"] for name, row in study.rows.items() if row["state"] != "complete"}
    gone = [cell for cell in study.page.cells if "gone" in cell.attributes.get("class", "").split()]
    if not states:
        assert not gone
        return
    named = {run for cell in gone for run in cell.runs}
    assert states.keys() <= named
    for cell in gone:
        assert any(states[run] in cell.text for run in cell.runs if run in states)
        assert "nan" not in cell.text.lower()
