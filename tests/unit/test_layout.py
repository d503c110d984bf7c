"""Sections put together and numbered: order, at most five points, nothing empty, what could be added at the end."""

from dataclasses import replace
from pathlib import Path

import pytest
from pages import Page, markdown_tables
from sample_report import sample

from scalestudy.report import layout, tables, view
from scalestudy.report.render import html, markdown
from scalestudy.report.tables import Column


def says(text: str) -> view.Statement:
    return view.Statement(text)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> view.Report:
    return sample(tmp_path_factory.mktemp("sample"))


def test_a_section_has_at_most_five_points_and_folds_the_others() -> None:
    made = layout.section("a", "A", points=[says(f"Point {number}.") for number in range(7)])
    shown, folded = made.blocks
    assert isinstance(shown, view.Statements)
    assert [each.text for each in shown.items] == [f"Point {number}." for number in range(5)]
    assert isinstance(folded, view.Details)
    assert isinstance(folded.blocks[0], view.Statements)
    assert len(folded.blocks[0].items) == 2


def test_sections_with_nothing_to_say_are_left_out_and_wishes_stand_once_at_the_end() -> None:
    wish = says("More seeds.")
    found = layout.arranged(
        [
            layout.section("a", "A", lead=says("A."), could_add=[wish]),
            None,
            layout.section("b", "B", could_add=[wish, says("A reference.")]),
        ]
    )
    assert [each.id for each in found] == ["a", "could-add"]
    [wishes] = found[-1].blocks
    assert isinstance(wishes, view.Statements)
    assert [each.text for each in wishes.items] == ["More seeds.", "A reference."]
    assert layout.arranged([layout.section("b", "B")]) == ()


def test_figures_and_tables_are_numbered_in_the_order_of_the_page(report: view.Report) -> None:
    figures = [each.number for each in report.blocks() if isinstance(each, view.Figure)]
    found = [each.number for each in report.blocks() if isinstance(each, (view.Table, view.RunList))]
    assert figures == list(range(1, len(figures) + 1))
    assert found == [1, 2, 3]
    assert report.targets["figure-accuracy"] == ("figure-accuracy", "Figure 1")


def test_links_of_a_name_that_stands_for_another_get_its_number(report: view.Report) -> None:
    other = replace(report, targets={"table-any": ("table-accuracy", "Table 9")})
    assert layout.numbered(other).targets["table-any"] == ("table-accuracy", "Table 2")


def test_every_figure_and_table_of_the_page_is_in_markdown_also_what_is_folded(report: view.Report) -> None:
    text = markdown(report)
    for block in report.blocks():
        if isinstance(block, (view.Figure, view.Table, view.RunList)):
            assert f'<a id="{block.id}"></a>' in text
    assert "What stands here is folded, and printed." in text
    assert text.count("<details") == 1  # the commands of all runs
    assert len(markdown_tables(text)) == 3


def test_n_is_said_once_where_it_is_the_same_everywhere(report: view.Report, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(html(report), encoding="utf-8")
    first, second, _ = Page(tmp_path / "report.html").tables
    assert "n = 3 throughout" in second.caption
    assert not any("n = 3" in cell.text for row in second.body for cell in row)
    assert "throughout" not in first.caption
    assert {cell.text[-5:] for row in first.body for cell in row if "n = " in cell.text} == {"n = 3", "n = 1"}
    assert markdown(report).count("n = 3 throughout.") == 1


def test_one_run_each_is_grey_and_without_a_triangle(report: view.Report, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(html(report), encoding="utf-8")
    gain = Page(tmp_path / "report.html").tables[0]
    [cell] = [cell for row in gain.body for cell in row if cell.text == "one run each"]
    assert "untested" in cell.attributes["class"]
    assert not set("▲▼") & set("".join(each.text for each in gain.body[-1]))


def test_columns_make_cells_from_items_and_empty_optional_ones_are_left_out() -> None:
    columns: list[Column[int]] = [
        Column("Name", str),
        Column("Square", lambda number: number**2 * 1000, numeric=True),
        Column("Held out", lambda number: None, optional=True),
        Column("Sometimes", lambda number: "yes" if number > 1 else None, optional=True),
    ]
    [made] = tables.tabulated("table-a", "Squares", columns, [1, 2])
    assert [column.text for column in made.columns] == ["Name", "Square", "Sometimes"]
    assert [[cell.text for cell in row.cells] for row in made.rows] == [
        ["1", "1,000", "–"],
        ["2", "4,000", "yes"],
    ]
    assert tables.tabulated("table-a", "Squares", columns, []) == []


def test_a_fraction_sorts_by_its_value_and_a_run_has_a_short_name() -> None:
    assert tables.fraction("1/16").value == 1 / 16
    assert tables.fraction("1").text == "all"
    assert tables.short_names(["a_b-12", "a_c-34"]) == {"a_b-12": "12", "a_c-34": "34"}
    assert tables.short_names(["a-12", "b-12"]) == {"a-12": "a-12", "b-12": "b-12"}
