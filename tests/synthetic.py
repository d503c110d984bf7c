"""Finished studies made up in a second: the files of real runs, for tests of collect, analysis and report.

Everything agrees with everything else: the last test accuracy of `metrics.csv` is the one of
`predictions.npz`, subset counts add up to the subset's size, steps follow from batch size and epochs, and
`study.json` lists every run.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from scalestudy.files import read_json
from scalestudy.results.collect import collect
from scalestudy.results.record import (
    Divergence,
    Normalization,
    RecordedDataset,
    RecordedModel,
    RecordedSettings,
    RecordedWeights,
    RunRecord,
    Subset,
    write_run,
)
from scalestudy.study.budget import batches_per_epoch, images_in_steps

Settings = dict[str, Any]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PARAMETERS = {"resnet18": (11_181_642, 512), "resnet34": (21_289_802, 512), "resnet50": (23_528_522, 2048)}
RECIPE: Settings = {
    "image_size": 32,
    "optimizer": "adam",
    "lr": 0.001,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "batch_size": 32,
    "epochs": 5,
    "steps": None,
    "schedule": "constant",
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "augmentation": "none",
    "stem": "imagenet",
    "validation": "0",
}
WEIGHTS = {
    "glyphs": {"title": "rendered letters and digits", "source": "upstream stage"},
    "IMAGENET1K_V1": {"title": "ImageNet-1k V1", "source": "torchvision"},
}


def default_accuracy(settings: Settings) -> float:
    """Return a plausible last test accuracy: more data and weights help; seeds scatter a little."""
    fraction = float(Fraction(settings["fraction"]))
    error: float = 0.35 * fraction**-0.25
    error *= 0.7 if settings["init"] != "none" else 1.0
    error *= 1.1 if settings["model"] == "resnet50" else 1.0
    error *= 1 + 0.02 * math.log2(settings["batch_size"] / 32)
    error *= 0.95 if settings["dropout"] else 1.0
    error *= 1.15 if settings["optimizer"] == "sgd" else 1.0
    error += 0.006 * math.sin(int(hashlib.sha256(repr(settings).encode()).hexdigest()[:6], 16))
    return min(max(1.0 - error, 0.1), 0.99)


def default_train_accuracy(settings: Settings, test_accuracy: float) -> float:
    """Return a last training accuracy above the test accuracy, more so on little data."""
    return min(1.0, test_accuracy + 0.25 - 0.15 * float(Fraction(settings["fraction"])))


def write_synthetic_study(
    root: Path,
    *,
    study: str = "synthetic",
    title: str = "A synthetic study",
    models: Sequence[str] = ("resnet18", "resnet50"),
    inits: Sequence[str] = ("none", "glyphs"),
    fractions: Sequence[str] = ("1/16", "1/2", "1"),
    seeds: Sequence[int] = (0,),
    epochs: int = 5,
    classes: Sequence[str] = DIGITS,
    train_images: int = 640,
    test_images: int = 400,
    recipe: Mapping[str, Any] | None = None,
    extra: Mapping[str, Mapping[str, Sequence[Any]]] | None = None,
    broken: Mapping[str, str] | None = None,
    accuracy: Callable[[Settings], float] = default_accuracy,
    train_accuracy: Callable[[Settings, float], float] = default_train_accuracy,
    references: Sequence[Mapping[str, Any]] = (),
    store: bool = True,
) -> Path:
    """Write a whole study below `root` and return its folder `root/results/<study>`.

    The experiment "baseline" crosses `models`, `inits`, `fractions` and `seeds` under the recipe.
    `extra` adds experiments, each crossing the same with its own axes, e.g.
    `{"batch sizes": {"batch_size": [32, 64, 128, 256]}, "sgd": {"optimizer": ["sgd"], "lr": [0.1]}}`;
    an axis may also replace `model`, `init`, `fraction` or `seed`. Runs met twice are planned once.
    `recipe` changes base settings, e.g. `{"validation": "1/10", "schedule": "cosine"}`.

    `broken` maps the beginning of run names (as `run_name` makes them, e.g. "resnet50_none_f1of2_") to a
    state: "failed", "diverged", "missing", "half" (the last line of metrics.csv is cut), "empty" (0-byte
    metrics.csv), "running".

    `accuracy(settings)` gives the last test accuracy (rounded to whole images), so that a test can feed
    opposite results; `train_accuracy(settings, test_accuracy)` the last training accuracy.
    Without `store` no data folder is written (its hash and classes still stand in each run.json).
    """
    base = {**RECIPE, "epochs": epochs, **(recipe or {})}
    labels = np.arange(test_images, dtype=np.int64) % len(classes)
    dataset = _dataset_info(root, classes, train_images, test_images, labels, base["image_size"], write=store)

    common: dict[str, Sequence[Any]] = {"model": models, "init": inits, "fraction": fractions, "seed": seeds}
    experiments: dict[str, dict[str, Any]] = {"baseline": {"title": "Base recipe", "axes": common}}
    for name, axes in (extra or {}).items():
        experiments[name] = {"title": name, "axes": {**common, **axes}}

    runs: dict[str, dict[str, Any]] = {}
    resolved: dict[str, Any] = {}
    for name, experiment in experiments.items():
        axes = experiment["axes"]
        names = []
        for values in itertools.product(*axes.values()):
            settings = _settings(base, dict(zip(axes, values, strict=True)), dataset["name"])
            run = run_name(settings)
            weights = (
                None if settings["init"] == "none" else f"{settings['init']}_{settings['model']}-0a1b2c3d"
            )
            runs.setdefault(run, {"run": run, "settings": settings, "weights": weights, "experiments": []})
            runs[run]["experiments"].append(name)
            names.append(run)
        resolved[name] = {
            "title": experiment["title"],
            "axes": {axis: list(values) for axis, values in axes.items()},
            "runs": names,
        }

    folder = root / "results" / study
    for planned in runs.values():
        planned["log"] = f"results/{study}/logs/train/{planned['run']}.log"
        planned["command"] = f"scalestudy train --run {planned['run']}"
        state = next(
            (s for start, s in (broken or {}).items() if planned["run"].startswith(start)), "complete"
        )
        _write_run(folder, planned, state, dataset, labels, accuracy, train_accuracy)

    write_json(
        folder / "study.json",
        {
            "schema": 1,
            "study": study,
            "title": title,
            "description": "Made up for a test.",
            "dataset": {
                "name": dataset["name"],
                "path": f"data/{dataset['name']}",
                "title": "Made-up digits",
                "source": "synthetic",
                "image_size": base["image_size"],
            },
            "recipe": base,
            "weights": {
                init: WEIGHTS.get(init, {"title": init, "source": "synthetic"})
                for init in dict.fromkeys(planned["settings"]["init"] for planned in runs.values())
                if init != "none"
            },
            "experiments": resolved,
            "references": [dict(reference) for reference in references],
            "runs": list(runs.values()),
        },
    )
    return folder


def collected(root: Path, **options: Any) -> Path:
    """Write a whole study below `root`, collect it, and return its folder."""
    folder = write_synthetic_study(root, **options)
    study = read_json(folder / "study.json")
    return collect(study, study["runs"], root)


def run_name(settings: Settings) -> str:
    """Return the name of a synthetic run: readable and unique over its settings."""
    readable = (
        f"{settings['model']}_{settings['init']}_f{settings['fraction'].replace('/', 'of')}"
        f"_{settings['optimizer']}_lr{settings['lr']:g}_b{settings['batch_size']}_s{settings['seed']}"
    )
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:6]
    return f"{readable}-{digest}"


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _settings(base: Settings, point: Settings, dataset: str) -> Settings:
    """Return every setting of a run."""
    settings = {"model": "", "init": "", "dataset": dataset, "fraction": "1", "subset_seed": 0, "seed": 0}
    settings.update(base)
    settings.update(point)
    return settings


def _dataset_info(
    root: Path,
    classes: Sequence[str],
    train_images: int,
    test_images: int,
    test_labels: np.ndarray,
    size: int,
    *,
    write: bool,
) -> dict[str, Any]:
    """Return dataset.json's content; write the store below `root/data` where asked."""
    rng = np.random.default_rng(7)
    train_labels = np.arange(train_images, dtype=np.int64) % len(classes)

    def images(labels: np.ndarray) -> np.ndarray:
        colour = rng.integers(40, 216, (len(classes), 1, 1, 3))
        noise = rng.integers(-40, 40, (len(labels), size, size, 3))
        pixels: np.ndarray = (colour[labels] + noise).astype(np.uint8)
        return pixels

    arrays = {"train_labels": train_labels, "test_labels": test_labels}
    if write:
        arrays |= {"train_images": images(train_labels), "test_images": images(test_labels)}
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(array.tobytes())
    mean, std = [0.5, 0.5, 0.5], [0.2, 0.2, 0.2]
    if write:
        pixels = arrays["train_images"][:1000].reshape(-1, 3) / 255.0
        mean, std = pixels.mean(axis=0).round(4).tolist(), pixels.std(axis=0).round(4).tolist()
    info = {
        "name": f"synthetic_{size}-{digest.hexdigest()[:6]}",
        "source": "synthetic",
        "settings": {},
        "image_size": size,
        "classes": list(classes),
        "train_images": train_images,
        "test_images": test_images,
        "train_counts": np.bincount(train_labels, minlength=len(classes)).tolist(),
        "test_counts": np.bincount(test_labels, minlength=len(classes)).tolist(),
        "mean": mean,
        "std": std,
        "sha256": digest.hexdigest(),
        "summary": {"modes": {"RGB": train_images + test_images}, "notes": []},
    }
    if write:
        folder = root / "data" / info["name"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        write_json(folder / "dataset.json", info)
    return info


def _write_run(
    folder: Path,
    planned: Mapping[str, Any],
    state: str,
    dataset: Mapping[str, Any],
    labels: np.ndarray,
    accuracy: Callable[[Settings], float],
    train_accuracy: Callable[[Settings, float], float],
) -> None:
    """Write the folder of one run in the given state, as a training job does."""
    settings, name = planned["settings"], planned["run"]
    run_dir = folder / "runs" / name
    log = folder / "logs" / "train" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if state == "missing":
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    log.write_text(f"{name}: {state}\n", encoding="utf-8")
    status = {
        "state": "complete" if state in ("half", "empty") else state,
        "reason": "out of memory on cpu: 3 GB asked, 1 GB free" if state == "failed" else "",
        "kind": "oom" if state == "failed" else "",
        "epoch": settings["epochs"] if state == "complete" else 2,
        "epochs": settings["epochs"],
        "train_accuracy": 0.5,
        "test_accuracy": 0.4,
        "seconds_left": 0,
        "pid": 1,
        "host": "synthetic",
        "updated": "2026-01-01T00:10:00Z",
    }
    write_json(run_dir / "status.json", status)
    if state in ("failed", "running"):
        return

    count = len(dataset["classes"])
    held = _round(Fraction(settings["validation"]) * dataset["train_images"])
    size = _round(Fraction(settings["fraction"]) * (dataset["train_images"] - held))
    batches = batches_per_epoch(size, settings["batch_size"])
    epochs = settings["epochs"]
    steps = settings["steps"] or batches * epochs
    correct = round(accuracy(settings) * len(labels))
    last = correct / len(labels)
    last_train = round(train_accuracy(settings, last) * size) / size
    rate = {"resnet18": 900.0}.get(settings["model"], 330.0)
    seconds = round(steps / epochs * settings["batch_size"] / rate, 3)

    rows = []
    for epoch in range(1, epochs + 1):
        share = (1 - 0.5**epoch) / (1 - 0.5**epochs)
        test = round((1 / count + (last - 1 / count) * share) * len(labels)) / len(labels)
        train = round((1 / count + (last_train - 1 / count) * share) * size) / size
        row = {
            **{"epoch": epoch, "step": round(steps * epoch / epochs), "lr": settings["lr"]},
            **{"train_loss": round(2.5 * (1 - train), 6), "train_accuracy": train},
            **{"test_loss": round(2.5 * (1 - test), 6), "test_accuracy": test},
            **{"seconds": seconds, "images_per_second": rate},
        }
        if held:
            row |= {"validation_loss": row["test_loss"], "validation_accuracy": round(test * held) / held}
        if epoch == epochs:
            row |= {"train_eval_loss": row["train_loss"], "train_eval_accuracy": train}
        rows.append(row)
    taken = steps
    if state == "diverged":
        rows, taken, labels, correct = rows[:1], batches + 1, labels[:0], 0
    parameters, features = PARAMETERS.get(settings["model"], (5_000_000, 1024))
    record = RunRecord(
        run=name,
        status="diverged" if state == "diverged" else "complete",
        settings=RecordedSettings.model_validate(settings),
        subset=Subset(
            images=size,
            sha256=hashlib.sha256(f"{size}{settings['subset_seed']}".encode()).hexdigest(),
            counts=np.bincount(np.arange(size) % count, minlength=count).tolist(),
        ),
        dataset=RecordedDataset.model_validate(dataset),
        weights=None
        if settings["init"] == "none"
        else RecordedWeights(name=settings["init"], sha256="0" * 64, source="synthetic"),
        model=RecordedModel(parameters=parameters, features=features, head="fc"),
        batches_per_epoch=batches,
        steps=taken,
        images_seen=images_in_steps(taken, settings["batch_size"], size),
        test_images=dataset["test_images"],
        fingerprint={"settings": name[-6:], "device": "cpu", "precision": "float32", "threads": "1"},
        diverged=Divergence(epoch=2, step=batches + 1) if state == "diverged" else None,
        device="cpu",
        device_name="Synthetic CPU",
        precision="float32",
        threads=1,
        normalization=Normalization(name="dataset", mean=dataset["mean"], std=dataset["std"]),
        resumed_from=[],
        train_seconds=round(seconds * epochs, 3),
        total_seconds=round(seconds * epochs + 3.0, 3),
        peak_memory_mb=900.0 if settings["model"] == "resnet18" else 1800.0,
        started="2026-01-01T00:00:00Z",
        ended="2026-01-01T00:10:00Z",
        final_weights_sha256=hashlib.sha256(name.encode()).hexdigest(),
        versions={
            "scalestudy": "0.1.0",
            "torch": "2.14.1",
            "torchvision": "0.29.1",
            "python": "3.11.7",
            "numpy": "2.0.0",
        },
        platform="Linux",
        hostname="synthetic",
        git_commit="0" * 40,
        command=planned["command"],
    )
    write_run(run_dir, record, rows, labels, *_predictions(name, labels, correct, count))
    if state in ("half", "empty"):
        text = (run_dir / "metrics.csv").read_text(encoding="utf-8")
        kept = text[: text.rindex(",", 0, text.rindex(",")) - 3] if state == "half" else ""
        (run_dir / "metrics.csv").write_text(kept, encoding="utf-8")


def _predictions(name: str, labels: np.ndarray, correct: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of which exactly `correct` are right, and probabilities; easy images are so for every run."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
    difficulty = np.random.default_rng(3).random(len(labels)) + 0.3 * rng.random(len(labels))
    order = np.argsort(difficulty, kind="stable")
    predictions = labels.copy()
    wrong = order[correct:]
    predictions[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
    confidence = rng.uniform(0.6, 0.99, len(labels))
    probabilities = np.repeat(((1 - confidence) / max(classes - 1, 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(labels)), predictions] = confidence
    return predictions, probabilities


def _round(value: Fraction) -> int:
    """Return `value` rounded to the nearest whole number, halves up."""
    return math.floor(value + Fraction(1, 2))
