"""Two studies, or two versions of one, side by side: which numbers moved, and whether beyond noise."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scalestudy import __version__
from scalestudy.analysis.cells import SEEDS, Cell, Grid, make_grid
from scalestudy.analysis.comparisons import Comparison, compare_cells, difference_json, holm
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.load import StudyData, load_study
from scalestudy.files import atomic_path, write_text
from scalestudy.report import wording
from scalestudy.report.render import environment, templates

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Number:
    """One number of both studies: B minus A, tested where that is possible."""

    label: str
    measure: str
    a: float | None
    b: float | None
    n_a: int
    n_b: int
    runs_a: tuple[str, ...]
    runs_b: tuple[str, ...]
    low: float | None = None
    high: float | None = None
    p_holm: float | None = None
    verdict: str = "not tested"
    method: str = ""

    @property
    def difference(self) -> float | None:
        """B minus A."""
        return None if self.a is None or self.b is None else self.b - self.a


@dataclass(frozen=True)
class Versus:
    """What two studies have in common, what moved, and what only one of them has."""

    names: tuple[str, str]
    titles: tuple[str, str]
    differs: tuple[str, ...]
    numbers: tuple[Number, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    def of(self, measure: str) -> list[Number]:
        """Return the numbers of one measure."""
        return [number for number in self.numbers if number.measure == measure]

    @property
    def summary(self) -> str:
        """One sentence: how many test accuracies moved, and how many beyond noise."""
        numbers = self.of("test_accuracy")
        if not numbers:
            return "The two have no result in common."
        counts = {
            words: sum(number.verdict in verdicts for number in numbers)
            for words, verdicts in (
                ("higher beyond noise", ("higher",)),
                ("lower beyond noise", ("lower",)),
                ("not distinguishable", ("not distinguishable",)),
                ("the same", ("the same",)),
                ("not compared", ("not compared",)),
                ("without a result in one of them", ("no result in A", "no result in B")),
            )
        }
        found = wording.listing([f"{count:,} {words}" for words, count in counts.items() if count])
        several = "test accuracies are" if len(numbers) != 1 else "test accuracy is"
        return f"{len(numbers):,} {several} in both: in B, {found}."


MEASURES = {"test_accuracy": "test accuracy", "train_accuracy": "training accuracy", "gap": "gap"}


def compare(folder_a: Path, folder_b: Path) -> Versus:
    """Compare two collected studies, B against A. Raises UserError where one is not collected.

    Cells are matched by their settings. A setting that has one value throughout A and another throughout B (the
    epochs of two versions, say) does not keep cells apart: it is named in `differs`. Test accuracies are tested as
    within a study (paired t over common seeds, Welch's t, exact McNemar for single runs on the same test images),
    with Holm's correction over all of them.
    """
    data = load_study(folder_a), load_study(folder_b)
    grids = make_grid(data[0]), make_grid(data[1])
    constant = _constant_differences(grids)
    cells = [{_key(cell.settings, constant): cell for cell in grid.cells} for grid in grids]
    labels = Labels({**data[1].study.get("weights", {}), **data[0].study.get("weights", {})})
    base = {key: value for key, value in grids[0].base.settings.items() if key not in constant}
    common = [key for key in cells[0] if key in cells[1]]
    numbers = _numbers(data, [(cells[0][key], cells[1][key]) for key in common], labels, base)

    def named(place: int, other: int) -> tuple[str, ...]:
        return tuple(
            _label(cell, labels, base) for key, cell in cells[place].items() if key not in cells[other]
        )

    return Versus(
        names=(str(folder_a), str(folder_b)),
        titles=(str(data[0].study["title"]), str(data[1].study["title"])),
        differs=tuple(
            f"{labels.setting(key)}: {first} in A, {second} in B" for key, (first, second) in constant.items()
        ),
        numbers=tuple(numbers),
        only_a=named(0, 1),
        only_b=named(1, 0),
    )


def _constant_differences(grids: tuple[Grid, Grid]) -> dict[str, tuple[Any, Any]]:
    """Return the settings with one value throughout A and another throughout B."""
    found = {}
    for key in grids[0].cells[0].settings:
        values = [{str(cell.settings.get(key)) for cell in grid.cells} for grid in grids]
        if len(values[0]) == len(values[1]) == 1 and values[0] != values[1]:
            found[key] = (grids[0].cells[0].settings[key], grids[1].cells[0].settings.get(key))
    return found


def _key(settings: Settings, without: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(
            (key, str(value)) for key, value in settings.items() if key not in without and key not in SEEDS
        )
    )


def _label(cell: Cell, labels: Labels, base: Settings) -> str:
    """Return a cell's name, with the settings in which it differs from A's base recipe."""
    share = "all data" if cell.fraction == "1" else cell.fraction
    differs = {key: cell.settings.get(key) for key, value in base.items() if cell.settings.get(key) != value}
    words = [labels.model(cell.model), labels.init(cell.init), share, labels.describe(differs)]
    return ", ".join(filter(None, words))


def _numbers(
    data: tuple[StudyData, StudyData], pairs: list[tuple[Cell, Cell]], labels: Labels, base: Settings
) -> list[Number]:
    tests = [compare_cells(data[0], a, b, data[1]) for a, b in pairs]
    tested = iter(holm([test.p for test in tests if test is not None and test.p is not None]))
    numbers = []
    for (a, b), test in zip(pairs, tests, strict=True):
        label = _label(a, labels, base)
        runs = tuple(run.name for run in a.runs), tuple(run.name for run in b.runs)
        for measure in MEASURES:
            values = (a.gap, b.gap) if measure == "gap" else (a.mean(measure), b.mean(measure))
            number = Number(label, measure, *values, len(a.runs), len(b.runs), *runs)
            if measure == "test_accuracy":
                number = _judged(number, test, tested)
            numbers.append(number)
    return numbers


def _judged(number: Number, test: Comparison | None, adjusted: Iterator[float]) -> Number:
    """Return the number with the verdict of its test."""
    if test is None:
        return replace(number, verdict="no result in A" if number.n_b else "no result in B")
    p_holm = next(adjusted) if test.p is not None else None
    found = difference_json("", "", "", test, p_holm, 1)
    if (
        test.method == "mcnemar" and max(number.n_a, number.n_b) > 1
    ):  # an interval of one run is not one of the means
        found |= {"low": None, "high": None, "method_text": f"{found['method_text']}, on one run of each"}
    same = number.difference is not None and math.isclose(number.difference, 0, abs_tol=1e-12)
    verdict = "the same" if same and (test.p is None or test.discordant == (0, 0)) else found["verdict"]
    return replace(
        number,
        low=found["low"],
        high=found["high"],
        p_holm=p_holm,
        verdict=verdict,
        method=found["method_text"],
    )


def write_csv(versus: Versus, path: Path) -> None:
    """Write every compared number as one row of a CSV; accuracies are proportions."""
    columns = ("setting", "measure", "a", "b", "difference", "low", "high", "p_holm", "verdict", "method")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*columns, "n_a", "n_b", "runs_a", "runs_b"))
        for number in versus.numbers:
            row = (
                number.label,
                number.measure,
                number.a,
                number.b,
                number.difference,
                number.low,
                number.high,
            )
            tested = (number.p_holm, number.verdict, number.method, number.n_a, number.n_b)
            writer.writerow((*row, *tested, " ".join(number.runs_a), " ".join(number.runs_b)))


def lines(versus: Versus) -> list[str]:
    """Return the comparison as lines of plain text: the summary, then the test accuracies, moved ones first."""
    found = [f"A: {versus.titles[0]} ({versus.names[0]})", f"B: {versus.titles[1]} ({versus.names[1]})"]
    found += [f"differs throughout: {'; '.join(versus.differs)}"] if versus.differs else []
    found += ["", versus.summary, ""]
    numbers = sorted(versus.of("test_accuracy"), key=lambda number: number.verdict not in ("higher", "lower"))
    width = max((wording.width(number.label) for number in numbers), default=0)
    for number in numbers:
        bounds = (
            f" ({wording.bare_point_range(number.low, number.high)})"
            if number.low is not None and number.high is not None
            else ""
        )
        moved = f"{wording.bare_points(number.difference)}{bounds}" if number.difference is not None else ""
        label = number.label + " " * (width - wording.width(number.label))
        values = (
            f"{wording.bare_percent(number.a):>5} -> {wording.bare_percent(number.b):>5} %"
            f"  n = {number.n_a}, {number.n_b}"
        )
        found.append(f"{label}  {values}  {moved}  {number.verdict}".rstrip())
    for name, labels in (("A", versus.only_a), ("B", versus.only_b)):
        if labels:
            found += ["", f"only in {name}: {len(labels):,}", *(f"  {label}" for label in labels)]
    return found


def write_html(versus: Versus, path: Path) -> None:
    """Write the comparison as one short page that asks nothing of the outside."""
    place = templates()
    template = environment(place).get_template("compare.html.j2")
    style = Markup((place / "report.css").read_text(encoding="utf-8"))
    words = {"percent": wording.bare_percent, "points": wording.bare_points, "p_value": wording.p_value}
    write_text(
        path, template.render(versus=versus, measures=MEASURES, style=style, version=__version__, **words)
    )
