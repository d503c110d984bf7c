"""Shell completion: what Tab offers in bash and zsh."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    for name in ("pets", "petals", "cars"):
        (tmp_path / "config" / f"{name}.yaml").write_text("dataset: digits\n")
    (tmp_path / "results" / "planes").mkdir(parents=True)
    return tmp_path


def offered(project: Path, *words: str) -> list[str]:
    """Return what bash is offered for the last of these words."""
    environment = {
        **os.environ,
        "_SCALESTUDY_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["scalestudy", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv = ['scalestudy']; from scalestudy.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pl"], ["plan"]),
        (["plan", "pe"], ["petals", "pets"]),
        (["compare", "pl"], ["planes"]),
        (["train", "--model", "resnet1"], ["resnet101", "resnet152", "resnet18"]),
        (["train", "--optimizer", "ad"], ["adam", "adamw"]),
    ],
)
def test_tab_offers_commands_studies_results_and_values(
    project: Path, words: list[str], expected: list[str]
) -> None:
    assert sorted(offered(project, *words)) == expected


def test_the_script_for_the_shell_can_be_shown_without_installing_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['scalestudy', '--show-completion', 'bash']\n"
         "from scalestudy.cli import main; main()"],
        capture_output=True, text=True,
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "complete -o default" in done.stdout
    assert list(tmp_path.iterdir()) == []
