"""From the settings of a dataset to its store on disk."""

from importlib import import_module
from pathlib import Path

from scalestudy.data.copies import Copies, Place, find_copies
from scalestudy.data.origin import note_origin, scan
from scalestudy.data.progress import say
from scalestudy.data.sources import Written
from scalestudy.data.store import Labels, Split, StoreWriter
from scalestudy.errors import UserError
from scalestudy.study.dataset import DatasetSettings

_LISTED = 100  # images with different labels that dataset.json names
_SAID = 3  # and a sentence about them


def prepare_dataset(settings: DatasetSettings, image_size: int, folder: Path) -> None:
    """Write the store of a dataset to `folder`, complete or not at all.

    The same settings and images give the same bytes, dataset.json included. Raises UserError for data that
    cannot be had or read.
    """
    record = folder / "dataset.json"
    if record.exists() and not any(folder.glob("*_images.npy")):  # somebody's own file of that name
        raise UserError(
            f"{record} is there without a prepared dataset beside it; choose another folder, or delete that file"
        )
    source = import_module(f"scalestudy.data.sources.{settings.module}")
    images = getattr(settings, "folder", None)
    before = scan(images) if images else {}
    with StoreWriter(folder, image_size) as writer:
        written: Written = source.write(settings, image_size, writer)
        labels = writer.labels()
        copies = find_copies(writer.prints(), labels)
        written.notes += _copy_notes(written, copies, labels)
        summary = {
            "modes": {"RGB": writer.count("train") + writer.count("test")},
            "ignored": [],
            "bad_files": {"per_class": {}, "files": []},
            **written.summary,
            "duplicates_across_splits": len(copies.across),
            "copies": {
                "across_splits": len(copies.across),
                "within_train": copies.within_train,
                "with_other_labels": len(copies.conflicts),
                "conflicts": [_labelled(written, each, labels) for each in copies.conflicts[:_LISTED]],
            },
            "notes": written.notes,
        }
        own = {"source": settings.source, "settings": settings.identity()}
        if images:
            note_origin(writer.partial, images, before)
        info = writer.publish(written.classes, own, summary)
    for note in written.notes:
        say(f"note: {note}")
    for name, train, test in zip(info["classes"], info["train_counts"], info["test_counts"], strict=True):
        say(f"  {name}: {train:,} training, {test:,} test images")
    say(f"{folder}: {info['train_images']:,} training and {info['test_images']:,} test images, ready")


def _copy_notes(written: Written, copies: Copies, labels: dict[Split, Labels]) -> list[str]:
    """Return the sentences about images that are there more than once."""
    notes = []
    if copies.across:
        train, test = copies.across[0]
        notes.append(
            f"test images that are in the training set too, pixel for pixel: {len(copies.across):,}; the first: "
            f"{written.name_of('test', test)} is {written.name_of('train', train)}"
        )
    if copies.conflicts:
        listed = "; ".join(_labelled(written, each, labels) for each in copies.conflicts[:_SAID])
        more = "; ..." if len(copies.conflicts) > _SAID else ""
        notes.append(
            f"images with copies of another label, so that one is wrong: {len(copies.conflicts):,}; {listed}{more}"
        )
    return notes


def _labelled(written: Written, places: list[Place], labels: dict[Split, Labels]) -> str:
    """Return the copies of one image by name, each with its class."""
    names = [
        f"{written.name_of(split, index)} ({written.classes[labels[split][index]]})"
        for split, index in places
    ]
    return " = ".join(names)
