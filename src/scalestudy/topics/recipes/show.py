"""The section on recipes: what each part is worth, and the best result."""

from collections.abc import Callable

from scalestudy.findings.model import Cell, Difference
from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES
from scalestudy.report.tables import Column, fraction, number
from scalestudy.topics import tables
from scalestudy.topics.page import Page
from scalestudy.topics.recipes import say
from scalestudy.topics.recipes.find import Images, Part, Recipe

TITLE = "Recipes and the best result"
BEST_TITLE = "The best result"
NOTE = "Each recipe against the most similar one listed before it, at the same model, weights and images. "
PARTS_NOTE = "What a part adds depends on the parts before it: in another order it would be another number. "
SELECTED = {
    Images.VALIDATION: "Selected by the accuracy on held-out training images.",
    Images.TEST: "Selected by the {measure} itself.",
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
        tables=[*_parts(page), *_best(page), *([] if found.parts else _recipes(page))],
        points=[page.statement(each) for each in said.points],
        details=[
            *(_recipes(page) if found.parts else []),
            *page.figure("accuracy_by_batch_size"),
            *page.points(said.details),
        ],
    )


def _parts(page: Page) -> list[view.Block]:
    """Return the table of what each part is worth: added to the recipe before, and left out of the base recipe."""
    grid, parts = page.grid, page.findings.recipes.parts

    def cell(pair: tuple[str, str] | None, place: int) -> view.Cell:
        return view.Cell(wording.MISSING) if pair is None else tables.share(grid.cells[pair[place]])

    def found(pair: tuple[str, str] | None) -> Difference | None:
        return None if pair is None else grid.difference(*pair)

    def points(pair: tuple[str, str] | None) -> view.Cell:
        return view.Cell(wording.MISSING) if pair is None else tables.difference(found(pair))

    def verdict(pair: tuple[str, str] | None) -> view.Cell:
        return view.Cell(wording.MISSING) if pair is None else tables.verdict(found(pair))

    def side(group: str, of: Callable[[Part], tuple[str, str] | None]) -> list[Column[Part]]:
        return [
            Column("Before, %", lambda part: cell(of(part), 0), numeric=True, group=group),
            Column("After, %", lambda part: cell(of(part), 1), numeric=True, group=group),
            Column("Points", lambda part: points(of(part)), numeric=True, group=group),
            Column("Verdict", lambda part: verdict(of(part)), group=group),
        ]

    columns: list[Column[Part]] = [
        Column("Part", lambda part: wording.capitalised(say.part_name(page.names, part))),
        *side("Added in turn", lambda part: part.added),
        *side(f"Left out of {say.titled(grid.base) or 'the base recipe'}", lambda part: part.left_out)[1:],
    ]
    title = "What each part is worth"
    compared = [found(pair) for part in parts for pair in (part.added, part.left_out)]
    return page.table(
        "parts", title, columns, parts, note=PARTS_NOTE + page.basis(title, compared), sortable=True
    )


def _recipes(page: Page) -> list[view.Block]:
    """Return the table of recipes: a line for each part and each point at which it was tried."""
    grid, names = page.grid, page.names
    rows = [(recipe, pair) for recipe in page.findings.recipes.recipes for pair in recipe.pairs]
    compared = {pair: grid.difference(*pair) for _, pair in rows}
    line = tuple[Recipe, tuple[str, str]]

    def after(row: line) -> Cell:
        return grid.cells[row[1][1]]

    columns: list[Column[line]] = [
        Column(
            "Recipe",
            lambda row: wording.capitalised(
                names.cell(after(row), grid)
                if grid.at_one_point
                else say.change(page.findings, names, row[0])
            ),
        ),
        Column("Against", lambda row: say.against(page.findings, names, row[0])),
        *(
            []
            if grid.at_one_point
            else [
                Column[line]("Model", lambda row: names.series(after(row).model, after(row).init)),
                Column[line]("Data", lambda row: fraction(after(row).fraction)),
            ]
        ),
        Column("That, %", lambda row: tables.share(grid.cells[row[1][0]]), numeric=True),
        Column("This, %", lambda row: tables.share(after(row)), numeric=True),
        Column("Difference, points", lambda row: tables.difference(compared[row[1]]), numeric=True),
        Column("Verdict", lambda row: tables.verdict(compared[row[1]])),
        Column("Multiply-adds", lambda row: tables.operations(after(row)), numeric=True),
        Column("Training time", lambda row: _time(after(row)), numeric=True),
    ]
    title = "What each recipe changes"
    note = NOTE + page.basis(title, compared.values())
    heads = 2 if grid.at_one_point else 4
    return page.table(
        "recipes", title, columns, rows, row_heads=heads, note=note, sortable=True, folded=len(rows) > 12
    )


def _best(page: Page) -> list[view.Block]:
    """Return the table of the best result and those next to it."""
    found = page.findings.recipes
    assert found.best is not None
    assert found.selection is not None
    best = found.best

    def place(cell: Cell) -> str:
        return "best" if cell.id == best.cell else ("equal" if cell.id in best.tied else "next")

    columns: list[Column[Cell]] = [
        Column("", place),
        Column("Setting", lambda cell: page.names.cell(cell, page.grid)),
        *(
            [
                Column[Cell](
                    "Validation accuracy, %",
                    lambda cell: tables.share(cell, "validation_accuracy"),
                    numeric=True,
                )
            ]
            if found.selection.images is Images.VALIDATION
            else []
        ),
        Column(wording.capitalised(f"{MEASURES[page.grid.primary]}, %"), tables.share, numeric=True),
        Column(
            "Training accuracy, %",
            lambda cell: tables.share(cell, "train_eval_accuracy", bounds=False),
            numeric=True,
        ),
        Column("Steps", lambda cell: number(cell.steps, cell.runs, "optimizer_steps"), numeric=True),
        Column("Multiply-adds", tables.operations, numeric=True),
        Column("Training time", _time, numeric=True),
    ]
    names = dict.fromkeys((best.cell, *best.tied, *filter(None, (best.runner_up,))))
    note = SELECTED[found.selection.images].format(measure=MEASURES[page.grid.primary])
    cells = [page.grid.cells[name] for name in names]
    return page.table("best", BEST_TITLE, columns, cells, row_heads=2, note=note)


def _time(cell: Cell) -> view.Cell:
    seconds = cell.stat("train_seconds")
    return tables.quantity(cell, "train_seconds", wording.duration(seconds.value if seconds else None))
