"""The report's sentences: each chosen and filled by the findings, each with the evidence that it rests on.

No sentence is fixed: opposite results give opposite sentences, and what is within noise is called not
distinguishable. Single runs carry the label of their test, and where a smaller subset also got fewer steps
no sentence credits data alone.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from scalestudy.analysis.cost import seconds_text
from scalestudy.analysis.facts import (
    Facts,
    Json,
    basis,
    cells_of,
    change_of,
    claim,
    sentence,
    short,
    span,
    tally,
    tally_text,
    tests,
)
from scalestudy.analysis.labels import Labels, plain, share_of_data
from scalestudy.analysis.words import (
    capitalised,
    counted,
    listing,
    number_word,
    percent,
    points,
    share_range,
    signed_points,
    thousands,
)

MOST_KEY_FINDINGS = 6
Maker = Callable[[Facts], Json | None]


def make_claims(findings: Json) -> dict[str, list[Json]]:
    """Return the claims by section: key findings, discussion 1 (size, why), discussion 2 (init), limits."""
    facts = Facts(findings)
    sections: dict[str, Sequence[Maker]] = {
        "size": (
            _size_data,
            _size_returns,
            _size_slopes,
            *_per_init(facts, _size_models),
            *_per_init(facts, _size_interplay),
            *_per_init(facts, _size_fit),
            _size_gap,
            _size_steps,
            _size_equal_steps,
        ),
        "why": (
            _why_expected,
            _why_stem,
            _why_epochs,
            _why_recipe,
            _why_steps,
            _why_augmentation,
            _why_reference,
        ),
        "init": (
            *_per_pretrained(facts, _init_gains),
            *_per_pretrained(facts, _init_trend),
            *_per_pretrained(facts, _init_effective),
            *_per_pretrained(facts, _init_start),
            *_per_pretrained(facts, _init_gap),
            _init_ranking,
            *_per_pretrained(facts, _init_reading),
        ),
        "limits": (
            _limit_state,
            _limit_seeds,
            _limit_selection,
            _limit_budget,
            _limit_recipe,
            _limit_edges,
            _limit_batch,
            _limit_fit,
            _limit_machines,
            _limit_test_set,
        ),
    }
    made = {name: _numbered(name, [make(facts) for make in makers]) for name, makers in sections.items()}
    return {"key": _key_findings(facts), **made}


def _numbered(section: str, claims: Sequence[Json | None]) -> list[Json]:
    found = [each for each in claims if each is not None]
    return [{**each, "id": f"{section}-{number}"} for number, each in enumerate(found, start=1)]


def _per_init(facts: Facts, make: Callable[[Facts, str], Json | None]) -> list[Maker]:
    return [lambda f, init=init: make(f, init) for init in facts.all["axes"]["init"]]  # type: ignore[misc]


def _per_pretrained(facts: Facts, make: Callable[[Facts, str], Json | None]) -> list[Maker]:
    inits = [init for init in facts.all["axes"]["init"] if init != "none"]
    return [lambda f, init=init: make(f, init) for init in inits]  # type: ignore[misc]


# Key findings


def _key_findings(facts: Facts) -> list[Json]:
    """Return up to six findings, most asked-for first; runs without a result are named in any case."""
    makers: list[Maker] = [
        _key_best,
        _key_data,
        _key_models,
        *_per_pretrained(facts, _key_init),
        *_per_pretrained(facts, _init_effective),
        _key_reference,
        _key_recipes,
        _size_gap,
        _key_cost,
    ]
    found = [each for make in makers if (each := make(facts)) is not None]
    state = _limit_state(facts)
    if state is not None:
        found = [*found[: MOST_KEY_FINDINGS - 1], state]
    return _numbered("key", found[:MOST_KEY_FINDINGS])


def _key_best(facts: Facts) -> Json | None:
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
        "test": f"it was selected {among} on the test set, as the assignment did, and is therefore slightly "
        "optimistic",
    }[best["rule"]]
    text = (
        f"The best result is {percent(accuracy['value'])} test accuracy{interval}: "
        f"{facts.series(best['cell'])} with {facts.data(best['cell'])} and {facts.recipe(best['cell'])}"
    )
    text = sentence(f"{text}; {how}" if best["compared"] > 1 else text)
    used = [name for name in (best["cell"], best["runner_up"]) if name]
    return claim(facts, "", text, used, ["accuracy_by_size"], ["best", "comparison"])


def _ends(facts: Facts) -> list[Json]:
    """Return the differences between the largest and the smallest fraction of each base series."""
    return [facts.difference(each["difference"]) for each in facts.all["data_size"].get("ends", [])]


def _budget_clause(facts: Facts) -> str:
    """Return what else changed with the data: never let a sentence credit data alone at equal epochs."""
    base = facts.base_cells()
    steps = {facts.cell(name)["fraction"]: facts.cell(name)["steps"] for name in base}
    fractions = [each for each in facts.all["axes"]["fraction"] if steps.get(each)]
    if len(fractions) < 2:
        return ""
    few, many = steps[fractions[0]], steps[fractions[-1]]
    if few == many:
        return f"every subset got the same {thousands(few)} optimizer steps"
    epochs = counted(facts.cell(base[0])["epochs"], "epoch")
    return (
        f"at {epochs} each, the optimizer steps differ too ({thousands(few)} against {thousands(many)}), "
        "so data "
        "and steps change together"
    )


def _key_data(facts: Facts) -> Json | None:
    ends = _ends(facts)
    if not ends:
        return None
    small, large = facts.data(ends[0]["a"]), facts.data(ends[0]["b"])
    counts = tally(ends)
    clause = _budget_clause(facts)
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


def _pairs(facts: Facts, init: str | None = None) -> list[Json]:
    """Return the differences of larger models against the smallest, at equal weights and data."""
    return [
        facts.difference(each["difference"])
        for each in facts.all["model_size"]["pairs"]
        if init is None or each["init"] == init
    ]


def _key_models(facts: Facts) -> Json | None:
    pairs = _pairs(facts)
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
        own = _pairs(facts, init)
        if own:
            where = f"{facts.init(init)}, " if len(facts.all["axes"]["init"]) > 1 else ""
            parts.append(f"{where}{tally_text(own)}{_span_of_decided(own)}")
    text = sentence(f"{what}: {'; '.join(parts)} ({basis(pairs)})")
    return claim(facts, "", text, cells_of(pairs), ["model_size", "accuracy_by_size"], ["model_size"])


def _span_of_decided(differences: Sequence[Json]) -> str:
    """Return `, by 2.5 to 7.0 points` where all verdicts are the same direction."""
    counts = tally(differences)
    if counts["higher"] == len(differences) or counts["lower"] == len(differences):
        return f", {span(differences)}"
    return ""


def _gains(facts: Facts, init: str) -> list[Json]:
    """Return the differences of pretrained against from-scratch cells, at equal model and data."""
    return [
        facts.difference(each["difference"])
        for each in facts.all["transfer"]["gains"]
        if each["init"] == init
    ]


def _key_init(facts: Facts, init: str) -> Json | None:
    gains = _gains(facts, init)
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
    by_data = _gain_by_fraction(facts, init)
    trend = ""
    if len(by_data) > 1:
        (first, a), (last, b) = by_data[0], by_data[-1]
        trend = (
            f"; the mean difference is {signed_points(a)} on {share_of_data(first)} and "
            f"{signed_points(b)} on "
            f"{share_of_data(last)}"
        )
    text = sentence(f"{what} ({basis(gains)}){trend}")
    return claim(facts, "", text, cells_of(gains), ["init_gain", "init_side_by_side"], ["init_gain"])


def _gain_by_fraction(facts: Facts, init: str) -> list[tuple[str, float]]:
    """Return the mean gain on each fraction on which every model with gains has one."""
    rows = [each for each in facts.all["transfer"]["gains"] if each["init"] == init]
    models = {each["model"] for each in rows}
    found = []
    for fraction in facts.all["axes"]["fraction"]:
        values = [
            facts.difference(each["difference"])["value"] for each in rows if each["fraction"] == fraction
        ]
        if len(values) == len(models):
            found.append((fraction, sum(values) / len(values)))
    return found


def _key_reference(facts: Facts) -> Json | None:
    reference = facts.all["reference"]
    cells = [row["cell"] for table in reference["tables"] for row in table["rows"] if row["ours"] is not None]
    if not cells:
        return None
    return claim(facts, "", reference["headline"], cells, ["reference"], ["reference"])


def _key_recipes(facts: Facts) -> Json | None:
    section = facts.all["hyperparameters"]
    rows = [row for table in section["tables"] for row in table["rows"] if row["difference"]]
    if not rows:
        return None
    differences = [facts.difference(row["difference"]) for row in rows]
    decided = sum(each["verdict"] in ("higher", "lower") for each in differences)
    text = sentence(
        section["headline"].rstrip("."),
        f"The best recipe is beyond noise of the second best in {decided} of {counted(len(rows), 'row')} "
        "of the "
        f"tables ({basis(differences)})",
    ).replace(" The best recipe", ". The best recipe")
    return claim(facts, "", text, cells_of(differences), ["hyperparameters"], ["hyperparameters"])


def _key_cost(facts: Facts) -> Json | None:
    cost = facts.all["cost"]
    if not cost["points"]:
        return None
    text = f"{cost['headline']} All runs together trained for {seconds_text(cost['total_train_seconds'])}."
    return claim(facts, "", text, cost["pareto"], ["cost"], ["cost"])


# Discussion 1: accuracy, model size, data size


def _size_data(facts: Facts) -> Json | None:
    """One clause per series: each step from one training-set size to the next."""
    steps = facts.all["data_size"]["steps"]
    if not steps:
        return None
    clauses, used = [], []
    for row in facts.all["comparison"]["rows"]:
        own = [each for each in steps if (each["model"], each["init"]) == (row["model"], row["init"])]
        if not own:
            continue
        found = [facts.difference(each["difference"]) for each in own]
        used += found
        parts = [
            f"{share_of_data(facts.cell(each['b'])['fraction'])} against "
            f"{facts.cell(each['a'])['fraction']} "
            f"{_brief(each)}"
            for each in found
        ]
        clauses.append(f"{row['label']}, {listing(parts)}")
    text = f"{sentence('With more data, test accuracy is:', '; '.join(clauses))} {tests(used)}"
    clause = _budget_clause(facts)
    text = f"{text} {sentence(clause)}" if clause else text
    return claim(facts, "", text, cells_of(used), ["accuracy_by_size"], ["data_size"])


def _brief(difference: Json) -> str:
    """Return a verdict without its interval: `higher by 3.1 points`, `not distinguishable (+0.4 points)`."""
    if difference["verdict"] in ("higher", "lower"):
        return f"{difference['verdict']} by {points(difference['value'])}"
    return f"{difference['verdict']} ({signed_points(difference['value'])})"


def _size_returns(facts: Facts) -> Json | None:
    """Whether later doublings of the data bring less than earlier ones, on average over complete series."""
    first, last, used = [], [], []
    for row in facts.all["comparison"]["rows"]:
        own = [
            each
            for each in facts.all["data_size"]["steps"]
            if (each["model"], each["init"]) == (row["model"], row["init"]) and each["ratio"]
        ]
        if len(own) < 2 or len(own) != len(row["cells"]) - 1:
            continue
        first.append(_per_doubling(facts, own[0]))
        last.append(_per_doubling(facts, own[-1]))
        used += [own[0]["from"], own[0]["to"], own[-1]["from"], own[-1]["to"]]
    if not first:
        return None
    a, b = sum(first) / len(first), sum(last) / len(last)
    start, end = (facts.cell(used[0]), facts.cell(used[1])), (facts.cell(used[2]), facts.cell(used[3]))
    if max(abs(a), abs(b)) < 0.001:
        reading = "more data makes no difference over this range"
    elif a <= 0 and b <= 0:
        reading = "more data does not help over this range"
    elif a > 0 and b < 0.8 * a:
        reading = "returns diminish over this range"
    elif a > 0 and b > 1.25 * a:
        reading = "returns do not diminish over this range: the later doublings brought more"
    elif a > 0 and b > 0:
        reading = "returns neither clearly diminish nor grow over this range"
    else:
        reading = "only the later doublings help over this range"
    text = sentence(
        f"Per doubling of the training set, test accuracy changes by {signed_points(a)} between "
        f"{start[0]['fraction']} and {start[1]['fraction']} and by {signed_points(b)} between "
        f"{end[0]['fraction']} and {share_of_data(end[1]['fraction'])} (means over "
        f"{counted(len(first), 'series', 'series')}, not tested): {reading}"
    )
    return claim(facts, "", text, used, ["accuracy_by_size"], ["data_size"])


def _per_doubling(facts: Facts, step: Json) -> float:
    value: float = facts.difference(step["difference"])["value"]
    return value / math.log2(step["ratio"])


def _size_slopes(facts: Facts) -> Json | None:
    """The local slopes, and the fit or why there is none."""
    series = [each for each in facts.all["scaling"]["series"] if each["group"] == "g0"]
    if not series:
        return None
    used = [point["cell"] for each in series for point in each["points"]]
    text = facts.all["scaling"]["headline"]
    fitted = [each for each in series if each["fit"]["fitted"]]
    if fitted:
        parts = []
        for each in fitted:
            held_out = each["fit"]["held_out"]
            parts.append(f"{each['label']}: {each['fit']['text']}; {held_out['text']}")
        text = f"{text} {'. '.join(parts)}."
    else:
        text = f"{text} {capitalised(_why_unfitted(series))}."
    return claim(facts, "", text, used, ["error_scaling"], ["scaling"])


def _why_unfitted(series: Sequence[Json]) -> str:
    """Return each reason once: `not fitted: ...; ...`."""
    reasons = dict.fromkeys(each["fit"]["reason"].removeprefix("not fitted: ") for each in series)
    few = [reason for reason in reasons if "needs at least" in reason]
    if len(few) > 1:
        shared = few[0].rpartition("; ")[0]
        counts = sorted({len(each["points"]) for each in series if "needs at least" in each["fit"]["reason"]})
        others = [reason for reason in reasons if reason not in few]
        reasons = dict.fromkeys([f"{shared}; here are {counts[0]} to {counts[-1]}", *others])
    return f"not fitted: {'; '.join(reasons)}"


def _size_models(facts: Facts, init: str) -> Json | None:
    """The larger models against the smallest on each fraction, for one kind of initial weights."""
    rows = [each for each in facts.all["model_size"]["pairs"] if each["init"] == init]
    if not rows:
        return None
    models = facts.all["axes"]["model"]
    clauses, used = [], []
    for model in models[1:]:
        own = [each for each in rows if facts.cell(each["large"])["model"] == model]
        if not own:
            continue
        found = [facts.difference(each["difference"]) for each in own]
        used += found
        parts = [
            f"on {share_of_data(row['fraction'])} {short(each)}" for row, each in zip(own, found, strict=True)
        ]
        clauses.append(f"{facts.model(model)} against {facts.model(models[0])}: {listing(parts)}")
    text = f"{sentence(facts.init(init) + ',', '; '.join(clauses))} {tests(used)}"
    return claim(facts, "", text, cells_of(used), ["model_size"], ["model_size"])


def _size_interplay(facts: Facts, init: str) -> Json | None:
    """Whether the largest model's distance to the smallest changes with the data."""
    models = facts.all["axes"]["model"]
    rows = [
        each
        for each in facts.all["model_size"]["pairs"]
        if each["init"] == init and facts.cell(each["large"])["model"] == models[-1]
    ]
    if len(rows) < 2:
        return None
    first, last = facts.difference(rows[0]["difference"]), facts.difference(rows[-1]["difference"])
    change, beyond = change_of(first, last)
    what = _more_of_what(facts)
    if beyond is None:
        reading = "without intervals it cannot be said whether that is beyond noise"
    elif not beyond:
        reading = "that change is within noise"
    elif change > 0:
        reading = f"the larger model gains more from {what}"
    else:
        reading = f"the larger model gains less from {what}"
    single = any(each["method"] == "mcnemar" for each in (first, last))
    noise = " (noise of single runs is their test-sampling error only)" if single else ""
    text = sentence(
        f"{capitalised(facts.init(init))}, the distance of {facts.model(models[-1])} to "
        f"{facts.model(models[0])} "
        f"goes from {signed_points(first['value'])} on {share_of_data(rows[0]['fraction'])} to "
        f"{signed_points(last['value'])} on {share_of_data(rows[-1]['fraction'])}: {reading}{noise}"
    )
    return claim(facts, "", text, cells_of([first, last]), ["model_size"], ["model_size"])


