"""Cells (runs that differ in nothing but their seeds) and groups of cells (that share a recipe)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from scalestudy.analysis.intervals import stat
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.load import Run, StudyData
from scalestudy.analysis.words import counted, percent, share_range

SEEDS = ("seed", "subset_seed")
AXES = ("model", "init", "fraction")
_PROPORTIONS = ("test_accuracy", "train_accuracy", "train_eval_accuracy", "validation_accuracy")
_MEASURES = (
    "test_loss",
    "train_loss",
    "train_seconds",
    "total_seconds",
    "images_per_second",
    "peak_memory_mb",
)
_COUNTS = ("train_images", "images_seen", "batches_per_epoch")


@dataclass
class Cell:
    """The replicates of one point of the study: `planned` all of them, `runs` the complete ones, by seed."""

    settings: Mapping[str, Any]
    planned: list[Run] = field(default_factory=list)
    id: str = ""
    group: str = ""
    train_images: int | None = None

    @cached_property
    def runs(self) -> list[Run]:
        """The complete runs."""
        return [run for run in self.planned if run.complete]

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.settings["model"])

    @property
    def init(self) -> str:
        """The name of the initial weights."""
        return str(self.settings["init"])

    @property
    def fraction(self) -> str:
        """The exact fraction of the training set, as text."""
        return str(self.settings["fraction"])

    @property
    def number(self) -> float:
        """The fraction as a number."""
        return float(Fraction(self.fraction))

    def mean(self, measure: str) -> float | None:
        """Return the mean of a column of results.csv over the complete runs; None without any."""
        values = [run.values[measure] for run in self.runs if measure in run.values]
        return sum(values) / len(values) if values else None

    @property
    def accuracy(self) -> float | None:
        """The mean test accuracy of the last epoch."""
        return self.mean("test_accuracy")

    @property
    def gap(self) -> float | None:
        """The mean of training minus test accuracy of the last epoch."""
        train, test = self.mean("train_eval_accuracy"), self.accuracy
        return None if train is None or test is None else train - test


@dataclass
class Group:
    """Cells that share every setting but model, initial weights, fraction and seeds."""

    settings: Mapping[str, Any]
    cells: list[Cell] = field(default_factory=list)
    id: str = ""
    differs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """All cells of a study in order, its groups (the base recipe's first), and the order of the axes."""

    cells: list[Cell]
    groups: list[Group]
    models: list[str]
    inits: list[str]
    fractions: list[str]

    @property
    def base(self) -> Group:
        """The group of the base recipe."""
        return self.groups[0]

    def series(self, group: Group) -> list[tuple[str, str, list[Cell]]]:
        """Return the cells of a group by model and initial weights, each series by growing fraction."""
        found = []
        for model in self.models:
            for init in self.inits:
                cells = [cell for cell in group.cells if (cell.model, cell.init) == (model, init)]
                if cells:
                    found.append((model, init, cells))
        return found

    def find(self, group: Group, model: str, init: str, fraction: str) -> Cell | None:
        """Return the one cell of a group at a point, None where it is not planned."""
        for cell in group.cells:
            if (cell.model, cell.init, cell.fraction) == (model, init, fraction):
                return cell
        return None


def make_grid(data: StudyData) -> Grid:
    """Return the study's cells and groups.

    The base group is the first whose settings equal study.json's recipe, else the one with most cells.
    Models are in the order of their parameter counts where known, initial weights with "none" first,
    fractions ascending.
    """
    cells: dict[str, Cell] = {}
    groups: dict[str, Group] = {}
    for run in data.runs:
        settings = {key: value for key, value in run.settings.items() if key not in SEEDS}
        cell = cells.setdefault(_key(settings), Cell(settings))
        cell.planned.append(run)
    for cell in cells.values():
        cell.planned.sort(key=lambda run: run.replicate)
        shared = {key: value for key, value in cell.settings.items() if key not in AXES}
        groups.setdefault(_key(shared), Group(shared)).cells.append(cell)
    ordered = _base_first(list(groups.values()), data.study.get("recipe", {}))
    grid = Grid(
        cells=[],
        groups=ordered,
        models=_models(data.runs),
        inits=sorted(dict.fromkeys(cell.init for cell in cells.values()), key=lambda init: init != "none"),
        fractions=sorted(dict.fromkeys(cell.fraction for cell in cells.values()), key=Fraction),
    )
    base = ordered[0].settings
    for number, group in enumerate(ordered):
        group.id = f"g{number}"
        group.differs = {key: value for key, value in group.settings.items() if value != base.get(key)}
        group.cells.sort(
            key=lambda cell: (
                grid.models.index(cell.model),
                grid.inits.index(cell.init),
                grid.fractions.index(cell.fraction),
            )
        )
        for cell in group.cells:
            grid.cells.append(cell)
            cell.id, cell.group = f"c{len(grid.cells)}", group.id
    _fill_sizes(grid, data)
    return grid


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def _base_first(groups: list[Group], recipe: Mapping[str, Any]) -> list[Group]:
    """Return the groups with that of the base recipe in front, the others in the order of the plan."""

    def matches(group: Group) -> bool:
        shared = [key for key in recipe if key in group.settings]
        return bool(shared) and all(group.settings[key] == recipe[key] for key in shared)

    base = next((group for group in groups if matches(group)), None)
    if base is None:
        base = max(groups, key=lambda group: len(group.cells))
    return [base, *(group for group in groups if group is not base)]


def _models(runs: Sequence[Run]) -> list[str]:
    """Return the models from small to large; where a parameter count is unknown, in the plan's order."""
    planned = list(dict.fromkeys(str(run.settings["model"]) for run in runs))
    sizes = parameters(runs)
    return sorted(planned, key=sizes.__getitem__) if set(planned) <= set(sizes) else planned


def parameters(runs: Sequence[Run]) -> dict[str, int]:
    """Return each model's number of parameters, where one of its runs tells."""
    return {
        str(run.settings["model"]): int(run.values["parameters"])
        for run in runs
        if "parameters" in run.values
    }


def _fill_sizes(grid: Grid, data: StudyData) -> None:
    """Set every cell's number of training images: from its runs, a like cell's, or the dataset's size."""
    known: dict[tuple[str, str], int] = {}
    for cell in grid.cells:
        for run in cell.planned:
            if "train_images" in run.values:
                known.setdefault(_subset(cell), int(run.values["train_images"]))
    total = data.dataset.get("train_images")
    for cell in grid.cells:
        if _subset(cell) in known:
            cell.train_images = known[_subset(cell)]
        elif total:
            held = _round(Fraction(_subset(cell)[1]) * total)
            cell.train_images = _round(Fraction(cell.fraction) * (total - held))


def _subset(cell: Cell) -> tuple[str, str]:
    return cell.fraction, str(cell.settings.get("validation", "0"))


def _round(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


def describe_cell(cell: Cell, group: Group, labels: Labels) -> tuple[str, str]:
    """Return a cell's label within its group, and one that tells it from all cells of the study."""
    share = "all data" if cell.fraction == "1" else cell.fraction
    short = f"{labels.model(cell.model)}, {labels.init(cell.init)}, {share}"
    return short, f"{short}, {labels.describe(group.differs)}" if group.differs else short


def cell_json(cell: Cell, group: Group, data: StudyData, labels: Labels) -> dict[str, Any]:
    """Return a cell as findings.json holds it."""
    runs, planned = cell.runs, len(cell.planned)
    names = [run.name for run in runs]
    test_images = _test_images(runs, data)
    label, long_label = describe_cell(cell, group, labels)
    found: dict[str, Any] = {
        "id": cell.id,
        "label": label,
        "long_label": long_label,
        "group": cell.group,
        "settings": dict(cell.settings),
        "model": cell.model,
        "init": cell.init,
        "fraction": cell.fraction,
        "number": cell.number,
        "runs": names,
        "planned_runs": [run.name for run in cell.planned],
        "n": len(runs),
        "planned": planned,
        "left_out": [
            {"run": run.name, "state": run.state, "reason": run.reason}
            for run in cell.planned
            if not run.complete
        ],
        "epochs": cell.settings["epochs"],
    }
    for key in _COUNTS:
        found[key] = _count(runs, key)
    found["train_images"] = cell.train_images
    found["steps"] = _count(runs, "optimizer_steps")
    for measure in _PROPORTIONS:
        values = [run.values[measure] for run in runs if measure in run.values]
        sampled = test_images if measure == "test_accuracy" else None
        found[measure] = stat(values, names if values else [], planned, test_images=sampled, proportion=True)
    if not found["validation_accuracy"]["n"]:
        found["validation_accuracy"] = None
    for measure in _MEASURES:
        having = [run for run in runs if measure in run.values]
        found[measure] = stat([run.values[measure] for run in having], [run.name for run in having], planned)
    gaps = [run.values["train_eval_accuracy"] - run.values["test_accuracy"] for run in runs]
    found["gap"] = stat(gaps, names, planned)
    outcomes = [(run.name, outcome) for run in runs if (outcome := data.outcome(run))]
    found["ece"] = stat([outcome.ece for _, outcome in outcomes], [name for name, _ in outcomes], planned)
    found["text"] = _text(found)
    return found


def _test_images(runs: Sequence[Run], data: StudyData) -> int | None:
    """Return the size of the test set that the runs were tested on."""
    for run in runs:
        if "test_images" in run.values:
            return int(run.values["test_images"])
        if outcome := data.outcome(run):
            return len(outcome.correct)
    return None


def _count(runs: Sequence[Run], key: str) -> int | None:
    """Return a count that all replicates share."""
    return next((int(run.values[key]) for run in runs if key in run.values), None)


def _text(cell: Mapping[str, Any]) -> str:
    """Return what a table must at least say of a cell: the number with n, or why there is none."""
    accuracy, left_out = cell["test_accuracy"], cell["left_out"]
    if not accuracy["n"]:
        reasons = dict.fromkeys(f"{each['state']} ({each['reason']})" for each in left_out)
        return f"no result: {'; '.join(reasons)}"
    of = f"n = {accuracy['n']}" + (f" of {cell['planned']}" if left_out else "")
    text = f"{percent(accuracy['value'])} ({of})"
    if accuracy["interval"] == "student_t":
        interval = share_range(accuracy["low"], accuracy["high"])
        text = f"{percent(accuracy['value'])} (95 % interval {interval}; {of})"
    if left_out:
        states = dict.fromkeys(each["state"] for each in left_out)
        text += f"; left out: {counted(len(left_out), 'run')} ({', '.join(states)})"
    return text
