"""The section on cost."""

from dataclasses import replace

from scalestudy.findings.model import Measure
from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES
from scalestudy.report.tables import Column
from scalestudy.topics import tables
from scalestudy.topics.cost import say
from scalestudy.topics.cost.find import Pretrained, Price
from scalestudy.topics.page import Page
from scalestudy.topics.setup.say import kind_of_machine

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
    found, cells = page.findings.cost, page.grid.cells

    def rate(title: str, measure: Measure) -> Column[Price]:
        def cell(price: Price) -> view.Cell:
            stat = cells[price.cell].stat(measure)
            return tables.quantity(cells[price.cell], measure, wording.rate(stat.value if stat else None))

        return Column(title, cell, numeric=True)

    def result(price: Price) -> view.Cell:
        return replace(tables.share(cells[price.cell], bounds=False), n="", mark="★" if price.front else "")

    columns: list[Column[Price]] = [
        Column("Setting", lambda price: page.names.cell(cells[price.cell], page.grid)),
        Column("Multiply-adds", lambda price: tables.operations(cells[price.cell]), numeric=True),
        Column(
            "Training time",
            lambda price: tables.quantity(cells[price.cell], "train_seconds", wording.duration(price.own)),
            numeric=True,
        ),
        Column("Pretraining", _pretraining, numeric=True, optional=True),
        rate("Images per second", "images_per_second"),
        rate("Peak memory, MB", "peak_memory_mb"),
        Column(wording.capitalised(f"{MEASURES[page.grid.primary]}, %"), result, numeric=True),
    ]
    where = "; ".join(filter(None, map(kind_of_machine, page.findings.setup.machines)))
    timed = f"Timed on: {where}." if where else ""
    note = " ".join(filter(None, (NOTE, FRONT if found.front else "", timed, OPERATIONS)))
    return page.table(
        "cost",
        "Cost of a run",
        columns,
        found.prices,
        note=note,
        sortable=True,
        folded=len(found.prices) > 12,
    )


def _pretraining(price: Price) -> view.Cell | str | None:
    if price.pretrained is Pretrained.COUNTED:
        return view.Cell(wording.duration(price.pretraining), value=price.pretraining)
    return "not counted" if price.pretrained is Pretrained.UNKNOWN else None
