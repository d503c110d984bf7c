"""A small report built by hand from the view model: every kind of block, three seeds, one run each, a failed run.

Topics decide what a report finds; this one is for how a page looks, reads and answers, whatever they find.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalestudy.report import layout, markup, svg, tables, view, wording
from scalestudy.report.figures.base import (
    Frame,
    Painted,
    Sheet,
    count_axis,
    percent_axis,
    size_axis,
    time_axis,
)
from scalestudy.report.figures.drawing import drawn, save
from scalestudy.report.figures.front import FrontFigure, Offer
from scalestudy.report.figures.images import StripsFigure, Tile, TilesFigure
from scalestudy.report.figures.matrix import MatrixFigure
from scalestudy.report.figures.rows import Dot, Line, LinesPanel, RowsFigure
from scalestudy.report.figures.series import Panel, Point, Run, Series, SeriesFigure
from scalestudy.report.palette import BAD, INK, MUTED, Looks
from scalestudy.report.render import html, markdown
from scalestudy.report.tables import Column

MODELS = {"resnet18": "ResNet-18", "resnet50": "ResNet-50"}
INITS = {"none": "from scratch", "rotation": "rotation"}
SIZES = {"1/16": 3125, "1/2": 25000, "1": 50000}
SEEDS = (0, 1, 2)
LOOKS = Looks(list(MODELS), list(INITS))
PIXELS_PER_POINT = 860 / 619.2


@dataclass(frozen=True)
class Setting:
    """A setting's three runs, as a topic would find it."""

    model: str
    init: str
    fraction: str
    test: tuple[float, ...]
    train: tuple[float, ...]

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(run_name(self, seed) for seed in SEEDS)

    @property
    def name(self) -> str:
        return f"{MODELS[self.model]}, {INITS[self.init]}"


def run_name(setting: Setting, seed: int) -> str:
    """Return a run's name as studies make it: readable, with its own tail."""
    tail = f"{abs(hash_of(setting)) % 0xFFFFF:05x}{seed}"
    fraction = setting.fraction.replace("/", "of")
    return f"{setting.model}_{setting.init}_f{fraction}_adam_lr1e-3_b256_s{seed}-{tail}"


def hash_of(setting: Setting) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(f"{setting.name}{setting.fraction}"))


def settings() -> list[Setting]:
    """Return the sample study's twelve settings: more data and weights help, the larger model is behind."""
    found = []
    for m, model in enumerate(MODELS):
        for i, init in enumerate(INITS):
            for f, fraction in enumerate(SIZES):
                test = 0.40 + 0.15 * f - 0.11 * m + (0.09 - 0.03 * f) * i
                own = tuple(round(test + 0.012 * (seed - 1) * (1 + m), 4) for seed in SEEDS)
                train = tuple(round(0.92 - 0.04 * f - 0.2 * m + 0.01 * seed, 4) for seed in SEEDS)
                found.append(Setting(model, init, fraction, own, train))
    return found


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


@dataclass(frozen=True)
class Number:
    """A row of a figure's CSV."""

    series: str
    fraction: str
    measure: str
    value: float
    runs: tuple[str, ...]


def point(setting: Setting, values: tuple[float, ...]) -> Point:
    words = f"{setting.name}, {wording.fraction(setting.fraction)}"
    middle = mean(values)
    each = tuple(
        Run(value, run, f"{words}: one run, {wording.percent(value)}")
        for value, run in zip(values, setting.runs, strict=True)
    )
    bounds = wording.bare_percent_range(middle - 0.03, middle + 0.03)
    note = f"{words}: {wording.percent(middle)} (n = 3, 95 % interval {bounds})"
    return Point(SIZES[setting.fraction], middle, note, setting.runs, middle - 0.03, middle + 0.03, each)


