"""Flags of a command that come from declared settings: one for each, as text, with the setting's own help."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.markup import escape

from scalestudy.cli.completion import one_of


@dataclass(frozen=True)
class Flag:
    """default: what is shown as the default, None for nothing. needed: whether it must be given.

    values: what the shell offers for it. hidden: whether --help leaves it out.
    """

    help: str
    default: str | None = None
    needed: bool = False
    values: Callable[[], Iterable[str]] | None = None
    hidden: bool = False


def with_flags(flags: Mapping[str, Flag]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these flags before its own parameters; it gets those that were given, text, as `given`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def wrapped(**values: Any) -> None:
            given = {key: values.pop(key, None) for key in flags}
            command(given={key: value for key, value in given.items() if value is not None}, **values)

        own = [each for each in inspect.signature(command).parameters.values() if each.name != "given"]
        parameters = [*(_parameter(key, flag) for key, flag in flags.items()), *own]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
        wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
        return wrapped

    return decorate


def _parameter(key: str, flag: Flag) -> inspect.Parameter:
    kind: Any = str if flag.needed else str | None
    return inspect.Parameter(
        key,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if flag.needed else None,
        annotation=Annotated[
            kind,
            typer.Option(
                help=escape(flag.help),
                show_default=flag.default or False,
                autocompletion=one_of(flag.values) if flag.values else None,
                hidden=flag.hidden,
            ),
        ],
    )


def as_flags(lines: Iterable[str], keys: Collection[str]) -> list[str]:
    """Return lines that begin with a setting's key and a colon with the flag in its place; others as they are."""
    found = []
    for line in lines:
        key, colon, rest = line.partition(":")
        found.append(f"--{key.replace('_', '-')}{colon}{rest}" if key in keys else line)
    return found
