"""One parser for every number, whether it comes from YAML or from the command line."""

import math
from fractions import Fraction

import pytest

from scalestudy.study.parse import (
    format_fraction,
    format_number,
    parse_boolean,
    parse_fraction,
    parse_integer,
    parse_number,
)


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "0.0001", 1e-4, "1E-4", " 1e-4 "])
def test_every_spelling_of_a_number_is_the_same_number_and_the_same_text(text: object) -> None:
    assert parse_number(text) == 1e-4
    assert format_number(parse_number(text)) == "1e-4"


@pytest.mark.parametrize(
    "value", [1e-3, 2.5e-4, 0.1, 0.2, 1 / 3, 256.0, 5e-324, 1.7e308, 123456789.5, -0.25, 0.0]
)
def test_the_text_of_a_number_reads_back_as_the_very_same_number(value: float) -> None:
    assert parse_number(format_number(value)) == value


@pytest.mark.parametrize(
    "junk", ["1e--4", "", "abc", "1_000", "nan", "inf", True, None, [1], math.nan, "1e999"]
)
def test_junk_is_no_number(junk: object) -> None:
    with pytest.raises(ValueError, match=r"not a|too large"):
        parse_number(junk)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1/16", Fraction(1, 16)),
        ("0.10", Fraction(1, 10)),
        (0.1, Fraction(1, 10)),
        (1, Fraction(1)),
        ("1.0", Fraction(1)),
    ],
)
def test_fractions_are_exact(value: object, expected: Fraction) -> None:
    assert parse_fraction(value) == expected
    assert parse_fraction(format_fraction(expected)) == expected


def test_a_fraction_that_divides_by_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="divides by zero"):
        parse_fraction("1/0")


def test_whole_numbers_may_be_spelt_in_any_way_but_must_be_whole() -> None:
    assert [parse_integer(value) for value in (32, 32.0, "32", "1e3")] == [32, 32, 32, 1000]
    with pytest.raises(ValueError, match="whole number"):
        parse_integer("1.5")


def test_the_text_false_never_counts_as_true() -> None:
    assert parse_boolean("false") is False
    assert parse_boolean("True") is True
    with pytest.raises(ValueError, match="neither true nor false"):
        parse_boolean("no")
