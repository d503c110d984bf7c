"""How long a page is to read: its body's words and its long sentences, as a reader without a ruler would count them."""

import re
from html.parser import HTMLParser
from pathlib import Path

MOST_WORDS = 2_000
MOST_IN_A_SENTENCE = 30
MOST_IN_AN_ANSWER = 25

# What is not read from top to bottom: drawings, tables, what is folded, navigation, code.
_ASIDE = {"style", "script", "svg", "table", "details", "nav", "pre", "footer", "dl"}
_PASSAGES = {"p", "li", "h1", "h2", "h3", "figcaption"}


class _Body(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.passages: list[str] = [""]
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _PASSAGES:
            self.passages.append("")
        if tag not in ("meta", "link", "input", "br", "img", "wbr", "path", "use", "circle", "rect", "image"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass
        if tag in _PASSAGES:
            self.passages.append("")

    def handle_data(self, data: str) -> None:
        if "body" in self._open and not _ASIDE & set(self._open):
            self.passages[-1] += data


def passages(page: Path) -> list[str]:
    """Return the body's paragraphs, points, headings and captions, in order; without tables and what is folded."""
    body = _Body()
    body.feed(page.read_text(encoding="utf-8"))
    return [words for each in body.passages if (words := " ".join(each.split()))]


def word_count(page: Path) -> int:
    """Return how many words the body has; a number or a name counts as one, a sign between blanks as none."""
    return sum(len(words(each)) for each in passages(page))


def words(passage: str) -> list[str]:
    """Return the words of a passage."""
    return [each for each in passage.split() if re.search(r"\w", each)]


def long_sentences(page: Path, most: int = MOST_IN_A_SENTENCE) -> list[str]:
    """Return the sentences of more than `most` words. One ends with `.`, `!` or `?` before a blank, or its passage."""
    sentences = [each for passage in passages(page) for each in re.split(r"(?<=[.!?])\s+(?=[^a-z])", passage)]
    return [each for each in sentences if len(words(each)) > most]
