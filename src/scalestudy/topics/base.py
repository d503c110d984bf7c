"""What a topic is made of: its card, and what its parts hand on. Imports nothing heavy.

A topic is a folder with up to four parts:

    find.py   pairs(study) -> the pairs of cells that it compares; find(study) -> its finding, typed; no words
    say.py    say(findings) -> Said: its sentences, chosen by the findings' readings
    draw.py   one function per figure of its card, named like it: Inputs -> Sheet
    show.py   show(page) -> Section, or None where there is nothing to say
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from scalestudy.findings.model import Evidence

NO_EVIDENCE = Evidence()


@dataclass(frozen=True)
class Planned:
    """What is known of a study before anything is trained: each setting's values, and whether it has references."""

    values: Mapping[str, frozenset[str]]
    references: bool

    @staticmethod
    def of(study: Mapping[str, Any]) -> "Planned":
        """Return what the content of study.json (its `runs` with `settings`, its `references`) plans."""
        settings = [run["settings"] for run in study["runs"]]
        keys = settings[0] if settings else {}
        values = {key: frozenset(str(each.get(key)) for each in settings) for key in keys}
        return Planned(values, bool(study.get("references")))

    def several(self, key: str) -> bool:
        """Return whether a setting has more than one value."""
        return len(self.values.get(key, ())) > 1

    @property
    def sizes(self) -> int:
        """The number of training-set sizes."""
        return len({Fraction(value) for value in self.values.get("fraction", ())})

    @property
    def pretrained(self) -> bool:
        """Whether runs from scratch stand beside others."""
        return self.several("init") and "none" in self.values["init"]


def always(planned: Planned) -> bool:
    """Every study has the figure."""
    return True


@dataclass(frozen=True)
class FigureCard:
    """A figure that a report can have, and the studies that have it (by their plan alone)."""

    name: str
    title: str
    applies: Callable[[Planned], bool] = always


@dataclass(frozen=True)
class Topic:
    """A topic's card: its name (its folder's, and its field of `Findings`) and its figures in order."""

    name: str
    figures: tuple[FigureCard, ...] = ()

    def part(self, name: Literal["find", "say", "draw", "show"]) -> ModuleType:
        """Return one part of the topic, imported only now: the workflow asks for cards at each start."""
        return import_module(f"scalestudy.topics.{self.name}.{name}")


@dataclass(frozen=True)
class Sentence:
    """A finished sentence with what it rests on, and the figures and tables that show it.

    A sentence that counts or generalises ("in all six", "in two of six") does so over the differences of its
    evidence; a test holds every such sentence against them.
    """

    text: str
    evidence: Evidence = NO_EVIDENCE
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """A topic's sentences.

    `lead` for the head of the section, `answer` for the first screen (None: the lead), `synthesis` the one short
    paragraph that a discussion opens with, `points` for the section (at most five of a kind), `details` to fold away.
    """

    lead: tuple[Sentence, ...] = ()
    answer: tuple[Sentence, ...] | None = None
    synthesis: tuple[Sentence, ...] = ()
    points: tuple[Sentence, ...] = ()
    details: tuple[Sentence, ...] = ()

    @property
    def everything(self) -> tuple[Sentence, ...]:
        """All sentences."""
        return (*self.lead, *(self.answer or ()), *self.synthesis, *self.points, *self.details)
