"""A second start finishes what the first did not, trains nothing that is done, and says what it found damaged."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from image_folders import fill
from working_copy import Project

from scalestudy.files import read_json

pytestmark = pytest.mark.workflow

DRAWN = False  # see blank_drawing
STUDY = """\
dataset: digits
recipe: {model: resnet18, batch_size: 32, epochs: 2, lr: 1e-3}
experiments:
  sizes:
    grid: {fraction: [1/32, 1/16], seed: [0, 1]}
"""
TINY = ("--config", "study=tiny")


@pytest.fixture(scope="module")
def finished(project: Project) -> Project:
    """The project with the study `tiny` run to its report. Tests work in copies of it."""
    (project.root / "config/tiny.yaml").write_text(STUDY, encoding="utf-8")
    project.snakemake("--cores", "2", *TINY)
    return project


@pytest.fixture
def copy(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, times and all."""
    root = tmp_path / "copy"
    shutil.copytree(finished.root, root, symlinks=True)
    return Project(root, {**finished.environment, "PYTHONPATH": str(root / "src")})


def numbers(project: Project, study: str = "tiny") -> dict[str, list[dict[str, str]]]:
    """Return the rows of every run's metrics.csv, without the times."""
    timed = ("seconds", "images_per_second")
    found = {}
    for path in sorted((project.root / "results" / study / "runs").glob("*/metrics.csv")):
        with path.open(newline="") as file:
            found[path.parent.name] = [
                {key: text for key, text in row.items() if key not in timed} for row in csv.DictReader(file)
            ]
    return found


def runs(project: Project) -> list[Path]:
    return sorted((project.root / "results/tiny/runs").iterdir())


def report(project: Project, name: str = "report.md") -> str:
    return (project.root / "report/tiny" / name).read_text(encoding="utf-8")


def test_tables_of_other_runs_and_a_page_without_what_lies_beside_it_are_made_again_and_nothing_is_trained(
    copy: Project, finished: Project
) -> None:
    """All files are there and in the order of their times: as a run leaves them that ended after the tables."""
    made = copy.root / "results/tiny/made.json"
    notes = read_json(made)
    for name in ("results.csv", "curves.csv"):
        notes[f"results/tiny/{name}"]["source"] = "other runs"
    made.write_text(json.dumps(notes), encoding="utf-8")
    gone = copy.root / "report/tiny/differences.csv"
    gone.unlink()
    logs = {path: path.stat().st_mtime for path in (copy.root / "results/tiny/logs/train").iterdir()}
    assert not {"train", "collect", "render"} & copy.planned_jobs("data", *TINY).keys(), (
        "only what was asked for"
    )
    copy.snakemake("--cores", "1", "data", *TINY)
    assert read_json(made)["results/tiny/results.csv"]["source"] == "other runs"
    copy.snakemake("--cores", "1", *TINY)
    assert read_json(made)["results/tiny/results.csv"]["source"] != "other runs"
    assert gone.is_file()
    assert report(copy) == report(finished)
    assert {path: path.stat().st_mtime for path in logs} == logs
    assert "Nothing to be done" in copy.snakemake("--cores", "1", *TINY).stderr


def test_what_failed_is_trained_by_the_next_start_and_no_partial_report_stands_in_the_finished_ones_place(
    copy: Project, finished: Project
) -> None:
    before = report(copy)
    run = runs(copy)[0]
    shutil.rmtree(run)
    obstacle = copy.root / "results/tiny/checkpoints" / f"{run.name}.lock"
    obstacle.unlink(missing_ok=True)
    obstacle.mkdir()  # so that its job cannot lock the run
    failed = copy.snakemake("--cores", "1", *TINY, check=False)
    assert failed.returncode != 0
    assert "3 of 4 runs" in failed.stdout + failed.stderr
    assert "3 of 4 runs" in report(copy, "partial/report.md")
    assert report(copy) == before, "an older report is not mixed with newer tables"
    status = copy.scalestudy("status", "tiny").stdout
    assert status.startswith("3 of 4 runs done")
    assert "snakemake --cores all --config study=tiny" in status

    obstacle.rmdir()
    by_hand = copy.scalestudy("report", "tiny").stdout
    assert "report/tiny/partial/report.html: 3 of 4 runs" in by_hand
    again = copy.snakemake("--cores", "1", *TINY)
    assert "1 runs to train" in again.stderr or "1 run to train" in again.stderr
    assert "4 of 4 runs" in report(copy)
    assert not (copy.root / "report/tiny/partial").exists()
    assert numbers(copy) == numbers(finished)
    assert "Nothing to be done" in copy.snakemake("--cores", "1", *TINY).stderr


