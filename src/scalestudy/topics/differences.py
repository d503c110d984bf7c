"""differences.csv: every pair that the report compares, with all that its verdict follows from."""

from pathlib import Path

import pandas as pd

from scalestudy.files import write_text
from scalestudy.findings.model import Difference, Side
from scalestudy.report.names import Names
from scalestudy.topics.findings import Findings


def write_differences(findings: Findings, path: Path) -> None:
    """Write a row for each compared pair: both sides, the difference b minus a, its test, its verdict.

    Shares lie in [0, 1]. Columns of the test are empty without one; `networks_*` ask another question, whether one
    network of each side errs on different images (McNemar's exact test), and decide nothing about settings.
    """
    rows = [_row(findings, found) for found in findings.grid.differences.values()]
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["a", "b"])
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def _row(findings: Findings, found: Difference) -> dict[str, object]:
    test, networks = found.test, found.networks
    names = Names(findings.grid.titles)

    def side(name: str, own: Side) -> dict[str, object]:
        cell = findings.grid.cells[own.cell]
        seeds = " ".join(str(seed) for seed, _ in own.seeds)
        return {
            name: names.cell(cell, findings.grid),
            f"mean_{name}": own.mean,
            f"n_{name}": len(own.runs),
            f"seeds_{name}": seeds,
            f"runs_{name}": " ".join(own.runs),
        }

    return {
        **side("a", found.a),
        **side("b", found.b),
        "measure": findings.grid.primary,
        "difference": found.value,
        "verdict": found.verdict.value,
        "family": found.family.value,
        "error": test and test.error,
        "df": test and test.df,
        "low": test and test.low,
        "high": test and test.high,
        "p": test and test.p,
        "p_holm": test and test.p_holm,
        "tests": test and test.tests,
        "networks_run_a": networks and networks.run_a,
        "networks_run_b": networks and networks.run_b,
        "networks_only_a": networks and networks.only_a,
        "networks_only_b": networks and networks.only_b,
        "networks_p": networks and networks.p,
    }
