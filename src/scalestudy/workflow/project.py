"""A project of one's own: studies, data, results and reports in another folder, with this workflow as a module."""

import shutil
from pathlib import Path

from scalestudy.errors import UserError
from scalestudy.files import write_text
from scalestudy.study.config import CONFIG_FOLDER, SCHEMA_FILE, json_schema
from scalestudy.study.paths import WORKFLOW

_SNAKEFILE = """\
# The studies of this folder: snakemake --cores all --config study=NAME
# The workflow itself is that of the installed scalestudy; rules of your own can follow below.
from snakemake import __version__ as snakemake_version

from scalestudy.workflow.project import workflow_snakefile


module scalestudy:
    snakefile:
        workflow_snakefile()
    config:
        config


use rule * from scalestudy


# What happens at the start (an estimate of the end), at the end, and after a failure (a report of what is there).
# Snakemake 7 takes it from the module by itself.
if not snakemake_version.startswith("7."):

    onstart:
        scalestudy.onstart()

    onsuccess:
        scalestudy.onsuccess()

    onerror:
        scalestudy.onerror()
"""

_README = """\
# Studies

Each file in `config/` is a study; `results/` and `report/` follow from it.

| you want | you type |
|---|---|
| a first study of a folder of images | `scalestudy new FOLDER` |
| to know what is wrong with a study, what it will take | `scalestudy check NAME`, `scalestudy plan NAME` |
| to run it, to its report | `snakemake --cores all --config study=NAME` |
| to see how far it is | `scalestudy status NAME` |

`scalestudy` and `snakemake` are those of the environment in which scalestudy is installed
(`pip install --editable PATH-TO-SCALESTUDY`). What data, weights and results take stays out of the repository
(`.gitignore`); keep `config/` and, if you like, `report/` in it.
"""

_GITIGNORE = """\
/.snakemake/
/data/
/results/
/weights/
/export/
"""


def workflow_snakefile() -> str:
    """Return the path of the workflow's Snakefile; UserError where the installed package has none beside it."""
    path = WORKFLOW / "Snakefile"
    if not path.is_file():
        raise UserError(
            f"the workflow's Snakefile is not at {path}: install scalestudy from a copy of its repository, "
            "`pip install --editable PATH-TO-SCALESTUDY`"
        )
    return str(path)


def make_project(folder: Path) -> list[str]:
    """Make `folder` a project: Snakefile, profile, config/ with the schema, README, .gitignore; return what was made.

    What is there already stays as it is. Raises UserError where that is a Snakefile without this workflow.
    """
    workflow_snakefile()
    there, made = folder / "Snakefile", []
    try:
        if there.exists() and "workflow_snakefile()" not in there.read_text(
            encoding="utf-8", errors="replace"
        ):
            raise UserError(
                f"{there} is there already, and nothing is overwritten: choose another folder, or take the module that "
                "docs/own-project.md shows into it"
            )
        files = {
            "Snakefile": _SNAKEFILE,
            "README.md": _README,
            ".gitignore": _GITIGNORE,
            str(SCHEMA_FILE): json_schema(),
        }
        for name, text in files.items():
            if not (folder / name).exists():
                write_text(folder / name, text)
                made.append(name)
        (folder / CONFIG_FOLDER).mkdir(exist_ok=True)
        for file in sorted((WORKFLOW / "profiles" / "default").iterdir()):
            target = folder / "profiles" / "default" / file.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                made.append(str(target.relative_to(folder)))
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from None
    return made
