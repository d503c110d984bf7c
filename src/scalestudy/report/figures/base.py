"""What all figures share: the frame and the sheet that one is drawn on, axes, labels that keep apart, marks.

A figure is a `Picture`: it is drawn on a wide frame (a page, paper) and on a narrow one (a phone), where panels stand
below each other. `series.SeriesFigure` is the one for lines through points; `Painted` holds any other.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from scalestudy.report import style, wording
from scalestudy.report.palette import FAINT, INK, MUTED
from scalestudy.report.style import BODY, SMALL
from scalestudy.report.svg import Mark

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TIMES = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(factor * _MINUTE for factor in (1, 2, 5, 10, 20, 30)),
    *(factor * _HOUR for factor in (1, 2, 5, 10)),
    *(factor * _DAY for factor in (1, 2, 5, 10)),
)


@dataclass(frozen=True)
class Frame:
    """What a figure is drawn for: its width in inches, and how many panels may stand side by side."""

    name: str
    width: float
    most_columns: int

    @property
    def narrow(self) -> bool:
        """Whether it is a phone's."""
        return self.most_columns == 1


WIDE = Frame("wide", style.WIDTH, 4)
NARROW = Frame("narrow", style.NARROW_WIDTH, 1)


class Picture(Protocol):
    """A figure that can be drawn."""

    def on(self, frame: Frame) -> "Sheet | None":
        """Return the drawing on a frame; None where it has none of its own for a narrow one."""


@dataclass(frozen=True)
class Painted:
    """A picture by a function of the frame."""

    paint: "Callable[[Frame], Sheet]"

    def on(self, frame: Frame) -> "Sheet | None":
        """Return the drawing."""
        return self.paint(frame)


