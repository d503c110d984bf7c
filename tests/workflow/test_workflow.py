"""A tiny study with Snakemake for real, from its YAML file to its report, as a user works with it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from commands import scalestudy
from working_copy import Project

from scalestudy.files import read_json

pytestmark = pytest.mark.workflow

STUDY = """
title: "A tiny study | of <digits> & more"
dataset: digits
weights:
  glyphs:
    title: pretrained on glyphs
    upstream:
      dataset: {source: glyphs, train_images: 72, test_images: 36}
      recipe: {epochs: 1, batch_size: 32}
recipe: {model: resnet18, batch_size: 32, epochs: 2, lr: 1e-3}
experiments:
  sizes:
    grid: {fraction: [1/16, 1/8], init: [none, glyphs]}
"""
RUNS = 4


@pytest.fixture(scope="module")
def finished(project: Project) -> Project:
    """The project with the tiny study run to its report."""
    (project.root / "my studies").mkdir()
    (project.root / "my studies" / "tiny.yaml").write_text(STUDY, encoding="utf-8")
    done = project.snakemake("--cores", "2", *ARGUMENTS)
    assert f"{RUNS}/{RUNS}" in done.stderr
    return project


ARGUMENTS = ("--config", "study=my studies/tiny.yaml")


def test_the_report_has_the_accuracies_of_the_csv_files(finished: Project) -> None:
    results = pd.read_csv(finished.root / "results/tiny/results.csv")
    assert list(results.state) == ["complete"] * RUNS
    html = text_of((finished.root / "report/tiny/report.html").read_text(encoding="utf-8"))
    markdown = (finished.root / "report/tiny/report.md").read_text(encoding="utf-8")
    curves = pd.read_csv(finished.root / "results/tiny/curves.csv")
    for run in results.itertuples():
        metrics = pd.read_csv(finished.root / f"results/tiny/runs/{run.run}/metrics.csv")
        assert metrics.test_accuracy.iloc[-1] == run.test_accuracy
        assert curves[curves.run == run.run].test_accuracy.iloc[-1] == run.test_accuracy
        for accuracy in (run.test_accuracy, run.train_eval_accuracy):
            assert f"{100 * accuracy:.1f}" in html
            assert f"{100 * accuracy:.1f}" in markdown
    assert f"{RUNS} of {RUNS} runs" in html
    assert f"{RUNS} of {RUNS} runs" in markdown


def test_names_with_markup_survive_in_html_and_markdown(finished: Project) -> None:
    page = (finished.root / "report/tiny/report.html").read_text(encoding="utf-8")
    assert "A tiny study | of &lt;digits&gt; &amp; more" in page
    assert "<digits>" not in page
    assert "tiny study" in (finished.root / "report/tiny/report.md").read_text(encoding="utf-8")


def test_a_second_run_does_nothing(finished: Project) -> None:
    again = finished.snakemake("--cores", "2", *ARGUMENTS)
    assert "Nothing to be done" in again.stderr


def test_report_needs_no_cores(finished: Project) -> None:
    assert "Nothing to be done" in finished.snakemake("report", *ARGUMENTS).stderr


@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        ("templates/report.html.j2", {"render"}),
        ("src/scalestudy/topics/weights/say.py", {"figures", "render"}),
        ("src/scalestudy/topics/weights/find.py", {"analyse", "figures", "render"}),
    ],
)
def test_editing_what_only_the_report_needs_trains_nothing(
    finished: Project, file: str, allowed: set[str]
) -> None:
    path = finished.root / file
    before, text = path.stat(), path.read_text(encoding="utf-8")
    comment = "{# a comment #}" if path.suffix == ".j2" else "# a comment"
    try:
        path.write_text(f"{text}{comment}\n", encoding="utf-8")
        planned = finished.planned_jobs(*ARGUMENTS)
        assert planned
        assert planned.keys() <= {*allowed, "all"}
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_changing_one_experiment_trains_only_its_new_runs(finished: Project) -> None:
    path = finished.root / "my studies" / "tiny.yaml"
    before, text = path.stat(), path.read_text(encoding="utf-8")
    try:
        path.write_text(
            text + "  slow:\n    grid: {lr: [1e-3, 1e-4]}\n    overrides: {fraction: 1/16}\n",
            encoding="utf-8",
        )
        assert finished.planned_jobs(*ARGUMENTS)["train"] == 1
        path.write_text(text.replace("epochs: 2", "epochs: 3"), encoding="utf-8")
        assert finished.planned_jobs(*ARGUMENTS)["train"] == RUNS
        path.write_text(text.replace("title: ", "title: New "), encoding="utf-8")
        assert "train" not in finished.planned_jobs(*ARGUMENTS)
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("value", ["1e-4", "0.0001", "[1e-4]"])
def test_a_number_means_the_same_from_the_command_line_and_the_file(finished: Project, value: str) -> None:
    root = finished.root
    (root / "copy").mkdir(exist_ok=True)
    (root / "copy/tiny.yaml").write_text(STUDY.replace("lr: 1e-3", f"lr: {value}"), encoding="utf-8")
    finished.scalestudy("write-study", "copy/tiny.yaml", "--output", "from_file.json")
    finished.scalestudy(
        *("write-study", "my studies/tiny.yaml", "--output", "from_flag.json"),
        *("--config", f"lr={value}", "name=tiny"),  # without a name it would be a study of its own
    )
    from_file, from_flag = (read_json(root / name) for name in ("from_file.json", "from_flag.json"))
    for record in (from_file, from_flag):
        del record["file"], record["start"]  # where each came from
    assert from_file == from_flag
    trains = finished.planned_jobs(*ARGUMENTS, f"lr={value}")["train"]
    assert trains == RUNS


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("model=resnet19", ["resnet19", "resnet18"]),
        ("init=glyps", ["glyps", "glyphs"]),
        ("fraction=2", ["fraction", "2"]),
        ("fraction=0", ["fraction", "0"]),
        ("batch_size=0", ["batch_size", "0"]),
    ],
)
def test_bad_input_is_one_line(finished: Project, config: str, words: list[str]) -> None:
    line = refused_by_check(finished, ARGUMENTS[1].removeprefix("study="), "--config", config)
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (["study=quickstrat"], ["quickstrat", "quickstart"]),
        ([ARGUMENTS[1], "batchsize=32"], ["batchsize", "batch_size"]),
        ([ARGUMENTS[1], "lr=1e--4"], ["lr", "1e--4"]),
    ],
)
def test_bad_input_is_the_same_line_from_snakemake_before_anything_is_written(
    finished: Project, config: list[str], words: list[str]
) -> None:
    before = sorted(finished.root.rglob("*"))
    failed = finished.snakemake("--cores", "2", "--config", *config, check=False)
    assert failed.returncode != 0
    [line] = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert all(word in line for word in words)
    assert [
        path
        for path in sorted(finished.root.rglob("*"))
        if path not in before and ".snakemake" not in str(path)
    ] == []
    study, *more = config
    assert line == refused_by_check(
        finished, study.removeprefix("study="), *(["--config", *more] if more else [])
    )


def refused_by_check(project: Project, *arguments: str) -> str:
    """Return the one line in which `scalestudy check` refuses these arguments."""
    with contextlib.chdir(project.root):
        refused = scalestudy("check", *arguments)
    assert refused.code == 2
    [line] = refused.err.splitlines()
    return line


def test_snakemakes_own_report_has_captions_and_categories(finished: Project) -> None:
    finished.snakemake("--report", "study.zip", *ARGUMENTS)
    with zipfile.ZipFile(finished.root / "study.zip") as archive:
        names = archive.namelist()
        content = "".join(
            archive.read(name).decode("utf-8", "replace")
            for name in names
            if name.endswith((".html", ".js", ".json"))
        )
    assert any(name.endswith(".svg") for name in names)
    assert any(name.endswith(".csv") for name in names)
    for word in ("Key figures", "Tables"):
        assert word in content


def test_a_study_for_tensorboard_has_the_event_files_of_its_runs(finished: Project) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    study = (*ARGUMENTS, "name=events", "compute={tensorboard: true}", "experiments={one: {}}", "epochs=1")
    finished.snakemake("--cores", "1", "collect", *study, "fraction=1/16")
    folders = list((finished.root / "results/events/tensorboard").iterdir())
    assert [len(list(folder.glob("events.out.tfevents.*"))) for folder in folders] == [1]


def test_a_failed_run_leaves_a_report_of_the_others(finished: Project) -> None:
    root = finished.root
    (root / "broken").mkdir()
    (root / "broken/partial.yaml").write_text(
        STUDY.replace("epochs: 2", "epochs: 1").replace("[1/16, 1/8]", "[1/16]"), encoding="utf-8"
    )
    arguments = ("--config", "study=broken/partial.yaml")
    listed = finished.scalestudy("plan", "broken/partial.yaml", "--no-calibrate").stdout
    run = next(name for name in re.findall(r"\S+", listed) if name.startswith("resnet18_none_f1of16"))
    obstacle = root / "results/partial/checkpoints" / f"{run}.lock"
    obstacle.mkdir(parents=True)  # so that its job cannot lock the run
    failed = finished.snakemake("--cores", "1", *arguments, check=False)
    assert failed.returncode != 0
    assert f"failed: {run}" in failed.stderr, "the others are trained all the same, and the failure is said"
    assert not (root / "report/partial/report.html").exists(), "the place of the finished report"
    page = text_of((root / "report/partial/partial/report.html").read_text(encoding="utf-8"))
    assert "1 of 2 runs" in page
    assert run in page
    assert f"logs/train/{run}.log" in page
    shutil.rmtree(root / "results/partial")


def test_a_second_snakemake_is_refused_and_a_killed_one_leaves_no_lock(finished: Project) -> None:
    long = (*ARGUMENTS, "name=locked", "experiments={one: {}}", "fraction=1/16", "epochs=40")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *long]
    first = subprocess.Popen(
        command,
        cwd=finished.root,
        env=finished.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: running(finished.root / "results/locked/runs"), 60)
        second = finished.snakemake("--cores", "1", *long, check=False)
        assert second.returncode != 0
        assert "another Snakemake works on study locked" in second.stderr
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    again = finished.snakemake("--cores", "1", "--until", "write_study", *long[:-1], "epochs=1")
    assert "lock" not in again.stderr.lower()


def running(runs: Path) -> bool:
    return any(
        '"state": "running"' in path.read_text(encoding="utf-8") for path in runs.glob("*/status.json")
    )


def wait_for(true: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(page: str) -> str:
    """Return the text of an HTML page."""
    parser = _Text()
    parser.feed(page)
    return " ".join(parser.parts)
