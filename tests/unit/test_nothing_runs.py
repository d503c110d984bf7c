"""Files that would run a program where they are loaded carelessly: a pickle inside, a shell's words, a template's."""

import pickle
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import collected

from scalestudy.data.store import Store
from scalestudy.topics.findings import write_findings
from scalestudy.training.checkpoint import load_checkpoint
from scalestudy.workflow.plan import Plan


class Runs:
    """An object that makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def test_this_object_does_run_when_it_is_loaded_carelessly(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Runs(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_a_resume_checkpoint_that_would_run_code_is_set_aside(tmp_path: Path) -> None:
    said: list[str] = []
    torch.save({"fingerprint": {"settings": "a"}, "model": Runs(tmp_path / "ran")}, tmp_path / "run.pt")
    assert load_checkpoint(tmp_path / "run.pt", {"settings": "a"}, said.append) is None
    assert not (tmp_path / "ran").exists()
    assert "starting from the first epoch" in said[0]
    assert (tmp_path / "run.unusable").exists()


def test_predictions_that_would_run_code_are_not_used(tmp_path: Path) -> None:
    folder = collected(tmp_path, models=("resnet18",), fractions=("1",), inits=("none",))
    evil = np.array([Runs(tmp_path / "ran")], dtype=object)
    for path in folder.glob("runs/*/predictions.npz"):
        np.savez(path, labels=evil, predictions=evil, probabilities=evil)
    write_findings(folder)
    assert not (tmp_path / "ran").exists()


def test_images_of_a_store_that_would_run_code_are_refused(tmp_path: Path) -> None:
    folder = collected(tmp_path, models=("resnet18",), fractions=("1",), inits=("none",))
    assert folder.exists()
    (store,) = (tmp_path / "data").iterdir()
    with (store / "test_images.npy").open("wb") as file:
        np.save(file, np.array([Runs(tmp_path / "ran")], dtype=object))
    with pytest.raises(Exception, match="test_images"):
        Store.open(store)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_named_as_an_archive_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    assert not zipfile.is_zipfile(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="pickled"):
        np.load(tmp_path / "x.npz", allow_pickle=False)
    assert not (tmp_path / "ran").exists()


@settings(derandomize=True, database=None, deadline=None, max_examples=25)
@given(
    st.text(max_size=40) | st.sampled_from(["$(touch ran)", "`touch ran`", "'; touch ran; '", "a\nb", "{x}"])
)
def test_a_value_from_the_command_line_is_one_word_of_a_rule_s_command(title: str) -> None:
    plan = Plan({"study": "quickstart", "title": title})
    words = shlex.split(plan.arguments)
    assert words[0] == "quickstart"
    assert [words[1], words[2].partition("=")[0]] == ["--config", "title"]
    assert len(words) == 3
