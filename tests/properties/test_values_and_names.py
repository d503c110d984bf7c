"""Any value, written as a name, a flag or a cell of a table, is read back as the same value."""

import json
import math
import re
import shlex
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalestudy.study.names import fraction_label, run_name, safe_name, short_hash, slug
from scalestudy.study.parse import (
    format_fraction,
    format_number,
    parse_boolean,
    parse_fraction,
    parse_integer,
    parse_number,
)
from scalestudy.study.settings import RunSettings
from scalestudy.workflow.commands import settings_flags

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SHARES = st.fractions(min_value=0, max_value=1, max_denominator=10**6).filter(bool)
SETTINGS = st.builds(
    RunSettings,
    model=st.sampled_from(["resnet18", "vit_b_16"]),
    init=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    fraction=SHARES,
    seed=st.integers(0, 2**31),
    subset_seed=st.integers(0, 2**31),
    lr=st.floats(1e-300, 1e300, exclude_min=True),
    batch_size=st.integers(1, 10**6),
    epochs=st.integers(1, 10**5),
    steps=st.none() | st.integers(1, 10**9),
    dropout=st.floats(0, 1, exclude_max=True),
    weight_decay=st.floats(0, 1e6),
    nesterov=st.booleans(),
)


def value_or_message(parse: Callable[[Any], Any], value: Any) -> tuple[Any, str]:
    """Return what a parser makes of a value, or the words of its ValueError."""
    try:
        return parse(value), ""
    except ValueError as error:
        return None, str(error)


@given(NUMBERS)
def test_a_number_s_text_is_read_back_as_the_same_number(value: float) -> None:
    text = format_number(value)
    assert parse_number(text) == value
    assert parse_number(value) == value
    assert float(text) == value  # and by every other program
    assert re.fullmatch(r"-?[\d.]+(e-?\d+)?", text), "safe in a path"


@given(NUMBERS)
def test_one_number_has_one_text_however_it_was_written(value: float) -> None:
    for written in (repr(value), f"{value:.17e}", f"  {value!r} ", str(value).upper()):
        assert format_number(parse_number(written)) == format_number(value)


@given(st.integers(-(10**15), 10**15))
def test_a_whole_number_is_whole_in_each_of_its_forms(value: int) -> None:
    for written in (value, str(value), float(value), f"{value}.0", f"{value}e0"):
        assert parse_integer(written) == value


@given(SHARES)
def test_a_fraction_s_text_and_label_are_read_back_exactly(value: Fraction) -> None:
    assert parse_fraction(format_fraction(value)) == value
    over, _, under = fraction_label(value).removeprefix("f").partition("of")
    assert Fraction(int(over), int(under or 1)) == value


@given(st.integers(1, 6).flatmap(lambda digits: st.integers(1, 10**digits).map(lambda n: (n, digits))))
def test_a_decimal_fraction_is_exact_and_not_its_binary_neighbour(written: tuple[int, int]) -> None:
    number, digits = written
    text = f"{number / 10**digits:.{digits}f}"
    assert parse_fraction(text) == parse_fraction(float(text)) == Fraction(number, 10**digits)


@given(st.one_of(st.text(), st.none(), st.lists(st.integers()), st.booleans(), st.complex_numbers()))
def test_what_is_no_number_raises_value_error_and_nothing_else(value: Any) -> None:
    for parse in (parse_number, parse_integer, parse_fraction, parse_boolean):
        result, message = value_or_message(parse, value)
        assert "\n" not in message
        assert message or isinstance(result, bool) or math.isfinite(result)


@given(SETTINGS)
def test_settings_are_read_back_from_their_command_line_and_from_their_record(settings: RunSettings) -> None:
    words = shlex.split(shlex.join(map(str, settings_flags(settings))))
    flags = {
        key.removeprefix("--").replace("-", "_"): value
        for key, value in zip(words[::2], words[1::2], strict=True)
    }
    assert RunSettings.model_validate(flags) == settings
    assert RunSettings.model_validate(json.loads(settings.model_dump_json())) == settings


@given(SETTINGS, SETTINGS)
def test_two_runs_have_one_name_only_where_they_are_one_run(one: RunSettings, other: RunSettings) -> None:
    names = [run_name(each, "digits-32px-0a1b2c3d", None, "imagenet") for each in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    again = RunSettings.model_validate(one.model_dump(mode="json"))
    assert run_name(again, "digits-32px-0a1b2c3d", None, "imagenet") == names[0]


@given(SETTINGS)
def test_a_run_s_name_is_one_part_of_a_path_and_tells_fraction_and_learning_rate(
    settings: RunSettings,
) -> None:
    name = run_name(settings, "digits-32px-0a1b2c3d", None, "imagenet")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name)
    assert len(name.encode()) < 200
    found = re.search(r"_f(\d+)(?:of(\d+))?_[a-z]+_lr(\S+?)_b(\d+)_s(\d+)-[0-9a-f]{8}$", name)
    assert found is not None
    assert Fraction(int(found[1]), int(found[2] or 1)) == settings.fraction
    assert parse_number(found[3]) == settings.lr
    assert (int(found[4]), int(found[5])) == (settings.batch_size, settings.seed)


@given(st.text())
def test_any_text_makes_a_slug_that_is_one_part_of_a_path(text: str) -> None:
    made = slug(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", made)
    assert made not in (".", "..")
    assert slug(made) == made


@given(st.text(max_size=80))
def test_a_name_is_refused_or_harmless(text: str) -> None:
    name, message = value_or_message(safe_name, text)
    assert "\n" not in message
    if message:
        return
    assert safe_name(name) == name
    assert len(name.encode()) <= 255
    assert not set(name) & set("/\\\0 <>:\"'|?*{}$`;&()!#~%\n\r\t")
    assert name not in (".", "..")
    assert not name.startswith(("-", "."))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.dictionaries(st.text(), each)
    )
)
def test_a_hash_does_not_depend_on_the_order_of_keys(value: Any) -> None:
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert short_hash(turned) == short_hash(value)
    assert re.fullmatch(r"[0-9a-f]{8}", short_hash(value))


@pytest.mark.parametrize("text", ["1e400", "-1e400", "nan", "inf", "0x10", "1_000", "1e--4", ""])
def test_what_only_looks_like_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_number(text)