@dataclass
class Sheet:
    """A figure in the making: the drawing, the words that go with it, its data, and its marks.

    `title` says what the figure shows. A `series` of the methods is the name of the line that an artist belongs to:
    what belongs together stands out together.
    """

    title: str
    columns: tuple[str, ...] = ()
    frame: Frame = WIDE
    figure: Figure = field(default_factory=Figure)
    alt: str = ""
    caption: str = ""
    missing: str = ""
    rows: list[tuple[object, ...]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    _series: dict[str, str] = field(default_factory=dict)

    def on(self, frame: Frame) -> "Sheet | None":
        """Return itself for its own frame: a sheet is a picture that has no other."""
        return self if frame == self.frame else None

    def mark(self, artist: Artist, label: str, runs: Iterable[str], series: str = "") -> None:
        """Make `artist` traceable: it says `label` and names `runs` where a reader points at it."""
        self._add(artist, label, runs, series)

    def track(self, line: Artist, notes: Sequence[str], runs: Iterable[str], series: str) -> None:
        """Make each vertex of a line traceable: `notes` are what they say, in order."""
        self._add(line, "", runs, series, notes=tuple(notes))

    def part(self, artist: Artist, series: str) -> None:
        """Let an artist that says nothing itself, such as a bar or a band, stand out with its series."""
        self._add(artist, "", (), series, kind="part")

    def name(self, artist: Artist, series: str) -> None:
        """Make a text the name of its series: pointed at, it makes the series stand out."""
        self._add(artist, series, (), series, kind="name")

    def _add(
        self,
        artist: Artist,
        label: str,
        runs: Iterable[str],
        series: str,
        kind: str = "mark",
        notes: tuple[str, ...] = (),
    ) -> None:
        gid = f"mark-{len(self.marks)}"
        artist.set_gid(gid)
        key = self._series.setdefault(series, f"s{len(self._series) + 1}") if series else ""
        self.marks.append(Mark(gid, label, tuple(runs), key, kind, notes))

    def record(self, records: Sequence[Any]) -> None:
        """Make dataclasses of one kind the figure's data: a column per field, tuples as words with blanks."""
        self.columns = tuple(each.name for each in fields(records[0])) if records else self.columns
        for each in records:
            values = [getattr(each, name) for name in self.columns]
            self.rows.append(
                tuple(" ".join(map(str, value)) if isinstance(value, tuple) else value for value in values)
            )

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs behind the figure, each once."""
        return tuple(dict.fromkeys(run for mark in self.marks for run in mark.runs))

    def flow(self, count: int, height: float, *, columns: int | None = None, **room: float) -> list[Axes]:
        """Make `count` panels of `height` inches in reading order, as many side by side as the frame has room for.

        `columns` fixes how many; the room around them is that of `panels`.
        """
        columns = columns or max(1, min(count, self.frame.most_columns))
        grid = self.panels((count + columns - 1) // columns, columns, height, **room)
        flat = [axes for line in grid for axes in line]
        for unused in flat[count:]:
            unused.set_axis_off()
        return flat[:count]

    def fitted(self, heights: Sequence[float], *, most: int = 4, width: float = style.WIDTH) -> list[Axes]:
        """Make a panel of each height in inches, `most` side by side, those of one line as high as its highest.

        Their margins follow from their labels: `settle` places them once these are set.
        """
        count = len(heights)
        columns = max(1, min(count, most, self.frame.most_columns))
        lines = [max(heights[start : start + columns]) for start in range(0, count, columns)]
        self.figure.set_size_inches(min(width, self.frame.width), sum(lines))
        self.figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.05, wspace=0.03, hspace=0.04)
        flat = list(self.figure.subplots(len(lines), columns, squeeze=False, height_ratios=lines).flat)
        for unused in flat[count:]:
            unused.set_axis_off()
        return flat[:count]

    def settle(self) -> None:
        """Place fitted panels for good, so that what follows can be put beside what is drawn."""
        with style.no_warnings():
            self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")

    def panels(
        self,
        rows: int,
        columns: int,
        height: float,
        *,
        width: float | None = None,
        left: float = 0.42,
        right: float = 1.25,
        top: float = 0.34,
        bottom: float = 0.62,
        across: float = 0.3,
        down: float = 0.62,
    ) -> list[list[Axes]]:
        """Make a grid of panels of `height` inches and return its axes, row by row. All sizes are inches."""
        width = min(width or self.frame.width, self.frame.width)
        total = top + bottom + rows * height + (rows - 1) * down
        each = (width - left - right - (columns - 1) * across) / columns
        self.figure.set_size_inches(width, total)
        return [
            [
                self.figure.add_axes(
                    (
                        (left + column * (each + across)) / width,
                        (bottom + (rows - 1 - row) * (height + down)) / total,
                        each / width,
                        height / total,
                    )
                )
                for column in range(columns)
            ]
            for row in range(rows)
        ]


def empty(title: str, reason: str, frame: Frame = WIDE) -> Sheet:
    """Return the honest empty figure: its title's place holds the reason why there is nothing to see."""
    sheet = Sheet(title, ("missing",), frame)
    sheet.missing = reason
    sheet.alt = f"{title}: nothing to show. {reason}"
    sheet.caption = reason
    sheet.rows.append((reason,))
    sheet.figure.set_size_inches(frame.width, 1.6 if frame.narrow else 1.1)
    axes = sheet.figure.add_axes((0.004, 0.02, 0.992, 0.96))
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT, linestyle=(0, (2, 3)))
    lines = wrap(reason, frame.width * 72 - 60, BODY)
    axes.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", color=MUTED, linespacing=1.5)
    return sheet


