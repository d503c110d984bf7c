"""The `scalestudy` command in this process: what a person types, without the seconds that a new process takes."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from scalestudy.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it printed on both streams."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.out + self.err

    @property
    def errors(self) -> list[str]:
        """The lines that say what is wrong."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def scalestudy(*arguments: str) -> Done:
    """Run `scalestudy ARGUMENTS` in the current folder."""
    out, err, code = StringIO(), StringIO(), 0
    with patch.object(sys, "argv", ["scalestudy", *arguments]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), err.getvalue())
