"""`scalestudy prepare`: make a dataset store."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from scalestudy.errors import UserError
from scalestudy.study.dataset import SOURCE_CLASSES, SOURCES, DatasetSettings, parse_dataset
from scalestudy.study.faults import describe


def _source_flags() -> dict[str, str]:
    """Return every setting that a source can have, each once, with its help text: which sources take it."""
    taking: dict[str, list[str]] = {}
    meaning: dict[str, str] = {}
    for name, each in SOURCES.items():
        for key, field in each.model_fields.items():
            taking.setdefault(key, []).append(name)
            meaning.setdefault(key, field.description or "")
    sources = ", ".join(f"{'|'.join(_names(each))}: {_first_line(each)}" for each in SOURCE_CLASSES)
    return {
        key: sources
        if key == "source"
        else (meaning[key] if len(names) == len(SOURCES) else f"{', '.join(names)}: {meaning[key]}")
        for key, names in taking.items()
        if key != "title"  # the report's affair alone
    }


def _names(source: type) -> list[str]:
    return [name for name, each in SOURCES.items() if each is source]


def _first_line(source: type) -> str:
    return (source.__doc__ or "").splitlines()[0].rstrip(".")


def _with_source_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` one flag per setting of a source; it gets them, text or None, as `given`."""
    flags = _source_flags()

    def wrapped(**values: Any) -> None:
        given = {key: values.pop(key, None) for key in flags}
        command(given={key: value for key, value in given.items() if value is not None}, **values)

    parameters = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for key, text in flags.items()
        for default, kind in [_needed(text) if key == "source" else _optional(text)]
    ]
    own = [each for each in inspect.signature(command).parameters.values() if each.name != "given"]
    wrapped.__signature__ = inspect.Signature([*parameters, *own])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in [*parameters, *own]}
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return wrapped


def _needed(text: str) -> tuple[Any, Any]:
    return inspect.Parameter.empty, Annotated[str, typer.Option(help=text)]


def _optional(text: str) -> tuple[Any, Any]:
    return None, Annotated[str | None, typer.Option(help=text, show_default=False)]


@_with_source_flags
def prepare(
    *,
    given: dict[str, str],
    output: Annotated[Path, typer.Option(help="Folder of the store, such as data/pets.")],
    image_size: Annotated[int, typer.Option(min=1, help="Height and width of the images, in pixels.")] = 32,
) -> None:
    """Read, check and resize a dataset once, into a store that every run maps into memory."""
    try:
        settings = parse_dataset(given)
    except ValidationError as error:
        raise UserError("\n".join(describe(error, DatasetSettings))) from None

    from scalestudy.data.prepare import prepare_dataset

    prepare_dataset(settings, image_size, output)
