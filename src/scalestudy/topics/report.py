"""The whole report: the first screen from the topics' leads, then every topic's section in their order."""

from dataclasses import replace
from pathlib import Path

from scalestudy import __version__
from scalestudy.report import layout, wording
from scalestudy.report.view import Answer, Figure, Link, Opening, Report, State, Statement
from scalestudy.topics import TOPICS
from scalestudy.topics.base import Said
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.page import Page, data_link
from scalestudy.topics.setup.say import problem

# The main figure is the first of these that has something to show.
HEROES = ("accuracy_by_size", "model_size", "init_gain", "learning_curves", "confusion")
HEROES_OF_RECIPES = ("recipes", "cost")  # before them, where several recipes share one training-set size
QUESTIONS = (
    ("limits", "Better than guessing?"),
    ("data_size", "More data?"),
    ("model_size", "A larger model?"),
    ("weights", "Initial weights?"),
    ("recipes", "Another recipe?"),
    ("reference", "Reported numbers?"),
)
OF_ONE_SIZE = "How accurate?"
OF_PARTS = "What is each part worth?"
OF_BEST = "The best result?"
MOST_ANSWERS = 4
BASIS_SEEDS = "Means over {runs} each; a verdict needs a difference beyond the run-to-run spread. {budget}"
BASIS_SINGLE = "One run each, which decides nothing about settings: two or more seeds would. {budget}"


def build(inputs: Inputs, drawn: Path) -> Report:
    """Return the view model of a study whose figures lie in `drawn`. UserError where its findings are not whole."""
    page = Page(inputs, drawn)
    findings = inputs.findings
    setup = findings.setup
    of_recipes = len(page.grid.fractions) == 1 < len(page.grid.groups)
    heroes = (*HEROES_OF_RECIPES, *HEROES) if of_recipes else HEROES
    figures = (block for name in heroes for block in page.figure(name))
    hero = next((block for block in figures if isinstance(block, Figure)), None)
    sections = [topic.part("show").show(page) for topic in TOPICS]
    if hero is not None:
        sections = [
            each
            and replace(each, blocks=tuple(b for b in each.blocks if b.kind != "figure" or b.id != hero.id))
            for each in sections
        ]
    results = inputs.study_dir / "results.csv"
    complete = setup.counts["complete"]
    report = Report(
        study=findings.study,
        title=findings.title,
        state=State(
            f"{complete} of {wording.counted(setup.planned, 'run')}",
            complete == setup.planned,
            tuple((name, count) for name, count in setup.counts.items() if count),
        ),
        problems=tuple(
            Statement(problem(findings, page.names, each), runs=(each.run,)) for each in setup.problems
        ),
        opening=Opening(
            facts=_facts(page),
            answers=_answers(page),
            basis=_basis(page),
            figure=hero,
        ),
        sections=layout.arranged(sections),
        files=(
            Link("results.csv", "results.csv", data_link(results, "text/csv")),
            Link("curves.csv", "curves.csv"),
            Link("differences.csv", "differences.csv"),
            Link("findings.json", "findings.json"),
            Link("report.md", "report.md"),
        ),
        version=__version__,
        targets=page.targets,
    )
    return layout.numbered(report)


def _facts(page: Page) -> tuple[str, ...]:
    """Return the few facts under the title: data, models, seeds, the baseline, time."""
    found = page.findings.setup
    classes = (
        f", {wording.counted(len(found.data.classes), 'class', 'classes')}" if found.data.classes else ""
    )
    facts = [
        f"{found.data.title}{classes}",
        wording.listing([page.names.model(name) for name in page.grid.models]),
        wording.counted(len(found.seeds), "seed"),
    ]
    if page.grid.majority is not None:
        facts.append(f"largest class {wording.percent(page.grid.majority)}")
    seconds = [
        stat.value * stat.n for cell in page.grid.cells.values() if (stat := cell.stat("train_seconds"))
    ]
    if seconds:
        facts.append(f"{wording.duration(sum(seconds))} of training")
    return tuple(facts)


def _answers(page: Page) -> tuple[Answer, ...]:
    """Return each question of the first screen that the study answers, with its topic's lead, or its own answer."""
    topics = {topic.name: topic for topic in TOPICS}
    found = []
    for name, question in QUESTIONS:
        said: Said = topics[name].part("say").say(page.findings)
        answer = said.lead if said.answer is None else said.answer
        if name == "data_size" and len(page.grid.fractions) == 1:
            question = OF_ONE_SIZE
        elif name == "recipes" and page.findings.recipes.parts:
            question = OF_PARTS
        elif name == "recipes" and not any(each.balance for each in page.findings.recipes.recipes):
            question = OF_BEST
        found += [Answer(question, page.statement(each)) for each in answer[:1]]
        if name == "recipes" and answer and answer != said.lead and not _base_is_best(page):
            found += [Answer(OF_BEST, page.statement(each)) for each in said.lead]
    return tuple(found[:MOST_ANSWERS])


def _base_is_best(page: Page) -> bool:
    best = page.findings.recipes.best
    return best is None or best.cell in page.grid.base.cells


def _basis(page: Page) -> Statement | None:
    """Return what the answers rest on: runs, verdicts, and what grows with the images."""
    runs = sorted({len(cell.runs) for cell in page.grid.cells.values() if cell.runs})
    if not runs:
        return None
    points = topics_budget(page)
    if len(page.grid.cells) == 1:
        return Statement(f"Mean over {wording.counted(runs[-1], 'run')}." if runs[-1] > 1 else "One run.")
    if runs[-1] == 1:
        return Statement(BASIS_SINGLE.format(budget=points).strip())
    span = wording.counted(runs[-1], "run") if len(runs) == 1 else f"{runs[0]} to {runs[-1]} runs"
    return Statement(BASIS_SEEDS.format(runs=span, budget=points).strip())


def topics_budget(page: Page) -> str:
    """Return the sentence on what grows with the training images; nothing where the study has one size."""
    from scalestudy.topics.data_size.say import budget

    said = budget(page.findings) if page.findings.data_size.missing is None else []
    return said[0].text if said else ""
