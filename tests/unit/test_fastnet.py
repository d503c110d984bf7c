"""FastNet and its parts: a whitening stem, identity convolutions; any image size, any number of classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_store
from torch import Tensor, nn

from scalestudy.data.store import StoreWriter
from scalestudy.errors import UserError
from scalestudy.files import read_json
from scalestudy.study.models import check_model, known_models
from scalestudy.study.settings import RunSettings
from scalestudy.training import job
from scalestudy.training.fastnet import FASTNETS
from scalestudy.training.job import Job, run_job
from scalestudy.training.models import build_model
from scalestudy.training.precision import autocast_context, prepare_model
from scalestudy.training.stems import whiten


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def images(count: int = 20, size: int = 32) -> Tensor:
    """Return images whose neighbouring pixels and channels are alike, as those of photographs are."""
    noise = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)
    return smooth + 0.3 * smooth.flip(1)


def test_each_fastnet_is_known_and_takes_other_sizes_and_numbers_of_classes() -> None:
    for name in FASTNETS:
        assert known_models()[name].family == "fastnet"
        for size, classes in ((9, 2), (32, 10), (45, 100)):
            model = build_model(name, classes, seed=0, image_size=size).eval()
            with torch.inference_mode():
                logits = model(images(2, size))
            assert logits.shape == (2, classes)
            assert logits.isfinite().all()
    with pytest.raises(UserError, match="at least 9 pixels, and image_size is 8"):
        check_model("fastnet", 8)


def test_the_variants_differ_in_what_their_names_say() -> None:
    models = {name: build_model(name, 10, seed=0) for name in FASTNETS}
    kinds = {name: {type(each) for each in model.modules()} for name, model in models.items()}
    assert nn.GELU in kinds["fastnet"]
    assert nn.GELU not in kinds["fastnet_relu"]
    assert nn.ReLU in kinds["fastnet_relu"]

    def convolutions(name: str) -> list[tuple[int, ...]]:
        return [tuple(each.weight.shape) for each in models[name].modules() if isinstance(each, nn.Conv2d)]

    assert convolutions("fastnet") == convolutions("fastnet_relu")
    assert len(convolutions("fastnet_deep")) == len(convolutions("fastnet_wide")) + 3
    assert [shape[0] for shape in convolutions("fastnet")] == [24, 64, 64, 128, 128, 256, 256]
    assert [shape[0] for shape in convolutions("fastnet_narrow")] == [24, 32, 32, 64, 64, 128, 128]
    assert [shape[0] for shape in convolutions("fastnet_wider")] == [24, 128, 128, 384, 384, 384, 384]


def test_the_whitening_stem_gives_uncorrelated_outputs_of_variance_one_and_their_opposites() -> None:
    model = build_model("fastnet", 10, seed=0, stem="whitening")
    whiten(model, images())
    stem = model.get_submodule("stem")
    assert isinstance(stem, nn.Conv2d)
    with torch.inference_mode():
        outputs = nn.functional.conv2d(images(), stem.weight).permute(1, 0, 2, 3).flatten(1).double()
    assert torch.allclose(outputs[12:], -outputs[:12])
    covariance = outputs[:12] @ outputs[:12].t() / outputs.shape[1]
    assert (covariance - covariance.diagonal().diag()).abs().max() < 1e-3
    assert (covariance.diagonal() - 1).abs().max() < 0.1
    again = build_model("fastnet", 10, seed=5, stem="whitening")
    whiten(again, images())
    assert torch.equal(again.get_submodule("stem").weight, stem.weight)  # type: ignore[arg-type]


def test_a_whitening_stem_is_for_fastnets_only() -> None:
    with pytest.raises(UserError, match="stem 'whitening' exists for the family 'fastnet' only"):
        check_model("resnet18", 32, "whitening")
    with pytest.raises(UserError, match="stem 'cifar' exists for the family 'resnet' only"):
        check_model("fastnet", 32, "cifar")


@pytest.mark.parametrize("name", ["fastnet", "resnet18", "resnet50", "mobilenet_v3_small", "squeezenet1_1"])
def test_identity_convolutions_pass_their_inputs_on_and_leave_the_first_and_the_head(name: str) -> None:
    stock, changed = (build_model(name, 10, seed=0, conv_init=each) for each in ("stock", "identity"))
    pairs = [
        (before, after)
        for before, after in zip(stock.modules(), changed.modules(), strict=True)
        if isinstance(before, nn.Conv2d) and isinstance(after, nn.Conv2d)
    ]
    assert torch.equal(pairs[0][0].weight, pairs[0][1].weight)
    if name == "squeezenet1_1":
        assert torch.equal(pairs[-1][0].weight, pairs[-1][1].weight), "its head is a convolution"
        pairs = pairs[:-1]
    for before, after in pairs[1:]:
        if after.groups > 1:
            assert torch.equal(before.weight, after.weight)
            continue
        passed = min(after.in_channels, after.out_channels)
        assert torch.equal(before.weight[after.in_channels :], after.weight[after.in_channels :])
        shown = torch.randn(1, after.in_channels, 8, 8)
        with torch.inference_mode():
            output = nn.functional.conv2d(shown, after.weight, None, after.stride, after.padding)
        assert torch.allclose(
            output[:, :passed], shown[:, :passed, :: after.stride[0], :: after.stride[1]], atol=1e-6
        )


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_form_that_trains_on_a_cpu_gives_what_the_plain_one_gives(precision: str) -> None:
    plain = build_model("fastnet", 10, seed=0).train()
    fast = prepare_model(build_model("fastnet", 10, seed=0)).train()
    shown = images(8)
    with autocast_context(torch.device("cpu"), precision):
        ours, stock = fast(shown).float(), plain(shown).float()
    assert torch.allclose(ours, stock, atol=1e-5 if precision == "float32" else 0.05)
    ours.square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in fast.parameters())


def test_a_job_whitens_from_its_training_images_and_trains_all_but_those_filters(tmp_path: Path) -> None:
    settings = RunSettings(
        model="fastnet", stem="whitening", conv_init="identity", freeze="norm_scales", epochs=1, batch_size=16
    )
    weights = []
    for name, data in (("a", 0), ("b", 1)):
        store = tiny_store(tmp_path / f"data-{name}", train=48 + 3 * data)
        job = Job(name, settings, store, tmp_path / name, precision="float32", save_weights=True)
        assert run_job(job) == 0
        weights.append(torch.load(tmp_path / name / "weights.pth", weights_only=True))
        assert read_json(tmp_path / name / "run.json")["model"]["features"] == 256
    filters = weights[0]["stem.weight"]
    assert torch.equal(filters[12:], -filters[:12]), "they are not what whitening gives, or were trained"
    assert not torch.equal(filters, weights[1]["stem.weight"])
    fresh = build_model("fastnet", 3, seed=0, stem="whitening", conv_init="identity").state_dict()
    trained = {key for key, value in fresh.items() if not torch.equal(value, weights[0][key])}
    parameters = {key for key in fresh if "running" not in key and "num_batches" not in key}
    scales = {key for key in parameters if key.endswith(".weight") and fresh[key].dim() == 1}
    assert trained & parameters == parameters - scales


def test_a_job_whitens_from_images_of_all_over_its_subset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of images is stored class by class: its first images are all of one."""
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(job, "WHITENING_IMAGES", 6)
    monkeypatch.setattr(job, "whiten", lambda model, images: seen.append(images))
    with StoreWriter(tmp_path / "data", 32) as writer:
        for split in ("train", "test"):
            labels = np.repeat(np.arange(3), 16)
            images = np.broadcast_to((labels * 80)[:, None, None, None], (48, 32, 32, 3)).astype(np.uint8)
            writer.append(split, images, labels)
        writer.publish(["a", "b", "c"], {"source": "made up", "settings": {}}, {"notes": []})
    one = RunSettings(model="fastnet", stem="whitening", epochs=1, batch_size=16)
    assert run_job(Job("one", one, tmp_path / "data", tmp_path / "one", precision="float32")) == 0
    assert len(seen[0].mean((1, 2, 3)).unique()) == 3
