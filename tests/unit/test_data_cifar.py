"""CIFAR's archives: published constants, images in their order, mirrors, wrong archives, and memory."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torchvision
from cifar_archives import made_up_archive
from file_server import serving

from scalestudy.data.prepare import prepare_dataset
from scalestudy.data.sources import cifar
from scalestudy.data.sources.cifar import PUBLISHED, Published
from scalestudy.data.store import Store
from scalestudy.errors import UserError
from scalestudy.study.dataset import parse_dataset

NOWHERE = "http://127.0.0.1:9/x.tgz"


def prepared(
    monkeypatch: pytest.MonkeyPatch, output: Path, published: Published, size: int = 32, **settings: object
) -> Store:
    source = "cifar100" if "100" in published.base else "cifar10"
    monkeypatch.setitem(cifar.PUBLISHED, source, published)
    prepare_dataset(parse_dataset({"source": source, **settings}), size, output)
    return Store.open(output)


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scalestudy", "prepare", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("source", "theirs"),
    [("cifar10", torchvision.datasets.CIFAR10), ("cifar100", torchvision.datasets.CIFAR100)],
)
def test_url_and_md5_are_those_of_torchvision(
    source: str, theirs: type[torchvision.datasets.CIFAR10]
) -> None:
    ours = PUBLISHED[source]
    assert (ours.url, ours.md5, ours.base) == (theirs.url, theirs.tgz_md5, theirs.base_folder)
    assert ours.train == tuple(name for name, _ in theirs.train_list)
    assert ours.test == tuple(name for name, _ in theirs.test_list)
    assert (ours.meta, ours.names_key) == (theirs.meta["filename"], theirs.meta["key"])


@pytest.mark.parametrize("source", ["cifar10", "cifar100"])
def test_an_archive_gives_the_images_and_labels_that_torchvision_reads_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    published = made_up_archive(tmp_path / "archive.tgz", source)
    store = prepared(monkeypatch, tmp_path / "set", published, archive=str(tmp_path / "archive.tgz"))

    theirs = {"cifar10": torchvision.datasets.CIFAR10, "cifar100": torchvision.datasets.CIFAR100}[source]
    monkeypatch.setattr(theirs, "_check_integrity", lambda self: True)
    with cifar._unpacked(tmp_path / "archive.tgz", published, tmp_path) as folder:
        (tmp_path / "root").mkdir()
        folder.rename(tmp_path / "root" / published.base)
        monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
        for train in (True, False):
            expected = theirs(tmp_path / "root", train=train)
            images, labels = (
                (store.train_images, store.train_labels) if train else (store.test_images, store.test_labels)
            )
            assert np.array_equal(images, expected.data)
            assert labels.tolist() == expected.targets
        assert store.info["classes"] == expected.classes
        (tmp_path / "root" / published.base).rename(folder)


def test_another_image_size_is_resized_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = made_up_archive(tmp_path / "archive.tgz")
    archive = str(tmp_path / "archive.tgz")
    assert prepared(monkeypatch, tmp_path / "s", published, 48, archive=archive).train_images.shape == (
        60,
        48,
        48,
        3,
    )


def test_a_mirror_serves_the_archive_and_it_is_kept_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    published = made_up_archive(tmp_path / "made.tgz")
    with serving(tmp_path / "made.tgz") as server:
        prepared(monkeypatch, tmp_path / "set", published, mirror=server.url("whole", "x.tgz"))
        assert server.requests == ["/whole/x.tgz"]
    again = prepared(monkeypatch, tmp_path / "x" / "set", published, mirror=NOWHERE)
    assert again.info == Store.open(tmp_path / "set").info
    assert (tmp_path / "data" / "downloads" / "cifar-10-python.tar.gz").is_file()


def test_several_preparations_at_once_fetch_the_archive_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = made_up_archive(tmp_path / "made.tgz")
    monkeypatch.setitem(cifar.PUBLISHED, "cifar10", published)
    with serving(tmp_path / "made.tgz") as server:
        settings = parse_dataset(
            {"source": "cifar10", "archive": str(tmp_path / "a.tgz"), "mirror": server.url("whole", "a.tgz")}
        )
        threads = [
            threading.Thread(target=prepare_dataset, args=(settings, 32, tmp_path / f"set{number}"))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 1
    assert len({Store.open(tmp_path / f"set{number}").info["sha256"] for number in range(4)}) == 1


def test_a_host_that_is_down_is_named_with_md5_folder_and_the_key_to_set(tmp_path: Path) -> None:
    done = command("--source", "cifar10", "--mirror", NOWHERE, "--output", "data/set", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for part in (NOWHERE, "MD5 c58f30108f718f92721af3b95e74349a", "target folder data/downloads", "`mirror`"):
        assert part in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "set").exists()


def test_a_cut_archive_in_place_is_never_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole.tgz"
    published = made_up_archive(whole)
    cut = tmp_path / "cifar.tgz"
    cut.write_bytes(whole.read_bytes()[:1000])
    with pytest.raises(
        UserError, match=rf"{cut} is not the published file \(expected MD5 {published.md5}, found"
    ):
        prepared(monkeypatch, tmp_path / "set", published, archive=str(cut), mirror=NOWHERE)
    assert not (tmp_path / "set").exists()
    with serving(whole) as server:
        store = prepared(
            monkeypatch, tmp_path / "set", published, archive=str(cut), mirror=server.url("whole", "x")
        )
    assert store.info["train_images"] == 60
    assert cut.read_bytes() == whole.read_bytes()


def test_a_mirror_with_another_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_archive(tmp_path / "other.tgz", images=11)
    published = made_up_archive(tmp_path / "made.tgz")
    with (
        serving(tmp_path / "other.tgz") as server,
        pytest.raises(UserError, match="what came has the checksum"),
    ):
        prepared(
            monkeypatch,
            tmp_path / "set",
            published,
            archive=str(tmp_path / "a.tgz"),
            mirror=server.url("whole", "x"),
        )
    assert not (tmp_path / "a.tgz").exists()


def test_an_archive_that_lacks_a_batch_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = made_up_archive(tmp_path / "archive.tgz", base="elsewhere")
    with pytest.raises(UserError, match=r"archive.tgz lacks cifar-10-batches-py/data_batch_1"):
        prepared(monkeypatch, tmp_path / "set", published, archive=str(tmp_path / "archive.tgz"))


def test_a_wrong_number_of_classes_stops_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = made_up_archive(tmp_path / "archive.tgz")
    with pytest.raises(UserError, match=r"num_classes says 2, and the data have 10 \(class 0, class 1, "):
        prepared(
            monkeypatch, tmp_path / "set", published, archive=str(tmp_path / "archive.tgz"), num_classes=2
        )
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory is read from /proc")
def test_sixty_thousand_images_are_prepared_in_less_memory_than_twice_the_store(tmp_path: Path) -> None:
    published = made_up_archive(tmp_path / "archive.tgz", images=10_000)
    code = (
        "import sys; from dataclasses import replace; from pathlib import Path\n"
        "from scalestudy.data.sources import cifar; from scalestudy.cli import main\n"
        "cifar.PUBLISHED['cifar10'] = replace(cifar.PUBLISHED['cifar10'], md5=sys.argv.pop())\n"
        "try: main()\n"
        "finally: print(Path('/proc/self/status').read_text())\n"
    )
    arguments = [
        "prepare",
        "--source",
        "cifar10",
        "--archive",
        "archive.tgz",
        "--output",
        "set",
        published.md5,
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    store = Store.open(tmp_path / "set")
    assert store.train_images.shape == (50_000, 32, 32, 3)
    assert store.test_images.shape == (10_000, 32, 32, 3)
    size = sum(file.stat().st_size for file in (tmp_path / "set").iterdir())
    assert 184_000_000 < size < 186_000_000
    peak = 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)[0])
    print(f"peak {peak / 1e6:.0f} MB, store {size / 1e6:.0f} MB")
    assert peak < 2 * size
