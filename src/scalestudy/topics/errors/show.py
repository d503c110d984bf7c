"""The section on errors."""

from scalestudy.report import layout, view, wording
from scalestudy.report.tables import Column, number
from scalestudy.topics import tables
from scalestudy.topics.errors import say
from scalestudy.topics.errors.find import Confidence, Network, OneClass
from scalestudy.topics.page import Page

TITLE = "Errors"
CLASSES_NOTE = "Worst first. After each value: 95 % interval {kind}; n is the number of runs."
CALIBRATION_NOTE = (
    "Confidence is the mean probability of the answer. ECE: expected calibration error (Guo et al. 2017). The verdict "
    "needs the difference to lie beyond test sampling and, with several runs, beyond seeds (Holm). Seeds agree "
    "on: test images that two runs answer alike."
)
READINGS = {
    Confidence.OVER: "overconfident",
    Confidence.UNDER: "underconfident",
    Confidence.FITS: "not distinguishable",
}


def show(page: Page) -> view.Section | None:
    """Return the section; None without predictions."""
    if page.findings.errors.missing is not None:
        return None
    points = [page.statement(each) for each in say.say(page.findings).points]
    return layout.section(
        "errors",
        TITLE,
        lead=points[0] if points else None,
        figures=[*page.figure("confusion"), *page.figure("mistakes"), *page.figure("reliability")],
        tables=[*_calibration(page), *_classes(page)],
        points=points[1:],
        details=page.figure("per_class"),
    )


def _classes(page: Page) -> list[view.Block]:
    found = page.findings.errors
    places = {each.name: place for place, each in enumerate(found.classes)}

    def accuracy(each: OneClass) -> view.Cell:
        own = each.accuracy
        if own is None or own.interval is None:
            return view.Cell(wording.MISSING, "no test image")
        bounds = wording.bare_percent_range(own.interval.low, own.interval.high)
        measure, n = f"class_accuracy:{places[each.name]}", wording.runs_counted(own.n)
        return view.Cell(wording.bare_percent(own.value), bounds, own.runs, measure, own.value, n=n)

    def taken(each: OneClass) -> view.Cell:
        others = wording.listing(wording.few([found.classes[other].name for other in each.taken_for], 3))
        words = f"{others} ({wording.decimal(each.taken, 0 if each.taken >= 9.5 else 1)} a run)"
        return view.Cell(words if others else wording.MISSING, runs=found.runs)

    columns: list[Column[OneClass]] = [
        Column("Class", lambda each: each.name),
        Column(
            "Test images",
            lambda each: number(each.images, found.runs, f"class_images:{places[each.name]}"),
            numeric=True,
        ),
        Column("Accuracy, %", accuracy, numeric=True),
        Column("Most often taken for", taken),
    ]
    worst_first = sorted(
        found.classes, key=lambda each: -1.0 if each.accuracy is None else each.accuracy.value
    )
    kind = "over seeds" if len(found.runs) > 1 else "of test sampling (Wilson)"
    return page.table(
        "per_class",
        "Accuracy per class",
        columns,
        worst_first,
        note=CLASSES_NOTE.format(kind=kind),
        sortable=True,
        folded=len(worst_first) > 12,
    )


def _calibration(page: Page) -> list[view.Block]:
    cells = page.grid.cells

    def n(each: Network) -> str:
        return wording.runs_counted(each.confidence.n)

    def confidence(each: Network) -> view.Cell:
        own = each.confidence
        return view.Cell(wording.bare_percent(own.value), "", own.runs, "confidence", own.value, n=n(each))

    def over(each: Network) -> view.Cell:
        text, p = wording.bare_points(each.over), wording.p_value(each.p)
        return view.Cell(text, p, each.confidence.runs, "overconfidence", each.over, n=n(each))

    def agree(each: Network) -> view.Cell:
        if each.agreement is None:
            return view.Cell(wording.MISSING, "one run")
        same = each.agreement.same
        return view.Cell(wording.bare_percent(same), "", each.confidence.runs, "agreement", same)

    columns: list[Column[Network]] = [
        Column("Setting", lambda each: page.names.cell(cells[each.cell], page.grid)),
        Column(
            "Accuracy, %",
            lambda each: tables.share(cells[each.cell], "test_accuracy", bounds=False),
            numeric=True,
        ),
        Column("Confidence, %", confidence, numeric=True),
        Column("Difference, points", over, numeric=True),
        Column("Verdict", lambda each: view.Cell(READINGS[each.reading], runs=each.confidence.runs)),
        Column("ECE, points", lambda each: tables.share(cells[each.cell], "ece", bounds=False), numeric=True),
        Column("Seeds agree on, %", agree, numeric=True),
    ]
    rows = page.findings.errors.networks
    title = "How sure the networks are"
    return page.table("calibration", title, columns, rows, note=CALIBRATION_NOTE, sortable=True)
