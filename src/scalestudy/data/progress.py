"""What a preparation says while it works: a bar on a terminal, lines in a log. All on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_LINES = 10.0


def say(text: str) -> None:
    """Print one line for the person or the log."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: int | None, *, size: bool = False) -> Iterator[Callable[[int], None]]:
    """Show how far `what` is; yields a function that takes the number of items just done.

    With `size` the items are bytes. `total` is None where nobody knows it.
    """
    with _bar(what, total, size) if sys.stderr.isatty() else _lines(what, total, size) as advance:
        yield advance


@contextmanager
def _bar(what: str, total: int | None, size: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    amount = DownloadColumn() if size else MofNCompleteColumn()
    text = TextColumn("{task.description}", markup=False)
    with Progress(text, BarColumn(), amount, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def _lines(what: str, total: int | None, size: bool) -> Iterator[Callable[[int], None]]:
    started = last = time.monotonic()
    finished = 0

    def line() -> str:
        amount, whole = (
            (f"{finished / 1e6:.1f}", f"{(total or 0) / 1e6:.1f} MB")
            if size
            else (
                f"{finished:,}",
                f"{total or 0:,}",
            )
        )
        return f"{what}: {amount}" + (f" of {whole}" if total else " MB" if size else "")

    def advance(done: int) -> None:
        nonlocal finished, last
        finished += done
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(line())

    yield advance
    say(f"{line()} in {time.monotonic() - started:.1f} s")
