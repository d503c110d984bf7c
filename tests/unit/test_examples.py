"""The studies of examples/: valid, small, and the pictures of one of them made from what libraries ship."""

import hashlib
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from commands import scalestudy
from PIL import Image

from scalestudy.study.config import json_schema, load_study
from scalestudy.study.runs import plan_runs

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "examples").glob("*.yaml"))


def test_there_are_the_three_that_the_readme_names() -> None:
    readme = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    assert len(STUDIES) == 3
    for study in STUDIES:
        assert f"study=examples/{study.name}" in readme
        assert f"study=examples/{study.name}" in study.read_text(encoding="utf-8")


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_each_is_valid_has_seeds_and_is_small(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    jsonschema.validate(yaml.safe_load(study.read_text(encoding="utf-8")), yaml.safe_load(json_schema()))
    runs = plan_runs(load_study(str(study.relative_to(ROOT))))
    assert len({run.settings.seed for run in runs}) == 3
    assert len(runs) <= 45


def test_the_pictures_are_the_same_each_time_and_fit_their_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digests = []
    for folder in ("a", "examples/pictures"):
        command = [sys.executable, str(ROOT / "examples/make_pictures.py"), folder]
        assert "1,400 pictures" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
        files = sorted(Path(folder).rglob("*.png"))
        pixels = [np.asarray(Image.open(file)) for file in files]
        assert {each.shape for each in pixels} == {(48, 48)}
        digests.append(hashlib.sha256(b"".join(each.tobytes() for each in pixels)).hexdigest())
    assert digests[0] == digests[1]
    done = scalestudy("check", str(ROOT / "examples/own-pictures.yaml"))
    assert done.code == 0, done.said
    assert "valid; 24 runs" in done.out


def test_the_linear_probe_and_fine_tuning_differ_in_what_is_frozen_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    runs = plan_runs(load_study("examples/probe-or-fine-tune.yaml"))
    kinds = {(run.settings.init, run.settings.freeze) for run in runs}
    assert kinds == {("glyphs", "backbone"), ("glyphs", "none"), ("none", "none")}
