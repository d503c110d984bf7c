"""Which study a command line names, where Snakemake has read its name as a number."""

from pathlib import Path

import pytest
from commands import scalestudy

from scalestudy.errors import UserError
from scalestudy.workflow.asked import asked_for
from scalestudy.workflow.plan import Plan


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a project with a study whose name looks like a number."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/2026_07.yaml").write_text("dataset: digits\nrecipe: {epochs: 1}\n")


def test_texts_are_taken_as_they_were_typed_and_numbers_as_snakemake_read_them() -> None:
    config = {"study": 202607, "name": 7, "title": 20.1, "epochs": 2}
    typed = ["study=2026_07", "name=007", "title=20.10", "epochs=2"]
    study, overrides = asked_for(config, (), typed)
    assert (study, overrides) == ("2026_07", {"name": "007", "title": "20.10", "epochs": 2})


def test_what_snakemake_read_as_text_is_left_to_it() -> None:
    assert asked_for({"study": "mine"}, (), ["study='mine'"])[0] == "mine"


def test_the_command_that_a_study_prints_and_its_jobs_name_the_same_study() -> None:
    plan = Plan({"study": 202607, "name": 7, "epochs": 2}, (), ["study=2026_07", "name=007", "epochs=2"])
    assert plan.record["start"] == "snakemake --cores all --config study=2026_07 epochs=2 name=007"
    written = scalestudy("write-study", *plan.arguments.split(), "--output", "study.json")
    assert written.code == 0, written.err
    assert '"study": "007"' in Path("study.json").read_text()


def test_an_empty_name_of_a_run_of_the_study_stays_none_in_its_jobs() -> None:
    plan = Plan({"study": "2026_07", "name": None}, (), ["study=2026_07", "name="])
    assert plan.name == "2026_07"
    assert scalestudy("check", *plan.arguments.split()).out.startswith("2026_07: valid")


def test_a_study_named_by_nothing_is_not_the_default_one() -> None:
    with pytest.raises(UserError, match="study= is empty"):
        asked_for({"study": None}, ())
    refused = scalestudy("check", "--config", "study=")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert "study= is empty" in refused.err


def test_a_file_of_somebodys_own_with_a_dataset_is_no_study_where_only_a_part_of_it_is_handed_on() -> None:
    Path("own.yaml").write_text("dataset: reads.fastq\nscalestudy: {study: 2026_07}\n")
    assert asked_for({"study": "2026_07"}, ["own.yaml"]) == ("2026_07", {})


@pytest.mark.parametrize(
    ("by_snakemake", "typed"),
    [
        ({"skip_impossible": "true"}, "skip_impossible=true"),
        ({"recipe": {"model": "resnet18", "epochs": "2"}}, "recipe={model: resnet18, epochs: 2}"),
        (
            {"dataset": {"source": "digits", "test_fraction": "0.10"}},
            "dataset={source: digits, test_fraction: 0.1}",
        ),
    ],
)
def test_a_variant_has_one_name_for_snakemake_which_reads_text_and_for_the_other_commands(
    by_snakemake: dict[str, object], typed: str
) -> None:
    name = Plan({"study": "2026_07", **by_snakemake}).name
    assert name != "2026_07"
    assert scalestudy("check", "2026_07", "--config", typed).out.startswith(f"{name}: valid")
