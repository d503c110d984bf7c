"""The results themselves: the comparison of models, hyperparameters, best result, reference numbers."""

from dataclasses import replace
from typing import Any

from scalestudy.report import wording
from scalestudy.report.sections.context import Context, Json, fraction_words, said
from scalestudy.report.tables import (
    difference,
    difference_note,
    heads,
    methods_of,
    number,
    numeric,
    plain,
    stat,
    verdict,
)
from scalestudy.report.view import Block, Cell, Evidence, Note, Paragraph, Section, Statement
from scalestudy.study.parse import format_number

_INTERVALS = {
    "wilson": "95 % test-sampling interval of one run (Wilson): it says nothing about other seeds",
    "student_t": "95 % interval of the mean over seeds (Student t)",
}


def interval_note(cells: list[Json], measure: str = "test_accuracy") -> str:
    """Return the sentence on what the small numbers in a table's cells are."""
    kinds = {cell[measure]["interval"] for cell in cells if cell[measure]["interval"]}
    words = [_INTERVALS[kind] for kind in ("student_t", "wilson") if kind in kinds]
    return (
        f"In small type: {'; '.join(words)}; n is the number of runs."
        if words
        else "n is the number of runs."
    )


def comparison(context: Context) -> Section:
    """Every model on every fraction, per init, test and training."""
    found = context.findings["comparison"]
    blocks: list[Block] = [*context.headline("comparison"), *context.missing("comparison")]
    if "figure-accuracy_by_size" in context.targets:
        where = Statement(
            "The key findings begin with these numbers as a figure.", Evidence(("accuracy_by_size",))
        )
        blocks.append(Paragraph((where,)))
    blocks += context.figure("init_side_by_side")
    inits = list(dict.fromkeys(row["init"] for row in found["rows"]))
    for place, init in enumerate(inits):
        rows = [row for row in found["rows"] if row["init"] == init]
        cells = [context.cells[name] for row in rows for name in row["cells"] if name]
        lines = []
        for row in rows:
            these = [context.cells[name] if name else None for name in row["cells"]]
            for measure, words in (("test_accuracy", "test"), ("train_accuracy", "training")):
                lines.append(
                    (
                        plain(context.model(row["model"])),
                        plain(words),
                        *(stat(cell, measure, bounds=measure == "test_accuracy") for cell in these),
                    )
                )
        sizes = [context.size_column(each) for each in found["fractions"]]
        columns = heads("Model", "Accuracy, %", *numeric(*sizes, group="Fraction (training images)"))
        name = "comparison" if place == 0 else f"comparison-{init}"
        title = f"Accuracy at the last epoch, {context.init(init)}"
        note = interval_note(cells) + " The last epoch, never the best one."
        blocks.append(context.table(name, title, columns, lines, row_heads=2, note=note))
    return Section("comparison", "Models, data and initial weights compared", tuple(blocks))


def hyperparameters(context: Context) -> Section:
    """Per model: fractions by settings, the best cell of each line marked."""
    found = context.findings["hyperparameters"]
    blocks: list[Block] = [*context.headline("hyperparameters"), *context.missing("hyperparameters")]
    blocks += context.figure("accuracy_by_batch_size") + context.figure("hyperparameters")
    selection = found.get("selection") or {}
    if found["tables"] and selection.get("text"):
        blocks.append(Note(wording.sentence(selection["text"])))
    blocks += _edges(context, found["tables"])
    whole = {(table["model"], table["init"]) for table in found["tables"] if not table["experiment"]}
    # A table of all recipes repeats what the experiments' own tables show: it comes first, those are folded.
    for table in sorted(found["tables"], key=lambda table: bool(table["experiment"])):
        folded = bool(table["experiment"]) and (table["model"], table["init"]) in whole
        blocks += _hyperparameter_table(context, table, selection.get("rule", "test"), folded=folded)
        context.alias("table-hyperparameters", f"table-{table['id']}")
    caveats = [words for table in found["tables"] for words in table["caveats"]] + (
        found.get("caveats") or []
    )
    blocks += [Note(wording.sentence(words)) for words in dict.fromkeys(caveats)]
    return Section("hyperparameters", "Hyperparameters", tuple(blocks))


def _hyperparameter_table(context: Context, table: Json, rule: str, *, folded: bool) -> list[Block]:
    """Return a table of fractions by settings, the chosen one of each line marked and set against the next."""
    labels = {each["id"]: each["label"] for each in context.findings["groups"]}
    names = [each["label"] if table["experiment"] else labels[each["group"]] for each in table["columns"]]
    compared = [context.differences.get(row["difference"] or "") for row in table["rows"]]
    methods = methods_of(compared)
    lines = []
    for row, against in zip(table["rows"], compared, strict=True):
        line = []
        for place, name in enumerate(row["cells"]):
            cell = context.cells[name] if name else None
            shown = stat(cell, "test_accuracy", bounds=bool(cell and cell["n"] > 1))
            line.append(replace(shown, tone="best", mark="★") if place == row["best"] else shown)
        images = wording.count(row["train_images"])
        lines.append(
            (
                plain(f"{fraction_words(row['fraction'])} ({images})"),
                *line,
                difference(against),
                verdict(against, methods),
            )
        )
    columns = heads("Fraction (images)", *numeric(*names, "★ against the next, points"), "Verdict")
    marked = (
        "★ marks the setting of each line with the highest accuracy on held-out training images"
        if rule == "validation"
        else "★ marks the highest of each line"
    )
    family = context.findings["hyperparameters"].get("family") or 0
    note = f"Test accuracy in % at the last epoch. {marked}. {difference_note(methods, 0)}"
    note += f" p values are corrected for {family} comparisons (Holm)." if family > 1 else ""
    return [context.table(table["id"], table["title"], columns, lines, note=note, folded=folded)]


