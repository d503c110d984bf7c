"""The form of convolution for each size of map: the usual one, unless a processor clearly says otherwise."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from scalestudy.training import forms, small_maps
from scalestudy.training.forms import STOCK, choose_forms, measure_forms
from scalestudy.training.small_maps import USUAL_FORMS, Forms, usual_forms

CPU = torch.device("cpu")


class Processor:
    """A pretended processor: the library's time over a form's, by bound and pixels; 1 where nothing is said."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache, self.ratios, self.timed = folder / "cache", dict[str, float](), list[str]()
        monkeypatch.setenv("SCALESTUDY_CACHE", str(self.cache))
        monkeypatch.setattr(forms, "time_ratio", self.time_ratio)

    def time_ratio(self, bound: str, probe: forms._Probe, precision: str) -> float:
        self.timed.append(f"{bound} {probe.pixels}")
        return self.ratios.get(self.timed[-1], 1.0)


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processor:
    return Processor(tmp_path, monkeypatch)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("ratio", [0.85, 1.0, 1.35])
def test_near_ties_come_out_as_usual_whatever_the_noise(
    processor: Processor, monkeypatch: pytest.MonkeyPatch, precision: str, ratio: float
) -> None:
    monkeypatch.setattr(forms, "time_ratio", lambda *_: ratio)
    assert choose_forms(CPU, precision) == usual_forms(precision)


def test_a_form_that_is_clearly_slower_is_given_up_from_the_largest_maps_down(processor: Processor) -> None:
    processor.ratios = {
        "pointwise 64": 0.5,
        "pointwise 16": 0.55,
        "pointwise 4": 0.9,
        "whole 4": 0.5,
        "whole 1": 0.5,
    }
    chosen = choose_forms(CPU, "float32")
    assert asdict(chosen) == {**asdict(USUAL_FORMS), "pointwise": 4, "whole": 0}


def test_a_form_that_is_clearly_faster_is_used_on_larger_maps_than_usual(processor: Processor) -> None:
    processor.ratios = {"learning_narrow 16": 1.6, "learning_narrow 64": 1.3, "columns 16": 3.0}
    chosen = choose_forms(CPU, "float32")
    assert asdict(chosen) == {**asdict(USUAL_FORMS), "learning_narrow": 16, "columns": 16}


def test_the_first_measurement_decides_for_all_later_runs_and_says_why(processor: Processor) -> None:
    first = choose_forms(CPU, "float32")
    processor.ratios = {"pointwise 64": 0.1}
    timed = len(processor.timed)
    assert choose_forms(CPU, "float32") == first
    assert len(processor.timed) == timed
    (record,) = processor.cache.glob("convolutions-float32-*.json")
    content = json.loads(record.read_text())
    assert content["forms"] == asdict(first)
    assert content["library_time_over_form_time"]["pointwise 64"] == 1.0


def test_each_precision_has_its_own(processor: Processor) -> None:
    choose_forms(CPU, "float32")
    processor.ratios = {"columns 4": 0.1}
    assert choose_forms(CPU, "bf16").columns == 0
    assert choose_forms(CPU, "float32").columns == 4


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"forms": {"whole": 4}}',
        '{"forms": []}',
        json.dumps({"forms": dict.fromkeys(asdict(STOCK), -1)}),
    ],
)
def test_a_broken_record_is_measured_anew(processor: Processor, content: str) -> None:
    choose_forms(CPU, "float32")
    (record,) = processor.cache.glob("convolutions-*.json")
    record.write_text(content)
    assert choose_forms(CPU, "float32") == USUAL_FORMS
    assert json.loads(record.read_text())["forms"] == asdict(USUAL_FORMS)


def test_on_a_gpu_every_convolution_is_the_librarys(processor: Processor) -> None:
    assert choose_forms(torch.device("cuda"), "bf16") == STOCK
    assert processor.timed == []


@pytest.mark.parametrize("bound", asdict(STOCK))
def test_each_probe_times_the_form_that_its_bound_stands_for_against_the_librarys(bound: str) -> None:
    for probe in forms._PROBES[bound]:
        side, kernel = (probe.side, probe.side), (probe.kernel, probe.kernel)
        windows = small_maps._windows(side, kernel, (probe.stride,) * 2, (probe.kernel // 2,) * 2)
        assert probe.pixels == (probe.side**2 if bound == "whole" else windows.output[0] * windows.output[1])
        kind = (windows, *probe.channels, forms.images_of(probe), bound != "columns")
        for pixels, form in (
            (probe.pixels, "whole" if bound == "whole" else "columns"),
            (probe.pixels - 1, "stock"),
        ):
            alone = Forms(**{**asdict(STOCK), bound: pixels})
            assert small_maps.choose_form(alone, *kind) == form


def test_a_measurement_gives_ratios_of_times_and_leaves_the_threads_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forms, "_PROBES", {name: probes[:1] for name, probes in forms._PROBES.items()})
    torch.set_num_threads(2)
    try:
        found = measure_forms("float32")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert found["forms"].keys() == asdict(STOCK).keys()
    assert all(0.01 < ratio < 1000 for ratio in found["library_time_over_form_time"].values())
    assert (
        found["library_time_over_form_time"]["whole 1"] > 1
    )  # nine tenths of the library's work meets padding
