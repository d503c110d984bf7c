"""The view model of a study, and its two renderings: one HTML file and its Markdown twin."""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from scalestudy import __version__
from scalestudy.errors import UserError
from scalestudy.files import atomic_path, write_text
from scalestudy.report import markup, wording
from scalestudy.report.figures import FIGURES, figure_names
from scalestudy.report.inputs import Inputs
from scalestudy.report.layout import arranged, numbered
from scalestudy.report.palette import VARIABLES
from scalestudy.report.sections import SECTIONS
from scalestudy.report.sections.context import Context, data_link
from scalestudy.report.view import Fact, Link, Report, State, Statement

_NEEDED = ("findings.json", "study.json", "results.csv", "curves.csv")
_KINDS = ("svg", "narrow.svg", "png", "csv")


def render_report(study_dir: Path, report_dir: Path) -> Path:
    """Render the report of the study in `study_dir` into `report_dir` and return the path of report.html.

    Writes report.html, report.md, figures/*.png and *.csv, results.csv and curves.csv, each whole or not at all.
    Figures are those of `study_dir/figures`; one that is not there is drawn now. Raises UserError where the findings
    are not there.
    """
    for name in _NEEDED:
        if not (study_dir / name).is_file():
            raise UserError(f"{study_dir / name} is not there; `snakemake report` makes it")
    inputs = Inputs(study_dir)
    drawn = report_dir / "figures"
    _collect_figures(inputs, drawn)
    report = build(inputs, drawn)
    for name in ("results.csv", "curves.csv"):
        _copy(study_dir / name, report_dir / name)
    write_text(report_dir / "report.md", markdown(report))
    write_text(report_dir / "report.html", html(report))
    return report_dir / "report.html"


def _collect_figures(inputs: Inputs, folder: Path) -> None:
    """Bring every figure of the study into `folder`: copied from the study's folder, or drawn where it lacks one."""
    names = figure_names(inputs.study)
    for name in names:
        made = {kind: inputs.study_dir / "figures" / f"{name}.{kind}" for kind in _KINDS}
        if all(made[kind].is_file() for kind in ("svg", "png", "csv")):
            for file in made.values():
                if file.is_file():
                    _copy(file, folder / file.name)
                else:
                    (folder / file.name).unlink(missing_ok=True)
        else:
            from scalestudy.report.figures import drawing  # matplotlib takes a second to import

            drawing.save(drawing.draw(name, inputs), name, folder)
    # What an earlier state of the study had goes; other files are not ours.
    for name in FIGURES.keys() - set(names):
        for kind in _KINDS:
            (folder / f"{name}.{kind}").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def build(inputs: Inputs, drawn: Path) -> Report:
    """Return the view model of a study whose figures lie in `drawn`."""
    context = Context(inputs, drawn, figure_names(inputs.study))
    sections = tuple(section(context) for section in SECTIONS)
    state = inputs.findings["state"]
    counts = [(name, state[name]) for name in ("complete", "diverged", "failed", "missing") if state[name]]
    problems = tuple(
        Statement(
            f"{each['label']}: {each['state']}" + (f" ({each['reason']})" if each["reason"] else ""),
            runs=(each["run"],),
        )
        for each in state["problems"]
    )
    results = inputs.study_dir / "results.csv"
    report = Report(
        study=str(inputs.study["study"]),
        title=str(inputs.findings["title"] or inputs.study["study"]),
        description=str(inputs.findings["description"] or ""),
        state=State(state["text"], state["complete"] == state["planned"], tuple(counts)),
        problems=problems,
        glance=_glance(context),
        sections=sections,
        files=(
            Link("results.csv", "results.csv", data_link(results, "text/csv")),
            Link("curves.csv", "curves.csv"),
            Link("report.md", "report.md"),
        ),
        version=__version__,
        targets=context.targets,
    )
    return numbered(replace(report, sections=arranged(report.sections)))


def _glance(context: Context) -> tuple[Fact, ...]:
    """Return the few facts under the title."""
    setup, axes = context.findings["setup"], context.findings["axes"]
    dataset = setup["dataset"]
    classes = f", {len(dataset['classes'])} classes" if dataset["classes"] else ""
    facts = [
        Fact("Data", f"{dataset['title'] or dataset['name']}{classes}"),
        Fact("Models", wording.listing([context.model(name) for name in axes["model"]])),
        Fact("Initial weights", wording.listing([context.init(name) for name in axes["init"]])),
        Fact(
            "Training images",
            wording.listing(
                [f"{each['train_images']:,}" for each in setup["subsets"] if each["train_images"]]
            ),
        ),
        Fact("Seeds per setting", _seeds(context)),
    ]
    total = context.findings["cost"].get("total_train_seconds")
    if total:
        facts.append(Fact("Training time, all runs", wording.duration(total)))
    return tuple(fact for fact in facts if fact.text)


def _seeds(context: Context) -> str:
    planned = sorted({cell["planned"] for cell in context.cells.values()})
    if not planned:
        return ""
    return str(planned[0]) if len(planned) == 1 else f"{planned[0]} to {planned[-1]}"


def templates() -> Path:
    """Return the folder of the templates: the project's `templates/`."""
    for folder in (Path(__file__).parents[3] / "templates", Path.cwd() / "templates"):
        if (folder / "report.html.j2").is_file():
            return folder
    raise UserError("the folder templates/ with report.html.j2 is not there; run from the project's folder")


def environment(folder: Path | None = None) -> jinja2.Environment:
    """Return the Jinja environment of the templates: HTML escaped by itself, an undefined name an error."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.fspath(folder or templates())),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {
        "prose": _prose,
        "breakable": _breakable,
        "unbroken": _unbroken,
        "few": wording.few,
        "md_prose": markup.prose_markdown,
        "md": markup.markdown,
        "mdcode": markup.code,
        "anchor": markup.anchor,
        "trusted": Markup,
    }
    found.filters.update(filters)
    return found


def _prose(words: str) -> Markup:
    """Return a sentence for HTML, what stands between backticks as code."""
    pieces = markup.prose_pieces(words)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if code else piece for piece, code in pieces
    )


def _unbroken(words: str) -> str:
    """Return a column's head that is not broken before its unit or inside a number such as 1e-4."""
    return re.sub(r"(?<=\de)-(?=\d)", "-\u2060", re.sub(r", (?=(%|points|MB)$)", ",\u00a0", words))


def _breakable(name: str) -> Markup:
    """Return a long name for HTML that may be broken after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def html(report: Report, folder: Path | None = None) -> str:
    """Return the report as one HTML file that asks nothing of the outside."""
    place = folder or templates()
    style, script = ((place / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    template = environment(place).get_template("report.html.j2")
    colours = Markup(json.dumps({name: colour for colour, name in VARIABLES.items()}))
    return template.render(
        report=report, style=Markup(style), script=Markup(script), colours=colours
    ).lstrip()


def markdown(report: Report, folder: Path | None = None) -> str:
    """Return the report as Markdown, with images in `figures/`."""
    found = environment(folder).get_template("report.md.j2").render(report=report)
    lines = [line.rstrip() for line in found.split("\n")]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip() + "\n"
