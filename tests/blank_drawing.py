"""Takes the drawing out of a copy of the project: its figures are blank, in all their files.

Drawing is half of the processor time from finished runs to the report. Tests that read numbers, notes and files do
without; figures drawn by the workflow are those of test_workflow.py, test_own_project.py and the browser's tests.
"""

from pathlib import Path

DRAW = """\
def draw(name, inputs):
    return None
"""
SAVE = """\
from scalestudy.files import write_text
from scalestudy.report import svg
from scalestudy.topics import figure_cards

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


def save(drawing, name, folder, formats=("svg", "png", "csv")):
    title = figure_cards()[name][1].title
    said = svg.Description(name, title, "A blank.", "Nothing is drawn here.", ())
    paths = [folder / f"{name}.{kind}" for kind in formats]
    for path in paths:
        write_text(path, svg.finish(BLANK, said, ()) if path.suffix == ".svg" else "blank\\n")
    return paths
"""


def draw_blanks(root: Path) -> None:
    """Let the project in `root` make blank figures from now on."""
    package = root / "src" / "scalestudy"
    for file, text in (("topics/drawing.py", DRAW), ("report/figures/drawing.py", SAVE)):
        assert (package / file).is_file()
        (package / file).write_text(text, encoding="utf-8")
