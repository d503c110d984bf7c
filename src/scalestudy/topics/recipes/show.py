"""The section on recipes: what each part is worth, and the best result."""

from scalestudy.findings.model import Cell
from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES
from scalestudy.report.tables import heads, number, numeric, plain
from scalestudy.topics import tables
from scalestudy.topics.page import Page
from scalestudy.topics.recipes import say
from scalestudy.topics.recipes.find import Images
from scalestudy.topics.words import ONE_RUN, TESTED

TITLE = "Recipes and the best result"
BEST_TITLE = "The best result"
NOTE = "Each recipe against the one before it that it differs least from, at the same model, weights and images. "
SELECTED = {
    Images.VALIDATION: "Selected by the accuracy on held-out training images.",
    Images.TEST: "Selected by the accuracy on the test images.",
}


def show(page: Page) -> view.Section | None:
    """Return the section; None without a result, or where there is a single setting."""
    found = page.findings.recipes
    if found.best is None or found.best.compared < 2:
        return None
    said = say.say(page.findings)
    return layout.section(
        "recipes",
        TITLE if found.recipes else BEST_TITLE,
        lead=page.statement(said.lead[0]),
        figures=page.figure("recipes"),
        tables=[*_best(page), *_recipes(page)],
        points=[page.statement(each) for each in said.points],
        details=[*page.figure("accuracy_by_batch_size"), *page.points(said.details)],
    )


def _recipes(page: Page) -> list[view.Block]:
    """Return the table of recipes: a line for each part and each point at which it was tried."""
    lines, verdicts = [], []
    for recipe in page.findings.recipes.recipes:
        what = wording.capitalised(say.change(page.findings, page.names, recipe))
        for a, b in recipe.pairs:
            cell, found = page.grid.cells[b], page.grid.difference(a, b)
            verdicts += [found.verdict] if found else []
            lines.append(
                (
                    plain(what),
                    plain(say.against(page.findings, page.names, recipe)),
                    plain(page.names.series(cell.model, cell.init)),
                    plain(wording.fraction(cell.fraction)),
                    tables.share(page.grid.cells[a]),
                    tables.share(cell),
                    tables.difference(found),
                    tables.verdict(found),
                    tables.operations(cell),
                    _time(cell),
                )
            )
    columns = heads(
        *("Recipe", "Against", "Model", "Data"),
        *numeric("Before, %", "With it, %", "Difference, points"),
        "Verdict",
        *numeric("Multiply-adds", "Training time"),
    )
    note = NOTE + (TESTED if any(each.tested for each in verdicts) else ONE_RUN)
    title = "What each recipe changes"
    return page.table(
        "recipes", title, columns, lines, row_heads=4, note=note, sortable=True, folded=len(lines) > 12
    )


def _best(page: Page) -> list[view.Block]:
    """Return the table of the best result and those next to it."""
    found = page.findings.recipes
    assert found.best is not None
    assert found.selection is not None
    names = dict.fromkeys((found.best.cell, *found.best.tied, *filter(None, (found.best.runner_up,))))
    held_out = found.selection.images is Images.VALIDATION
    lines = []
    for place, name in enumerate(names):
        cell = page.grid.cells[name]
        words = "best" if not place else ("equal" if name in found.best.tied else "next")
        lines.append(
            (
                plain(words),
                plain(page.names.cell(cell, page.grid)),
                *((tables.share(cell, "validation_accuracy"),) if held_out else ()),
                tables.share(cell),
                tables.share(cell, "train_eval_accuracy", bounds=False),
                number(cell.steps, cell.runs, "optimizer_steps"),
                tables.operations(cell),
                _time(cell),
            )
        )
    shown = wording.capitalised(f"{MEASURES[page.grid.primary]}, %")
    measures = (*(("Validation accuracy, %",) if held_out else ()), shown, "Training accuracy, %")
    columns = heads("", "Setting", *numeric(*measures, "Steps", "Multiply-adds", "Training time"))
    note = SELECTED[found.selection.images]
    return page.table("best", BEST_TITLE, columns, lines, row_heads=2, note=note)


def _time(cell: Cell) -> view.Cell:
    seconds = cell.stat("train_seconds")
    return tables.quantity(cell, "train_seconds", wording.duration(seconds.value if seconds else None))
