"""Figures from specifications: the same bytes each time, for page and phone, every letter readable, data with runs."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator
from sample_report import FIGURES, LOOKS, Named, accuracy, settings

from scalestudy.report import style
from scalestudy.report.figures.base import (
    NARROW,
    WIDE,
    Sheet,
    count_axis,
    percent_axis,
    size_axis,
    time_axis,
)
from scalestudy.report.figures.drawing import drawn, save
from scalestudy.report.figures.series import Panel, Point, Series, SeriesFigure
from scalestudy.report.inputs import MissingDataError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def styled() -> None:
    style.apply()


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_is_the_same_bytes(name: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save(drawn(lambda: FIGURES[name](), name), name, tmp_path / folder)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == [f"{name}.{kind}" for kind in ("csv", "narrow.svg", "png", "svg")]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_of_a_figure_lies_outside_of_its_frame(name: str) -> None:
    for frame in (WIDE, NARROW):
        sheet = FIGURES[name]().on(frame)
        figure = sheet.figure
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        wide, tall = figure.get_size_inches()
        assert wide <= frame.width
        assert box.x0 >= -0.02, frame.name
        assert box.x1 <= wide + 0.02, frame.name
        assert box.y0 >= -0.02, frame.name
        assert box.y1 <= tall + 0.02, frame.name


def test_panels_side_by_side_on_a_page_stand_below_each_other_on_a_phone() -> None:
    wide, narrow = (accuracy().on(frame).figure.axes for frame in (WIDE, NARROW))
    assert wide[0].get_position().x0 < wide[1].get_position().x0
    assert wide[0].get_position().y0 == wide[1].get_position().y0
    assert narrow[0].get_position().x0 == narrow[1].get_position().x0
    assert narrow[0].get_position().y0 > narrow[1].get_position().y1


def test_the_spread_over_seeds_is_drawn_and_each_run_answers_for_itself() -> None:
    sheet = accuracy().on(WIDE)
    means = [mark for mark in sheet.marks if mark.kind == "mark" and len(mark.runs) == 3]
    single = [mark for mark in sheet.marks if mark.kind == "mark" and len(mark.runs) == 1]
    assert len(means) == 24
    assert len(single) == 3 * 24
    assert all("95 % interval" in mark.text for mark in means)
    assert {mark.runs[0] for mark in single} == {run for each in settings() for run in each.runs}


def test_rows_of_the_csv_follow_from_the_dataclass(tmp_path: Path) -> None:
    save(drawn(accuracy, "accuracy"), "accuracy", tmp_path, ("csv",))
    with (tmp_path / "accuracy.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["series", "fraction", "measure", "value", "runs"]
    assert rows[1][-1].split() == list(settings()[0].runs)
    assert len(rows) == 25


def test_what_belongs_to_a_series_carries_its_key_in_every_panel(tmp_path: Path) -> None:
    save(drawn(accuracy, "accuracy"), "accuracy", tmp_path, ("svg",))
    root = ElementTree.parse(tmp_path / "accuracy.svg").getroot()
    groups = [each for each in root.iter(f"{SVG}g") if each.get("data-series")]
    names = [each for each in groups if each.get("class") == "name"]
    assert len(names) == 8  # four series in two panels
    assert {each.get("data-label") for each in names} == {each.name for each in settings()}
    assert len({each.get("data-series") for each in groups}) == 4


def line(values: list[float | None]) -> SeriesFigure:
    points = tuple(Point(x, y, f"epoch {x}", ("a",)) for x, y in enumerate(values, 1))
    series = Series("a", LOOKS.of("resnet18", "none"), points, markers=False)
    panel = Panel(
        "Accuracy, %", (series,), lambda axes, lowest: None, lambda axes: percent_axis(axes, [0, 1])
    )
    return SeriesFigure("A line", (panel,), [Named("a", 1.0)])


@pytest.mark.parametrize("count", [1, 5, 300])
def test_a_track_has_a_vertex_for_each_of_its_notes(count: int, tmp_path: Path) -> None:
    values: list[float | None] = [0.5 + 0.001 * (place % 7) for place in range(count)]
    values[count // 2] = values[count // 2] if count < 3 else None
    save(drawn(lambda: line(values), "a"), "a", tmp_path, ("svg",))
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    [track] = [each for each in root.iter(f"{SVG}g") if each.get("class") == "mark track"]
    notes = (track.get("data-notes") or "").split("\n")
    path = track.find(f"{SVG}path")
    vertices = (path.get("d") or "").replace("M", "L").split("L")[1:] if path is not None else []
    assert len(notes) == len(vertices) == len([value for value in values if value is not None])


def test_a_panel_without_values_says_so() -> None:
    sheet = line([None, None]).on(WIDE)
    assert "no complete run" in {text.get_text() for axes in sheet.figure.axes for text in axes.texts}


def test_a_figure_without_data_says_why_for_both_frames() -> None:
    def missing() -> Any:
        raise MissingDataError("No run is complete yet; `snakemake` trains what is missing.")

    drawing = drawn(missing, "Cost")
    assert drawing.wide.missing.startswith("No run")
    assert drawing.narrow is not None
    assert drawing.narrow.missing == drawing.wide.missing


def ticks_and_titles() -> Figure:
    sheet = Sheet("Letters")
    (axes,) = sheet.flow(1, 1.0)
    axes.set_yticks([0, 1], ["猫", "Ωmega"])
    axes.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.xaxis.set_major_formatter(FixedFormatter(["", "犬", ""]))
    axes.set_title("猫 and dog")
    axes.set_xlabel("犬")
    return sheet.figure


def drawn_words(figure: Figure) -> set[str]:
    figure.draw_without_rendering()
    texts: list[Any] = list(figure.findobj(lambda artist: hasattr(artist, "get_text")))
    return {text.get_text() for text in texts}


def test_letters_that_no_font_has_are_spelt_out_in_ticks_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = style._font_with
    monkeypatch.setattr(style, "_font_with", lambda letter: None if letter in "猫犬" else found(letter))
    figure = ticks_and_titles()
    style.save_raster(figure, tmp_path / "a.png")
    words = drawn_words(figure)
    assert {"U+732B", "Ωmega", "U+732B and dog", "U+72AC"} <= words
    assert not any("猫" in each or "犬" in each for each in words)


def test_a_font_of_the_machine_that_has_the_letter_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(style, "_font_with", lambda letter: "Some CJK Font")
    figure = ticks_and_titles()
    style.save_raster(figure, tmp_path / "a.png")
    assert "猫" in drawn_words(figure)
    labels = [*figure.axes[0].get_yticklabels(), figure.axes[0].title]
    assert all("Some CJK Font" in label.get_fontfamily() for label in labels)


def test_the_font_of_boxes_counts_for_no_letter() -> None:
    assert style._font_with("a") == "DejaVu Sans"
    assert style._font_with("\U0001f9ff\U0001f9ff"[0]) != "Last Resort High-Efficiency"
    assert style._font_with(chr(0x10FFFD)) is None


@pytest.mark.parametrize(
    "axis",
    [
        lambda axes: size_axis(axes, [("1", 90)]),
        *(
            lambda axes, times=times: time_axis(axes, times)
            for times in ([3.0], [165, 170], [9800, 10100], [20 * 86400], [0.02, 0.03])
        ),
        lambda axes: count_axis(axes, "x", 207, 481),
    ],
)
def test_axes_of_one_value_or_of_near_ones_have_a_tick(axis: Callable[[Any], None]) -> None:
    (axes,) = Sheet("One").flow(1, 1.0)
    axis(axes)
    low, high = axes.get_xlim()
    assert low < high
    assert any(label.get_text() for label in axes.get_xticklabels())