def _edges(context: Context, tables: list[Json]) -> list[Block]:
    """Return one warning for each value at an edge of its range that was best somewhere."""
    found: dict[tuple[str, Any, str], dict[str, list[str]]] = {}
    for table in tables:
        series = f"{context.model(table['model'])} {context.init(table['init'])}"
        for edge in table["edges"]:
            where = found.setdefault((edge["setting"], edge["value"], edge["edge"]), {}).setdefault(
                series, []
            )
            if fraction_words(edge["fraction"]) not in where:
                where.append(fraction_words(edge["fraction"]))
    blocks: list[Block] = []
    for (setting, value, edge), places in found.items():
        lines = sum(len(fractions) for fractions in places.values())
        words = "; ".join(f"{series} on {wording.listing(fractions)}" for series, fractions in places.items())
        words = (
            words if len(places) <= 2 else f"in {lines} combinations of model, initial weights and fraction"
        )
        advice = f"{'lower' if edge == 'lowest' else 'higher'} ones may do better still"
        number = format_number(value) if isinstance(value, float) else f"{value:,}"
        blocks.append(
            Note(
                f"The best {context.setting(setting)}, {number}, is the {edge} that was tried: {advice} ({words}).",
                "warning",
            )
        )
    return blocks


def best(context: Context) -> Section:
    """The best result, how it was selected, and what came next."""
    found = context.findings["best"]
    blocks: list[Block] = [*context.missing("best")]
    if found["text"]:
        runs = tuple(context.cells[found["cell"]]["runs"]) if found["cell"] else ()
        blocks.append(Paragraph((Statement(wording.sentence(found["text"]), Evidence(), runs),)))
    if found["cell"]:
        rows = [_best_row("best", context.cells[found["cell"]])]
        if found["runner_up"]:
            rows.append(_best_row("runner-up", context.cells[found["runner_up"]]))
        columns = heads(
            "",
            "Setting",
            *numeric("Test accuracy, %", "Training accuracy, %", "Validation accuracy, %", "Steps"),
        )
        if not any(
            context.cells[name]["validation_accuracy"] for name in (found["cell"], found["runner_up"]) if name
        ):
            place = [column.text for column in columns].index("Validation accuracy, %")
            del columns[place]
            rows = [(*row[:place], *row[place + 1 :]) for row in rows]
        note = f"Chosen among {wording.counted(found['compared'], 'setting')}."
        blocks.append(context.table("best", "The best result", columns, rows, note=note))
    if found["difference"]:
        compared = context.differences[found["difference"]]
        blocks.append(said(f"Against the runner-up: {compared['text']}"))
    return Section("best", "The best result", tuple(blocks))


def _best_row(words: str, cell: Json) -> tuple[Cell, ...]:
    validation = (
        stat(cell, "validation_accuracy")
        if cell["validation_accuracy"]
        else Cell(wording.MISSING, "none held out")
    )
    return (
        plain(words),
        plain(cell["long_label"]),
        stat(cell, "test_accuracy"),
        stat(cell, "train_accuracy", bounds=False),
        validation,
        number(cell["steps"], cell["runs"], "optimizer_steps"),
    )


def reference(context: Context) -> Section:
    """Ours, theirs, the difference, and whether it is within noise."""
    found = context.findings["reference"]
    blocks: list[Block] = [*context.headline("reference"), *context.missing("reference")]
    blocks += context.figure("reference")
    for table in found["tables"]:
        lines = []
        for row in table["rows"]:
            cell = context.cells[row["cell"]] if row["cell"] else None
            ours = stat(cell, "test_accuracy") if cell else Cell(wording.MISSING, row["reason"] or "")
            runs = tuple(cell["runs"]) if cell else ()
            tone = {"above": "good", "below": "bad"}.get(row["verdict"], "")
            sign = {"above": "▲ ", "below": "▼ "}.get(row["verdict"], "")
            away = Cell(wording.bare_points(row["difference"]), _span(row), runs, "", row["difference"])
            reason = (row["reason"] or "") if row["verdict"] == "no result" else ""
            lines.append(
                (
                    plain(row["label"]),
                    ours,
                    Cell(wording.bare_percent(row["theirs"]), value=row["theirs"]),
                    away,
                    Cell(sign + row["verdict"], reason, runs, tone=tone),
                )
            )
        columns = heads(
            "Setting",
            *numeric("Ours, %"),
            *numeric("Theirs, %"),
            *numeric("Difference, points"),
            "Verdict",
        )
        cells = [context.cells[row["cell"]] for row in table["rows"] if row["cell"]]
        note = interval_note(cells) + (
            f" Source of the reference: {table['source']}." if table["source"] else ""
        )
        blocks.append(context.table(table["id"], table["title"], columns, lines, note=note, sortable=True))
        context.alias("table-reference", f"table-{table['id']}")
    return Section("reference", "Compared with reference numbers", tuple(blocks))


def _span(row: Json) -> str:
    return (
        f"{wording.bare_points(row['low'])} to {wording.bare_points(row['high'])}"
        if row["low"] is not None
        else ""
    )
