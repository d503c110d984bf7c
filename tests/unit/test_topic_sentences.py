"""What holds of every topic's sentences, over random studies: they are short, and true of their evidence."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import Settings, answers, made_findings
from quantifiers import check

from scalestudy.topics import TOPICS
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings

MOST_WORDS = 30
MOST_WORDS_OF_A_LEAD = 25


def said(findings: Findings) -> list[tuple[str, Said]]:
    return [(topic.name, topic.part("say").say(findings)) for topic in TOPICS]


REPORTED = [
    {"model": model, "init": init, "fraction": "1", "test_accuracy": 0.5}
    for model in ("resnet18", "resnet50")
    for init in ("none", "glyphs")
]


@dataclass(frozen=True)
class Case:
    """A study whose factors act at random: helping, hurting or neither, differently on each cell, with gaps in it."""

    seed: int
    runs: int
    spread: float
    effect: float
    lost: float
    models: tuple[str, ...]
    inits: tuple[str, ...]
    fractions: tuple[str, ...]
    recipes: tuple[Settings, ...]
    unequal: bool
    predicted: bool

    def findings(self) -> Findings:
        """Return the findings of the study."""
        rng = np.random.default_rng(self.seed)
        cells: dict[str, tuple[float, int]] = {}

        def of_cell(own: Settings) -> tuple[float, int]:
            key = repr([own[name] for name in ("model", "init", "fraction", "batch_size")])
            if key not in cells:
                runs = int(rng.integers(1, self.runs + 1)) if self.unequal else self.runs
                cells[key] = (self.effect * float(rng.standard_normal()), runs)
            return cells[key]

        return made_findings(
            lambda own: float(
                np.clip(0.5 + of_cell(own)[0] + self.spread * rng.standard_normal(), 0.05, 0.85)
            ),
            models=self.models,
            inits=self.inits,
            fractions=self.fractions,
            seeds=lambda own: range(of_cell(own)[1]),
            missing=lambda own: bool(rng.random() < self.lost),
            recipes=self.recipes,
            predictions=answers if self.predicted else None,
            references=[{"title": "Reported", "rows": REPORTED}] if self.predicted else (),
        )


STUDIES = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    runs=st.sampled_from([3, 1, 2, 5]),
    spread=st.sampled_from([0.01, 0.002, 0.05]),
    effect=st.sampled_from([0.1, 0.0, 0.02]),
    lost=st.sampled_from([0.0, 0.2, 0.6]),
    models=st.sampled_from([("resnet18", "resnet50"), ("resnet18",), ("resnet18", "resnet34", "resnet50")]),
    inits=st.sampled_from([("none", "glyphs"), ("none",), ("glyphs",), ("none", "glyphs", "IMAGENET1K_V1")]),
    fractions=st.sampled_from(
        [("1/16", "1/2", "1"), ("1",), ("1/16", "1"), ("1/16", "1/8", "1/4", "1/2", "1")]
    ),
    recipes=st.sampled_from(
        [({},), ({}, {"batch_size": 256}), ({}, {"batch_size": 256}, {"optimizer": "sgd"})]
    ),
    unequal=st.booleans(),
    predicted=st.booleans(),
)


@settings(max_examples=80, deadline=None)
@given(STUDIES)
def test_sentences_are_true_of_their_evidence_and_short_in_any_study(case: Case) -> None:
    findings = case.findings()
    for name, own in said(findings):
        for sentence in own.everything:
            check(sentence, findings)
            assert len(sentence.text.split()) <= MOST_WORDS, (name, sentence.text)
            assert sentence.text[0].isupper() or sentence.text[0].isdigit(), sentence.text
            assert sentence.text.endswith((".", "!", "?")), sentence.text
            assert not {"nan", "None", "inf"} & set(sentence.text.replace(",", " ").split()), sentence.text
            assert sentence.evidence.cells or sentence.evidence.differences or sentence.tables, sentence.text
        for sentence in (*own.lead, *(own.answer or ())):
            assert len(sentence.text.split()) <= MOST_WORDS_OF_A_LEAD, (name, sentence.text)


def test_a_sentence_that_says_more_than_its_evidence_is_found_out() -> None:
    rng = np.random.default_rng(1)
    gains = {"1/16": 0.1, "1/2": 0.1, "1": -0.1}
    findings = made_findings(
        lambda own: (
            0.5
            + (gains[own["fraction"]] if own["init"] == "glyphs" else 0.0)
            + 0.002 * float(rng.standard_normal())
        )
    )
    (claim,) = findings.weights.balance
    honest = Sentence("Higher in four and lower in two of six pairs.", claim.evidence)
    assert check(honest, findings)
    for text in (
        "Models beat those from scratch in all six pairs.",
        "Higher in five and lower in one of six pairs.",
        "Higher in four of six pairs.",
        "Higher in four, lower in one and undecided in one of six pairs.",
        "Undecided in all six pairs.",
        "They help everywhere.",
        "No model gains.",
    ):
        with pytest.raises(AssertionError):
            check(Sentence(text, claim.evidence), findings)
