"""What a rendered page holds, read back: its cells, its tables, its links."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "input", "br", "img", "wbr", "path", "use", "circle"}


@dataclass
class PageCell:
    """A cell of a table in HTML."""

    attributes: dict[str, str]
    text: str = ""

    @property
    def runs(self) -> list[str]:
        """The runs behind the cell."""
        return self.attributes.get("data-runs", "").split()


@dataclass
class PageTable:
    """A table in HTML: the caption, the rows of the head and of the body."""

    caption: str = ""
    head: list[list[PageCell]] = field(default_factory=list)
    body: list[list[PageCell]] = field(default_factory=list)


class Page(HTMLParser):
    """An HTML page, parsed: `tables`, `attributes` (tag, name, value) and `ids`; raises on tags that do not nest."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tables: list[PageTable] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self._cell: PageCell | None = None
        self._caption = self._in_body = self._folded = False
        self._pending = ""  # a folded table's title stands in the summary before it
        self.feed(self.source)
        assert self._open == [], f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in given.items()]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append(PageTable(caption=self._pending))
            self._pending = ""
        elif tag == "summary" and given.get("id", "").startswith("table-"):
            self._folded = True
        elif tag == "caption":
            self._caption = True
        elif tag in ("thead", "tbody"):
            self._in_body = tag == "tbody"
        elif tag == "tr" and self.tables:
            (self.tables[-1].body if self._in_body else self.tables[-1].head).append([])
        elif tag in ("td", "th"):
            rows = self.tables[-1].body if self._in_body else self.tables[-1].head
            self._cell = PageCell(given)
            rows[-1].append(self._cell)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open, tag
        assert self._open.pop() == tag, f"</{tag}> closes another"
        if tag in ("td", "th"):
            self._cell = None
        elif tag == "caption":
            self._caption = False
        elif tag == "summary":
            self._folded = False

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("style", "script"):
            return
        self.words.append(data)
        if self._cell is not None:
            self._cell.text += data
        if self._folded:
            self._pending += data
        if self._caption:
            self.tables[-1].caption += data

    @property
    def cells(self) -> list[PageCell]:
        """Every cell of every table's body."""
        return [cell for table in self.tables for row in table.body for cell in row]

    def values(self, tag: str, name: str) -> list[str]:
        """Return every value of an attribute of a tag (`*`: of any)."""
        return [value for found, key, value in self.attributes if key == name and tag in (found, "*")]


def markdown_tables(text: str) -> dict[str, list[list[str]]]:
    """Return the tables of a Markdown text by their number (`Table 3`): lines of cells, the head first.

    Cells are split at `|` that is not escaped, and their escapes are taken out, as a reader sees them.
    """
    tables: dict[str, list[list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if found := re.match(r"\*\*(Table \d+)\. ", line):
            name = found[1]
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                tables.setdefault(name, []).append([shown(cell) for cell in cells])
    return tables


def shown(markdown: str) -> str:
    """Return a piece of Markdown as it is shown: without escapes, entities, emphasis and code marks."""
    plain = re.sub(r"(?<!\\)(\*\*|`)", "", markdown)
    plain = re.sub(r"\\([\\`*_{}\[\]<>()#+.!|~$-])", r"\1", plain)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def plain(words: str) -> str:
    """Return words with single blanks and without the invisible helpers of line breaking."""
    return " ".join(words.replace("\u2060", "").split())
