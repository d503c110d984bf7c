"""The top of the report: key findings, and what was studied."""

from scalestudy.report import wording
from scalestudy.report.sections.context import Context, Json, fraction_words, said, statement
from scalestudy.report.tables import heads, number, numeric, plain
from scalestudy.report.view import (
    Block,
    Cell,
    Fact,
    Facts,
    Heading,
    Note,
    Section,
    Statements,
)


def key_findings(context: Context) -> Section:
    """Three to six computed sentences, each linked to its evidence."""
    claims = context.findings["claims"]["key"]
    blocks: list[Block] = (
        [Statements(tuple(statement(claim) for claim in claims), ordered=True)]
        if claims
        else [
            Note(
                "No run is complete yet, so there is no finding. `snakemake` trains what is missing.",
                "missing",
            )
        ]
    )
    blocks += context.figure("accuracy_by_size") if claims else []
    blocks += [
        Note(wording.sentence(each["text"]), "warning", tuple(each["runs"]))
        for each in context.findings["warnings"]
    ]
    return Section("key-findings", "Key findings", tuple(blocks))


def setup(context: Context) -> Section:
    """Data with sample images, subsets, models, weights, recipe, experiments."""
    found = context.findings["setup"]
    blocks: list[Block] = [
        Heading("data", "Data"),
        *_data(context, found["dataset"]),
    ]
    blocks += [Heading("subsets", "Training subsets"), *_subsets(context, found)]
    blocks += [Heading("models", "Models and initial weights"), *_models(context, found)]
    blocks += [Heading("recipe", "Recipe"), *_recipe(context, found)]
    context.targets["table-recipe"] = ("recipe", "Recipe")
    return Section("setup", "What was studied", tuple(blocks))


def _data(context: Context, dataset: Json) -> list[Block]:
    classes = [str(name) for name in dataset["classes"] or []]
    size = dataset["image_size"]
    facts = [
        Fact("Dataset", dataset["title"] or dataset["name"]),
        Fact(
            "Images",
            f"{wording.count(dataset['train_images'])} training, {wording.count(dataset['test_images'])} test",
        ),
        Fact("Size", f"{size} × {size} pixels, RGB"),
    ]
    if classes:
        shown = classes if len(classes) <= 24 else [*classes[:20], f"and {len(classes) - 20} more"]
        facts.append(Fact(f"{len(classes)} classes", ", ".join(shown)))
    normalization = context.findings["setup"]["normalization"]
    if normalization:
        values = [", ".join(f"{value:.4f}" for value in normalization[key]) for key in ("mean", "std")]
        facts.append(
            Fact(
                "Normalisation", f"{normalization['name']}: mean {values[0]}; standard deviation {values[1]}"
            )
        )
    blocks: list[Block] = [Facts(tuple(facts))]
    summary = dataset.get("summary") or {}
    blocks += [Note(wording.sentence(str(words))) for words in summary.get("notes") or []]
    blocks += context.figure("samples")
    counts = dataset.get("train_counts")
    if counts and classes and len(set(counts)) > 1 and len(classes) <= 100:
        rows = [
            (plain(name), number(train), number(test))
            for name, train, test in zip(classes, counts, dataset["test_counts"], strict=True)
        ]
        columns = heads("Class", *numeric("Training images", "Test images"))
        blocks.append(context.table("classes", "Images per class", columns, rows, sortable=True, folded=True))
    return blocks


def _subsets(context: Context, found: Json) -> list[Block]:
    rows = []
    for subset in found["subsets"]:
        counts = subset["counts"]
        per_class = ""
        if counts:
            low, high = min(counts), max(counts)
            per_class = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        for budget in subset["budgets"] or [{}]:
            runs = tuple(budget.get("runs") or ())
            rows.append(
                (
                    plain(fraction_words(subset["fraction"])),
                    number(subset["train_images"], runs, "train_images"),
                    Cell(per_class or wording.MISSING),
                    *(
                        number(budget.get(key), runs, "optimizer_steps" if key == "steps" else key)
                        for key in ("batch_size", "epochs", "batches_per_epoch", "steps", "images_seen")
                    ),
                )
            )
    names = ("Images", "Per class", "Batch size", "Epochs", "Batches per epoch", "Steps", "Images seen")
    columns = heads("Fraction", *numeric(*names))
    return [
        said("Subsets are stratified by class and nested: a smaller one is contained in each larger one."),
        context.table("subsets", "Training subsets and their budgets", columns, rows),
        Note(wording.sentence(found["budget"]["text"])),
    ]


def _models(context: Context, found: Json) -> list[Block]:
    models = [
        (
            plain(each["title"]),
            plain(each["model"], code=True),
            number(each["parameters"]),
            number(each["features"]),
        )
        for each in found["models"]
    ]
    columns = heads(
        "Model",
        "Name",
        *numeric("Parameters"),
        *numeric("Features before the head"),
    )
    inits = [
        (plain(each["title"]), plain(each["init"], code=True), plain(each["source"] or "random"))
        for each in found["inits"]
    ]
    return [
        context.table(
            "models",
            "Models",
            columns,
            models,
            note="The head is a new linear layer with one output per class.",
        ),
        context.table("weights", "Initial weights", heads("Initial weights", "Name", "Source"), inits),
    ]


def _recipe(context: Context, found: Json) -> list[Block]:
    facts = tuple(
        Fact(wording.sentence(row["label"]).rstrip("."), _setting_words(row))
        for row in found["recipe_rows"]
        if not _idle(row, found["recipe"])
    )
    rows = [
        (
            plain(each["title"]),
            Cell(axes_words(context, each["axes"])),
            Cell(f"{each['complete']} of {each['planned']}"),
        )
        for each in found["experiments"]
    ]
    blocks: list[Block] = [
        said("Every run has these settings unless an experiment says otherwise."),
        Facts(facts, compact=True),
    ]
    columns = heads("Experiment", "What it crosses", *numeric("Runs"))
    blocks.append(context.table("experiments", "Experiments", columns, rows))
    return blocks


_STEMS = {"imagenet": "stock (7 × 7, stride 2, pooling)", "cifar": "for small images (3 × 3, stride 1)"}


def _idle(row: Json, recipe: Json) -> bool:
    """Return whether a setting of the recipe does nothing here, and would only lengthen the list."""
    adam = str(recipe.get("optimizer", "")).startswith("adam")
    return (row["setting"] == "steps" and row["value"] is None) or (row["setting"] == "momentum" and adam)


def _setting_words(row: Json) -> str:
    """Return a setting's value for a reader."""
    setting, value = row["setting"], row["value"]
    if setting == "validation" and str(value) == "0":
        return "none held out"
    if setting == "stem":
        return _STEMS.get(value, str(value))
    return str(row["text"])


def axes_words(context: Context, axes: Json) -> str:
    """Return an experiment's axes in words: `batch size: 32, 64; fraction: 1/16, all`. Single values are left out."""
    several = {name: values for name, values in axes.items() if len(values) > 1} or axes
    words = {"model": context.model, "init": context.init, "fraction": fraction_words}
    return "; ".join(
        f"{context.setting(name)}: {', '.join(words.get(name, str)(value) for value in values)}"
        for name, values in several.items()
    )
