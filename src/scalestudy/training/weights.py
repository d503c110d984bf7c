"""Initial weights: fetched with their hash verified, or checked where they lie; loaded as tensors only."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import Tensor

from scalestudy.data.download import Checksum, Download
from scalestudy.data.progress import say
from scalestudy.errors import UserError
from scalestudy.files import atomic_path, from_home, sha256_file
from scalestudy.results.weights import write_weights_record
from scalestudy.study.paths import torch_cache
from scalestudy.training.backbone import check_backbone
from scalestudy.training.state_dict import read_state_dict

_SECONDS = 3600.0
"""Longest time for fetching one file; the largest that torchvision publishes has 2.5 GB."""


def fetch_weights(url: str, output: Path) -> None:
    """Bring torchvision's file at `url` to `output`/weights.pth; write `output`/weights.json.

    The file's name carries the first hex digits of its SHA-256. A file with that SHA-256 which is there
    already, as `output`/weights.pth or under its own name in torch's cache, needs no network; a wrong one is
    named and gives way to a fresh download. Raises UserError with URL, hash and the path to put the file at,
    when it cannot be had.
    """
    name = Path(urlsplit(url).path).name
    match = re.search(r"-([0-9a-f]{8,64})\.pth$", name)
    if match is None:
        raise UserError(
            f"{url} carries no SHA-256 in its name, as resnet18-f37072fd.pth does, so it cannot be checked; "
            "download it yourself and use --file with --sha256"
        )
    expected = Checksum("sha256", match[1])
    target, cached, wrong = output / "weights.pth", torch_cache() / name, ""
    if target.is_file():
        found = expected.of(target)
        if expected.fits(found):
            say(f"{target} is there already: SHA-256 {found}")
            write_weights_record(output, url, found)
            return
        wrong = f"{target} is not the published file (expected {expected}, found {found}). "
        say(f"{wrong}It will be replaced")
    found = Download(
        url=url,
        checksum=expected,
        path=cached,
        timeout=_SECONDS,
        advice=f"{wrong}Put the file at {target} or {cached} and start again, or fetch the same file from "
        f"another host: `scalestudy fetch-weights --url <its folder>/{name} --output {output}`",
    ).ensure()
    _place(cached, output, url, found)


def verified_checkpoint(file: Path, sha256: str) -> Path:
    """Return the path of the checkpoint `file` once it is there and its SHA-256 is `sha256`; else raise UserError."""
    path = from_home(file)
    if not path.is_file():
        where = (
            f", a link to {path.readlink()}, which is not there" if path.is_symlink() else " does not exist"
        )
        relative = "" if path.is_absolute() else f" (looked for in {Path.cwd()})"
        raise UserError(f"checkpoint {file}{where}{relative}")
    if (found := sha256_file(path)) != sha256.lower():
        raise UserError(
            f"checkpoint {file} has SHA-256 {found}, and the study expects {sha256}; put the right file there, or, if "
            "it is the right one, its SHA-256 into the study"
        )
    return path


def adopt_checkpoint(
    file: Path,
    sha256: str,
    output: Path,
    model: str | None = None,
    image_size: int = 224,
    stem: str = "imagenet",
) -> None:
    """Copy the checkpoint `file` to `output`/weights.pth if its SHA-256 is `sha256` and it holds a state_dict.

    With `model` it must fit that model, with that image size and stem. Raises UserError, with nothing copied, else.
    """
    path = verified_checkpoint(file, sha256)
    notes = checkpoint_notes(path, model, image_size, stem)
    for note in notes:
        say(f"note: {note}")
    target = output / "weights.pth"
    if target.exists() and not (output / "weights.json").exists() and sha256_file(target) != sha256.lower():
        raise UserError(
            f"{target} is there already and is another file; choose another folder, or move it away"
        )
    source = f"{file} ({'; '.join(notes)})" if notes else str(file)
    _place(path, output, source, sha256.lower())


def checkpoint_notes(
    path: Path, model: str | None, image_size: int = 224, stem: str = "imagenet"
) -> list[str]:
    """Return notes on how a checkpoint is read and fits `model` (None: unchecked); UserError where it does not."""
    state, notes = read_state_dict(path)
    if model is None:
        return notes
    try:
        return [*notes, *check_backbone(state, model, image_size, stem)]
    except UserError as error:
        raise UserError(f"checkpoint {path}: {error}") from None


def _place(file: Path, output: Path, source: str, sha256: str) -> None:
    """Copy `file` to `output`/weights.pth: a link would change when its owner writes to the file again."""
    with atomic_path(output / "weights.pth") as temporary:
        shutil.copyfile(file, temporary)
    write_weights_record(output, source, sha256)
    say(f"{output / 'weights.pth'}: SHA-256 {sha256}, from {file}")


def require_weights(file: Path) -> None:
    """Raise UserError where there is no file of weights: training itself never fetches one."""
    if not file.is_file():
        raise UserError(
            f"no weights at {file}; correct --weights, or make them with `scalestudy fetch-weights` or "
            "`scalestudy pretrain`"
        )


def load_weights(file: Path, sha256: str | None = None) -> Mapping[str, Tensor]:
    """Return the state_dict in `file`, on the CPU.

    Only tensors are read (`weights_only`); where in the file they lay is said. Raises UserError for anything else,
    and where the file's SHA-256 is not `sha256` (None: not checked).
    """
    require_weights(file)
    if sha256 is not None and (found := sha256_file(file)) != sha256:
        raise UserError(
            f"weights {file} have changed: SHA-256 {found}, recorded in weights.json is {sha256}; delete "
            f"{file.parent} and start again"
        )
    state, notes = read_state_dict(file)
    for note in notes:
        say(f"note: {note}")
    return state


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over the names and bytes of a state_dict's tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
