"""Figures with a name a line and its values across: recipes, reference numbers, classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from scalestudy.report import style
from scalestudy.report.figures.base import Frame, Sheet, shorten, wrap
from scalestudy.report.palette import INK, MUTED, Look
from scalestudy.report.style import SMALL

_LINE = 0.235  # inches from one line to the next
_AROUND = 0.72  # inches of a panel's title and axis


@dataclass(frozen=True)
class Dot:
    """A value on a line: what it says when pointed at, its runs, an interval, words written above it."""

    x: float
    look: Look
    note: str
    runs: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    strength: float = 1.0
    above: str = ""


@dataclass(frozen=True)
class Line:
    """A line of the figure: its name at the left, its values. `joined`: a line joins the values.

    `aside` are words at the right, which a narrow frame has no room for: say them in a table, too.
    """

    name: str
    dots: tuple[Dot, ...]
    aside: str = ""
    joined: bool = False


@dataclass(frozen=True)
class LinesPanel:
    """A panel with its lines from top to bottom; panels whose lines have the same names stand side by side."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class RowsFigure:
    """A figure of names with values. `x` sets up the x axis, `records` are dataclasses, the rows of its CSV."""

    title: str
    panels: tuple[LinesPanel, ...]
    x: Callable[[Axes], None]
    records: Sequence[Any]
    alt: str = ""
    caption: str = ""
    columns: int = 2
    width: float = style.WIDTH

    def on(self, frame: Frame) -> Sheet:
        """Return the drawing on a frame."""
        sheet = Sheet(self.title, frame=frame, alt=self.alt, caption=self.caption)
        sheet.record(self.records)
        alike = len({tuple(line.name for line in panel.lines) for panel in self.panels}) == 1
        columns = min(self.columns, frame.most_columns, len(self.panels)) if alike else 1
        room = 110 if frame.narrow else 190
        titles = self._titles(min(self.width, frame.width) * 72 / columns, room)
        around = _AROUND + (max(map(len, titles)) - 1) * style.TITLE * 1.2 / 72
        heights = [len(panel.lines) * _LINE + around for panel in self.panels]
        flat = sheet.fitted(heights, most=columns, width=self.width)
        for place, (axes, panel) in enumerate(zip(flat, self.panels, strict=True)):
            self.x(axes)
            axes.grid(axis="x", visible=True)
            axes.grid(axis="y", visible=True, linestyle=(0, (1, 2)))
            axes.set_ylim(len(panel.lines) - 0.5, -0.8)
            names = [shorten(line.name, room, SMALL) for line in panel.lines]
            axes.set_yticks(range(len(names)), names if place % columns == 0 else [""] * len(names))
            for height, line in enumerate(panel.lines):
                _line(sheet, axes, line, height, beside=not frame.narrow)
            axes.set_title("\n".join(titles[place]), color=INK)
        sheet.settle()
        for axes, panel in zip(flat, self.panels, strict=True):
            for height, line in enumerate(panel.lines):
                _above(axes, line, height)
        return sheet

    def _titles(self, width: float, room: float) -> list[list[str]]:
        """Return the lines of each panel's title: as long as what lies right of the names of its lines."""
        longest = max(style.text_width(line.name, SMALL) for panel in self.panels for line in panel.lines)
        most = width - min(longest, room) - 24
        return [wrap(panel.title, most, style.TITLE, bold=True) for panel in self.panels]


def _line(sheet: Sheet, axes: Axes, line: Line, height: int, beside: bool) -> None:
    if line.joined:
        ends = [min(dot.x for dot in line.dots), max(dot.x for dot in line.dots)] if line.dots else []
        axes.plot(ends, [height] * len(ends), color=MUTED, linewidth=1.1, alpha=0.6, zorder=2)
    for dot in line.dots:
        look = dot.look
        if dot.low is not None and dot.high is not None:
            (bar,) = axes.plot(
                [dot.low, dot.high],
                [height] * 2,
                color=look.colour,
                linewidth=1.2,
                alpha=0.7 * dot.strength,
                zorder=3,
                solid_capstyle="butt",
            )
            sheet.part(bar, line.name)
        (marker,) = axes.plot(
            [dot.x],
            [height],
            marker=look.marker,
            markersize=5.2,
            linestyle="none",
            color=look.colour,
            alpha=dot.strength,
            markerfacecolor=look.face,
            markeredgewidth=1.2,
            zorder=4,
        )
        sheet.mark(marker, dot.note, dot.runs, line.name)
    if line.aside and beside:
        axes.annotate(
            shorten(line.aside, 150, SMALL),
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=SMALL,
            color=MUTED,
        )


def _above(axes: Axes, line: Line, height: int) -> None:
    """Write the words above a line's dots, those left out that would run into the one before."""
    edge = float("-inf")
    for dot in sorted(line.dots, key=lambda each: each.x):
        middle = float(axes.transData.transform((dot.x, 0))[0]) * 72 / axes.figure.dpi
        half = style.text_width(dot.above, SMALL) / 2
        if dot.above and middle - half > edge + 2:
            edge = middle + half
            axes.annotate(
                dot.above,
                (dot.x, height),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=SMALL,
                color=MUTED,
            )
