"""Nothing in a study, a class name or a result shows as markup, runs, or becomes a link, in any of the pages."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from synthetic import write_synthetic_study

from scalestudy.files import read_json, write_json
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect
from scalestudy.results.record import read_record, write_record
from scalestudy.sharing.compare import compare, write_html
from scalestudy.sharing.export import export_tables
from scalestudy.topics.findings import write_findings

EVIL = (
    "\"'><x-evil onmouseover=evil()>{{7*7}}{% raw %}${7*7}</style></title></svg></script><script>evil()</script><!-- "
    "]]> | `x` _a_ *b* [c](javascript:evil()) ![d](https://evil.example/e.png) \\input{evil} $\\alpha$ % & ~ ^ # \u202e"
)
LINK = "javascript:evil()"


def hostile_study(root: Path) -> Path:
    """Write a study in which everything that can be text is hostile; return its folder, collected and analysed."""
    classes = (*(f"{EVIL}{number}" for number in range(3)), "=cmd|' /C calc'!A0")
    folder = write_synthetic_study(
        root,
        study="hostile",
        title=EVIL,
        models=("resnet18",),
        fractions=("1/2", "1"),
        seeds=(0, 1),
        classes=classes,
        broken={"resnet18_none_f1_": "failed"},
        references=[
            {
                "title": EVIL,
                "source": LINK,
                "rows": [{"model": "resnet18", "fraction": "1", "test_accuracy": 0.5}],
            }
        ],
    )
    for status in folder.glob("runs/*/status.json"):
        write_json(status, {**read_json(status), "reason": EVIL, "host": EVIL})
    for path in folder.glob("runs/*/run.json"):
        record = read_record(path)
        changed: dict[str, Any] = {
            "hostname": EVIL,
            "device_name": EVIL,
            "platform": EVIL,
            "command": EVIL,
            "git_commit": EVIL,
            "versions": {**record.versions, EVIL: EVIL},
        }
        write_record(path, record.model_copy(update=changed))
    study = read_json(folder / "study.json")
    study["description"] = EVIL
    study["dataset"]["title"] = EVIL
    for each in (*study["experiments"].values(), *study["weights"].values()):
        each["title"] = EVIL
    for each in study["weights"].values():
        each["source"] = EVIL
    study["preparation"] = [EVIL]
    for run in study["runs"]:
        run["command"] = EVIL
    collect(study, study["runs"], root)
    write_findings(folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile study's folder of results."""
    return hostile_study(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def report(hostile: Path) -> Path:
    """The folder of the hostile study's report."""
    return render_report(hostile, hostile.parents[1] / "report" / "hostile").parent


class Audit(HTMLParser):
    """What a browser would run or follow in a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.words = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        names = ("href", "src", "xlink:href", "action", "formaction", "data", "srcset")
        self.addresses += [value or "" for name, value in attrs if name in names]
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        else:
            self.words += data


def assert_harmless(page: str, scripts: int) -> None:
    """No tag, handler, script or address of the hostile text's; `scripts` are the page's own."""
    found = Audit(page)
    assert "x-evil" not in found.tags
    assert found.handlers == []
    assert len(found.scripts) == scripts
    assert not any("evil()" in script for script in found.scripts)
    assert [
        each for each in found.addresses if each.lower().strip().startswith(("javascript:", "http"))
    ] == []
    assert "<x-evil onmouseover=evil()>" in found.words, "the text is there, as text"
    assert "{{7*7}}" in found.words  # and no template either


def test_the_page_shows_hostile_text_as_text(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    own = (Path(__file__).parents[2] / "templates" / "report.html.j2").read_text(encoding="utf-8")
    assert_harmless(page, scripts=own.count("<script"))
    assert 'http-equiv="refresh"' not in page


def test_the_markdown_page_shows_hostile_text_as_text(report: Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)  # raw HTML passes
    found = Audit(rendered)
    assert not found.tags & {"x-evil", "script", "style", "iframe", "object", "svg", "input", "form"}
    assert found.handlers == []
    assert not any("evil" in each for each in found.addresses)
    assert "<x-evil onmouseover=evil()>" in found.words


def test_figures_are_drawings_and_nothing_else(report: Path) -> None:
    drawings = list(report.rglob("*.svg"))
    assert drawings
    for path in drawings:
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        tags = {str(each.tag).rpartition("}")[2] for each in root.iter()}
        assert not tags & {"script", "foreignObject", "x-evil", "animate", "set"}, path.name
        for each in root.iter():
            assert not [name for name in each.attrib if name.startswith("on")]
            for name, value in each.attrib.items():
                assert not name.endswith("href") or value.startswith(("#", "data:image/png;base64,"))


def test_the_page_of_a_comparison_shows_hostile_text_as_text(hostile: Path, tmp_path: Path) -> None:
    other = hostile_study(tmp_path / "other")
    write_html(compare(hostile, other), tmp_path / "compare.html")
    found = Audit((tmp_path / "compare.html").read_text(encoding="utf-8"))
    assert "x-evil" not in found.tags
    assert (found.handlers, found.scripts) == ([], [])
    assert not any("evil" in each for each in found.addresses)


def test_tables_for_latex_hold_no_command_of_a_name_s(hostile: Path, tmp_path: Path) -> None:
    written = export_tables(hostile, tmp_path)
    for path in (each for each in written if each.suffix == ".tex"):
        text = path.read_text(encoding="utf-8")
        assert "\\input" not in text
        assert "\\alpha" not in text
        assert not re.search(r"(?<!\\)%", text)
