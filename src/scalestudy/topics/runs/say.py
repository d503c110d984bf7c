"""The runs are a list and commands; they need no sentences of their own."""

from scalestudy.topics.base import Said
from scalestudy.topics.findings import Findings


def say(findings: Findings) -> Said:
    """Return nothing."""
    return Said()
