"""What a start finds: every kind of file with one byte or one number altered, and nothing where all is well."""

import gzip
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished import TEST_IMAGES, finish
from held import hold, let_go
from report_study import blank_figures
from tiny import tiny_store

from scalestudy.cli import study as study_commands
from scalestudy.cli.study import load
from scalestudy.errors import UserError
from scalestudy.files import is_locked, read_json, sha256_file, write_json
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect
from scalestudy.results.made import Made
from scalestudy.results.weights import write_weights_record
from scalestudy.study import paths
from scalestudy.study.config import load_study
from scalestudy.study.runs import plan_runs
from scalestudy.topics import figure_names
from scalestudy.topics.findings import write_findings
from scalestudy.workflow import plan as planning
from scalestudy.workflow.plan import Plan

pytestmark = pytest.mark.slow

STUDY = """\
dataset: digits
recipe: {model: resnet18, epochs: 2, batch_size: 32}
weights:
  mine:
    checkpoints: {resnet18: {file: mine.pth, sha256: "%s"}}
experiments:
  seeds: {grid: {seed: [0, 1], init: [none, mine]}}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished study `four`: data, weights, runs, tables, findings, figures, pages."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Path("config").mkdir()
        Path("mine.pth").write_bytes(b"weights")
        sha256 = sha256_file(Path("mine.pth"))
        Path("config/four.yaml").write_text(STUDY % sha256, encoding="utf-8")
        runs = plan_runs(load_study("four"))
        store = tiny_store(paths.dataset_folder(runs[0].dataset), test=TEST_IMAGES)
        for run in runs:
            if run.weights:
                folder = paths.weights_file(run.weights.name).parent
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile("mine.pth", folder / "weights.pth")
                write_weights_record(folder, "mine.pth", sha256)
            finish(
                "four", run, dataset_sha256=read_json(store / "dataset.json")["sha256"], weights_sha256=sha256
            )
        record = load("four", []).record
        folder = collect(record, record["runs"], Path())
        write_findings(folder)
        blank_figures(folder, figure_names(record))
        render_report(folder, paths.report_folder("four"))
    return root


@pytest.fixture
def project(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, in which the test works."""
    shutil.copytree(whole, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(planning, "lock_study", lambda study: None)
    return tmp_path / "project"


def to_make_again(**config: Any) -> set[str]:
    """Return the files that a start would make again."""
    return set(Plan({"study": "four", **config}).begin("dry-run"))


def start() -> None:
    Plan({"study": "four"}).begin("run")


def a_run() -> Path:
    return sorted(Path("results/four/runs").iterdir())[0]


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def test_nothing_is_made_again_where_all_is_well(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert to_make_again() == set()
    assert to_make_again() == set()  # by what the first look noted
    start()
    assert capsys.readouterr().err == ""
    assert not Path("results/four/set-aside").exists()


@pytest.mark.parametrize(
    "damage", [flip, edit("0.75", "0.95"), Path.unlink, lambda path: os.truncate(path, 90)]
)
def test_a_run_with_a_damaged_metrics_file_is_named_taken_aside_and_trained_again(
    project: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    run = a_run()
    damage(run / "metrics.csv")
    assert str(run / "run.json") in to_make_again()
    assert f"{run}/metrics.csv" in capsys.readouterr().err
    assert run.is_dir(), "a dry run changes nothing"
    start()
    assert not run.exists()
    [kept] = Path("results/four/set-aside").glob(f"*/{run}")
    assert (kept / "run.json").is_file()
    assert len(list(Path("results/four/runs").iterdir())) == 3


@pytest.mark.parametrize("damage", [flip, Path.unlink])
@pytest.mark.parametrize("name", ["run.json", "predictions.npz"])
def test_so_is_one_with_a_damaged_record_or_damaged_predictions(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, damage: Callable[[Path], None]
) -> None:
    run = a_run()
    damage(run / name)
    assert str(run / "run.json") in to_make_again()
    assert f"{run}/{name}" in capsys.readouterr().err
    start()
    assert not run.exists()


@pytest.mark.parametrize(
    "name",
    [
        "results/four/results.csv",
        "results/four/curves.csv",
        "results/four/findings.json",
        *(f"results/four/figures/confusion.{kind}" for kind in ("svg", "png", "csv")),
        "report/four/report.html",
        "report/four/report.md",
    ],
)
def test_one_flipped_byte_in_what_follows_from_the_runs_has_it_made_again(
    project: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    flip(Path(name))
    assert name in to_make_again()
    assert f"{name} is not as it was written; it will be made again" in capsys.readouterr().err
    start()
    assert not Path(name).exists()
    [kept] = Path("results/four/set-aside").glob(f"*/{name}")
    assert f"{name} is not as it was written; kept in {kept.parents[len(Path(name).parents) - 1]}" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["results.csv", "curves.csv", "figures/confusion.png"])
def test_a_copy_beside_the_page_that_was_altered_has_the_page_made_again(project: Path, name: str) -> None:
    flip(Path("report/four") / name)
    assert to_make_again() >= {"report/four/report.html", "report/four/report.md"}
    start()
    assert not (Path("report/four") / name).exists()
    assert Path("report/four/report.html").stat().st_mtime == 1


@pytest.mark.parametrize(
    "name",
    ["results.csv", "findings.json", "differences.csv", "figures/confusion.svg", "figures/confusion.csv"],
)
@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_whatever_lies_beside_the_page_is_made_again_where_it_is_gone_or_another(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, damage: Callable[[Path], None]
) -> None:
    damage(Path("report/four") / name)
    assert to_make_again() >= {"report/four/report.html", "report/four/report.md"}
    assert not any(each.startswith("results/") for each in to_make_again())
    start()
    assert Path("report/four/report.html").stat().st_mtime == 1
    render_report(Path("results/four"), Path("report/four"))
    assert to_make_again() == set()


def test_a_report_that_was_removed_as_a_whole_is_made_again_without_a_word(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("report/four")
    start()
    assert capsys.readouterr().err == ""


def test_what_an_earlier_report_had_and_this_one_has_not_is_noted_no_longer(project: Path) -> None:
    notes = Made.of(Path("results/four"))
    for name in ("partial/report.html", "figures/of_before.svg"):
        write_json(Path("report/four") / name, {})
        notes.add([Path("report/four") / name], "source")
    render_report(Path("results/four"), Path("report/four"))
    assert not Path("report/four/figures/of_before.svg").exists()
    assert to_make_again() == set()


@pytest.mark.parametrize(
    "damage", [edit("four", "five"), edit('"epochs": 2', '"epochs": 3'), lambda p: os.truncate(p, 90)]
)
def test_a_resolved_study_that_says_something_else_is_written_again(
    project: Path, damage: Callable[[Path], None]
) -> None:
    damage(Path("results/four/study.json"))
    assert "results/four/study.json" in to_make_again()


def test_an_altered_note_of_what_was_made_costs_seconds_and_no_run(project: Path) -> None:
    for damage in (flip, lambda path: os.truncate(path, 99), Path.unlink):
        damage(Path("results/four/made.json"))
        again = to_make_again()
        assert not any(name.endswith("run.json") for name in again)
    assert {"results/four/results.csv", "report/four/report.html"} <= again


def test_altered_notes_of_what_was_checked_are_only_slower(project: Path) -> None:
    to_make_again()
    notes = Path("results/four/checked.json")
    for text in ("[]", "{", "{}", notes.read_text().replace("complete", "gone"), '{"a": {"files": 3}}'):
        notes.write_text(text)
        assert to_make_again() == set()


@pytest.mark.parametrize(
    "name", ["train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy"]
)
def test_one_flipped_byte_in_the_data_has_it_prepared_again_and_trains_nothing_again(
    project: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    [store] = Path("data").glob("[a-z]*")
    flip(store / name)
    assert to_make_again() == {f"{store}/dataset.json"}
    assert f"{store / name} was altered since it was prepared" in capsys.readouterr().err
    start()
    assert not (store / "dataset.json").exists()
    assert len(list(Path("results/four/runs").glob("*/run.json"))) == 4


@pytest.mark.parametrize(
    "damage", [edit('"dark"', '"dank"'), edit("48", "49"), lambda path: os.truncate(path, 90)]
)
def test_so_does_an_altered_description_of_the_data(project: Path, damage: Callable[[Path], None]) -> None:
    [store] = Path("data").glob("[a-z]*")
    damage(store / "dataset.json")
    assert to_make_again() == {f"{store}/dataset.json"}


@pytest.mark.parametrize("name", ["weights.pth", "weights.json"])
def test_altered_initial_weights_are_fetched_again_and_train_nothing_again(
    project: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    [weights] = Path("weights").glob("[a-z]*")
    flip(weights / name)
    assert to_make_again() == set(), "no run waits for them"
    assert f"{weights}/{name} was altered since it was" in capsys.readouterr().err
    shutil.rmtree(next(Path("results/four/runs").glob("*_mine_*")))
    assert f"{weights}/weights.json" in to_make_again()
    start()
    assert not (weights / "weights.json").exists()


@pytest.mark.parametrize(
    "status",
    ["", "[]", '{"state": 3}', '{"state": "complete", "updated": "yesterday", "elapsed": "long"}'],
)
def test_a_damaged_status_file_is_only_shown_otherwise(
    project: Path, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    (a_run() / "status.json").write_text(status)
    assert to_make_again() == set()
    study_commands.status("four")
    assert capsys.readouterr().out == "4 of 4 runs done\n"


@pytest.mark.parametrize(
    "forecast", ["", "[]", "{}", '{"seconds": 3, "workers": 1}', '{"seconds": {"a": "b"}, "workers": null}']
)
def test_a_damaged_forecast_or_cache_of_speeds_is_passed_over(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], forecast: str
) -> None:
    monkeypatch.setenv("SCALESTUDY_CACHE", str(project / "cache"))
    Path("cache").mkdir()
    for path in (Path("results/four/forecast.json"), Path("cache/speeds.json")):
        path.write_text(forecast)
    Path("cache/speeds.json").write_text(forecast.replace("seconds", "resnet18 32 imagenet 32"))
    status = {"state": "running", "pid": os.getpid(), "host": os.uname().nodename, "epoch": 1, "epochs": 2}
    shutil.rmtree(a_run())
    write_json(a_run() / "status.json", status)
    study_commands.status("four")
    study_commands.plan("four", calibrate=False)
    assert "3 of 4 runs done" in capsys.readouterr().out


# What jobs would need, known before the first of them begins


def test_a_library_that_the_report_needs_and_that_breaks_is_named_before_anything_is_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALESTUDY_CACHE", str(project / "cache"))  # in which no library was tried
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)  # an import of it fails
    start()  # nothing is left to be made
    shutil.rmtree(a_run())
    with pytest.raises(UserError, match=r"scipy \d.*scipy\.optimize.*`make` installs"):
        start()


def test_tensorboard_that_is_not_installed_is_said_before_anything_is_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scalestudy.training.events.find_spec", lambda name: None)
    shutil.rmtree(a_run())
    start()
    with pytest.raises(UserError, match="pip install tensorboard"):
        Plan({"study": "four", "tensorboard": True}).begin("run")


def test_finished_runs_without_the_weights_that_a_study_keeps_now_are_counted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = Plan({"study": "four"}).runs
    shutil.rmtree(Path("results/four/runs") / first)
    Plan({"study": "four", "save_weights": True}).begin("dry-run")
    said = capsys.readouterr().err
    assert (
        "note: 3 finished runs without weights.pth, from before save_weights; to train again, remove" in said
    )
    for folder in Path("results/four/runs").iterdir():
        (folder / "weights.pth").write_bytes(b"weights")
    Plan({"study": "four", "save_weights": True}).begin("dry-run")
    assert "note:" not in capsys.readouterr().err


# Data, weights and studies that have become others


def prepared_from(folder: Path) -> tuple[Path, str]:
    from image_folders import fill

    from scalestudy.data.origin import note_origin, scan

    fill(folder, a=3, b=3)
    store = folder.parent / "store"
    store.mkdir()
    note_origin(store, str(folder), scan(str(folder)))
    return store, str(folder)


def test_images_added_removed_or_edited_are_named_and_new_times_alone_are_nothing(tmp_path: Path) -> None:
    from image_folders import fill

    from scalestudy.data.origin import changes

    store, images = prepared_from(tmp_path / "imgs")
    assert changes(store, images) == ""
    for path in Path(images).rglob("*.png"):
        os.utime(path, (1, 1))
    assert changes(store, images) == ""
    assert all(
        b" 1000000000 " in line for line in gzip.decompress((store / "origin.gz").read_bytes()).splitlines()
    )
    (Path(images) / "notes.txt").write_text("no image")
    assert changes(store, images) == ""
    fill(Path(images), c=2)
    (Path(images) / "a" / "001.png").unlink()
    flip(Path(images) / "b" / "000.png")
    assert changes(store, images) == "2 added (c/000.png, ...), 1 removed (a/001.png), 1 changed (b/000.png)"
    shutil.rmtree(images)
    assert changes(store, images) == "", "a disk that is not mounted says nothing"


def test_images_that_the_dataset_leaves_out_are_no_change_of_it_nor_is_a_damaged_note_of_its_files(
    tmp_path: Path,
) -> None:
    from scalestudy.data.origin import changes

    store, images = prepared_from(tmp_path / "imgs")
    for left in ("a/@eaDir", "__MACOSX", "lost+found"):
        shutil.copytree(Path(images) / "b", Path(images) / left)
    shutil.copy(Path(images) / "a/000.png", Path(images) / "overview.png")
    assert changes(store, images) == ""
    note = bytearray((store / "origin.gz").read_bytes())
    note[len(note) // 2] ^= 255
    (store / "origin.gz").write_bytes(bytes(note))
    assert changes(store, images) == ""


def test_runs_of_other_data_are_trained_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [store] = Path("data").glob("[a-z]*")
    shutil.rmtree(store)
    assert to_make_again() == set(), "data that was removed to make room is no other data"
    tiny_store(store, train=51)
    assert len([name for name in to_make_again() if name.endswith("run.json")]) == 4
    assert "made from other data than there are now" in capsys.readouterr().err


def test_another_study_of_the_same_name_is_refused_and_the_file_that_moved_is_not(project: Path) -> None:
    Path("other").mkdir()
    Path("other/four.yaml").write_text("dataset: digits\n")
    with pytest.raises(
        UserError, match=r"holds the results of config/four.yaml, another study.*give other/four.yaml"
    ):
        Plan({"study": "other/four.yaml"}).begin("dry-run")
    Path("config/four.yaml").rename("other/four.yaml")
    assert Plan({"study": "other/four.yaml"}).begin("dry-run") == ["results/four/study.json"]
    shutil.copyfile("other/four.yaml", "config/four.yaml")
    Plan({"study": "config/four.yaml"}).begin("dry-run")


def test_names_that_differ_in_case_alone_are_refused_on_a_disk_that_takes_them_for_one(project: Path) -> None:
    Path("config/Four.yaml").write_text(Path("config/four.yaml").read_text())
    Path("results/Four").symlink_to("four")  # as a disk of macOS or Windows has it
    with pytest.raises(
        UserError, match="results/Four holds the results of study four, which this disk takes for"
    ):
        Plan({"study": "Four"}).begin("dry-run")


@pytest.mark.parametrize("ahead", [3600.0, 86400.0 * 365])
def test_files_of_a_time_to_come_get_the_time_of_now(project: Path, ahead: float) -> None:
    later = time.time() + ahead
    files = [Path("results/four/study.json"), a_run() / "run.json", Path("report/four/report.html")]
    for path in files:
        os.utime(path, (later, later))
    assert to_make_again() == set()
    start()
    assert all(abs(path.stat().st_mtime - time.time()) < 60 for path in files)
    assert len({path.stat().st_mtime_ns for path in files}) == 1, "no file is newer than what follows from it"


def test_a_study_with_windows_line_ends_or_a_mark_at_its_beginning_is_the_same_study(project: Path) -> None:
    text = Path("config/four.yaml").read_bytes()
    for changed in (
        text.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + text,
        text.replace(b"\n", b"\r\n") + b"\x0c"[:0],
    ):
        Path("config/four.yaml").write_bytes(changed)
        assert to_make_again() == set()


def test_a_partial_collection_is_made_again_once_the_other_runs_are_there_whatever_the_times_say(
    project: Path, tmp_path: Path
) -> None:
    run = a_run()
    shutil.move(run, tmp_path / "elsewhere")
    record = load("four", []).record
    write_findings(collect(record, record["runs"], Path()))
    shutil.move(tmp_path / "elsewhere", run)  # with its old times, as from a colleague's copy
    again = to_make_again()
    assert {"results/four/results.csv", "results/four/curves.csv"} <= again
    assert not any(name.endswith("run.json") for name in again)


@pytest.mark.parametrize("link", ["results", "data", "report"])
def test_folders_that_are_links_to_another_disk_are_looked_at_as_any(
    project: Path, tmp_path: Path, link: str
) -> None:
    shutil.move(link, tmp_path / "disk")
    Path(link).symlink_to(tmp_path / "disk")
    assert to_make_again() == set()


def test_the_record_of_a_newer_version_with_a_setting_more_is_still_whole(project: Path) -> None:
    from scalestudy.files import CHECKSUM, write_sealed_json

    path = a_run() / "run.json"
    content = {key: value for key, value in json.loads(path.read_text()).items() if key != CHECKSUM}
    write_sealed_json(
        path, {**content, "something_new": 3, "settings": {**content["settings"], "new_axis": 1}}
    )
    again = to_make_again()
    assert again == {"results/four/results.csv", "results/four/curves.csv"}, "another record, the same run"


def test_a_dataset_that_another_study_prepares_is_waited_for_and_not_prepared_once_more(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [store] = Path("data").glob("[a-z]*")
    shutil.move(store, "elsewhere")
    shutil.rmtree("results/four/runs")
    hold(lock := store.with_name(f".{store.name}.planned.lock"))
    there = threading.Timer(0.2, shutil.move, ("elsewhere", store))
    there.start()
    start()
    there.join()
    assert f"another Snakemake prepares {store}: waiting until it is there\n" in capsys.readouterr().err
    assert (store / "dataset.json").is_file()
    shutil.move(store, "elsewhere")
    end = threading.Timer(0.2, let_go, (lock,))
    end.start()
    start()  # the other one has ended without it
    end.join()
    assert is_locked(lock), "now it is this one's to prepare"


def test_a_dataset_that_no_run_waits_for_is_held_by_nobody(project: Path) -> None:
    [store] = Path("data").glob("[a-z]*")
    shutil.rmtree(store)
    Path("report/four/report.html").unlink()
    start()
    assert not is_locked(store.with_name(f".{store.name}.planned.lock"))
