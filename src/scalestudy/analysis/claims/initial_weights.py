"""Discussion 2: what initial weights change, and why."""

from scalestudy.analysis.claims.facts import (
    MOST_CLAUSES,
    Facts,
    Json,
    basis,
    cells_of,
    change_of,
    change_word,
    claim,
    gain_by_fraction,
    gains_of,
    on_each_fraction,
    pairs_of_models,
    sentence,
    tally,
    tally_text,
)
from scalestudy.analysis.labels import plain, share_of_data
from scalestudy.analysis.words import capitalised, listing, number_word, percent, signed_points


def gain_on_each_fraction(facts: Facts, init: str) -> Json | None:
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
        verdicts = on_each_fraction(own, found, brief=len(rows) > MOST_CLAUSES)
        clauses.append(f"{facts.model(model)}: {verdicts}")
    text = sentence(
        f"{capitalised(facts.init(init))} against from scratch, test accuracy is, for "
        f"{'; for '.join(clauses)} ({basis(used)})"
    )
    return claim(facts, "", text, cells_of(used), ["init_side_by_side", "init_gain"], ["init_gain"])


def gain_with_data(facts: Facts, init: str) -> Json | None:
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


def effective(facts: Facts, init: str) -> Json | None:
    """How many images training from scratch would need for the same accuracy, on the smallest subset."""
    rows = [each for each in facts.all["transfer"]["effective"] if each["init"] == init]
    if not rows:
        return None
    smallest = next(
        each for each in facts.all["axes"]["fraction"] if any(r["fraction"] == each for r in rows)
    )
    own = [each for each in rows if each["fraction"] == smallest]
    matched = [each for each in own if each["ratio"] is not None]
    others = [each for each in own if each["ratio"] is None]
    parts = [
        f"{facts.model(row['model'])} matches from-scratch training on {row['text']} images "
        f"({row['ratio']:.1f} times as many)"
        for row in matched
    ]
    if len(matched) > MOST_CLAUSES // 2:
        ratios = sorted(each["ratio"] for each in matched)
        times = " to ".join(dict.fromkeys(f"{ratio:.1f}" for ratio in (ratios[0], ratios[-1])))
        parts = [
            f"{number_word(len(matched))} models match from-scratch training on {times} times as many images"
        ]
    for row in others:
        images = row["text"].strip("<> ")
        if row["bound"] == "above":
            what = f"beats from-scratch training on all {images} images, the most measured"
        else:
            what = f"falls short of from-scratch training on {images} images"
        parts.append(f"{facts.model(row['model'])} {what}")
    text = sentence(
        f"In effective data (Hernandez et al. 2021): with {facts.data(own[0]['cell'])} and "
        f"{facts.init(init)},",
        listing(parts),
    )
    used = [name for row in own for name in (row["cell"], *row["curve"])]
    return claim(facts, "", text, used, ["effective_data"], ["effective_data"])


def head_start(facts: Facts, init: str) -> Json | None:
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
    what = "the difference" if abs(start) < 0.005 else ("the head start" if start > 0 else "the lag")
    word = change_word(abs(end) - abs(start))
    if start * end < 0 and min(abs(start), abs(end)) >= 0.005:
        word = "turns into a lag" if start > 0 else "turns into a lead"
    text = sentence(
        f"After the first epoch the models {facts.init(init)} stand at {percent(mean('cell', 0))} on "
        f"average, those from scratch at {percent(mean('scratch', 0))}; at the end at "
        f"{percent(mean('cell', -1))} and {percent(mean('scratch', -1))}: {what} {word} over training (not "
        "tested)"
    )
    used = [name for each in rows for name in (each["cell"], each["scratch"])]
    return claim(facts, "", text, used, ["learning_curves"], ["init_gain"])


def gap_with_weights(facts: Facts, init: str) -> Json | None:
    """How the weights change the gap between training and test accuracy."""
    rows = [each for each in facts.all["transfer"]["gains"] if each["init"] == init]
    if not rows:
        return None
    cells, scratch = [each["cell"] for each in rows], [each["scratch"] for each in rows]
    own, theirs = facts.mean(cells, "gap"), facts.mean(scratch, "gap")
    fit, fit_scratch = facts.mean(cells, "train_accuracy"), facts.mean(scratch, "train_accuracy")
    word = "smaller" if own < theirs - 0.005 else ("larger" if own > theirs + 0.005 else "about the same")
    text = sentence(
        f"Training accuracy is {percent(fit)} on average {facts.init(init)} and {percent(fit_scratch)} from "
        f"scratch; the gap to test accuracy is {word} ({signed_points(own)} against {signed_points(theirs)}, "
        "not tested)"
    )
    return claim(facts, "", text, [*cells, *scratch], ["gap_by_size"], ["overfitting"])


def order_of_models(facts: Facts) -> Json | None:
    """Whether the order of the models depends on the initial weights."""
    inits = [init for init in facts.all["axes"]["init"] if pairs_of_models(facts, init)]
    if len(inits) < 2:
        return None
    pairs = {init: pairs_of_models(facts, init) for init in inits}
    balance = {init: tally(found)["higher"] - tally(found)["lower"] for init, found in pairs.items()}
    signs = {(value > 0) - (value < 0) for value in balance.values()}
    parts = [f"{facts.init(init)} {tally_text(found)}" for init, found in pairs.items()]
    if signs == {1, -1} or signs == {1, 0, -1}:
        lead = "The order of the models changes with the initial weights"
    elif 0 in signs:
        lead = "No change of the order of the models with the initial weights shows beyond noise"
    else:
        lead = "The order of the models does not change with the initial weights"
    every = [each for found in pairs.values() for each in found]
    text = sentence(f"{lead}: the larger against the smallest is {listing(parts)} ({basis(every)})")
    return claim(facts, "", text, cells_of(every), ["model_size", "init_side_by_side"], ["model_size"])


def reading(facts: Facts, init: str) -> Json | None:
    """Why the weights may act as they do: only the reading that the results allow."""
    gains = gains_of(facts, init)
    if not gains:
        return None
    counts = tally(gains)
    lead = "As far as single runs tell, t" if any(each["method"] == "mcnemar" for each in gains) else "T"
    by_data = gain_by_fraction(facts, init)
    shrinks = len(by_data) > 1 and by_data[0][1] > by_data[-1][1] + 0.005
    title = facts.init(init).removeprefix("pretrained on ")
    if counts["higher"] and not counts["lower"]:
        text = (
            f"{lead}his fits the reading that features learned on {title} are of use here, so that less has to be "
            "learned from the target images in the same number of steps"
        )
        if shrinks:
            text += "; that the gain is largest where images and steps are fewest points the same way"
        text += ". Other readings, such as better-scaled weights that merely train faster, are not excluded"
    elif counts["lower"] and not counts["higher"]:
        lr = facts.cell(gains[0]["b"])["settings"].get("lr")
        text = (
            f"{lead}his fits the reading that features learned on {title} do not suit this data, or that the "
            f"recipe (learning rate {plain(lr)}) suits them worse than random weights; a lower learning rate "
            "would tell the two apart"
        )
    elif counts["higher"] and counts["lower"]:
        text = (
            f"Features learned on {title} help at some points and hurt at others, so neither their fit to "
            "this data nor the recipe explains it alone"
        )
    else:
        text = (
            f"There is no sign beyond noise that features learned on {title} matter here, for better or worse"
        )
    return claim(facts, "", sentence(text), cells_of(gains), ["init_gain"], ["init_gain"])
