"""Initial weights: published files, checkpoints and upstream stages, each verified, and what is refused."""

import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from file_server import FileServer, serving
from tiny import tiny_store
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.errors import UserError
from scalestudy.study.settings import RunSettings
from scalestudy.training.job import Job, run_job
from scalestudy.training.models import build_model
from scalestudy.training.weights import adopt_checkpoint, fetch_weights, load_weights

CONTENT = b"weights " * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"resnet18-{SHA256[:8]}.pth"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, empty, in the test's own folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch home"))
    return tmp_path / "torch home" / "hub" / "checkpoints"


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A host that publishes CONTENT as NAME."""
    with serving(CONTENT) as running:
        yield running


def refusal(url: str, output: Path) -> str:
    with pytest.raises(UserError) as caught:
        fetch_weights(url, output)
    assert "\n" not in str(caught.value)
    assert not (output / "weights.json").exists()
    return str(caught.value)


# Fetching


def test_a_published_file_is_fetched_once_through_torchs_cache(
    tmp_path: Path, cache: Path, server: FileServer
) -> None:
    url = server.url("whole", NAME)
    for output in (tmp_path / "one", tmp_path / "two"):
        fetch_weights(url, output)
        assert (output / "weights.pth").read_bytes() == CONTENT
        record = json.loads((output / "weights.json").read_text())
        assert record.pop("checksum")
        assert record == {"source": url, "sha256": SHA256}
    assert len(server.requests) == 1
    assert (cache / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("behaviour", ["cut", "wrong", "gone"])
def test_a_file_that_does_not_come_names_url_hash_and_the_path_to_put_it_at(
    tmp_path: Path, cache: Path, server: FileServer, behaviour: str
) -> None:
    message = refusal(server.url(behaviour, NAME), tmp_path / "w")
    for part in (
        server.url(behaviour, NAME),
        f"SHA-256 {SHA256[:8]}...",
        f"{tmp_path}/w/weights.pth",
        f"{cache}/{NAME}",
    ):
        assert part in message
    assert not (tmp_path / "w" / "weights.pth").exists()
    assert not (cache / NAME).exists()


@pytest.mark.parametrize("where", ["cache", "weights folder"])
def test_a_file_put_in_place_by_hand_needs_no_network(tmp_path: Path, cache: Path, where: str) -> None:
    placed = cache / NAME if where == "cache" else tmp_path / "w" / "weights.pth"
    placed.parent.mkdir(parents=True)
    placed.write_bytes(CONTENT)
    fetch_weights(f"http://127.0.0.1:9/{NAME}", tmp_path / "w")
    assert (tmp_path / "w" / "weights.pth").read_bytes() == CONTENT
    assert json.loads((tmp_path / "w" / "weights.json").read_text())["sha256"] == SHA256


@pytest.mark.parametrize("where", ["cache", "weights folder"])
def test_a_wrong_file_in_place_is_replaced_and_named_with_both_hashes(
    tmp_path: Path, cache: Path, server: FileServer, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    placed = cache / NAME if where == "cache" else tmp_path / "w" / "weights.pth"
    placed.parent.mkdir(parents=True)
    placed.write_text("x\n")
    found = hashlib.sha256(b"x\n").hexdigest()
    message = refusal(f"http://127.0.0.1:9/{NAME}", tmp_path / "w")
    for part in (
        f"{placed} is not the published file",
        f"expected SHA-256 {SHA256[:8]}...",
        f"found {found}",
    ):
        assert part in message
    capsys.readouterr()
    fetch_weights(server.url("whole", NAME), tmp_path / "w")
    said = capsys.readouterr().err
    assert str(placed) in said
    assert found in said
    assert placed.read_bytes() == CONTENT


def test_a_url_without_a_hash_in_its_name_cannot_be_verified(tmp_path: Path) -> None:
    assert "carries no SHA-256 in its name" in refusal("http://127.0.0.1:9/resnet18.pth", tmp_path / "w")


# Checkpoint files


def test_a_checkpoint_is_taken_with_its_sha256_and_refused_with_another(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    torch.save({"a.weight": torch.ones(2)}, file)
    content = file.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    adopt_checkpoint(file, sha256.upper(), tmp_path / "w")
    file.write_bytes(b"written anew in place")
    assert (tmp_path / "w" / "weights.pth").read_bytes() == content
    with pytest.raises(UserError, match=rf"mine.pt has SHA-256 .*, and the study expects {sha256}"):
        adopt_checkpoint(file, sha256, tmp_path / "other")
    with pytest.raises(UserError, match=r"none.pt does not exist"):
        adopt_checkpoint(tmp_path / "none.pt", sha256, tmp_path / "other")


def test_a_checkpoint_replaces_no_other_file_of_that_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    torch.save({"a.weight": torch.ones(2)}, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "weights.pth").write_text("precious")
    with pytest.raises(
        UserError, match=r"weights.pth is there already and is another file; choose another folder"
    ):
        adopt_checkpoint(file, sha256, tmp_path)
    assert (tmp_path / "weights.pth").read_text() == "precious"
    for _ in range(2):  # also over its own earlier file
        adopt_checkpoint(file, sha256, tmp_path / "w")


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_a_state_dict_may_lie_under_a_key(tmp_path: Path, key: str | None) -> None:
    state = {"a.weight": torch.ones(2)}
    torch.save(state if key is None else {key: state, "epoch": 3}, tmp_path / "w.pth")
    assert torch.equal(load_weights(tmp_path / "w.pth")["a.weight"], torch.ones(2))


def test_files_that_hold_no_tensors_are_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    with pytest.raises(UserError, match="no weights at"):
        load_weights(file)
    whole = tmp_path / "whole.pth"
    torch.save({"a": torch.ones(1000)}, whole)
    chance = np.random.default_rng(0)
    for content in (b"", b"x\n", whole.read_bytes()[:2000], *(chance.bytes(50) for _ in range(20))):
        file.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as tensors"):
            load_weights(file)
    for value in ([torch.ones(2)], {"a": 3}):
        torch.save(value, file)
        with pytest.raises(UserError, match="do not hold a state_dict"):
            load_weights(file)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"a": print}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="cannot be read as tensors"):
        load_weights(tmp_path / "w.pth")


def test_weights_that_changed_after_they_were_verified_are_refused(tmp_path: Path) -> None:
    settings = RunSettings(init="mine", epochs=1, batch_size=16)
    file = tmp_path / "mine.pt"
    torch.save(build_model("resnet18", 5, seed=1).state_dict(), file)
    adopt_checkpoint(file, hashlib.sha256(file.read_bytes()).hexdigest(), tmp_path / "w")
    torch.save(build_model("resnet18", 5, seed=2).state_dict(), tmp_path / "w" / "weights.pth")
    job = Job(
        "run", settings, tiny_store(tmp_path / "data"), tmp_path / "run", tmp_path / "w" / "weights.pth"
    )
    with pytest.raises(UserError, match=r"weights.pth have changed: SHA-256 .* recorded in weights.json"):
        run_job(job)


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    torch.save(build_model("resnet34", 5, seed=1).state_dict(), tmp_path / "w.pth")
    job = Job(
        "run", RunSettings(init="w"), tiny_store(tmp_path / "data"), tmp_path / "run", tmp_path / "w.pth"
    )
    with pytest.raises(UserError, match=r"do not fit resnet18: the file holds resnet34; give"):
        run_job(job)


# From the command line to a trained run


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scalestudy", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_run_from_a_published_file_has_its_backbone_and_a_new_head(tmp_path: Path) -> None:
    torch.manual_seed(7)
    published = torchvision.models.resnet18().state_dict()  # 1,000 classes, as IMAGENET1K_V1 has
    torch.save(published, tmp_path / "made.pth")
    name = f"resnet18-{hashlib.sha256((tmp_path / 'made.pth').read_bytes()).hexdigest()[:8]}.pth"
    tiny_store(tmp_path / "data")
    output = f"weights/{Path(name).stem}"
    with serving(tmp_path / "made.pth") as server:
        fetched = command(tmp_path, "fetch-weights", "--url", server.url("whole", name), "--output", output)
    assert fetched.returncode == 0, fetched.stderr
    # A learning rate that changes no number: what is saved in the end is what training began with.
    recipe = [
        "--init",
        "IMAGENET1K_V1",
        "--lr",
        "1e-30",
        "--epochs",
        "1",
        "--batch-size",
        "16",
        "--precision",
        "float32",
    ]
    trained = command(
        tmp_path,
        "train",
        *recipe,
        "--data",
        "data",
        "--weights",
        f"{output}/weights.pth",
        "--save-weights",
        "--output",
        "run",
    )
    assert trained.returncode == 0, trained.stderr
    assert "head re-initialised: fc (3, 512)" in trained.stdout
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["weights"]["sha256"] == hashlib.sha256((tmp_path / "made.pth").read_bytes()).hexdigest()
    assert (record["weights"]["name"], record["weights"]["source"]) == (
        Path(name).stem,
        server.url("whole", name),
    )

    after = torch.load(tmp_path / "run" / "weights.pth", weights_only=True)
    fresh = build_model("resnet18", 3, seed=0).state_dict()
    for key, value in after.items():
        if key.startswith("fc."):
            assert torch.equal(value, fresh[key])
        elif "running_" not in key and "num_batches" not in key:
            assert torch.allclose(value, published[key], rtol=0, atol=1e-20), key


def test_training_never_opens_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    job = Job("run", RunSettings(epochs=1, batch_size=16), tiny_store(tmp_path / "data"), tmp_path / "run")
    assert run_job(job) == 0
    missing = Job(
        "b", RunSettings(init="IMAGENET1K_V1"), tmp_path / "data", tmp_path / "b", tmp_path / "no.pth"
    )
    with pytest.raises(UserError, match=r"no weights at .*no.pth"):
        run_job(missing)


@pytest.mark.parametrize(("task", "classes"), [("labels", 3), ("rotation", 4)])
def test_an_upstream_stage_gives_weights_that_a_run_starts_from(
    tmp_path: Path, task: str, classes: int
) -> None:
    data, upstream = str(tiny_store(tmp_path / "data")), tmp_path / "weights" / f"up_resnet18-{task}"
    recipe = ["--epochs", "1", "--batch-size", "16", "--data", data, "--precision", "float32"]

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    run("pretrain", "--task", task, "--output", str(upstream), *recipe)
    record = json.loads((upstream / "weights.json").read_text())
    assert record["source"] == f"upstream stage: {task} of data"
    assert record["sha256"] == hashlib.sha256((upstream / "weights.pth").read_bytes()).hexdigest()
    assert load_weights(upstream / "weights.pth")["fc.weight"].shape == (classes, 512)

    weights = ["--init", "up", "--weights", str(upstream / "weights.pth")]
    said = run(
        "train", *recipe, *weights, "--lr", "1e-30", "--save-weights", "--output", str(tmp_path / "run")
    )
    assert "head re-initialised: fc (3, 512)" in said
    after, before = load_weights(tmp_path / "run" / "weights.pth"), load_weights(upstream / "weights.pth")
    assert torch.allclose(after["conv1.weight"], before["conv1.weight"], rtol=0, atol=1e-20)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["weights"]["sha256"] == record["sha256"]


def test_training_never_overwrites_or_deletes_weights_that_it_did_not_write(tmp_path: Path) -> None:
    data, own = str(tiny_store(tmp_path / "data")), tmp_path / "own"
    own.mkdir()
    torch.save(build_model("resnet18", 3, seed=1).state_dict(), own / "weights.pth")
    before = (own / "weights.pth").read_bytes()
    recipe = ["train", "--epochs", "1", "--batch-size", "16", "--data", data, "--precision", "float32"]
    own_weights = ["--init", "own", "--weights", str(own / "weights.pth")]
    for flags in (own_weights, [*own_weights, "--save-weights"]):
        done = CliRunner().invoke(app, [*recipe, *flags, "--output", str(own)])
        assert isinstance(done.exception, UserError)
        assert "the initial weights lie there, as weights.pth; choose another folder" in str(done.exception)
    done = CliRunner().invoke(app, [*recipe, "--output", str(own)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (own / "run.json").is_file()
    assert (own / "weights.pth").read_bytes() == before


def test_weights_and_init_go_together_and_a_fetch_needs_one_origin(tmp_path: Path) -> None:
    for arguments, words in (
        (
            ["train", "--init", "IMAGENET1K_V1"],
            "--init IMAGENET1K_V1 needs the file of these weights: add --weights",
        ),
        (["train", "--weights", "w.pth"], "--weights w.pth needs a name for these weights: add --init NAME"),
        (["fetch-weights", "--output", str(tmp_path)], "either --url, or --file with --sha256"),
    ):
        done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, UserError)
        assert words in str(done.exception)