def _more_of_what(facts: Facts) -> str:
    """Return `the added data`, with the steps where those were added too."""
    steps = {facts.cell(name)["steps"] for name in facts.base_cells()}
    return "the added data at equal steps" if len(steps) == 1 else "the added data and steps"


def _size_fit(facts: Facts, init: str) -> Json | None:
    """How the largest model comes to be behind: by fitting its training images worse, or by overfitting."""
    models = facts.all["axes"]["model"]
    rows = [
        each
        for each in facts.all["model_size"]["pairs"]
        if each["init"] == init and facts.cell(each["large"])["model"] == models[-1]
    ]
    behind = [each for each in rows if facts.difference(each["difference"])["verdict"] == "lower"]
    if not behind:
        return None
    small = [each["small"] for each in behind]
    large = [each["large"] for each in behind]
    theirs, own = facts.mean(small, "train_accuracy"), facts.mean(large, "train_accuracy")
    where = f"where {facts.model(models[-1])} {facts.init(init)} is behind"
    compared = f"{percent(own)} against {percent(theirs)} on their own training images, on average"
    if own < theirs:
        text = (
            f"{capitalised(where)}, it also fits its training images less well ({compared}): it is "
            "undertrained, or held back by the recipe, rather than overfitted"
        )
    else:
        text = (
            f"{capitalised(where)}, it fits its training images no less well ({compared}): it overfits "
            "more than "
            "the smaller model"
        )
    return claim(facts, "", sentence(text), [*small, *large], ["gap_by_size"], ["overfitting"])


