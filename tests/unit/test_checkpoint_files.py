"""Checkpoints as people save them: taken with a note where that is harmless, else refused with what the file holds."""

import argparse
import hashlib
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.errors import UserError
from scalestudy.files import read_json
from scalestudy.study.models import known_models
from scalestudy.training.backbone import load_backbone, recognise
from scalestudy.training.models import build_model
from scalestudy.training.state_dict import read_state_dict
from scalestudy.training.weights import load_weights

SAVE = 'torch.save(model.state_dict(), "weights.pth")'


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """A ResNet-18 with 7 classes."""
    return dict(build_model("resnet18", 7, seed=3).state_dict())


def adopt(folder: Path, content: object, model: str = "resnet18", *flags: str) -> str:
    """Save `content` and run `scalestudy fetch-weights` on it; return what is noted about it."""
    file = folder / "mine.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    arguments = [
        "fetch-weights",
        "--file",
        str(file),
        "--sha256",
        sha256,
        "--model",
        model,
        "--image-size",
        "32",
    ]
    done = CliRunner().invoke(app, [*arguments, *flags, "--output", str(folder / "w")])
    if done.exception is not None:
        raise done.exception
    assert (folder / "w" / "weights.pth").read_bytes() == file.read_bytes()
    record = read_json(folder / "w" / "weights.json")
    assert record["sha256"] == sha256
    return str(record["source"]).removeprefix(str(file)).removeprefix(" (").removesuffix(")")


def refusal(folder: Path, content: object, *arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        adopt(folder, content, *arguments)
    assert not (folder / "w").exists()
    message = str(caught.value)
    assert "\n" not in message
    assert "\x1b" not in message
    assert "mine.pth" in message
    return message


def trained(folder: Path) -> dict[str, Tensor]:
    """Return what a run would begin with."""
    model = build_model("resnet18", 3, seed=0, image_size=32)
    load_backbone(model, load_weights(folder / "w" / "weights.pth"), "resnet18")
    return dict(model.state_dict())


def wrap(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


# Taken


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (lambda s: s, ""),
        (lambda s: {"state_dict": s}, "the state_dict lay under the key 'state_dict'"),
        (lambda s: {"model_state_dict": s, "epoch": 3}, "under the key 'model_state_dict', beside epoch"),
        (lambda s: {"net": s, "acc": 93.1, "epoch": 3}, "under the key 'net', beside acc, epoch"),
        (lambda s: {"model": s, "optimizer": {"state": {0: {}}, "param_groups": []}}, "under the key 'model'"),
        (lambda s: {"student": s, "epoch": 1}, "under the key 'student'"),
        (lambda s: {"model": {"state_dict": s}}, "the key 'model'; the state_dict lay under the key 'state_dict'"),
        (lambda s: {"state_dict": s, "ema": s}, "under the key 'state_dict', beside ema"),
        (lambda s: {"model": s, "args": argparse.Namespace(lr=0.1)}, "under the key 'model', beside args"),
        (lambda s: {"model": s, "best": np.float64(0.9), "n": np.int64(3)}, "under the key 'model', beside best, n"),
        (lambda s: wrap(s, "module."), "the prefix 'module.' taken off"),
        (lambda s: wrap(s, "model."), "the prefix 'model.' taken off"),
        (lambda s: wrap(s, "_orig_mod."), "the prefix '_orig_mod.' taken off"),
        (lambda s: {"state_dict": wrap(s, "module.backbone.")}, "the prefix 'module.backbone.' taken off"),
        (
            lambda s: {**wrap(s, "backbone."), "head.weight": torch.ones(2, 2), "loss.w": torch.ones(1)},
            "the prefix 'backbone.' taken off the names of the weights; 2 tensors without it left out "
            "(head.weight, loss.w)",
        ),
        (lambda s: {k: v for k, v in wrap(s, "net.").items() if "fc" not in k}, "the prefix 'net.' taken off"),
    ],
)  # fmt: skip
def test_harmless_wrappings_are_taken_with_a_note_and_give_the_same_weights(
    tmp_path: Path, state: dict[str, Tensor], content: Callable[[Any], object], note: str
) -> None:
    found = adopt(tmp_path, content(state))
    assert (note in found) if note else (found == "")
    for key, value in trained(tmp_path).items():
        assert key.startswith("fc.") or torch.equal(value, state[key]), key


def test_a_prefix_is_taken_off_the_versions_of_the_modules_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        parallel = nn.DataParallel(torchvision.models.mnasnet1_0(num_classes=4))  # whose files have a version
    model = build_model("mnasnet1_0", 3, seed=0)
    load_backbone(model, parallel.state_dict(), "mnasnet1_0")
    key = "layers.0.weight"
    assert torch.equal(model.state_dict()[key], parallel.state_dict()[f"module.{key}"])


# Refused


class Net(nn.Module):
    """A stranger's own class."""


