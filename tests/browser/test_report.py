"""The report in a real headless Chromium, as a reader uses it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[Open]:
    """Open the report with the given context settings; fails on console messages, errors and outside requests."""
    contexts, faults = [], []

    def opened(place: str = "", **settings: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:")) else faults.append(request.url)
            ),
        )
        page.goto(report.as_uri() + place)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def test_it_opens_without_an_error_or_an_outside_request(open_page: Open) -> None:
    page = open_page()
    assert "A study | of <b>a|b_c&</b>" in page.title()
    assert page.locator("h1").inner_text() == "A study | of <b>a|b_c&</b>"
    page.mouse.wheel(0, 50_000)
    page.wait_for_timeout(100)


def test_contents_links_lead_to_their_sections(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    links = page.locator("nav.contents li a")
    assert links.count() >= 13
    for link in links.all():
        name = link.get_attribute("href")
        link.click()
        top = page.locator(name).bounding_box()["y"]
        at_end = page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
        assert -2 <= top <= 120 or at_end, name
        assert page.url.endswith(name)


def test_evidence_links_of_answers_and_leads_lead_to_a_figure_or_a_table(open_page: Open) -> None:
    page = open_page()
    links = page.locator(".answers .evidence a, .says .evidence a")
    assert links.count() >= 8
    for link in links.all():
        assert page.locator(link.get_attribute("href")).count() == 1


def column(table: Any, place: int) -> list[float]:
    """Return the numbers of a column of a table, where they are numbers."""
    found = table.locator(f"tbody tr > :nth-child({place})")
    return [float(value) for cell in found.all() if (value := cell.get_attribute("data-value"))]


def test_tables_sort_by_their_numbers_both_ways(open_page: Open) -> None:
    page = open_page()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    table = page.locator("#table-cost table")
    head = table.locator("thead th").nth(4)
    before = column(table, 5)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(table, 5) == sorted(before)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(table, 5) == sorted(before, reverse=True)


def test_fractions_of_the_data_sort_as_numbers(open_page: Open) -> None:
    page = open_page()
    table = page.locator(".runs table")
    place = [each.inner_text().strip() for each in table.locator("thead th").all()].index("Data") + 1
    table.locator("thead th").nth(place - 1).locator("button").click()
    values = column(table, place)
    assert values == sorted(values)


def test_the_list_of_runs_filters_by_words(open_page: Open) -> None:
    page = open_page()
    rows = page.locator(".runs tbody tr")
    everything = rows.count()
    page.get_by_label("Filter the runs").fill("resnet50 failed")
    shown = [row for row in rows.all() if row.is_visible()]
    assert 0 < len(shown) < everything
    assert all("failed" in row.inner_text() for row in shown)
    assert page.locator("#filter-count").inner_text().startswith(f"{len(shown)} of")
    page.get_by_role("button", name="Show all").click()
    assert sum(row.is_visible() for row in rows.all()) == everything


def stops(page: Any) -> int:
    """Return how many places of the list of runs the Tab key comes to."""
    return sum(
        item.is_visible() and item.get_attribute("tabindex") == "0"
        for item in page.locator(".runs table :is(button, a, summary)").all()
    )


def test_a_filtered_list_can_be_reached_by_keyboard_and_paper_has_all_of_it(open_page: Open) -> None:
    page = open_page()
    page.locator(".runs tbody summary").first.focus()
    page.get_by_label("Filter the runs").fill("resnet50")
    assert stops(page) == 1
    kept = page.locator("#filter-count").inner_text()
    page.emulate_media(media="print")
    assert all(row.is_visible() for row in page.locator(".runs tbody tr").all())
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")
    assert page.locator("#filter-count").inner_text() == kept


def test_an_address_that_names_nothing_leaves_the_page_as_it_is(open_page: Open) -> None:
    page = open_page("#50%")
    assert page.locator(".filter").is_visible()


def test_a_number_leads_to_its_runs_and_tells_them(open_page: Open) -> None:
    page = open_page()
    cell = page.locator("#table-comparison td[data-runs]").first
    runs = cell.get_attribute("data-runs").split()
    cell.locator("a").focus()
    assert all(run in page.locator("#tip").inner_text() for run in runs)
    cell.locator("a").press("Enter")
    shown = [row for row in page.locator(".runs tbody tr").all() if row.is_visible()]
    assert [row.get_attribute("id").removeprefix("run-") for row in shown] == runs


def test_the_keyboard_walks_through_the_points_of_a_figure(open_page: Open) -> None:
    page = open_page()
    figure = page.locator("#figure-accuracy_by_size .canvas")
    figure.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert first
    assert page.locator("#tip").inner_text() != first
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_the_first_tab_stop_skips_to_the_report(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def background(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_dark_follows_the_system_and_the_button(open_page: Open) -> None:
    light, dark = open_page(color_scheme="light"), open_page(color_scheme="dark")
    colours = background(light), background(dark)
    assert colours[0] != colours[1]
    light.locator("button.theme").click()
    assert background(light) == colours[1]
    ink = "getComputedStyle(document.querySelector('.chart text')).fill"
    assert light.evaluate(ink) == dark.evaluate(ink)
    light.reload()
    assert background(light) == colours[1]


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_no_width_makes_the_page_scroll_sideways(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_is_there_without_script(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".runs tbody tr").first.is_visible()
    assert page.locator(".filter").is_hidden()
    assert page.locator("button.theme").is_hidden()
    page.locator("nav.contents li a").last.click()
    assert page.url.endswith("#all-runs")
    page.locator(".runs summary").first.click()
    assert page.locator(".runs dl").first.is_visible()


def test_it_prints_to_paper(open_page: Open, tmp_path: Path) -> None:
    page = open_page(color_scheme="dark")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    pages = content.count(b"/Type /Page\n") or content.count(b"/Type/Page")
    assert 5 <= pages <= 60
    page.emulate_media(media="print")
    assert background(page) == "rgb(255, 255, 255)"
    assert page.locator("nav.contents").is_hidden()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_no_serious_violation(open_page: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