def test_an_edited_number_is_named_by_status_and_report_and_mended_by_the_command_that_they_give(
    copy: Project, finished: Project
) -> None:
    run = runs(copy)[1]
    text = (run / "metrics.csv").read_text()
    accuracy = text.splitlines()[-1].split(",")[6]
    (run / "metrics.csv").write_text(text.replace(accuracy, "0.95"))
    where = f"{run.name}  metrics.csv, line 3: test_accuracy 0.95 is no whole number of 359 test images"
    assert where in copy.scalestudy("status", "tiny").stdout
    copy.scalestudy("report", "tiny")
    assert "3 of 4 runs" in report(copy, "partial/report.md")
    assert "95.0" not in report(copy, "partial/report.md")
    command = "snakemake --cores all --config study=tiny"
    assert f"{command}` trains it again" in (copy.root / "results/tiny/results.csv").read_text()
    assert copy.planned_jobs(*TINY)["train"] == 1

    again = copy.snakemake(*command.split()[1:])
    assert f"{run.relative_to(copy.root)}/metrics.csv, line 3" in again.stderr
    assert numbers(copy) == numbers(finished)
    [kept] = (copy.root / "results/tiny/set-aside").glob("*")
    assert "0.95" in (kept / run.relative_to(copy.root) / "metrics.csv").read_text()
    assert "4 of 4 runs" in report(copy)


def test_a_project_copied_without_hidden_files_and_times_trains_nothing(
    copy: Project, finished: Project
) -> None:
    shutil.rmtree(copy.root / ".snakemake")
    for path in sorted(copy.root.rglob("*"), reverse=True):  # the inputs are newer than what came from them
        if path.is_file():
            os.utime(path)
    assert "train" not in copy.planned_jobs(*TINY)
    logs = {path: path.stat().st_mtime_ns for path in (copy.root / "results/tiny/logs/train").iterdir()}
    copy.snakemake("--cores", "1", *TINY)
    assert {path: path.stat().st_mtime_ns for path in logs} == logs, "nothing was trained"
    assert numbers(copy) == numbers(finished)
    assert report(copy) == report(finished)


def test_a_finished_study_whose_data_was_removed_to_make_room_stays_finished(copy: Project) -> None:
    shutil.rmtree(copy.root / "data")
    assert copy.planned_jobs(*TINY) == {}
    shutil.rmtree(runs(copy)[0])
    planned = copy.planned_jobs(*TINY)
    assert (planned["train"], planned["prepare_dataset"]) == (1, 1)


def test_half_copied_results_are_taken_and_only_the_rest_is_trained(copy: Project, finished: Project) -> None:
    half = runs(copy)[:2]
    for path in (copy.root / "results/tiny").iterdir():
        if path.name != "runs":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in runs(copy)[2:]:
        shutil.rmtree(path)
    for name in ("report", ".snakemake"):
        shutil.rmtree(copy.root / name)
    (half[1] / "predictions.npz").unlink()  # where the copying stopped
    assert copy.planned_jobs(*TINY)["train"] == 3
    done = copy.snakemake("--cores", "2", "--until", "collect", *TINY)
    assert f"{half[1].relative_to(copy.root)}/predictions.npz is missing" in done.stderr
    assert numbers(copy) == numbers(finished)


def test_ctrl_c_in_the_middle_and_a_start_from_the_same_terminal(copy: Project, finished: Project) -> None:
    for run in runs(copy)[:2]:
        shutil.rmtree(run)
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", *TINY],
        cwd=copy.root,
        env=copy.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 120
    while not any(
        '"state": "running"' in path.read_text() for path in copy.root.glob("results/tiny/runs/*/status.json")
    ):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) != 0
    copy.snakemake("--cores", "2", *TINY)
    assert numbers(copy) == numbers(finished)
    assert "4 of 4 runs" in report(copy)


def test_killed_while_the_page_is_rendered_the_next_start_ends_with_a_whole_page(copy: Project) -> None:
    page, markdown = (copy.root / "report/tiny" / name for name in ("report.html", "report.md"))
    before = (page.read_bytes(), markdown.read_bytes())
    markdown.unlink()
    (copy.root / "report/tiny/.making-x1y2z3").mkdir()
    (copy.root / "report/tiny/.making-x1y2z3/report.html").write_text("<!doctype")
    copy.snakemake("--cores", "1", *TINY)
    assert (page.read_bytes(), markdown.read_bytes()) == before


# Preparation that fails, data that changes


def test_a_preparation_that_fails_is_said_with_its_reason_and_not_taken_for_a_slow_file_system(
    copy: Project,
) -> None:
    (copy.root / "config/pets.yaml").write_text("dataset: {source: imagefolder, folder: nowhere}\n")
    failed = copy.snakemake("--cores", "1", "--config", "study=pets", check=False)
    assert failed.returncode != 0
    shown = failed.stdout + failed.stderr
    assert "nowhere" in shown
    assert "latency" not in shown
    assert "completed successfully" not in shown


