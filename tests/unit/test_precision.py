"""bf16 is chosen where the hardware has it and it pays, once and for all for a kind of machine."""

import json
import threading
import time
from pathlib import Path

import pytest
import torch

from scalestudy.errors import UserError
from scalestudy.training import precision, processor
from scalestudy.training.precision import autocast_context, choose_precision, measure_bf16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Machine:
    """A pretended processor and the timing that it would give."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache, self.cpuinfo = folder / "cache", folder / "cpuinfo"
        self.ratio, self.timings = 2.0, 0
        monkeypatch.setenv("SCALESTUDY_CACHE", str(self.cache))
        monkeypatch.setattr(processor, "_CPUINFO", self.cpuinfo)
        monkeypatch.setattr(precision, "measure_bf16", self.measure)
        self.has("avx2 avx512f avx512_bf16")

    def has(self, flags: str, model: str = "Pretended 9000") -> None:
        one = f"model name\t: {model}\nstepping\t: 1\nflags\t\t: fpu {flags}\n"
        self.cpuinfo.write_text(f"processor\t: 0\n{one}\nprocessor\t: 1\n{one}\n")

    def measure(self) -> float:
        self.timings += 1
        time.sleep(0.05)
        return self.ratio

    def records(self) -> list[Path]:
        return list(self.cache.glob("bf16-*.json"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize("flags", ["avx2 avx512_bf16", "amx_bf16 amx_tile"])
def test_auto_takes_bf16_where_the_processor_has_it_and_is_faster_with_it(
    machine: Machine, flags: str
) -> None:
    machine.has(flags)
    assert choose_precision("auto", CPU) == "bf16"


def test_auto_takes_bf16_on_an_arm_processor_that_has_it(machine: Machine) -> None:
    machine.cpuinfo.write_text("processor : 0\nFeatures : fp asimd bf16 i8mm\nCPU part : 0xd40\n")
    assert choose_precision("auto", CPU) == "bf16"


def test_auto_stays_with_float32_where_bf16_hardly_pays(machine: Machine) -> None:
    machine.ratio = 1.15
    assert choose_precision("auto", CPU) == "float32"


@pytest.mark.parametrize("flags", ["avx2", "avx512f avx512_vnni", ""])
def test_auto_stays_with_float32_without_the_hardware_and_times_nothing(machine: Machine, flags: str) -> None:
    machine.has(flags)
    assert choose_precision("auto", CPU) == "float32"
    assert machine.timings == 0


def test_auto_stays_with_float32_where_the_system_says_nothing_of_the_processor(machine: Machine) -> None:
    machine.cpuinfo.unlink()
    assert choose_precision("auto", CPU) == "float32"


def test_the_first_timing_decides_for_all_later_runs(machine: Machine) -> None:
    assert choose_precision("auto", CPU) == "bf16"
    machine.ratio = 0.5
    assert choose_precision("auto", CPU) == "bf16"
    assert machine.timings == 1
    (record,) = machine.records()
    assert json.loads(record.read_text())["float32_time_over_bf16_time"] == 2.0


def test_another_kind_of_processor_is_timed_by_itself(machine: Machine) -> None:
    assert choose_precision("auto", CPU) == "bf16"
    machine.has("avx2 avx512_bf16", model="Pretended 100")
    machine.ratio = 0.9
    assert choose_precision("auto", CPU) == "float32"
    machine.has("avx2 avx512f avx512_bf16")
    assert choose_precision("auto", CPU) == "bf16"
    assert machine.timings == 2


def test_another_torch_is_timed_by_itself(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_precision("auto", CPU)
    monkeypatch.setattr(torch, "__version__", "99.0")
    choose_precision("auto", CPU)
    assert len(machine.records()) == 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"float32_time_over_bf16_time": "fast"}', "\0\xff"]
)
def test_a_broken_cache_is_measured_anew_and_replaced(machine: Machine, content: str) -> None:
    choose_precision("auto", CPU)
    (record,) = machine.records()
    record.write_text(content, encoding="latin-1")
    machine.ratio = 1.0
    assert choose_precision("auto", CPU) == "float32"
    assert machine.timings == 2
    assert json.loads(record.read_text())["float32_time_over_bf16_time"] == 1.0


def test_a_cache_that_cannot_be_written_stops_nothing(machine: Machine) -> None:
    machine.cache.write_text("a file where the folder should be")
    assert choose_precision("auto", CPU) == "bf16"


def test_of_several_that_start_at_once_one_measures_and_all_choose_alike(machine: Machine) -> None:
    chosen: list[str] = []
    starts = [threading.Thread(target=lambda: chosen.append(choose_precision("auto", CPU))) for _ in range(6)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join()
    assert chosen == ["bf16"] * 6
    assert machine.timings == 1


def test_a_precision_that_is_named_is_taken_without_a_timing(machine: Machine) -> None:
    assert choose_precision("bf16", CPU) == "bf16"
    assert choose_precision("float32", CPU) == "float32"
    assert machine.timings == 0


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
def test_bf16_without_the_hardware_is_one_clear_line(
    machine: Machine, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("avx2")
    monkeypatch.setattr(precision, "_gpu_has_bf16", lambda: False)
    with pytest.raises(UserError, match=r"no bf16 in hardware.*use `precision: auto` or `float32`") as caught:
        choose_precision("bf16", device)
    assert "\n" not in str(caught.value)
    assert choose_precision("auto", device) == "float32"


def test_a_gpu_that_has_bf16_uses_it_without_a_timing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_gpu_has_bf16", lambda: True)
    assert choose_precision("auto", CUDA) == "bf16"
    assert machine.timings == 0


def test_the_timing_leaves_threads_and_random_state_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_REPEATS", 1)
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    assert measure_bf16() > 0
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)


def test_bf16_products_come_from_bf16_and_float32_ones_from_float32() -> None:
    a = torch.ones(2, 2)
    with autocast_context(CPU, "bf16"):
        assert (a @ a).dtype == torch.bfloat16
    with autocast_context(CPU, "float32"):
        assert (a @ a).dtype == torch.float32
