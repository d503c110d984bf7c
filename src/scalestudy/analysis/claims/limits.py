"""What the study does not know, in plain words."""

from typing import Any

from scalestudy.analysis.claims.facts import (
    Facts,
    Json,
    claim,
    sentence,
    why_unfitted,
)
from scalestudy.analysis.labels import plain
from scalestudy.analysis.words import counted, listing, number_word, percent, points, thousands


def without_result(facts: Facts) -> Json | None:
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
        f"{state['text']} have a result; {listing(kinds)}, left out of all means ({'; '.join(named)}{rest})"
    )
    made = claim(facts, "", text, [each["cell"] for each in state["problems"]], [], ["runs"])
    return {**made, "runs": [each["run"] for each in state["problems"]]}


def seeds(facts: Facts) -> Json | None:
    cells = facts.base_cells()
    if not cells:
        return None
    counts = sorted({facts.cell(name)["n"] for name in cells})
    if counts == [1]:
        text = (
            "Every cell of the base recipe is a single run: its interval covers the sampling of test images "
            "only, and how much another seed would change the result is not known"
        )
    elif counts[0] == 1:
        text = (
            f"Some cells rest on a single run, others on up to {counts[-1]} seeds; for the single ones the "
            "scatter over seeds is not known"
        )
    elif counts[-1] < 5:
        text = (
            f"Intervals over {listing([str(n) for n in counts])} seeds are wide and lean on the assumption "
            "of normal scatter; all seeds share one test set, whose own sampling error they do not contain"
        )
    else:
        text = (
            "All seeds share one test set, whose own sampling error the intervals over seeds do not contain"
        )
    return claim(facts, "", sentence(text), cells, [], ["comparison"])


def subsets(facts: Facts) -> Json | None:
    """Whether the images of a subset were drawn more than once."""
    cells = [name for name in facts.base_cells() if facts.cell(name)["fraction"] != "1"]
    if not cells:
        return None
    draws = facts.all["setup"]["subset_seeds"]
    if len(draws) == 1:
        text = (
            "Each subset of the training set was drawn once, and the smaller ones are part of the larger: how "
            "much another drawing of images would change a result is not known"
        )
    else:
        text = (
            f"The subsets were drawn {number_word(len(draws))} times; their scatter is part of the intervals over "
            "seeds where a cell has runs on several of them"
        )
    return claim(facts, "", sentence(text), cells, [], ["subsets"])


def selection(facts: Facts) -> Json | None:
    best = facts.all["best"]
    if best["cell"] is None or best["compared"] < 2:
        return None
    return claim(facts, "", facts.all["hyperparameters"]["selection"]["text"], [best["cell"]], [], ["best"])


def budget(facts: Facts) -> Json | None:
    cells = facts.base_cells()
    if not cells or len(facts.all["axes"]["fraction"]) < 2:
        return None
    return claim(facts, "", facts.all["setup"]["budget"]["text"], cells, ["equal_steps"], ["subsets"])


def recipe(facts: Facts) -> Json | None:
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
        "values; each model and kind of initial weights might do better with a search of its own"
    )
    return claim(facts, "", sentence(text), cells, ["hyperparameters"], ["hyperparameters"])


def edges(facts: Facts) -> Json | None:
    found: dict[tuple[str, str, Any, int], list[str]] = {}
    for table in facts.all["hyperparameters"]["tables"]:
        for edge in table["edges"]:
            key = (edge["setting"], edge["edge"], edge["value"], edge["tried"])
            row = next(row for row in table["rows"] if row["fraction"] == edge["fraction"])
            cell = row["cells"][row["best"]]
            if cell not in found.setdefault(key, []):  # one cell may be best in several tables
                found[key].append(cell)
    if not found:
        return None
    names = facts.all["labels"]["setting"]
    parts = [
        f"the {edge} of {number_word(tried)} values of the {names.get(setting, setting)} ({plain(value)}) is "
        f"best at {counted(len(own), 'point')}"
        for (setting, edge, value, tried), own in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
    text = f"Best values lie at the edge of what was tried: {listing(parts)}; values beyond may do better"
    cells = [cell for own in found.values() for cell in own]
    return claim(facts, "", sentence(text), cells, ["hyperparameters"], ["hyperparameters"])


def caveats_of_recipes(facts: Facts) -> Json | None:
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


def no_law(facts: Facts) -> Json | None:
    series = [each for each in facts.all["scaling"]["series"] if each["group"] == "g0"]
    unfitted = [each for each in series if not each["fit"]["fitted"]]
    if not unfitted:
        return None
    text = f"No scaling law is claimed for {len(unfitted)} of {counted(len(series), 'series', 'series')}: "
    text += why_unfitted(unfitted).removeprefix("not fitted: ")
    cells = [point["cell"] for each in unfitted for point in each["points"]]
    return claim(facts, "", sentence(text), cells, ["error_scaling"], ["scaling"])


def machines(facts: Facts) -> Json | None:
    mixed = next((each for each in facts.all["warnings"] if each["id"] == "mixed-devices"), None)
    if mixed is None:
        return None
    return claim(facts, "", mixed["text"], facts.base_cells(), ["cost"], ["runs"])


def test_set(facts: Facts) -> Json | None:
    dataset = facts.all["setup"]["dataset"]
    cells = facts.base_cells()
    if not cells or not dataset["test_images"]:
        return None
    accuracy = facts.mean(cells, "test_accuracy")
    error = 1.96 * (accuracy * (1 - accuracy) / dataset["test_images"]) ** 0.5
    text = (
        f"One dataset ({dataset['title']}), one test set of {thousands(dataset['test_images'])} images: at "
        f"the mean accuracy of {percent(accuracy)} its sampling alone moves a result by about "
        f"{points(error)} either way (95 %), and nothing here says how far the findings carry to other data"
    )
    return claim(facts, "", sentence(text), cells, [], ["comparison"])
