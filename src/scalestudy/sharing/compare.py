"""Two studies, or two versions of one, side by side: which numbers moved, and whether beyond noise."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scalestudy import __version__
from scalestudy.files import atomic_path, write_text
from scalestudy.findings.cells import SEEDS, means_of
from scalestudy.findings.compare import corrected, verdict_of
from scalestudy.findings.model import Cell, Grid, Measure, Scalar, Test
from scalestudy.findings.study import Study, load_study
from scalestudy.report import wording
from scalestudy.report.names import Names, share_of_data
from scalestudy.report.render import environment, templates
from scalestudy.stats.estimate import Estimate, Mean, contrast
from scalestudy.topics.words import VERDICTS

Settings = Mapping[str, Scalar]
METHOD = "t test against the run-to-run spread of both studies"


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


def _title(study: Study) -> str:
    return str(study.record.get("title") or study.record["study"])


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
                ("not decided, with one run each", ("one run each", "not compared")),
                ("without a result in one of them", ("no result in A", "no result in B")),
            )
        }
        found = wording.listing([f"{count:,} {words}" for words, count in counts.items() if count])
        several = "test accuracies are" if len(numbers) != 1 else "test accuracy is"
        return f"{len(numbers):,} {several} in both: in B, {found}."


MEASURES: dict[Measure, str] = {
    "test_accuracy": "test accuracy",
    "train_eval_accuracy": "training accuracy",
    "gap": "gap",
}


def compare(folder_a: Path, folder_b: Path) -> Versus:
    """Compare two collected studies, B against A. Raises UserError where one is not collected.

    Cells are matched by their settings. A setting that has one value throughout A and another throughout B (the
    epochs of two versions, say) does not keep cells apart: it is named in `differs`. Test accuracies are tested as
    within a study, against the run-to-run spread of both, with Holm's correction over all of them.
    """
    studies = load_study(folder_a), load_study(folder_b)
    grids = studies[0].grid, studies[1].grid
    constant = _constant_differences(grids)
    cells = [{_key(cell.settings, constant): cell for cell in grid.cells.values()} for grid in grids]
    names = Names({**grids[1].titles, **grids[0].titles})
    base = {key: value for key, value in grids[0].base.settings.items() if key not in constant}
    common = [key for key in cells[0] if key in cells[1]]
    numbers = _numbers(studies, [(cells[0][key], cells[1][key]) for key in common], names, base)

    def named(place: int, other: int) -> tuple[str, ...]:
        return tuple(
            _label(cell, names, base) for key, cell in cells[place].items() if key not in cells[other]
        )

    return Versus(
        names=(str(folder_a), str(folder_b)),
        titles=(_title(studies[0]), _title(studies[1])),
        differs=tuple(
            f"{what}: {first} in A, {second} in B"
            for what, first, second in (
                *((names.setting(key), *values) for key, values in constant.items()),
                *_made_differently(studies[0].record, studies[1].record, names),
            )
        ),
        numbers=tuple(numbers),
        only_a=named(0, 1),
        only_b=named(1, 0),
    )


def _constant_differences(grids: tuple[Grid, Grid]) -> dict[str, tuple[Any, Any]]:
    """Return the settings with one value throughout A and another throughout B."""
    found = {}
    first, second = (next(iter(grid.cells.values())).settings for grid in grids)
    for key in first:
        values = [{str(cell.settings.get(key)) for cell in grid.cells.values()} for grid in grids]
        if len(values[0]) == len(values[1]) == 1 and values[0] != values[1]:
            found[key] = (first[key], second.get(key))
    return found


def _made_differently(
    a: Mapping[str, Any], b: Mapping[str, Any], names: Names
) -> Iterator[tuple[str, Any, Any]]:
    """Yield what a study's runs have in common beside their settings, where it differs: statistics, upstream stages."""
    if a.get("normalization") != b.get("normalization"):
        yield "input statistics", a.get("normalization"), b.get("normalization")
    for init in sorted(a.get("weights", {}).keys() & b.get("weights", {}).keys()):
        first, second = (each["weights"][init].get("upstream") or {} for each in (a, b))
        stages = [
            {"task": each.get("task"), "dataset": each.get("dataset"), **each.get("settings", {})}
            for each in (first, second)
        ]
        for key in stages[0]:
            if stages[0][key] != stages[1].get(key):
                yield f"{names.setting(key)} of {names.init(init)}", stages[0][key], stages[1].get(key)


def _key(settings: Settings, without: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(
            (key, str(value)) for key, value in settings.items() if key not in without and key not in SEEDS
        )
    )


def _label(cell: Cell, names: Names, base: Settings) -> str:
    """Return a cell's name, with the settings in which it differs from A's base recipe."""
    differs = [
        names.value(key, cell.settings.get(key))
        for key, value in base.items()
        if cell.settings.get(key) != value
    ]
    return ", ".join([names.model(cell.model), names.init(cell.init), share_of_data(cell.fraction), *differs])


def _numbers(
    studies: tuple[Study, Study], pairs: list[tuple[Cell, Cell]], names: Names, base: Settings
) -> list[Number]:
    means = [_means(study, name) for study, name in zip(studies, "AB", strict=True)]
    tests = corrected([_estimate(means[0].get(a.id), means[1].get(b.id)) for a, b in pairs])
    numbers = []
    for (a, b), test in zip(pairs, tests, strict=True):
        label = _label(a, names, base)
        for measure in MEASURES:
            found = a.stat(measure), b.stat(measure)
            first, second = (None if each is None else each.value for each in found)
            number = Number(label, measure, first, second, len(a.runs), len(b.runs), a.runs, b.runs)
            numbers.append(_judged(number, test, a, b) if measure == "test_accuracy" else number)
    return numbers


def _means(study: Study, name: str) -> dict[str, Mean]:
    """Return the cells' mean test accuracies with their spread; spreads of two studies are estimated apart."""
    found = means_of(study.grid, study.values("test_accuracy"))
    return {cell: replace(mean, pool=f"{name} {mean.pool}") for cell, mean in found.items()}


def _estimate(a: Mean | None, b: Mean | None) -> Estimate | None:
    return None if a is None or b is None else contrast(((-1.0, a), (1.0, b)))


def _judged(number: Number, test: Test | None, a: Cell, b: Cell) -> Number:
    """Return the number with the verdict of its test."""
    if number.difference is None:
        return replace(number, verdict="no result in A" if number.n_b else "no result in B")
    if math.isclose(number.difference, 0, abs_tol=1e-12):
        return replace(number, verdict="the same")
    verdict = VERDICTS[verdict_of(number.difference, test, a, b)]
    if test is None:
        return replace(number, verdict=verdict)
    return replace(number, low=test.low, high=test.high, p_holm=test.p_holm, verdict=verdict, method=METHOD)


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
