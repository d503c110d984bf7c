"""Every key of a study with its default, what is allowed and what it means: as the tables of config/README.md.

All of it is read from the models and registries; a test fails when the README drifts.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from scalestudy.study.config import Checkpoint, Compute, Experiment, Reference, Study, Upstream, Weights
from scalestudy.study.dataset import SOURCE_CLASSES, SOURCES, SourceSettings
from scalestudy.study.models import known_models
from scalestudy.study.parse import format_fraction, format_number
from scalestudy.study.settings import RunSettings

# Keys whose values are too many for a cell of the table.
_ELSEWHERE = {
    "model": "a name, see [Models](#models)",
    "init": "a name, see [Models](#models) and [`weights`](#weights)",
}
_MARKED = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def allowed(field: FieldInfo) -> str:
    """Return what a key takes, in a few words: its values, or their kind and limits."""
    named = [each.allowed for each in field.metadata if hasattr(each, "allowed")]
    if named:
        return str(named[0])
    return " or ".join(dict.fromkeys(_kind(option, field.metadata) for option in _options(field.annotation)))


def help_text(field: FieldInfo) -> str:
    """Return a key's meaning, with what it takes where the meaning does not say so: for the command line."""
    meaning, values = field.description or "", allowed(field)
    said = values == "text" or all(value in meaning for value in values.split(", "))
    return meaning if said else f"{meaning.rstrip('.')} ({values})."


def readme_with_tables(text: str) -> str:
    """Return the README `text` with every marked table written anew; KeyError for a mark that nothing belongs to."""
    return _MARKED.sub(lambda match: match[1] + _TABLES[match[2]]() + match[3], text)


def tables() -> Iterable[str]:
    """Return the names of the tables that a README must have."""
    return _TABLES


def _options(annotation: Any) -> list[Any]:
    """Return the types that a value may have; None, which means "not set", is none of them."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for inner in get_args(annotation) for each in _options(inner)]
    return [] if annotation is NoneType else [annotation]


def _kind(option: Any, metadata: Iterable[Any]) -> str:
    if get_origin(option) is Literal:
        return ", ".join(map(str, get_args(option)))
    if option is bool:
        return "true, false"
    if option in (int, float, Fraction):
        return {int: "whole number", float: "number", Fraction: "fraction"}[option] + _limits(metadata)
    if option is str:
        return "text"
    if get_origin(option) is tuple:
        return "list"
    if isinstance(option, type) and issubclass(option, SourceSettings):
        return "a name, or a mapping"
    return "mapping"


def _limits(metadata: Iterable[Any]) -> str:
    """Return limits as people write them: `, 1 or more`; `, above 0, at most 1`."""
    words = []
    for each in metadata:
        match each:
            case annotated_types.Gt(gt=limit):
                words.append(f"above {limit}")
            case annotated_types.Ge(ge=limit):
                words.append(f"{limit} or more")
            case annotated_types.Lt(lt=limit):
                words.append(f"below {limit}")
            case annotated_types.Le(le=limit):
                words.append(f"at most {limit}")
    return "".join(f", {word}" for word in words)


def _table(fields: Mapping[str, FieldInfo]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key, field in fields.items():
        default = "**needed**" if field.is_required() else _code(default_text(field))
        rows.append(f"| `{key}` | {default} | {_ELSEWHERE.get(key) or _codes(field)} | {_text(field)} |")
    return "\n".join(rows) + "\n"


def _text(field: FieldInfo) -> str:
    """Return a key's meaning as Markdown."""
    return (field.description or "").replace("<", "&lt;").replace("|", "\\|")


def default_text(field: FieldInfo) -> str:
    """Return a key's default as it would be written; nothing where there is none, or no short one."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fraction):
        return format_fraction(value)
    if isinstance(value, (int, float)):
        return format_number(value)
    return value if isinstance(value, str) else ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _codes(field: FieldInfo) -> str:
    """Return what a key takes; values to be typed as they are, as code."""
    text = allowed(field)
    if any(hasattr(each, "allowed") for each in field.metadata):
        names, _, rest = text.partition(" (")
        return _listed(names.split(", ")) + (f" ({rest}" if rest else "")
    options = _options(field.annotation)
    if len(options) == 1 and (get_origin(options[0]) is Literal or options[0] is bool):
        return _listed(text.split(", "))
    return text


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _of(model: type[BaseModel]) -> Callable[[], str]:
    return lambda: _table(model.model_fields)


def _sources() -> str:
    """Return a table of the sources, and one of each source's own keys."""
    common = dict.fromkeys(SourceSettings.model_fields)
    parts = ["| `source` | what it is |\n|---|---|\n"]
    for names, what in source_names():
        parts[0] += f"| {_listed(names)} | {what} |\n"
    parts.append(
        "Every source:\n\n"
        + _table({key: f for key, f in SourceSettings.model_fields.items() if key != "source"})
    )
    for each in SOURCE_CLASSES:
        own = {key: field for key, field in each.model_fields.items() if key not in common}
        parts.append(f"{_listed(_names(each))}:\n\n{_table(own)}")
    return "\n".join(parts)


def source_names() -> list[tuple[list[str], str]]:
    """Return, for each class of sources, the names that it goes by and what it is."""
    return [(_names(each), (each.__doc__ or "").splitlines()[0]) for each in SOURCE_CLASSES]


def _names(source: type[SourceSettings]) -> list[str]:
    return [name for name, each in SOURCES.items() if each is source]


def _models() -> str:
    rows = [
        "| `model` | million parameters | smallest `image_size` | published weights, for `init` |",
        "|---|---|---|---|",
    ]
    for name, model in known_models().items():
        size = f"{model.min_image_size}" + (
            f", multiples of {model.image_size_multiple}" if model.image_size_multiple > 1 else ""
        )
        rows.append(f"| `{name}` | {model.parameters / 1e6:.1f} | {size} | {_listed(model.weights)} |")
    return "\n".join(rows) + "\n"


_TABLES: dict[str, Callable[[], str]] = {
    "Study": _of(Study),
    "Run": _of(RunSettings),
    "Experiment": _of(Experiment),
    "Dataset": _sources,
    "Weights": _of(Weights),
    "Upstream": _of(Upstream),
    "Checkpoint": _of(Checkpoint),
    "Reference": _of(Reference),
    "Compute": _of(Compute),
    "Models": _models,
}
