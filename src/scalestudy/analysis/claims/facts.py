"""What the sentences are made of: look-ups in the findings, and verdicts in words with their basis."""

from collections.abc import Iterable, Sequence
from typing import Any

from scalestudy.analysis.labels import share_of_data
from scalestudy.analysis.words import (
    capitalised,
    counted,
    listing,
    number_word,
    point_range,
    points,
    signed_points,
    thousands,
)

Json = dict[str, Any]
MOST_CLAUSES = 8  # a sentence with more clauses gives their tally instead: the table has each of them
VERDICTS = ("higher", "lower", "not distinguishable", "not compared")


class Facts:
    """Read access to findings.json by the questions that sentences ask."""

    def __init__(self, findings: Json) -> None:
        self.all = findings
        self.cells: dict[str, Json] = findings["cells"]

    def cell(self, name: str) -> Json:
        """Return a cell by its id."""
        return self.cells[name]

    def difference(self, name: str) -> Json:
        """Return a difference by its id."""
        found: Json = self.all["differences"][name]
        return found

    def accuracy(self, name: str) -> float:
        """Return a cell's mean test accuracy."""
        value: float = self.cells[name]["test_accuracy"]["value"]
        return value

    def model(self, name: str) -> str:
        """Return a model's title."""
        return str(self.all["labels"]["model"][name])

    def init(self, name: str) -> str:
        """Return initial weights in words: `from scratch`, `pretrained on ...`."""
        return str(self.all["labels"]["init"][name])

    def series(self, cell: str) -> str:
        """Return model and initial weights of a cell."""
        found = self.cells[cell]
        return f"{self.model(found['model'])} {self.init(found['init'])}"

    def data(self, cell: str) -> str:
        """Return a cell's share of the data, with its number of images where known."""
        found = self.cells[cell]
        if found["train_images"]:
            return f"{share_of_data(found['fraction'])} ({found['train_images']:,} images)"
        return share_of_data(found["fraction"])

    def recipe(self, cell: str) -> str:
        """Return how a cell's recipe differs from the base recipe, `base recipe` where it does not."""
        group = next(each for each in self.all["groups"] if each["id"] == self.cells[cell]["group"])
        return "the base recipe" if not group["differs"] else str(group["label"])

    def base_cells(self) -> list[str]:
        """Return the ids of the base cells with a result."""
        names = next(each["cells"] for each in self.all["groups"] if each["id"] == "g0")
        return [name for name in names if self.cells[name]["n"]]

    def mean(self, cells: Sequence[str], measure: str) -> float:
        """Return the mean of a measure over cells."""
        values: list[float] = [self.cells[name][measure]["value"] for name in cells]
        return sum(values) / len(values)


def claim(
    facts: Facts,
    name: str,
    text: str,
    cells: Iterable[str],
    figures: Sequence[str] = (),
    tables: Sequence[str] = (),
) -> Json:
    """Return a claim with its evidence; the run names are those of its cells."""
    used = list(dict.fromkeys(cells))
    runs = dict.fromkeys(run for cell in used for run in facts.cell(cell)["runs"])
    return {
        "id": name,
        "text": text,
        "cells": used,
        "figures": list(figures),
        "tables": list(tables),
        "runs": list(runs),
    }


def cells_of(differences: Iterable[Json]) -> list[str]:
    """Return the cells that differences rest on."""
    return [cell for each in differences for cell in (each["a"], each["b"])]


def tally(differences: Sequence[Json]) -> dict[str, int]:
    """Return how many differences have which verdict."""
    return {word: sum(each["verdict"] == word for each in differences) for word in VERDICTS}


def tally_text(differences: Sequence[Json], noun: str = "comparison", plural: str = "") -> str:
    """Return a tally in words: `lower in all six comparisons`, `higher in three and lower in two of ...`."""
    counts = {word: count for word, count in tally(differences).items() if count}
    total = len(differences)
    nouns = noun if total == 1 else plural or f"{noun}s"
    if len(counts) == 1:
        word = next(iter(counts))
        if total == 1:
            return f"{word} in the one {noun}"
        return f"{word} in {'both' if total == 2 else f'all {number_word(total)}'} {nouns}"
    parts = [f"{word} in {number_word(count)}" for word, count in counts.items()]
    return f"{listing(parts)} of {number_word(total)} {nouns}"


def short(difference: Json) -> str:
    """Return a verdict without its method: `higher by 3.1 points (95 % interval 2.2 to 4.0)`."""
    verdict, value, low, high = (difference[key] for key in ("verdict", "value", "low", "high"))
    if verdict == "not compared":
        return f"not compared ({signed_points(value)})"
    if verdict == "not distinguishable":
        # The intervals are those of single comparisons, the verdict is corrected for their number.
        note = " before the correction" if low * high > 0 else ""
        return f"not distinguishable ({signed_points(value)}, 95 % interval {point_range(low, high)}{note})"
    if verdict == "lower":
        low, high = -high, -low
    return f"{verdict} by {points(value)} (95 % interval {point_range(low, high)})"


def on_each_fraction(rows: Sequence[Json], differences: Sequence[Json], brief: bool) -> str:
    """Return `on 1/16 of the data higher by … and on all data …` for rows with a fraction; where `brief`, a tally."""
    if brief:
        return f"{tally_text(differences)}{span_of_decided(differences)}"
    return listing(
        [
            f"on {share_of_data(row['fraction'])} {short(each)}"
            for row, each in zip(rows, differences, strict=True)
        ]
    )


