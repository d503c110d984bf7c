"""`scalestudy check`: all that can be known without training, at once, and nothing written."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from image_folders import fill
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.errors import UserError
from scalestudy.study.dataset import ImageFolder
from scalestudy.study.paths import torch_cache
from scalestudy.training.models import build_model


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def check(text: str, *flags: str) -> list[str]:
    """Return what `scalestudy check` prints, line by line."""
    Path("mine.yaml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["check", "mine.yaml", *flags])
    if done.exception is not None:
        raise done.exception
    return done.output.splitlines()


def faults(text: str, *flags: str) -> list[str]:
    before = {path for path in Path().rglob("*") if path.name != "mine.yaml"}
    with pytest.raises(UserError) as caught:
        check(text, *flags)
    assert {path for path in Path().rglob("*") if path.name != "mine.yaml"} == before
    return str(caught.value).splitlines()


def has(lines: list[str], *starts: str) -> None:
    """Assert that there is one line for each of these beginnings, and no other."""
    assert len(lines) == len(starts), lines
    for start in starts:
        assert any(line.startswith(start) for line in lines), (start, lines)


def test_the_command_ends_with_2_and_names_every_fault_in_a_line_of_its_own() -> None:
    Path("mine.yaml").write_text(
        "dataset: {source: imagefolder, folder: imgs}\nrecipe: {lr: x, head_lr: 1e-3}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "scalestudy", "check", "mine.yaml"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    has(
        done.stderr.splitlines(),
        "error: mine.yaml: recipe.lr: 'x' is not a number",
        "mine.yaml: recipe.head_lr: unknown key; the keys are model, init,",
        "mine.yaml: dataset: the image folder imgs cannot be read: No such file or directory "
        f"(looked for in {Path.cwd()})",
    )


def test_a_recipe_with_five_faults_gets_five_lines_each_with_what_is_allowed() -> None:
    lines = faults(
        "dataset: digits\n"
        "recipe: {model: resnet19, optimizer: adm, fraction: 2, epochs: 0, schedule: cosin, stem: cifr,\n"
        "  augmentation: flp}\n"
    )
    has(
        lines,
        "mine.yaml: recipe.model: model 'resnet19' is unknown (did you mean 'resnet18'?); the models are alexnet,",
        "mine.yaml: recipe.optimizer: 'adm' is not one of adam, adamw, sgd",
        "mine.yaml: recipe.fraction: 2 must be less than or equal to 1",
        "mine.yaml: recipe.epochs: 0 must be greater than or equal to 1",
        "mine.yaml: recipe.schedule: 'cosin' is not one of constant, cosine,",
        "mine.yaml: recipe.stem: 'cifr' is not one of imagenet, cifar",
        "mine.yaml: recipe.augmentation: 'flp' ",
    )


def test_faults_of_every_part_of_the_file_are_said_together() -> None:
    lines = faults(
        "dataset: {source: digits, test_fraction: 3, mirror: x}\n"
        "recipes: {}\n"
        "recipe: {lr: [1e-3, abc]}\n"
        "experiments: {a: {grid: {seed: [0, -1]}, override: {}}}\n"
        "weights: {w: {}, v: {checkpoints: {resnet18: {file: w.pth, sha256: 12}}}}\n"
        "compute: {device: gpu}\n"
        "references: [{title: x, rows: [{lr: q, test_accuracy: 64}]}]\n"
    )
    has(
        lines,
        "mine.yaml: dataset.test_fraction: 3 must be less than 1",
        "mine.yaml: dataset.mirror: unknown key; the keys of source digits are source, title, num_classes, ",
        "mine.yaml: recipes: unknown key (did you mean 'recipe'?); the keys are name, title,",
        "mine.yaml: recipe.lr: 'abc' is not a number",
        "mine.yaml: experiments.a.grid.seed: -1 must be greater than or equal to 0",
        "mine.yaml: experiments.a.override: unknown key (did you mean 'overrides'?); the keys are title, grid,",
        "mine.yaml: weights.w: give either `upstream` or `checkpoints`",
        "mine.yaml: weights.v.checkpoints.resnet18.sha256: 12 is not text; if it is meant as text, put it in quotes",
        "mine.yaml: compute.device: 'gpu' is not one of auto, cpu, cuda",
        "mine.yaml: references.rows.lr: 'q' is not a number",
        "mine.yaml: references.rows.test_accuracy: 64 is outside [0, 1]; write 64 % as 0.64",
    )


def test_impossible_runs_a_missing_folder_and_missing_checkpoints_are_said_together(tmp_path: Path) -> None:
    Path("gone.pth").symlink_to("nowhere.pth")
    Path("wrong.pth").write_text("x")
    found, expected = hashlib.sha256(b"x").hexdigest(), "0" * 64
    lines = faults(
        "dataset: {source: imagefolder, folder: imgs}\n"
        "weights:\n"
        f"  a: {{checkpoints: {{resnet18: {{file: none.pth, sha256: '{expected}'}}}}}}\n"
        f"  b: {{checkpoints: {{resnet18: {{file: gone.pth, sha256: '{expected}'}}}}}}\n"
        f"  c: {{checkpoints: {{resnet18: {{file: wrong.pth, sha256: '{expected}'}}}}}}\n"
        "  d: {upstream: {dataset: {source: imagefolder, folder: more}}}\n"
        "recipe: {model: [resnet18, inception_v3], init: [a, b, c, d]}\n"
    )
    assert (
        sum(line.startswith("study mine: model 'inception_v3' needs images of at least") for line in lines)
        == 1
    )
    has(
        [line for line in lines if not line.startswith("study mine")],
        "mine.yaml: dataset: the image folder imgs cannot be read: No such file or directory",
        "mine.yaml: weights.d.upstream.dataset: the image folder more cannot be read: No such file or directory",
        f"mine.yaml: weights.a.checkpoints.resnet18: checkpoint none.pth does not exist (looked for in {tmp_path})",
        "mine.yaml: weights.b.checkpoints.resnet18: checkpoint gone.pth, a link to nowhere.pth, which is not there",
        f"mine.yaml: weights.c.checkpoints.resnet18: checkpoint wrong.pth has SHA-256 {found}, and the study expects "
        f"{expected}; put the right file there",
    )


def checkpoint_study(content: object, model: str = "resnet18", recipe: str = "{init: own}") -> str:
    torch.save(content, "own.pth")
    sha256 = hashlib.sha256(Path("own.pth").read_bytes()).hexdigest()
    return (
        f"dataset: digits\nweights: {{own: {{checkpoints: {{{model}: {{file: own.pth, sha256: {sha256!r}}}}}}}}}\n"
        f"recipe: {recipe}\n"
    )


def test_a_checkpoint_is_opened_and_what_is_noted_of_it_is_said() -> None:
    state = {f"module.{key}": value for key, value in build_model("resnet18", 5, seed=0).state_dict().items()}
    lines = check(checkpoint_study({"net": state, "epoch": 9}))
    assert lines[0] == "mine: valid; 1 run in 1 experiment"
    assert "  own.pth: the state_dict lay under the key 'net', beside epoch" in lines
    assert "  own.pth: the prefix 'module.' taken off the names of the weights" in lines


def test_a_checkpoint_that_a_run_could_not_begin_with_is_refused() -> None:
    state = dict(build_model("resnet18", 5, seed=0).state_dict())
    recipe = "{model: resnet18, init: own, stem: [imagenet, cifar]}"
    (line,) = faults(checkpoint_study(state, recipe=recipe))
    assert line.endswith("these weights do not fit resnet18 with this stem; set `stem: imagenet`")
    (line,) = faults(checkpoint_study(build_model("resnet18", 5, seed=0)))
    assert line.startswith(
        "mine.yaml: weights.own.checkpoints.resnet18: weights own.pth cannot be read as tensors: it "
    )
    assert "holds an object of torchvision.models.resnet.ResNet" in line


def test_a_subset_that_cannot_hold_every_class_is_known_before_anything_is_prepared(tmp_path: Path) -> None:
    fill(tmp_path / "imgs", train__a=9, train__b=9, train__c=9, test__a=1, test__b=1, test__c=1)
    lines = faults(
        "dataset: {source: imagefolder, folder: imgs}\nrecipe: {fraction: [1/27, 1/2, 1], validation: [0, 1/100]}\n"
    )
    has(
        lines,
        "mine.yaml: recipe: fraction: 1/27 of 27 training images is 1, and a subset needs one image of each of the 3 "
        "classes; use 1/9 or more",
        "mine.yaml: recipe: validation: 1/100 of 27 training images is no image; use 1/27 or more",
    )
    (line,) = faults("dataset: digits\nrecipe: {fraction: 1/1000}\n")
    assert "fraction: 1/1000 of 1,438 training images is 1" in line


def test_what_is_good_to_know_is_said_of_a_valid_study(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", Training__a=9, Training__b=9, Testing__a=1, Testing__b=1)
    (root / "Training" / "a" / "x.svg").write_text("<svg/>")
    lines = check(
        "dataset: {source: imagefolder, folder: imgs}\n"
        "weights: {spare: {upstream: {dataset: glyphs}}}\n"
        "recipe: {init: [none, IMAGENET1K_V1]}\n"
    )
    assert lines[0] == "mine: valid; 2 runs in 1 experiment"
    assert "  dataset: Training/ is taken for the training set, Testing/ for the test set" in lines
    assert "  dataset: not read as images: 1 .svg" in lines
    assert "  weights.spare: no run uses them" in lines
    assert any(
        line.startswith("  resnet18-f37072fd.pth is not there yet: it will be fetched from ")
        for line in lines
    )
    torch_cache().mkdir(parents=True)
    (torch_cache() / "resnet18-f37072fd.pth").touch()
    assert not any("resnet18-f37072fd" in line for line in check(Path("mine.yaml").read_text()))


def test_an_archive_that_will_be_fetched_is_named_with_its_url() -> None:
    lines = check("dataset: {source: cifar10, mirror: 'https://example.org/c.tgz'}\n")
    assert lines[1:] == [
        "  dataset: data/downloads/cifar-10-python.tar.gz is not there: it will be fetched from https://example.org/c.tgz"
    ]


def test_a_dataset_that_is_prepared_needs_its_folder_no_more(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=3, train__b=3, test__a=1, test__b=1)
    text = "dataset: {source: imagefolder, folder: imgs}\nrecipe: {image_size: 8, epochs: 1}\n"
    from scalestudy.study.config import load_study
    from scalestudy.study.runs import plan_runs

    check(text)
    (run,) = plan_runs(load_study("mine.yaml"))
    flags = ["--source", "imagefolder", "--folder", "imgs", "--image-size", "8"]
    CliRunner().invoke(app, ["prepare", *flags, "--output", f"data/{run.dataset}"], catch_exceptions=False)
    root.rename(tmp_path / "away")
    assert check(text)[0].startswith("mine: valid")
    (line,) = faults(text.replace("epochs: 1", "fraction: 1/6"))
    assert "fraction: 1/6 of 6 training images is 1" in line


def test_a_check_without_checkpoints_loads_no_torch() -> None:
    code = (
        "import sys; from scalestudy.workflow.check import check_study; check_study('mine.yaml');"
        "print([name for name in ('torch', 'torchvision') if name in sys.modules])"
    )
    Path("mine.yaml").write_text("dataset: digits\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    "home", [{}, {"TORCH_HOME": "~/t"}, {"XDG_CACHE_HOME": "/x"}, {"TORCH_HOME": "/a b"}]
)
def test_torchs_cache_is_where_torch_says(home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    assert torch_cache() == Path(torch.hub.get_dir()) / "checkpoints"


def test_every_unknown_key_of_config_is_named_with_what_is_allowed() -> None:
    has(
        faults("dataset: digits\n", "--config", "lrr=1", "--config", "epoch=2"),
        "--config lrr=1: unknown key (did you mean 'lr'?); the keys are model, init,",
        "--config epoch=2: unknown key (did you mean 'epochs'?); the keys are model, init,",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "weights: {w: file.pth}",
            "weights.w: 'file.pth' is not a mapping of keys such as title, upstream, checkpoints",
        ),
        (
            "weights: {w: {upstream: {recipe: {epochs: [1, 2]}}}}",
            "weights.w.upstream.recipe.epochs: one value is needed",
        ),
        (
            "weights: {w: {checkpoints: {resnet81: {file: x, sha256: y}}}}",
            "weights.w.checkpoints.resnet81: model 're",
        ),
        ("experiments: [a, b]", "experiments: ['a', 'b'] is not a mapping of keys"),
        ("experiments: {a: x}", "experiments.a: 'x' is not a mapping of keys such as title, grid, overrides"),
        ("recipe: fast", "recipe: 'fast' is not a mapping of settings"),
        ("references: {title: x}", "references: {'title': 'x'} is not a list"),
        ("compute: cpu", "compute: 'cpu' is not a mapping of keys such as device, precision,"),
        ("title: [a]", "title: ['a'] is not text"),
        ("recipe: {lr: '0,001'}", "recipe.lr: '0,001' is not a number; write a point and no comma"),
        ("dataset: {folder: x}", "dataset.source: this key is needed: one of digits, glyphs, cifar10"),
        ("dataset: {source: }", "dataset.source: this key is needed: one of digits, glyphs, cifar10"),
        ("dataset: [digits]", "dataset: ['digits'] is not a mapping of keys"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_in_a_students_words(text: str, line: str) -> None:
    found = faults(text if text.startswith("dataset") else f"dataset: digits\n{text}\n")
    assert any(each.startswith(f"mine.yaml: {line}") for each in found), found
    assert not any(word in each for each in found for word in ("instance of", "tuple", "dictionary", "None"))


def test_a_key_without_a_value_is_one_that_is_not_there() -> None:
    text = "dataset: digits\ntitle:\nrecipe:\nweights:\nreferences:\ncompute:\nexperiments:\n  base:\n"
    assert check(text)[0] == "mine: valid; 1 run in 1 experiment"
    (line,) = faults("dataset:\n")
    assert line.startswith("mine.yaml: dataset: this key is needed: The target data")
    (line,) = faults("# nothing yet\n")
    assert (
        line
        == "mine.yaml: the file is empty; a study is a mapping of keys; the smallest is `dataset: digits`"
    )


def test_a_number_of_classes_or_a_share_of_test_images_that_cannot_be_is_known_before_preparing() -> None:
    (line,) = faults("dataset: {source: digits, num_classes: 3}\n")
    assert line.endswith("num_classes says 3, and the data have 10")
    (line,) = faults("dataset: {source: digits, test_fraction: 1/100000}\n")
    assert line.endswith("there would be 1,797 training and 0 test images")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dataset: ~nobody1x\n", "~nobody1x"),
        ("dataset: %s\n" % ("x" * 5000), "dataset"),
        ("dataset: digits\nrecipe: {fraction: 1e-5000}\n", "1e-5000' is not a fraction such as 1/16 or 0.5"),
        ("dataset: digits\nexperiments: []\n", "experiments"),
    ],
)
def test_strange_values_are_refused_and_no_traceback(text: str, words: str) -> None:
    (line,) = faults(text)
    assert words in line


def test_a_momentum_that_the_schedule_cycles_may_be_written_as_0() -> None:
    recipe = "{optimizer: sgd, schedule: onecycle, momentum: 0, nesterov: true, lr: 0.1}"
    assert check(f"dataset: digits\nrecipe: {recipe}\n")[0].endswith("valid; 1 run in 1 experiment")


def test_a_folder_is_the_same_one_however_it_is_written() -> None:
    spelt = [
        ImageFolder(source="imagefolder", folder=f"{before}pics{after}")
        for before in ("", "./")
        for after in ("", "/")
    ]
    assert len({each.store_name() for each in spelt}) == 1
