"""The keys of a study in config/README.md and in --help: generated, complete, with what each takes."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.study import keys
from scalestudy.study.config import NOT_OF_AN_UPSTREAM_STAGE, Compute, Study
from scalestudy.study.dataset import SOURCE_CLASSES, ImageFolder
from scalestudy.study.models import known_models
from scalestudy.study.registries import REGISTRIES
from scalestudy.study.settings import RunSettings

README = Path(__file__).parents[2] / "config" / "README.md"


def test_the_readme_is_what_the_models_and_registries_generate() -> None:
    text = README.read_text(encoding="utf-8")
    assert keys.readme_with_tables(text) == text, (
        "config/README.md has drifted: run `scalestudy schema --readme config/README.md`"
    )


def test_the_readme_has_every_table_once() -> None:
    marks = re.findall(r"<!-- keys: (\w+) -->", README.read_text(encoding="utf-8"))
    assert sorted(marks) == sorted(keys.tables())


def test_every_key_of_every_model_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    for model in (Study, RunSettings, Compute, *SOURCE_CLASSES):
        for key in model.model_fields:
            assert f"| `{key}` |" in text, (model, key)
    for name in known_models():
        assert f"| `{name}` |" in text


@pytest.mark.parametrize(
    ("model", "key", "expected"),
    [
        (RunSettings, "fraction", "fraction, above 0, at most 1"),
        (RunSettings, "image_size", "whole number, 8 or more, at most 1024"),
        (RunSettings, "dropout", "number, 0 or more, below 1"),
        (RunSettings, "steps", "whole number, 1 or more"),
        (RunSettings, "nesterov", "true, false"),
        (RunSettings, "stem", "imagenet, cifar, whitening"),
        (RunSettings, "model", "text"),
        (Study, "weights", "mapping"),
        (Study, "dataset", "a name, or a mapping"),
        (Study, "references", "list"),
        (ImageFolder, "test_fraction", "fraction, above 0, below 1"),
        (ImageFolder, "bad_files", "stop, skip"),
        (Compute, "device", "auto, cpu, cuda"),
    ],
)
def test_what_a_key_takes_is_said_in_a_few_words(model: type, key: str, expected: str) -> None:
    assert keys.allowed(model.model_fields[key]) == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize("setting", REGISTRIES)
def test_the_names_of_a_registry_are_what_its_setting_takes(setting: str) -> None:
    said = keys.allowed(RunSettings.model_fields[setting])
    assert said.partition(" (")[0].split(", ") == list(REGISTRIES[setting])
    row = next(
        line
        for line in README.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{setting}` |")
    )
    assert all(f"`{name}`" in row for name in REGISTRIES[setting])


def test_a_readme_of_ones_own_is_brought_up_to_date_by_the_command(tmp_path: Path) -> None:
    mine = tmp_path / "README.md"
    mine.write_text("# Mine\n\n<!-- keys: Compute -->\nold\n<!-- end of keys -->\nkept\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["schema", "--readme", str(mine)])
    assert done.exit_code == 0
    text = mine.read_text(encoding="utf-8")
    assert "| `device` | `auto` | `auto`, `cpu`, `cuda` | Where to train. |" in text
    assert "old" not in text
    assert text.endswith("<!-- end of keys -->\nkept\n")


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_help_gives_what_each_setting_takes(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    said = CliRunner().invoke(app, [command, "--help"], terminal_width=2000).output
    left_out = NOT_OF_AN_UPSTREAM_STAGE if command == "pretrain" else ()
    assert not any(f"--{key.replace('_', '-')} " in said for key in left_out)
    for key, field in RunSettings.model_fields.items():
        if key in left_out:
            continue
        line = next(each for each in said.splitlines() if f"--{key.replace('_', '-')} " in each)
        takes = keys.allowed(field)
        assert takes == "text" or all(value in line for value in takes.partition(" (")[0].split(", ")), line
    assert "needs the package timm" in said


def test_help_of_prepare_tells_the_sources_keys_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    said = CliRunner().invoke(app, ["prepare", "--help"], terminal_width=2000).output
    for each in SOURCE_CLASSES:
        for key in set(each.model_fields) - {"title"}:
            assert f"--{key.replace('_', '-')} " in said
    assert "imagefolder: What to do about images that cannot be read (stop, skip). Default: stop." in said
    assert "torchvision: One of " in said
    assert "huggingface: Its name on the Hub" in said
