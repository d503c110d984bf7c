"""What kind of processor this is, and what was measured once for its kind and remembered in the user's cache."""

import contextlib
import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock

from scalestudy.files import read_json, write_json
from scalestudy.machine import cache_folder

_LOCK_SECONDS = 60
_CPUINFO = Path("/proc/cpuinfo")
_IDENTITY = ("vendor_id", "cpu family", "model", "model name", "stepping", "CPU implementer", "CPU part")

_Known = TypeVar("_Known")


def measured_once(
    what: str, measure: Callable[[], dict[str, Any]], read: Callable[[Mapping[str, Any]], _Known]
) -> _Known:
    """Return `read` of what `measure` found on this kind of processor with this torch, measured the first time only.

    Of several processes that start at once, one measures and the others wait for its answer. `read` raises ValueError,
    KeyError or TypeError for what is no answer: a broken record is measured anew.
    """
    processor = identity()
    digest = hashlib.sha256(f"{processor}\n{torch.__version__}".encode()).hexdigest()
    file = cache_folder() / f"{what}-{digest[:12]}.json"
    broken = (OSError, ValueError, KeyError, TypeError)
    with contextlib.suppress(*broken):
        return read(read_json(file))
    with contextlib.ExitStack() as stack:
        # A home directory that is read-only or cannot lock must not stop a run: then each process measures.
        with contextlib.suppress(OSError, NotImplementedError):
            file.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS))
        with contextlib.suppress(*broken):
            return read(read_json(file))
        found = measure()
        with contextlib.suppress(OSError):
            write_json(file, {"processor": processor, "torch": torch.__version__, **found})
    return read(found)


def flags() -> set[str]:
    """Return the names of the instructions that the processor has, as Linux spells them; none on other systems."""
    facts = _cpuinfo()
    return set((facts.get("flags") or facts.get("Features") or "").split())


def identity() -> str:
    """Return all that tells one kind of processor from another; a cluster's nodes may share one cache."""
    facts = _cpuinfo()
    vectors = sorted(flag for flag in flags() if flag.startswith(("avx", "amx", "sve", "bf16")))
    kept = {key: facts[key] for key in _IDENTITY if key in facts}
    return json.dumps({**kept, "machine": platform.machine(), "vectors": " ".join(vectors)})


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first processor, and nothing on other systems."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
