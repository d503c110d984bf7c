"""Figures of lines through points: accuracy, gap and loss against data, model size, steps or epochs.

A `SeriesFigure` says what is drawn; where panels, names and points go follows from the frame. Names stand at the ends
of their lines where there is room, else in a key above the panels.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, Transform

from scalestudy.report import style
from scalestudy.report.figures.base import Frame, LineLabel, Sheet, line_labels, note_panel, wrap
from scalestudy.report.palette import INK, MUTED, Look
from scalestudy.report.style import SMALL

_STEP_ASIDE = 6.0  # points between series whose spread would lie on one another
_MANY = 4  # small panels, from which on a phone shows them two by two
_BESIDE = 4.2  # points from a mean to the dots of its runs


_MOST_ROOM = 0.45  # of a figure's width, for names at the ends of lines


@dataclass(frozen=True)
class Run:
    """One run's value of a point, drawn as a dot beside the mean of several: `note` is what it says."""

    value: float
    run: str
    note: str


@dataclass(frozen=True)
class Point:
    """A value of a series: where it is, what it says when pointed at, the runs behind it.

    `y` is None where there is no result (the line breaks), `low` and `high` an interval (a bar, or on a line without
    markers a band), `each` the runs' own values where there are several. A point `beyond` (`up`, `down`) is where what
    was measured ends: an arrow shows where the value lies, and no line leads to it.
    """

    x: float
    y: float | None
    note: str
    runs: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    each: tuple[Run, ...] = ()
    beyond: Literal["up", "down", ""] = ""

    @property
    def height(self) -> float:
        """The value, as matplotlib wants it: not a number where there is none."""
        return np.nan if self.y is None else self.y


@dataclass(frozen=True)
class Series:
    """A named line. `strength` in (0, 1] is how much it stands out. Without `markers` its vertices still answer."""

    name: str
    look: Look
    points: tuple[Point, ...]
    strength: float = 1.0
    markers: bool = True

    @property
    def drawn(self) -> list[Point]:
        """The points that have a value."""
        return [point for point in self.points if point.y is not None]

    @property
    def end(self) -> Point | None:
        """The last point that has a value."""
        return self.drawn[-1] if self.drawn else None


@dataclass(frozen=True)
class Panel:
    """One panel: its title says what is on the y axis, or which part of the study it shows.

    `x` sets up the x axis and is told whether the panel is the lowest of its column, `y` sets up the y axis;
    both before anything is drawn. A panel without values says `empty`.
    """

    title: str
    series: tuple[Series, ...]
    x: Callable[[Axes, bool], None]
    y: Callable[[Axes], None]
    empty: str = "no complete run"


@dataclass(frozen=True)
class SeriesFigure:
    """A figure of panels with lines. `records` are dataclasses, the rows of its CSV; `height` is a panel's, in inches.

    `title` is the finding. `columns` panels stand side by side where the frame is wide. `key_above` asks for the key
    even where names would fit at the ends of lines, as in small panels that all have the same series.
    """

    title: str
    panels: tuple[Panel, ...]
    records: Sequence[Any]
    alt: str = ""
    caption: str = ""
    columns: int = 2
    height: float = 2.5
    key_above: bool = False

    def on(self, frame: Frame) -> Sheet:
        """Return the drawing on a frame."""
        sheet = Sheet(self.title, frame=frame, alt=self.alt, caption=self.caption)
        sheet.record(self.records)
        most = 2 if frame.narrow and self.key_above and len(self.panels) > _MANY else frame.most_columns
        columns = min(self.columns, most, len(self.panels))
        folded = columns > 1 or frame.narrow
        names = list(dict.fromkeys(each.name for panel in self.panels for each in panel.series))
        shown = {name: name.replace(", ", "\n", 1) if folded else name for name in names}
        lines = max(sum(shown[each.name].count("\n") + 1 for each in panel.series) for panel in self.panels)
        room = max((style.text_width(words, SMALL) for words in shown.values()), default=0) / 72 + 0.22
        roomy = room * columns <= _MOST_ROOM * frame.width
        at_ends = not self.key_above and roomy and lines * SMALL * 1.25 <= self.height * 72 * 1.15
        right = room if at_ends else 0.1
        entries = [] if at_ends else self._key(names)
        key = _KeyLines(entries, frame.width * 72)
        panel_width = (frame.width - 0.46 * columns - right * columns) / columns * 72
        titles = [
            wrap(panel.title, panel_width + right * 72, style.TITLE, bold=True) for panel in self.panels
        ]
        folds = (max(len(lines) for lines in titles) - 1) * style.TITLE * 1.2 / 72
        flat = sheet.flow(
            len(self.panels),
            self.height,
            columns=columns,
            left=0.44,
            right=right,
            across=right + 0.46,
            top=0.34 + key.height / 72 + folds,
            bottom=0.62,
            down=0.74 + folds,
        )
        key.draw(sheet)
        for place, (axes, panel, words) in enumerate(zip(flat, self.panels, titles, strict=True)):
            panel.x(axes, place + columns >= len(self.panels))
            panel.y(axes)
            axes.set_title("\n".join(words), color=INK)
            _draw(sheet, axes, panel.series)
            if not any(series.drawn for series in panel.series):
                note_panel(axes, panel.empty)
            if at_ends:
                line_labels(axes, _labels(panel.series, shown), sheet=sheet)
        return sheet

    def _key(self, names: Sequence[str]) -> list[tuple[str, Series]]:
        first = {each.name: each for panel in reversed(self.panels) for each in reversed(panel.series)}
        return [(name, first[name]) for name in names]


