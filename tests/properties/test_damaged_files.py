"""Whatever happens to the files of a finished run: no number is read from them that was not written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import collected

from scalestudy.results.read import RunResult, read_run

FILES = ("metrics.csv", "run.json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished run."""
    root = tmp_path_factory.mktemp("study")
    folder = collected(root, models=("resnet18",), fractions=("1",), inits=("none",))
    (found,) = (folder / "runs").iterdir()
    return found


@pytest.fixture(scope="module")
def undamaged(run: Path) -> RunResult:
    result = read_run(run)
    assert result.state == "complete"
    return result


def assert_nothing_is_made_up(run: Path, undamaged: RunResult, damaged: dict[str, bytes]) -> None:
    """Read the run with these contents in the place of its files."""
    before = {name: (run / name).read_bytes() for name in damaged}
    try:
        for name, content in damaged.items():
            (run / name).write_bytes(content)
        result = read_run(run)
    finally:
        for name, content in before.items():
            (run / name).write_bytes(content)
    if result.state == "complete":
        assert result.metrics == undamaged.metrics
    else:
        assert result.metrics == []
        assert result.state == "failed"
        assert result.reason
        assert "\n" not in result.reason


@pytest.mark.parametrize("name", FILES)
@given(where=st.floats(0, 1))
def test_a_file_cut_anywhere(run: Path, undamaged: RunResult, name: str, where: float) -> None:
    content = (run / name).read_bytes()
    assert_nothing_is_made_up(run, undamaged, {name: content[: int(where * len(content))]})


@pytest.mark.parametrize("name", FILES)
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_byte_that_became_another(
    run: Path, undamaged: RunResult, name: str, where: float, byte: int
) -> None:
    content = bytearray((run / name).read_bytes())
    content[int(where * len(content))] = byte
    assert_nothing_is_made_up(run, undamaged, {name: bytes(content)})


CHANGES: dict[str, Callable[[list[bytes], int, int], list[bytes]]] = {
    "a line is missing": lambda lines, a, b: lines[:a] + lines[a + 1 :],
    "a line is there twice": lambda lines, a, b: [*lines[: a + 1], *lines[a:]],
    "two lines changed places": lambda lines, a, b: [
        lines[b if n == a else a if n == b else n] for n in range(len(lines))
    ],
    "everything is there twice": lambda lines, a, b: lines * 2,
    "the header came again": lambda lines, a, b: [*lines[: a + 1], lines[0], *lines[a + 1 :]],
    "a line is empty": lambda lines, a, b: [*lines[:a], b"\n", *lines[a:]],
    "commas became semicolons": lambda lines, a, b: [each.replace(b",", b";") for each in lines],
    "points became commas": lambda lines, a, b: [each.replace(b".", b",") for each in lines],
    "points are gone": lambda lines, a, b: [each.replace(b".", b"") for each in lines],
    "a decimal place moved": lambda lines, a, b: [
        *lines[:a],
        lines[a].replace(b"0.", b"", 1),
        *lines[a + 1 :],
    ],
    "a spreadsheet wrote Windows lines": lambda lines, a, b: [each.replace(b"\n", b"\r\n") for each in lines],
    "a mark of the byte order came first": lambda lines, a, b: [b"\xef\xbb\xbf" + lines[0], *lines[1:]],
}


@pytest.mark.parametrize("change", CHANGES)
@given(first=st.integers(0, 5), second=st.integers(0, 5))
def test_lines_of_the_metrics_changed(
    run: Path, undamaged: RunResult, change: str, first: int, second: int
) -> None:
    lines = (run / "metrics.csv").read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    changed = b"".join(CHANGES[change](lines, first, second))
    assert_nothing_is_made_up(run, undamaged, {"metrics.csv": changed})


@given(st.binary(max_size=300))
def test_anything_at_all_in_the_place_of_the_files(run: Path, undamaged: RunResult, content: bytes) -> None:
    for name in FILES:
        assert_nothing_is_made_up(run, undamaged, {name: content})
    assert_nothing_is_made_up(run, undamaged, dict.fromkeys(FILES, content))