def test_images_added_or_removed_are_noticed_and_their_old_runs_kept_aside(copy: Project) -> None:
    root = copy.root
    fill(root / "my imgs", train__cat=6, train__dog=6, test__cat=4, test__dog=4)
    study = "dataset: {source: imagefolder, folder: my imgs}\nrecipe: {model: resnet18, epochs: 1, batch_size: 8}\n"
    (root / "config/pets.yaml").write_text(study)
    pets = ("--config", "study=pets")
    copy.snakemake("--cores", "1", "--until", "collect", *pets)
    for path in (root / "my imgs").rglob("*.png"):
        os.utime(path)
    assert copy.planned_jobs("--until", "collect", *pets) == {}, "new times are no new images"

    fill(root / "my imgs", train__eel=5, test__eel=3)
    (root / "my imgs/train/cat/000.png").unlink()
    done = copy.snakemake("--cores", "1", "--until", "collect", *pets)
    assert (
        "is of other images than my imgs holds now: 8 added (test/eel/000.png, ...), 1 removed" in done.stderr
    )
    [record] = [read_json(path) for path in root.glob("results/pets/runs/*/run.json")]
    assert record["dataset"]["classes"] == ["cat", "dog", "eel"]
    assert len(list(root.glob("results/pets/set-aside/*/results/pets/runs/*/run.json"))) == 1
    assert copy.planned_jobs("--until", "collect", *pets) == {}

    (root / "config/pets2.yaml").write_text(study.replace("epochs: 1", "epochs: 2"))
    fill(root / "my imgs", train__fox=5, test__fox=3)
    planned = copy.planned_jobs("--config", "study=pets2")
    assert planned["prepare_dataset"] == 1, "a new study on the folder sees what is in it"


def test_flipped_bytes_in_the_data_are_prepared_again_before_anything_is_trained_on_them(
    copy: Project, finished: Project
) -> None:
    [images] = copy.root.glob("data/digits*/test_images.npy")
    content = bytearray(images.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    images.write_bytes(content)
    shutil.rmtree(runs(copy)[0])
    done = copy.snakemake("--cores", "1", "--until", "collect", *TINY)
    assert f"{images.relative_to(copy.root)} was altered since it was prepared" in done.stderr
    assert numbers(copy) == numbers(finished)
    assert images.read_bytes() == next(finished.root.glob("data/digits*/test_images.npy")).read_bytes()


# Names, and ways to say which study is meant


def test_a_study_in_small_has_its_own_name_and_leaves_the_full_one_alone(copy: Project) -> None:
    before = report(copy)
    small = (*TINY, "fraction=1/32", "epochs=1")
    copy.snakemake("--cores", "1", *small)
    assert "2 of 2 runs" in (copy.root / "report/tiny_fraction-1of32_epochs-1/report.md").read_text()
    assert report(copy) == before
    assert copy.planned_jobs(*TINY) == {}
    assert copy.scalestudy("status", "tiny", "--config", *small[2:]).stdout.startswith("2 of 2 runs done")


def test_two_files_of_one_name_are_told_apart_before_anything_is_overwritten(copy: Project) -> None:
    (copy.root / "other").mkdir()
    (copy.root / "other/tiny.yaml").write_text(STUDY.replace("digits", "glyphs"))
    before = (copy.root / "results/tiny/results.csv").read_bytes()
    refused = copy.snakemake("--cores", "1", "--config", "study=other/tiny.yaml", check=False)
    assert refused.returncode != 0
    [line] = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert "results/tiny holds the results of config/tiny.yaml, another study of the name tiny" in line
    assert "--config study=other/tiny.yaml name=tiny-2" in line
    assert (copy.root / "results/tiny/results.csv").read_bytes() == before
    planned = copy.planned_jobs("--config", "study=other/tiny.yaml", "name=tiny-2")
    assert planned["train"] == 4


def test_configfile_with_a_whole_study_runs_that_study_and_config_wins_over_it(copy: Project) -> None:
    assert copy.planned_jobs("--configfile", "config/tiny.yaml") == {}
    planned = copy.planned_jobs("--configfile", "config/tiny.yaml", "--config", "epochs=1")
    assert planned["train"] == 4
    both = copy.snakemake(
        "-n", "--configfile", "config/tiny.yaml", "--config", "study=quickstart", check=False
    )
    assert "error: study=quickstart and --configfile config/tiny.yaml name two studies" in both.stderr
    (copy.root / "mine.yaml").write_text("study: tiny\nepochs: 1\n")
    assert copy.planned_jobs("--configfile", "mine.yaml")["train"] == 4


def test_the_same_study_by_its_path_is_the_same_study(copy: Project) -> None:
    assert copy.planned_jobs("--config", "study=config/tiny.yaml") == {}
    assert copy.planned_jobs("--config", f"study={copy.root}/config/tiny.yaml").keys() <= {
        *("all", "write_study", "collect", "analyse", "figures", "render")
    }


def test_an_edited_page_is_kept_and_the_reports_own_is_made_again(copy: Project) -> None:
    page = copy.root / "report/tiny/report.md"
    before = page.read_text()
    page.write_text(before + "\nMy own remarks.\n")
    done = copy.snakemake("--cores", "1", *TINY)
    assert "report/tiny/report.md is not as it was written; kept in results/tiny/set-aside/" in done.stderr
    assert page.read_text() == before
    [kept] = copy.root.glob("results/tiny/set-aside/*/report/tiny/report.md")
    assert "My own remarks." in kept.read_text()
