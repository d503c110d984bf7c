"""A dataset's settings: each belongs to its source, every mistake is one clear line."""

import json
import re
import subprocess
import sys
from fractions import Fraction

import pytest
from pydantic import ValidationError

from scalestudy.study.config import describe
from scalestudy.study.dataset import SETTINGS_OF, SOURCES, DatasetSettings, identity
from scalestudy.study.names import dataset_name
from scalestudy.workflow.commands import prepare_command
from scalestudy.workflow.study_record import dataset_title


def fault(**values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        DatasetSettings.model_validate(values)
    lines = describe(caught.value, DatasetSettings)
    assert len(lines) == 1, lines
    return lines[0]


def test_a_source_fills_in_its_own_defaults_and_leaves_the_others_empty() -> None:
    digits = DatasetSettings(source="digits")
    assert (digits.test_fraction, digits.split_seed) == (Fraction(1, 5), 0)
    assert (digits.mirror, digits.train_images, digits.background) == (None, None, None)
    assert DatasetSettings(source="glyphs").train_images == 8_000
    assert DatasetSettings(source="cifar10").download_timeout == 600


@pytest.mark.parametrize("source", SOURCES)
def test_settings_survive_json_and_back(source: str) -> None:
    values = {"source": source} | ({"folder": "imgs"} if source == "imagefolder" else {})
    settings = DatasetSettings.model_validate(values)
    assert DatasetSettings.model_validate(settings.model_dump()) == settings
    assert DatasetSettings.model_validate(json.loads(settings.model_dump_json())) == settings


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"source": "digit"}, "source: 'digit' is not one of digits, glyphs, .*did you mean 'digits'"),
        (
            {"source": "digits", "mirror": "http://x/y"},
            "mirror does not belong to the source digits, which takes",
        ),
        ({"source": "cifar10", "folder": "x"}, "folder does not belong to the source cifar10"),
        ({"source": "glyphs", "test_fraction": "1/5"}, "test_fraction does not belong to the source glyphs"),
        ({"source": "imagefolder"}, "the source imagefolder needs `folder`"),
        ({"source": "digits", "test_fraction": "1"}, "test_fraction: .*less than 1"),
        ({"source": "digits", "test_fraction": "1e--4"}, "test_fraction: '1e--4' is not a fraction"),
        ({"source": "digits", "split_seed": "1.5"}, "split_seed: '1.5' is not a whole number"),
        ({"source": "digits", "split_seed": -1}, "split_seed: -1: .*greater than or equal to 0"),
        ({"source": "cifar10", "mirror": "ftp://x"}, "mirror: 'ftp://x' is not a URL that starts with http"),
        ({"source": "cifar10", "download_timeout": 0}, "download_timeout: .*greater than 0"),
        (
            {"source": "imagefolder", "folder": "x", "background": "red"},
            "'red' is not a colour such as #ffffff",
        ),
        ({"source": "imagefolder", "folder": "x", "background": None}, "background is empty: .* in quotes"),
        ({"source": "imagefolder", "folder": "x", "bad_file": "skip"}, "unknown key .*'bad_files'"),
        ({"source": "imagefolder", "folder": "x", "bad_files": "ski"}, "not one of stop, skip"),
        ({"source": "imagefolder", "folder": "x\udcff"}, "not a path in UTF-8"),
    ],
)
def test_a_mistake_is_one_clear_line(values: dict[str, object], line: str) -> None:
    assert re.search(line, fault(**values)), fault(**values)


def test_numbers_may_be_text_as_yaml_and_the_command_line_give_them() -> None:
    settings = DatasetSettings.model_validate(
        {"source": "digits", "test_fraction": "0.10", "split_seed": "3", "num_classes": "10"}
    )
    assert (settings.test_fraction, settings.split_seed, settings.num_classes) == (Fraction(1, 10), 3, 10)


def test_what_only_says_how_to_get_the_data_is_no_part_of_its_identity() -> None:
    plain = DatasetSettings(source="cifar10")
    reached = DatasetSettings(
        source="cifar10", mirror="http://x/y.tgz", archive="/z.tgz", download_timeout=3, num_classes=10
    )
    assert identity(plain) == identity(reached) == {"source": "cifar10"}


def test_a_title_is_the_reports_affair_alone() -> None:
    values = {"source": "imagefolder", "folder": "imgs"}
    plain, titled = (
        DatasetSettings.model_validate(each)
        for each in (values, {**values, "title": "CIFAR-10 (JPEG files)"})
    )
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
    for key in SETTINGS_OF[source]:
        changed = DatasetSettings.model_validate({**base, key: other[key]})
        assert identity(changed) != identity(DatasetSettings.model_validate(base)), key


def test_equal_values_written_differently_have_one_identity() -> None:
    written = [
        DatasetSettings.model_validate(
            {"source": "imagefolder", "folder": "x", "test_fraction": f, "background": c}
        )
        for f, c in (("0.2", "#FFffFF"), ("1/5", "#ffffff"), (0.20, "#FFFFFF"))
    ]
    assert len({json.dumps(identity(each)) for each in written}) == 1


def test_a_path_that_a_c_locale_escaped_is_read_as_utf8() -> None:
    escaped = "imgs/é".encode().decode("ascii", "surrogateescape")
    assert DatasetSettings(source="imagefolder", folder=escaped).folder == "imgs/é"


def test_reading_settings_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, scalestudy.study.dataset; "
        "print([m for m in ('torch', 'torchvision', 'numpy', 'PIL', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
