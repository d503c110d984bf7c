"""The two discussions: accuracy, model size and data size; and what initial weights are worth."""

from scalestudy.report import wording
from scalestudy.report.sections.context import Context, Json, fraction_words
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
from scalestudy.report.view import Block, Cell, Heading, Note, Section, Statement, Statements


def size(context: Context) -> Section:
    """Discussion 1: how accuracy, model size and data size relate, and why it may differ from what was expected."""
    blocks: list[Block] = [*context.claims("size")]
    blocks += [
        Heading("model-size", "A larger model"),
        *context.missing("model_size"),
        *context.figure("model_size"),
    ]
    blocks += _model_size(context)
    blocks += [
        Heading("data-size", "More data"),
        *context.missing("data_size"),
        *context.figure("error_scaling"),
    ]
    blocks += _data_size(context) + _scaling(context)
    blocks += [Heading("equal-steps", "More data, or more steps?"), *context.headline("equal_steps")]
    blocks += [*context.missing("equal_steps"), *context.figure("equal_steps"), *_equal_steps(context)]
    why = context.claims("why")
    if why:
        blocks += [Heading("why", "Why it may differ from the expected figure"), *why]
    return Section("discussion-size", "Discussion 1: accuracy, model size and data size", tuple(blocks))


def _model_size(context: Context) -> list[Block]:
    pairs = context.findings["model_size"]["pairs"]
    if not pairs:
        return []
    compared = [context.differences.get(pair["difference"] or "") for pair in pairs]
    methods = methods_of(compared)
    rows = []
    for pair, found in zip(pairs, compared, strict=True):
        small, large = context.cells[pair["small"]], context.cells[pair["large"]]
        rows.append(
            (
                plain(context.init(pair["init"])),
                plain(fraction_words(pair["fraction"])),
                _with_model(context, small),
                _with_model(context, large),
                difference(found),
                verdict(found, methods),
            )
        )
    names = ("Smaller model, %", "Larger model, %", "Difference, points")
    columns = heads(
        "Initial weights",
        "Fraction",
        *numeric(*names),
        "Verdict",
    )
    return [
        context.table(
            "model_size",
            "The larger model against the smaller",
            columns,
            rows,
            row_heads=2,
            note=difference_note(methods, context.findings["model_size"]["family"]),
            sortable=True,
        )
    ]


def _with_model(context: Context, cell: Json) -> Cell:
    shown = stat(cell, "test_accuracy", bounds=False)
    small = f"{context.model(cell['model'])}; {shown.small}" if shown.small else context.model(cell["model"])
    return Cell(shown.text, small, shown.runs, shown.measure, shown.value, shown.tone)


def _data_size(context: Context) -> list[Block]:
    steps = context.findings["data_size"]["steps"]
    if not steps:
        return []
    compared = [context.differences.get(step["difference"] or "") for step in steps]
    methods = methods_of(compared)
    rows = []
    for step, found in zip(steps, compared, strict=True):
        first, last = context.cells[step["from"]], context.cells[step["to"]]
        ratio = f"{step['ratio']:.2g} ×" if step["ratio"] else wording.MISSING
        rows.append(
            (
                plain(f"{context.model(step['model'])}, {context.init(step['init'])}"),
                plain(f"{fraction_words(first['fraction'])} → {fraction_words(last['fraction'])}"),
                Cell(ratio, value=step["ratio"]),
                stat(first, "test_accuracy", bounds=False),
                stat(last, "test_accuracy", bounds=False),
                difference(found),
                verdict(found, methods),
            )
        )
    names = ("Images", "Before, %", "After, %", "Difference, points")
    columns = heads(
        "Model",
        "Fraction",
        *numeric(*names),
        "Verdict",
    )
    note = (
        difference_note(methods, context.findings["data_size"]["family"])
        + " More data also means more optimizer steps where epochs are fixed."
    )
    return [
        context.table(
            "data_size", "Each step to more data", columns, rows, row_heads=2, note=note, sortable=True
        )
    ]


