"""Key findings: the answers first."""

from scalestudy.analysis.claims.facts import (
    Facts,
    Json,
    basis,
    budget_clause,
    cells_of,
    claim,
    ends_of,
    gain_by_fraction,
    gains_of,
    pairs_of_models,
    sentence,
    span,
    span_of_decided,
    tally,
    tally_text,
)
from scalestudy.analysis.labels import share_of_data
from scalestudy.analysis.words import counted, duration, percent, share_range, signed_points


def best(facts: Facts) -> Json | None:
    best = facts.all["best"]
    if best["cell"] is None:
        return None
    cell = facts.cell(best["cell"])
    accuracy = cell["test_accuracy"]
    interval = ""
    if accuracy["low"] is not None:
        kind = (
            f"over {accuracy['n']} seeds"
            if accuracy["interval"] == "student_t"
            else "for test sampling, one run"
        )
        interval = f" (95 % interval {share_range(accuracy['low'], accuracy['high'])} {kind})"
    among = f"among {counted(best['compared'], 'cell')}"
    how = {
        "validation": f"it was selected {among} by accuracy on held-out validation images",
        "test": f"it was selected {among} on the test set and is therefore slightly optimistic",
    }[best["rule"]]
    text = (
        f"The best result is {percent(accuracy['value'])} test accuracy{interval}: "
        f"{facts.series(best['cell'])} with {facts.data(best['cell'])} and {facts.recipe(best['cell'])}"
    )
    text = sentence(f"{text}; {how}" if best["compared"] > 1 else text)
    used = [name for name in (best["cell"], best["runner_up"]) if name]
    return claim(facts, "", text, used, ["accuracy_by_size"], ["best", "comparison"])


def data(facts: Facts) -> Json | None:
    ends = ends_of(facts)
    if not ends:
        return None
    small, large = facts.data(ends[0]["a"]), facts.data(ends[0]["b"])
    counts = tally(ends)
    clause = budget_clause(facts)
    what = f"From {small} to {large}"
    if len(ends) == 1:
        text = sentence(
            f"{what}, test accuracy of {facts.series(ends[0]['a'])} is {ends[0]['text']}; {clause}".rstrip(
                "; "
            )
        )
        return claim(facts, "", text, cells_of(ends), ["accuracy_by_size"], ["data_size", "comparison"])
    if counts["higher"] == len(ends):
        what = (
            f"More training data goes with higher test accuracy in every series: from {small} to {large} it "
        )
        what += f"rises {span(ends)}"
    elif counts["lower"] == len(ends):
        what = (
            f"More training data goes with lower test accuracy in every series: from {small} to {large} it "
        )
        what += f"falls {span(ends)}"
    else:
        what += f", test accuracy is {tally_text(ends, 'series', 'series')}"
    text = sentence(f"{what} ({basis(ends)})" + (f"; {clause}" if clause else ""))
    return claim(facts, "", text, cells_of(ends), ["accuracy_by_size"], ["data_size", "comparison"])


def models(facts: Facts) -> Json | None:
    pairs = pairs_of_models(facts)
    if not pairs:
        return None
    models = facts.all["axes"]["model"]
    small = facts.model(models[0])
    if len(models) == 2:
        what = f"The larger {facts.model(models[1])} against {small}"
    else:
        what = f"The larger models against {small}, the smallest"
    parts = []
    for init in facts.all["axes"]["init"]:
        own = pairs_of_models(facts, init)
        if own:
            where = f"{facts.init(init)}, " if len(facts.all["axes"]["init"]) > 1 else ""
            parts.append(f"{where}{tally_text(own)}{span_of_decided(own)}")
    text = sentence(f"{what}: {'; '.join(parts)} ({basis(pairs)})")
    return claim(facts, "", text, cells_of(pairs), ["model_size", "accuracy_by_size"], ["model_size"])


def weights(facts: Facts, init: str) -> Json | None:
    gains = gains_of(facts, init)
    if not gains:
        return None
    name = facts.init(init)
    counts = tally(gains)
    if counts["higher"] == len(gains):
        what = f"Models {name} reach higher test accuracy than from scratch at every point, {span(gains)}"
    elif counts["lower"] == len(gains):
        what = f"Models {name} reach lower test accuracy than from scratch at every point, {span(gains)}"
    else:
        what = f"Models {name} against the same from scratch: {tally_text(gains)}"
    by_data = gain_by_fraction(facts, init)
    trend = ""
    if len(by_data) > 1:
        (first, a), (last, b) = by_data[0], by_data[-1]
        trend = (
            f"; the mean difference is {signed_points(a)} on {share_of_data(first)} and {signed_points(b)} "
            f"on {share_of_data(last)}"
        )
    text = sentence(f"{what} ({basis(gains)}){trend}")
    return claim(facts, "", text, cells_of(gains), ["init_gain", "init_side_by_side"], ["init_gain"])


def reference(facts: Facts) -> Json | None:
    reference = facts.all["reference"]
    cells = [row["cell"] for table in reference["tables"] for row in table["rows"] if row["ours"] is not None]
    if not cells:
        return None
    return claim(facts, "", reference["headline"], cells, ["reference"], ["reference"])


def recipes(facts: Facts) -> Json | None:
    section = facts.all["hyperparameters"]
    rows = [row for table in section["tables"] for row in table["rows"] if row["difference"]]
    if not rows:
        return None
    differences = [facts.difference(row["difference"]) for row in rows]
    decided = sum(each["verdict"] in ("higher", "lower") for each in differences)
    text = sentence(
        section["headline"].rstrip("."),
        f"The best recipe is beyond noise of the second best in {decided} of {counted(len(rows), 'row')} of "
        f"the tables ({basis(differences)})",
    ).replace(" The best recipe", ". The best recipe")
    return claim(facts, "", text, cells_of(differences), ["hyperparameters"], ["hyperparameters"])


def cost(facts: Facts) -> Json | None:
    cost = facts.all["cost"]
    if not cost["points"]:
        return None
    text = f"{cost['headline']} All runs together trained for {duration(cost['total_train_seconds'])}."
    return claim(facts, "", text, cost["pareto"], ["cost"], ["cost"])
