"""YAML as a study means it: names stay as they are written, nothing is silently dropped, faults name their line.

PyYAML reads YAML 1.1, where `off`, `no`, `on` and `yes` are switches and a key `1` is a number. Here only `true` and
`false` are switches, as in YAML 1.2 (which editors check by), and every key is text.
"""

import codecs
import re
from pathlib import Path
from typing import Any

import yaml

from scalestudy.errors import UserError

_BOOL = "tag:yaml.org,2002:bool"
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
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))


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
    except ValueError as error:  # such as 2026-13-45, which looks like a date
        raise UserError(f"{where}: not valid YAML: {error}; put the value in quotes") from None


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
    context = " ".join((error.context or "").split())
    return f"{problem} ({context})" if context else problem
