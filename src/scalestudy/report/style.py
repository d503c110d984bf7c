"""The one look of all figures in matplotlib: type, sizes, defaults, and how a figure becomes SVG, PNG and PDF."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter

from scalestudy.files import atomic_path
from scalestudy.report.palette import GRID, INK, MUTED

WIDTH = 8.6  # inches of a full-width figure: 619 points, shown at up to 860 CSS pixels
NARROW_WIDTH = 3.4  # inches of a figure for a narrow screen, shown at 335 to 480 CSS pixels
SMALL, BODY, TITLE = 8.6, 9.0, 9.8  # type sizes in points: the smallest is shown at 12 CSS pixels
PIXELS_PER_INCH = 200

# Fonts that have the letters that DejaVu Sans lacks, tried in this order where they are installed.
_FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "IPAexGothic",
    "IPAGothic",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)

RC = {
    "font.size": BODY,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5_bill$"
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": BODY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": TITLE,
    "axes.titleweight": "bold",
    "axes.titlepad": 7,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 3,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "lines.solid_capstyle": "round",
    "lines.scale_dashes": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.dpi": 72,
    "image.composite_image": False,  # each image of a panel stays one that a reader can point at
    "path.simplify": False,  # a track's notes belong to its vertices, one each
    "svg.fonttype": "none",
    "svg.hashsalt": "scalestudy",
    "pdf.fonttype": 42,
}


def apply() -> None:
    """Set matplotlib's defaults to this style."""
    matplotlib.rcdefaults()
    parameters: Any = matplotlib.rcParams
    parameters.update(RC)
    parameters["font.family"] = _fonts()
    for name in ("matplotlib.font_manager", "matplotlib.category"):
        logging.getLogger(name).setLevel(logging.ERROR)


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    known = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in known)]


@contextmanager
def no_warnings() -> Iterator[None]:
    """Draw without a word: a letter that a font lacks is dealt with where the figure is written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = BODY, bold: bool = False) -> float:
    """Return the width of `text` in points, set in the figures' font (the widest line of several)."""
    figure = Figure(dpi=72)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    properties = font_manager.FontProperties(size=size, weight="bold" if bold else "normal")
    with no_warnings():
        return max(
            float(renderer.get_text_width_height_descent(line, properties, ismath=False)[0])
            for line in text.split("\n")
        )


def svg_text(figure: Figure) -> str:
    """Return the figure as matplotlib's SVG, text as text, without dates; the same bytes for the same figure."""
    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    with no_warnings():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save_raster(figure: Figure, path: Path) -> None:
    """Write the figure to `path`, a .png or .pdf, on white.

    Letters that the style's fonts lack are set in any installed font that has them. One that no font has would show
    as an empty box: it is written as its code point instead, in labels, titles and ticks alike.
    """
    _show_every_letter(figure)
    pdf = path.suffix == ".pdf"
    metadata = {"CreationDate": None, "Creator": None, "Producer": None} if pdf else {"Software": None}
    with no_warnings(), atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=PIXELS_PER_INCH, facecolor="#ffffff", metadata=metadata)


def _show_every_letter(figure: Figure) -> None:
    texts = [artist for artist in figure.findobj(Text) if isinstance(artist, Text)]
    # A tick's label is written anew by its axis' formatter whenever the figure is drawn.
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    ticks = [
        label
        for axis in axes
        for label in axis.get_major_formatter().format_ticks(list(axis.get_majorticklocs()))
    ]
    words = [*(text.get_text() for text in texts), *ticks]
    strange = sorted({letter for each in words for letter in each if not letter.isascii()})
    names = {letter: _font_with(letter) for letter in strange}
    spelt = {ord(letter): f"U+{ord(letter):04X}" for letter, name in names.items() if name is None}
    more = sorted({name for name in names.values() if name is not None} - set(_fonts()))
    if more:
        for text in texts:
            text.set_fontfamily([*_fonts(), *more])
        for panel in figure.axes:
            panel.tick_params(labelfontfamily=[*_fonts(), *more])
    if spelt:
        for text in texts:
            text.set_text(text.get_text().translate(spelt))
        for axis in axes:
            axis.set_major_formatter(_Spelt(axis.get_major_formatter(), spelt))


class _Spelt(Formatter):
    """A formatter's labels with letters replaced."""

    def __init__(self, inner: Formatter, letters: dict[int, str]) -> None:
        self._inner, self._letters = inner, letters

    def __call__(self, value: float, place: int | None = None) -> str:
        return self._inner(value, place).translate(self._letters)

    def format_ticks(self, values: list[float]) -> list[str]:
        return [label.translate(self._letters) for label in self._inner.format_ticks(values)]


@lru_cache(maxsize=4096)
def _font_with(letter: str) -> str | None:
    """Return the font to write a letter in: one of the style's, else the first installed one that has it, else None."""
    preferred = [font_manager.findfont(name) for name in _fonts()]
    # "Last Resort", which comes with matplotlib, has a box for every letter there is.
    known = {entry.fname for entry in font_manager.fontManager.ttflist if "Last Resort" not in entry.name}
    others = sorted(known - set(preferred))
    for path in (*preferred, *others):
        try:
            font = font_manager.get_font(path)
        except (OSError, RuntimeError):  # a damaged font file of the machine
            continue
        if font.get_char_index(ord(letter)):
            return str(font.family_name)
    return None
