"""A dataset's settings: each belongs to its source, every mistake is one clear line."""

import json
import re
import subprocess
import sys
from fractions import Fraction

import pytest
from pydantic import ValidationError

from scalestudy.study.dataset import SOURCES, Cifar, DatasetSettings, Digits, ImageFolder, parse_dataset
from scalestudy.study.faults import describe
from scalestudy.study.names import dataset_name
from scalestudy.workflow.commands import prepare_command
from scalestudy.workflow.study_record import dataset_title


def fault(**values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        parse_dataset(values)
    lines = describe(caught.value, DatasetSettings)
    assert len(lines) == 1, lines
    return lines[0]


def test_a_source_has_its_own_settings_with_their_defaults_and_no_others() -> None:
    digits = parse_dataset("digits")
    assert isinstance(digits, Digits)
    assert (digits.test_fraction, digits.split_seed) == (Fraction(1, 5), 0)
    assert not hasattr(digits, "mirror")
    assert parse_dataset({"source": "glyphs"}).known_sizes() == (8_000, 1_000)
    assert parse_dataset({"source": "cifar10", "archive": None}) == Cifar(source="cifar10")
    assert Cifar(source="cifar100").download_timeout == 600


def test_stores_keep_their_names_from_version_to_version() -> None:
    folder = {"source": "imagefolder", "folder": "imgs"}
    assert [
        dataset_name(parse_dataset(each), 32)
        for each in (
            "digits",
            {"source": "digits", "test_fraction": "1/4", "split_seed": 3},
            "glyphs",
            {"source": "glyphs", "train_images": 5},
            "cifar10",
            {"source": "cifar100", "mirror": "http://x/y"},
            folder,
            {**folder, "title": "x", "bad_files": "skip", "background": "#FF0000"},
        )
    ] == [
        "digits-32px-42248760",
        "digits-32px-b878fa44",
        "glyphs-32px-60c941e2",
        "glyphs-32px-937cefec",
        "cifar10-32px-2f403c2e",
        "cifar100-32px-bc598ad2",
        "imagefolder-32px-64d2820e",
        "imagefolder-32px-bcade029",
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_settings_survive_json_and_back(source: str) -> None:
    needed = {
        "imagefolder": {"folder": "imgs"},
        "torchvision": {"name": "EMNIST", "options": {"split": "letters"}},
        "huggingface": {"name": "user/flowers"},
    }
    settings = parse_dataset({"source": source, **needed.get(source, {})})
    assert parse_dataset(settings.model_dump()) == settings
    assert parse_dataset(json.loads(settings.model_dump_json())) == settings


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"source": "digit"}, "source: 'digit' is not one of digits, glyphs, .*did you mean 'digits'"),
        (
            {"source": "digits", "mirror": "http://x/y"},
            "^mirror: unknown key; the keys of source digits are source, title, num_classes, test_fraction, ",
        ),
        ({"source": "cifar10", "folder": "x"}, "^folder: unknown key; .*archive"),
        ({"source": "glyphs", "test_fraction": "1/5"}, "^test_fraction: unknown key; .*train_images"),
        ({"source": "imagefolder"}, "^folder: this key is needed: The folder that holds train/"),
        ({"source": "imagefolder", "folder": ""}, "^folder: it is empty; write a value$"),
        ({}, "^source: this key is needed"),
        (
            {"source": "torchvision", "name": "food101"},
            "^name: 'food101' is no .* \\(did you mean 'Food101'\\?\\)",
        ),
        ({"source": "torchvision"}, "^name: this key is needed: One of CLEVRClassification, "),
        ({"source": ["digits"]}, "^source: .* is not one of digits"),
        ({"source": "digits", "test_fraction": "1"}, "test_fraction: .*less than 1"),
        ({"source": "digits", "test_fraction": "1e--4"}, "test_fraction: '1e--4' is not a fraction"),
        ({"source": "digits", "split_seed": "1.5"}, "split_seed: '1.5' is not a whole number"),
        ({"source": "digits", "split_seed": -1}, "split_seed: -1 must be greater than or equal to 0"),
        ({"source": "cifar10", "mirror": "ftp://x"}, "mirror: 'ftp://x' is not a URL that starts with http"),
        ({"source": "cifar10", "download_timeout": 0}, "download_timeout: .*greater than 0"),
        (
            {"source": "imagefolder", "folder": "x", "background": "red"},
            "'red' is not a colour such as #ffffff",
        ),
        ({"source": "imagefolder", "folder": "x", "background": None}, "background is empty: .* in quotes"),
        (
            {"source": "imagefolder", "folder": "x", "bad_file": "skip"},
            "unknown key .*'bad_files'.*; .*background",
        ),
        (
            {"source": "imagefolder", "folder": "x", "test_fraction": 1},
            "^test_fraction: 1 must be less than 1",
        ),
        ({"source": "imagefolder", "folder": "x", "bad_files": "ski"}, "not one of stop, skip"),
        ({"source": "imagefolder", "folder": "x\udcff"}, "not a path in UTF-8"),
    ],
)
def test_a_mistake_is_one_clear_line(values: dict[str, object], line: str) -> None:
    assert re.search(line, fault(**values)), fault(**values)


