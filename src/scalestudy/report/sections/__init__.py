"""The report's sections in their order. To add one: write a function `Context -> Section` and put it in the list."""

from collections.abc import Callable

from scalestudy.report.sections import discussion, evidence, results, study
from scalestudy.report.sections.context import Context
from scalestudy.report.view import Section

SECTIONS: tuple[Callable[[Context], Section], ...] = (
    study.key_findings,
    study.setup,
    results.comparison,
    results.hyperparameters,
    discussion.size,
    discussion.init,
    results.best,
    results.reference,
    evidence.curves,
    evidence.errors,
    evidence.cost,
    evidence.runs,
    evidence.reproduce,
    evidence.limits,
)
