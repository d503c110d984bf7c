"""The one parser of numbers, fractions and switches, wherever they come from.

YAML 1.1 reads `1e-4` as text and `1.0e-3` as a float, and `--config` guesses types in a third way. Every value
therefore passes through these functions, which accept a number or its text and return the same value for both.
They raise ValueError with a message that names the value; the caller adds the key and the file.
"""

import math
import re
from decimal import Decimal
from fractions import Fraction

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_RATIO = re.compile(r"(\d+)\s*/\s*(\d+)")


def parse_number(value: object) -> float:
    """Return a finite float from an int, a float, or text such as `1e-4`; ValueError for anything else."""
    return float(_decimal(value))


def parse_integer(value: object) -> int:
    """Return an int from an int, a whole float, or text such as `32` or `1e3`; ValueError for anything else."""
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


def parse_fraction(value: object) -> Fraction:
    """Return the exact fraction that `1/16`, `0.10`, `0.1`, `1` or a float's shortest decimal form says."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str) and (ratio := _RATIO.fullmatch(value.strip())):
        if int(ratio[2]) == 0:
            raise ValueError(f"{value!r} divides by zero")
        return Fraction(int(ratio[1]), int(ratio[2]))
    try:
        number = _decimal(value)
        if abs(number.adjusted()) > 18:
            raise ValueError("no fraction of images that there could be")
        return Fraction(number)
    except ValueError:
        raise ValueError(f"{value!r} is not a fraction such as 1/16 or 0.5") from None


def parse_boolean(value: object) -> bool:
    """Return the switch that a bool or the text `true`/`false` (any case) says; ValueError for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError(f"{value!r} is neither true nor false")


def _decimal(value: object) -> Decimal:
    """Return the exact decimal that a person would write for `value`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if not _NUMBER.fullmatch(text):
        comma = "; write a point and no comma" if re.fullmatch(r"[+-]?\d+,\d+", text) else ""
        raise ValueError(f"{value!r} is not a number{comma}")
    if not math.isfinite(float(text)):
        raise ValueError(f"{value!r} is too large for a number")
    return Decimal(text)


def format_number(value: float) -> str:
    """Return the one canonical text of a number, the shortest that reads back as the same float.

    Whole numbers and numbers from 0.01 up are plain (`256`, `0.2`), others are scientific (`1e-3`, `2.5e-4`).
    """
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    power = len(text) - 1 + exponent
    minus = "-" if sign else ""
    if -2 <= power < 6:
        return minus + format(Decimal((0, digits, exponent)), "f")
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{minus}{mantissa}e{power}"


def format_fraction(value: Fraction) -> str:
    """Return `1/16`, or `1` for a whole: the text that `parse_fraction` reads back exactly."""
    return str(value)