def basis(differences: Sequence[Json]) -> str:
    """Return on what the verdicts rest, with the kind of noise: never silent about single runs."""
    methods = {each["method"] for each in differences}
    seeds = sorted({each["n"] for each in differences if each["method"] == "paired_t"})
    parts = []
    if "paired_t" in methods:
        parts.append(f"paired t over {listing([str(n) for n in seeds])} seeds")
    if "welch_t" in methods:
        parts.append("Welch's t over seeds")
    if "mcnemar" in methods:
        parts.append("exact McNemar tests on single runs: test-sampling error only, not seeds")
    if "none" in methods:
        parts.append("untested" if methods == {"none"} else "some untested")
    if len(differences) > 1 and methods - {"none"}:
        parts.append("Holm-corrected")
    return "; ".join(parts)


def tests(differences: Sequence[Json]) -> str:
    """Return the basis as a sentence of its own: `Tests: paired t over 3 seeds; Holm-corrected.`"""
    return f"Tests: {basis(differences)}."


def span(differences: Sequence[Json]) -> str:
    """Return the range of absolute differences: `by 3.1 points` or `by 3.1 to 21.0 points`."""
    sizes = sorted(abs(each["value"]) for each in differences)
    if points(sizes[0]) == points(sizes[-1]):
        return f"by {points(sizes[0])}"
    return f"by {point_range(sizes[0], sizes[-1])} points"


def half_width(difference: Json) -> float | None:
    """Return half the width of a difference's interval; None without one."""
    if difference["low"] is None or difference["high"] is None:
        return None
    return float(difference["high"] - difference["low"]) / 2


def change_of(first: Json, second: Json) -> tuple[float, bool | None]:
    """Return by how much a second difference exceeds a first, and whether beyond both intervals' noise.

    The half-widths are combined in quadrature, as for independent estimates (Schenker and Gentleman 2001, On
    judging the significance of differences by examining the overlap between confidence intervals, The
    American Statistician 55); None where one has no interval.
    """
    change = float(second["value"] - first["value"])
    left, right = half_width(first), half_width(second)
    if left is None or right is None:
        return change, None
    return change, abs(change) > float((left**2 + right**2) ** 0.5)


def sentence(*parts: str) -> str:
    """Return parts as one sentence: joined, with a capital and a full stop."""
    text = " ".join(part.strip() for part in parts if part.strip())
    return capitalised(text if text.endswith(".") else f"{text}.")


def ends_of(facts: Facts) -> list[Json]:
    """Return the differences between the largest and the smallest fraction of each base series."""
    return [facts.difference(each["difference"]) for each in facts.all["data_size"].get("ends", [])]


def budget_clause(facts: Facts) -> str:
    """Return what else changed with the data: never let a sentence credit data alone at equal epochs."""
    base = facts.base_cells()
    steps = {facts.cell(name)["fraction"]: facts.cell(name)["steps"] for name in base}
    fractions = [each for each in facts.all["axes"]["fraction"] if steps.get(each)]
    if len(fractions) < 2:
        return ""
    few, many = steps[fractions[0]], steps[fractions[-1]]
    if few == many:
        return f"every subset got the same {thousands(few)} optimizer steps"
    epochs = counted(facts.cell(base[0])["epochs"], "epoch")
    return (
        f"at {epochs} each, the optimizer steps differ too ({thousands(few)} against {thousands(many)}), so "
        "data and steps change together"
    )


def pairs_of_models(facts: Facts, init: str | None = None) -> list[Json]:
    """Return the differences of larger models against the smallest, at equal weights and data."""
    return [
        facts.difference(each["difference"])
        for each in facts.all["model_size"]["pairs"]
        if init is None or each["init"] == init
    ]


def gains_of(facts: Facts, init: str) -> list[Json]:
    """Return the differences of pretrained against from-scratch cells, at equal model and data."""
    return [
        facts.difference(each["difference"])
        for each in facts.all["transfer"]["gains"]
        if each["init"] == init
    ]


def span_of_decided(differences: Sequence[Json]) -> str:
    """Return `, by 2.5 to 7.0 points` where all verdicts are the same direction."""
    counts = tally(differences)
    if counts["higher"] == len(differences) or counts["lower"] == len(differences):
        return f", {span(differences)}"
    return ""


def gain_by_fraction(facts: Facts, init: str) -> list[tuple[str, float]]:
    """Return the mean gain on each fraction on which every model with gains has one."""
    rows = [each for each in facts.all["transfer"]["gains"] if each["init"] == init]
    models = {each["model"] for each in rows}
    found = []
    for fraction in facts.all["axes"]["fraction"]:
        values = [
            facts.difference(each["difference"])["value"] for each in rows if each["fraction"] == fraction
        ]
        if len(values) == len(models):
            found.append((fraction, sum(values) / len(values)))
    return found


def change_word(change: float) -> str:
    """Return what a size does, half a point or less counting as no change."""
    return "shrinks" if change < -0.005 else ("grows" if change > 0.005 else "stays the same")


def why_unfitted(series: Sequence[Json]) -> str:
    """Return each reason once: `not fitted: ...; ...`."""
    reasons = dict.fromkeys(each["fit"]["reason"].removeprefix("not fitted: ") for each in series)
    few = [reason for reason in reasons if "needs at least" in reason]
    if len(few) > 1:
        shared = few[0].rpartition("; ")[0]
        counts = sorted({len(each["points"]) for each in series if "needs at least" in each["fit"]["reason"]})
        others = [reason for reason in reasons if reason not in few]
        reasons = dict.fromkeys([f"{shared}; here are {counts[0]} to {counts[-1]}", *others])
    return f"not fitted: {'; '.join(reasons)}"
