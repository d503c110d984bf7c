"""The report's tables as CSV and as LaTeX (booktabs), for a paper."""

import csv
import io
from pathlib import Path

from scalestudy.errors import UserError
from scalestudy.files import write_text
from scalestudy.report import markup, wording
from scalestudy.report.view import Cell, Table
from scalestudy.results.collect import start_command_of
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.report import build


def export_tables(study_dir: Path, folder: Path) -> list[Path]:
    """Write every table of the study's report into `folder` as NAME.csv and NAME.tex; return the paths.

    Raises UserError where the findings are not there.
    """
    if not (study_dir / "findings.json").is_file():
        raise UserError(
            f"{study_dir / 'findings.json'} is not there; `{start_command_of(study_dir)}` makes it"
        )
    report = build(Inputs(study_dir), folder)
    paths = []
    for block in report.blocks():
        if isinstance(block, Table):
            name = block.id.removeprefix("table-")
            for kind, content in (("csv", as_csv(block)), ("tex", as_latex(block))):
                paths.append(folder / f"{name}.{kind}")
                write_text(paths[-1], content)
    return paths


def _heads(table: Table) -> list[str]:
    """Return the columns' heads, with the head above them where there is one."""
    return [f"{column.group}: {column.text}" if column.group else column.text for column in table.columns]


def as_csv(table: Table) -> str:
    """Return the table as CSV: beside each column with intervals or n, a column `... (note)` with them.

    Numbers are as in the report (per cent), with a plain minus sign.
    """
    noted = [any(row.cells[place].small for row in table.rows) for place in range(len(table.columns))]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    heads = [
        each
        for head, note in zip(_heads(table), noted, strict=True)
        for each in ([head, f"{head} (note)"] if note else [head])
    ]
    writer.writerow([*heads, "runs"])
    for row in table.rows:
        values = []
        for cell, note in zip(row.cells, noted, strict=True):
            shown = f"{cell.text} {cell.mark}".strip()
            values += [shown.replace(wording.MINUS, "-")] + (
                [cell.small.replace(wording.MINUS, "-")] if note else []
            )
        runs = dict.fromkeys(run for cell in row.cells for run in cell.runs)
        writer.writerow([*values, " ".join(runs)])
    return file.getvalue()


def as_latex(table: Table) -> str:
    """Return the table as a LaTeX `table` float with booktabs rules; \\usepackage{booktabs} is all it needs.

    Names that are no ASCII need XeLaTeX or LuaLaTeX with a font that has them.
    """
    align = "".join("r" if column.numeric else "l" for column in table.columns)
    rules, groups, place = [], [], 1
    for words, span in table.groups:
        groups.append(
            f"\\multicolumn{{{span}}}{{c}}{{{markup.latex(words)}}}" if words else " & ".join([""] * span)
        )
        rules += [f"\\cmidrule(lr){{{place}-{place + span - 1}}}"] if words else []
        place += span
    head = [" & ".join(groups) + r" \\", " ".join(rules)] if groups else []
    head.append(" & ".join(markup.latex(column.text) for column in table.columns) + r" \\")
    body: list[str] = []
    for row, span in table.spans:
        if span > 1 and body:
            body.append(r"\addlinespace")
        cells = [_latex_cell(cell) for cell in row.cells]
        body.append(" & ".join(["", *cells[1:]] if span == 0 else cells) + r" \\")
    note = [rf"\par\smallskip\footnotesize {markup.latex(table.note)}"] if table.note else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{markup.latex(table.title)}}}",
            rf"\label{{tab:{table.id.removeprefix('table-').replace('_', '-')}}}",
            rf"\begin{{tabular}}{{{align}}}",
            r"\toprule",
            *head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *note,
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(cell: Cell) -> str:
    words = markup.latex(cell.text)
    words += f" {markup.latex(cell.mark)}" if cell.mark else ""
    return words + (rf" {{\scriptsize ({markup.latex(cell.small)})}}" if cell.small else "")
