"""YAML as a study means it: names stay as they are written, nothing is silently dropped, faults name their line.

PyYAML reads YAML 1.1, where `off`, `no`, `on` and `yes` are switches, `010` is 8, `1:30` is 90 and `2026-01-01` a date.
Here plain values are read as in YAML 1.2 (its core schema, which editors check by), and every key is text.
"""

import codecs
import re
from pathlib import Path
from typing import Any

import yaml

from scalestudy.errors import UserError

_BOOL = "tag:yaml.org,2002:bool"
_FLOAT = "tag:yaml.org,2002:float"
_INT = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """A safe loader with the rules above; a key given twice, of which YAML would keep the last, is refused."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not in the construction: there, merged keys have joined a mapping's own.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                advice = " (merge several with `<<: [*a, *b]`)" if key.tag == _MERGE else ""
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice{advice}", key.start_mark
                )
            seen.add(key.value)
            if key.tag != _MERGE:
                key.tag = _TEXT
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in (_MERGE, _NULL)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_INT, r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    (_FLOAT, r"[-+]?([0-9]*\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        _tag, re.compile(rf"({_pattern})\Z"), list(_first)
    )  # PyYAML only calls match


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds; UserError, with the line, where it cannot be read."""
    try:
        text = _decoded(path.read_bytes())
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML text holds; UserError names `where` it stands, the line, and what is wrong."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{where}{line}: not valid YAML: {_in_words(error)}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{where}: not valid YAML: nested too deeply") from None
    except ValueError as error:  # of a tag that somebody wrote, such as !!int x
        raise UserError(f"{where}: not valid YAML: {error}") from None


def _decoded(content: bytes) -> str:
    """Return a file's text: UTF-8, or UTF-16 where it begins with the mark that Windows' editors write."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = " ".join((error.problem or "").split())
    if "'\\t'" in problem:
        return "a tab at the beginning of a line; indent with spaces"
    if "mapping values are not allowed here" in problem:
        return f"{problem} (a text with `: ` in it needs quotes; keys of one level begin in the same column)"
    if "unknown escape character" in problem or "escape sequence" in problem:
        return f"{problem}: in double quotes a backslash begins an escape; write the path with / or in single quotes"
    context = " ".join((error.context or "").split())
    return f"{problem} ({context})" if context else problem
