"""`scalestudy new`: what it finds in a folder, what it warns of before any training, what it writes, never twice."""

import re
import shutil
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from commands import scalestudy
from image_folders import fill
from PIL import Image

from scalestudy.study.config import json_schema, load_study
from scalestudy.study.propose import Facts, Proposal, concerns, lighter, propose, study_text
from scalestudy.study.runs import plan_runs


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALESTUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def new(*arguments: str) -> str:
    """Run `scalestudy new`; return what it says."""
    done = scalestudy("new", *arguments, "--no-calibrate")
    assert done.code == 0, done.said
    return done.said


def refused(*arguments: str) -> str:
    done = scalestudy("new", *arguments, "--no-calibrate")
    assert done.code == 2, done.said
    (line,) = done.errors
    return line


def test_a_folder_becomes_a_valid_study_that_says_what_was_found_and_what_to_type() -> None:
    fill(Path("my pets"), cat=60, dog=50, frog=40)
    said = new("my pets")
    assert "my pets: 3 classes, 120 training and 30 test images (a fifth of each class split off" in said
    assert "training + test images by class: cat 48 + 12, dog 40 + 10, frog 32 + 8" in said
    assert re.search(r"config/my-pets\.yaml: \d+ runs; .* of training and measuring in all", said)
    assert "snakemake --cores all --config study=my-pets" in said
    study = load_study("my-pets")
    assert {run.settings.model for run in plan_runs(study)} == {"resnet18", "resnet50"}
    assert {run.settings.seed for run in plan_runs(study)} == {0, 1, 2}
    text = Path("config/my-pets.yaml").read_text()
    assert "#   my pets: 3 classes, 120 training" in text
    jsonschema.validate(yaml.safe_load(text), yaml.safe_load(json_schema()))
    assert "valid; " in scalestudy("check", "my-pets").said


def test_nothing_is_ever_overwritten() -> None:
    fill(Path("pets"), cat=20, dog=20)
    new("pets")
    Path("config/pets.yaml").write_text("mine now\n")
    assert refused("pets") == (
        "error: config/pets.yaml is there already, and nothing is overwritten: choose another --name"
    )
    assert Path("config/pets.yaml").read_text() == "mine now\n"
    new("pets", "--name", "pets-again")
    assert load_study("pets-again").name == "pets-again"


def test_a_class_with_two_images_a_single_big_class_and_few_test_images_are_named() -> None:
    fill(Path("pets"), cat=95, dog=5, newt=2)
    said = new("pets")
    assert re.search(r"! class dog has 4 training and 1 test image: too few to learn or to measure", said)
    assert re.search(r"! class newt has \d training and \d test image(s)?: too few", said)
    assert re.search(r"! 9\d % of the training images are of class cat: answering it without looking", said)
    assert re.search(r"! an accuracy measured on \d\d test images is uncertain by up to \d\d points", said)
    assert "# " in Path("config/pets.yaml").read_text()
    assert "! class dog has 4 training" in Path("config/pets.yaml").read_text()


def test_sixteen_bit_long_and_broken_pictures_and_other_files_are_named() -> None:
    fill(Path("scans"), a=9, b=10)
    for index in range(30):
        Image.fromarray(np.full((20, 90), 2000 * index, np.uint16)).save(f"scans/a/deep{index}.png")
        Path(f"scans/b/drawing{index}.svg").write_text("<svg/>")
    Path("scans/b/broken.jpg").write_bytes(b"no picture")
    said = new("scans")
    assert "! 30 of 50 pictures looked at have 16 bits a pixel: they are scaled to 8" in said
    assert "! 30 of 50 pictures looked at are 1.5 times as long as wide or more: only the square" in said
    assert (
        "! 1 of 50 pictures looked at cannot be read, such as b/broken.jpg: not an image that Pillow" in said
    )
    assert re.search(r"not used: .*30 \.svg", said)
    assert "files: 49 .png, 1 .jpg" in said


def test_splits_of_any_usual_name_are_used() -> None:
    fill(Path("brains"), Training__glioma=20, Training__healthy=24, Testing__glioma=6, Testing__healthy=7)
    said = new("brains")
    assert "2 classes, 44 training and 13 test images (a test set of its own)" in said
    assert "Training/ is taken for the training set, Testing/ for the test set" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no folder nowhere, and no dataset of that name; datasets by name: digits, "),
        (["FashonMNIST"], "no dataset of that name (did you mean 'FashionMNIST'?)"),
        (["one"], "one class folder only"),
        (["file.zip"], "file.zip is a file; give the folder that holds one folder of images for each class"),
        (["pets", "--name", "../x"], "--name: '../x' cannot be a name"),
        ([], "which images? `scalestudy new FOLDER`"),
    ],
)
def test_what_cannot_be_is_one_line_and_writes_nothing(arguments: list[str], words: str) -> None:
    fill(Path("one"), cat=20)
    fill(Path("pets"), cat=20, dog=20)
    Path("file.zip").write_bytes(b"x")
    assert words in refused(*arguments)
    assert not Path("config").exists()


def test_a_dataset_is_taken_by_its_name_its_sizes_known_or_said_to_be_unknown() -> None:
    assert "1,438 training and 359 test images" in new("digits")
    assert load_study("digits").dataset.source == "digits"
    said = new("Flowers102")
    assert "18 runs; how long they take is not known yet" in said
    assert "`snakemake data --config study=Flowers102` prepares the data" in said
    assert {run.settings.image_size for run in plan_runs(load_study("Flowers102"))} == {64}
    new("huggingface:somebody/beans")
    assert load_study("beans").dataset.source == "huggingface"