def wrap(words: str, most: float, size: float, *, bold: bool = False) -> list[str]:
    """Return `words` as lines of at most `most` points where blanks allow it."""
    lines: list[str] = []
    for word in words.split():
        if lines and style.text_width(f"{lines[-1]} {word}", size, bold) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def size_axis(axes: Axes, sizes: Sequence[tuple[str, int]], *, title: bool = True) -> None:
    """Make x the logarithm of the training images, with the study's own fractions and image numbers as ticks.

    `sizes` holds (fraction as text, images), ascending.
    """
    numbers = [max(number, 1) for _, number in sizes]
    axes.set_xscale("log")
    span = max(numbers[-1] / numbers[0], 1.5)
    axes.set_xlim(numbers[0] / span**0.06, numbers[-1] * span**0.06)
    labels = [f"{'all' if fraction == '1' else fraction}\n{number:,}" for fraction, number in sizes]
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter(without_collisions(axes, numbers, labels)))
    if title:
        axes.set_xlabel("training images", labelpad=3)


def without_collisions(axes: Axes, numbers: Sequence[float], labels: Sequence[str]) -> list[str]:
    """Return the labels with those emptied that would run into their neighbour; the largest size always shows."""
    kept: list[str] = []
    edge = float("inf")
    for number, label in zip(reversed(numbers), reversed(labels), strict=True):
        place = axes.transData.transform((number, 0))[0] * 72 / axes.figure.dpi
        half = style.text_width(label, SMALL) / 2
        if place + half + 3 <= edge:
            kept.append(label)
            edge = place - half
        else:
            kept.append("")
    return kept[::-1]


def percent_axis(
    axes: Axes, values: Iterable[float], *, which: str = "y", whole: bool = True, zero: bool = False
) -> None:
    """Make y (or x) per cent over the range of `values` (proportions), with a few round ticks.

    `whole`: the values are shares, so the axis does not go below 0 or much above 100. `zero`: 0 is always on it.
    """
    finite = [100 * value for value in values if np.isfinite(value)] or [0, 100]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0), max(high, 0)
        (axes.axhline if which == "y" else axes.axvline)(0, color=MUTED, linewidth=0.8, zorder=1)
    pad = max((high - low) * 0.08, 1.0)
    low, high = low - pad, high + pad
    if whole:
        low, high = max(low, -1.5), min(high, 101.5)
    (axes.set_ylim if which == "y" else axes.set_xlim)(low / 100, high / 100)
    ticks = [
        tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high
    ]
    digits = 0 if all(float(tick).is_integer() for tick in ticks) else 1
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(FixedLocator([tick / 100 for tick in ticks]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: wording.decimal(100 * value, digits)))


