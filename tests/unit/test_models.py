"""Models, their heads and their weights; the table of models against the installed torchvision."""

import copy
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn

from scalestudy.errors import UserError
from scalestudy.study.models import (
    MODELS_FILE,
    WEIGHTS_HOST,
    check_model,
    check_weights,
    known_models,
    model_of,
)
from scalestudy.training.backbone import load_backbone
from scalestudy.training.freezing import freeze, training_mode
from scalestudy.training.models import build_model, find_head, head_features
from scalestudy.training.models_csv import as_csv, installed_models


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_table_of_models_is_what_the_installed_torchvision_has() -> None:
    known, installed = known_models(), installed_models()
    drift = {name for name in known.keys() | installed.keys() if known.get(name) != installed.get(name)}
    assert not drift, f"run `python -m scalestudy.training.models_csv` to write it anew: {sorted(drift)}"
    assert MODELS_FILE.read_text(encoding="utf-8") == as_csv(installed)


HEADS = {
    "resnet18": ("fc", 512),
    "resnet50": ("fc", 2048),
    "resnext50_32x4d": ("fc", 2048),
    "googlenet": ("fc", 1024),
    "shufflenet_v2_x0_5": ("fc", 1024),
    "regnet_x_400mf": ("fc", 400),
    "mobilenet_v3_small": ("classifier.3", 1024),
    "efficientnet_b0": ("classifier.1", 1280),
    "mnasnet0_5": ("classifier.1", 1280),
    "densenet121": ("classifier", 1024),
    "squeezenet1_1": ("classifier.1", 512),
    "convnext_tiny": ("classifier.2", 768),
    "swin_t": ("head", 768),
    "alexnet": ("classifier.6", 4096),
    "fastnet": ("head", 256),
    "fastnet_wider": ("head", 384),
}


@pytest.mark.parametrize("name", HEADS)
def test_the_head_is_fresh_has_one_output_a_class_and_is_found_in_one_way(name: str) -> None:
    model = build_model(name, 10, seed=0, image_size=64)
    head_name, head = find_head(model)
    assert (head_name, head_features(model)) == HEADS[name]
    assert head.weight.shape[:2] == (10, HEADS[name][1])
    with torch.inference_mode():
        assert model.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 10)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_16"])
def test_all_but_the_head_has_the_stock_architecture(name: str) -> None:
    with torch.device("meta"):
        stock = torchvision.models.get_model(name, weights=None).state_dict()
    ours = build_model(name, 10, seed=0, image_size=224, dropout=0.2)
    head = find_head(ours)[0] + "."
    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    assert list(shapes) == list(stock)
    assert {key for key in stock if stock[key].shape != shapes[key]} == {head + "weight", head + "bias"}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "fastnet"])
def test_the_seed_alone_decides_the_initial_values(name: str) -> None:
    before = torch.get_rng_state()
    first = build_model(name, 10, seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    again, other = build_model(name, 10, seed=3).state_dict(), build_model(name, 10, seed=4).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in first.items())
    assert not all(torch.equal(value, other[key]) for key, value in first.items())


def test_models_of_other_dropout_start_from_the_same_values() -> None:
    plain, dropping = (build_model("resnet18", 10, seed=0, dropout=rate) for rate in (0.0, 0.5))
    pairs = zip(plain.state_dict().items(), dropping.state_dict().items(), strict=True)
    assert all(key == other and torch.equal(value, theirs) for (key, value), (other, theirs) in pairs)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_dropout_drops_inputs_of_the_head_in_training_only(name: str) -> None:
    model = build_model(name, 10, seed=0, dropout=0.5)
    parent, _, child = find_head(model)[0].rpartition(".")
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    if name == "resnet18":
        head = model.get_submodule(child)
        ones = torch.ones(2000, 512)
        with torch.inference_mode():
            assert torch.equal(head.eval()(ones)[0], head(ones)[1])
            spread = head.train()(ones).std(0)
        assert (spread > 0).all()
    else:
        assert 0.5 in rates
        assert isinstance(dict(model.get_submodule(parent).named_children())[str(int(child) - 1)], nn.Dropout)


