"""The section on initial weights: discussion 2."""

from collections.abc import Sequence

from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES
from scalestudy.report.tables import Column, fraction, number
from scalestudy.topics import tables
from scalestudy.topics.page import Page
from scalestudy.topics.weights import say
from scalestudy.topics.weights.find import EffectiveData, Gain, Pretraining

TITLE = "Discussion 2: initial weights"
NOTE = "Same model and images, other initial weights. "
EFFECTIVE_NOTE = (
    "How many labelled images the model trained from scratch would need for the same test accuracy, read off its own "
    "curve (Hernandez et al. 2021). Beyond the curve only the side is known. After each value, the same at the ends of "
    "the accuracy's interval; the uncertainty of the curve is not in it."
)
MATCHED_NOTE = (
    "From scratch for as many images as the runs with the weights and their pretraining saw together. "
)
NETWORKS_NOTE = (
    "Do the two networks of a pair err on different images? Test images that only the first, or only the second, "
    "classifies rightly, of one run of each, with McNemar's exact p. It says nothing about other seeds."
)


def show(page: Page) -> view.Section:
    """Return the section; where no initial weights are compared, only what could be added."""
    found = page.findings.weights
    if found.missing is not None:
        return layout.section(
            "discussion-weights", TITLE, could_add=[view.Statement(say.MISSING[found.missing])]
        )
    said = say.say(page.findings)
    return layout.section(
        "discussion-weights",
        TITLE,
        figures=[*page.paragraph(said.synthesis), *page.figure("init_gain")],
        tables=[*_gains(page), *_matched(page), *_pretraining(page)],
        points=[page.statement(each) for each in said.points],
        details=[
            *page.figure("init_side_by_side"),
            *page.figure("effective_data"),
            *_effective(page),
            *_networks(page),
            *page.points(said.details),
        ],
        could_add=[
            page.statement(each)
            for claim in found.balance
            for each in say.control(page.findings, page.names, claim.subjects[0])
        ],
    )


def _gains(page: Page) -> list[view.Block]:
    return _against(page, "init_gain", "Gain from initial weights", page.findings.weights.gains, NOTE)


def _matched(page: Page) -> list[view.Block]:
    title = "Gain at equal compute"
    return _against(page, "init_matched", title, page.findings.weights.controls, MATCHED_NOTE)


def _against(page: Page, name: str, title: str, gains: Sequence[Gain], note: str) -> list[view.Block]:
    cells = page.grid.cells
    compared = {gain: page.grid.difference(gain.scratch, gain.cell) for gain in gains}
    columns: list[Column[Gain]] = [
        *_of_gain(page),
        Column("From scratch, %", lambda gain: tables.share(cells[gain.scratch], bounds=False), numeric=True),
        Column("With weights, %", lambda gain: tables.share(cells[gain.cell], bounds=False), numeric=True),
        Column("Gain, points", lambda gain: tables.difference(compared[gain]), numeric=True),
        Column("Verdict", lambda gain: tables.verdict(compared[gain])),
    ]
    note += page.basis(title, compared.values())
    return page.table(name, title, columns, gains, row_heads=3, note=note, sortable=True)


def _of_gain(page: Page) -> list[Column[Gain]]:
    return [
        Column("Model", lambda gain: page.names.model(gain.model)),
        Column("Weights", lambda gain: page.names.title(gain.init)),
        Column("Data", lambda gain: fraction(gain.fraction)),
    ]


def _effective(page: Page) -> list[view.Block]:
    cells = page.grid.cells

    def needed(row: EffectiveData) -> view.Cell:
        if row.images is not None:
            text = wording.count(wording.rounded(row.images))
        else:
            end = cells[row.curve[-1 if row.bound == "above" else 0]].train_images
            text = f"{'>' if row.bound == 'above' else '<'} {wording.count(end)}"
        bounds = f"{wording.count(row.low)} to {wording.count(row.high)}" if row.low and row.high else ""
        return view.Cell(text, bounds, cells[row.cell].runs, value=row.images)

    def ratio(row: EffectiveData) -> view.Cell:
        found = row.ratio(page.grid)
        return view.Cell(wording.MISSING if found is None else f"{found:.2g} ×", value=found)

    def used(row: EffectiveData) -> view.Cell:
        return number(cells[row.cell].train_images, cells[row.cell].runs, "train_images")

    result = wording.capitalised(f"{MEASURES[page.grid.primary]}, %")
    columns: list[Column[EffectiveData]] = [
        Column("Model", lambda row: page.names.model(row.model)),
        Column("Weights", lambda row: page.names.title(row.init)),
        Column("Labelled images used", used, numeric=True),
        Column(result, lambda row: tables.share(cells[row.cell], bounds=False), numeric=True),
        Column("Labelled images needed from scratch", needed, numeric=True),
        Column("Ratio", ratio, numeric=True),
    ]
    rows = page.findings.weights.effective
    return page.table(
        "effective_data", "Effective data", columns, rows, row_heads=2, note=EFFECTIVE_NOTE, folded=True
    )


def _pretraining(page: Page) -> list[view.Block]:
    def source(each: Pretraining) -> str:
        return {"published": "published", "checkpoint": "checkpoint file"}.get(each.source, each.task or "")

    def images(each: Pretraining) -> str | None:
        own = " (the study’s own)" if each.own_images else ""
        return f"{wording.count(each.images)}{own}" if each.images else None

    columns: list[Column[Pretraining]] = [
        Column("Weights", lambda each: page.names.title(each.init)),
        Column("Model", lambda each: page.names.model(each.model) if each.model else "all models"),
        Column("Task", source),
        Column("Data", lambda each: each.dataset),
        Column("Images", images),
        Column("Labels used", lambda each: {True: "yes", False: "no", None: None}[each.labels_used]),
        Column("Epochs", lambda each: each.epochs, numeric=True),
        Column("Steps", lambda each: each.steps, numeric=True),
        Column("Accuracy on its own task", lambda each: wording.percent(each.accuracy), numeric=True),
        Column("Training time", lambda each: wording.duration(each.seconds), numeric=True),
    ]
    rows = page.findings.weights.pretraining
    return page.table("pretraining", "What the weights saw", columns, rows, row_heads=2)


def _networks(page: Page) -> list[view.Block]:
    compared = {
        gain: found
        for gain in page.findings.weights.gains
        if (found := page.grid.difference(gain.scratch, gain.cell)) is not None and found.networks is not None
    }
    only = "Right in one only (scratch : weights)"
    columns = [
        *_of_gain(page),
        Column[Gain](only, lambda gain: tables.networks(compared[gain]), numeric=True),
    ]
    title = "Networks compared image by image"
    return page.table("init_networks", title, columns, compared, row_heads=3, note=NETWORKS_NOTE, folded=True)
