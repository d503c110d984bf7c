"""Any text shows as itself in HTML, Markdown and LaTeX, and is markup in none of them."""

import re
import unicodedata
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from scalestudy.report import markup, render

# What YAML, file systems and CSV files can hold: all but half characters and control characters.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n"))
PIECES = r"""<script> </ <b &lt; & ' " ` `` * _ __ | \ ~~ $ % # { } ^ a 1. - + > --- *** http://x.y [x](javascript:1)
![ ]( <!-- \| {{7*7}} === : ```"""
HOSTILE = st.lists(st.sampled_from([*PIECES.split(), " ", "\n", "\n\n"]), max_size=8).map("".join)
ANY = TEXT | HOSTILE


class Shown(HTMLParser):
    """The text of a page as a reader sees it, its tags and the values of attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.values = "", list[str](), list[str | None]()
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]


def seen(text: str) -> str:
    """Return text as a page shows it: blanks and line ends are one space."""
    return " ".join(text.split())


@given(ANY)
def test_in_html_a_text_is_text_and_an_attribute_one_value(text: str) -> None:
    page = render.environment(render.templates()).from_string('<p title="{{ x }}">{{ x }}</p>').render(x=text)
    shown = Shown(page)
    assert shown.tags == ["p"]
    assert seen(shown.text) == seen(text)
    assert shown.values == [text]


@given(ANY)
def test_in_markdown_a_text_is_text_alone_in_a_sentence_and_in_a_cell(text: str) -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    escaped = markup.markdown(text)
    assert "\n" not in escaped
    if escaped.strip():
        alone = Shown(parser.render(f"Before {escaped} after"))
        assert alone.tags == ["p"]
        assert seen(alone.text) == seen(f"Before {text} after")
    table = Shown(parser.render(f"| a | b |\n|---|---|\n| {escaped} | last |\n"))
    assert table.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert seen(table.text) == seen(f"a b {text} last")


@given(ANY)
def test_at_the_start_of_a_line_a_text_is_no_list_no_heading_and_no_quotation(text: str) -> None:
    escaped = markup.markdown(text)
    shown = Shown(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(escaped))
    assert set(shown.tags) <= {"p"}
    assert seen(shown.text) == seen(text)


@given(ANY)
def test_code_in_markdown_is_code_and_nothing_else(text: str) -> None:
    if not seen(text):
        return
    written = markup.code(text).replace("\\|", "|")  # the bar is escaped for tables
    shown = Shown(MarkdownIt("commonmark").render(f"x {written} x"))
    assert shown.tags == ["p", "code"]
    assert seen(shown.text) == seen(f"x {text} x")


@given(ANY)
def test_a_sentence_with_names_between_backticks_shows_every_word(text: str) -> None:
    shown = Shown(MarkdownIt("commonmark").enable("strikethrough").render("x " + markup.prose_markdown(text)))
    assert set(shown.tags) <= {"p", "code"}
    assert re.sub(r"[\s`]", "", shown.text) == re.sub(r"[\s`]", "", "x" + text)
    pieces = markup.prose_pieces(text)
    assert "".join(words for words, _ in pieces).replace("`", "") == text.replace("`", "")


@given(ANY)
def test_in_latex_no_character_of_a_text_is_a_command(text: str) -> None:
    written = markup.latex(text)
    rest = re.sub(
        r"\\(?:textsuperscript\{\d\}|text[a-z]+\{\}|[&%$#_{}])|\$(?:-|\\[a-z]+)\$|\{[\[\]*]\}", "", written
    )
    assert not set(rest) & set("\\&%$#_{}~^")
    assert "\n" not in written  # an empty line ends the argument of a command


@given(ANY, ANY)
def test_an_id_is_safe_in_a_link_and_plain_names_keep_different_ones(one: str, other: str) -> None:
    made = markup.anchor(one)
    assert re.fullmatch(r"[\w.-]+", made)
    plain = re.compile(r"\w[\w.-]*\w")
    if plain.fullmatch(one) and plain.fullmatch(other) and one != other:
        assert markup.anchor(other) != made
    assert not any(unicodedata.category(letter) == "Cc" for letter in made)
