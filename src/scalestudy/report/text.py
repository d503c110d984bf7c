"""How numbers, names and times are written in the report: one function per kind, used by figures, tables and pages."""

import re
import unicodedata
from collections.abc import Sequence

MISSING = "–"
MINUS = "\u2212"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a proportion as per cent without the sign: 0.6234 -> `62.3`; a dash for None."""
    return MISSING if value is None else signed_zero(f"{100 * value:.{digits}f}")


def points(value: float | None, digits: int = 1) -> str:
    """Return a difference of proportions in percentage points, with its sign: 0.031 -> `+3.1`."""
    if value is None:
        return MISSING
    text = f"{100 * value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def signed_zero(text: str) -> str:
    """Return `text` with a proper minus sign, and without one where the number is zero."""
    if text.startswith("-"):
        return text[1:] if float(text) == 0 else MINUS + text[1:]
    return text


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return an interval of proportions in per cent, `61.3 to 63.3`, or nothing where there is none."""
    return "" if low is None or high is None else f"{percent(low, digits)} to {percent(high, digits)}"


def count(value: float | None) -> str:
    """Return a whole number with thousands separators: 3125 -> `3,125`; a dash for None."""
    return MISSING if value is None else f"{round(value):,}"


def short_count(value: float) -> str:
    """Return a count for a tick or a label: 11181642 -> `11.2 M`, 3125 -> `3,125`."""
    if value >= 1e9:
        return f"{value / 1e9:.3g} G"
    return f"{value / 1e6:.3g} M" if value >= 1e6 else count(value)


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a plain decimal: 1.23456 -> `1.235`; a dash for None."""
    return MISSING if value is None else signed_zero(f"{value:.{digits}f}")


def rate(value: float | None) -> str:
    """Return images per second or megabytes: whole from ten up, one decimal below."""
    return MISSING if value is None else (f"{value:,.0f}" if value >= 10 else f"{value:.1f}")


def seconds(value: float | None) -> str:
    """Return a duration for people: `0.8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if value is None:
        return MISSING
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(value / 60)
    return f"{minutes // 60:,} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def plural(number: int, noun: str, several: str = "") -> str:
    """Return `1 run`, `2 runs`, `1,200 runs`."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def listed(words: Sequence[str], conjunction: str = "and") -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def few(names: Sequence[str], most: int = 12) -> list[str]:
    """Return the names for a tooltip: the first ones, and how many more there are."""
    more = len(names) - most
    return list(names) if more <= 1 else [*names[:most], f"and {more:,} more"]


def sentence(text: str) -> str:
    """Return `text` with a capital first letter, a full stop, and proper minus signs."""
    text = re.sub(r"(?<![\w.)-])-(?=\d)", MINUS, text.strip())
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def anchor(text: str) -> str:
    """Return `text` as an id for a deep link: letters and digits of any script, the rest as hyphens.

    Different texts of plain letters, digits, `_`, `.` and `-` keep different ids.
    """
    return re.sub(r"[^\w.-]+", "-", text).strip("-") or "x"


def short_label(title: str, key: str, most: int = 18) -> str:
    """Return the title of a thing for a figure, or its shorter key where the title would crowd the figure."""
    return title if width(title) <= most or width(key) >= width(title) else key


def width(text: str) -> int:
    """Return how many columns `text` takes, wide letters (CJK) counted twice."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def markdown(text: object) -> str:
    """Return plain text escaped for Markdown (a table's cell included): it shows as it is and is no markup.

    `&` and `<` become entities; line ends become spaces, because a table's row is one line.
    """
    plain = " ".join(str(text).split())
    plain = _MARKDOWN.sub(r"\\\1", plain.replace("&", "&amp;"))
    plain = plain.replace("\\<", "&lt;").replace("\\>", "&gt;")
    return re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", re.sub(r"^([-+])(?=\s)", r"\\\1", plain))


def prose_pieces(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a sentence, each with whether it stands between backticks, as a command or a key does."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a lone backtick belongs to a name
        return [(text, False)]
    return [(piece, place % 2 == 1) for place, piece in enumerate(pieces) if piece]


def prose_markdown(text: str) -> str:
    """Return a sentence escaped for Markdown, what stands between backticks as code."""
    pieces = prose_pieces(text)
    return "".join(code(words) if is_code else _spaced(words) for words, is_code in pieces)


def _spaced(words: str) -> str:
    """Return words escaped for Markdown with the blanks at their ends, which `markdown` takes off."""
    inner = markdown(words)
    before, after = " " * words[:1].isspace(), " " * words[-1:].isspace()
    return before + inner + after if inner else " "


def code(text: object) -> str:
    """Return Markdown for a piece of code: as many backticks as it takes, `|` kept out of a table's way."""
    plain = " ".join(str(text).split())
    ticks = "`"
    while ticks in plain:
        ticks += "`"
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{ticks}{pad}{plain}{pad}{ticks}".replace("|", "\\|")


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MINUS: r"$-$",
    MISSING: "--",
    "×": r"$\times$",
    "★": r"$\star$",
    "▲": r"$\uparrow$",
    "▼": r"$\downarrow$",
    "→": r"$\to$",
}


def latex(text: object) -> str:
    """Return plain text escaped for LaTeX."""
    return "".join(_LATEX.get(letter, letter) for letter in str(text))