@pytest.mark.parametrize("what", ["module", "in a mapping"])
def test_a_whole_pickled_model_is_refused_with_the_line_that_saves_its_weights(
    tmp_path: Path, what: str
) -> None:
    model = torchvision.models.resnet18(num_classes=2) if what == "module" else Net()
    message = refusal(tmp_path, model if what == "module" else {"epoch": 1, "model": model})
    assert ("torchvision.models.resnet.ResNet" if what == "module" else f"{__name__}.Net") in message
    assert "reading that would run code" in message
    assert message.endswith(f"save the weights alone: {SAVE}")


def test_a_file_that_would_run_code_does_not(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os

            return os.system, (f"touch {tmp_path}/ran",)

    assert "reading that would run code" in refusal(tmp_path, {"state_dict": {}, "x": Payload()})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            "a pointer of Git LFS .* `git lfs pull`",
        ),
        (b"\n<!DOCTYPE html><html>404</html>", "it is a web page .* download it again"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras writes them"),
        ((2).to_bytes(8, "little") + b"{}", "it is a safetensors file; .*safetensors.torch.load_file"),
        (b"weights " * 1000, r"no file of PyTorch's, or a part of it is missing \(8,000 bytes\)"),
        ([1, 2], "do not hold a state_dict .* but a list"),
        ({}, "but an empty mapping"),
        ({"epoch": 3, "lr": 0.1}, "but a mapping of 'epoch': int, 'lr': float"),
        (
            {"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}},
            "several state_dicts, under 'a', 'b'; save the one",
        ),
    ],
)
def test_what_else_a_file_may_hold_is_named(tmp_path: Path, content: object, words: str) -> None:
    message = refusal(tmp_path, content)
    assert re.search(words, message), message


def test_a_cut_file_a_program_and_a_zip_archive_are_told_apart(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    torch.save(state, tmp_path / "whole.pth")
    assert "a part of it is missing" in refusal(tmp_path, (tmp_path / "whole.pth").read_bytes()[:9_000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "program.pt")
    message = refusal(tmp_path, (tmp_path / "program.pt").read_bytes())
    assert "it is a TorchScript program; save its weights alone: torch.save(torch.jit.load(" in message
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("resnet18.pth", b"x")
    assert "it is a zip archive of resnet18.pth; unpack it" in refusal(
        tmp_path, (tmp_path / "x.zip").read_bytes()
    )


def test_weights_of_another_model_are_named_with_what_to_do(tmp_path: Path) -> None:
    other = {key: torch.zeros(value.shape) for key, value in meta("resnet50").items()}
    message = refusal(tmp_path, {"net": wrap(other, "module.")})
    assert (
        "do not fit resnet18: the file holds resnet50; give the file of resnet18, or set `model: resnet50`"
        in message
    )


def test_weights_with_the_other_stem_say_which(tmp_path: Path) -> None:
    small = build_model("resnet18", 4, seed=0, stem="cifar").state_dict()
    assert "set `stem: cifar`" in refusal(tmp_path, dict(small))
    adopt(tmp_path, dict(small), "resnet18", "--stem", "cifar")


def test_strange_names_are_grouped_and_what_is_there_is_named(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    renamed = {
        key.replace("layer", "stage"): value for key, value in state.items() if not key.startswith("fc")
    }
    message = refusal(tmp_path, {**renamed, "scale": torch.ones(1)})
    assert (
        "missing layer1 (20), layer2 (25), layer3 (25), layer4 (25)" in message
        or "missing layer2 (" in message
    )
    assert "unexpected stage" in message
    assert "scale (1)" in message
    assert "the file holds conv1.weight, bn1.weight, bn1.bias and 118 more" in message
    assert len(message) < 700


def test_weights_that_are_there_twice_are_not_guessed_at(tmp_path: Path, state: dict[str, Tensor]) -> None:
    message = refusal(tmp_path, {**wrap(state, "module.encoder_q."), **wrap(state, "module.encoder_k.")})
    assert (
        "there 2 times, under the prefixes module.encoder_k., module.encoder_q.: save the ones to use"
        in message
    )


# Recognising


def meta(name: str, **options: Any) -> dict[str, Tensor]:
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return dict(torchvision.models.get_model(name, weights=None, **options).state_dict())


@pytest.mark.parametrize(
    "name", ["resnet34", "vgg16", "mobilenet_v3_small", "densenet121", "vit_b_16", "efficientnet_b0"]
)
@pytest.mark.parametrize("classes", [1000, 7])
def test_a_model_is_recognised_whatever_its_number_of_classes(name: str, classes: int) -> None:
    assert recognise(meta(name, num_classes=classes)) == name


def test_no_two_models_have_the_same_number_of_parameters() -> None:
    counts = [model.parameters for model in known_models().values()]
    assert len(set(counts)) >= len(counts) - 3


def test_a_state_dict_of_no_known_model_is_not_taken_for_one() -> None:
    assert recognise({"a.weight": torch.ones(3, 3), "a.bias": torch.ones(3)}) is None
    assert recognise({"a": torch.ones(3)}) is None


def test_reading_keeps_what_torch_saved(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save({"model": state}, tmp_path / "x.pth")
    found, notes = read_state_dict(tmp_path / "x.pth")
    assert found.keys() == state.keys()
    assert len(notes) == 1
