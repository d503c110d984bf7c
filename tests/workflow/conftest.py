"""A copy of the project in a folder with an awkward name."""

import compileall
import os
import shutil

import pytest
from blank_drawing import draw_blanks
from working_copy import PARTS, PROJECT, Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Project:
    """A copy of the project in a folder whose name has a blank and a quote.

    It draws blank figures for a module that says `DRAWN = False`.
    """
    root = tmp_path_factory.mktemp("home") / "my user's dir"
    root.mkdir()
    for part in PARTS:
        if (PROJECT / part).is_dir():
            shutil.copytree(
                PROJECT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy2(PROJECT / part, root / part)
    if not getattr(request.module, "DRAWN", True):
        draw_blanks(root)
    # Compiled here and nowhere else: the tests list the folder's files. What is installed is compiled already, and
    # PYTHONPYCACHEPREFIX would have all of torch compiled anew.
    compileall.compile_dir(root / "src", quiet=1)
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("SNAKEMAKE_PROFILE", None)
    return Project(root, environment)