def accuracy() -> SeriesFigure:
    """Test and training accuracy, a panel each: the main figure."""
    groups: dict[str, list[Setting]] = {}
    for setting in settings():
        groups.setdefault(setting.name, []).append(setting)
    values = [value for setting in settings() for value in (*setting.test, *setting.train)]

    def panel(title: str, measure: str) -> Panel:
        series = tuple(
            Series(
                name,
                LOOKS.of(own[0].model, own[0].init),
                tuple(point(each, getattr(each, measure)) for each in own),
            )
            for name, own in groups.items()
        )
        sizes = list(SIZES.items())
        return Panel(
            title,
            series,
            lambda axes, lowest: size_axis(axes, sizes, title=lowest),
            lambda axes: percent_axis(axes, values),
        )

    records = [
        Number(each.name, each.fraction, measure, mean(getattr(each, measure)), each.runs)
        for each in settings()
        for measure in ("test", "train")
    ]
    return SeriesFigure(
        title="More labelled images helped every series; the larger model stayed behind",
        panels=(panel("Test accuracy, %", "test"), panel("Training accuracy, %", "train")),
        records=records,
        alt="Two panels of four lines each against the number of training images.",
        caption="Large marks are means over three seeds, small ones single runs, bars 95 % intervals.",
        height=2.35,
    )


def curves() -> SeriesFigure:
    """Learning curves of accuracy and loss: vertices that answer, names above."""
    epochs = range(1, 6)

    def line(setting: Setting, training: bool, loss: bool) -> Series:
        end = mean(setting.train if training else setting.test)
        heights = [end * (1 - 0.6**epoch) / (1 - 0.6**5) for epoch in epochs]
        heights = [2.6 * (1 - height) for height in heights] if loss else heights
        kind = "training" if training else "test"
        points = tuple(
            Point(epoch, y, f"{setting.name}, {kind}, epoch {epoch}: {y:.2f}", setting.runs)
            for epoch, y in zip(epochs, heights, strict=True)
        )
        look = LOOKS.of(setting.model, setting.init)
        return Series(f"{setting.name}, {kind}", look, points, 0.5 if training else 1.0, markers=False)

    panels = []
    for loss in (False, True):
        for fraction in SIZES:
            own = [each for each in settings() if each.fraction == fraction and each.model == "resnet18"]
            series = tuple(line(each, training, loss) for each in own for training in (False, True))
            title = f"{'Loss' if loss else 'Accuracy, %'}, {wording.fraction(fraction)}"
            panels.append(
                Panel(
                    title,
                    series,
                    lambda axes, lowest: axes.set(xlim=(0.8, 5.2), xlabel="epoch" if lowest else ""),
                    (lambda axes: axes.set_ylim(0, 2.6))
                    if loss
                    else (lambda axes: percent_axis(axes, [0.2, 0.95])),
                )
            )
    return SeriesFigure(
        title="ResNet-18 was still improving after five epochs",
        panels=tuple(panels),
        records=[Number("ResNet-18", "1", "loss", 0.5, ())],
        alt="Six panels of learning curves.",
        caption="Lines are means over three seeds.",
        columns=3,
        height=1.5,
        key_above=True,
    )


def times() -> Painted:
    """A figure that is drawn by hand: names in Chinese on its ticks, one point a setting."""

    def paint(frame: Frame) -> Sheet:
        sheet = Sheet("The fastest setting took a fifth of the time", ("name", "seconds"), frame)
        sheet.alt, sheet.caption = "One point per setting.", "Training time of one run."
        (axes,) = sheet.flow(1, 1.6, left=1.2, right=0.2)
        count_axis(axes, "x", 8, 300)
        axes.set_xlabel("seconds")
        names = ["猫 (cat)", "dog", "frog"]
        axes.set_yticks(range(3), names)
        for place, (name, seconds) in enumerate(zip(names, (12, 60, 200), strict=True)):
            (dot,) = axes.plot([seconds], [place], marker="o", color="#16498a")
            sheet.mark(dot, f"{name}: {wording.duration(seconds)}", (run_name(settings()[0], 0),), name)
            sheet.rows.append((name, seconds))
        return sheet

    return Painted(paint)


