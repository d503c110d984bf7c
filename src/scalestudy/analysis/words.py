"""Numbers and lists as they are written in sentences and table cells."""

import math
from collections.abc import Sequence

_NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)


def percent(share: float, digits: int = 1) -> str:
    """Return a proportion in [0, 1] as per cent: `62.3 %`."""
    return f"{_fixed(100 * share, digits)} %"


def points(difference: float) -> str:
    """Return the size of a difference of proportions in percentage points, without its sign: `3.1 points`."""
    text = _fixed(abs(100 * difference), 1)
    return f"{text} point" if text == "1.0" else f"{text} points"


def signed_points(difference: float) -> str:
    """Return a difference of proportions with its sign: `+3.1 points`."""
    text = _fixed(100 * difference, 1)
    sign = "" if text.startswith("-") or float(text) == 0 else "+"
    return f"{sign}{text} points"


def point_range(low: float, high: float) -> str:
    """Return an interval of percentage points without unit: `2.2 to 4.0`."""
    return f"{_fixed(100 * low, 1)} to {_fixed(100 * high, 1)}"


def share_range(low: float, high: float) -> str:
    """Return an interval of proportions in per cent: `61.3 to 63.3 %`."""
    return f"{point_range(low, high)} %"


def thousands(number: float) -> str:
    """Return a whole number with thousands separators: `50,000`."""
    return f"{round(number):,}"


def rounded(number: float, digits: int = 2) -> int:
    """Return a positive number rounded to `digits` significant digits, for an estimate in a sentence."""
    if number <= 0:
        return 0
    return round(number, digits - 1 - math.floor(math.log10(number)))  # type: ignore[return-value]


def number_word(count: int) -> str:
    """Return small numbers as words (`three`), others as digits."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else thousands(count)


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: `1 run`, `3 runs`."""
    return f"{thousands(count)} {noun if count == 1 else plural or noun + 's'}"


def listing(items: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def capitalised(text: str) -> str:
    """Return `text` with its first letter as a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def _fixed(value: float, digits: int) -> str:
    """Return `value` with a fixed number of decimals, never `-0.0`."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text