def _scaling(context: Context) -> list[Block]:
    base = context.findings["groups"][0]["id"] if context.findings["groups"] else None
    series = [each for each in context.findings["scaling"]["series"] if each["group"] == base]
    rows = []
    for each in series:
        for slope in each["slopes"]:
            first, last = context.cells[slope["from"]], context.cells[slope["to"]]
            if slope["slope"] is not None:
                rows.append(
                    (
                        plain(each["label"]),
                        plain(f"{fraction_words(first['fraction'])} → {fraction_words(last['fraction'])}"),
                        Cell(
                            wording.decimal(slope["slope"], 2),
                            runs=(*first["runs"], *last["runs"]),
                            measure="slope",
                            value=slope["slope"],
                        ),
                        plain(slope["text"]),
                    )
                )
    if not rows:
        return []
    note = "A local slope is the change of log error per change of log images between two neighbouring sizes."
    reasons = list(dict.fromkeys(each["fit"]["reason"] for each in series if not each["fit"]["fitted"]))
    note = " ".join(
        (
            note,
            *(wording.sentence(reason.replace("not fitted", "no power law is fitted")) for reason in reasons),
        )
    )
    columns = heads("Series", "Fraction", *numeric("Local slope"), "In words")
    title = "How the test error falls with data"
    return [
        context.table("scaling", title, columns, rows, row_heads=2, note=note),
        *_fits(context, [each for each in series if each["fit"]["fitted"]]),
    ]


def _fits(context: Context, fitted: list[Json]) -> list[Block]:
    """Return the table of the power laws with floor, where any is fitted, and what they foretell."""
    rows, foretold = [], []
    for each in fitted:
        fit = each["fit"]
        runs = tuple(run for point in each["points"] for run in context.cells[point["cell"]]["runs"])
        words = [fit[key]["text"].rstrip(".") for key in ("held_out", "hoiem") if fit.get(key)]
        if words:
            foretold.append(Statement(f"{each['label']}: {wording.sentence('; '.join(words))}", runs=runs))
        rows.append(
            (
                plain(each["label"]),
                *(
                    Cell(f"{fit[name]:.3g}", _bounds(fit, name), runs, f"fit_{name}", fit[name])
                    for name in ("a", "b", "c")
                ),
                Cell(f"{100 * fit['rmse']:.2f}", f"df = {fit['residual_df']}", runs, "", fit["rmse"]),
            )
        )
    if not rows:
        return []
    note = (
        "Power law with floor, error = a n^-b + c, for n training images; in small type 95 % bootstrap intervals. RMSE "
        "is the root mean square residual, df its residual degrees of freedom: with one or two, the fit proves little."
    )
    columns = heads("Series", *numeric("a", "b", "c", "RMSE, points"))
    blocks: list[Block] = [context.table("scaling_fit", "Power laws with floor", columns, rows, note=note)]
    return [*blocks, Statements(tuple(foretold))] if foretold else blocks


def _bounds(fit: Json, name: str) -> str:
    low, high = fit[f"{name}_low"], fit[f"{name}_high"]
    return f"{low:.3g} to {high:.3g}" if low is not None and high is not None else "without interval"


def _equal_steps(context: Context) -> list[Block]:
    found = context.findings["equal_steps"]
    blocks: list[Block] = []
    if found["pairs"]:
        rows = []
        for pair in found["pairs"]:
            small, large = context.cells[pair["small"]], context.cells[pair["large"]]
            runs = tuple(large["runs"])
            rows.append(
                (
                    plain(f"{context.model(pair['model'])}, {context.init(pair['init'])}"),
                    plain(f"{fraction_words(small['fraction'])} → {fraction_words(large['fraction'])}"),
                    number(pair["step"], small["runs"], "optimizer_steps"),
                    Cell(
                        wording.bare_percent(pair["small_accuracy"]),
                        f"n = {small['n']}",
                        tuple(small["runs"]),
                        "test_accuracy",
                        pair["small_accuracy"],
                    ),
                    Cell(
                        wording.bare_percent(pair["large_accuracy"]),
                        f"n = {large['n']}" if pair["measured"] else "not measured",
                        runs,
                        f"test_accuracy@{pair['step']}" if pair["measured"] else "",
                        pair["large_accuracy"],
                    ),
                    Cell(
                        wording.bare_percent(pair["large_final"]),
                        f"n = {large['n']}",
                        runs,
                        "test_accuracy",
                        pair["large_final"],
                    ),
                    Cell(
                        wording.bare_points(pair["by_data"]),
                        f"n = {large['n']}" if pair["by_data"] is not None else "not measured",
                    ),
                    Cell(
                        wording.bare_points(pair["by_steps"]),
                        f"n = {large['n']}" if pair["by_steps"] is not None else "not measured",
                    ),
                )
            )
        names = (
            "At step",
            "Smaller subset, %",
            "Larger subset at that step, %",
            "Larger subset at its end, %",
            "By data, points",
            "By steps, points",
        )
        columns = heads("Model", "Fraction", *numeric(*names))
        note = (
            "The larger subset's test accuracy is read at the smaller one's last step: what lies between them there is "
            "due to data, what the larger one gains afterwards goes with more steps."
        )
        blocks.append(
            context.table(
                "equal_steps", "Data and optimisation told apart", columns, rows, row_heads=2, note=note
            )
        )
    if found.get("note"):
        blocks.append(Note(wording.sentence(found["note"])))
    return blocks + _equal_step_groups(context)


