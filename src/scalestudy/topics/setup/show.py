"""The section on what was studied."""

from scalestudy.report import layout, view, wording
from scalestudy.report.tables import Column, number, plain
from scalestudy.study.settings import RunSettings
from scalestudy.topics.page import Page
from scalestudy.topics.setup.find import Budget, Experiment, ModelFacts

TITLE = "What was studied"
SUBSETS_NOTE = "Subsets are stratified by class and nested: a smaller one is contained in each larger one."
MODELS_NOTE = "The head is a new linear layer with one output per class."
MOST_NAMES = 24
_DEFAULTS = RunSettings()
# What a recipe leaves alone is not listed: neutral values, and settings of later versions at their defaults.
IDLE = {
    **_DEFAULTS.model_dump(mode="json", exclude=set(_DEFAULTS.lasting())),
    **{"steps": None, "label_smoothing": 0.0, "dropout": 0.0, "weight_decay": 0.0, "augmentation": "none"},
}


def show(page: Page) -> view.Section:
    """Return the section: facts and subsets; pictures, models and experiments fold."""
    return layout.section(
        "setup",
        TITLE,
        figures=[*_description(page), _facts(page)],
        tables=_budgets(page),
        details=[
            *page.figure("samples"),
            *_classes(page),
            *_models(page),
            *_experiments(page),
            *(view.Note(wording.sentence(note)) for note in page.findings.setup.data.notes),
        ],
    )


def _description(page: Page) -> list[view.Block]:
    """Return what the study's author says of it, as it stands in the study file."""
    words = page.findings.description.strip()
    return [view.Paragraph((view.Statement(words),))] if words else []


def _facts(page: Page) -> view.Facts:
    found = page.findings.setup
    data = found.data
    images = f"{wording.count(data.train_images)} training, {wording.count(data.test_images)} test"
    facts = [view.Fact("Data", f"{data.title}: {images}, {data.image_size} × {data.image_size} pixels")]
    if data.classes:
        shown = list(data.classes)
        if len(shown) > MOST_NAMES:
            shown = [*shown[:20], f"and {len(shown) - 20} more"]
        facts.append(view.Fact(wording.counted(len(data.classes), "class", "classes"), ", ".join(shown)))
    known = {key: value for key, value in found.recipe.items() if key in RunSettings.model_fields}
    idle = _DEFAULTS.model_copy(update=known).idle()
    recipe = [
        page.names.value(key, value)
        for key, value in found.recipe.items()
        if key not in idle
        and (key not in IDLE or IDLE[key] != value)
        and (key != "epochs" or found.recipe.get("steps") is None)
    ]
    title = page.grid.base.title if page.grid.at_one_point else None
    facts.append(view.Fact(title or "Base recipe", ", ".join(recipe)))
    if found.statistics:
        facts.append(view.Fact("Input statistics", wording.listing(found.statistics, "or")))
    return view.Facts(tuple(facts))


def _budgets(page: Page) -> list[view.Block]:
    def per_class(own: Budget) -> str | None:
        if own.per_class is None:
            return None
        low, high = own.per_class
        return wording.count(low) if low == high else f"{wording.count(low)} to {wording.count(high)}"

    def passes(own: Budget) -> str | None:
        if not own.images_seen or not own.train_images:
            return None
        return wording.decimal(own.images_seen / own.train_images, 1)

    by_steps = any(cell.settings.get("steps") is not None for cell in page.grid.cells.values())
    columns: list[Column[Budget]] = [
        Column("Data", lambda own: wording.fraction(own.fraction)),
        Column("Images", lambda own: number(own.train_images, own.runs, "train_images"), numeric=True),
        Column("Per class", per_class, numeric=True),
        Column("Batch size", lambda own: number(own.batch_size, own.runs, "batch_size"), numeric=True),
        Column("Passes", passes, numeric=True)
        if by_steps
        else Column("Epochs", lambda own: number(own.epochs, own.runs, "epochs"), numeric=True),
        Column("Steps", lambda own: number(own.steps, own.runs, "optimizer_steps"), numeric=True),
        Column("Images seen", lambda own: number(own.images_seen, own.runs, "images_seen"), numeric=True),
    ]
    return page.table(
        "subsets",
        "Training subsets and their budgets",
        columns,
        page.findings.setup.budgets,
        note=SUBSETS_NOTE,
    )


def _classes(page: Page) -> list[view.Block]:
    data = page.findings.setup.data
    if not data.train_counts or len(set(data.train_counts)) == 1:
        return []
    row = tuple[str, int, int]
    columns: list[Column[row]] = [
        Column("Class", lambda own: own[0]),
        Column("Training images", lambda own: own[1], numeric=True),
        Column("Test images", lambda own: own[2], numeric=True),
    ]
    counts = list(zip(data.classes, data.train_counts, data.test_counts, strict=False))
    return page.table("classes", "Images per class", columns, counts, sortable=True)


def _models(page: Page) -> list[view.Block]:
    columns: list[Column[ModelFacts]] = [
        Column("Model", lambda own: page.names.model(own.model)),
        Column("Name", lambda own: plain(own.model, code=True)),
        Column("Parameters", lambda own: own.parameters, numeric=True),
        Column("Features before the head", lambda own: own.features, numeric=True),
    ]
    return page.table("models", "Models", columns, page.findings.setup.models, note=MODELS_NOTE)


def _experiments(page: Page) -> list[view.Block]:
    def axes(own: Experiment) -> str:
        several = {key: values for key, values in own.axes.items() if len(values) > 1}
        return "; ".join(f"{page.names.setting(key)}: {', '.join(values)}" for key, values in several.items())

    base = page.grid.base.title if page.grid.at_one_point else None
    groups = {group.title: group for group in page.grid.groups}

    def differs(own: Experiment) -> str | None:
        group = groups.get(own.title)
        named = (
            [] if group is None else [page.names.value(key, value) for key, value in group.differs.items()]
        )
        return ", ".join(named) or None

    columns: list[Column[Experiment]] = [
        Column("Experiment", lambda own: own.title),
        Column(f"Differs from {wording.within(base or 'The base recipe')}", differs, optional=True),
        Column("Varied", axes),
        Column("Complete runs", lambda own: f"{own.complete} of {own.planned}", numeric=True),
    ]
    return page.table("experiments", "Experiments", columns, page.findings.setup.experiments)