def _size_gap(facts: Facts) -> Json | None:
    """The gap between training and test accuracy on the smallest and the largest fraction."""
    cells = facts.base_cells()
    fractions = [
        each
        for each in facts.all["axes"]["fraction"]
        if any(facts.cell(name)["fraction"] == each for name in cells)
    ]
    if not cells:
        return None
    means = []
    for fraction in fractions:
        own = [name for name in cells if facts.cell(name)["fraction"] == fraction]
        means.append((fraction, facts.mean(own, "gap")))
    if len(means) == 1:
        text = f"Training accuracy minus test accuracy is {signed_points(means[0][1])} on average"
    else:
        (first, a), (last, b) = means[0], means[-1]
        word = _change_word(abs(b) - abs(a))
        text = (
            f"The gap between training and test accuracy {word} with the training set: "
            f"{signed_points(a)} on {share_of_data(first)}, {signed_points(b)} on {share_of_data(last)} "
            "(means over "
            "the base recipe's cells)"
        )
    growing = sum(row["trend"] == "growing" for row in facts.all["overfitting"]["rows"])
    total = len(facts.all["overfitting"]["rows"])
    if growing:
        text += f"; the gap was still growing over the epochs in {growing} of {counted(total, 'cell')}"
    return claim(facts, "", sentence(text), cells, ["gap_by_size"], ["overfitting"])


