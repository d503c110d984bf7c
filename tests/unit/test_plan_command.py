"""`scalestudy plan`, as it is typed before anything is prepared: images, time, disk space, or that they are unknown."""

import re
from collections import namedtuple
from pathlib import Path

import commands
import pytest
from image_folders import fill

from scalestudy.cli import one_config_each
from scalestudy.data.prepare import prepare_dataset
from scalestudy.files import write_json
from scalestudy.study import paths
from scalestudy.study.config import load_study
from scalestudy.study.runs import Run, plan_runs
from scalestudy.workflow import disk

PICTURES = """\
dataset: {source: imagefolder, folder: pictures}
recipe: {model: resnet18, epochs: 2, batch_size: 8, fraction: [1/2, 1]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `config/mine.yaml`, a study of the folder `pictures`, which is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALESTUDY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.yaml").write_text(PICTURES)
    return tmp_path


def scalestudy(*arguments: str, code: int = 0) -> str:
    """Return what the command prints on both streams; it must end with this exit code."""
    done = commands.scalestudy(*arguments)
    assert done.code == code, done.said
    return done.said


def runs() -> list[Run]:
    """Return the runs of the study."""
    return plan_runs(load_study("mine"))


def prepare() -> None:
    """Prepare the study's data."""
    run = runs()[0]
    prepare_dataset(run.dataset_settings, run.settings.image_size, paths.dataset_folder(run.dataset))


def images(shown: str) -> list[str]:
    """Return the column of training images."""
    return re.findall(r"^resnet18_\S+ +(\S+) ", shown, re.MULTILINE)


def test_a_folder_that_is_not_prepared_is_counted_and_the_same_after_it_is(project: Path) -> None:
    fill(project / "pictures", train__cat=7, train__dog=8, test__cat=3, test__dog=2)
    before = scalestudy("plan", "mine", "--no-calibrate")
    assert images(before) == ["8", "15"]
    assert re.search(r"2 runs; [\d.]+ s of training and measuring in all", before)
    assert "not known" not in before
    prepare()
    assert images(scalestudy("plan", "mine", "--no-calibrate")) == images(before)


def test_a_pool_is_counted_after_its_test_images_are_split_off(project: Path) -> None:
    fill(project / "pictures", cat=10, dog=10)
    assert images(scalestudy("plan", "mine", "--no-calibrate")) == ["8", "16"]


def test_a_study_whose_data_is_not_there_is_said_to_take_an_unknown_time_and_never_none(
    project: Path,
) -> None:
    shown = scalestudy("plan", "mine", "--no-calibrate")
    assert images(shown) == ["?", "?"]
    assert "2 runs; how long they take is not known yet" in shown
    assert "pictures cannot be read: No such file or directory" in shown
    assert "snakemake data" not in shown, "which would find no pictures either"
    assert "disk space: at least " in shown
    assert not re.search(r"\b0(\.0)? s\b", shown)


def test_what_is_known_of_a_study_is_told_apart_from_what_is_not(project: Path) -> None:
    (project / "config" / "mine.yaml").write_text(
        PICTURES.replace("fraction: [1/2, 1]", "init: [none, glyphs]")
        + "weights: {glyphs: {upstream: {dataset: {source: glyphs, train_images: 72, test_images: 36}}}}\n"
    )
    shown = scalestudy("plan", "mine", "--no-calibrate")
    assert "2 runs and 1 upstream stage; " in shown
    assert "for 1 of them; how long the other 2 take is not known yet" in shown


def test_a_damaged_record_of_the_data_is_named(project: Path) -> None:
    fill(project / "pictures", cat=10, dog=10)
    record = paths.dataset_folder(runs()[0].dataset) / "dataset.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"train_images": 16, ')
    shown = scalestudy("plan", "mine", "--no-calibrate")
    assert f"not known: {record} cannot be read" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "mine", "--config", "fraction=1/2", "epochs=1", "--no-calibrate"],
        ["plan", "--no-calibrate", "--config", "study=mine", "fraction=1/2", "epochs=1"],
        ["plan", "mine", "--no-calibrate", "--config", "fraction=1/2", "--config", "epochs=1"],
    ],
)
def test_config_takes_pairs_as_snakemake_does(project: Path, arguments: list[str]) -> None:
    fill(project / "pictures", cat=10, dog=10)
    shown = scalestudy(*arguments)
    assert images(shown) == ["8"]


def test_pairs_are_spread_and_the_study_and_other_options_are_left_where_they_are() -> None:
    typed = ["plan", "--config", "a=1", "b=[2,3]", "mine", "c=4", "--workers", "2"]
    assert one_config_each(typed) == [
        *("plan", "--config", "a=1", "--config", "b=[2,3]", "mine", "c=4", "--workers", "2")
    ]


def test_two_studies_in_one_line_are_refused(project: Path) -> None:
    shown = scalestudy("check", "mine", "--config", "study=other", code=2)
    assert (
        shown == "error: two studies are named: mine, and other by --config study=other; give one of them\n"
    )


def test_a_disk_that_is_too_small_is_named_before_anything_is_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project / "pictures", cat=10, dog=10)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage(10**9, 9 * 10**8, 10**8))
    shown = scalestudy("plan", "mine", "--no-calibrate")
    assert re.search(
        r"disk space: up to \d+ MB \(data/ 1 MB, results/ \d+ MB, report/ 15 MB\); 100 MB free", shown
    )
    assert "not enough: make room there, or let data/ or results/ or report/ be a link" in shown


def test_what_is_there_already_needs_no_room(project: Path) -> None:
    fill(project / "pictures", cat=10, dog=10)
    shown = scalestudy("plan", "mine", "--no-calibrate")
    prepare()
    for run in runs():
        write_json(paths.run_folder("mine", run.name) / "run.json", {})
    assert "data/ 1 MB, results/ " in shown
    assert "disk space: up to 15 MB (report/ 15 MB); " in scalestudy("plan", "mine", "--no-calibrate")


def test_the_command_that_prepares_the_data_has_the_overrides_that_were_given(project: Path) -> None:
    (project / "config" / "mine.yaml").write_text("dataset: Flowers102\n")
    shown = scalestudy(
        "plan", "mine", "--no-calibrate", *one_config_each(["--config", "image_size=48", "seed=1"])
    )
    assert "`snakemake data --config study=mine image_size=48 seed=1` prepares the data" in shown


def test_no_name_of_a_run_loses_its_end_on_a_narrow_terminal(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = scalestudy("plan", "mine", "--no-calibrate", "--config", "seed=[0,1]", "dataset=digits")
    assert "\u2026" not in said


def test_what_has_no_results_is_named_with_a_command_only_where_that_works(project: Path) -> None:
    assert "`snakemake --cores all --config study=mine` makes those of mine" in scalestudy(
        "tables", "mine", code=2
    )
    assert "snakemake" not in scalestudy("tables", "nothing", code=2)