@dataclass(frozen=True)
class Named:
    """A row of a small figure's CSV."""

    name: str
    value: float


CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def recipes() -> RowsFigure:
    """Recipes down the side, a dot per fraction, a panel per model."""
    names = ("base recipe", "batch size 32", "learning rate 1e-4, dropout 0.2", "SGD")
    panels = []
    for model in MODELS:
        own = [each for each in settings() if (each.model, each.init) == (model, "none")]
        lines = tuple(
            Line(
                name,
                tuple(
                    Dot(
                        mean(each.test) + 0.02 * place,
                        LOOKS.of(each.model, each.init),
                        f"{each.name}, {name}: {wording.percent(mean(each.test))}",
                        each.runs,
                        mean(each.test) + 0.02 * place - 0.02,
                        mean(each.test) + 0.02 * place + 0.02,
                        above="" if place else wording.fraction(each.fraction),
                    )
                    for each in own
                ),
                aside="within noise" if place == 1 else "",
            )
            for place, name in enumerate(names)
        )
        panels.append(LinesPanel(f"{MODELS[model]}: test accuracy, %", lines))
    return RowsFigure(
        "No recipe beat the base recipe beyond noise",
        tuple(panels),
        lambda axes: percent_axis(axes, [0.2, 0.8], which="x"),
        [Named(name, 0.5) for name in names],
        alt="Two panels of four lines with three dots each.",
        caption="The words above the first dots are the fraction of the training set.",
    )


def confusion() -> MatrixFigure:
    counts = tuple(
        tuple(
            800 - 30 * i if i == j else 100 if (i, j) == (3, 5) else (7 * i + 3 * j) % 20
            for j in range(len(CLASSES))
        )
        for i in range(len(CLASSES))
    )
    return MatrixFigure(
        "Cats were taken for dogs most often",
        CLASSES,
        counts,
        tuple(sum(line) for line in counts),
        settings()[0].runs[:1],
        [Named(name, 1.0) for name in CLASSES],
        alt="A square of ten classes by ten predictions.",
        caption="Right answers in grey, errors in red.",
    )


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)


def mistakes() -> TilesFigure:
    tiles = tuple(
        Tile(
            image(number),
            ((CLASSES[number % 10], BAD), (f"is {CLASSES[(number + 3) % 10]}", INK), ("> 99.9 %", MUTED)),
            f"Test image {number}: wrong",
            settings()[0].runs[:1],
        )
        for number in range(16)
    )
    return TilesFigure(
        "It was surest of an airplane", tiles, [Named("0", 1.0)], alt="Sixteen images.", caption="Errors."
    )


def samples() -> StripsFigure:
    strips = tuple(
        (name, tuple(image(10 * place + n) for n in range(5))) for place, name in enumerate(CLASSES)
    )
    return StripsFigure(
        "Five images of each class", strips, [Named("0", 1.0)], alt="Images.", caption="Images."
    )


def cost() -> FrontFigure:
    offers = tuple(
        Offer(
            10.0 * 2**place,
            mean(each.test),
            f"{each.name}, {wording.fraction(each.fraction)}",
            LOOKS.of(each.model, each.init),
            f"{each.name}: {wording.percent(mean(each.test))}",
            each.runs,
            front=place in (0, 3, 5),
        )
        for place, each in enumerate(settings()[:6])
    )
    return FrontFigure(
        "Three settings are the most accurate for their time",
        "Test accuracy, %",
        offers,
        lambda axes: time_axis(axes, [each.x for each in offers], title="training time of one run"),
        lambda axes: percent_axis(axes, [each.y for each in offers]),
        [Named(each.name, each.x) for each in offers],
        alt="Six points of accuracy against time.",
        caption="Steps join the settings that no other beats.",
    )


FIGURES = {
    "accuracy": accuracy,
    "curves": curves,
    "times": times,
    "recipes": recipes,
    "confusion": confusion,
    "mistakes": mistakes,
    "samples": samples,
    "cost": cost,
}


