"""What holds on a processor holds on a real GPU: the same numbers again, interrupted or not, recorded or not."""

import gc
import json
from pathlib import Path

import looped
import pytest
import torch
from looped import splits, timeless
from tiny import tiny_store
from torch import nn

from scalestudy.errors import UserError
from scalestudy.results.read import read_metrics
from scalestudy.study.settings import RunSettings
from scalestudy.training import graphs, loop
from scalestudy.training.device import choose_device
from scalestudy.training.job import Job, run_job
from scalestudy.training.progress import Row
from scalestudy.training.weights import state_sha256

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no GPU; on a machine with one: make test, or pytest tests/gpu"
    ),
]
GPU = torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _as_a_job_does() -> None:
    assert choose_device("cuda") == GPU


def run(
    checkpoint: Path, settings: RunSettings, precision: str = "bf16", stop_after: int | None = None
) -> tuple[loop.Training, list[Row]]:
    """Train on 300 images on the GPU."""
    return looped.run(checkpoint, settings, splits(300, 60, GPU), stop_after, precision=precision)


# 300 images in batches of 64: four whole batches a pass and one of 44, which is not recorded.
STOCK = RunSettings(
    model="resnet18", batch_size=64, epochs=3, dropout=0.3, schedule="cosine", augmentation="crop+flip"
)
BOTTLENECKS = STOCK.model_copy(update={"model": "resnet50", "augmentation": "none", "dropout": 0.0})
MIXED = STOCK.model_copy(update={"mixup": 0.2, "cutmix": 1.0, "clip_norm": 1.0, "averaging": "ema"})
FAST = RunSettings(
    model="fastnet",
    batch_size=64,
    epochs=3,
    optimizer="sgd",
    lr=0.1,
    momentum=0.85,
    nesterov=True,
    schedule="triangular",
    label_smoothing=0.2,
    augmentation="translate+alternating_flip",
    averaging="lookahead",
    tta="flip",
    freeze="norm_scales",
    conv_init="identity",
)
EACH = pytest.mark.parametrize(
    "settings", [STOCK, BOTTLENECKS, MIXED, FAST], ids=["resnet18", "resnet50", "mixed", "fastnet"]
)


@EACH
@pytest.mark.parametrize("precision", ["bf16", "float32"])
def test_the_same_settings_give_the_same_numbers_and_weights_to_the_bit(
    tmp_path: Path, settings: RunSettings, precision: str
) -> None:
    (first, rows), (second, again) = (run(tmp_path / name, settings, precision) for name in ("a.pt", "b.pt"))
    assert timeless(rows) == timeless(again)
    assert state_sha256(first.model.state_dict()) == state_sha256(second.model.state_dict())


@EACH
def test_a_recorded_step_gives_the_numbers_of_one_that_is_not(
    tmp_path: Path, settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, rows = run(tmp_path / "recorded.pt", settings)
    assert isinstance(recorded.gradients, graphs.Recorded)
    assert recorded.gradients.recorded
    monkeypatch.setattr(graphs, "WARM_UP", 10**9)
    plain, expected = run(tmp_path / "plain.pt", settings)
    assert isinstance(plain.gradients, graphs.Recorded)
    assert not plain.gradients.recorded
    assert timeless(rows) == timeless(expected)
    assert state_sha256(recorded.measured.state_dict()) == state_sha256(plain.measured.state_dict())


@EACH
@pytest.mark.parametrize("stop_after", [2, 6, 13])
def test_a_run_stopped_anywhere_ends_as_one_never_stopped(
    tmp_path: Path, settings: RunSettings, stop_after: int
) -> None:
    uncut, expected = run(tmp_path / "whole.pt", settings)
    with pytest.raises(loop.TerminatedError):
        run(tmp_path / "cut.pt", settings, stop_after=stop_after)
    resumed, rows = run(tmp_path / "cut.pt", settings)
    assert timeless(rows) == timeless(expected)
    assert state_sha256(uncut.measured.state_dict()) == state_sha256(resumed.measured.state_dict())


def test_a_signal_right_after_a_loss_that_exploded_does_not_hide_it(tmp_path: Path) -> None:
    with pytest.raises(loop.DivergedError):
        run(tmp_path / "a.pt", STOCK.model_copy(update={"lr": 1e9}), stop_after=3)
    assert not (tmp_path / "a.pt").exists()


def test_a_step_that_cannot_be_recorded_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def losses(tries: int) -> list[float]:
        monkeypatch.setattr(graphs, "WARM_UP", tries)
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).to(GPU)

        def waits(inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            model.zero_grad()
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, targets) * (1.0 if logits.sum().item() > -1e9 else 0.0)
            loss.backward()
            return loss.detach(), logits.detach()

        step = graphs.Recorded(waits, model)
        inputs, targets = torch.ones(8, 4, device=GPU), torch.arange(8, device=GPU) % 3
        found = [float(step(inputs, targets)[0]) for _ in range(6)]
        assert not step.recorded
        return found

    assert losses(3) == losses(10**9)  # dropout draws what it would have drawn


def test_a_step_is_not_recorded_where_that_leaves_no_memory_for_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *device: (0, 0))
    training, _ = run(tmp_path / "a.pt", STOCK)
    assert isinstance(training.gradients, graphs.Recorded)
    assert not training.gradients.recorded


def test_a_job_on_a_gpu_writes_what_it_trained_on(tmp_path: Path) -> None:
    data = tiny_store(tmp_path / "data")
    job = Job("run", RunSettings(batch_size=8, epochs=2), data, tmp_path / "run", device="cuda")
    assert run_job(job) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["device"], record["precision"]) == ("cuda", "bf16")
    assert record["device_name"] == torch.cuda.get_device_name(0)
    assert record["peak_memory_mb"] > 50
    assert len(read_metrics(tmp_path / "run" / "metrics.csv")) == 2


def test_too_little_memory_is_one_line_with_the_batch_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_store(tmp_path / "data", train=600)
    job = Job("run", RunSettings(batch_size=600, epochs=1), data, tmp_path / "run", device="cuda")
    gc.collect()  # what earlier tests have left would be memory to take again
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.001)
    try:
        assert run_job(job) == 1
    except UserError as error:
        pytest.fail(str(error))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["kind"] == "oom" or "oom" in status.values()
    assert "batch_size 600" in json.dumps(status)
    assert "GiB free" in capsys.readouterr().err + json.dumps(status)
