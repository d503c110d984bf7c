"""Models of timm by their names: cost, head, sizes, weights, input statistics, from timm itself. No network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import scalestudy
from tiny import tiny_store

from scalestudy.errors import UserError
from scalestudy.study import timm_models
from scalestudy.study.config import load_study
from scalestudy.study.models import check_model, check_weights, model_of
from scalestudy.study.runs import plan_runs
from scalestudy.training.backbone import load_backbone
from scalestudy.training.folding import evaluation_model
from scalestudy.training.models import build_model, find_head, head_features
from scalestudy.training.precision import prepare_model

timm = pytest.importorskip("timm")
safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture(autouse=True)
def _with_a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALESTUDY_CACHE", str(tmp_path / "cache"))
    timm_models.timm_model.cache_clear()
    timm_models.check_timm_size.cache_clear()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the Hugging Face Hub, empty, with the network switched off."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def snapshot(hub: Path, name: str, seed: int) -> dict[str, torch.Tensor]:
    """Put made-up weights of the model into the Hub's cache as its client keeps them; return them."""
    torch.manual_seed(seed)
    state: dict[str, torch.Tensor] = timm.create_model(name.partition(".")[0]).state_dict()
    folder = hub / f"models--timm--{name}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    safetensors.save_file(state, folder / "snapshots" / ("0" * 40) / "model.safetensors")
    return state


def test_the_cost_of_a_model_is_that_of_torchvisions_table_and_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = model_of("timm:resnet18"), model_of("resnet18")
    assert ours.parameters == theirs.parameters
    assert ours.gmacs == pytest.approx(theirs.gmacs, rel=0.01)
    assert "a1_in1k" in ours.weights
    timm_models.timm_model.cache_clear()
    monkeypatch.setattr(timm_models, "require_timm", lambda: pytest.fail("timm was asked again"))
    assert model_of("timm:resnet18") == ours


@pytest.mark.parametrize(
    "name", ["resnet18", "test_vit", "test_convnext", "mobilenetv3_small_050", "resnetv2_18"]
)
def test_the_head_is_found_by_timms_own_interface_and_only_the_seed_decides(name: str) -> None:
    before = torch.get_rng_state()
    model = build_model(f"timm:{name}", 7, seed=3, image_size=32)
    assert torch.equal(torch.get_rng_state(), before)
    head_name, head = find_head(model)
    assert head is model.get_classifier()
    assert model.get_submodule(head_name) is head
    assert head.weight.shape[0] == 7
    assert head_features(model) == model.head_hidden_size
    again = build_model(f"timm:{name}", 7, seed=3, image_size=32)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    other = build_model(f"timm:{name}", 7, seed=4, image_size=32)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", ["resnet18", "test_vit", "test_efficientnet", "resnetv2_18"])
def test_what_measures_a_model_computes_what_the_model_computes(name: str) -> None:
    model = build_model(f"timm:{name}", 5, seed=0, image_size=32)
    images = torch.randn(4, 3, 32, 32)
    expected = model.eval()(images)
    prepared = prepare_model(model)
    assert torch.allclose(evaluation_model(prepared)(images), expected, atol=1e-4)


def test_dropout_is_timms_own_before_the_head() -> None:
    model = build_model("timm:resnet18", 5, seed=0, image_size=32, dropout=0.5)
    assert model.drop_rate == 0.5
    images = torch.randn(2, 3, 32, 32)
    model.train()
    assert not torch.equal(model(images), model(images))


