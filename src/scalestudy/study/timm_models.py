"""Models of the library timm, named `timm:ARCHITECTURE`; their weights are named by timm's tags (`a1_in1k`).

What a study's check needs to know of a model (its cost, its weights, which image sizes it takes) is asked of timm
itself, once: importing it takes seconds. The answers are kept in the user's cache, for each version of timm.
"""

import importlib.metadata
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from scalestudy.errors import UserError, nearest
from scalestudy.files import read_json, write_json
from scalestudy.machine import cache_folder

PREFIX = "timm:"


class TimmModel(NamedTuple):
    """parameters: with timm's own number of classes. gmacs: 10^9 multiply-adds for one image of `image_size` pixels.

    any_size: whether images of another size are taken without being told to the model.
    """

    parameters: int
    gmacs: float
    image_size: int
    any_size: bool
    tags: list[str]


@cache
def timm_model(architecture: str) -> TimmModel:
    """Return what timm says of a model. Raises UserError where timm is not installed, or does not have it."""
    known = _kept()
    if architecture not in known["models"]:
        known["models"][architecture] = list(_ask(architecture))
        _keep(known)
    return TimmModel(*known["models"][architecture])


@cache
def check_timm_size(architecture: str, image_size: int) -> None:
    """Raise UserError where the model cannot take images of `image_size` pixels: tried without any memory."""
    known, key = _kept(), f"{architecture} {image_size}"
    if key not in known["sizes"]:
        known["sizes"][key] = _try_size(architecture, image_size)
        _keep(known)
    if reason := known["sizes"][key]:
        model = timm_model(architecture)
        raise UserError(
            f"model '{PREFIX}{architecture}' cannot take images of {image_size} pixels ({reason}): set image_size to "
            f"{model.image_size}, for which it is made, or take another model"
        )


def size_options(architecture: str, image_size: int) -> dict[str, Any]:
    """Return the arguments of `timm.create_model` that make the model take images of this size."""
    model = timm_model(architecture)
    return {} if model.any_size or image_size == model.image_size else {"img_size": image_size}


def require_timm() -> Any:
    """Return the module timm; UserError says how to get it."""
    try:
        import timm
    except ImportError:
        raise UserError("models named timm:... need the package timm: pip install timm") from None
    return timm


def _ask(architecture: str) -> TimmModel:
    """Return what timm says; the model is built without memory for its weights (on torch's device `meta`)."""
    timm = require_timm()
    name, _, tag = architecture.partition(".")
    if tag:
        raise UserError(
            f"model '{PREFIX}{architecture}': the weights' tag belongs to `init`; set model to {PREFIX}{name} "
            f"and init to {tag}"
        )
    if not timm.is_model(name):
        raise UserError(
            f"timm {timm.__version__} has no model '{name}'{nearest(name, timm.list_models())}; "
            f"`timm.list_models()` in Python lists them"
        )
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        model = timm.create_model(name).eval()
    if not isinstance(model.get_classifier(), (torch.nn.Linear, torch.nn.Conv2d)):
        raise UserError(
            f"model '{PREFIX}{name}' has not one linear head but several (a distilled model); take another variant"
        )
    image_size = int(model.pretrained_cfg["input_size"][-1])
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model(torch.empty(1, 3, image_size, image_size, device="meta"))
    tags = [each.partition(".")[2] for each in timm.list_models(f"{name}.*", pretrained=True)]
    return TimmModel(
        sum(parameter.numel() for parameter in model.parameters()),
        round(counted.get_total_flops() / 2e9, 6),
        image_size,
        not model.pretrained_cfg.get("fixed_input_size"),
        tags,
    )


def _try_size(architecture: str, image_size: int) -> str:
    """Return why the model cannot take images of this size; nothing where it can."""
    options = size_options(architecture, image_size)
    timm = require_timm()
    import torch

    try:
        with torch.device("meta"), torch.no_grad():
            model = timm.create_model(architecture, **options).eval()
            model(torch.empty(2, 3, image_size, image_size))
    except Exception as error:  # each model has its own way of saying so
        return " ".join(str(error).split())[:160] or type(error).__name__
    return ""


def _kept() -> dict[str, dict[str, Any]]:
    try:
        content = read_json(_file())
        return {"models": dict(content["models"]), "sizes": dict(content["sizes"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"models": {}, "sizes": {}}


def _keep(known: dict[str, dict[str, Any]]) -> None:
    with suppress(OSError):  # a read-only home: ask again the next time
        write_json(_file(), known)


def _file() -> Path:
    try:
        version = importlib.metadata.version("timm")
    except importlib.metadata.PackageNotFoundError:
        require_timm()
        version = "unknown"
    return cache_folder() / f"timm-{version}.json"