def _change_word(change: float) -> str:
    """Return what a size does, half a point or less counting as no change."""
    return "shrinks" if change < -0.005 else ("grows" if change > 0.005 else "stays the same")


def _size_steps(facts: Facts) -> Json | None:
    """How many cells were still improving when training ended."""
    rows = [each for each in facts.all["overfitting"]["rows"] if each["improving"] is not None]
    if not rows:
        return None
    improving = [each for each in rows if each["improving"]]
    epochs = counted(facts.cell(rows[0]["cell"])["epochs"], "epoch")
    if not improving:
        text = f"After {epochs}, no cell of the base recipe was still improving beyond test noise"
        return claim(
            facts, "", sentence(text), [each["cell"] for each in rows], ["learning_curves"], ["overfitting"]
        )
    parts = []
    for fraction in facts.all["axes"]["fraction"]:
        own = [each for each in rows if facts.cell(each["cell"])["fraction"] == fraction]
        count = sum(bool(each["improving"]) for each in own)
        if own:
            parts.append(f"{count} of {len(own)} on {share_of_data(fraction)}")
    text = (
        f"After {epochs}, {len(improving)} of {counted(len(rows), 'cell')} of the base recipe were still "
        "improving "
        f"on the test set ({', '.join(parts)}): those numbers are of unfinished training"
    )
    return claim(
        facts, "", sentence(text), [each["cell"] for each in improving], ["learning_curves"], ["overfitting"]
    )


def _size_equal_steps(facts: Facts) -> Json | None:
    """Data and optimisation told apart: by runs with equal steps, or by reading curves at equal steps."""
    section = facts.all["equal_steps"]
    planned = [(group, each) for group in section["groups"] for each in group["ends"] if each["difference"]]
    if planned:
        found = [facts.difference(each["difference"]) for _, each in planned]
        steps = listing([thousands(group["steps"]) for group in section["groups"] if group["ends"]])
        small, large = facts.data(found[0]["a"]), facts.data(found[0]["b"])
        text = sentence(
            f"At equal steps ({steps} for every subset), {large} against {small} is {tally_text(found)}"
            f"{_span_of_decided(found)} ({basis(found)}): this difference is not one of optimizer steps"
        )
        return claim(facts, "", text, cells_of(found), ["equal_steps"], ["equal_steps"])
    pairs = section["pairs"]
    if not pairs:
        return None
    measured = [each for each in pairs if each["measured"]]
    if not measured:
        text = f"How much of this is data and how much is steps was {pairs[0]['text']}"
        return claim(
            facts,
            "",
            sentence(text),
            [pairs[0]["small"], pairs[0]["large"]],
            ["equal_steps"],
            ["equal_steps"],
        )
    data = sum(each["by_data"] for each in measured) / len(measured)
    further = sum(each["by_steps"] for each in measured) / len(measured)
    if data + further <= 0:
        reading = "the larger subset does not end up ahead on average"
    elif further > data:
        reading = "most of the difference came with the further steps, not with the data at equal steps"
    else:
        reading = "most of the difference was there at equal steps"
    text = sentence(
        "Read off the learning curves where the smaller of two neighbouring subsets ended, the larger "
        "subset's "
        f"accuracy differs by {signed_points(data)} at equal steps, and its further steps bring "
        f"{signed_points(further)} (means over {len(measured)} of {counted(len(pairs), 'pair')}, not "
        "tested): "
        f"{reading}"
    )
    text = f"{text} {section['note']}".strip()
    used = [name for each in measured for name in (each["small"], each["large"])]
    return claim(facts, "", text, used, ["equal_steps"], ["equal_steps"])