def test_a_transformer_is_built_for_the_images_that_it_gets() -> None:
    check_model("timm:test_vit", 32)
    model = build_model("timm:test_vit", 5, seed=0, image_size=32)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 5)
    with pytest.raises(
        UserError, match=r"cannot take images of 33 pixels .*: set image_size to 160, for which it is made"
    ):
        check_model("timm:test_vit", 33)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("timm:resnet81", r"has no model 'resnet81' \(did you mean 'resnet[0-9a-z_]+'"),
        ("timm:resnet18.a1_in1k", "set model to timm:resnet18 and init to a1_in1k"),
        ("timm:deit_tiny_distilled_patch16_224", "has not one linear head but several"),
        ("resnet81", "any of timm's is timm:NAME"),
    ],
)
def test_a_model_that_cannot_be_is_one_line(model: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        model_of(model)


def test_weights_are_timms_tags() -> None:
    check_weights("timm:resnet18", "a1_in1k", 64)
    with pytest.raises(
        UserError, match=r"has no weights 'a1_in1K' \(did you mean 'a1_in1k'\?\); it has: a1_in1k, "
    ):
        check_weights("timm:resnet18", "a1_in1K", 64)


STUDY = """\
dataset: digits
normalization: dataset
recipe: {epochs: 1, batch_size: 64, fraction: 1/16, image_size: 32}
experiments:
  main: {grid: {model: ["timm:test_resnet", "timm:test_vit"], init: [none, r160_in1k]}}
"""


def test_a_study_trains_from_timms_weights_with_the_statistics_that_they_were_trained_with(
    tmp_path: Path, hub: Path
) -> None:
    states = {name: snapshot(hub, f"{name}.r160_in1k", 1) for name in ("test_resnet", "test_vit")}
    (tmp_path / "mine.yaml").write_text(STUDY)
    assert "valid; 4 runs" in scalestudy("check", "mine.yaml").out
    assert "4 runs; " in scalestudy("plan", "mine.yaml", "--no-calibrate").out
    runs = plan_runs(load_study("mine.yaml"))
    names = {run.weights.name: run for run in runs if run.weights}
    assert sorted(names) == ["timm-test_resnet.r160_in1k", "timm-test_vit.r160_in1k-32px"]

    tiny_store(tmp_path / "data")
    for name, run in names.items():
        assert run.normalization == "weights"
        architecture = run.settings.model.removeprefix("timm:")
        fetched = scalestudy(
            *("fetch-weights", "--timm", f"{architecture}.r160_in1k", "--image-size", "32"),
            *("--output", f"weights/{name}"),
        )
        assert fetched.code == 0, fetched.said
        record = json.loads(Path(f"weights/{name}/weights.json").read_text())
        assert record["source"].startswith(f"timm:{architecture}.r160_in1k, timm ")
        kept = torch.load(f"weights/{name}/weights.pth", weights_only=True)
        same = next(
            key for key, value in states[architecture].items() if value.dim() == 4 and "pos" not in key
        )
        assert torch.equal(kept[same], states[architecture][same])

        trained = scalestudy(
            *(
                "train",
                "--model",
                run.settings.model,
                "--init",
                "r160_in1k",
                "--epochs",
                "1",
                "--batch-size",
                "16",
            ),
            *("--weights", f"weights/{name}/weights.pth", "--normalization", "weights", "--data", "data"),
            *("--output", f"runs/{architecture}", "--device", "cpu"),
        )
        assert trained.code == 0, trained.said
        said: dict[str, Any] = json.loads(Path(f"runs/{architecture}/run.json").read_text())
        assert said["normalization"]["mean"] == record["mean"]
        assert said["weights"]["sha256"] == record["sha256"]
        assert "head re-initialised: " in trained.said
    assert (
        "is there already"
        in scalestudy(
            *(
                "fetch-weights",
                "--timm",
                "test_resnet.r160_in1k",
                "--output",
                "weights/timm-test_resnet.r160_in1k",
            )
        ).said
    )


def test_weights_of_another_name_are_not_taken_for_those_asked_for(hub: Path) -> None:
    for name, seed in (("test_resnet.r160_in1k", 5), ("test_vit.r160_in1k", 6)):
        snapshot(hub, name, seed)
        done = scalestudy("fetch-weights", "--timm", name, "--output", "w")
        assert done.code == 0, done.said
        assert name in json.loads(Path("w/weights.json").read_text())["source"]


def test_pretrained_weights_reach_every_layer_but_the_head(hub: Path) -> None:
    state = snapshot(hub, "test_resnet.r160_in1k", 5)
    done = scalestudy("fetch-weights", "--timm", "test_resnet.r160_in1k", "--output", "w")
    assert done.code == 0, done.said
    model = build_model("timm:test_resnet", 3, seed=0, image_size=32)
    head, _ = find_head(model)
    load_backbone(model, torch.load("w/weights.pth", weights_only=True))
    for name, value in model.state_dict().items():
        if not name.startswith(f"{head}."):
            assert torch.equal(value, state[name]), name


def test_without_network_or_files_the_place_to_put_them_is_named(hub: Path) -> None:
    done = scalestudy("fetch-weights", "--timm", "resnet18.a1_in1k", "--output", "w")
    assert done.code == 2
    [line] = done.errors
    assert "timm could not get the weights resnet18.a1_in1k: " in line
    assert "put the snapshot of https://huggingface.co/timm/resnet18.a1_in1k into the cache" in line
    assert not Path("w/weights.pth").exists()


def test_without_the_library_the_extra_to_install_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(STUDY)
    shutil.rmtree("cache", ignore_errors=True)
    code = "import sys; sys.modules['timm'] = None\nfrom scalestudy.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "check", "mine.yaml"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "need the package timm: pip install timm" in done.stderr
    assert "Traceback" not in done.stderr
