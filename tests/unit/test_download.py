"""A published file comes whole and checked, or not at all, whatever its host does or lies there already."""

import hashlib
import threading
import time
from pathlib import Path

import pytest
from file_server import FileServer, serving

from scalestudy.data import download
from scalestudy.data.download import Checksum, Download
from scalestudy.errors import UserError

CONTENT = b"the published file " * 500
MD5 = Checksum("md5", hashlib.md5(CONTENT).hexdigest())
SHA256 = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest()[:8])
ADVICE = "Set `mirror`"


def of(
    server: FileServer, behaviour: str, path: Path, checksum: Checksum = MD5, timeout: float = 5
) -> Download:
    return Download(server.url(behaviour, path.name), checksum, path, timeout, ADVICE)


def refusal(wanted: Download) -> str:
    with pytest.raises(UserError) as caught:
        wanted.ensure()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("checksum", [MD5, SHA256], ids=["md5", "sha256"])
@pytest.mark.parametrize("behaviour", ["whole", "unsized", "moved"])
def test_a_file_that_comes_whole_is_put_in_place_under_its_name(
    tmp_path: Path, behaviour: str, checksum: Checksum
) -> None:
    path = tmp_path / "new" / "file.tgz"
    with serving(CONTENT) as server:
        found = of(server, behaviour, path, checksum).ensure()
    assert path.read_bytes() == CONTENT
    assert found == hashlib.new(checksum.algorithm, CONTENT).hexdigest()
    assert [each.name for each in path.parent.iterdir() if not each.name.endswith(".lock")] == ["file.tgz"]


@pytest.mark.parametrize("checksum", [MD5, SHA256], ids=["md5", "sha256"])
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("cut", "cut after 4,750 of 9,500 bytes"),
        ("wrong", "what came has the checksum"),
        ("slow", "not done in 0.6 s"),
        ("silent", "no answer for 0.6 s"),
        ("gone", "HTTP 404"),
    ],
)
def test_a_file_that_does_not_come_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, behaviour: str, words: str, checksum: Checksum
) -> None:
    path = tmp_path / "file.tgz"
    began = time.monotonic()
    with serving(CONTENT) as server:
        wanted = of(server, behaviour, path, checksum, timeout=0.6)
        message = refusal(wanted)
    assert time.monotonic() - began < 5
    for part in (words, wanted.url, str(checksum), str(tmp_path), ADVICE):
        assert part in message
    assert [each.name for each in tmp_path.iterdir() if not each.name.endswith(".lock")] == []


def test_a_host_that_nobody_listens_at_is_given_up_at_once(tmp_path: Path) -> None:
    message = refusal(Download("http://127.0.0.1:9/x.tgz", MD5, tmp_path / "x.tgz", 600, ADVICE))
    assert "http://127.0.0.1:9/x.tgz" in message
    assert "refused" in message


def test_a_host_that_cuts_off_without_a_length_is_found_out_by_the_checksum(tmp_path: Path) -> None:
    with serving(CONTENT[:4000]) as server:
        assert "what came has the checksum" in refusal(of(server, "unsized", tmp_path / "x"))


@pytest.mark.parametrize("checksum", [MD5, SHA256], ids=["md5", "sha256"])
def test_the_right_file_in_place_needs_no_network(tmp_path: Path, checksum: Checksum) -> None:
    path = tmp_path / "file.tgz"
    path.write_bytes(CONTENT)
    Download("http://127.0.0.1:9/x.tgz", checksum, path, 5, ADVICE).ensure()
    assert list(tmp_path.iterdir()) == [path]  # not even a lock: the folder may be read-only


@pytest.mark.parametrize("there", [CONTENT[:100], b"", b"x\n"], ids=["cut", "empty", "other"])
def test_a_wrong_file_in_place_gives_way_to_a_fresh_one_and_is_named(
    tmp_path: Path, there: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.tgz"
    path.write_bytes(there)
    with serving(CONTENT) as server:
        of(server, "whole", path).ensure()
    assert path.read_bytes() == CONTENT
    assert path.with_name("file.tgz.rejected").read_bytes() == there
    said = capsys.readouterr().err
    assert f"{path} is not the published file" in said
    assert MD5.digits in said
    assert hashlib.md5(there).hexdigest() in said


@pytest.mark.parametrize("behaviour", ["gone", "cut", "wrong"])
def test_a_wrong_file_stays_where_no_fresh_one_can_be_had_and_both_checksums_are_named(
    tmp_path: Path, behaviour: str
) -> None:
    path = tmp_path / "file.tgz"
    path.write_bytes(b"x")
    with serving(CONTENT) as server:
        message = refusal(of(server, behaviour, path))
    assert path.read_bytes() == b"x"
    for part in (str(path), f"expected {MD5}", f"found {hashlib.md5(b'x').hexdigest()}"):
        assert part in message


def test_many_at_once_fetch_it_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def fetch() -> None:
        try:
            of(server, "whole", tmp_path / "file.tgz").ensure()
        except BaseException as error:
            failures.append(error)

    with serving(CONTENT) as server:
        threads = [threading.Thread(target=fetch) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 1
    assert failures == []


def test_a_folder_in_its_place_and_a_place_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file.tgz").mkdir()
    (tmp_path / "text").write_text("no folder")
    with serving(CONTENT) as server:
        assert "is a folder" in refusal(of(server, "whole", tmp_path / "file.tgz"))
        message = refusal(of(server, "whole", tmp_path / "text" / "file.tgz"))
    assert f"{tmp_path}/text/file.tgz cannot be written" in message


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Download, target: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.Download, "_fetch", full)
    assert "No space left on device" in refusal(Download("http://x", MD5, tmp_path / "x", 5, ADVICE))


def test_a_checksum_of_which_only_the_first_digits_are_known_says_so() -> None:
    assert str(SHA256) == f"SHA-256 {SHA256.digits}..."
    assert str(MD5) == f"MD5 {MD5.digits}"
