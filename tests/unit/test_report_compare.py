"""Two studies compared; tables as CSV and LaTeX; figures as PDF."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import Page
from report_study import analysed
from synthetic import Settings, default_accuracy
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.report import wording
from scalestudy.sharing.compare import compare, lines, write_csv, write_html
from scalestudy.sharing.export import export_tables


def wavering(gain: float) -> Callable[[Settings], float]:
    """Return accuracies that vary a little over seeds, `gain` higher for ResNet-50."""

    def accuracy(settings: Settings) -> float:
        own = gain if settings["model"] == "resnet50" else 0.0
        return min(default_accuracy(settings) + own + (0.0, 0.01, -0.01)[settings["seed"]], 0.99)

    return accuracy


better = wavering(0.2)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions of one study: the second has a better ResNet-50, one failed run, and one fraction more."""
    root = tmp_path_factory.mktemp("versions")
    first = analysed(
        root / "old", inits=("none",), fractions=("1/2", "1"), seeds=(0, 1, 2), accuracy=wavering(0.0)
    )
    second = analysed(
        root / "new",
        inits=("none",),
        fractions=("1/4", "1/2", "1"),
        seeds=(0, 1, 2),
        accuracy=better,
        broken={"resnet18_none_f1_": "failed"},
        recipe={"epochs": 4},
    )
    return first, second


def test_what_moved_beyond_noise_is_told_from_what_did_not(versions: tuple[Path, Path]) -> None:
    versus = compare(*versions)
    verdicts = {number.label: number.verdict for number in versus.of("test_accuracy")}
    assert verdicts["ResNet-50, from scratch, 1/2 of the data"] == "higher"
    assert verdicts["ResNet-50, from scratch, all data"] == "higher"
    assert verdicts["ResNet-18, from scratch, 1/2 of the data"] in ("not distinguishable", "the same")
    assert verdicts["ResNet-18, from scratch, all data"] == "no result in B"
    assert versus.only_a == ()
    assert versus.only_b == (
        "ResNet-18, from scratch, 1/4 of the data",
        "ResNet-50, from scratch, 1/4 of the data",
    )
    assert any(words == "epochs: 5 in A, 4 in B" for words in versus.differs)
    assert "2 higher beyond noise" in versus.summary


def test_the_other_way_round_gives_the_opposite(versions: tuple[Path, Path]) -> None:
    there, back = compare(*versions), compare(*versions[::-1])
    opposite = {"higher": "lower", "lower": "higher", "no result in B": "no result in A"}
    for a, b in zip(there.of("test_accuracy"), back.of("test_accuracy"), strict=True):
        assert b.verdict == opposite.get(a.verdict, a.verdict)


def test_a_study_against_itself_is_the_same(versions: tuple[Path, Path]) -> None:
    versus = compare(versions[0], versions[0])
    assert {number.verdict for number in versus.of("test_accuracy")} == {"the same"}
    assert versus.differs == ()


def test_single_runs_of_two_studies_are_not_decided(tmp_path: Path) -> None:
    one, two = (
        analysed(tmp_path / name, models=("resnet50",), inits=("none",), fractions=("1",), accuracy=accuracy)
        for name, accuracy in (("a", wavering(0.0)), ("b", better))
    )
    [number] = compare(one, two).of("test_accuracy")
    assert (number.verdict, number.p_holm) == ("one run each", None)


def test_csv_and_page_hold_the_same_numbers(versions: tuple[Path, Path], tmp_path: Path) -> None:
    versus = compare(*versions)
    write_csv(versus, tmp_path / "moved.csv")
    write_html(versus, tmp_path / "moved.html")
    page = Page(tmp_path / "moved.html")
    with (tmp_path / "moved.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(table.body) for table in page.tables) == len(versus.numbers)
    shown = [row for table in page.tables for row in table.body]
    by_measure = sorted(
        rows, key=lambda row: ["test_accuracy", "train_eval_accuracy", "gap"].index(row["measure"])
    )
    for row, cells in zip(by_measure, shown, strict=True):
        assert cells[0].text == row["setting"]
        for side, cell in zip("ab", cells[1:3], strict=True):
            value = float(row[side]) if row[side] else None
            assert cell.text.split() == [wording.bare_percent(value), "n", "=", row[f"n_{side}"]]
            assert cell.runs == row[f"runs_{side}"].split()
        assert row["verdict"] in cells[4].text
    assert any("ResNet-50" in line and "higher" in line for line in lines(versus))


def test_tables_are_written_as_csv_and_as_latex_that_booktabs_takes(tmp_path: Path) -> None:
    classes = ("<b>a|b_c&", "50 %", "$x$", "{}~^", "back\\slash")
    folder = analysed(tmp_path, classes=classes, models=("resnet18",), seeds=(0, 1))
    paths = {
        path.name: path.read_text(encoding="utf-8") for path in export_tables(folder, tmp_path / "tables")
    }
    assert {"comparison.csv", "comparison.tex", "init_gain.tex", "per_class.tex"} <= paths.keys()
    for name, content in paths.items():
        if name.endswith(".csv"):
            rows = list(csv.reader(content.splitlines()))
            assert len({len(row) for row in rows}) == 1, name
            continue
        tabular = content.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
        columns = len(re.findall(r"[lr]", content.partition(r"\begin{tabular}{")[2].partition("}")[0]))
        for line in re.split(r"\\\\\n", tabular.partition(r"\midrule")[2])[:-1]:
            assert len(re.findall(r"(?<!\\)&", line)) == columns - 1, (name, line)
        bare = (
            content.replace(r"\%", "")
            .replace(r"\&", "")
            .replace(r"\_", "")
            .replace(r"\$", "")
            .replace(r"\#", "")
        )
        assert not re.search(r"[%#]|(?<![\\{])_", bare), name
        assert content.count("{") == content.count("}")
        assert "|" not in tabular
    shown = list(csv.DictReader(paths["per_class.csv"].splitlines()))
    assert {row["Class"] for row in shown} == set(classes)


def test_the_commands_work_on_names_and_folders(
    versions: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = versions
    monkeypatch.chdir(first.parents[1])
    run = CliRunner()
    done = run.invoke(app, ["figure", "accuracy_by_size", first.name, "--pdf"])
    assert done.exit_code == 0, done.output
    assert (first / "figures/accuracy_by_size.pdf").read_bytes().startswith(b"%PDF")
    done = run.invoke(app, ["compare", first.name, str(second), "--csv", str(tmp_path / "c.csv")])
    assert done.exit_code == 0, done.output
    assert "2 higher beyond noise" in done.output
    assert (tmp_path / "c.csv").is_file()
    done = run.invoke(app, ["tables", first.name, "--output", str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    done = run.invoke(app, ["render", first.name])
    assert done.exit_code == 0, done.output
    assert Path(done.output.strip()).is_file()
    done = run.invoke(app, ["figure", "all", "nothing"])
    assert done.exit_code != 0
    assert "results are there of synthetic" in str(done.exception)
