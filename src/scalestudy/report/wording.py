"""How numbers, durations and lists are written, everywhere: sentences, tables, figures, terminal. No markup here.

Proportions come in [0, 1]. A name with `bare` leaves out the unit, for a cell or an axis whose head has it.
Minus signs are U+2212, a number that rounds to zero has no sign, and None is a dash.
"""

import math
import unicodedata
from collections.abc import Sequence

MISSING = "–"
MINUS = "\u2212"
_NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a proportion in per cent: 0.6234 -> `62.3 %`."""
    return MISSING if share is None else f"{bare_percent(share, digits)} %"


def bare_percent(share: float | None, digits: int = 1) -> str:
    """Return a proportion in per cent without the unit: 0.6234 -> `62.3`."""
    return MISSING if share is None else decimal(100 * share, digits)


def bare_percent_range(low: float, high: float, digits: int = 1) -> str:
    """Return an interval of proportions in per cent without the unit: `61.3 to 63.3`."""
    return f"{bare_percent(low, digits)} to {bare_percent(high, digits)}"


def points(difference: float) -> str:
    """Return the size of a difference of proportions, without its sign: -0.031 -> `3.1 points`."""
    size = decimal(abs(100 * difference), 1)
    return f"{size} point" if size == "1.0" else f"{size} points"


def signed_points(difference: float) -> str:
    """Return a difference of proportions with its sign: 0.031 -> `+3.1 points`."""
    return f"{bare_points(difference)} points"


def bare_points(difference: float | None, digits: int = 1) -> str:
    """Return a difference of proportions in percentage points with its sign, without the unit: `+3.1`."""
    return MISSING if difference is None else signed(100 * difference, digits)


def point_range(low: float, high: float) -> str:
    """Return an interval of differences without the unit, in a sentence that gave the direction: `2.2 to 4.0`."""
    return f"{decimal(100 * low, 1)} to {decimal(100 * high, 1)}"


def bare_point_range(low: float, high: float, digits: int = 1) -> str:
    """Return an interval of differences with signs, for a cell: `+2.2 to +4.0`."""
    return f"{bare_points(low, digits)} to {bare_points(high, digits)}"


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number with so many decimals: -1.23456 -> `−1.235`."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if not text.startswith("-"):
        return text
    return text[1:] if float(text) == 0 else MINUS + text[1:]


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign and so many decimals: `+1.2`; none where it rounds to zero."""
    text = decimal(value, digits)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def p_value(value: float) -> str:
    """Return a p value: `p = 0.032`, `p < 0.001`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def count(number: float | None) -> str:
    """Return a whole number with thousands separators: 3125 -> `3,125`."""
    return MISSING if number is None else f"{round(number):,}"


def short_count(number: float) -> str:
    """Return a count for a tick or a label: 11181642 -> `11.2 M`, 3125 -> `3,125`."""
    if number >= 999.5e6:  # 1e+03 M otherwise
        return f"{number / 1e9:.3g} G"
    return f"{number / 1e6:.3g} M" if number >= 1e6 else count(number)


def rounded(number: float, digits: int = 2) -> int:
    """Return a positive number rounded to `digits` significant digits, for an estimate in a sentence."""
    if number <= 0:
        return 0
    return int(round(number, digits - 1 - math.floor(math.log10(number))))


def rate(value: float | None) -> str:
    """Return images per second or megabytes: whole from ten up, one decimal below."""
    return MISSING if value is None else (f"{value:,.0f}" if value >= 10 else f"{value:.1f}")


def operations(gmacs: float | None) -> str:
    """Return multiply-adds, given in 10^9: `820 G`, `12.3 T`, `1,330 T`."""
    if gmacs is None:
        return MISSING
    number, unit = (gmacs, "G") if gmacs < 1e3 else (gmacs / 1e3, "T")
    return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"


def duration(seconds: float | None) -> str:
    """Return a duration: `0.8 s`, `95 s`, `3.3 min`, `25 min`, `2 h 5 min`."""
    if seconds is None:
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if seconds < 597:
        return f"{seconds / 60:.1f} min".replace(".0 ", " ")
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60:,} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def number_word(number: int) -> str:
    """Return small numbers as words (`three`), others as digits."""
    return _NUMBERS[number] if 0 <= number < len(_NUMBERS) else count(number)


def counted(number: int, noun: str, several: str = "") -> str:
    """Return a count with its noun: `1 run`, `1,200 runs`."""
    return f"{count(number)} {noun if number == 1 else several or noun + 's'}"


def runs_counted(number: int, planned: int | None = None) -> str:
    """Return the number of runs behind a number: `n = 3`, `n = 2 of 3` where runs are missing."""
    return f"n = {number}" + (f" of {planned}" if planned not in (None, number) else "")


def fraction(name: str) -> str:
    """Return a fraction of the training set as a reader says it: `1/16`, `all`."""
    return "all" if name == "1" else name


def listing(words: Sequence[str], conjunction: str = "and") -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def few(names: Sequence[str], most: int = 12) -> list[str]:
    """Return the first names, and as the last entry how many more there are."""
    more = len(names) - most
    return list(names) if more <= 1 else [*names[:most], f"and {more:,} more"]


def capitalised(text: str) -> str:
    """Return `text` with its first letter as a capital, the rest as it is; an identifier stays as it is spelt."""
    return text if "_" in text.partition(" ")[0] else text[:1].upper() + text[1:]


def within(title: str) -> str:
    """Return a title as it stands within a sentence: `The full recipe` is `the full recipe`, names stay as they are."""
    first, _, rest = title.partition(" ")
    return f"{first.lower()} {rest}" if first in ("The", "A", "An", "With", "Without") else title


def sentence(text: str) -> str:
    """Return `text` with a capital first letter and a full stop."""
    text = text.strip()
    return capitalised(text) + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def short_label(title: str, key: str, most: int = 18) -> str:
    """Return the title of a thing for a figure, or its shorter key where the title would crowd the figure."""
    return title if width(title) <= most or width(key) >= width(title) else key


def width(text: str) -> int:
    """Return how many columns `text` takes, wide letters (CJK) counted twice."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
