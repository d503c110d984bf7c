"""From the settings of a dataset to its store on disk."""

from importlib import import_module
from pathlib import Path

from scalestudy.data.progress import say
from scalestudy.data.sources import Written
from scalestudy.data.store import StoreWriter
from scalestudy.study.dataset import DatasetSettings


def prepare_dataset(settings: DatasetSettings, image_size: int, folder: Path) -> None:
    """Write the store of a dataset to `folder`, complete or not at all.

    The same settings and images give the same bytes, dataset.json included. Raises UserError for data that
    cannot be had or read.
    """
    source = import_module(f"scalestudy.data.sources.{settings.module}")
    with StoreWriter(folder, image_size) as writer:
        written: Written = source.write(settings, image_size, writer)
        shared = writer.shared_images()
        if shared:
            written.notes.append(_shared_note(written, shared))
        summary = {
            "modes": {"RGB": writer.count("train") + writer.count("test")},
            "ignored": [],
            "bad_files": {"per_class": {}, "files": []},
            **written.summary,
            "duplicates_across_splits": len(shared),
            "notes": written.notes,
        }
        own = {"source": settings.source, "settings": settings.identity()}
        info = writer.publish(written.classes, own, summary)
    for note in written.notes:
        say(f"note: {note}")
    for name, train, test in zip(info["classes"], info["train_counts"], info["test_counts"], strict=True):
        say(f"  {name}: {train:,} training, {test:,} test images")
    say(f"{folder}: {info['train_images']:,} training and {info['test_images']:,} test images, ready")


def _shared_note(written: Written, shared: list[tuple[int, int]]) -> str:
    train, test = shared[0]
    return (
        f"{len(shared)} test images are in the training set too, pixel for pixel; the first: "
        f"{written.name_of('test', test)} is {written.name_of('train', train)}"
    )
