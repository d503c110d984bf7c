"""Names of studies, experiments and weights: safe wherever they go, refused before anything is written."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml

from scalestudy.errors import UserError
from scalestudy.study.config import load_study
from scalestudy.study.names import name_in_tables, safe_name

ROOT = Path(__file__).parents[2]
ALLOWED = "a name has letters, digits, '-', '_' and '.', at most 64 of them"
UNSAFE = [
    "", " ", ".", "..", "../../somewhere/victim", "a/b", "/etc", "a\\b", "exp {lr}", "{lr}", "<b>", "x;y", "$(date)",
    "a b", "a\nb", "a\0b", "-rf", ".hidden", "_x", "dot.", "*", "a|b", "a:b", "'a'", '"', "~", "x" * 65, "x" * 300
]  # fmt: skip
SAFE = ["quickstart", "2024", "v1.2_b-3", "größe", "猫", "हिन्दी", "ไทย", "x" * 64]
NO_TEXT = ["None", "none", "null", "NULL", "NaN", "nan", "NA", "true", "False", "inf", "1", "1e5", "0.5"]


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_is_unsafe_somewhere_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name") as caught:
        safe_name(name)
    assert ALLOWED in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", SAFE)
def test_names_in_any_language_are_taken(name: str) -> None:
    assert safe_name(name) == name


def test_a_name_is_one_name_however_its_accents_are_written() -> None:
    assert safe_name(unicodedata.normalize("NFD", "größe")) == "größe"


@pytest.mark.parametrize("name", NO_TEXT)
def test_a_name_that_a_table_reads_back_as_missing_or_a_number_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a name: tables .* would be read back"):
        name_in_tables(name)


def test_every_name_that_pandas_reads_as_missing_is_refused() -> None:
    from pandas._libs.parsers import STR_NA_VALUES  # its documented list of `na_values`

    for name in STR_NA_VALUES:
        with pytest.raises(ValueError, match="cannot be a name"):
            name_in_tables(name)


@pytest.mark.parametrize("name", [*UNSAFE, None])
def test_no_study_experiment_or_weights_gets_an_unsafe_name(tmp_path: Path, name: str | None) -> None:
    file = tmp_path / "mine.yaml"
    for part in (
        {"name": name} if name is not None else {"name": "a b"},
        {"experiments": {name: {}}},
        {"weights": {name: {"upstream": {}}}},
    ):
        file.write_text(yaml.safe_dump({"dataset": "digits", **part}))
        with pytest.raises(UserError, match="cannot be a name"):
            load_study(str(file))


def test_a_files_own_name_must_be_safe_too_unless_the_study_gives_another(tmp_path: Path) -> None:
    file = tmp_path / "my study.yaml"
    file.write_text("dataset: digits\n")
    with pytest.raises(UserError, match=r"name: 'my study' cannot be a name"):
        load_study(str(file))
    file.write_text("dataset: digits\nname: mine\n")
    assert load_study(str(file)).name == "mine"


@pytest.mark.parametrize("tool", ["check", "snakemake"])
def test_a_study_that_names_another_folder_touches_nothing_there(tmp_path: Path, tool: str) -> None:
    victim = tmp_path / "somewhere" / "victim"
    (victim / "figures").mkdir(parents=True)
    (victim / "figures" / "mine.png").write_text("precious")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "bad.yaml").write_text("name: ../../somewhere/victim\ndataset: digits\n")
    command = {
        "check": [sys.executable, "-m", "scalestudy", "check", "bad.yaml"],
        "snakemake": [
            sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1",
            "--config", "study=bad.yaml",
        ],
    }[tool]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path / "work", capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "error: bad.yaml: name: '../../somewhere/victim' cannot be a name" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    own = [str(file) for file in files if ".snakemake" not in file.parts]
    assert sorted(own) == ["somewhere/victim/figures/mine.png", "work/bad.yaml"]
