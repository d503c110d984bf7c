"""The page and its Markdown twin: escaping, honesty about what is missing, one file, small, the same each time."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import pytest
from pages import Page, markdown_tables, plain
from report_study import analysed, blank_figures, rendered

from scalestudy.errors import UserError
from scalestudy.files import read_json
from scalestudy.findings.model import IntervalKind
from scalestudy.report import markup, render, view
from scalestudy.report.figures.drawing import save
from scalestudy.report.render import environment, html, markdown, render_report, templates
from scalestudy.results.made import note_figures
from scalestudy.topics import figure_cards, figure_names
from scalestudy.topics.drawing import draw
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.report import build

CLASSES = ("<b>a|b_c&", "猫", "$5_x$", "`code`", "a*b*", "#1")
TITLE = "Names | of <i>all_kinds</i> & 猫 and `ticks`"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study whose title and classes hold markup of every kind."""
    root = tmp_path_factory.mktemp("named")
    return rendered(root, title=TITLE, classes=CLASSES, models=("resnet18",), fractions=("1/2", "1"))


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a finished study of two runs whose figures are blank, report and all."""
    root = tmp_path_factory.mktemp("blank")
    rendered(root, drawn=(), study="blank", models=("resnet18",), inits=("none",), fractions=("1/2", "1"))
    return root


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 24 runs in which weights hurt and the larger model is worse."""

    def worse_with_weights(settings: dict[str, Any]) -> float:
        return 0.6 - 0.2 * (settings["init"] != "none") - 0.1 * (settings["model"] == "resnet50")

    return (
        rendered(tmp_path_factory.mktemp("worse"), accuracy=worse_with_weights, seeds=(0, 1)) / "report.html"
    )


@pytest.fixture(scope="module")
def page(named: Path) -> Page:
    return Page(named / "report.html")


def test_names_are_escaped_once_in_html(page: Page) -> None:
    for name in (*CLASSES, TITLE):
        escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in page.source
    assert "<b>a|b_c" not in page.source
    assert "&amp;lt;" not in page.source
    shown = {plain(cell.text) for cell in page.cells}
    assert set(CLASSES) <= shown


def test_scripts_and_figures_are_not_escaped(page: Page) -> None:
    assert "=>" in page.source.partition("<script>")[2]
    assert len(page.values("svg", "class")) >= 5
    assert "&lt;svg" not in page.source


def test_markdown_tables_keep_their_columns_whatever_the_names(named: Path) -> None:
    tables = markdown_tables((named / "report.md").read_text(encoding="utf-8"))
    assert len(tables) > 8
    for name, lines in tables.items():
        assert {len(line) for line in lines} == {len(lines[0])}, name
    [per_class] = [lines for lines in tables.values() if lines[0][0] == "Class" and "Accuracy, %" in lines[0]]
    assert {line[0] for line in per_class[1:]} == set(CLASSES)


def test_names_survive_in_the_svg_files_as_text(named: Path) -> None:
    root = ElementTree.parse(named / "figures/per_class.svg").getroot()
    words = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(CLASSES) <= words
    assert ElementTree.parse(named / "figures/samples.svg").getroot() is not None


def test_an_undefined_name_in_a_template_aborts_and_is_named(tmp_path: Path, named: Path) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(templates(), folder)
    source = (folder / "report.html.j2").read_text(encoding="utf-8")
    (folder / "report.html.j2").write_text(
        source.replace("{{ report.title }}", "{{ accc }}", 1), encoding="utf-8"
    )
    report = build(Inputs(named.parents[1] / "results" / named.name), named / "figures")
    with pytest.raises(UserError, match=r"report.html.j2, line \d+: 'accc' is undefined; mend the template"):
        html(report, folder)
    assert html(report)
    with pytest.raises(jinja2.UndefinedError, match="acc"):
        environment(templates()).from_string("{{ cell.acc }}").render(cell=report)


@pytest.mark.parametrize(
    ("name", "fault"),
    [("report.html.j2", "{{ accc }}"), ("report.html.j2", "{% if %}"), ("report.md.j2", "{{ accc }}")],
)
def test_a_template_at_fault_is_named_with_its_line_and_leaves_the_last_report_as_it_was(
    blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: str
) -> None:
    shutil.copytree(blank, tmp_path / "whole")
    folder, report = (tmp_path / "whole" / name / "blank" for name in ("results", "report"))
    before = {path: path.read_bytes() for path in report.rglob("*") if path.is_file()}
    made = shutil.copytree(templates(), tmp_path / "templates")
    with (made / name).open("a", encoding="utf-8") as file:
        file.write(f"\n{fault}\n")
    monkeypatch.setattr(render, "templates", lambda: made)
    with pytest.raises(UserError, match=rf"{name}, line \d+: .*; mend the template"):
        render_report(folder, report)
    assert {path: path.read_bytes() for path in report.rglob("*") if path.is_file()} == before