# Why it may differ from the expected figure


def _deviations(facts: Facts) -> tuple[list[Json], list[Json], list[Json]]:
    """Return where larger models and more data are not ahead, and reference rows beyond noise."""
    models = [each for each in _pairs(facts) if each["verdict"] != "higher"]
    data = [each for each in _ends(facts) if each["verdict"] != "higher"]
    rows = [
        row
        for table in facts.all["reference"]["tables"]
        for row in table["rows"]
        if row["verdict"] in ("above", "below")
    ]
    return models, data, rows


def _differs(facts: Facts) -> bool:
    return any(_deviations(facts))


def _why_expected(facts: Facts) -> Json | None:
    """Whether the expected picture (more data and larger models ahead) shows."""
    pairs, ends = _pairs(facts), _ends(facts)
    parts = []
    if ends:
        counts = tally(ends)
        parts.append(
            f"more data ahead in {counts['higher']} of {counted(len(ends), 'series', 'series')}"
            + (f" and behind in {counts['lower']}" if counts["lower"] else "")
        )
    if pairs:
        counts = tally(pairs)
        parts.append(
            f"the larger model ahead in {counts['higher']} of {counted(len(pairs), 'comparison')}"
            + (f" and behind in {counts['lower']}" if counts["lower"] else "")
        )
    rows = [
        row
        for table in facts.all["reference"]["tables"]
        for row in table["rows"]
        if row["within"] is not None
    ]
    if rows:
        within = sum(bool(row["within"]) for row in rows)
        parts.append(f"{within} of {counted(len(rows), 'reference number')} within noise")
    if not parts:
        return None
    used = cells_of([*ends, *pairs]) + [row["cell"] for row in rows]
    what = " and ".join(["more data"] * bool(ends) + ["larger models"] * bool(pairs))
    ahead = tally([*ends, *pairs])["higher"]
    if not what:
        lead = "Against the reference"
    elif ahead == len(ends) + len(pairs):
        lead = f"The expected figure, with {what} ahead everywhere, shows"
    elif ahead == 0:
        lead = f"The expected figure, with {what} ahead everywhere, does not show"
    else:
        lead = f"The expected figure, with {what} ahead everywhere, shows only in part"
    tested = f" ({basis([*ends, *pairs])})" if what else ""
    text = sentence(f"{lead}: {'; '.join(parts)}{tested}")
    return claim(facts, "", text, used, ["accuracy_by_size", "reference"], ["comparison", "reference"])