def figure(folder: Path, name: str) -> view.Figure:
    """Draw a figure into `folder/figures` and return it ready for the page."""
    made = folder / "figures"
    if not (made / f"{name}.svg").is_file():
        save(drawn(lambda: FIGURES[name](), name), name, made)
    drawing = (made / f"{name}.svg").read_text(encoding="utf-8")
    said = svg.describe(drawing)
    return view.Figure(
        id=f"figure-{name}",
        number=0,
        title=said.title,
        alt=said.alt,
        caption=said.caption,
        svg=svg.inline(drawing, f"fig-{name}"),
        width=round(svg.view_width(drawing) * PIXELS_PER_POINT),
        png=f"figures/{name}.png",
        csv=f"figures/{name}.csv",
        vector=f"figures/{name}.svg",
        csv_inline="",
        runs=said.runs,
        narrow=svg.inline((made / f"{name}.narrow.svg").read_text(encoding="utf-8"), f"fig-{name}-narrow"),
    )


def share(setting: Setting, measure: str) -> view.Cell:
    values = getattr(setting, measure)
    middle = mean(values)
    bounds = wording.bare_percent_range(middle - 0.03, middle + 0.03)
    name = f"{measure}_accuracy"
    return view.Cell(wording.bare_percent(middle), bounds, setting.runs, name, middle, n="n = 3")


def accuracy_table() -> list[view.Table]:
    return tables.tabulated(
        "table-accuracy",
        "Accuracy at the last epoch",
        [
            Column("Model", lambda each: each.name),
            Column("Fraction", lambda each: tables.fraction(each.fraction)),
            Column("Test, %", lambda each: share(each, "test"), numeric=True, group="Accuracy"),
            Column("Training, %", lambda each: share(each, "train"), numeric=True, group="Accuracy"),
            Column("Images", lambda each: SIZES[each.fraction], numeric=True),
            Column("Held out, %", lambda each: None, numeric=True, optional=True),
        ],
        settings(),
        note="After each value, 95 % intervals over seeds.",
        sortable=True,
    )


def difference_table() -> list[view.Table]:
    """A table with every verdict: decided by seeds, not distinguishable, one run each."""
    one, two, three = settings()[:3]
    rows = [
        (one, view.Cell("+5.7", "+3.1 to +8.3", one.runs, n="n = 3"), view.Cell("▲ higher", tone="good")),
        (two, view.Cell("−0.4", "−2.0 to +1.2", two.runs, n="n = 3"), view.Cell("not distinguishable")),
        (
            three,
            view.Cell("+2.1", "", three.runs[:1], tone="untested", n="n = 1"),
            view.Cell("one run each", tone="untested"),
        ),
    ]
    columns = [
        Column("Model", lambda row: row[0].name),
        Column("Fraction", lambda row: tables.fraction(row[0].fraction)),
        Column("Difference, points", lambda row: row[1], numeric=True),
        Column("Verdict", lambda row: row[2]),
    ]
    return tables.tabulated("table-gain", "What weights gained", columns, rows, row_heads=2)


