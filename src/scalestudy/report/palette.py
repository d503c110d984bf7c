"""The colours, line styles and markers of all figures, without matplotlib.

Models are told apart by colour, initial weights by line style and marker, everywhere. The colours keep apart for
colour-blind readers (blue against vermilion first), differ in lightness for print in grey, and have a contrast of
at least 4.5 to 1 against white, so that labels can carry them. In the page each becomes a CSS variable, which is
how the same SVG is right in light and dark.
"""

from dataclasses import dataclass

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

# Line styles are written in points, so that they do not depend on the width of the line. The second marker is for the
# models after the eighth, whose colours come round again.
INITS = (
    ((0, (4, 2.2)), "op"),
    ((0, ()), "s*"),
    ((0, (1, 1.6)), "^X"),
    ((0, (6, 2, 1, 2)), "Dd"),
    ((0, (8, 2)), "v<"),
    ((0, (2, 1, 1, 1, 1, 1)), "Ph"),
)


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
        line, markers = INITS[(place if len(self.inits) > 1 else 1) % len(INITS)]
        again = model in self.models and self.models.index(model) // len(MODELS) % 2 == 1
        return Look(self.colour(model), line, markers[again], hollow=len(self.inits) > 1 and place == 0)