@pytest.mark.parametrize("value", ["imgs/pets", "./imgs", "~/imgs", "C:\\\\imgs", "."])
def test_a_folder_in_the_place_of_a_name_is_told_how_to_be_used(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_dataset(value)
    (line,) = describe(caught.value, DatasetSettings)
    assert f"{{source: imagefolder, folder: {value}}}" in line


def test_numbers_may_be_text_as_yaml_and_the_command_line_give_them() -> None:
    settings = parse_dataset(
        {"source": "digits", "test_fraction": "0.10", "split_seed": "3", "num_classes": "10"}
    )
    assert (settings.test_fraction, settings.split_seed, settings.num_classes) == (Fraction(1, 10), 3, 10)


def test_what_only_says_how_to_get_the_data_is_no_part_of_its_identity() -> None:
    plain = parse_dataset("cifar10")
    reached = parse_dataset(
        {
            "source": "cifar10",
            "mirror": "http://x/y.tgz",
            "archive": "/z.tgz",
            "download_timeout": 3,
            "num_classes": 10,
        }
    )
    assert plain.identity() == reached.identity() == {"source": "cifar10"}


def test_a_title_is_the_reports_affair_alone() -> None:
    values = {"source": "imagefolder", "folder": "imgs"}
    plain, titled = (parse_dataset(each) for each in (values, {**values, "title": "CIFAR-10 (JPEG files)"}))
    assert dataset_name(plain, 32) == dataset_name(titled, 32)
    assert prepare_command(plain, "x", 32) == prepare_command(titled, "x", 32)
    assert (dataset_title(plain), dataset_title(titled)) == ("Image folder", "CIFAR-10 (JPEG files)")


@pytest.mark.parametrize("source", ["digits", "glyphs", "imagefolder"])
def test_every_setting_that_changes_the_content_changes_the_identity(source: str) -> None:
    base: dict[str, object] = {"source": source} | ({"folder": "imgs"} if source == "imagefolder" else {})
    other = {
        "folder": "others",
        "test_fraction": "1/4",
        "split_seed": 1,
        "bad_files": "skip",
        "empty_classes": "allow",
        "background": "#000000",
        "train_images": 5,
        "test_images": 5,
    }
    for key in set(SOURCES[source].model_fields) - {"source", "title", "num_classes"}:
        changed = parse_dataset({**base, key: other[key]})
        assert changed.identity() != parse_dataset(base).identity(), key


def test_equal_values_written_differently_have_one_identity() -> None:
    written = [
        parse_dataset({"source": "imagefolder", "folder": "x", "test_fraction": f, "background": c})
        for f, c in (("0.2", "#FFffFF"), ("1/5", "#ffffff"), (0.20, "#FFFFFF"))
    ]
    assert len({json.dumps(each.identity()) for each in written}) == 1


def test_a_path_that_a_c_locale_escaped_is_read_as_utf8() -> None:
    escaped = "imgs/é".encode().decode("ascii", "surrogateescape")
    assert ImageFolder(source="imagefolder", folder=escaped).folder == "imgs/é"


def test_reading_settings_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, scalestudy.study.dataset; "
        "print([m for m in ('torch', 'torchvision', 'numpy', 'PIL', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_dataset_of_torchvision_is_recognised_without_its_source() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_dataset("FashonMNIST")
    [line] = describe(caught.value, DatasetSettings)
    assert line.startswith(
        "'FashonMNIST' is no dataset that is known by its name (did you mean 'FashionMNIST'?)"
    )
    assert parse_dataset("FashionMNIST") == parse_dataset({"source": "torchvision", "name": "FashionMNIST"})
    assert parse_dataset("huggingface:a/b") == parse_dataset({"source": "huggingface", "name": "a/b"})
