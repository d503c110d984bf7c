"""What README and the documents name is there: files, headings, commands and their flags."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from commands import scalestudy
from typer.main import get_command

from scalestudy import __version__
from scalestudy.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(path for folder in ("config", "docs", "examples") for path in (ROOT / folder).glob("*.md")),
]
STUDY_COMMANDS = ("check", "plan", "status", "report", "export", "write-study")


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchor(heading: str) -> str:
    """Return the anchor that a Markdown page gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links(text: str) -> Iterator[tuple[str, str]]:
    """Return path and anchor of each link that leads into the project."""
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        if not re.match(r"\w+:", target):
            path, _, fragment = target.partition("#")
            yield path, fragment


def commands(text: str) -> Iterator[list[str]]:
    """Return the words of each `scalestudy` command in a code span or block, before any pipe or second command."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    blocks = [
        line.strip(" $")
        for block in re.findall(r"(?:^ {4}.*\n)+|^```[^`]*```", text, re.MULTILINE)
        for line in block.splitlines()
    ]
    for line in spans + blocks:
        for part in re.split(r"[|;&]+", line):
            words = shlex.split(part.replace("…", "").replace("'", " "), comments=True)
            if words[:1] == ["scalestudy"] and len(words) > 1:
                yield words[1:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_every_link_of_a_document_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    for path, fragment in links(document.read_text(encoding="utf-8")):
        target = document.parent / path if path else document
        assert target.exists(), path
        if fragment:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), f"{path}#{fragment}"


@pytest.mark.skipif(not (shutil.which("git") and (ROOT / ".git").exists()), reason="no git checkout")
def test_what_the_documents_link_to_is_in_the_repository_and_not_only_on_this_machine() -> None:
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True
    ).stdout.splitlines()
    if "README.md" not in listing:
        pytest.skip("git does not answer for this checkout (another user's?)")
    tracked = {(ROOT / line).resolve() for line in listing}
    known = tracked | {folder for path in tracked for folder in path.parents}
    linked = {
        (document.parent / path).resolve(): f"{document.name}: {path}"
        for document in DOCUMENTS
        for path, _ in links(document.read_text(encoding="utf-8"))
        if path
    }
    assert [where for target, where in linked.items() if target not in known] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=identify)
def test_every_command_of_a_document_is_there_with_its_flags(document: Path) -> None:
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    shared = {"-h", "--help", "--version", "--install-completion", "--show-completion"}
    for name, *rest in commands(document.read_text(encoding="utf-8")):
        if name in shared:
            continue
        assert name in group.commands, name
        known = {
            option for each in group.commands[name].params for option in (*each.opts, *each.secondary_opts)
        }
        for word in rest:
            if word.startswith("-"):
                assert word.partition("=")[0] in known | shared, f"{name} {word}"


def test_the_version_is_shown_alone() -> None:
    assert scalestudy("--version").out == f"scalestudy {__version__}\n"


@pytest.mark.parametrize("command", STUDY_COMMANDS)
def test_a_command_about_a_study_takes_it_from_config_and_the_quickstart_where_nothing_names_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ("--output", "study.json") if command == "write-study" else ()
    for named, asked in (((), "quickstart"), (("--config", "study=mine"), "mine")):
        done = scalestudy(command, *named, *more)
        assert done.code == 2
        assert len(done.errors) == 1
        assert asked in done.err
