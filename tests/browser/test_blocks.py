"""What every report promises of its looks and answers, on a sample of every block: screens, keys, taps, paper."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sample_report import write_sample

pytestmark = pytest.mark.browser
Open = Callable[..., Any]
PHONE = {"viewport": {"width": 375, "height": 780}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def open_page(browser: Any, page_file: Path) -> Iterator[Open]:
    """Open the sample with the given context settings; fails on console messages, errors and outside requests."""
    contexts, faults = [], []

    def opened(path: Path = page_file, **settings: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def tip(page: Any) -> str:
    """Return what the tip says, or nothing where it is hidden."""
    return str(page.locator("#tip").inner_text()) if page.locator("#tip").is_visible() else ""


def middle(element: Any) -> tuple[float, float]:
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


# The first screen


def test_the_first_screen_holds_title_facts_answers_basis_and_the_main_figure(open_page: Open) -> None:
    page = open_page()
    for part in ("h1", ".brief .state", ".answers", ".basis", "#figure-accuracy .wide svg"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= 800, part
    assert page.locator(".brief .state").bounding_box()["height"] < 40  # one line
    assert page.locator(".answers > div").count() == 3


def test_on_a_phone_the_answers_come_before_the_figure(open_page: Open) -> None:
    page = open_page(**PHONE)
    answers, figure = (page.locator(each).bounding_box()["y"] for each in (".answers", "#figure-accuracy"))
    assert answers < figure
    assert page.locator(".answers > div").last.bounding_box()["y"] < 780


# Narrow screens


@pytest.mark.parametrize("width", [320, 375, 768, 900, 1100, 1280])
def test_no_width_makes_the_page_scroll_sideways(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_every_figure_stands_whole_with_its_panels_below_each_other(open_page: Open) -> None:
    page = open_page(**PHONE)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for canvas in page.locator(".canvas").all():
        assert canvas.evaluate("(each) => each.scrollWidth <= each.clientWidth + 1")
        assert canvas.locator(".narrow svg").is_visible()
        assert canvas.locator(".wide svg").is_hidden()
    titles = page.locator("#figure-accuracy .narrow svg text", has_text="accuracy, %")
    places = [each.bounding_box() for each in titles.all()]
    assert len(places) == 2
    assert places[1]["y"] > places[0]["y"] + 100
    assert abs(places[1]["x"] - places[0]["x"]) < 2


@pytest.mark.parametrize("width", [375, 800, 900, 1280])
def test_no_label_of_a_figure_is_smaller_than_eleven_pixels(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("svg.chart text")].filter((each) => each.getClientRects().length)
        .map((each) => parseFloat(getComputedStyle(each).fontSize) * each.ownerSVGElement.getScreenCTM().a)"""
    )
    assert len(sizes) > 20
    assert min(sizes) >= 11


def test_at_most_a_third_of_a_figures_width_is_not_its_panels(open_page: Open) -> None:
    page = open_page()
    chart = page.locator("#figure-accuracy .wide svg").bounding_box()["width"]
    spans = page.evaluate(
        """() => { const found = {};
        for (const path of document.querySelectorAll("#figure-accuracy .wide svg path")) {
            const box = path.getBoundingClientRect();
            if (box.width > 100 && box.height < 2) found[Math.round(box.left)] = box.width;
        }
        return Object.values(found); }"""
    )
    assert len(spans) == 2
    assert sum(spans) > 0.64 * chart


def test_the_first_column_stays_where_a_table_scrolls(open_page: Open) -> None:
    page = open_page(**PHONE)
    region = page.locator("#table-accuracy .scroll")
    head = region.locator("tbody th").first
    before = head.bounding_box()["x"]
    region.evaluate("(each) => { each.scrollLeft = 120; }")
    assert region.evaluate("(each) => each.scrollLeft") == 120
    assert abs(head.bounding_box()["x"] - before) < 1
    assert head.bounding_box()["width"] < 375 / 2
    assert "gradient" in region.evaluate("(each) => getComputedStyle(each).backgroundImage")


def test_the_list_of_runs_fits_a_laptops_screen(open_page: Open) -> None:
    page = open_page()
    region = page.locator(".runs .scroll")
    assert region.evaluate("(each) => each.scrollWidth <= each.clientWidth + 1")
    page.locator(".runs tbody details").first.evaluate("(each) => { each.open = true; }")
    assert region.evaluate("(each) => each.scrollWidth <= each.clientWidth + 1"), "with a run opened"


# Answers to pointer, finger and keys


def test_the_nearest_value_answers_a_pointer_with_its_runs_and_interval(open_page: Open) -> None:
    page = open_page()
    mark = page.locator("#figure-accuracy .wide .mark", has=page.locator("use")).first
    x, y = middle(mark)
    page.mouse.move(x - 14, y - 4)
    said = tip(page)
    assert "ResNet-18" in said
    assert "resnet18_" in said
    page.mouse.move(x, y)
    interval = page.locator("#figure-accuracy .wide .mark").evaluate_all(
        "(all) => all.filter((each) => each.dataset.runs.includes(' ')).length"
    )
    assert interval == 24  # the means; single runs are marks of their own
    assert page.locator("#figure-accuracy .wide .mark").count() == 24 * 4


