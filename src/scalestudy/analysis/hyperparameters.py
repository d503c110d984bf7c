"""Hyperparameters: isolation tables, the best cell of each row, and how the best result was selected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scalestudy.analysis.cells import Cell, Grid, Group
from scalestudy.analysis.comparisons import Differences
from scalestudy.analysis.labels import Labels, plain, share_of_data
from scalestudy.analysis.load import StudyData
from scalestudy.analysis.words import counted, listing, percent, thousands

# Not searched for a better value: they say what is compared, or how long and on what is trained.
NOT_SEARCHED = ("dataset", "image_size", "validation", "steps", "epochs")


@dataclass(frozen=True)
class Selection:
    """On which images settings are compared: `measure` is a column of results.csv."""

    rule: str
    measure: str
    text: str


def selection(data: StudyData, cells: Sequence[Cell]) -> Selection:
    """Return the rule of selection: held-out validation images where every result has them, else test.

    Always the last epoch, never the best one, because the best test epoch would be chosen on the test set.
    """
    having = [cell for cell in cells if cell.accuracy is not None]
    if having and all(cell.mean("validation_accuracy") is not None for cell in having):
        return Selection(
            "validation",
            "validation_accuracy",
            "Settings are selected by their accuracy on the held-out validation images after the last "
            "epoch; the test accuracy is that of the selected setting.",
        )
    return Selection(
        "test",
        "test_accuracy",
        f"Settings are selected by their last epoch's accuracy on the test set{_as_before(data)}, because no "
        "training images are held out; the best one's test accuracy is therefore slightly optimistic.",
    )


def _as_before(data: StudyData) -> str:
    """Return `, as the assignment did` where the study's reference numbers are an assignment's."""
    sources = [f"{each.get('title')} {each.get('source')}" for each in data.study.get("references", [])]
    return ", as the assignment did" if any("assignment" in each.lower() for each in sources) else ""


def hyperparameters(data: StudyData, grid: Grid, differences: Differences, labels: Labels) -> dict[str, Any]:
    """Return one table per experiment, model and initial weights that compares two or more recipes.

    Rows are fractions and columns recipes (isolation tables; Google's tuning playbook, "Identifying
    scientific, nuisance, and fixed hyperparameters"). The best cell of a row is tested against the second
    best, all rows of all tables as one family.
    """
    rule = selection(data, grid.cells)
    cells = {cell.id: cell for cell in grid.cells}
    tables = _tables(data, grid, labels)
    pairs: list[tuple[Cell, Cell]] = []
    tested: list[dict[str, Any]] = []
    for number, table in enumerate(tables, start=1):
        table["id"] = f"h{number}"
        for row in table["rows"]:
            _rank(row, cells, rule)
            if row["best"] is not None and row["second"] is not None:
                best, second = row["cells"][row["best"]], row["cells"][row["second"]]
                pairs.append((cells[second], cells[best]))
                tested.append(row)
    for row, name in zip(tested, differences.compare(pairs), strict=True):
        row["difference"] = name
    for table in tables:
        for row in table["rows"]:
            row["text"] = _row_text(row, table, cells, differences, rule)
        table["edges"] = _edges(table, labels)
        table["caveats"] = _caveats(table, labels)
    missing = None
    if not tables:
        missing = (
            "The study compares no two recipes for the same model, weights and data; give an experiment a "
            "grid with several values of a hyperparameter."
        )
    return {
        "tables": tables,
        "compared": _compared(grid),
        "selection": {"rule": rule.rule, "text": rule.text},
        "caveats": list(dict.fromkeys(caveat for table in tables for caveat in table["caveats"])),
        "family": len({(a.id, b.id) for a, b in pairs}),
        "missing": missing,
        "headline": _headline(grid, rule, labels),
    }


def _compared(grid: Grid) -> int:
    """Return how many recipes have a result."""
    return sum(any(cell.accuracy is not None for cell in group.cells) for group in grid.groups)


def _tables(data: StudyData, grid: Grid, labels: Labels) -> list[dict[str, Any]]:
    """Return the tables without ranks: per experiment, then over all recipes where experiments differ.

    The base recipe's column stands in every table, so that an experiment of one recipe has something beside
    it.
    """
    tables: list[dict[str, Any]] = []
    sets: list[tuple[str, str, set[str]]] = []
    for name, content in data.study.get("experiments", {}).items():
        sets.append((name, str(content.get("title") or name), set(content["runs"])))
    sets.append(("", "all recipes", {run.name for run in data.runs}))
    seen: set[tuple[str, ...]] = set()
    for name, title, runs in sets:
        groups = []
        for group in grid.groups:
            members = [cell for cell in group.cells if any(run.name in runs for run in cell.planned)]
            groups.append((group, members))
        if not any(members for group, members in groups if group is not grid.base):
            continue
        groups[0] = (grid.base, grid.base.cells)
        for model in grid.models:
            for init in grid.inits:
                table = _table(title, groups, model, init, grid, labels)
                if table is None:
                    continue
                columns = (model, init, *(column["group"] for column in table["columns"]))
                if columns not in seen:
                    seen.add(columns)
                    tables.append({**table, "experiment": name or None})
    return tables


def _table(
    title: str,
    groups: Sequence[tuple[Group, list[Cell]]],
    model: str,
    init: str,
    grid: Grid,
    labels: Labels,
) -> dict[str, Any] | None:
    """Return the table of one series over some recipes; None where it has fewer than two of them."""
    own = [
        (group, {cell.fraction: cell for cell in members if (cell.model, cell.init) == (model, init)})
        for group, members in groups
    ]
    own = [(group, cells) for group, cells in own if cells]
    if len(own) < 2:
        return None
    others = {f for group, cells in own if group is not grid.base for f in cells}
    own = [(g, {f: cell for f, cell in cells.items() if f in others}) for g, cells in own]
    own = [(group, cells) for group, cells in own if cells]
    if len(own) < 2:
        return None
    keys = list(own[0][0].settings)
    varied = [key for key in keys if len({plain(group.settings.get(key)) for group, _ in own}) > 1]
    own.sort(key=lambda pair: [_sortable(pair[0].settings.get(key)) for key in varied])
    fractions = [f for f in grid.fractions if any(f in cells for _, cells in own)]
    return {
        "id": "",
        "title": f"{labels.series(model, init)}: {title}",
        "model": model,
        "init": init,
        "varied": varied,
        "columns": [
            {
                "group": group.id,
                "label": labels.describe({key: group.settings.get(key) for key in varied}),
                "settings": {key: group.settings.get(key) for key in varied},
            }
            for group, _ in own
        ],
        "rows": [
            {
                "fraction": fraction,
                "train_images": next(cells[fraction].train_images for _, cells in own if fraction in cells),
                "cells": [cells[fraction].id if fraction in cells else None for _, cells in own],
                "best": None,
                "second": None,
                "difference": None,
                "text": "",
            }
            for fraction in fractions
        ],
        "edges": [],
        "caveats": [],
    }


def _sortable(value: Any) -> tuple[int, float, str]:
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return 1, 0.0, plain(value)


def _rank(row: dict[str, Any], cells: dict[str, Cell], rule: Selection) -> None:
    """Mark the best and second best cell of a row, by the rule of selection.

    Of equals the base recipe goes first, then the first column.
    """
    scored = [
        (value, cells[name].group == "g0", -index)
        for index, name in enumerate(row["cells"])
        if name is not None and (value := cells[name].mean(rule.measure)) is not None
    ]
    scored.sort(reverse=True)
    if scored:
        row["best"] = -scored[0][2]
    if len(scored) > 1:
        row["second"] = -scored[1][2]


def _row_text(
    row: dict[str, Any],
    table: dict[str, Any],
    cells: dict[str, Cell],
    differences: Differences,
    rule: Selection,
) -> str:
    if row["best"] is None:
        return "no result"
    best = table["columns"][row["best"]]["label"]
    accuracy = cells[row["cells"][row["best"]]].accuracy or 0.0
    text = f"best: {best}, {percent(accuracy)}"
    if rule.rule == "validation":
        text = f"best on validation: {best}, test {percent(accuracy)}"
    difference = differences.get(row["difference"])
    if difference is None:
        return f"{text}; nothing to compare with"
    second = table["columns"][row["second"]]["label"]
    return f"{text}; against {second}: {difference['text']}"


def _edges(table: dict[str, Any], labels: Labels) -> list[dict[str, Any]]:
    """Return a warning for each numeric setting whose best value is the lowest or highest that was tried.

    Source: Google's tuning playbook, "Identify bad search space boundaries".
    """
    found = []
    for key in table["varied"]:
        values = [column["settings"][key] for column in table["columns"]]
        if key in NOT_SEARCHED or not all(isinstance(value, (int, float)) for value in values):
            continue
        tried = sorted(set(values))
        for row in table["rows"]:
            if row["best"] is None:
                continue
            best = values[row["best"]]
            if best not in (tried[0], tried[-1]) or (best == 0 and tried[0] == 0):
                continue
            edge = "lowest" if best == tried[0] else "highest"
            name, of = labels.setting(key), counted(len(tried), "value")
            only = "only two were tried, so either would be at an edge" if len(tried) == 2 else ""
            advice = f"{'lower' if edge == 'lowest' else 'higher'} ones may do better still"
            found.append(
                {
                    "setting": key,
                    "value": best,
                    "edge": edge,
                    "tried": len(tried),
                    "fraction": row["fraction"],
                    "text": f"On {share_of_data(row['fraction'])} the best {name}, {plain(best)}, is the "
                    f"{edge} of the {of} tried ({listing([plain(value) for value in tried])}): "
                    f"{only or advice}.",
                }
            )
    return found


def _caveats(table: dict[str, Any], labels: Labels) -> list[str]:
    """Return what a reader must know before crediting one setting of the table."""
    columns = [column["settings"] for column in table["columns"]]
    caveats = []
    if "batch_size" in table["varied"] and "lr" not in table["varied"]:
        caveats.append(
            "The learning rate is the same for every batch size, and at equal epochs a smaller batch takes "
            "more steps: a difference between batch sizes is one of steps, gradient noise and how well this "
            "learning rate suits each, not of batch size alone (Shallue et al. 2019)."
        )
    if "optimizer" in table["varied"] and "lr" not in table["varied"]:
        caveats.append(
            "The learning rate is the same for every optimizer; each would need its own search before one "
            "of them can be called better (Choi et al. 2019)."
        )
    elif "optimizer" in table["varied"] and _one_lr_each(columns):
        caveats.append(
            "Each optimizer was tried with one learning rate only; each would need its own search before "
            "one of them can be called better (Choi et al. 2019)."
        )
    together = [key for key in table["varied"] if key not in NOT_SEARCHED]
    if len(together) > 1 and len(columns) < _full_grid(columns, together):
        names = listing([labels.setting(key) for key in together])
        caveats.append(
            f"Columns differ in several settings at once ({names}); where two of them change together, their "
            "effects cannot be told apart."
        )
    return caveats


def _one_lr_each(columns: Sequence[dict[str, Any]]) -> bool:
    rates: dict[str, set[Any]] = {}
    for column in columns:
        rates.setdefault(column["optimizer"], set()).add(column.get("lr"))
    return all(len(values) == 1 for values in rates.values())


def _full_grid(columns: Sequence[dict[str, Any]], keys: Sequence[str]) -> int:
    size = 1
    for key in keys:
        size *= len({plain(column[key]) for column in columns})
    return size


def _headline(grid: Grid, rule: Selection, labels: Labels) -> str:
    """Return which recipe wins most often, over every model, weights and fraction with several recipes."""
    points: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in grid.cells:
        if cell.mean(rule.measure) is not None:
            points.setdefault((cell.model, cell.init, cell.fraction), []).append(cell)
    several = [cells for cells in points.values() if len(cells) > 1]
    if not several:
        return ""
    wins: dict[str, int] = {}
    for cells in several:
        best = max(cells, key=lambda cell: cell.mean(rule.measure) or 0.0)
        wins[best.group] = wins.get(best.group, 0) + 1
    group = next(group for group in grid.groups if group.id == max(wins, key=wins.__getitem__))
    label = labels.describe(group.differs) if group.differs else "the base recipe"
    return (
        f"Of {counted(_compared(grid), 'recipe')} compared, {label} has the highest {rule.rule} accuracy at "
        f"{wins[group.id]} of {counted(len(several), 'point')} (model, initial weights, fraction)."
    )


def best_result(data: StudyData, grid: Grid, differences: Differences, labels: Labels) -> dict[str, Any]:
    """Return the best cell of the study, how it was selected, and its distance to the runner-up.

    The runner-up is the second best cell by the same rule.
    """
    rule = selection(data, grid.cells)
    ranked = sorted(
        (cell for cell in grid.cells if cell.mean(rule.measure) is not None),
        key=lambda cell: cell.mean(rule.measure) or 0.0,
        reverse=True,
    )
    if not ranked:
        return {
            "cell": None,
            "runner_up": None,
            "difference": None,
            "compared": 0,
            "rule": rule.rule,
            "text": "",
            "missing": "No run is complete; run the study first.",
            "headline": "",
        }
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    (name,) = differences.compare([(second, best)]) if second else (None,)
    group = next(group for group in grid.groups if group.id == best.group)
    images = f"{thousands(best.train_images)} training images" if best.train_images else best.fraction
    recipe = labels.describe(group.differs) if group.differs else "base recipe"
    where = f"{labels.series(best.model, best.init)}, {images}, {recipe}"
    headline = f"Best result: {percent(best.accuracy or 0.0)} test accuracy, {where}."
    text = f"{headline} It is the best of {counted(len(ranked), 'cell')} with a result. {rule.text}"
    difference = differences.get(name)
    if difference is not None and second is not None:
        text += f" The runner-up, {_short(second, grid, labels)}, has {percent(second.accuracy or 0.0)}; "
        text += f"the best is {difference['text']}."
    return {
        "cell": best.id,
        "runner_up": second.id if second else None,
        "difference": name,
        "compared": len(ranked),
        "rule": rule.rule,
        "text": text,
        "missing": None,
        "headline": headline,
    }


def _short(cell: Cell, grid: Grid, labels: Labels) -> str:
    group = next(group for group in grid.groups if group.id == cell.group)
    recipe = f", {labels.describe(group.differs)}" if group.differs else ""
    return f"{labels.series(cell.model, cell.init)} on {share_of_data(cell.fraction)}{recipe}"