def _why_stem(facts: Facts) -> Json | None:
    """The stock stem on small images; holds for torchvision's ResNet family."""
    cells = [
        name
        for name in facts.base_cells()
        if facts.cell(name)["settings"].get("stem") == "imagenet"
        and int(facts.cell(name)["settings"].get("image_size", 224)) <= 64
        and "resne" in facts.cell(name)["model"]
    ]
    if not cells or not _differs(facts):
        return None
    size = int(facts.cell(cells[0])["settings"]["image_size"])
    first, last = -(-size // 4), max(1, -(-size // 32))
    text = (
        "The stock stem was made for 224 x 224 images: its stride-2 convolution and its pooling shrink "
        f"{size} x "
        f"{size} pixels to {first} x {first} before the first block, and the last stage works on {last} "
        f"x {last}, "
        "so the deeper stages, which hold most of the parameters, see hardly any spatial structure"
    )
    return claim(facts, "", sentence(text), cells, ["accuracy_by_size"], ["recipe"])


def _why_epochs(facts: Facts) -> Json | None:
    """Few epochs: only where cells were still improving at their end."""
    rows = [each for each in facts.all["overfitting"]["rows"] if each["improving"] is not None]
    improving = [each["cell"] for each in rows if each["improving"]]
    if not improving or not _differs(facts):
        return None
    epochs = facts.cell(improving[0])["epochs"]
    text = (
        f"Training ends after {counted(epochs, 'epoch')}, when {len(improving)} of "
        f"{counted(len(rows), 'cell')} were "
        "still improving on the test set: what is compared is how fast models learn, not how far they come"
    )
    return claim(facts, "", sentence(text), improving, ["learning_curves"], ["overfitting"])


def _why_recipe(facts: Facts) -> Json | None:
    """One recipe for all, with the recipes that did better where the study has them."""
    cells = facts.base_cells()
    points = {(facts.cell(n)["model"], facts.cell(n)["init"], facts.cell(n)["fraction"]) for n in cells}
    if len(points) < 2 or not _differs(facts):
        return None
    settings = facts.cell(cells[0])["settings"]
    recipe = Labels({}).describe({key: settings[key] for key in ("optimizer", "lr", "batch_size")})
    text = (
        "Every model, kind of initial weights and subset is trained by one recipe "
        f"({recipe}), which need not suit each equally"
    )
    tables = facts.all["hyperparameters"]["tables"]
    overall = [table for table in tables if table["experiment"] is None] or tables
    rows = [(table, row) for table in overall for row in table["rows"] if row["best"] is not None]
    better = [row for table, row in rows if table["columns"][row["best"]]["group"] != "g0"]
    if rows:
        text += (
            f"; another recipe of this study did better than the base recipe in {len(better)} of "
            f"{counted(len(rows), 'row')} of its tables"
        )
    used = [*cells, *(row["cells"][row["best"]] for row in better)]
    return claim(facts, "", sentence(text), used, ["hyperparameters"], ["hyperparameters", "recipe"])


def _why_steps(facts: Facts) -> Json | None:
    """Fewer steps on less data, where the budget is in epochs."""
    if facts.all["setup"]["budget"]["rule"] == "steps" or not _differs(facts):
        return None
    cells = facts.base_cells()
    steps = [facts.cell(name)["steps"] for name in cells if facts.cell(name)["steps"]]
    if not steps or min(steps) == max(steps):
        return None
    few = [name for name in cells if facts.cell(name)["steps"] == min(steps)]
    text = (
        f"The smallest subset gets only {thousands(min(steps))} optimizer steps, the largest "
        f"{thousands(max(steps))}: "
        "at equal epochs a small training set also means little optimisation"
    )
    return claim(facts, "", sentence(text), few, ["equal_steps"], ["subsets"])


def _why_augmentation(facts: Facts) -> Json | None:
    """No augmentation, where models overfit."""
    cells = [
        name
        for name in facts.base_cells()
        if facts.cell(name)["settings"].get("augmentation") == "none"
        and facts.cell(name)["gap"]["value"] > 0.05
    ]
    if not cells or not _differs(facts):
        return None
    text = (
        "No image is augmented, and training accuracy is more than 5 points above test accuracy in "
        f"{len(cells)} of "
        f"{counted(len(facts.base_cells()), 'cell')}: there, augmentation or regularisation could change "
        "the order"
    )
    return claim(facts, "", sentence(text), cells, ["gap_by_size"], ["overfitting"])


def _why_reference(facts: Facts) -> Json | None:
    """What is not known of the reference numbers."""
    rows = [
        row
        for table in facts.all["reference"]["tables"]
        for row in table["rows"]
        if row["verdict"] in ("above", "below")
    ]
    if not rows:
        return None
    below = sum(row["verdict"] == "below" for row in rows)
    text = (
        f"Of the reference numbers beyond noise, this study is below {below} and above "
        f"{len(rows) - below}; they are "
        "single numbers without seeds or intervals, so differences of hardware, library versions, input "
        "statistics "
        "and the seed stand behind them besides the settings that are compared"
    )
    return claim(facts, "", sentence(text), [row["cell"] for row in rows], ["reference"], ["reference"])


# Discussion 2: initial weights


def _init_gains(facts: Facts, init: str) -> Json | None:
    rows = [each for each in facts.all["transfer"]["gains"] if each["init"] == init]
    if not rows:
        return None
    clauses, used = [], []
    for model in facts.all["axes"]["model"]:
        own = [each for each in rows if each["model"] == model]
        if not own:
            continue
        found = [facts.difference(each["difference"]) for each in own]
        used += found
        parts = [
            f"on {share_of_data(row['fraction'])} {short(each)}" for row, each in zip(own, found, strict=True)
        ]
        clauses.append(f"{facts.model(model)}: {listing(parts)}")
    text = sentence(
        f"{capitalised(facts.init(init))} against from scratch, test accuracy is, for "
        f"{'; for '.join(clauses)} "
        f"({basis(used)})"
    )
    return claim(facts, "", text, cells_of(used), ["init_side_by_side", "init_gain"], ["init_gain"])


def _init_trend(facts: Facts, init: str) -> Json | None:
    """Whether the gain changes with the data, model by model."""
    groups: dict[str, list[str]] = {"shrinks": [], "grows": [], "within": [], "unknown": []}
    used: list[Json] = []
    for model in facts.all["axes"]["model"]:
        rows = [
            each for each in facts.all["transfer"]["gains"] if (each["init"], each["model"]) == (init, model)
        ]
        if len(rows) < 2:
            continue
        first, last = facts.difference(rows[0]["difference"]), facts.difference(rows[-1]["difference"])
        change, beyond = change_of(first, last)
        used += [first, last]
        if beyond is None:
            kind = "unknown"
        elif not beyond:
            kind = "within"
        else:
            kind = "grows" if change > 0 else "shrinks"
        values = (
            f"{signed_points(first['value'])} on {share_of_data(rows[0]['fraction'])}, "
            f"{signed_points(last['value'])} on {share_of_data(rows[-1]['fraction'])}"
        )
        groups[kind].append(f"{facts.model(model)} ({values})")
    if not used:
        return None
    words = {
        "shrinks": "falls for",
        "grows": "rises for",
        "within": "does not change beyond noise for",
        "unknown": "cannot be judged for",
    }
    parts = [f"{words[kind]} {listing(names)}" for kind, names in groups.items() if names]
    noise = (
        "; noise of single runs is their test-sampling error only"
        if any(each["method"] == "mcnemar" for each in used)
        else ""
    )
    text = sentence(
        f"With more data, the difference that being {facts.init(init)} makes {listing(parts)}{noise}"
    )
    return claim(facts, "", text, cells_of(used), ["init_gain"], ["init_gain"])


def _init_effective(facts: Facts, init: str) -> Json | None:
    """How many images training from scratch would need for the same accuracy, on the smallest subset."""
    rows = [each for each in facts.all["transfer"]["effective"] if each["init"] == init]
    if not rows:
        return None
    smallest = next(
        each for each in facts.all["axes"]["fraction"] if any(r["fraction"] == each for r in rows)
    )
    own = [each for each in rows if each["fraction"] == smallest]
    parts = []
    for row in own:
        model = facts.model(row["model"])
        if row["bound"] == "above":
            most = row["text"].removeprefix("> ")
            parts.append(f"{model} beats from-scratch training on all {most} images, the most measured")
        elif row["bound"] == "below":
            fewest = row["text"].removeprefix("< ")
            parts.append(f"{model} falls short of from-scratch training on {fewest} images")
        else:
            parts.append(
                f"{model} matches from-scratch training on {row['text']} images "
                f"({row['ratio']:.1f} times as many)"
            )
    text = sentence(
        f"In effective data (Hernandez et al. 2021): with {facts.data(own[0]['cell'])} and "
        f"{facts.init(init)},",
        listing(parts),
    )
    used = [name for row in own for name in (row["cell"], *row["curve"])]
    return claim(facts, "", text, used, ["effective_data"], ["effective_data"])


def _init_start(facts: Facts, init: str) -> Json | None:
    """How far ahead or behind the weights are after the first epoch, and at the end."""
    curves = facts.all["curves"]
    rows = [
        each
        for each in facts.all["transfer"]["gains"]
        if each["init"] == init and each["cell"] in curves and each["scratch"] in curves
    ]
    rows = [each for each in rows if len(curves[each["cell"]]["epoch"]) > 1]
    if not rows:
        return None

    def mean(key: str, index: int) -> float:
        return float(sum(curves[each[key]]["test_accuracy"][index] for each in rows) / len(rows))

    start, end = mean("cell", 0) - mean("scratch", 0), mean("cell", -1) - mean("scratch", -1)
    word = _change_word(abs(end) - abs(start))
    what = "the difference" if abs(start) < 0.005 else ("the head start" if start > 0 else "the lag")
    text = sentence(
        f"After the first epoch the models {facts.init(init)} stand at {percent(mean('cell', 0))} on "
        "average, those "
        f"from scratch at {percent(mean('scratch', 0))}; at the end at {percent(mean('cell', -1))} and "
        f"{percent(mean('scratch', -1))}: {what} {word} over training"
    )
    used = [name for each in rows for name in (each["cell"], each["scratch"])]
    return claim(facts, "", text, used, ["learning_curves"], ["init_gain"])


def _init_gap(facts: Facts, init: str) -> Json | None:
    """How the weights change the gap between training and test accuracy."""
    rows = [each for each in facts.all["transfer"]["gains"] if each["init"] == init]
    if not rows:
        return None
    cells, scratch = [each["cell"] for each in rows], [each["scratch"] for each in rows]
    own, theirs = facts.mean(cells, "gap"), facts.mean(scratch, "gap")
    fit, fit_scratch = facts.mean(cells, "train_accuracy"), facts.mean(scratch, "train_accuracy")
    word = "smaller" if own < theirs - 0.005 else ("larger" if own > theirs + 0.005 else "about the same")
    text = sentence(
        f"Training accuracy is {percent(fit)} on average {facts.init(init)} and {percent(fit_scratch)} "
        "from scratch; the "
        f"gap to test accuracy is {word} ({signed_points(own)} against {signed_points(theirs)})"
    )
    return claim(facts, "", text, [*cells, *scratch], ["gap_by_size"], ["overfitting"])


def _init_ranking(facts: Facts) -> Json | None:
    """Whether the order of the models depends on the initial weights."""
    inits = [init for init in facts.all["axes"]["init"] if _pairs(facts, init)]
    if len(inits) < 2:
        return None
    pairs = {init: _pairs(facts, init) for init in inits}
    balance = {init: tally(found)["higher"] - tally(found)["lower"] for init, found in pairs.items()}
    signs = {(value > 0) - (value < 0) for value in balance.values()}
    parts = [f"{facts.init(init)} {tally_text(found)}" for init, found in pairs.items()]
    verdict = "does not change" if len(signs) == 1 else "changes"
    every = [each for found in pairs.values() for each in found]
    text = sentence(
        f"The order of the models {verdict} with the initial weights: the larger against the smallest is "
        f"{listing(parts)} ({basis(every)})"
    )
    return claim(facts, "", text, cells_of(every), ["model_size", "init_side_by_side"], ["model_size"])


def _init_reading(facts: Facts, init: str) -> Json | None:
    """Why the weights may act as they do: only the reading that the results allow."""
    gains = _gains(facts, init)
    if not gains:
        return None
    counts = tally(gains)
    by_data = _gain_by_fraction(facts, init)
    shrinks = len(by_data) > 1 and by_data[0][1] > by_data[-1][1] + 0.005
    title = facts.init(init).removeprefix("pretrained on ")
    if counts["higher"] and not counts["lower"]:
        text = (
            f"This fits the reading that features learned on {title} are of use here, so that less has "
            "to be learned "
            "from the target images in the same number of steps"
        )
        if shrinks:
            text += "; that the gain is largest where images and steps are fewest points the same way"
        text += ". Other readings, such as better-scaled weights that merely train faster, are not excluded"
    elif counts["lower"] and not counts["higher"]:
        lr = facts.cell(gains[0]["b"])["settings"].get("lr")
        text = (
            f"This fits the reading that features learned on {title} do not suit this data, or that the "
            "recipe "
            f"(learning rate {plain(lr)}) suits them worse than random weights; a lower learning rate "
            "would tell "
            "the two apart"
        )
    elif counts["higher"] and counts["lower"]:
        text = (
            f"Features learned on {title} help at some points and hurt at others, so neither their fit "
            "to this data "
            "nor the recipe explains it alone"
        )
    else:
        text = (
            f"There is no sign beyond noise that features learned on {title} matter here, for better or worse"
        )
    return claim(facts, "", sentence(text), cells_of(gains), ["init_gain"], ["init_gain"])


# Limits


def _limit_state(facts: Facts) -> Json | None:
    """Which runs have no result, by name."""
    state = facts.all["state"]
    if not state["problems"]:
        return None
    kinds = [
        f"{number_word(state[kind])} {verb}"
        for kind, verb in (("diverged", "diverged"), ("failed", "failed"), ("missing", "without result yet"))
        if state[kind]
    ]
    labels: dict[str, list[str]] = {}
    for each in state["problems"]:
        labels.setdefault(each["reason"], []).append(each["label"])
    named = [
        f"{own[0]}{f' and {thousands(len(own) - 1)} more' if len(own) > 1 else ''}: {reason}"
        for reason, own in list(labels.items())[:4]
    ]
    rest = f"; and {counted(len(labels) - 4, 'other reason')}" if len(labels) > 4 else ""
    text = sentence(
        f"{state['text']} have a result; {listing(kinds)} and left out of all means "
        f"({'; '.join(named)}{rest})"
    )
    made = claim(facts, "", text, [each["cell"] for each in state["problems"]], [], ["runs"])
    return {**made, "runs": [each["run"] for each in state["problems"]]}


def _limit_seeds(facts: Facts) -> Json | None:
    cells = facts.base_cells()
    if not cells:
        return None
    counts = sorted({facts.cell(name)["n"] for name in cells})
    if counts == [1]:
        text = (
            "Every cell of the base recipe is a single run: its interval covers the sampling of test "
            "images only, "
            "and how much another seed would change the result is not known"
        )
    elif counts[0] == 1:
        text = (
            f"Some cells rest on a single run, others on up to {counts[-1]} seeds; for the single ones "
            "the scatter "
            "over seeds is not known"
        )
    elif counts[-1] < 5:
        text = (
            f"Intervals over {listing([str(n) for n in counts])} seeds are wide and lean on the "
            "assumption of "
            "normal scatter; all seeds share one test set, whose own sampling error they do not contain"
        )
    else:
        text = (
            "All seeds share one test set, whose own sampling error the intervals over seeds do not contain"
        )
    return claim(facts, "", sentence(text), cells, [], ["comparison"])


def _limit_selection(facts: Facts) -> Json | None:
    best = facts.all["best"]
    if best["cell"] is None or best["compared"] < 2:
        return None
    return claim(facts, "", facts.all["hyperparameters"]["selection"]["text"], [best["cell"]], [], ["best"])


def _limit_budget(facts: Facts) -> Json | None:
    cells = facts.base_cells()
    if not cells or len(facts.all["axes"]["fraction"]) < 2:
        return None
    return claim(facts, "", facts.all["setup"]["budget"]["text"], cells, ["equal_steps"], ["subsets"])


def _limit_recipe(facts: Facts) -> Json | None:
    """Whether any hyperparameter was searched."""
    cells = facts.base_cells()
    if not cells:
        return None
    if not facts.all["hyperparameters"]["tables"]:
        text = "No hyperparameter was searched: every comparison holds for this one recipe"
        return claim(facts, "", sentence(text), cells, [], ["recipe"])
    varied = dict.fromkeys(key for table in facts.all["hyperparameters"]["tables"] for key in table["varied"])
    names = listing([f"the {facts.all['labels']['setting'].get(key, key)}" for key in varied])
    text = (
        f"Of the hyperparameters only {names} {'was' if len(varied) == 1 else 'were'} varied, on a few "
        "values; each "
        "model and kind of initial weights might do better with a search of its own"
    )
    return claim(facts, "", sentence(text), cells, ["hyperparameters"], ["hyperparameters"])


def _limit_edges(facts: Facts) -> Json | None:
    found: dict[tuple[str, str, Any, int], int] = {}
    cells = []
    for table in facts.all["hyperparameters"]["tables"]:
        for edge in table["edges"]:
            key = (edge["setting"], edge["edge"], edge["value"], edge["tried"])
            found[key] = found.get(key, 0) + 1
            row = next(row for row in table["rows"] if row["fraction"] == edge["fraction"])
            cells.append(row["cells"][row["best"]])
    if not found:
        return None
    names = facts.all["labels"]["setting"]
    parts = [
        f"the {edge} of {number_word(tried)} values of the {names.get(setting, setting)} "
        f"({plain(value)}) is "
        f"best in {counted(count, 'row')}"
        for (setting, edge, value, tried), count in sorted(found.items(), key=lambda item: -item[1])
    ]
    text = f"Best values lie at the edge of what was tried: {listing(parts)}; values beyond may do better"
    return claim(facts, "", sentence(text), cells, ["hyperparameters"], ["hyperparameters"])


def _limit_batch(facts: Facts) -> Json | None:
    caveats = facts.all["hyperparameters"]["caveats"]
    if not caveats:
        return None
    cells = [
        name
        for table in facts.all["hyperparameters"]["tables"]
        if table["caveats"]
        for row in table["rows"]
        for name in row["cells"]
        if name and facts.cell(name)["n"]
    ]
    return claim(facts, "", " ".join(caveats), cells, ["hyperparameters"], ["hyperparameters"])


def _limit_fit(facts: Facts) -> Json | None:
    series = [each for each in facts.all["scaling"]["series"] if each["group"] == "g0"]
    unfitted = [each for each in series if not each["fit"]["fitted"]]
    if not unfitted:
        return None
    text = f"No scaling law is claimed for {len(unfitted)} of {counted(len(series), 'series', 'series')}, "
    text += _why_unfitted(unfitted)
    cells = [point["cell"] for each in unfitted for point in each["points"]]
    return claim(facts, "", sentence(text), cells, ["error_scaling"], ["scaling"])


def _limit_machines(facts: Facts) -> Json | None:
    mixed = next((each for each in facts.all["warnings"] if each["id"] == "mixed-devices"), None)
    if mixed is None:
        return None
    return claim(facts, "", mixed["text"], facts.base_cells(), ["cost"], ["runs"])


def _limit_test_set(facts: Facts) -> Json | None:
    dataset = facts.all["setup"]["dataset"]
    cells = facts.base_cells()
    if not cells or not dataset["test_images"]:
        return None
    accuracy = facts.mean(cells, "test_accuracy")
    error = 1.96 * (accuracy * (1 - accuracy) / dataset["test_images"]) ** 0.5
    text = (
        f"One dataset ({dataset['title']}), one test set of {thousands(dataset['test_images'])} images: "
        "at the mean "
        f"accuracy of {percent(accuracy)} its sampling alone moves a result by about {points(error)} "
        "either way "
        "(95 %), and nothing here says how far the findings carry to other data"
    )
    return claim(facts, "", sentence(text), cells, [], ["comparison"])
