"""A job's way to its first step, made shorter: torch's compiler, which nothing here uses, is not imported.

Importing torchvision, or making the first optimizer, imports all of
`torch._dynamo` (with SymPy: a thousand modules, 40 % of what a job spends on imports) only to ask it things that have
the same answer wherever nothing is compiled. A stand-in gives those answers; whoever asks it for anything else, or
imports a module below it, gets the real one, imported then.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo"
_UTILS = f"{_COMPILER}.utils"


def leave_out_the_compiler() -> None:
    """Put the stand-in in the compiler's place, unless that is imported already."""
    if _COMPILER not in sys.modules:
        utils = _StandIn(_UTILS, is_compile_supported=lambda device_type: False)
        compiler = _StandIn(_COMPILER, disable=_as_it_is, graph_break=_nothing, utils=utils, __path__=[])
        sys.modules.update({_COMPILER: compiler, _UTILS: utils})
        sys.meta_path.insert(0, _Finder)


class _StandIn(ModuleType):
    """Stands for a module with nothing in it but `answers`, until somebody asks for more."""

    def __init__(self, name: str, **answers: Any) -> None:
        super().__init__(name)
        self.__dict__.update(answers)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own questions about a module
            raise AttributeError(name)
        _import_the_compiler()
        return getattr(importlib.import_module(self.__name__), name)


def _import_the_compiler() -> None:
    """Put the real one in the place of the stand-in."""
    sys.meta_path.remove(_Finder)
    for name in (_COMPILER, _UTILS):
        del sys.modules[name]
    importlib.import_module(_COMPILER)


class _Finder:
    """Asked for a module below the compiler: imports the compiler first, which may bring that module along."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith(f"{_COMPILER}."):
            return None
        _import_the_compiler()
        if name in sys.modules:
            return ModuleSpec(name, _Imported)  # type: ignore[arg-type]
        return importlib.util.find_spec(name)


class _Imported:
    """Loads a module by taking the one that is there."""

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        pass


def _as_it_is(function: Any = None, recursive: bool = True, **_: Any) -> Any:
    """Return a function that must not be compiled: where nothing is, the function itself."""
    return function


def _nothing() -> None:
    """Break no graph, where none is traced."""