def test_the_page_asks_nothing_of_the_outside(page: Page) -> None:
    for name in ("src", "srcset", "poster", "action", "data"):
        assert page.values("*", name) == []
    for tag, name, value in page.attributes:
        if name in ("href", "xlink:href"):
            assert value.startswith(("#", "data:", "figures/")) or value in (
                "results.csv",
                "curves.csv",
                "differences.csv",
                "findings.json",
                "report.md",
            ), (
                tag,
                value,
            )
    style = page.source.partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    assert not re.search(r"https?://(?!www\.w3\.org)", page.source)


def test_every_inner_link_leads_somewhere_and_ids_are_unique(page: Page, named: Path) -> None:
    ids = page.values("*", "id")
    assert len(ids) == len(set(ids))
    inner = {value[1:] for value in page.values("a", "href") if value.startswith("#")}
    assert inner - {"top"} <= set(ids)
    source = (named / "report.md").read_text(encoding="utf-8")
    anchors = set(re.findall(r'<a id="([^"]+)">', source))
    assert set(re.findall(r"\]\(#([^)]+)\)", source)) <= anchors
    for path in re.findall(r"\]\(((?!#)[^)]+)\)", source):
        assert (named / path).is_file(), path


def test_tables_have_scopes_and_figures_say_their_finding(page: Page) -> None:
    assert set(page.values("th", "scope")) <= {"col", "row", "rowgroup", "colgroup"}
    assert len(page.values("th", "scope")) == sum(
        "scope" in cell.attributes
        for table in page.tables
        for row in (*table.head, *table.body)
        for cell in row
    )
    root = page.source
    for found in re.finditer(r'<desc id="[^"]+">([^<]*)</desc>', root):
        assert len(found[1]) > 20
    assert root.count("<desc") == root.count('role="img"')


def test_the_same_study_renders_to_the_same_bytes(named: Path, tmp_path: Path) -> None:
    folder = named.parents[1] / "results" / named.name
    again = render_report(folder, tmp_path / "again").parent
    for path in named.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(named)).read_bytes() == path.read_bytes(), path.name


def test_a_figure_that_no_longer_belongs_is_removed_and_files_of_others_stay(
    blank: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(blank / "results" / "blank", tmp_path / "results" / "blank"))
    figures = tmp_path / "report" / "figures"
    figures.mkdir(parents=True)
    gone = next(name for name in figure_cards() if name not in figure_names(Inputs(folder).study))
    for name in (f"{gone}.svg", "cats.svg", "my notes.txt"):
        (figures / name).write_text("old", encoding="utf-8")
    note_figures(folder, [figures / f"{gone}.svg"])
    render_report(folder, tmp_path / "report")
    assert not (figures / f"{gone}.svg").exists()
    assert (figures / "cats.svg").read_text(encoding="utf-8") == "old"  # somebody else's
    assert (figures / "my notes.txt").exists()


def test_an_empty_study_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    report = rendered(tmp_path, broken={"resnet": "missing"}, models=("resnet18",), store=False)
    source = (report / "report.html").read_text(encoding="utf-8")
    assert "0 of 6 runs" in source
    assert "could be added" in source
    assert "snakemake" in source
    assert not re.search(
        r"\bnan\b|\bNone\b|\binf\b",
        re.sub(r"<style>.*?</style>|<script>.*?</script>", "", source, flags=re.S),
    )
    Page(report / "report.html")


def test_figures_without_data_hold_the_reason_and_stay_off_the_page(tmp_path: Path) -> None:
    folder = analysed(tmp_path, broken={"resnet": "missing"}, models=("resnet18",))
    for name in figure_names(read_json(folder / "study.json")):
        drawing = draw(name, Inputs(folder))
        save(drawing, name, tmp_path / "figures", ("svg", "csv"))
        assert name == "samples" or drawing.wide.missing, name
        if "trains what is missing" in drawing.wide.missing:
            assert f"; `snakemake --cores all --config study={folder.name}` trains" in drawing.wide.missing
    page = Page(render_report(folder, tmp_path / "report"))
    assert page.source.count("<figure") == 1  # the sample images


def test_a_study_of_one_run_renders(tmp_path: Path) -> None:
    page = Page(rendered(tmp_path, models=("resnet18",), inits=("none",), fractions=("1",)) / "report.html")
    assert "1 of 1 run" in page.source


def test_the_problems_of_a_broken_study_stand_at_its_top_with_their_reasons(tmp_path: Path) -> None:
    broken = {
        "resnet50_none_f1of2_": "failed",
        "resnet18_glyphs_f1of16_": "diverged",
        "resnet18_none_f1_": "half",
    }
    page = Page(rendered(tmp_path, drawn=(), broken=broken) / "report.html")
    top = page.source.partition('id="limits"')[0]
    assert "9 of 12 runs" in top
    assert "out of memory on cpu" in top
    assert "diverged" in top
    assert "metrics.csv, line 6: cut" in top


