"""A planned run as though it had been trained: all its files, whole, without a second of training."""

from pathlib import Path

import numpy as np

from scalestudy.files import write_json
from scalestudy.results.record import (
    Normalization,
    RecordedDataset,
    RecordedModel,
    RecordedSettings,
    RecordedWeights,
    RunRecord,
    Subset,
    write_run,
)
from scalestudy.study.paths import run_folder
from scalestudy.study.runs import Run

TEST_IMAGES = 40


def finish(
    study: str,
    run: Run,
    root: Path = Path(),
    *,
    dataset_sha256: str = "d" * 64,
    weights_sha256: str = "e" * 64,
    accuracy: float = 0.75,
) -> Path:
    """Write the files of a finished run; return its folder. `accuracy` times 40 is a whole number."""
    epochs = run.settings.epochs
    record = RunRecord(
        run=run.name,
        status="complete",
        settings=RecordedSettings(**run.settings.model_dump(), dataset=run.dataset),
        subset=Subset(images=90, sha256="5" * 64, counts=[30, 30, 30]),
        dataset=RecordedDataset(
            name=run.dataset,
            sha256=dataset_sha256,
            classes=["a", "b", "c"],
            train_images=1438,
            test_images=TEST_IMAGES,
        ),
        weights=RecordedWeights(name=run.weights.name, sha256=weights_sha256, source="made up")
        if run.weights
        else None,
        model=RecordedModel(parameters=11_000_000, features=512, head="fc"),
        batches_per_epoch=3,
        steps=3 * epochs,
        images_seen=90 * epochs,
        test_images=TEST_IMAGES,
        fingerprint={"settings": "", "device": "cpu", "precision": "float32", "threads": "1"},
        diverged=None,
        device="cpu",
        device_name="a processor",
        precision="float32",
        threads=1,
        normalization=Normalization(name=run.normalization, mean=[0.5] * 3, std=[0.2] * 3),
        resumed_from=[],
        train_seconds=10.0,
        total_seconds=12.0,
        peak_memory_mb=900.0,
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:01:00+00:00",
        final_weights_sha256="f" * 64,
        versions={
            "scalestudy": "0.1.0",
            "torch": "2.14.1",
            "torchvision": "0.29.1",
            "numpy": "2.0",
            "python": "3.11.7",
        },
        platform="Linux",
        hostname="made up",
        git_commit=None,
        command="scalestudy train",
    )
    rows = []
    for epoch in range(1, epochs + 1):
        row = {
            "epoch": epoch,
            "step": 3 * epoch,
            "lr": run.settings.lr,
            "seconds": 1.0,
            "images_per_second": 90.0,
        }
        row |= {"train_loss": 1.0, "train_accuracy": 0.5, "test_loss": 1.0, "test_accuracy": accuracy}
        if epoch == epochs:
            row |= {"train_eval_loss": 0.9, "train_eval_accuracy": 0.8}
        rows.append(row)
    labels = np.arange(TEST_IMAGES) % 3
    predictions = np.where(np.arange(TEST_IMAGES) < round(accuracy * TEST_IMAGES), labels, (labels + 1) % 3)
    probabilities = np.full((TEST_IMAGES, 3), 0.05)
    probabilities[np.arange(TEST_IMAGES), predictions] = 0.9
    folder = root / run_folder(study, run.name)
    write_run(folder, record, rows, labels, predictions, probabilities)
    now = {"elapsed": 12.0, "updated": "2026-01-01T00:01:00+00:00", "pid": 1, "host": "made up"}
    known = {"epoch": epochs, "epochs": epochs, "test_accuracy": accuracy}
    write_json(folder / "status.json", {"state": "complete", **known, **now})
    return folder
