"""The model that is measured: BatchNorm folded, the same function, and nothing done to the model that trains."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scalestudy.training.folding import evaluation_model
from scalestudy.training.models import build_model
from scalestudy.training.small_maps import use_small_map_convolutions

MODELS = [
    "resnet18",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "densenet121",
    "googlenet",
    "shufflenet_v2_x0_5",
    "regnet_x_400mf",
    "mnasnet0_5",
    "squeezenet1_1",
    "swin_t",
    "convnext_tiny",
    "fastnet",
    "fastnet_deep",
]
WITHOUT_BATCH_NORM = {"squeezenet1_1", "swin_t", "convnext_tiny"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def experienced(model: nn.Module) -> nn.Module:
    """Return the model with BatchNorms whose every statistic and parameter matters, in training mode."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                assert tensor is not None
                tensor.data.uniform_(0.5, 1.5, generator=generator)
            for tensor in (module.bias, module.running_mean):
                assert tensor is not None
                tensor.data.normal_(0, 0.2, generator=generator)
    return model.train()


def batch_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def images(count: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, 3, 32, 32, dtype=dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", MODELS)
def test_the_folded_model_gives_what_the_model_gives_in_eval_mode(name: str) -> None:
    model = experienced(build_model(name, 10, seed=0, image_size=32).double())
    folded = evaluation_model(model)
    with torch.inference_mode():
        ours, stock = folded(images()), copy.deepcopy(model).eval()(images())
    assert (ours - stock).abs().max() < 1e-9 * stock.abs().max()
    if name not in WITHOUT_BATCH_NORM:
        assert batch_norms(folded) < batch_norms(model)


def test_every_batch_norm_of_a_resnet_is_folded_with_small_map_convolutions_too() -> None:
    model = use_small_map_convolutions(experienced(build_model("resnet18", 10, seed=0).double()))
    folded = evaluation_model(model)
    assert batch_norms(folded) == 0
    with torch.inference_mode():
        assert torch.allclose(folded(images()), copy.deepcopy(model).eval()(images()), rtol=1e-9)


def test_the_model_itself_is_left_as_it_is() -> None:
    model = experienced(build_model("resnet18", 10, seed=0))
    model.layer1.eval()  # type: ignore[operator,union-attr]
    F.cross_entropy(model(images(dtype=torch.float32)), torch.tensor([0, 1])).backward()  # type: ignore[no-untyped-call]
    modes = [module.training for module in model.modules()]
    kinds = [type(module) for module in model.modules()]
    values = copy.deepcopy(model.state_dict())
    gradients = [parameter.grad for parameter in model.parameters()]
    folded = evaluation_model(model)
    with torch.inference_mode():
        folded(images(dtype=torch.float32))
    assert [module.training for module in model.modules()] == modes
    assert [type(module) for module in model.modules()] == kinds
    assert all(torch.equal(value, values[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is grad for parameter, grad in zip(model.parameters(), gradients, strict=True))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in folded.modules())
    assert not any(parameter.requires_grad for parameter in folded.parameters())


def test_the_same_weights_give_the_same_numbers_to_the_bit() -> None:
    model = experienced(build_model("resnet18", 10, seed=0))
    with torch.inference_mode():
        first, second = (evaluation_model(model)(images(dtype=torch.float32)) for _ in range(2))
    assert torch.equal(first, second)


class Branching(nn.Module):
    """Cannot be traced: the way depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.norm(self.convolution(images))
        return output if output.sum() > 0 else -output


def test_a_model_that_cannot_be_traced_is_measured_without_folding() -> None:
    model = experienced(Branching())
    network = evaluation_model(model)
    assert batch_norms(network) == 1
    assert model.training
    assert not network.training
    shown = images(dtype=torch.float32)
    assert torch.equal(network(shown), copy.deepcopy(model).eval()(shown))


class Sharing(nn.Module):
    """A convolution whose output is read twice, one that runs twice, and a BatchNorm that follows none."""

    def __init__(self) -> None:
        super().__init__()
        self.read_twice, self.after_read_twice = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.runs_twice, self.after_runs_twice = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.lonely = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        read = self.read_twice(images)
        output = self.after_read_twice(read) + read
        output = self.after_runs_twice(self.runs_twice(self.runs_twice(output)))
        return self.lonely(output + images)  # type: ignore[no-any-return]


def test_only_a_batch_norm_that_alone_reads_its_own_convolution_is_folded() -> None:
    model = experienced(Sharing().double())
    folded = evaluation_model(model)
    assert batch_norms(folded) == 3
    assert torch.allclose(folded(images()), copy.deepcopy(model).eval()(images()), rtol=1e-12)


def test_batch_norm_without_running_statistics_is_not_folded() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).double()
    folded = evaluation_model(model)
    assert torch.allclose(folded(images()), model(images()))