def _equal_step_groups(context: Context) -> list[Block]:
    blocks: list[Block] = []
    for group in context.findings["equal_steps"]["groups"]:
        cells = [context.cells[name] for name in group["cells"]]
        rows = [
            (
                plain(cell["label"]),
                number(cell["steps"], cell["runs"], "optimizer_steps"),
                stat(cell, "test_accuracy"),
                stat(cell, "train_accuracy", bounds=False),
            )
            for cell in cells
        ]
        columns = heads(
            "Run",
            *numeric("Steps"),
            *numeric("Test accuracy, %"),
            *numeric("Training accuracy, %"),
        )
        title = f"Runs planned with equal steps: {group['label']}"
        blocks.append(context.table(f"equal_steps-{group['group']}", title, columns, rows, sortable=True))
        blocks += _equal_step_ends(context, group)
    return blocks


def _equal_step_ends(context: Context, group: Json) -> list[Block]:
    """Return the table of the largest fraction against the smallest where both had the same number of steps."""
    ends = [(end, context.differences[end["difference"]]) for end in group["ends"] if end["difference"]]
    if not ends:
        return []
    methods = methods_of([each for _, each in ends])
    rows = [
        (
            plain(f"{context.model(end['model'])}, {context.init(end['init'])}"),
            *(plain(fraction_words(context.cells[end[side]]["fraction"])) for side in ("from", "to")),
            difference(each),
            verdict(each, methods),
        )
        for end, each in ends
    ]
    columns = heads("Model", "From", "To", *numeric("Difference, points"), "Verdict")
    title = f"More data at the same number of steps: {group['label']}"
    note = difference_note(methods, len(ends))
    return [context.table(f"equal_steps_ends-{group['group']}", title, columns, rows, note=note)]


def init(context: Context) -> Section:
    """Discussion 2: what initial weights change."""
    blocks: list[Block] = [
        *context.claims("init"),
        *context.missing("transfer"),
        *context.figure("init_gain"),
        *_gains(context),
        *context.figure("effective_data"),
        *_effective(context),
    ]
    return Section("discussion-init", "Discussion 2: what initial weights change", tuple(blocks))


def _gains(context: Context) -> list[Block]:
    found = context.findings["transfer"]
    if not found["gains"]:
        return []
    compared = [context.differences.get(gain["difference"] or "") for gain in found["gains"]]
    methods = methods_of(compared)
    rows = []
    for gain, each in zip(found["gains"], compared, strict=True):
        rows.append(
            (
                plain(context.model(gain["model"])),
                plain(context.init(gain["init"])),
                plain(fraction_words(gain["fraction"])),
                stat(context.cells[gain["scratch"]], "test_accuracy", bounds=False),
                stat(context.cells[gain["cell"]], "test_accuracy", bounds=False),
                difference(each),
                verdict(each, methods),
            )
        )
    names = ("From scratch, %", "With weights, %", "Gain, points")
    columns = heads(
        "Model",
        "Initial weights",
        "Fraction",
        *numeric(*names),
        "Verdict",
    )
    note = difference_note(methods, context.findings["transfer"]["family"])
    return [
        context.table(
            "init_gain", "Gain from initial weights", columns, rows, row_heads=3, note=note, sortable=True
        )
    ]


def _effective(context: Context) -> list[Block]:
    found = context.findings["transfer"]
    if not found["effective"]:
        return []
    rows = []
    for row in found["effective"]:
        cell = context.cells[row["cell"]]
        ratio = f"{row['ratio']:.2g} ×" if row["ratio"] else wording.MISSING
        bounds = (
            f"{wording.count(row['low'])} to {wording.count(row['high'])}"
            if row["low"] is not None and row["high"] is not None
            else ""
        )
        rows.append(
            (
                plain(context.model(row["model"])),
                plain(context.init(row["init"])),
                number(row["train_images"], cell["runs"], "train_images"),
                stat(cell, "test_accuracy", bounds=False),
                Cell(row["text"], bounds, tuple(cell["runs"]), value=row["effective_images"]),
                Cell(ratio, value=row["ratio"]),
            )
        )
    names = ("Images used", "Test accuracy, %", "Images needed from scratch", "Ratio")
    columns = heads(
        "Model",
        "Initial weights",
        *numeric(*names),
    )
    note = (
        "How many images the model trained from scratch would need for the same test accuracy, interpolated on its own "
        "curve (Hernandez et al. 2021). Beyond the curve only the side is known."
    )
    return [
        context.table(
            "effective_data", "Effective data", columns, rows, row_heads=2, note=note, sortable=True
        )
    ]
