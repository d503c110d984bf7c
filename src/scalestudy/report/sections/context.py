"""What the sections share: the findings, and the numbering of figures and tables."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scalestudy.report import markup, svg, wording
from scalestudy.report.inputs import Inputs
from scalestudy.report.tables import table
from scalestudy.report.view import (
    Block,
    Cell,
    Column,
    Evidence,
    Figure,
    Note,
    Paragraph,
    Statement,
    Statements,
    Table,
)

Json = dict[str, Any]

_MOST_INLINE = 120_000  # bytes of a CSV that still goes into the page itself
_PIXELS_PER_POINT = 860 / 619.2  # a full-width figure is shown at 860 CSS pixels


class Context:
    """One report in the making. Sections ask it for figures and tables, which it numbers in order."""

    def __init__(self, inputs: Inputs, figures: Path, names: Iterable[str]) -> None:
        self.inputs = inputs
        self.findings: Json = inputs.findings
        self.study: Json = inputs.study
        self.cells: dict[str, Json] = self.findings["cells"]
        self.differences: dict[str, Json] = self.findings["differences"]
        self.targets: dict[str, tuple[str, str]] = {}
        self._figures = figures
        self._names = set(names)
        self._noted: set[str] = set()
        self._counts = {"figure": 0, "table": 0}

    def number(self, kind: str, name: str) -> int:
        """Return the next number of a `figure` or `table` and remember what it names, for links to it."""
        self._counts[kind] += 1
        identity = f"{kind}-{name}"
        self.targets[identity] = (markup.anchor(identity), f"{kind.capitalize()} {self._counts[kind]}")
        return self._counts[kind]

    def alias(self, name: str, other: str) -> None:
        """Let links to `name` (`table-reference`) go to `other` (`table-r1`), the first that it stands for."""
        if other in self.targets:
            self.targets.setdefault(name, self.targets[other])

    def figure(self, name: str) -> list[Block]:
        """Return the figure, ready for the page; nothing where the study does not have it.

        One without data becomes a note that says what is missing, once for the whole report.
        """
        path = self._figures / f"{name}.svg"
        if name not in self._names or not path.is_file():
            return []
        drawing = path.read_text(encoding="utf-8")
        narrow = self._figures / f"{name}.narrow.svg"
        small = narrow.read_text(encoding="utf-8") if narrow.is_file() else ""
        said = svg.describe(drawing)
        if said.missing:
            return self._missing(said.missing)
        return [
            Figure(
                id=f"figure-{name}",
                number=self.number("figure", name),
                title=said.title,
                alt=said.alt,
                caption=said.caption,
                svg=svg.inline(drawing, f"fig-{name}"),
                width=round(svg.view_width(drawing) * _PIXELS_PER_POINT),
                png=f"figures/{name}.png",
                csv=f"figures/{name}.csv",
                vector=f"figures/{name}.svg",
                csv_inline=data_link(self._figures / f"{name}.csv", "text/csv"),
                runs=said.runs,
                narrow=svg.inline(small, f"fig-{name}-narrow") if small else "",
            )
        ]

    def table(
        self,
        name: str,
        title: str,
        columns: Iterable[Column],
        rows: Iterable[Sequence[Cell]],
        *,
        row_heads: int = 1,
        note: str = "",
        sortable: bool = False,
        folded: bool = False,
    ) -> Table:
        """Return a numbered table; a folded one shows its title until it is opened."""
        place, identity = self.number("table", name), markup.anchor(f"table-{name}")
        return table(identity, place, title, columns, rows, row_heads, note, sortable, folded)

    def missing(self, section: str) -> list[Block]:
        """Return the note that says what a section of the findings lacks and how to get it; nothing if it is there."""
        words = self.findings[section].get("missing")
        return self._missing(words) if words else []

    def _missing(self, words: str) -> list[Block]:
        if words in self._noted:
            return []
        self._noted.add(words)
        return [Note(wording.sentence(words), "missing")]

    def headline(self, section: str) -> list[Block]:
        """Return the section's computed sentence as a paragraph, if there is one."""
        words = self.findings[section].get("headline")
        return [said(words)] if words else []

    def claims(self, name: str) -> list[Block]:
        """Return a group of claims as statements, or nothing."""
        claims = self.findings["claims"].get(name) or []
        return [Statements(tuple(statement(claim) for claim in claims))] if claims else []

    def model(self, name: str) -> str:
        """Return the model's title."""
        return self.inputs.model(name)

    def init(self, name: str) -> str:
        """Return the title of initial weights."""
        return str(self.findings["labels"]["init"].get(name, name))

    def setting(self, name: str) -> str:
        """Return what a setting is called in words."""
        return str(self.findings["labels"]["setting"].get(name, name.replace("_", " ")))

    def size_column(self, fraction: str) -> str:
        """Return a column's head for a fraction of the training set: `1/16 (3,125)`."""
        images = {each["fraction"]: each["train_images"] for each in self.findings["setup"]["subsets"]}
        found = images.get(fraction)
        return fraction_words(fraction) + (f" ({found:,})" if found else "")


def fraction_words(fraction: str) -> str:
    """Return a fraction as a reader says it: `1/16`, `all`."""
    return wording.fraction(fraction)


def statement(claim: Json) -> Statement:
    """Return a claim of the findings as a statement with its evidence."""
    evidence = Evidence(tuple(claim["figures"]), tuple(claim["tables"]))
    return Statement(wording.sentence(claim["text"]), evidence, tuple(claim["runs"]))


def said(words: str) -> Paragraph:
    """Return one sentence as a paragraph."""
    return Paragraph((Statement(wording.sentence(words)),))


def data_link(path: Path, kind: str) -> str:
    """Return a small file as a data: link, or nothing where it is large or not there."""
    if not path.is_file() or path.stat().st_size > _MOST_INLINE:
        return ""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
