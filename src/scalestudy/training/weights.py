"""Initial weights: fetched with their hash verified, or checked where they lie; loaded as tensors only."""

import hashlib
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scalestudy.errors import UserError
from scalestudy.files import atomic_path, sha256_file, write_json


def torch_cache() -> Path:
    """Return the folder in which torch keeps downloaded weights: `$TORCH_HOME/hub/checkpoints`."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fetch_weights(url: str, output: Path) -> None:
    """Bring torchvision's file at `url` to `output`/weights.pth, through torch's cache; write `output`/weights.json.

    The file's name carries the first hex digits of its SHA-256. They are verified for a file that is in the cache
    already, too: a wrong one is replaced by a fresh download. Raises UserError with URL, hash and the path to put the
    file at, when it cannot be had.
    """
    name = url.rsplit("/", 1)[1]
    prefix = name.rsplit("-", 1)[1].removesuffix(".pth")
    cached = torch_cache() / name
    found = sha256_file(cached) if cached.is_file() else None
    if found is None or not found.startswith(prefix):
        wrong = "" if found is None else f" (the file there has SHA-256 {found}: cut or wrong)"
        try:
            with atomic_path(cached) as temporary:
                download(url, temporary)
                found = sha256_file(temporary)
                if not found.startswith(prefix):
                    raise UserError(f"{url} gave a file with SHA-256 {found}, expected {prefix}...")
        except UserError as error:
            raise UserError(
                f"{error}. Put the file {name} (SHA-256 {prefix}...) at {cached}{wrong} and start again"
            ) from None
    assert found is not None
    _place(cached, output, {"source": url, "sha256": found})


def adopt_checkpoint(file: Path, sha256: str, output: Path) -> None:
    """Bring the checkpoint `file` to `output`/weights.pth when its SHA-256 is `sha256`; UserError otherwise."""
    if not file.is_file():
        raise UserError(f"checkpoint {file} does not exist")
    found = sha256_file(file)
    if found != sha256.lower():
        raise UserError(f"checkpoint {file} has SHA-256 {found}, and the study expects {sha256}")
    _place(file, output, {"source": str(file), "sha256": found})


def _place(file: Path, output: Path, record: dict[str, str]) -> None:
    target = output / "weights.pth"
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(file.resolve(), temporary)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(file, temporary)
    write_json(output / "weights.json", record)


def load_weights(file: Path) -> dict[str, Tensor]:
    """Return the state_dict in `file`, on the CPU; a mapping that holds one under `state_dict` or `model` will do.

    Only tensors are read (`weights_only`); UserError for anything else.
    """
    if not file.is_file():
        raise UserError(f"weights {file} do not exist; the workflow makes them (rule fetch_weights or pretrain)")
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"weights {file} cannot be read as tensors: {reason}") from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"weights {file} do not hold a state_dict (a mapping from names to tensors)")
    return dict(content)


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over the names and bytes of a state_dict's tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
