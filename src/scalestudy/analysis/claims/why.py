"""Discussion 1, continued: why the results may differ from the expected figure and from the reference."""

from scalestudy.analysis.claims.facts import (
    Facts,
    Json,
    basis,
    cells_of,
    claim,
    ends_of,
    pairs_of_models,
    sentence,
    tally,
)
from scalestudy.analysis.labels import Labels
from scalestudy.analysis.words import counted, thousands


def _deviations(facts: Facts) -> tuple[list[Json], list[Json], list[Json]]:
    """Return where larger models and more data are not ahead, and reference rows beyond noise."""
    models = [each for each in pairs_of_models(facts) if each["verdict"] != "higher"]
    data = [each for each in ends_of(facts) if each["verdict"] != "higher"]
    rows = [
        row
        for table in facts.all["reference"]["tables"]
        for row in table["rows"]
        if row["verdict"] in ("above", "below")
    ]
    return models, data, rows


def _differs(facts: Facts) -> bool:
    return any(_deviations(facts))


def expected_figure(facts: Facts) -> Json | None:
    """Whether the expected picture (more data and larger models ahead) shows."""
    pairs, ends = pairs_of_models(facts), ends_of(facts)
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
    if parts:
        parts[-1] += f" ({basis([*ends, *pairs])})"
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
    text = sentence(f"{lead}: {'; '.join(parts)}")
    return claim(facts, "", text, used, ["accuracy_by_size", "reference"], ["comparison", "reference"])


def stem(facts: Facts) -> Json | None:
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
        f"{size} x {size} pixels to {first} x {first} before the first block, and the last stage works on "
        f"{last} x {last}, so the deeper stages, which hold most of the parameters, see hardly any spatial "
        "structure"
    )
    return claim(facts, "", sentence(text), cells, ["accuracy_by_size"], ["recipe"])


def epochs(facts: Facts) -> Json | None:
    """Few epochs: only where cells were still improving at their end."""
    rows = [each for each in facts.all["overfitting"]["rows"] if each["improving"] is not None]
    improving = [each["cell"] for each in rows if each["improving"]]
    if not improving or not _differs(facts):
        return None
    epochs = facts.cell(improving[0])["epochs"]
    text = (
        f"Training ends after {counted(epochs, 'epoch')}, when {len(improving)} of "
        f"{counted(len(rows), 'cell')} were still improving on the test set: what is compared is how fast "
        "models learn, not how far they come"
    )
    return claim(facts, "", sentence(text), improving, ["learning_curves"], ["overfitting"])


def recipe(facts: Facts) -> Json | None:
    """One recipe for all, with the recipes that did better where the study has them."""
    cells = facts.base_cells()
    points = {(facts.cell(n)["model"], facts.cell(n)["init"], facts.cell(n)["fraction"]) for n in cells}
    if len(points) < 2 or not _differs(facts):
        return None
    settings = facts.cell(cells[0])["settings"]
    recipe = Labels({}).describe({key: settings[key] for key in ("optimizer", "lr", "batch_size")})
    text = (
        f"Every model, kind of initial weights and subset is trained by one recipe ({recipe}), which need "
        "not suit each equally"
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


def few_steps(facts: Facts) -> Json | None:
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
        f"{thousands(max(steps))}: at equal epochs a small training set also means little optimisation"
    )
    return claim(facts, "", sentence(text), few, ["equal_steps"], ["subsets"])


def augmentation(facts: Facts) -> Json | None:
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
        f"{len(cells)} of {counted(len(facts.base_cells()), 'cell')}: there, augmentation or regularisation "
        "could change the order"
    )
    return claim(facts, "", sentence(text), cells, ["gap_by_size"], ["overfitting"])


def reference(facts: Facts) -> Json | None:
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
        f"Of the reference numbers beyond noise, this study is below {below} and above {len(rows) - below}; "
        "they are single numbers without seeds or intervals, so differences of hardware, library versions, "
        "input statistics and the seed stand behind them besides the settings that are compared"
    )
    return claim(facts, "", sentence(text), [row["cell"] for row in rows], ["reference"], ["reference"])
