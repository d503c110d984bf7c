"""The section on cost."""

from scalestudy.findings.model import Measure
from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES
from scalestudy.report.tables import heads, numeric, plain
from scalestudy.topics import tables
from scalestudy.topics.cost import say
from scalestudy.topics.cost.find import Pretrained, Price
from scalestudy.topics.page import Page

TITLE = "What it cost"
NOTE = "Means over runs; one job's own time."
OPERATIONS = "Multiply-adds are the training's, by the model's size and the images seen (G = 10⁹, T = 10¹²)."
FRONT = "★: no other setting is as fast and as accurate."


def show(page: Page) -> view.Section | None:
    """Return the section; None without a timed run."""
    found = page.findings.cost
    if found.missing is not None:
        return None
    points = [page.statement(each) for each in say.say(page.findings).points]
    return layout.section(
        "cost", TITLE, lead=points[0], figures=page.figure("cost"), tables=_table(page), points=points[1:]
    )


def _table(page: Page) -> list[view.Block]:
    found = page.findings.cost
    counted = any(price.pretrained is not Pretrained.NONE for price in found.prices)
    lines = [_line(page, price, counted=counted) for price in found.prices]
    columns = heads(
        "Setting",
        *numeric(
            "Multiply-adds",
            "Training time",
            *(("Pretraining",) if counted else ()),
            "Images per second",
            "Peak memory, MB",
        ),
        *numeric(wording.capitalised(f"{MEASURES[page.grid.primary]}, %")),
    )
    where = "; ".join(filter(None, map(say.machine, found.machines)))
    timed = f"Timed on: {where}." if where else ""
    note = " ".join(filter(None, (NOTE, FRONT if found.front else "", timed, OPERATIONS)))
    return page.table(
        "cost", "Cost of a run", columns, lines, note=note, sortable=True, folded=len(lines) > 12
    )


def _line(page: Page, price: Price, *, counted: bool) -> tuple[view.Cell, ...]:
    cell = page.grid.cells[price.cell]
    result = tables.share(cell, bounds=False)
    pretraining = {
        Pretrained.NONE: view.Cell(wording.MISSING),
        Pretrained.COUNTED: view.Cell(wording.duration(price.pretraining), value=price.pretraining),
        Pretrained.UNKNOWN: view.Cell("not counted"),
    }[price.pretrained]

    def rate(measure: Measure) -> view.Cell:
        found = cell.stat(measure)
        return tables.quantity(cell, measure, wording.rate(found.value if found else None))

    return (
        plain(page.names.cell(cell, page.grid)),
        tables.operations(cell),
        tables.quantity(cell, "train_seconds", wording.duration(price.own)),
        *((pretraining,) if counted else ()),
        rate("images_per_second"),
        rate("peak_memory_mb"),
        view.Cell(
            result.text,
            result.small,
            result.runs,
            result.measure,
            result.value,
            mark="★" if price.front else "",
        ),
    )
