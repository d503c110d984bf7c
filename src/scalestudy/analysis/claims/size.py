"""Discussion 1: accuracy, model size and data size."""

import math

from scalestudy.analysis.claims.facts import (
    MOST_CLAUSES,
    Facts,
    Json,
    basis,
    budget_clause,
    cells_of,
    change_of,
    change_word,
    claim,
    on_each_fraction,
    sentence,
    span_of_decided,
    tally_text,
    tests,
    why_unfitted,
)
from scalestudy.analysis.comparisons import noise_note
from scalestudy.analysis.labels import share_of_data
from scalestudy.analysis.words import capitalised, counted, listing, percent, points, signed_points, thousands


def data(facts: Facts) -> Json | None:
    """One clause per series: its steps from one training-set size to the next."""
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
            f"{share_of_data(facts.cell(each['b'])['fraction'])} against {facts.cell(each['a'])['fraction']} "
            f"{_brief(each)}"
            for each in found
        ]
        if len(steps) > MOST_CLAUSES:
            parts = [f"{tally_text(found, 'step')}{span_of_decided(found)}"]
        clauses.append(f"{row['label']}, {listing(parts)}")
    text = f"{sentence('With more data, test accuracy is:', '; '.join(clauses))} {tests(used)}"
    clause = budget_clause(facts)
    text = f"{text} {sentence(clause)}" if clause else text
    return claim(facts, "", text, cells_of(used), ["accuracy_by_size"], ["data_size"])


def _brief(difference: Json) -> str:
    """Return a verdict without its interval: `higher by 3.1 points`, `not distinguishable (+0.4 points)`."""
    if difference["verdict"] in ("higher", "lower"):
        return f"{difference['verdict']} by {points(difference['value'])}"
    return f"{difference['verdict']} ({signed_points(difference['value'])})"


def returns(facts: Facts) -> Json | None:
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


def slopes(facts: Facts) -> Json | None:
    """The local slopes, and the fit or why there is none."""
    series = [each for each in facts.all["scaling"]["series"] if each["group"] == "g0"]
    if not series:
        return None
    used = [point["cell"] for each in series for point in each["points"]]
    text = facts.all["scaling"]["headline"]
    fitted = [each for each in series if each["fit"]["fitted"]]
    if len(fitted) > MOST_CLAUSES // 4:
        exponents = sorted(each["fit"]["b"] for each in fitted)
        misses = [abs(each["fit"]["held_out"]["difference"]) for each in fitted]
        text = (
            f"{text} The fitted exponents run from {exponents[0]:.2f} to {exponents[-1]:.2f}; fitted to the "
            f"smaller sizes alone, the curves miss the largest by at most {points(max(misses))}."
        )
    elif fitted:
        parts = []
        for each in fitted:
            held_out = each["fit"]["held_out"]
            parts.append(f"{each['label']}: {each['fit']['text']}; {held_out['text']}")
        text = f"{text} {'. '.join(parts)}."
    else:
        text = f"{text} {capitalised(why_unfitted(series))}."
    return claim(facts, "", text, used, ["error_scaling"], ["scaling"])


def models(facts: Facts, init: str) -> Json | None:
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
        verdicts = on_each_fraction(own, found, brief=len(rows) > MOST_CLAUSES)
        clauses.append(f"{facts.model(model)} against {facts.model(models[0])}: {verdicts}")
    text = f"{sentence(facts.init(init) + ',', '; '.join(clauses))} {tests(used)}"
    return claim(facts, "", text, cells_of(used), ["model_size"], ["model_size"])


def models_with_data(facts: Facts, init: str) -> Json | None:
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
        f"{facts.model(models[0])} goes from {signed_points(first['value'])} on "
        f"{share_of_data(rows[0]['fraction'])} to {signed_points(last['value'])} on "
        f"{share_of_data(rows[-1]['fraction'])}: {reading}{noise}"
    )
    return claim(facts, "", text, cells_of([first, last]), ["model_size"], ["model_size"])


def _more_of_what(facts: Facts) -> str:
    """Return `the added data`, with the steps where those were added too."""
    steps = {facts.cell(name)["steps"] for name in facts.base_cells()}
    return "the added data at equal steps" if len(steps) == 1 else "the added data and steps"


def why_behind(facts: Facts, init: str) -> Json | None:
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
    note = noise_note([facts.difference(each["difference"]) for each in behind])
    where = f"where {facts.model(models[-1])} {facts.init(init)} is behind{note}"
    compared = (
        f"{percent(own)} against {percent(theirs)} on their own training images, on average, not tested"
    )
    if own < theirs - 0.005:
        text = (
            f"{capitalised(where)}, it also fits its training images less well ({compared}): it is "
            "undertrained, or held back by the recipe, rather than overfitted"
        )
    else:
        text = (
            f"{capitalised(where)}, it fits its training images no less well ({compared}): it overfits more "
            "than the smaller model"
        )
    return claim(facts, "", sentence(text), [*small, *large], ["gap_by_size"], ["overfitting"])


def gap(facts: Facts) -> Json | None:
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
        word = change_word(abs(b) - abs(a))
        text = (
            f"The gap between training and test accuracy {word} with the training set: {signed_points(a)} on "
            f"{share_of_data(first)}, {signed_points(b)} on {share_of_data(last)} (means over the base "
            "recipe's cells, not tested)"
        )
    growing = sum(row["trend"] == "growing" for row in facts.all["overfitting"]["rows"])
    total = len(facts.all["overfitting"]["rows"])
    if growing:
        text += f"; the gap was still growing when training ended in {growing} of {counted(total, 'cell')}"
    return claim(facts, "", sentence(text), cells, ["gap_by_size"], ["overfitting"])


def still_improving(facts: Facts) -> Json | None:
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
        f"improving on the test set ({', '.join(parts)}): those numbers are of unfinished training"
    )
    return claim(
        facts, "", sentence(text), [each["cell"] for each in improving], ["learning_curves"], ["overfitting"]
    )


def equal_steps(facts: Facts) -> Json | None:
    """Data and optimisation told apart: by runs with equal steps, or by reading curves at equal steps."""
    section = facts.all["equal_steps"]
    planned = [(group, each) for group in section["groups"] for each in group["ends"] if each["difference"]]
    if planned:
        found = [facts.difference(each["difference"]) for _, each in planned]
        steps = listing([thousands(group["steps"]) for group in section["groups"] if group["ends"]])
        small, large = facts.data(found[0]["a"]), facts.data(found[0]["b"])
        text = sentence(
            f"At equal steps ({steps} for every subset), {large} against {small} is "
            f"{tally_text(found)}{span_of_decided(found)} ({basis(found)}): this difference is not one of "
            "optimizer steps"
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
        f"subset's accuracy differs by {signed_points(data)} at equal steps, and its further steps bring "
        f"{signed_points(further)} (means over {len(measured)} of {counted(len(pairs), 'pair')}, not "
        f"tested): {reading}"
    )
    text = f"{text} {section['note']}".strip()
    used = [name for each in measured for name in (each["small"], each["large"])]
    return claim(facts, "", text, used, ["equal_steps"], ["equal_steps"])