def _labels(series: Iterable[Series], shown: dict[str, str]) -> list[LineLabel]:
    return [
        LineLabel(
            end.x,
            end.y,
            shown[each.name],
            each.look.colour if each.strength == 1 else MUTED,
            series=each.name,
        )
        for each in series
        if (end := each.end) is not None and end.y is not None
    ]


def _draw(sheet: Sheet, axes: Axes, series: Sequence[Series]) -> None:
    spread = any(
        point.low is not None or point.each for each in series if each.markers for point in each.points
    )
    for place, each in enumerate(series):
        aside = (place - (len(series) - 1) / 2) * min(_STEP_ASIDE, 24 / len(series)) if spread else 0.0
        moved = axes.transData + ScaledTranslation(aside / 72, 0, sheet.figure.dpi_scale_trans)
        if each.markers:
            _points(sheet, axes, each, moved)
        else:
            _track(sheet, axes, each)


def _points(sheet: Sheet, axes: Axes, series: Series, moved: Transform) -> None:
    look, strength = series.look, series.strength
    xs = [point.x for point in series.points]
    ys = [np.nan if point.beyond else point.height for point in series.points]
    beside = moved + ScaledTranslation(_BESIDE / 72, 0, sheet.figure.dpi_scale_trans)
    style_of: dict[str, Any] = {"color": look.colour, "alpha": strength, "transform": moved, "clip_on": False}
    (line,) = axes.plot(
        xs, ys, linestyle=look.line, linewidth=1.6 if strength == 1 else 1.1, zorder=2, **style_of
    )
    sheet.part(line, series.name)
    for point in series.drawn:
        if point.beyond:
            arrow = axes.annotate(
                "",
                (point.x, point.height),
                xycoords=moved,
                xytext=(0, 17 if point.beyond == "up" else -17),
                textcoords="offset points",
                arrowprops={"arrowstyle": "<-", "color": look.colour, "linewidth": 1.0},
            )
            sheet.part(arrow, series.name)
        if point.low is not None and point.high is not None:
            (bar,) = axes.plot(
                [point.x] * 2,
                [point.low, point.high],
                linewidth=1.2,
                zorder=3,
                solid_capstyle="butt",
                **style_of,
            )
            sheet.part(bar, series.name)
        for run in point.each:
            (dot,) = axes.plot(
                [point.x],
                [run.value],
                marker="o",
                markersize=2.7,
                markeredgewidth=0,
                linestyle="none",
                zorder=3.5,
                **{**style_of, "transform": beside},
            )
            sheet.mark(dot, run.note, (run.run,), series.name)
        (marker,) = axes.plot(
            [point.x],
            [point.height],
            marker=look.marker,
            markersize=5.4,
            linestyle="none",
            markerfacecolor=look.face,
            markeredgewidth=1.2,
            zorder=4,
            **style_of,
        )
        sheet.mark(marker, point.note, point.runs, series.name)


def _track(sheet: Sheet, axes: Axes, series: Series) -> None:
    look, drawn = series.look, series.drawn
    if not drawn:
        return
    xs, ys = [point.x for point in drawn], [point.height for point in drawn]
    banded = [point for point in drawn if point.low is not None and point.high is not None]
    if banded:
        band = axes.fill_between(
            [point.x for point in banded],
            [float(point.low or 0) for point in banded],
            [float(point.high or 0) for point in banded],
            color=look.colour,
            alpha=0.14,
            linewidth=0,
        )
        sheet.part(band, series.name)
    (line,) = axes.plot(
        xs,
        ys,
        color=look.colour,
        alpha=series.strength,
        linestyle=look.line,
        linewidth=1.7 if series.strength == 1 else 1.0,
    )
    runs = dict.fromkeys(run for point in drawn for run in point.runs)
    sheet.track(line, [point.note for point in drawn], runs, series.name)
    if len(drawn) == 1:
        line.set(marker=look.marker, markersize=3.6)


class _KeyLines:
    """The names of series with a piece of their line, side by side in as many lines as it takes."""

    def __init__(self, entries: Sequence[tuple[str, Series]], width: float) -> None:
        self._lines: list[list[tuple[float, str, Series]]] = []
        x = width
        for name, series in entries:
            wide = 25 + style.text_width(name, SMALL) + 14
            if x + wide > width and (not self._lines or self._lines[-1]):
                self._lines.append([])
                x = 4.0
            self._lines[-1].append((x, name, series))
            x += wide

    @property
    def height(self) -> float:
        """The points that it takes."""
        return len(self._lines) * SMALL * 1.5

    def draw(self, sheet: Sheet) -> None:
        """Draw it at the top of the sheet's figure."""
        wide, tall = sheet.figure.get_size_inches() * 72
        for number, line in enumerate(self._lines):
            y = 1 - (number + 0.7) * SMALL * 1.5 / tall
            for x, name, series in line:
                look = series.look
                sample = Line2D(
                    [x / wide, (x + 10) / wide, (x + 20) / wide],
                    [y] * 3,
                    color=look.colour,
                    alpha=series.strength,
                    linewidth=1.6 if series.strength == 1 else 1.0,
                    linestyle=look.line,
                    marker=look.marker if series.markers else None,
                    markevery=[1],
                    markersize=4.6,
                    markerfacecolor=look.face,
                )
                sheet.figure.add_artist(sample)
                sheet.part(sample, name)
                words = sheet.figure.text(
                    (x + 25) / wide, y, name, va="center_baseline", fontsize=SMALL, color=look.colour
                )
                sheet.name(words, name)
