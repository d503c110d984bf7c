"""The figure of settings by price and worth, with those that no other beats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from scalestudy.report import style
from scalestudy.report.figures.base import Frame, Sheet, title
from scalestudy.report.palette import FAINT, Look
from scalestudy.report.style import SMALL

# Where a name may stand beside its point: to the right, left, below and above, as (points right, points up, alignment).
_PLACES = (
    *((8, -3, "left"), (-8, -3, "right"), (-3, 7, "left"), (5, -14, "left")),
    *((-6, 7, "right"), (-7, -13, "right"), (-30, 9, "left"), (0, -15, "left")),
)


@dataclass(frozen=True)
class Offer:
    """A setting: its price (x) and worth (y), what it says, its runs, its name; `front`: no other beats it."""

    x: float
    y: float
    name: str
    look: Look
    note: str
    runs: tuple[str, ...]
    front: bool


@dataclass(frozen=True)
class FrontFigure:
    """Settings by price and worth. Steps join those that no other beats in both; these carry their names.

    Names of the front are to differ: a reader tells points apart by them. `x` and `y` set up the axes.
    """

    title: str
    panel: str
    offers: tuple[Offer, ...]
    x: Callable[[Axes], None]
    y: Callable[[Axes], None]
    records: Sequence[Any]
    alt: str = ""
    caption: str = ""

    def on(self, frame: Frame) -> Sheet:
        """Return the drawing on a frame."""
        sheet = Sheet(self.title, frame=frame, alt=self.alt, caption=self.caption)
        sheet.record(self.records)
        (axes,) = sheet.flow(
            1, 2.6 if frame.narrow else 3.0, left=0.44, right=0.12 if frame.narrow else 0.3, bottom=0.5
        )
        self.x(axes)
        self.y(axes)
        title(axes, self.panel)
        front = sorted((each for each in self.offers if each.front), key=lambda each: each.x)
        if front:
            axes.step(
                [*(each.x for each in front), axes.get_xlim()[1]],
                [*(each.y for each in front), front[-1].y],
                where="post",
                color=FAINT,
                linewidth=1.1,
                zorder=1,
            )
        for each in self.offers:
            (marker,) = axes.plot(
                [each.x],
                [each.y],
                marker=each.look.marker,
                markersize=5.4,
                linestyle="none",
                color=each.look.colour,
                markerfacecolor=each.look.face,
                markeredgewidth=1.2,
                alpha=1.0 if each.front else 0.55,
                zorder=4,
            )
            sheet.mark(marker, each.note, each.runs, each.name)
        _names(sheet, axes, front, self.offers)
        return sheet


Box = tuple[float, float, float, float]


def _names(sheet: Sheet, axes: Axes, front: Sequence[Offer], offers: Sequence[Offer]) -> None:
    """Name the points of the front where there is room: never over a name, a point or the steps."""
    scale = 72 / axes.figure.dpi
    panel = axes.get_window_extent()
    inner = (panel.x0 * scale, panel.y0 * scale, sheet.figure.get_size_inches()[0] * 72, panel.y1 * scale + 4)
    at = {each: tuple(axes.transData.transform((each.x, each.y)) * scale) for each in offers}
    points: dict[Offer, Box] = {each: (x - 4, y - 4, x + 4, y + 4) for each, (x, y) in at.items()}
    taken: list[Box] = []
    steps = [at[each] for each in front]
    for (x0, y0), (x1, y1) in zip(steps, [*steps[1:], (inner[2], steps[-1][1] if steps else 0)], strict=True):
        taken += [(x0, y0 - 1, x1, y0 + 1), (x1 - 1, min(y0, y1), x1 + 1, max(y0, y1))]
    for each in reversed(front):
        shown = each.name.replace(", ", "\n", 1) if sheet.frame.narrow else each.name
        wide, tall = style.text_width(shown, SMALL), SMALL * 1.15 * (shown.count("\n") + 1)
        x, y = at[each]
        for dx, dy, align in _PLACES:
            left = x + dx - (wide if align == "right" else 0)
            foot = y + dy - (tall - SMALL * 1.15 if dy < 0 else 0)
            area = (left, foot - 1, left + wide, foot + tall - 2)
            others = [box for other, box in points.items() if other != each]
            if _inside(area, inner) and not any(_meet(area, box) for box in (*taken, *others)):
                words = axes.annotate(
                    shown,
                    (each.x, each.y),
                    xytext=(dx, foot - y),
                    textcoords="offset points",
                    ha=align,
                    va="bottom",
                    linespacing=1.05,
                    fontsize=SMALL,
                    color=each.look.colour,
                )
                sheet.name(words, each.name)
                taken.append(area)
                break


def _inside(area: Box, room: Box) -> bool:
    return area[0] >= room[0] and area[1] >= room[1] and area[2] <= room[2] and area[3] <= room[3]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
