"""The section on initial weights: discussion 2."""

from collections.abc import Sequence

from scalestudy.report import layout, view, wording
from scalestudy.report.names import MEASURES, share_of_data
from scalestudy.report.tables import heads, number, numeric, plain
from scalestudy.topics import tables
from scalestudy.topics.page import Page
from scalestudy.topics.weights import say
from scalestudy.topics.weights.find import Gain
from scalestudy.topics.words import ONE_RUN, TESTED

TITLE = "Discussion 2: initial weights"
NOTE = "Same model and images, other initial weights. "
EFFECTIVE_NOTE = (
    "How many labelled images the model trained from scratch would need for the same test accuracy, read off its own "
    "curve (Hernandez et al. 2021). Beyond the curve only the side is known."
)
PRETRAINING_NOTE = (
    "Runs from scratch got no steps for those of the pretraining: the arms are not matched in compute."
)
MATCHED_NOTE = (
    "From scratch for as many images as the runs with the weights and their pretraining saw together. "
)
NETWORKS_NOTE = (
    "Do these two networks err on different images? Test images that only the first, or only the second, classifies "
    "rightly, of one run of each, with McNemar's exact p. It says nothing about other seeds."
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
    found = [(gain, page.grid.difference(gain.scratch, gain.cell)) for gain in gains]
    lines = [
        (
            plain(page.names.model(gain.model)),
            plain(page.names.title(gain.init)),
            plain(wording.fraction(gain.fraction)),
            tables.share(page.grid.cells[gain.scratch], bounds=False),
            tables.share(page.grid.cells[gain.cell], bounds=False),
            tables.difference(each),
            tables.verdict(each),
        )
        for gain, each in found
    ]
    columns = heads(
        "Model",
        "Weights",
        "Data",
        *numeric("From scratch, %", "With weights, %", "Gain, points"),
        "Verdict",
    )
    tested = any(each is not None and each.verdict.tested for _, each in found)
    note += TESTED if tested else ONE_RUN
    return page.table(name, title, columns, lines, row_heads=3, note=note, sortable=True)


def _effective(page: Page) -> list[view.Block]:
    lines = []
    for row in page.findings.weights.effective:
        cell = page.grid.cells[row.cell]
        ratio = row.ratio(page.grid)
        if row.images is not None:
            text = wording.count(wording.rounded(row.images))
        else:
            end = page.grid.cells[row.curve[-1 if row.bound == "above" else 0]].train_images
            text = f"{'>' if row.bound == 'above' else '<'} {wording.count(end)}"
        bounds = f"{wording.count(row.low)} to {wording.count(row.high)}" if row.low and row.high else ""
        lines.append(
            (
                plain(page.names.model(row.model)),
                plain(page.names.title(row.init)),
                number(cell.train_images, cell.runs, "train_images"),
                tables.share(cell, bounds=False),
                view.Cell(text, bounds, cell.runs, value=row.images),
                view.Cell(wording.MISSING if ratio is None else f"{ratio:.2g} ×", value=ratio),
            )
        )
    names = (
        "Labelled images used",
        wording.capitalised(f"{MEASURES[page.grid.primary]}, %"),
        "Labelled images needed from scratch",
        "Ratio",
    )
    columns = heads("Model", "Weights", *numeric(*names))
    return page.table(
        "effective_data", "Effective data", columns, lines, row_heads=2, note=EFFECTIVE_NOTE, folded=True
    )


def _pretraining(page: Page) -> list[view.Block]:
    lines = []
    for each in page.findings.weights.pretraining:
        images = f"{wording.count(each.images)}{' (the study’s own)' if each.own_images else ''}"
        source = {"published": "published", "checkpoint": "checkpoint file"}.get(each.source, each.task or "")
        lines.append(
            (
                plain(page.names.title(each.init)),
                plain(page.names.model(each.model) if each.model else "all models"),
                plain(source),
                plain(each.dataset or wording.MISSING),
                plain(images if each.images else wording.MISSING),
                plain(wording.MISSING if each.labels_used is None else ("yes" if each.labels_used else "no")),
                number(each.epochs),
                number(each.steps),
                plain(wording.percent(each.accuracy)),
                plain(wording.duration(each.seconds)),
            )
        )
    columns = heads(
        *("Weights", "Model", "Task", "Data", "Images", "Labels used"),
        *numeric("Epochs", "Steps", "Accuracy on its own task", "Training time"),
    )
    note = "" if page.findings.weights.controls else PRETRAINING_NOTE
    return page.table("pretraining", "What the weights saw", columns, lines, row_heads=2, note=note)


def _networks(page: Page) -> list[view.Block]:
    lines = []
    for gain in page.findings.weights.gains:
        found = page.grid.difference(gain.scratch, gain.cell)
        if found is not None and found.networks is not None:
            names = (page.names.model(gain.model), page.names.title(gain.init), share_of_data(gain.fraction))
            lines.append((*map(plain, names), tables.networks(found)))
    columns = heads("Model", "Weights", "Data", *numeric("Right in one only (scratch : weights)"))
    title = "Do the two networks err on different images?"
    return page.table("init_networks", title, columns, lines, row_heads=3, note=NETWORKS_NOTE, folded=True)