def run_list() -> view.RunList:
    columns = (
        view.Column("Run"),
        *(view.Column(head) for head in ("Model", "Weights", "Fraction", "Seed")),
        *(view.Column(head, numeric=True) for head in ("Test, %", "Training, %", "Time", "Images", "Steps")),
    )
    details = []
    for setting in settings():
        for seed, run in zip(SEEDS, setting.runs, strict=True):
            failed = run.startswith("resnet50_rotation_f1_") and seed == 2
            number = view.Cell("failed", tone="gone")
            if not failed:
                number = view.Cell(wording.bare_percent(setting.test[seed]), value=setting.test[seed])
            cells = (
                view.Cell(run, code=True, runs=(run,)),
                view.Cell(MODELS[setting.model]),
                view.Cell(INITS[setting.init]),
                tables.fraction(setting.fraction),
                view.Cell(str(seed), value=seed),
                number,
                view.Cell(wording.bare_percent(setting.train[seed]), value=setting.train[seed]),
                view.Cell(wording.duration(95), value=95),
                tables.number(SIZES[setting.fraction]),
                tables.number(65),
            )
            fields = (run, MODELS[setting.model], INITS[setting.init], setting.fraction, f"seed {seed}")
            fields += ("failed" if failed else "complete",)
            details.append(
                view.RunDetails(
                    run,
                    "failed" if failed else "complete",
                    cells,
                    "image size 32, batch size 256",
                    f"logs/{run}.log",
                    f"scalestudy train --model {setting.model} --fraction {setting.fraction} --image-size 32",
                    "a machine, 1 thread",
                    short=run.rpartition("-")[2],
                    fields=fields,
                )
            )
    return view.RunList(
        "table-runs", 0, "Every run of the study", columns, tuple(details), "Unfold a run for more."
    )


def sample(folder: Path) -> view.Report:
    """Return the sample report, its figures drawn into `folder/figures`."""

    def says(text: str, *names: str) -> view.Statement:
        runs = tuple(run for setting in settings()[:2] for run in setting.runs)
        return view.Statement(text, view.Evidence(tuple(names), ("gain",)), runs)

    opening = view.Opening(
        ("CIFAR-10", "ResNet-18, ResNet-50", "from scratch, rotation", "3 seeds", "1 h 33 min of training"),
        (
            view.Answer(
                "More data?", says("Yes: 1/2 instead of 1/16 of the images added 15 points in every series.")
            ),
            view.Answer(
                "A larger model?",
                says("No: ResNet-50 stayed 11 points behind ResNet-18 on each size, with either start."),
            ),
            view.Answer(
                "Initial weights?",
                says(
                    "On little data: rotation added 9 points at 1/16 and 3 on all images, where the labels "
                    "themselves suffice, for both models."
                ),
            ),
        ),
        says(
            "Means over three seeds; verdicts from the spread between seeds, corrected for all comparisons.",
            "accuracy",
        ),
        figure(folder, "accuracy"),
    )
    points = [
        says(f"Point {number} of the section, said in a few words.", "curves") for number in range(1, 8)
    ]
    code = "make\n.venv/bin/snakemake --cores all --config study=sample images=/a/long/path/to/the/images/of/the/study"
    sections = layout.arranged(
        [
            layout.section(
                "weights",
                "Initial weights",
                lead=says("Rotation pretraining helped most where labelled images were few."),
                figures=[figure(folder, "curves")],
                tables=[*difference_table(), *accuracy_table()],
                points=points,
                details=[
                    view.Note("What stands here is folded, and printed."),
                    *(figure(folder, name) for name in FIGURES if name not in ("accuracy", "curves")),
                ],
                could_add=[says("More seeds at all images: `snakemake --config seeds=5`.")],
            ),
            layout.section("empty", "A section without anything", could_add=[says("A reference table.")]),
            layout.section("all-runs", "All runs", tables=[run_list()]),
            layout.section("reproduce", "How to reproduce", tables=[view.Code(code)]),
        ]
    )
    return layout.numbered(
        view.Report(
            study="sample",
            title="CIFAR-10: accuracy, model size, data size and initial weights",
            state=view.State("35 of 36 runs", False, (("complete", 35), ("failed", 1))),
            problems=(),
            opening=opening,
            sections=sections,
            files=(),
            version="0",
        )
    )


def write_sample(folder: Path) -> Path:
    """Write the sample report below `folder`; return the path of report.html."""
    report = sample(folder)
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    path = folder / "report.html"
    path.write_text(html(report), encoding="utf-8")
    return path


def csv_of(folder: Path, name: str) -> list[list[str]]:
    with (folder / "figures" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


__all__ = ["csv_of", "markup", "sample", "settings", "write_sample"]
