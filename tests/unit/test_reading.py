"""The published page is short to read. And that the counting counts."""

from pathlib import Path

import pytest
from reading import MOST_IN_AN_ANSWER, MOST_WORDS, long_sentences, passages, word_count, words
from sample_report import sample, write_sample

PUBLISHED = ("cifar10-offline", "best", "best-final", "best-resnet", "best-longer")

PAGE = """<!doctype html><html><head><title>No word</title><style>p {}</style></head><body>
<nav><p>Not this</p></nav><h1>Four words, one — number 3.5</h1>
<p>A sentence. Another one that says 1.5 % of it, e.g. this.</p>
<details><summary>Folded</summary><p>away</p></details><table><tr><td>cell</td></tr></table>
<figure><p>Title</p><svg><text>drawn</text></svg><figcaption>Caption</figcaption></figure>
<ul><li>%s.</li></ul><pre><code>make</code></pre></body></html>"""


def page(tmp_path: Path, sentence: str = "one") -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGE.replace("%s", sentence), encoding="utf-8")
    return path


def test_body_words_leave_out_tables_drawings_code_and_what_is_folded(tmp_path: Path) -> None:
    assert passages(page(tmp_path)) == [
        "Four words, one — number 3.5",
        "A sentence. Another one that says 1.5 % of it, e.g. this.",
        "Title",
        "Caption",
        "one.",
    ]
    assert word_count(page(tmp_path)) == 5 + 11 + 1 + 1 + 1


def test_long_sentences_are_those_of_more_than_thirty_words(tmp_path: Path) -> None:
    assert long_sentences(page(tmp_path, " ".join(["word"] * 30))) == []
    [found] = long_sentences(page(tmp_path, " ".join(["word"] * 31)))
    assert found.count("word") == 31


def test_the_samples_answers_are_as_short_as_answers_must_be(tmp_path: Path) -> None:
    opening = sample(tmp_path).opening
    assert opening is not None
    assert all(len(words(each.statement.text)) <= MOST_IN_AN_ANSWER for each in opening.answers)
    assert long_sentences(write_sample(tmp_path)) == []


@pytest.mark.parametrize("study", PUBLISHED)
def test_a_published_page_is_short(study: str) -> None:
    published = Path(__file__).parents[2] / "report" / study / "report.html"
    assert word_count(published) <= MOST_WORDS
    assert long_sentences(published) == []
