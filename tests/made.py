"""Studies made up in memory, in milliseconds: for tests of findings and sentences that need no files.

`synthetic.write_synthetic_study` makes the same with all files, for tests of what reads and draws them.
"""

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import RECIPE, WEIGHTS

from scalestudy.findings.load import Collected, Predictions, Run
from scalestudy.findings.study import Study
from scalestudy.topics.findings import Findings, find_all

Settings = dict[str, Any]
PARAMETERS = {"resnet18": 11_181_642.0, "resnet34": 21_289_802.0, "resnet50": 23_528_522.0}


@dataclass(frozen=True)
class MadeCollected(Collected):
    """A collected study whose predictions are in memory."""

    saved: Mapping[str, Predictions]

    def predictions(self, run: Run) -> Predictions | None:
        """Return a run's predictions."""
        return self.saved.get(run.name)


def answers(
    settings: Settings, last: float, *, images: int = 400, classes: int = 10, sure: float = 0.0
) -> Predictions:
    """Return predictions of an even test set: hard images are so for every seed, confidence lies `sure` above."""
    rng = np.random.default_rng(zlib.crc32(repr(sorted(settings.items(), key=str)).encode()))
    labels = np.arange(images) % classes
    difficulty = np.random.default_rng(1).random(images) + 0.3 * rng.random(images)
    predictions = labels.copy()
    wrong = np.argsort(difficulty)[round(last * images) :]
    predictions[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
    confidence = np.clip(last + sure + 0.05 * rng.standard_normal(images), 1 / classes + 0.01, 0.999)
    probabilities = np.repeat(((1 - confidence) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(images), predictions] = confidence
    return Predictions(labels, predictions, probabilities.astype(np.float32))


def made_study(
    result: Callable[[Settings], float],
    *,
    models: Sequence[str] = ("resnet18", "resnet50"),
    inits: Sequence[str] = ("none", "glyphs"),
    fractions: Sequence[str] = ("1/16", "1/2", "1"),
    seeds: Sequence[int] | Callable[[Settings], Sequence[int]] = (0, 1, 2),
    recipes: Sequence[Settings] = ({},),
    missing: Callable[[Settings], bool] = lambda settings: False,
    gap: Callable[[Settings], float] = lambda settings: 0.1,
    curve: Callable[[Settings, float], Sequence[float]] | None = None,
    validation: Callable[[Settings], float] | None = None,
    predictions: Callable[[Settings, float], Predictions] | None = None,
    references: Sequence[Mapping[str, Any]] = (),
    train_images: int = 50_000,
    test_images: int = 10_000,
    weights: Mapping[str, Any] = WEIGHTS,
    titles: Sequence[str] = (),
    more: Callable[[Settings], Mapping[str, float]] = lambda settings: {},
) -> Study:
    """Return a collected study whose last test accuracies are `result(settings)`.

    Models, initial weights and fractions are crossed under each of `recipes` (settings that differ from the
    base). `seeds` may depend on a cell's settings; a run for which `missing` says so has no result. `curve`
    gives the test accuracy of each epoch from the settings and the last one; five epochs that climb in even
    steps from a tenth if left out. Training accuracy lies `gap` above test accuracy.
    `validation` gives the accuracy on held-out images, which no run has if left out,
    `predictions` a run's predictions from its settings and its accuracy, which then follows from them,
    `references` are tables of reported numbers as study.json has them. `titles` make an experiment of each recipe.
    `more` gives numbers of a run that are others, or not there at all.
    """
    runs, curves, saved = [], {}, {}
    experiments = {f"e{place}": {"title": title, "runs": []} for place, title in enumerate(titles)}
    for recipe, model, init, fraction in itertools.product(recipes, models, inits, fractions):
        cell = {**RECIPE, "dataset": "made", "model": model, "init": init, "fraction": fraction, **recipe}
        for seed in seeds(cell) if callable(seeds) else seeds:
            settings: Settings = {**cell, "seed": seed, "subset_seed": 0}
            name = "_".join(
                str(each) for each in (model, init, fraction.replace("/", "of"), *recipe.values(), seed)
            )
            if titles:
                experiments[f"e{recipes.index(recipe)}"]["runs"].append(name)
            if missing(settings):
                runs.append(_run(name, settings, {}, "missing", "not run yet"))
                continue
            last, images = result(settings), round(Fraction(fraction) * train_images)
            if predictions is not None:
                saved[name] = predictions(settings, last)
                last = float(saved[name].correct.mean())
            tests = list(curve(settings, last)) if curve else list(np.linspace(0.1, last, 5))
            steps = -(-images // settings["batch_size"]) * len(tests)
            curves[name] = _curve(tests, gap(settings), steps)
            values = _values(settings, last, gap(settings), images, steps, test_images)
            if validation is not None:
                values["validation_accuracy"] = validation(settings)
            runs.append(_run(name, settings, {**values, **more(settings)}))
    return Study(
        MadeCollected(
            folder=Path("/nowhere/results/made"),
            study={
                "study": "made",
                "dataset": {"name": "made", "path": "data/made", "title": "Made-up images"},
                "recipe": {key: value for key, value in RECIPE.items() if key not in recipes[0]} | recipes[0],
                "weights": {init: weights.get(init, {"title": init}) for init in inits if init != "none"},
                "references": list(references),
                "experiments": experiments,
                "runs": [{"run": run.name, "settings": dict(run.settings)} for run in runs],
            },
            runs=tuple(runs),
            curves=curves,
            dataset={
                "train_images": train_images,
                "test_images": test_images,
                "test_counts": [test_images // 10] * 10,
            },
            saved=saved,
        )
    )


def made_findings(result: Callable[[Settings], float], **options: Any) -> Findings:
    """Return the findings of a study made up in memory; options as `made_study` takes them."""
    return find_all(made_study(result, **options))


def _run(
    name: str, settings: Settings, values: Mapping[str, float], state: Any = "complete", reason: str = ""
) -> Run:
    return Run(
        name=name,
        state=state,
        reason=reason,
        settings=settings,
        experiments=("baseline",),
        log=f"logs/{name}.log",
        values=values,
        text={"device": "cpu", "device_name": "Made-up CPU", "precision": "float32"},
    )


def _values(
    settings: Settings, last: float, gap: float, images: int, steps: int, test_images: int
) -> dict[str, float]:
    seconds = steps * settings["batch_size"] / 900
    return {
        "train_images": float(images),
        "test_images": float(test_images),
        "optimizer_steps": float(steps),
        "images_seen": float(images * settings["epochs"]),
        "batches_per_epoch": steps / settings["epochs"],
        "parameters": PARAMETERS.get(settings["model"], 5e6),
        "features": 512.0,
        "test_accuracy": last,
        "test_loss": 2.5 * (1 - last),
        "train_accuracy": last + gap,
        "train_loss": 2.5 * (1 - last - gap),
        "train_eval_accuracy": last + gap,
        "train_eval_loss": 2.5 * (1 - last - gap),
        "train_seconds": seconds,
        "total_seconds": seconds + 3,
        "images_per_second": 900.0,
        "peak_memory_mb": 900.0,
        "threads": 1.0,
    }


def _curve(tests: Sequence[float], gap: float, steps: int) -> dict[str, np.ndarray]:
    accuracy, epochs = np.asarray(tests, dtype=np.float64), len(tests)
    return {
        "epoch": np.arange(1.0, epochs + 1),
        "step": np.round(steps * np.arange(1.0, epochs + 1) / epochs),
        "lr": np.full(epochs, 1e-3),
        "test_accuracy": accuracy,
        "test_loss": 2.5 * (1 - accuracy),
        "train_accuracy": accuracy + gap,
        "train_loss": 2.5 * (1 - accuracy - gap),
    }
