"""Initial weights into a model: all but the head, matched by name and shape."""

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from scalestudy.errors import UserError
from scalestudy.study.models import known_models
from scalestudy.training.models import build_model, find_head
from scalestudy.training.state_dict import State

# Trained beside the head and left out here: see `build_model`.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# torchvision's DenseNet files still spell `norm.1` where today's modules are called `norm1`.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
_COUNTER = ".num_batches_tracked"
_BUFFERS = (".running_mean", ".running_var", _COUNTER)


def load_backbone(model: nn.Module, state: State, name: str = "") -> list[str]:
    """Copy every value but the head's from `state` into `model` (called `name`); return notes for the log.

    As `fit_backbone`, which raises UserError.
    """
    own = model.state_dict()
    backbone, metadata, notes = fit_backbone(model, state, name)
    merged = OrderedDict(own | backbone)
    # The modules' versions, by which some (MNASNet) upgrade old files; a plain dict counts as up to date.
    merged._metadata = own._metadata if metadata is None else metadata  # type: ignore[attr-defined]
    model.load_state_dict(merged)
    return notes


def check_backbone(state: State, model: str, image_size: int, stem: str) -> list[str]:
    """Return notes on how `state` fits torchvision's `model`; UserError where it does not. Builds no tensors."""
    with torch.device("meta"):
        empty = build_model(model, 2, seed=0, image_size=image_size, stem=stem)
    return fit_backbone(empty, state, model)[2][1:]  # without the note on the head, which is no news here


def fit_backbone(
    model: nn.Module, state: State, name: str = ""
) -> tuple[dict[str, Tensor], Mapping[str, Any] | None, list[str]]:
    """Return the values of `state` for all of `model` but its head, the modules' versions, and notes for the log.

    A prefix before all names (`module.` and the like) is taken off. Then keys and shapes must match exactly. Left
    aside are the head (`find_head`), which keeps its fresh values, and auxiliary classifiers; BatchNorm's counters of
    batches, which old files lack, may be missing. UserError says what the file holds where anything else differs, and
    names the keys; also where a value is not finite.
    """
    own = model.state_dict()
    head = find_head(model)[0]
    notes = [f"head re-initialised: {head} {tuple(own[f'{head}.weight'].shape)}"]
    wanted = {key for key in own if not key.startswith(f"{head}.")}
    given: State = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}
    metadata = getattr(state, "_metadata", None)
    prefix = _prefix(given, [key for key in own if key in wanted and not key.endswith(_COUNTER)])
    if prefix:
        beside = [key for key in given if not key.startswith(prefix)]
        given = _without(prefix, given)
        metadata = None if metadata is None else {"": {}, **_without(prefix, metadata)}
        notes.append(
            f"the prefix '{prefix}' taken off the names of the weights"
            + (f"; {len(beside)} tensors without it left out ({_listed(beside)})" if beside else "")
        )
    auxiliary = [key for key in given if key.startswith(_AUXILIARY) and key not in own]
    if auxiliary:
        notes.append(f"auxiliary classifiers left out: {len(auxiliary)} tensors")
    backbone = {
        key: value for key, value in given.items() if not key.startswith(f"{head}.") and key not in auxiliary
    }
    _require_fit(backbone, {key: own[key] for key in wanted}, state, name or type(model).__name__)
    return backbone, metadata, notes


def _prefix(given: Iterable[str], wanted: list[str]) -> str:
    """Return what stands before every wanted name in `given`; nothing where the names are as wanted, or never fit."""
    given = set(given)
    candidates = {key.removesuffix(wanted[0]) for key in given if key.endswith(f".{wanted[0]}")}
    fitting = sorted(prefix for prefix in {"", *candidates} if all(prefix + key in given for key in wanted))
    if "" in fitting or not fitting:
        return ""
    if len(fitting) > 1:
        raise UserError(
            f"these weights are there {len(fitting)} times, under the prefixes {_listed(fitting)}: save the ones to "
            f"use: state = torch.load(FILE); "
            f"torch.save({{k: v for k, v in state.items() if k.startswith({fitting[0]!r})}}, 'weights.pth')"
        )
    return fitting[0]


def _without(prefix: str, mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{key}.".removeprefix(prefix).removesuffix("."): value
        for key, value in mapping.items()
        if f"{key}.".startswith(prefix)
    }


def _require_fit(backbone: State, wanted: State, state: State, name: str) -> None:
    """Raise UserError where names or shapes differ, or a value is not finite."""
    missing = sorted(key for key in wanted.keys() - backbone.keys() if not key.endswith(_COUNTER))
    strange = sorted(backbone.keys() - wanted.keys())
    shapes = [key for key in wanted if key in backbone and backbone[key].shape != wanted[key].shape]
    if not (missing or strange or shapes):
        if infinite := [key for key, value in backbone.items() if not bool(value.isfinite().all())]:
            raise UserError(
                f"these weights do not fit {name}: values that are not finite in {_listed(infinite)}; take another file"
            )
        return
    if (held := recognise(state)) and held != name:
        raise UserError(
            f"these weights do not fit {name}: the file holds {held}; give the file of {name}, or set `model: {held}`"
        )
    if shapes == ["conv1.weight"] and not (missing or strange):
        stems = {3: "cifar", 7: "imagenet"}
        if stem := stems.get(backbone["conv1.weight"].shape[-1]):
            raise UserError(f"these weights do not fit {name} with this stem; set `stem: {stem}`")
    parts = [
        f"{words} {_grouped(keys)}" for words, keys in (("missing", missing), ("unexpected", strange)) if keys
    ]
    parts += [
        f"{key} is {tuple(backbone[key].shape)} where the model has {tuple(wanted[key].shape)}"
        for key in shapes[:3]
    ]
    parts += [f"and {len(shapes) - 3} more of other shapes"] if len(shapes) > 3 else []
    raise UserError(
        f"these weights do not fit {name}: {'; '.join(parts)}; the file holds {_listed(list(state))}"
    )


def recognise(state: State) -> str | None:
    """Return torchvision's model that has just as many parameters, whatever the number of classes; None for none.

    The head is the last matrix; with 1,000 classes the model's number of parameters is that of the table of models.
    """
    parameters = {key: value for key, value in state.items() if not key.endswith(_BUFFERS)}
    matrices = [value for value in parameters.values() if value.ndim == 2]
    if not matrices:
        return None
    classes, features = matrices[-1].shape
    total = sum(value.numel() for value in parameters.values()) + (1000 - classes) * (features + 1)
    return next((name for name, model in known_models().items() if model.parameters == total), None)


def _grouped(keys: list[str]) -> str:
    """Return keys by the part of the model that they belong to: `layer1.0 (6), bn1 (4)`; a few by their names."""
    if len(keys) <= 5:
        return ", ".join(keys)
    groups = Counter(".".join(key.split(".")[:1]) for key in keys)
    return ", ".join(f"{group} ({count})" for group, count in groups.most_common(6)) + (
        f" and {len(groups) - 6} more groups" if len(groups) > 6 else ""
    )


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