def test_a_tip_survives_a_click_and_names_runs_that_can_be_followed(open_page: Open) -> None:
    page = open_page()
    mark = page.locator("#figure-accuracy .wide .mark").first
    page.mouse.click(*middle(mark))
    assert "ResNet-18" in tip(page)
    page.mouse.move(5, 5)
    assert "ResNet-18" in tip(page)
    run = page.locator("#tip a").first
    name = run.inner_text()
    run.click()
    assert page.url.endswith(f"#run-{name}")
    assert tip(page) == ""


def test_a_first_tap_shows_a_figures_value_and_keeps_it(open_page: Open) -> None:
    page = open_page(**PHONE)
    mark = page.locator("#figure-accuracy .narrow .mark").first
    mark.scroll_into_view_if_needed()
    page.touchscreen.tap(*middle(mark))
    page.wait_for_timeout(100)
    assert "ResNet-18" in tip(page)
    page.touchscreen.tap(180, 4)
    assert tip(page) == ""


def test_a_first_tap_on_a_number_tells_its_runs_and_a_second_leads_to_them(open_page: Open) -> None:
    page = open_page(**PHONE)
    cell = page.locator("#table-accuracy td[data-runs]").first
    cell.scroll_into_view_if_needed()
    page.touchscreen.tap(*middle(cell.locator("a")))
    assert all(run in tip(page) for run in cell.get_attribute("data-runs").split())
    assert "#run-" not in page.url
    page.touchscreen.tap(*middle(cell.locator("a")))
    page.wait_for_url(lambda url: "#run-" in url)


def test_a_series_stands_out_where_its_name_is_pointed_at(open_page: Open) -> None:
    page = open_page()
    chart = page.locator("#figure-accuracy .wide svg")
    name = chart.locator(".name").first
    page.mouse.move(*middle(name))
    assert "telling" in chart.get_attribute("class")
    said = chart.locator(".said")
    keys = {each.get_attribute("data-series") for each in said.all()}
    assert keys == {name.get_attribute("data-series")}
    assert said.count() > 10  # in both panels
    page.mouse.move(5, 5)
    assert chart.locator(".said").count() == 0


def test_arrow_keys_walk_along_a_series_and_from_one_to_the_next(open_page: Open) -> None:
    page = open_page()
    page.locator("#figure-accuracy .canvas").focus()
    page.keyboard.press("ArrowRight")
    assert tip(page).startswith("ResNet-18, from scratch")
    page.keyboard.press("ArrowRight")
    first = tip(page)
    assert "resnet18_none_" in first
    page.keyboard.press("ArrowDown")
    assert tip(page).startswith("ResNet-18, rotation")
    assert "telling" in page.locator("#figure-accuracy .wide svg").get_attribute("class")
    page.keyboard.press("Escape")
    assert tip(page) == ""


def test_every_epoch_of_a_learning_curve_answers(open_page: Open) -> None:
    page = open_page()
    page.locator("#figure-curves .canvas").focus()
    page.keyboard.press("ArrowRight")
    seen = set()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        seen.update(re.findall(r"epoch \d", tip(page)))
    assert seen == {f"epoch {number}" for number in range(1, 6)}
    assert page.locator("#figure-curves .wide .here").count() <= 1


def tab_stops(page: Any) -> list[str]:
    """Return a name for each stop of the tabulator key on the page, in order."""
    found: list[str] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        name = page.evaluate(
            """() => { const at = document.activeElement; if (!at || at === document.body) return "";
            const home = at.closest("table, .canvas"); return home ? home.closest("[id]").id : at.tagName; }"""
        )
        if not name:
            break
        found.append(name)
    return found


def test_a_table_and_a_figure_are_one_tab_stop_each(open_page: Open) -> None:
    stops = tab_stops(open_page())
    for name in ("figure-accuracy", "figure-curves", "table-gain", "table-accuracy", "table-runs"):
        assert stops.count(name) == 1, name
    assert len(stops) < 70


def test_arrow_keys_move_between_the_numbers_of_a_table(open_page: Open) -> None:
    page = open_page()
    table = page.locator("#table-accuracy table")
    table.locator("thead button").first.focus()
    page.keyboard.press("ArrowDown")
    at = page.evaluate("document.activeElement.closest('td, th').dataset.runs")
    assert at
    assert at.split()[0] in tip(page)
    page.keyboard.press("ArrowRight")
    here = page.evaluate(
        "[document.activeElement.closest('td').cellIndex, document.activeElement.closest('tr').rowIndex]"
    )
    page.keyboard.press("ArrowDown")
    below = page.evaluate(
        "[document.activeElement.closest('td').cellIndex, document.activeElement.closest('tr').rowIndex]"
    )
    assert below == [here[0], here[1] + 1]
    assert table.locator("[tabindex='0']").count() == 1