def test_many_missing_runs_do_not_bury_the_answers(tmp_path: Path) -> None:
    report = rendered(tmp_path, drawn=(), seeds=range(2), broken={"resnet50": "missing"})
    page, text = Page(report / "report.html"), (report / "report.md").read_text(encoding="utf-8")
    shown, more = view.MOST_PROBLEMS, 12 - view.MOST_PROBLEMS
    assert page.source.count(f'<li><a href="#all-runs">and {more} more: see the list of runs</a></li>') == 1
    top = text.partition("**More data?**")[0]
    assert top.count("\n- resnet50") + top.count("\n- ResNet-50") == shown
    assert f"- and {more} more: see the [list of runs](#all-runs)" in top


def test_runs_that_agree_are_not_certain(tmp_path: Path) -> None:
    """Three equal accuracies, and no spread of other cells: what the test images leave open stays open."""
    folder = analysed(tmp_path, seeds=(0, 1, 2), accuracy=lambda settings: 0.75, classes=("a", "b"))
    for cell in Inputs(folder).findings.grid.cells.values():
        assert cell.result is not None
        interval = cell.result.interval
        assert interval is not None
        assert interval.kind is IntervalKind.TEST_SAMPLING
        assert interval.low < 0.75 < interval.high


def test_what_a_killed_rendering_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    report = rendered(tmp_path, drawn=(), models=("resnet18",), inits=("none",), fractions=("1",))
    (report / ".making-abc" / "figures").mkdir(parents=True)
    (report / ".making-abc" / "report.html").write_text("half")
    render_report(tmp_path / "results" / report.name, report)
    assert not list(report.glob(".making-*"))


def test_the_number_of_test_images_needs_no_data(tmp_path: Path) -> None:
    folder = analysed(tmp_path, store=False)
    assert ",400," in (folder / "results.csv").read_text().splitlines()[1]


def test_one_seed_has_no_bar_and_says_so(tmp_path: Path) -> None:
    folder = analysed(tmp_path, models=("resnet18",))
    sheet = draw("accuracy_by_size", Inputs(folder)).wide
    assert "Each point is one run, so there is no bar" in sheet.caption
    assert all(
        not row[sheet.columns.index("low")] or row[sheet.columns.index("interval")] == "test_sampling"
        for row in sheet.rows
    )


def test_markdown_of_sentences_keeps_names_and_shows_code() -> None:
    assert markup.prose_markdown("add `a|b` to *x* | <y>") == r"add `a\|b` to \*x\* \| &lt;y&gt;"
    assert markup.prose_markdown("a lone ` is a name's") == r"a lone \` is a name's"


def test_every_negative_number_on_the_page_has_a_proper_minus_sign(worse: Path) -> None:
    """In sentences, tables and figures alike."""
    words = " ".join(Page(worse).words)
    assert len(re.findall(r"\u2212\d", words)) > 10
    assert re.findall(r"(?<![\w.)-])-\d", words.partition("All runs, and how")[0]) == []


def test_every_figure_is_drawn_by_a_function_of_its_name() -> None:
    for name, (topic, _) in figure_cards().items():
        assert callable(getattr(topic.part("draw"), name))


def test_the_names_of_figures_are_known_without_matplotlib() -> None:
    code = "import sys, scalestudy.topics as f; f.figure_names({'runs': []}); "
    code += "print('matplotlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_rendering_finished_figures_needs_no_matplotlib(tmp_path: Path) -> None:
    folder = analysed(tmp_path, models=("resnet18",), fractions=("1",), inits=("none",))
    blank_figures(folder, figure_names(read_json(folder / "study.json")))
    code = (
        "import sys; from pathlib import Path; from scalestudy.report.render import render_report; "
        f"render_report(Path({str(folder)!r}), Path({str(tmp_path / 'report')!r})); print('matplotlib' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_missing_findings_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"findings\.json"):
        render_report(tmp_path, tmp_path / "report")
    with pytest.raises(UserError, match="no figure 'cats'"):
        draw("cats", Inputs(tmp_path))


def test_a_page_of_twenty_four_runs_is_under_three_megabytes(worse: Path) -> None:
    assert worse.stat().st_size < 3e6


def test_a_page_of_three_hundred_runs_of_a_hundred_epochs_is_under_ten_megabytes(tmp_path: Path) -> None:
    report = rendered(tmp_path, seeds=range(25), epochs=100)
    page = Page(report / "report.html")
    assert len(page.source.encode()) < 10e6
    runs = [value for value in page.values("tr", "id") if value.startswith("run-")]
    assert len(runs) == 300


def test_the_report_names_the_state_in_title_and_markdown_alike(named: Path) -> None:
    report = build(Inputs(named.parents[1] / "results" / named.name), named / "figures")
    other = replace(report, state=replace(report.state, text="3 of 4 runs", complete=False))
    assert "3 of 4 runs" in html(other)
    assert "3 of 4 runs" in markdown(other)
