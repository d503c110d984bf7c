"""What pydantic finds wrong, in the words that a person reads: one line per fault."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from scalestudy.errors import nearest


class FaultsError(ValueError):
    """Several faults at once: `lines` has one for each, beginning with the key that it is about."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(dict.fromkeys(lines))
        super().__init__("; ".join(self.lines))


@contextmanager
def gathering(faults: list[str]) -> Iterator[None]:
    """Add the lines of FaultsError that the block raises to `faults`, and go on after it."""
    try:
        yield
    except FaultsError as found:
        faults.extend(found.lines)


def describe(error: ValidationError, declared: Any) -> list[str]:
    """Return one line per fault: the key, the value, and what is allowed. `declared`: what was validated (a type)."""
    return [line for fault in error.errors(include_url=False) for line in _lines(fault, declared)]


def _lines(fault: Any, declared: Any) -> list[str]:
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, FaultsError):
        where, _ = _locate(declared, fault["loc"])
        return [f"{where}.{line}" if where else line for line in cause.lines]
    if fault["type"] == "too_short" and fault["input"]:  # what was there has its own lines
        return []
    return [_describe(fault, declared)]


def _describe(fault: Any, declared: Any) -> str:
    where, at = _locate(declared, fault["loc"])
    prefix = f"{where}: " if where else ""
    value = fault["input"]
    kind = fault["type"]
    if kind == "extra_forbidden":
        _, parent = _locate(declared, fault["loc"][:-1])
        return prefix + _unknown_key(str(fault["loc"][-1]), parent)
    if kind == "missing":
        what = f": {at.description}" if isinstance(at, FieldInfo) and at.description else ""
        return f"{prefix}this key is needed{what}"
    if kind == "union_tag_not_found" or (kind == "union_tag_invalid" and fault["ctx"]["tag"] == "None"):
        names = [tag for each in _options(at) if _is_model(each) for tag in _tags(each)]
        return f"{where}.source: this key is needed: one of {', '.join(names)}".removeprefix(".")
    if kind in ("literal_error", "union_tag_invalid"):
        expected = fault["ctx"]["expected" if kind == "literal_error" else "expected_tags"]
        given = value if kind == "literal_error" else fault["ctx"]["tag"]
        choices = [word.strip("' ") for word in expected.replace(" or ", ", ").split(", ")]
        if kind == "union_tag_invalid":
            prefix = f"{where}.source: " if where else "source: "
        return f"{prefix}{given!r} is not one of {', '.join(choices)}{nearest(str(given), choices)}"
    if kind in ("too_short", "string_too_short") and not value:
        return f"{prefix}it is empty; write a value"
    if value is None and kind.endswith("_type"):
        return f"{prefix}it is empty; write a value, or take the key out"
    if kind == "string_type":
        advice = "" if isinstance(value, (list, dict)) else "; if it is meant as text, put it in quotes"
        return f"{prefix}{_short(value)} is not text{advice}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{prefix}{_plain(value)} is not a mapping of keys{_keys_of(at)}"
    if kind == "tuple_type":
        return f"{prefix}{_plain(value)} is not a list; begin each entry with `- `"
    if kind == "value_error":
        return f"{prefix}{fault['ctx']['error']}"
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if message.startswith("input should be "):
        return f"{prefix}{_plain(value)} must be {message.removeprefix('input should be ')}"
    return f"{prefix}{_plain(value)}: {message}"


def _keys_of(declared: Any) -> str:
    """Return the keys of the model that is declared there, as the end of a sentence; nothing where there is none."""
    models = [each for each in _options(declared) if _is_model(each)]
    return f" such as {', '.join(models[0].model_fields)}" if len(models) == 1 else ""


def _unknown_key(key: str, parent: Any) -> str:
    """Return what is said of a key that `parent`, a model, does not have."""
    models = [each for each in _options(parent) if _is_model(each)]
    if len(models) != 1:
        return "unknown key"
    known = list(models[0].model_fields)
    kind = f" of source {' or '.join(tags)}" if (tags := _tags(models[0])) else ""
    return f"unknown key{nearest(key, known)}; the keys{kind} are {', '.join(known)}"


def _plain(value: object) -> str:
    return _short(repr(value) if isinstance(value, str) else value)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _locate(declared: Any, loc: tuple[str | int, ...]) -> tuple[str, Any]:
    """Return the key at `loc` below `declared` as a study's file has it, and what is declared there.

    Pydantic's own location also holds positions in lists, and the tag of a member of a union.
    """
    shown: list[Any] = []
    at = declared
    for part in loc:
        if part == "[key]":  # the fault is in the name of a key
            continue
        at, is_key = _step(at, part)
        if is_key:
            shown.append(part if len(str(part)) <= 60 else f"{str(part)[:57]}...")
    return ".".join(shown), at


def _step(declared: Any, part: str | int) -> tuple[Any, bool]:
    """Return what is declared at `part` of `declared` (None: nothing is), and whether `part` is a key of the file."""
    options = _options(declared)
    models = [each for each in options if _is_model(each)]
    if len(models) > 1:  # told apart by a tag
        return next((each for each in models if _has_tag(each, part)), None), False
    for each in options:
        if _is_model(each):
            return each.model_fields.get(part), isinstance(part, str)
        if get_origin(each) is dict:
            return get_args(each)[1], True
        if get_origin(each) is tuple:
            return get_args(each)[0], False
    return None, isinstance(part, str)


def _options(declared: Any) -> list[Any]:
    """Return the types that `declared`, a type or a field, may have: unions and annotations taken apart."""
    if isinstance(declared, FieldInfo):
        return _options(declared.annotation)
    origin = get_origin(declared)
    if origin is Annotated:
        return _options(get_args(declared)[0])
    if origin in (Union, UnionType):
        return [each for inner in get_args(declared) for each in _options(inner)]
    return [] if declared in (None, NoneType) else [declared]


def _is_model(declared: Any) -> bool:
    return isinstance(declared, type) and issubclass(declared, BaseModel)


def _has_tag(model: type[BaseModel], tag: object) -> bool:
    return tag in _tags(model)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """Return the values by which a member of a union is told from the others: those of its `source`."""
    field = model.model_fields.get("source")
    return get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()
