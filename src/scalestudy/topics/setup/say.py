"""The sentences on what was studied: the warnings, and the runs without a result."""

from scalestudy.report import wording
from scalestudy.report.names import Names
from scalestudy.topics.base import NO_EVIDENCE, Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.setup.find import Caution, Machine, Problem, Warned

WARNINGS = {
    Warned.MIXED_MACHINES: "Runs come from different kinds of machine or precision: small differences may come from "
    "that alone, and times do not compare.",
    Warned.MIXED_DATA: "Runs were made from different contents of the dataset {subject}: train the older ones again.",
    Warned.MIXED_WEIGHTS: "Runs started from different contents of the weights {subject}: train the older ones again.",
    Warned.MIXED_STATISTICS: "Images are normalised by different statistics ({subject}): settings differ in that too.",
    Warned.NO_PREDICTIONS: "{runs} without saved predictions that match the metrics: errors are those of the others.",
    Warned.NO_STORE: "The prepared data is not here any more, so sample images are left out; `snakemake data`, with "
    "this study's `--config`, prepares it.",
}


def say(findings: Findings) -> Said:
    """Return the warnings, for the end of the report's first screen or its limits."""
    return Said(points=tuple(warning(each) for each in findings.setup.warnings))


def warning(found: Caution) -> Sentence:
    """Return a warning in words."""
    text = WARNINGS[found.kind].format(
        subject=found.subject, runs=wording.capitalised(wording.counted(len(found.runs), "complete run"))
    )
    return Sentence(text, NO_EVIDENCE, (), ("runs",))


def problem(findings: Findings, names: Names, found: Problem) -> str:
    """Return which run has no result, and why."""
    cell = findings.grid.cells[found.cell]
    name = f"{names.cell(cell, findings.grid)}, seed {found.seed}: {found.state}"
    return f"{name} ({found.reason})" if found.reason else name


def machine(found: Machine) -> str:
    """Return a kind of machine in words, with the number of its runs."""
    return f"{kind_of_machine(found)}: {wording.counted(found.runs, 'run')}"


def kind_of_machine(found: Machine) -> str:
    """Return a kind of machine in words: `AMD EPYC, bfloat16, 1 thread`."""
    parts = [found.device_name or found.device, found.precision]
    parts += [wording.counted(found.threads, "thread")] if found.threads else []
    return ", ".join(filter(None, parts))