def test_dropout_zero_keeps_the_stock_models_own() -> None:
    rates = [
        each.p
        for each in build_model("mobilenet_v3_small", 10, seed=0).modules()
        if isinstance(each, nn.Dropout)
    ]
    assert rates == [0.2]


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_an_impossible_dropout_is_refused(dropout: float) -> None:
    with pytest.raises(UserError, match="dropout is"):
        build_model("resnet18", 10, seed=0, dropout=dropout)


def test_the_cifar_stem_keeps_the_maps_large() -> None:
    model = build_model("resnet18", 10, seed=0, stem="cifar")
    with torch.inference_mode():
        stem = model.maxpool(model.conv1(torch.zeros(1, 3, 32, 32)))  # type: ignore[operator]
    assert stem.shape == (1, 64, 32, 32)


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "googlenet", "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1", "swin_t",
             "mnasnet0_5", "shufflenet_v2_x0_5", "regnet_x_400mf", "alexnet", "convnext_tiny", "fastnet_deep"],
)  # fmt: skip
def test_a_model_takes_images_of_its_smallest_size_and_none_below(name: str) -> None:
    size = model_of(name).min_image_size
    model = build_model(name, 10, seed=0, image_size=size).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, size, size)).isfinite().all()
    if size > 1:
        with pytest.raises(UserError, match=f"at least {size} pixels, and image_size is {size - 1}"):
            check_model(name, size - 1)


def test_a_size_that_does_not_divide_into_patches_names_the_next_one_that_does() -> None:
    with pytest.raises(UserError, match=r"multiple of 16, and image_size is 33: set image_size to 48"):
        check_model("vit_b_16", 33)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"model 'resnet-18' is unknown \(did you mean 'resnet18'\?\)"):
        check_model("resnet-18", 32)
    with pytest.raises(UserError, match="did you mean 'resnet50'"):
        model_of("ResNet50")


def test_the_cifar_stem_is_for_resnets_only() -> None:
    check_model("wide_resnet50_2", 32, "cifar")
    with pytest.raises(UserError, match="for the family 'resnet' only, and model"):
        check_model("mobilenet_v3_small", 32, "cifar")
    with pytest.raises(UserError, match=r"stem 'cifer' is unknown \(did you mean 'cifar'\?\)"):
        check_model("resnet18", 32, "cifer")


def test_weights_that_a_model_does_not_have_are_refused_with_those_that_it_has() -> None:
    check_weights("resnet50", "IMAGENET1K_V2", 32)
    with pytest.raises(UserError, match=r"it has: IMAGENET1K_V1$"):
        check_weights("resnet18", "IMAGENET1K_V2")
    with pytest.raises(UserError, match="do not fit stem 'cifar'"):
        check_weights("resnet18", "IMAGENET1K_V1", 32, "cifar")
    with pytest.raises(UserError, match="fit images of 224 pixels only, and image_size is 32"):
        check_weights("vit_b_16", "IMAGENET1K_V1", 32)


def test_published_files_carry_the_start_of_their_hash_and_every_model_has_one() -> None:
    for model in known_models().values():
        for weights in model.weights.values():
            assert weights.url.startswith(WEIGHTS_HOST)
            assert weights.file_name.endswith(f"-{weights.sha256_prefix}.pth")
    assert model_of("resnet18").weights["IMAGENET1K_V1"].file_name == "resnet18-f37072fd.pth"


def stock_weights(name: str) -> OrderedDict[str, torch.Tensor]:
    """Return the state_dict of a stock model with 1,000 classes, with its versions, as a published file holds it."""
    generator = torch.Generator().manual_seed(5)
    with torch.device("meta"), warnings.catch_warnings():  # without values, which take seconds to initialise
        warnings.simplefilter("ignore", FutureWarning)
        state = torchvision.models.get_model(name, weights=None).state_dict()
    for key, value in state.items():
        state[key] = torch.rand(value.shape, generator=generator).to(value.dtype)
    assert isinstance(state, OrderedDict)
    return state


