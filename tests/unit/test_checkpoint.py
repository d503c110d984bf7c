"""A checkpoint is used for the run that wrote it and for no other, and a broken one stops nobody."""

import resource
from pathlib import Path

import pytest
import torch

from scalestudy.training.checkpoint import load_checkpoint, save_checkpoint

MINE = {"settings": "12345678", "device": "cpu"}


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    save_checkpoint(
        file, MINE, {"model": {"w": torch.ones(2)}, "rows": [{"epoch": 1, "lr": 0.1}], "step": 3}, print
    )
    state = load_checkpoint(file, MINE, print)
    assert state is not None
    assert state["step"] == 3
    assert state["rows"] == [{"epoch": 1, "lr": 0.1}]
    assert torch.equal(state["model"]["w"], torch.ones(2))


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "run.pt", MINE, print) is None


def test_a_checkpoint_of_other_settings_is_set_aside_with_a_warning_that_names_them(tmp_path: Path) -> None:
    file, said = tmp_path / "run.pt", []
    save_checkpoint(file, {**MINE, "settings": "other"}, {"step": 3}, print)
    assert load_checkpoint(file, MINE, said.append) is None
    assert not file.exists()
    assert file.with_suffix(".unusable").exists()
    assert "differs in settings" in said[0]


def test_a_broken_checkpoint_is_set_aside_with_a_warning(tmp_path: Path) -> None:
    for content in (b"", b"no checkpoint", None):
        file, said = tmp_path / "run.pt", []
        save_checkpoint(file, MINE, {"step": 3, "model": {"w": torch.ones(1000)}}, print)
        file.write_bytes(content if content is not None else file.read_bytes()[:1500])
        assert load_checkpoint(file, MINE, said.append) is None
        assert "cannot be read" in said[0]


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_one_flipped_byte_in_a_checkpoint_is_found_by_the_checksums_of_its_archive(
    tmp_path: Path, place: float
) -> None:
    file, said = tmp_path / "run.pt", []
    save_checkpoint(file, MINE, {"step": 3, "model": {"w": torch.ones(100_000)}}, print)
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 1
    file.write_bytes(content)
    assert load_checkpoint(file, MINE, said.append) is None
    assert "cannot be read" in said[0]
    assert "was altered" in said[0]
    assert file.with_suffix(".unusable").exists()


def test_a_checkpoint_that_does_not_fit_on_the_disk_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert not save_checkpoint(tmp_path / "run.pt", MINE, {"w": torch.ones(100_000)}, said.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert f"the checkpoint {tmp_path / 'run.pt'} cannot be written (File too large)" in said[0]
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    file, said = tmp_path / "run.pt", []
    torch.save({"fingerprint": MINE, "step": print}, file)
    assert load_checkpoint(file, MINE, said.append) is None
    assert "cannot be read" in said[0]