def test_a_folder_of_a_datasets_name_is_the_folder() -> None:
    fill(Path("digits"), one=20, two=20)
    new("digits")
    assert load_study("digits").dataset.source == "imagefolder"


def test_weights_in_torchs_cache_join_the_study() -> None:
    fill(Path("pets"), cat=20, dog=20)
    cache = Path("torch/hub/checkpoints")
    cache.mkdir(parents=True)
    (cache / "resnet18-f37072fd.pth").touch()
    new("pets")
    assert {run.settings.init for run in plan_runs(load_study("pets"))} == {"none"}
    (cache / "resnet50-0676ba61.pth").touch()
    new("pets", "--name", "both")
    assert {run.settings.init for run in plan_runs(load_study("both"))} == {"none", "IMAGENET1K_V1"}


@pytest.mark.slow
def test_the_time_is_measured_on_this_machine_where_that_is_wanted() -> None:
    fill(Path("pets"), cat=20, dog=20)
    done = scalestudy("new", "pets")
    assert done.code == 0, done.said
    assert "measuring 2 kinds of run on this machine" in done.out
    assert "(guess)" not in scalestudy("plan", "pets", "--no-calibrate").out


def facts(*counts: int, side: int = 100) -> Facts:
    return Facts("x", "digits", [f"c{n}" for n in range(len(counts))], counts, counts, side=side)


@pytest.mark.parametrize(
    ("counts", "fractions"),
    [
        ((5000,) * 10, ["1/64", "1/16", "1/4", "1"]),
        ((40, 50), ["1/8", "1/4", "1/2", "1"]),
        ((400, 12), ["1/2", "1"]),
        ((400, 2), ["1/64", "1/16", "1/4", "1"]),  # the class with two is named, and does not decide
        ((3, 3), ["1"]),
    ],
)
def test_fractions_leave_images_of_the_smallest_class(counts: tuple[int, ...], fractions: list[str]) -> None:
    assert [str(each) for each in propose(facts(*counts)).fractions] == fractions


def test_the_smallest_subset_gets_enough_steps_and_small_pictures_stay_small() -> None:
    large, small = propose(facts(5000, 5000)), propose(facts(30, 30, side=28))
    assert (large.image_size, small.image_size) == (64, 32)
    assert large.batch_size > small.batch_size >= 8
    for proposal, images in ((large, 10_000), (small, 60)):
        steps = proposal.epochs * proposal.fractions[0] * images / proposal.batch_size
        assert steps >= 50


def test_what_takes_too_long_is_made_lighter_step_by_step_and_says_so() -> None:
    start = propose(facts(*[50_000] * 10))
    steps: list[Proposal] = [start]
    while (cheaper := lighter(steps[-1], facts(*[50_000] * 10))) is not None:
        steps.append(cheaper)
    last = steps[-1]
    assert (last.seeds, last.epochs, last.image_size, len(last.fractions)) == ((0,), 5, 32, 2)
    assert last.fractions[0] == start.fractions[0]
    assert len(last.cut) == len(steps) - 1
    assert "one seed instead of three" in last.cut
    assert max(last.fractions) < Fraction(1)


def test_a_study_that_would_take_days_is_cut_to_what_ends_in_time() -> None:
    said = new("cifar10", "--name", "big")
    assert "left out, so that it ends within 2 h: " in said
    assert "left out, so that it ends within 2 h: " in Path("config/big.yaml").read_text()


@pytest.mark.parametrize("name", ["true", "a: b", "#x", "1", "naïve", "it's", 'say "x"', "日本"])
def test_any_text_in_the_file_reads_back_as_it_was(name: str) -> None:
    found = Facts(name, {"source": "imagefolder", "folder": f"pics/{name}"}, side=64)
    content = yaml.safe_load(study_text(found, propose(found), [], None))
    assert content["dataset"]["folder"] == f"pics/{name}"
    assert content["title"] == f"{name}: model size and training-set size"


def test_balanced_classes_of_enough_images_raise_no_concern() -> None:
    assert concerns(facts(500, 500, 400)) == []


def test_a_project_of_ones_own_has_all_that_it_needs_and_keeps_what_is_there() -> None:
    fill(Path("pets"), cat=20, dog=20)
    Path("mine").mkdir()
    Path("mine/README.md").write_text("my own\n")
    said = new("pets", "--project", "mine")
    assert "all that in mine, a project of its own: cd mine first" in said
    assert yaml.safe_load(Path("mine/config/pets.yaml").read_text())["dataset"]["folder"] == "../pets"
    assert Path("mine/README.md").read_text() == "my own\n"
    for file in ("Snakefile", ".gitignore", "config/study.schema.json", "profiles/default/config.yaml"):
        assert Path("mine", file).is_file()
    new("pets", "--project", "mine", "--name", "again")  # the project is ours: one more study
    shutil.rmtree("mine")
    Path("mine").mkdir()
    Path("mine/Snakefile").write_text("rule all: input: 'x'\n")
    assert "mine/Snakefile is there already, and nothing is overwritten" in refused("--project", "mine")
    assert refused("nowhere", "--project", "other").startswith("error: there is no folder nowhere")
    assert not Path("other").exists()


def test_a_name_with_the_ending_of_a_file_is_that_name_and_a_folder_of_any_name_becomes_a_study() -> None:
    fill(Path("pets"), cat=20, dog=20)
    new("pets", "--name", "mine.yaml")
    assert Path("config/mine.yaml").is_file()
    shutil.copytree("pets", "new\nline\x1b[31m")
    new("new\nline\x1b[31m", "--name", "strange")
    assert len(plan_runs(load_study("strange"))) > 0
    assert "no folder ~nobody1x" in refused("~nobody1x/pics")
