"""The benchmarks compare what they say, and refuse to take timings that are worth nothing."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from image_folders import fill
from tiny import tiny_store

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """Let benchmarks be imported as they import each other."""
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def study_speed() -> ModuleType:
    import study_speed

    return study_speed


@pytest.mark.parametrize("allowed", [False, True])
def test_a_busy_machine_is_refused_unless_told(monkeypatch: pytest.MonkeyPatch, allowed: bool) -> None:
    import machine

    monkeypatch.setattr(machine.psutil, "cpu_percent", lambda interval: 63.0)
    if allowed:
        machine.refuse_if_busy(allowed)
        return
    with pytest.raises(SystemExit) as ended:
        machine.refuse_if_busy(allowed)
    assert "this machine is busy (63% of" in str(ended.value)


def test_what_others_used_meanwhile_is_told_from_ones_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import machine

    clock, busy, own = iter([0.0, 10.0]), iter([100.0, 118.0]), iter([3.0, 11.0])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(machine, "_own_seconds", lambda: next(own))
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    with machine.Watch() as watch:
        pass
    assert watch.seconds == 10.0
    assert watch.others == pytest.approx(0.5)  # 18 - 8 s of 2 x 10 s


def test_a_machine_is_described_with_processor_commit_and_load() -> None:
    import machine

    shown = machine.describe()
    for part in ("processors", "torch ", "commit ", "load "):
        assert part in shown


def test_the_yardstick_trains_on_every_image_once_an_epoch_and_reads_the_test_set_once(
    tmp_path: Path,
) -> None:
    import numpy as np
    import plain_loop

    from scalestudy.data.store import Store

    class Counted(plain_loop.Images):  # type: ignore[misc]
        read = 0

        def __getitem__(self, index: int) -> object:
            self.read += 1
            return super().__getitem__(index)

    store = Store.open(tiny_store(tmp_path / "data"))
    trained = Counted(np.array(store.train_images), np.array(store.train_labels))
    tested = Counted(np.array(store.test_images), np.array(store.test_labels))
    args = argparse.Namespace(device="cpu", batch_size=16, workers=0, epochs=2)
    run = plain_loop.train("resnet18", trained, tested, 3, args)
    assert (trained.read, tested.read) == (2 * 48, 2 * 15)
    assert run["train_accuracy"] * 48 == pytest.approx(round(run["train_accuracy"] * 48))
    assert run["train_loss"] > 0


def side(module: ModuleType, seconds: float, others: float = 0.0) -> object:
    """Return a side whose two runs spent three quarters of the time in training and an eighth in measuring."""
    speeds = {"resnet18 1": 1000 / seconds}
    return module.Side(seconds, seconds * 1.5, seconds / 4, speeds, {"resnet18 1": 0.5}, others)


def test_the_comparison_shows_medians_ranges_and_disturbed_rounds(study_speed: ModuleType) -> None:
    rounds = [
        study_speed.Round(side(study_speed, plain), side(study_speed, ours, others))
        for plain, ours, others in ((300, 100, 0.0), (330, 100, 0.2), (360, 90, 0.01))
    ]
    shown = study_speed.table(rounds, workers=2)
    assert "| all runs, to the end, s | 330 (300 to 360) | 100 (90 to 100) |" in shown
    assert "| training, s | 495 (450 to 540) | 75 (68 to 75) (over 2 at once) |" in shown
    assert "**3.30 (3.00 to 4.00) times as fast**" in shown
    assert "| all else, share | | 12.5% |" in shown
    assert "Disturbed, so not to be published: round 2, ours: others used 20% of the processors." in shown


@pytest.mark.parametrize("prepared", [False, True])
def test_both_sides_have_the_same_runs(
    study_speed: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: bool
) -> None:
    from scalestudy.workflow.plan import Plan

    images = tmp_path / "images"
    if prepared:
        from scalestudy.data.prepare import prepare_dataset
        from scalestudy.study.dataset import parse_dataset
        from scalestudy.study.names import dataset_name

        settings = parse_dataset({"source": "glyphs", "train_images": 72, "test_images": 36})
        images = tmp_path / dataset_name(settings, 32)
        prepare_dataset(settings, 32, images)
    else:
        fill(images, train__cat=3, train__dog=3, test__cat=2, test__dog=2)
    args = argparse.Namespace(
        **{"images": images, "models": ["resnet18"], "fractions": ["1/2", "1"], "epochs": 2, "batch_size": 8},
        **{"image_size": 32, "precision": "float32", "device": "cpu", "jobs_per_gpu": 1},
    )
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.chdir(root)
    study_speed.write_json(root / "speed.yaml", study_speed.study(args, root))
    plan = Plan({"study": "speed.yaml"})
    assert [str(run.settings.fraction) for run in plan.runs.values()] == ["1/2", "1"]
    assert {run.settings.epochs for run in plan.runs.values()} == {2}
    assert all(Path(store).is_file() for store in plan.stores()) == prepared


def test_false_verdicts_are_rare_however_unlike_spreads_are_and_true_differences_are_found() -> None:
    """By chance alone at most 5 % of studies; 120 of them give up to 12 % one time in a thousand."""
    import numpy as np
    import verdicts

    rng = np.random.default_rng(0)
    wild = "one cell of each size 5, the others 0.5"
    pairs = dict(zip(verdicts.METHODS, verdicts.false_verdicts(rng, wild, 3, 120), strict=True))
    single = dict(zip(verdicts.METHODS, verdicts.single_runs(rng, wild, 3, 120), strict=True))
    assert pairs["report"] <= 12 < 20 < pairs["anova"]
    assert single["report"] <= 12 < 20 < single["anova"]
    found = dict(zip(verdicts.METHODS, verdicts.found_differences(rng, 4.0, 3, 60), strict=True))
    assert found["report"] > 60 > found["paired"]


def test_every_kind_of_convolution_is_shown_in_the_form_that_a_model_trains_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import convolutions

    from scalestudy.training.models import build_model
    from scalestudy.training.small_maps import USUAL_FORMS

    convolutions.show(build_model("resnet18", 10, seed=0), 2, "float32", USUAL_FORMS, rounds=1)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:-1]]
    chosen = {row[0].removeprefix("| "): row[5] for row in rows}
    assert sum(int(row[1]) for row in rows) == 20  # the convolutions of a ResNet-18
    assert chosen["7x7/2 3 to 64 (32 x 32)"] == "stock"
    assert chosen["3x3/1 512 to 512 (1 x 1)"] == "whole"
    assert chosen["1x1/2 64 to 128 (8 x 8)"] == "columns"


def test_the_limit_of_a_convolution_counts_only_taps_that_touch_the_map() -> None:
    import convolutions

    centre = convolutions.Kind(512, 512, 3, 1, 1, 1, 8, "float32")
    assert convolutions.touching(centre) == 512
    corner = convolutions.Kind(256, 256, 3, 1, 1, 2, 8, "float32")
    assert convolutions.touching(corner) == 4 * 256
