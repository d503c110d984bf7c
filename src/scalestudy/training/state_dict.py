"""The tensors in a file of weights, as people save them: read without running code, unwrapped, and named.

What is harmless is taken, with a note. What is not is refused with what the file holds instead and the line of Python
that saves what is needed.
"""

import argparse
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scalestudy.errors import UserError

State = Mapping[str, Tensor]

# Under which keys people put a model's state_dict, the most telling first.
_USUAL_KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "model_state",
    "weights",
    "params",
    "module",
)
_DEEPEST = 3
_SAVE = 'torch.save(model.state_dict(), "weights.pth")'
# Lie beside weights in many checkpoints (`args`, `best_acc`) and run no code when they are read.
_HARMLESS: tuple[Any, ...] = (
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
)


def read_state_dict(file: Path) -> tuple[State, list[str]]:
    """Return the state_dict in `file`, on the CPU, as it is, and notes on where in the file it lay.

    Raises UserError, naming what the file holds, where there is none or reading it would run code.
    """
    content = _load(file)
    notes: list[str] = []
    for _ in range(_DEEPEST):
        if _is_state_dict(content) or not isinstance(content, Mapping):
            break
        key = _key_of_state_dict(content, file)
        if key is None:
            break
        others = [str(other) for other in content if other != key]
        beside = f", beside {_listed(others)}" if others else ""
        notes.append(f"the state_dict lay under the key '{key}'{beside}")
        content = content[key]
    if not _is_state_dict(content):
        raise UserError(
            f"weights {file} do not hold a state_dict (a mapping from names to tensors) but {_kind(content)}; "
            f"save one: {_SAVE}"
        )
    return content, notes  # not a copy: a state_dict carries the versions of its modules as an attribute


def _is_state_dict(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, str) and isinstance(each, Tensor) for key, each in value.items())
    )


def _key_of_state_dict(content: Mapping[Any, Any], file: Path) -> str | None:
    """Return the key under which a state_dict lies, one level down; UserError where nothing says which of several."""
    inside = [key for key, value in content.items() if _is_state_dict(value)]
    usual = [key for key in _USUAL_KEYS if key in inside]
    if usual or len(inside) == 1:
        return str((usual or inside)[0])
    if inside:
        raise UserError(
            f"weights {file} hold several state_dicts, under {_listed([repr(key) for key in inside])}; save the one "
            f'to use: torch.save(torch.load({str(file)!r})[{inside[0]!r}], "weights.pth")'
        )
    return next((key for key in _USUAL_KEYS if isinstance(content.get(key), Mapping)), None)


def _load(file: Path) -> Any:
    """Return what the file holds: tensors, numbers, text and their containers."""
    torch.serialization.add_safe_globals([*_HARMLESS, *_numpy_scalars()])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to say of the file is said below
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes the unpickler raise almost anything
        raise UserError(f"weights {file} cannot be read as tensors: {_reason(file, error)}") from None


def _numpy_scalars() -> list[Any]:
    """Return what NumPy rebuilds a number with; NumPy 2 renamed its module, and files have either name."""
    scalar: Any = np.float64(0).__reduce__()[0]
    renamed = [(scalar, f"{module}.multiarray.scalar") for module in ("numpy.core", "numpy._core")]
    return renamed if torch.__version__ >= "2.6" else [scalar]


def _reason(file: Path, error: Exception) -> str:
    """Return what is wrong with a file that torch cannot read, in words of our own: torch's run over many lines."""
    if not isinstance(error, PermissionError) and (what := _other_format(file)):
        return what
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    if found := re.search(r"(?:GLOBAL|global|[Uu]nsupported class):? `?([A-Za-z_][\w.]*\.\w+)", text):
        return (
            f"it holds an object of {found[1]}, a whole model perhaps, and reading that would run code; where it was "
            f"made, save the weights alone: {_SAVE}"
        )
    if isinstance(error, PermissionError):
        return "permission denied"
    return f"it is no file of PyTorch's, or a part of it is missing ({file.stat().st_size:,} bytes)"


def _other_format(file: Path) -> str | None:
    """Return what a file is that is not torch's, by its first bytes; None where they do not say."""
    with file.open("rb") as opened:
        start = opened.read(512)
    text = start.lstrip().lower()
    if not start:
        return "the file is empty"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS and not the file itself; `git lfs pull` brings it"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page and not the file itself; download it again"
    if start.startswith(b"\x89HDF"):
        return f"it is an HDF5 file, as Keras writes them; only PyTorch's files will do: {_SAVE}"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 100_000_000:
        line = f'torch.save(safetensors.torch.load_file({str(file)!r}), "weights.pth")'
        return f"it is a safetensors file; turn it into PyTorch's: {line}"
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
        if any(name.endswith("constants.pkl") for name in names):
            line = f'torch.save(torch.jit.load({str(file)!r}).state_dict(), "weights.pth")'
            return f"it is a TorchScript program; save its weights alone: {line}"
        if not any(name.endswith("data.pkl") for name in names):
            return f"it is a zip archive of {_listed(names)}; unpack it"
    return None


def _kind(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    if not content:
        return "an empty mapping"
    parts = [f"{key!r}: {type(value).__name__}" for key, value in content.items()]
    return f"a mapping of {_listed(parts)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
