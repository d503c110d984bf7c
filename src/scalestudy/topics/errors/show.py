"""The section on errors."""

from scalestudy.report import layout, view, wording
from scalestudy.report.tables import heads, number, numeric, plain
from scalestudy.topics import tables
from scalestudy.topics.errors import say
from scalestudy.topics.errors.find import Confidence
from scalestudy.topics.page import Page

TITLE = "Errors"
CLASSES_NOTE = "Worst first. In small type: 95 % interval {kind}; n is the number of runs."
CALIBRATION_NOTE = (
    "Confidence is the mean probability of the answer. ECE: expected calibration error (Guo et al. 2017). The verdict "
    "needs the difference to lie beyond test sampling and, with several runs, beyond seeds (Holm). Agreement: test "
    "images that two runs answer alike."
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
    ordered = sorted(found.classes, key=lambda each: -1.0 if each.accuracy is None else each.accuracy.value)
    lines = []
    for each in ordered:
        index = found.classes.index(each)
        own = each.accuracy
        accuracy = view.Cell(wording.MISSING, "no test image")
        if own is not None and own.interval is not None:
            bounds = wording.bare_percent_range(own.interval.low, own.interval.high)
            text = wording.bare_percent(own.value)
            accuracy = view.Cell(
                text, bounds, own.runs, f"class_accuracy:{index}", own.value, n=wording.runs_counted(own.n)
            )
        others = wording.listing(wording.few([found.classes[other].name for other in each.taken_for], 3))
        taken = f"{others} ({wording.decimal(each.taken, 0 if each.taken >= 9.5 else 1)} a run)"
        lines.append(
            (
                plain(each.name),
                number(each.images, found.runs, f"class_images:{index}"),
                accuracy,
                view.Cell(taken if others else wording.MISSING, runs=found.runs),
            )
        )
    kind = "over seeds" if len(found.runs) > 1 else "of test sampling (Wilson)"
    columns = heads("Class", *numeric("Test images", "Accuracy, %"), "Most often taken for")
    note = CLASSES_NOTE.format(kind=kind)
    return page.table(
        "per_class", "Accuracy per class", columns, lines, note=note, sortable=True, folded=len(lines) > 12
    )


def _calibration(page: Page) -> list[view.Block]:
    lines = []
    for each in page.findings.errors.networks:
        cell, runs = page.grid.cells[each.cell], each.confidence.runs
        n = wording.runs_counted(len(runs))
        same = each.agreement.same if each.agreement else None
        agree = view.Cell(
            wording.MISSING if same is None else wording.bare_percent(same), "", runs, "agreement", same
        )
        lines.append(
            (
                plain(page.names.cell(cell, page.grid)),
                tables.share(cell, "test_accuracy", bounds=False),
                view.Cell(
                    wording.bare_percent(each.confidence.value),
                    "",
                    runs,
                    "confidence",
                    each.confidence.value,
                    n=n,
                ),
                view.Cell(
                    wording.bare_points(each.over),
                    wording.p_value(each.p),
                    runs,
                    "overconfidence",
                    each.over,
                    n=n,
                ),
                view.Cell(READINGS[each.reading], runs=runs),
                tables.share(cell, "ece", bounds=False),
                agree if same is not None else view.Cell(wording.MISSING, "one run"),
            )
        )
    columns = heads(
        "Setting",
        *numeric("Accuracy, %", "Confidence, %", "Difference, points"),
        "Verdict",
        *numeric("ECE, points", "Seeds agree on, %"),
    )
    title = "How sure the networks are"
    return page.table("calibration", title, columns, lines, note=CALIBRATION_NOTE, sortable=True)
