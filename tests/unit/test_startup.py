"""What a job imports before its first step: nothing that it does not use, and whatever somebody asks for later."""

import subprocess
import sys
from pathlib import Path

from tiny import tiny_store

TRAIN = """
import sys
from pathlib import Path
from scalestudy.cli import app
app(["train", "--data", "data", "--output", "run", "--epochs", "1", "--batch-size", "16", "--optimizer", "adamw"],
    standalone_mode=False)
unused = ("sympy", "pandas", "matplotlib", "scipy", "sklearn", "jinja2", "snakemake", "torch._inductor")
print("imported:", *(name for name in unused if name in sys.modules))
print("stand-in:", type(sys.modules["torch._dynamo"]).__name__)
"""
COMPILE = """
import scalestudy.training.models
import torch, sys
assert "sympy" not in sys.modules
{first}
print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist())
import torch._dynamo.utils as imported
assert imported is sys.modules["torch._dynamo"].utils
assert imported.is_compile_supported("cpu") is True
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_job_imports_no_compiler_and_nothing_of_the_report(tmp_path: Path) -> None:
    tiny_store(tmp_path / "data")
    shown = run(TRAIN, tmp_path)
    assert (tmp_path / "run" / "run.json").is_file()
    assert "imported:\n" in shown
    assert "stand-in: _StandIn\n" in shown


def test_whoever_compiles_gets_the_compiler(tmp_path: Path) -> None:
    assert "[2.0, 2.0]" in run(COMPILE.format(first=""), tmp_path)


def test_a_module_below_the_compiler_is_imported_once(tmp_path: Path) -> None:
    first = (
        "import torch._dynamo.exc as module\n"
        "assert module is sys.modules['torch._dynamo'].exc is sys.modules['torch._dynamo.exc']"
    )
    assert "[2.0, 2.0]" in run(COMPILE.format(first=first), tmp_path)
