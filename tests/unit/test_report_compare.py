"""Two studies compared; tables as CSV and LaTeX; figures as PDF."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import Page
from report_study import analysed
from synthetic import Settings, default_accuracy
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.files import read_json, write_json
from scalestudy.report import wording
from scalestudy.report.markup import latex
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


def test_an_older_version_without_later_settings_is_compared_both_ways(
    versions: tuple[Path, Path], tmp_path: Path
) -> None:
    older = tmp_path / "results" / "older"
    shutil.copytree(versions[0], older)
    record = read_json(older / "study.json")
    for run in record["runs"]:
        run["settings"] = {
            key: value for key, value in run["settings"].items() if key not in ("tta", "clip_norm")
        }
    write_json(older / "study.json", record)
    for pair in ((older, versions[0]), (versions[0], older)):
        versus = compare(*pair)
        assert not versus.differs
        assert len(versus.of("test_accuracy")) == 4


def test_what_runs_have_in_common_beside_their_settings_is_named_where_it_differs(
    tmp_path: Path,
) -> None:
    folders = []
    for name, epochs in (("a", 5), ("b", 7)):
        folder = analysed(tmp_path / name, models=("resnet18",), fractions=("1",), seeds=(0, 1))
        record = read_json(folder / "study.json")
        record["normalization"] = {"a": "imagenet", "b": "dataset"}[name]
        record["weights"]["glyphs"]["upstream"] = {
            "task": "labels",
            "dataset": "g",
            "settings": {"epochs": epochs},
        }
        write_json(folder / "study.json", record)
        folders.append(folder)
    differs = compare(*folders).differs
    assert "input statistics: imagenet in A, dataset in B" in differs
    assert any(each.startswith("epochs of ") and each.endswith("5 in A, 7 in B") for each in differs)


def test_the_page_says_which_test_it_makes(versions: tuple[Path, Path], tmp_path: Path) -> None:
    write_html(compare(*versions), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Student's t against the run-to-run spread of both studies" in page
    assert "McNemar" not in page
    assert "Welch" not in page


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("[10] cats", "{[}10{]} cats"), ("*star", "{*}star"), ("10⁹", r"10\textsuperscript{9}")],
)
def test_what_latex_would_take_for_an_argument_or_does_not_know_is_escaped(text: str, escaped: str) -> None:
    assert latex(text) == escaped


def test_a_study_of_another_project_or_with_a_name_in_its_file_is_found_where_it_lies(
    versions: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["render", str(versions[0])])
    assert done.exit_code == 0, done.output
    assert Path(done.output.strip()).is_relative_to(versions[0].parent.parent)
    assert not (tmp_path / "report").exists()
    shutil.copytree(versions[0], tmp_path / "results" / "synthetic")
    Path("pets.yaml").write_text("dataset: digits\nname: synthetic\n")
    done = CliRunner().invoke(app, ["tables", "pets.yaml"])
    assert done.exit_code == 0, done.output


def test_results_that_are_a_link_to_another_disk_belong_to_the_project_that_links_to_them(
    versions: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, project = versions[0], tmp_path / "project"
    shutil.copytree(first.parent.parent, project, symlinks=True)
    shutil.move(project / "results", tmp_path / "disk")
    (project / "results").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(project)
    Path("results", first.name, "findings.json").unlink()
    for command in ("analyse", "render"):
        done = CliRunner().invoke(app, [command, first.name])
        assert done.exit_code == 0, done.output
    assert (project / "report" / first.name).is_dir()
    assert Path("results", first.name, "findings.json").read_bytes() == (first / "findings.json").read_bytes()


def test_output_that_nobody_reads_any_more_is_no_failed_run(
    versions: tuple[Path, Path], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "scalestudy", "compare", *map(str, versions), "--csv", "c.csv"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""
    assert (tmp_path / "c.csv").is_file()
