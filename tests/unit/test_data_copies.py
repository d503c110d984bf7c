"""Copies of images: across the splits, inside the training set, and those whose labels disagree."""

import json
from pathlib import Path

import numpy as np
from image_folders import fill
from typer.testing import CliRunner

from scalestudy.cli import app
from scalestudy.data.copies import Copies, find_copies
from scalestudy.data.store import Store


def copies(train: dict[int, int] | list[tuple[int, int]], test: list[tuple[int, int]]) -> Copies:
    """Return the copies among images given as (fingerprint, label)."""
    splits = {"train": list(train), "test": test}
    return find_copies(
        {split: np.array([print_ for print_, _ in each], dtype=np.uint64) for split, each in splits.items()},
        {split: np.array([label for _, label in each], dtype=np.int64) for split, each in splits.items()},
    )


def test_without_copies_there_is_nothing_to_say() -> None:
    assert copies([(1, 0), (2, 1)], [(3, 0)]) == Copies([], 0, [])


def test_each_test_image_is_matched_with_the_first_training_image_like_it() -> None:
    found = copies([(9, 0), (7, 1), (7, 1), (7, 1)], [(5, 0), (7, 1), (7, 1), (9, 0)])
    assert found.across == [(1, 1), (1, 2), (0, 3)]
    assert found.within_train == 2
    assert found.conflicts == []


def test_copies_inside_the_test_set_alone_are_not_shared() -> None:
    assert copies([(1, 0)], [(2, 0), (2, 0)]).across == []


def test_all_places_of_an_image_with_two_labels_are_named() -> None:
    found = copies([(1, 0), (2, 0), (2, 1), (3, 0)], [(3, 1), (2, 0), (4, 1), (4, 0)])
    assert found.conflicts == [
        [("train", 1), ("train", 2), ("test", 1)],
        [("train", 3), ("test", 0)],
        [("test", 2), ("test", 3)],
    ]


def test_a_loop_over_all_pairs_finds_the_same() -> None:
    chance = np.random.default_rng(0)
    for _ in range(20):
        train = [(int(a), int(b)) for a, b in chance.integers(0, [12, 3], (15, 2))]
        test = [(int(a), int(b)) for a, b in chance.integers(0, [12, 3], (9, 2))]
        found = copies(train, test)
        assert found.across == [
            (next(i for i, each in enumerate(train) if each[0] == image), index)
            for index, (image, _) in enumerate(test)
            if image in dict(train)
        ]
        assert found.within_train == len(train) - len(dict(train))
        labels: dict[int, set[int]] = {}
        for image, label in [*train, *test]:
            labels.setdefault(image, set()).add(label)
        assert len(found.conflicts) == sum(len(each) > 1 for each in labels.values())


def test_the_stores_record_counts_copies_and_names_those_with_different_labels(tmp_path: Path) -> None:
    root = fill(tmp_path / "imgs", train__a=3, train__b=3, test__a=2, test__b=2)

    def copy(source: str, target: str) -> None:
        (root / target).write_bytes((root / source).read_bytes())

    copy("train/a/000.png", "test/a/same.png")
    copy("train/a/001.png", "test/b/other.png")
    copy("train/b/000.png", "test/b/again.png")
    copy("train/a/002.png", "train/b/wrong.png")
    copy("train/b/001.png", "train/b/twice.png")
    flags = ["--source", "imagefolder", "--folder", str(root), "--image-size", "8"]
    done = CliRunner().invoke(app, ["prepare", *flags, "--output", str(tmp_path / "set")])
    assert done.exit_code == 0, done.output
    summary = Store.open(tmp_path / "set").info["summary"]
    assert summary["copies"] == {
        "across_splits": 3,
        "within_train": 2,
        "with_other_labels": 2,
        "conflicts": [
            "train/a/001.png (a) = test/b/other.png (b)",
            "train/a/002.png (a) = train/b/wrong.png (b)",
        ],
    }
    assert summary["duplicates_across_splits"] == 3
    notes = "\n".join(summary["notes"])
    assert "test images that are in the training set too, pixel for pixel: 3" in notes
    assert (
        "images with copies of another label, so that one is wrong: 2; train/a/001.png (a) = test/b/other.png (b); "
        "train/a/002.png (a) = train/b/wrong.png (b)"
    ) in notes
    assert notes in "\n".join(line.removeprefix("note: ") for line in done.output.splitlines())
    json.dumps(summary)
    said = [line for line in done.output.splitlines() if line.startswith("note: ")]
    assert len(set(said)) == len(said) == 2
