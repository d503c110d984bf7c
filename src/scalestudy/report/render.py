"""The view model of a study, and its two renderings: one HTML file and its Markdown twin."""

import json
import os
import re
import shutil
import traceback
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
from markupsafe import Markup

from scalestudy.errors import UserError
from scalestudy.files import atomic_path, write_text
from scalestudy.report import markup, wording
from scalestudy.report.palette import VARIABLES
from scalestudy.report.view import Report
from scalestudy.results.collect import start_command_of
from scalestudy.results.made import Made, source_of_pages
from scalestudy.study import paths
from scalestudy.topics import figure_names
from scalestudy.topics.differences import write_differences
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.report import build

_NEEDED = ("findings.json", "study.json", "results.csv", "curves.csv")
_KINDS = ("svg", "narrow.svg", "png", "csv")


def render_report(study_dir: Path, report_dir: Path) -> Path:
    """Render the report of the study in `study_dir` into `report_dir` and return the path of report.html.

    Writes report.html, report.md, figures/*.png and *.csv, results.csv and curves.csv, each whole or not at all; where
    runs of the study are missing all of it in `report_dir/partial`, never in the place of a finished report, which
    takes the partial one away when it comes. Figures are those of `study_dir/figures` where they were drawn from just
    these findings, else they are drawn now. Raises UserError, with nothing written, where the findings are not there or
    a template is at fault.
    """
    for name in _NEEDED:
        if not (study_dir / name).is_file():
            raise UserError(f"{study_dir / name} is not there; `{start_command_of(study_dir)}` makes it")
    inputs = Inputs(study_dir)
    setup = inputs.findings.setup
    whole = setup.counts["complete"] + setup.counts["diverged"] == setup.planned
    target = report_dir if whole else paths.partial_folder(report_dir)
    source = source_of_pages(study_dir)
    target.mkdir(parents=True, exist_ok=True)
    for left in target.glob(".making-*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=".making-", dir=target) as staging:
        made = Path(staging)
        _collect_figures(inputs, made / "figures", source)
        report = build(inputs, made / "figures")
        for name in ("results.csv", "curves.csv", "findings.json"):
            _copy(study_dir / name, made / name)
        write_differences(inputs.findings, made / "differences.csv")
        texts = {"report.md": markdown(report), "report.html": html(report)}
        for name, text in texts.items():
            write_text(made / name, text)
        # Nothing of the last report is touched before all of this one is there; the page itself comes last.
        files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        for file in sorted(files, key=lambda each: each.name in texts):
            (target / file).parent.mkdir(exist_ok=True)
            (made / file).replace(target / file)
    notes = Made.of(study_dir)
    _remove_earlier(target, files, notes)
    notes.add([target / file for file in files], source)
    return target / "report.html"


def _remove_earlier(folder: Path, files: Collection[Path], notes: Made) -> None:
    """Remove what an earlier rendering wrote into `folder`, a partial report too, and this one did not write."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):  # files of others are in it
                path.rmdir()
        elif path.relative_to(folder) not in files and notes.wrote(path):
            path.unlink()


def _collect_figures(inputs: Inputs, folder: Path, source: str) -> None:
    """Bring every figure of the study into `folder`: copied where it was drawn from `source`, or drawn now."""
    made = inputs.study_dir / "figures"
    notes = Made.of(inputs.study_dir)
    for name in figure_names(inputs.study):
        drawn = {kind: made / f"{name}.{kind}" for kind in _KINDS}
        if all(notes.follows(drawn[kind], source) for kind in ("svg", "png", "csv")):
            for path in drawn.values():
                if notes.follows(path, source):  # not every figure has one for phones
                    _copy(path, folder / path.name)
        else:
            # matplotlib takes a second to import
            from scalestudy.report.figures.drawing import save
            from scalestudy.topics.drawing import draw

            save(draw(name, inputs), name, folder)


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def templates() -> Path:
    """Return the folder of the templates: the project's `templates/`."""
    for folder in (Path(__file__).parents[3] / "templates", Path.cwd() / "templates"):
        if (folder / "report.html.j2").is_file():
            return folder
    raise UserError("the folder templates/ with report.html.j2 is not there; run from the project's folder")


@cache
def environment(folder: Path) -> jinja2.Environment:
    """Return the Jinja environment of the templates: HTML escaped by itself, an undefined name an error.

    One for each folder, which keeps the templates that it has compiled until their files change.
    """
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.fspath(folder)),
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
        "trusted": Markup,
    }
    found.filters.update(filters)
    return found


def _filled(folder: Path, name: str, **values: Any) -> str:
    """Return a template filled in; UserError, with file and line, where it asks for what is not there or is broken."""
    try:
        return environment(folder).get_template(name).render(**values)
    except jinja2.TemplateError as error:
        where: str = name
        line: int | None = None
        if isinstance(error, jinja2.TemplateSyntaxError):
            where, line = error.filename or name, error.lineno
        else:
            frames = [
                each for each in traceback.extract_tb(error.__traceback__) if each.filename.endswith(".j2")
            ]
            if frames:
                where, line = frames[-1].filename, frames[-1].lineno
        at = f"{where}, line {line}" if line else where
        raise UserError(f"{at}: {error.message or type(error).__name__}; mend the template") from None


def _prose(words: str) -> Markup:
    """Return a sentence for HTML, what stands between backticks as code; no line ends between a number and its %."""
    pieces = markup.prose_pieces(words)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if code else re.sub(r"(?<=\d) %", "\u00a0%", piece)
        for piece, code in pieces
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
    colours = Markup(json.dumps({name: colour for colour, name in VARIABLES.items()}))
    return _filled(
        place, "report.html.j2", report=report, style=Markup(style), script=Markup(script), colours=colours
    ).lstrip()


def markdown(report: Report, folder: Path | None = None) -> str:
    """Return the report as Markdown, with images in `figures/`."""
    found = _filled(folder or templates(), "report.md.j2", report=report)
    lines = [line.rstrip() for line in found.split("\n")]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip() + "\n"