def test_weights_fill_all_but_the_head() -> None:
    model, weights = build_model("resnet18", 10, seed=0), stock_weights("resnet18")
    head = copy.deepcopy(model.fc.state_dict())  # type: ignore[union-attr,operator]
    notes = load_backbone(model, weights)
    assert notes == ["head re-initialised: fc (10, 512)"]
    for key, value in model.state_dict().items():
        assert torch.equal(value, head[key.removeprefix("fc.")] if key.startswith("fc.") else weights[key]), (
            key
        )


def test_weights_of_the_same_number_of_classes_leave_the_head_fresh_too() -> None:
    model, other = build_model("resnet18", 10, seed=0), build_model("resnet18", 10, seed=1)
    before = find_head(model)[1].weight.clone()
    load_backbone(model, other.state_dict())
    assert torch.equal(find_head(model)[1].weight, before)
    assert torch.equal(model.conv1.weight, other.conv1.weight)  # type: ignore[union-attr,arg-type]


def test_a_plain_dict_without_counters_of_batches_fits_too() -> None:
    weights = {key: value for key, value in stock_weights("resnet18").items() if "num_batches" not in key}
    model = build_model("resnet18", 10, seed=0)
    load_backbone(model, weights)
    assert torch.equal(model.state_dict()["layer4.1.bn2.weight"], weights["layer4.1.bn2.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("layer1.0.conv1.weight"), "missing layer1.0.conv1.weight"),
        (lambda state: state.update(extra=torch.zeros(1)), "unexpected extra"),
        (
            lambda state: state.update({"bn1.bias": torch.zeros(3)}),
            r"bn1.bias is \(3,\) where the model has \(64,\)",
        ),
        (lambda state: state["bn1.bias"].fill_(float("nan")), "values that are not finite in bn1.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name_and_change_nothing(
    change: Callable[[OrderedDict[str, torch.Tensor]], object], message: str
) -> None:
    model, weights = build_model("resnet18", 10, seed=0), stock_weights("resnet18")
    before = copy.deepcopy(model.state_dict())
    change(weights)
    with pytest.raises(UserError, match=message):
        load_backbone(model, weights)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_old_names_of_densenet_and_auxiliary_classifiers_are_understood() -> None:
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
           for key, value in stock_weights("densenet121").items()}  # fmt: skip
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    load_backbone(build_model("densenet121", 10, seed=0), old)
    notes = load_backbone(build_model("googlenet", 10, seed=0), stock_weights("googlenet"))
    assert any("auxiliary classifiers left out" in note for note in notes)


@pytest.mark.parametrize("name", ["vgg11", "alexnet", "mobilenet_v3_small", "resnet18", "squeezenet1_1"])
def test_of_a_frozen_backbone_the_features_are_those_that_are_measured(name: str) -> None:
    size = 64
    model = build_model(name, 10, seed=0, dropout=0.5, image_size=size)
    freeze(model, "backbone")
    training_mode(model)
    _, head = find_head(model)
    features: list[torch.Tensor] = []
    head.register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
    images = torch.randn(4, 3, size, size)
    with torch.no_grad():
        for _ in range(2):
            model(images)
        model.eval()
        model(images)
    # What the head takes in training is dropped at random, and but for that as in measuring.
    for trained in features[:2]:
        kept = trained != 0
        expected = (
            features[2] if isinstance(head, nn.Linear) and type(head) is not nn.Linear else 2 * features[2]
        )
        assert torch.allclose(trained[kept], expected[kept], atol=1e-5)
    if type(head) is nn.Linear or isinstance(head, nn.Conv2d):
        assert not torch.equal(features[0], features[1])


def test_a_model_that_trains_all_its_layers_is_in_training_mode() -> None:
    model = build_model("resnet18", 10, seed=0)
    model.eval()
    freeze(model, "norm_scales")
    training_mode(model)
    assert all(module.training for module in model.modules())