def count_axis(axes: Axes, which: str, low: float, high: float) -> None:
    """Make x or y logarithmic over counts (steps, images, parameters), with ticks at 1, 2, 5 times powers of ten."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    choices = [
        mantissa * 10.0**power
        for power in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        for mantissa in (1, 2, 5)
    ]
    ticks = _at_least_two([tick for tick in choices if low <= tick <= high], low, high)
    while len(ticks) > 6:
        decades = [tick for tick in ticks if np.isclose(np.log10(tick) % 1, 0)]
        ticks = decades if 2 <= len(decades) < len(ticks) else ticks[::2]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    labels = [wording.short_count(tick) for tick in ticks]
    axis.set_major_formatter(
        FixedFormatter(without_collisions(axes, ticks, labels) if which == "x" else labels)
    )


def _at_least_two(ticks: list[float], low: float, high: float) -> list[float]:
    """Return the ticks, or where the axis is too short for two of them, round numbers on it."""
    if len(ticks) > 1:
        return ticks
    return [float(tick) for tick in MaxNLocator(3).tick_values(low, high) if low <= tick <= high]


def time_axis(axes: Axes, times: Sequence[float], *, title: str = "") -> None:
    """Make x logarithmic over seconds, with ticks that people count time in."""
    low, high = min(times) / 1.35, max(times) * 1.7
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = _at_least_two([tick for tick in _TIMES if low <= tick <= high], low, high)
    while len(ticks) > 7:
        ticks = ticks[::2]
    labels = [wording.duration(tick).replace(".0 s", " s") for tick in ticks]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter(without_collisions(axes, ticks, labels)))
    axes.set_xlabel(title, labelpad=3)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions at least `gap` apart, in the order of `wanted` and as near to it as they can, within
    [low, high] where there is room."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    groups: list[list[float]] = []  # [sum of wished starts, number of members]
    members: list[list[int]] = []
    for index in order:
        groups.append([wanted[index], 1])
        members.append([index])
        while len(groups) > 1:
            start = groups[-1][0] / groups[-1][1] - gap * (groups[-1][1] - 1) / 2
            before = groups[-2][0] / groups[-2][1] + gap * (groups[-2][1] - 1) / 2
            if start - before >= gap:
                break
            total, number = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + number]
            members[-2:] = [members[-2] + members[-1]]
    places = [0.0] * len(wanted)
    floor = low
    for (total, number), group in zip(groups, members, strict=True):
        start = total / number - gap * (number - 1) / 2
        start = max(min(start, high - gap * (number - 1)), floor)
        for offset, index in enumerate(group):
            places[index] = start + gap * offset
        floor = start + gap * number
    overshoot = max(places, default=high) - high
    if overshoot > 0:
        places = [place - overshoot for place in places]
    return places


@dataclass(frozen=True)
class LineLabel:
    """A label at the right end of a line: where the line ends (data units), the words, the colour.

    `series` is the name of the line, where the label is to make it stand out.
    """

    x: float
    y: float
    words: str
    colour: str
    series: str = ""


def line_labels(
    axes: Axes, labels: Sequence[LineLabel], size: float = SMALL, sheet: Sheet | None = None
) -> None:
    """Write each line's label beside its end, moved up or down just so far that no two overlap.

    A thin line leads from the end of the line to a label that had to move. Limits and scales must be set before.
    """
    if not labels:
        return
    box = axes.get_window_extent()
    scale = 72 / axes.figure.dpi
    ends = [axes.transData.transform((label.x, label.y)) for label in labels]
    wanted = [float(end[1]) * scale for end in ends]
    gap = size * (1.2 * max(label.words.count("\n") + 1 for label in labels) + 0.12)
    places = spread(wanted, gap, box.y0 * scale, box.y1 * scale)
    right = box.x1 * scale
    inches = axes.figure.dpi_scale_trans  # not pixels: a PNG has more of them than the SVG
    for label, end, place, wish in zip(labels, ends, places, wanted, strict=True):
        x = right + 9
        moved = abs(place - wish) > 1.5 or right - float(end[0]) * scale > 12
        if moved:
            start = (float(end[0]) * scale + 4.5, wish)
            axes.plot(
                [start[0] / 72, (right + 7) / 72],
                [start[1] / 72, place / 72],
                transform=inches,
                color=FAINT,
                linewidth=0.6,
                clip_on=False,
                zorder=1,
            )
        written = axes.text(
            x / 72,
            place / 72,
            label.words,
            transform=inches,
            ha="left",
            va="center",
            color=label.colour,
            fontsize=size,
            linespacing=1.15,
            clip_on=False,
        )
        if sheet is not None and label.series:
            sheet.name(written, label.series)


def note_panel(axes: Axes, words: str) -> None:
    """Write a quiet note into an empty panel."""
    axes.text(
        0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=MUTED, fontsize=SMALL
    )


def title(axes: Axes, words: str) -> None:
    """Set a panel's title, cut where it is wider than the panel."""
    room = float(axes.get_window_extent().width) * 72 / axes.figure.dpi + 4
    axes.set_title(shorten(words, room, style.TITLE, bold=True), color=INK)


def shorten(words: str, most: float, size: float, *, bold: bool = False) -> str:
    """Return `words`, cut with an ellipsis so that they take at most `most` points."""
    if style.text_width(words, size, bold) <= most:
        return words
    while words and style.text_width(words + "…", size, bold) > most:
        words = words[:-1]
    return words.rstrip(" ,") + "…"
