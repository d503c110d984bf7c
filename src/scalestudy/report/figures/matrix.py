"""The figure of a matrix of counts: classes against predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import Rectangle

from scalestudy.report import style
from scalestudy.report.figures.base import Frame, Sheet, shorten
from scalestudy.report.palette import BAD, INK
from scalestudy.report.style import SMALL

# The strongest that a square may be, so that ink on it keeps a contrast of 4.5 to 1 in the light and in the dark.
_DARKEST, _REDDEST = 0.38, 0.54


@dataclass(frozen=True)
class MatrixFigure:
    """Counts of test images by true class (line) and predicted class (column), right ones in grey, errors in red.

    `names` are those of the classes shown, `counts` a square of them, `totals` the images of each class (more than the
    line's sum where not all classes are shown), `runs` those that predicted.
    """

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    totals: tuple[int, ...]
    runs: tuple[str, ...]
    records: Sequence[Any]
    alt: str = ""
    caption: str = ""

    def on(self, frame: Frame) -> Sheet:
        """Return the drawing on a frame."""
        sheet = Sheet(self.title, frame=frame, alt=self.alt, caption=self.caption)
        sheet.record(self.records)
        size = len(self.names)
        room = 62.0 if frame.narrow else 110.0
        longest = min(max(style.text_width(name, SMALL) for name in self.names), room)
        left, right = longest / 72 + 0.42, 0.15
        side = min(size * 0.5, frame.width - left - right, max(4.6, size * 0.3))
        tilted = longest > side / size * 68
        bottom = (longest * 0.75 if tilted else 10) / 72 + 0.42
        # Numbers only where they fit into their squares; every square says its own when pointed at.
        digits = max(style.text_width(f"{number:,}", SMALL) for line in self.counts for number in line)
        written = digits < side / size * 72 - 3
        ((axes,),) = sheet.panels(
            1, 1, side, left=left, right=right, width=left + right + side, bottom=bottom, top=0.1
        )
        axes.grid(visible=False)
        axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
        shares = [
            [number / total if total else 0.0 for number in line]
            for line, total in zip(self.counts, self.totals, strict=True)
        ]
        most = max((shares[i][j] for i in range(size) for j in range(size) if i != j), default=0) or 1
        for i, line in enumerate(self.counts):
            for j, number in enumerate(line):
                if not number:
                    continue
                strength = _DARKEST * shares[i][j] if i == j else _REDDEST * shares[i][j] / most
                square = Rectangle(
                    (j - 0.47, i - 0.47),
                    0.94,
                    0.94,
                    facecolor=INK if i == j else BAD,
                    alpha=max(strength, 0.02),
                    linewidth=0,
                )
                axes.add_patch(square)
                took = "right" if i == j else f"taken for {self.names[j]}"
                note = f"{number:,} of {self.totals[i]:,} images of {self.names[i]}: {took}"
                sheet.mark(square, note, self.runs, self.names[i])
                if written:
                    axes.text(
                        j,
                        i,
                        f"{number:,}",
                        ha="center",
                        va="center",
                        fontsize=SMALL,
                        color=INK,
                    )
        names = [shorten(name, room, SMALL) for name in self.names]
        axes.set_yticks(range(size), names)
        axes.set_xticks(range(size), names, rotation=40 if tilted else 0, ha="right" if tilted else "center")
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        axes.set_ylabel("true class", labelpad=4)
        axes.set_xlabel("predicted class", labelpad=3)
        return sheet
