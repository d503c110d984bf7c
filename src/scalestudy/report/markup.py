"""Plain words made fit for the page: ids, Markdown, LaTeX, and code between backticks."""

import re

from scalestudy.report.wording import MINUS, MISSING


def anchor(text: str) -> str:
    """Return `text` as an id for a deep link: letters and digits of any script, the rest as hyphens."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-") or "x"


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def markdown(text: object) -> str:
    """Return plain text escaped for Markdown (a table's cell included): it shows as it is and is no markup.

    `&` and `<` become entities; line ends become spaces, because a table's row is one line.
    """
    plain = " ".join(str(text).split())
    plain = _MARKDOWN.sub(r"\\\1", plain.replace("&", "&amp;"))
    plain = plain.replace("\\<", "&lt;").replace("\\>", "&gt;")
    plain = re.sub(r"^([-+])(?=\s|[-\s]*$)", r"\\\1", plain)  # no list and no rule
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", plain)


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
    "¹": r"\textsuperscript{1}",
    "²": r"\textsuperscript{2}",
    "⁹": r"\textsuperscript{9}",
    "[": "{[}",  # after the end of a line, these two would be taken for its arguments
    "]": "{]}",
    "*": "{*}",
}


def latex(text: object) -> str:
    """Return plain text escaped for LaTeX; line ends become spaces, because an empty line ends a command's argument."""
    return "".join(_LATEX.get(letter, " " if letter.isspace() else letter) for letter in str(text))
