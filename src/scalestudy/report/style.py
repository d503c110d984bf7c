"""The one look of all figures: colours, line styles, markers, type, and how a figure becomes SVG, PNG and PDF.

Models are told apart by colour, initial weights by line style and marker, everywhere. The colours keep apart for
colour-blind readers (blue against vermilion first), differ in lightness for print in grey, and have a contrast of
at least 4.5 to 1 against white, so that labels can carry them. In the page each becomes a CSS variable, which is
how the same SVG is right in light and dark.
"""

import io
import logging
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text

from scalestudy.files import atomic_path

INK = "#21262c"
MUTED = "#5f6871"
GRID = "#e4e7ea"
FAINT = "#b9c0c6"
PAPER = "#fffffe"  # not quite white: told apart from a white that belongs to an image
GOOD = "#17653b"
BAD = "#a3241d"
MODELS = ("#16498a", "#c24e0a", "#0a755c", "#8a3b96", "#8a6100", "#b3266b", "#0d7480", "#5c3a1e")

# Colour -> CSS variable of the page (templates/report.css sets both themes).
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    FAINT: "--faint",
    PAPER: "--paper",
    GOOD: "--good",
    BAD: "--bad",
    **{colour: f"--model-{number}" for number, colour in enumerate(MODELS, 1)},
}

# Line styles are written in points, so that they do not depend on the width of the line.
INITS = (
    ((0, (4, 2.2)), "o"),
    ((0, ()), "s"),
    ((0, (1, 1.6)), "^"),
    ((0, (6, 2, 1, 2)), "D"),
    ((0, (8, 2)), "v"),
    ((0, (2, 1, 1, 1, 1, 1)), "P"),
)

WIDTH = 8.6  # inches of a full-width figure: 619 points, shown at up to 860 CSS pixels
SMALL, BODY, TITLE = 7.0, 7.8, 8.6  # type sizes in points
PIXELS_PER_INCH = 200

# Fonts that have the letters that DejaVu Sans lacks, tried in this order where they are installed.
_FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Droid Sans Fallback", "IPAexGothic", "IPAGothic", "Hiragino Sans", "PingFang SC",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari",
)  # fmt: skip

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
    "path.simplify": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "scalestudy",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Look:
    """How one series is drawn: the model's colour, the line style and marker of its initial weights."""

    colour: str
    line: tuple[int, tuple[float, ...]]
    marker: str
    hollow: bool

    @property
    def face(self) -> str:
        """Return the marker's fill."""
        return PAPER if self.hollow else self.colour


class Looks:
    """The looks of a study's series: the same in every figure, because they depend on the study's axes alone."""

    def __init__(self, models: list[str], inits: list[str]) -> None:
        self.models = list(models)
        self.inits = list(inits)

    def colour(self, model: str) -> str:
        """Return the model's colour."""
        return MODELS[self.models.index(model) % len(MODELS)] if model in self.models else INK

    def of(self, model: str, init: str) -> Look:
        """Return the look of a model with its initial weights. The first init, `none`, has hollow markers."""
        place = self.inits.index(init) if init in self.inits else 0
        # A study of one init needs no dashes.
        line, marker = INITS[(place if len(self.inits) > 1 else 1) % len(INITS)]
        return Look(self.colour(model), line, marker, hollow=len(self.inits) > 1 and place == 0)


def apply() -> None:
    """Set matplotlib's defaults to this style."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(RC)
    matplotlib.rcParams["font.family"] = _fonts()
    for name in ("matplotlib.font_manager", "matplotlib.category"):
        logging.getLogger(name).setLevel(logging.ERROR)


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    known = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in known)]


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = BODY, bold: bool = False) -> float:
    """Return the width of `text` in points, set in the figures' font (the widest line of several)."""
    figure = Figure(dpi=72)
    renderer = FigureCanvasAgg(figure).get_renderer()
    properties = font_manager.FontProperties(size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return max(
            float(renderer.get_text_width_height_descent(line, properties, ismath=False)[0])
            for line in text.split("\n")
        )


def svg_text(figure: Figure) -> str:
    """Return the figure as matplotlib's SVG, text as text, without dates; the same bytes for the same figure."""
    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save_raster(figure: Figure, path: Path) -> None:
    """Write the figure to `path`, a .png or .pdf, on white.

    A letter that no installed font has would show as an empty box: it is written as its code point instead.
    """
    _spell_out_missing_letters(figure)
    pdf = path.suffix == ".pdf"
    (FigureCanvasPdf if pdf else FigureCanvasAgg)(figure)
    metadata = {"CreationDate": None, "Creator": None, "Producer": None} if pdf else {"Software": None}
    with warnings.catch_warnings(), atomic_path(path) as temporary:
        warnings.simplefilter("ignore")
        figure.savefig(temporary, dpi=PIXELS_PER_INCH, facecolor="#ffffff", metadata=metadata)


def _spell_out_missing_letters(figure: Figure) -> None:
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        text = artist.get_text()
        if not text.isascii() and (spelt := "".join(map(_visible, text))) != text:
            artist.set_text(spelt)


@lru_cache(maxsize=4096)
def _visible(letter: str) -> str:
    """Return the letter, or `U+732B` where no font of the style has it."""
    if letter.isascii():
        return letter
    for name in _fonts():
        font = font_manager.get_font(font_manager.findfont(name))
        if font.get_char_index(ord(letter)):
            return letter
    return f"U+{ord(letter):04X}"