# Sorting and filtering


def test_fractions_sort_by_their_value(open_page: Open) -> None:
    page = open_page()
    table = page.locator("#table-accuracy table")
    table.get_by_role("button", name="Fraction").click()
    words = [each.inner_text() for each in table.locator("tbody td:nth-child(2)").all()]
    assert words == ["1/16"] * 4 + ["1/2"] * 4 + ["all"] * 4


def test_rows_without_a_number_come_last_both_ways(open_page: Open) -> None:
    page = open_page()
    button = page.locator(".runs").get_by_role("button", name="Test, %")
    for _ in range(2):
        button.click()
        assert page.locator(".runs tbody tr").last.locator("td").nth(4).inner_text() == "failed"


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("32", 0),  # the image size of every run is none of the fields that tell runs apart
        ("1/2 rotation", 6),
        ("failed", 1),
        ("resnet-50 2", 6),
        ("1", 20),  # all images (12), and seed 1 (12), of which 4 are both
    ],
)
def test_the_filter_matches_the_fields_of_runs(open_page: Open, words: str, rows: int) -> None:
    page = open_page()
    page.get_by_label("Filter the runs").fill(words)
    assert page.locator(".runs tbody tr:visible").count() == rows


# Folded, moved, without script, on paper


def test_a_link_into_folded_details_opens_them(open_page: Open) -> None:
    page = open_page()
    assert page.locator("#figure-times").is_hidden()
    page.evaluate("location.hash = '#figure-times'")
    page.wait_for_timeout(50)
    assert page.locator("#figure-times").is_visible()


def test_png_and_svg_can_be_saved_from_a_page_that_was_moved_alone(
    open_page: Open, page_file: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.html"
    shutil.copyfile(page_file, moved)
    page = open_page(moved, color_scheme="dark")
    page.locator("#figure-accuracy .files summary").click()
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as waiting:
            page.get_by_label(f"{kind} of figure 1").click()
        saved = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(saved)
        content = saved.read_bytes()
        assert saved.name == f"accuracy.{kind.lower()}"
        assert content.startswith(start)
        assert b"var(--" not in content
        assert len(content) > 4_000


def test_without_script_everything_is_there(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".runs tbody tr").count() == 36
    assert page.locator(".filter").is_hidden()
    assert page.locator("#figure-accuracy .mark title").count() > 0
    page.locator(".more > summary").click()
    assert page.locator("#figure-times").is_visible()
    page.locator("#table-accuracy td a.from").first.click()
    assert "#run-" in page.url


def printed(page: Any, path: Path) -> list[str]:
    """Print to A4 and return the words of each sheet as they are laid out; skip where poppler is missing."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    page.pdf(path=path, prefer_css_page_size=True)
    done = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\f")[:-1]


@pytest.mark.parametrize("script", [True, False])
def test_paper_shows_what_is_folded(open_page: Open, tmp_path: Path, script: bool) -> None:
    words = " ".join(printed(open_page(java_script_enabled=script), tmp_path / "page.pdf"))
    assert "What stands here is folded, and printed." in words
    assert "Point 7 of the section" in words
    assert "scalestudy train --model" not in words  # the details of every run stay folded


def test_on_paper_tables_repeat_their_heads_and_headings_are_followed(
    open_page: Open, tmp_path: Path
) -> None:
    sheets = printed(open_page(), tmp_path / "page.pdf")
    with_runs = [sheet for sheet in sheets if re.search(r"_adam_lr|95 s", sheet)]
    assert len(with_runs) > 1
    assert all(re.search(r"Weights\s+Fraction\s+Seed", sheet) for sheet in with_runs)
    for sheet in sheets:
        last = [line.strip() for line in sheet.splitlines() if line.strip()][-1]
        assert last not in (
            "Initial weights",
            "All runs",
            "How to reproduce",
            "What could be added",
            "Details",
        )
        assert not last.startswith(("Table ", "Figure "))


def test_paper_is_used_to_its_full_width(open_page: Open) -> None:
    page = open_page(viewport={"width": 673, "height": 900})  # A4 between its margins
    page.emulate_media(media="print")
    for part in ("#table-accuracy table", "#table-gain table", ".basis"):
        assert page.locator(part).bounding_box()["width"] > 0.9 * 673, part
    assert page.locator("#figure-accuracy .wide").bounding_box()["width"] > 0.95 * 673
    assert page.evaluate("document.documentElement.scrollWidth") <= 673


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_no_violation(open_page: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    assert [
        (each["id"], each["impact"], [node["html"][:160] for node in each["nodes"][:3]]) for each in found
    ] == []
