"""A study's YAML text: what YAML allows works, what it would silently drop or change is refused with the line."""

from pathlib import Path

import pytest

from scalestudy.errors import UserError
from scalestudy.study.config import load_study
from scalestudy.study.runs import plan_runs
from scalestudy.study.yaml_text import parse_yaml, read_yaml


def refusal(folder: Path, content: bytes) -> str:
    file = folder / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_yaml(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    return message.removeprefix(str(file))


def test_merge_keys_add_what_a_mapping_does_not_set_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "dataset: digits\n"
        "experiments:\n"
        "  rates: {grid: &rates {lr: [1e-3, 1e-4], epochs: 1}}\n"
        "  batches: {grid: {<<: *rates, batch_size: [32, 64], epochs: 2}}\n"
        "  both: {grid: {<<: [*rates, {seed: [0, 1]}]}}\n"
    )
    study = load_study(str(file))
    assert study.experiments["batches"].grid == {"lr": (1e-3, 1e-4), "epochs": (2,), "batch_size": (32, 64)}
    assert study.experiments["both"].grid == {"lr": (1e-3, 1e-4), "epochs": (1,), "seed": (0, 1)}
    assert len(plan_runs(study)) == 2 + 4 + 2  # `rates` and `both` share the runs of seed 0


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 2\na: 3\n",
        'a: 1\n"a": 3\n',
        "x: {<<: {b: 1}, a: 1, a: 2}\n",
        "x: &x {a: 1}\ny: {<<: *x, <<: *x}\n",
    ],
)
def test_a_key_given_twice_stays_an_error_with_its_line(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, text.encode())
    assert f", line {text.rstrip().count(chr(10)) + 1}, column " in message
    assert "is given twice" in message


def test_off_and_no_are_names_and_only_true_and_false_are_switches() -> None:
    text = (
        "{off: [no, yes, on, off, y, n, Trueman, 3D, 1.5x], 1: x, null: x, 2026-01-01: x, a: true, b: False}"
    )
    assert parse_yaml(text, "here") == {
        "off": ["no", "yes", "on", "off", "y", "n", "Trueman", "3D", "1.5x"],
        "1": "x",
        "null": "x",
        "2026-01-01": "x",
        "a": True,
        "b": False,
    }


def test_weights_and_experiments_may_be_called_off_and_no(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "dataset: digits\nweights: {no: {upstream: {}}}\nexperiments: {off: {grid: {init: [none, no]}}}\n"
    )
    runs = plan_runs(load_study(str(file)))
    assert [(run.settings.init, run.experiments) for run in runs] == [("none", ("off",)), ("no", ("off",))]


@pytest.mark.parametrize("value", ["1", "2.5", "true"])
def test_a_value_that_yaml_takes_for_no_text_is_to_be_put_in_quotes(tmp_path: Path, value: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"dataset: digits\ntitle: {value}\n")
    with pytest.raises(UserError, match=r"title: .* is not text; if it is meant as text, put it in quotes"):
        load_study(str(file))


def test_no_number_is_changed_by_the_way_it_is_written(tmp_path: Path) -> None:
    text = "[010, 1:30, 0o17, 0x1F, 1_000, 2026-01-01, 2026-13-45, 12, -3, +4, 0, 1., .5, 1.5e-3, 1e-4, .inf, ~, null]"
    assert parse_yaml(text, "here") == [
        "010", "1:30", "0o17", "0x1F", "1_000", "2026-01-01", "2026-13-45", 12, -3, 4, 0, 1.0, 0.5, 1.5e-3, "1e-4",
        ".inf", None, None,
    ]  # fmt: skip
    file = tmp_path / "mine.yaml"
    file.write_text("dataset: digits\ntitle: 2026-01-01\nrecipe: {seed: 010, lr: 1e-4}\n")
    study = load_study(str(file))
    assert (study.title, study.recipe["seed"], study.recipe["lr"]) == ("2026-01-01", (10,), (1e-4,))
    file.write_text("dataset: digits\nrecipe: {epochs: 1:30}\n")
    with pytest.raises(UserError, match=r"epochs: '1:30' is not a number"):
        load_study(str(file))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\n\tb: 2\n", ", line 2, column 1: not valid YAML: a tab .*; indent with spaces"),
        (b"a: 1\nb: x: y\n", ", line 2, column 5: .*needs quotes"),
        (b"a: {b: 1\n", ", line 2, column 1: not valid YAML: expected ',' or '}'"),
        ("größe: 1\nfarbe: gr\xfcn\n".encode("latin-1"), ", line 1: byte 0xf6 is not UTF-8; save"),
        (b"a: 1\nb: \xfc\n", ", line 2: byte 0xfc is not UTF-8"),
        (b"[" * 5000, "nested too deeply"),
        (b"? [1, 2]\n: 3\n", "unhashable key"),
        (b"a: !!python/object/apply:os.system [x]\n", "could not determine a constructor"),
        (b"a: *nowhere\n", ", line 1, column 4: .*undefined alias"),
        (b"a: 1\n--- \nb: 1\n", "expected a single document"),
        (b"a: !!int x\n", "not valid YAML: invalid literal for int"),
        (b'a: "C:\\Users\\me"\n', ", line 1, .*write the path with / or in single quotes"),
        (b"a: \x07\n", "not valid YAML: .*special characters are not allowed"),
    ],
)
def test_a_text_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path, content: bytes, words: str) -> None:
    import re

    message = refusal(tmp_path, content)
    assert re.search(words, message), message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends_of_other_systems_are_read(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(f"title: Größe 猫{end}recipe:{end}  lr: 1e-4{end}".encode(encoding))
    assert read_yaml(file) == {"title": "Größe 猫", "recipe": {"lr": "1e-4"}}


def test_a_study_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UserError, match=r"folder.yaml cannot be read: Is a directory"):
        read_yaml(tmp_path / "folder.yaml")
