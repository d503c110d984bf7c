"""What a run may name is registered once: schema, help, messages, estimates and training follow from the entry."""

import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny import tiny_store

from scalestudy.errors import UserError
from scalestudy.files import read_json
from scalestudy.study.faults import describe
from scalestudy.study.registries import OPTIMIZERS, REGISTRIES, SCHEDULES, load, title_of
from scalestudy.study.settings import RunSettings
from scalestudy.training.augmentation import Draw, augment
from scalestudy.training.examples import Examples, Normalize
from scalestudy.training.loop import Training, predict
from scalestudy.training.models import build_model
from scalestudy.training.recipe import make_optimizer, make_schedule

WITH_ONE_MORE_OPTIMIZER = """
import sys
from scalestudy.study.registries import OPTIMIZERS, Optimizer

OPTIMIZERS["radam"] = Optimizer(
    "RAdam", "Liu et al. 2020", "torch.optim:RAdam", copies=4, arguments={"betas": (0.8, 0.99)}
)
from scalestudy.cli import main

sys.argv[0] = "scalestudy"
main()
"""


def scalestudy(folder: Path, *arguments: str) -> str:
    """Run the command line with one more entry in the registry of optimizers; return what it says."""
    done = subprocess.run(
        [sys.executable, "-c", WITH_ONE_MORE_OPTIMIZER, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={"COLUMNS": "200", "PATH": "", "OMP_NUM_THREADS": "1", "SCALESTUDY_CACHE": str(folder / "cache")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_optimizer_is_one_entry_from_which_schema_help_plan_and_training_follow(tmp_path: Path) -> None:
    tiny_store(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("dataset: digits\nrecipe: {optimizer: [adam, radam], epochs: 1}\n")
    scalestudy(tmp_path, "schema", "--output", "schema.json")
    schema = (tmp_path / "schema.json").read_text()
    assert '"radam"' in schema
    assert "Liu et al. 2020" in schema
    assert "Liu et al. 2020" in " ".join(scalestudy(tmp_path, "train", "--help").replace("│", " ").split())
    assert "_radam_" in scalestudy(tmp_path, "plan", "mine.yaml", "--no-calibrate")
    train = ["--optimizer", "radam", "--epochs", "1", "--batch-size", "16"]
    scalestudy(tmp_path, "train", "--data", "data", "--output", "run", *train)
    assert read_json(tmp_path / "run" / "run.json")["settings"]["optimizer"] == "radam"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_built_by_its_own_class_with_the_settings_that_it_takes(name: str) -> None:
    settings = RunSettings(optimizer=name, lr=0.01, weight_decay=0.1, momentum=0.7)
    optimizer = make_optimizer(torch.nn.Linear(1, 1), settings)
    assert type(optimizer) is load(OPTIMIZERS[name].function)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.01, 0.1)
    assert group.get("momentum") == (0.7 if name == "sgd" else None)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_built_by_its_own_class_for_any_number_of_steps(name: str) -> None:
    for steps in (1, 2, 7):
        optimizer = make_optimizer(torch.nn.Linear(1, 1), RunSettings(optimizer="sgd"))
        schedule = make_schedule(optimizer, RunSettings(schedule=name), steps)
        assert type(schedule) is load(SCHEDULES[name].function)
        for _ in range(steps):
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("optimizer", "admaw", "did you mean 'adamw'"),
        ("schedule", "cosin", "did you mean 'cosine'"),
        ("augmentation", "crop+flips", "did you mean 'flip'"),
    ],
)
def test_a_name_that_is_not_registered_is_refused_with_the_nearest(key: str, value: str, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RunSettings.model_validate({key: value})
    (line,) = describe(caught.value, RunSettings)
    assert line.startswith(f"{key}: '{value.removeprefix('crop+')}' is not one of ")
    assert hint in line


def train_and_measure(key: str, name: str) -> None:
    """Take one step and measure with a setting that was not checked."""
    settings = RunSettings.model_construct(**{**dict(RunSettings(batch_size=2)), key: name})
    name = "resnet18" if settings.stem == "cifar" else "fastnet"
    build_model(name, 2, seed=0, stem=settings.stem, conv_init=settings.conv_init)
    images, cpu = np.zeros((2, 8, 8, 3), np.uint8), torch.device("cpu")
    examples = Examples(images, np.arange(2), np.arange(2), cpu)
    batch, labels = examples.batch(torch.arange(2))
    augment(batch, settings.augmentation, Draw.of(torch.arange(2), 0, 0, 0))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))
    training = Training.fresh(model, settings, 5, cpu, "float32")
    training.update(batch.float(), labels)
    predict(training.measured, examples, Normalize([0.5] * 3, [0.5] * 3, cpu), "float32", tta=settings.tta)


@pytest.mark.parametrize("key", REGISTRIES)
def test_what_is_registered_trains_and_is_measured(key: str) -> None:
    for name in REGISTRIES[key]:
        train_and_measure(key, name)


@pytest.mark.parametrize("key", REGISTRIES)
def test_what_is_not_registered_never_trains_as_something_else(key: str) -> None:
    with pytest.raises((KeyError, UserError), match="unheard-of"):
        train_and_measure(key, "unheard-of")


def test_help_and_schema_say_what_each_entry_is() -> None:
    properties = RunSettings.model_json_schema()["properties"]
    for key, registry in REGISTRIES.items():
        choices = properties[key].get("enum") or properties[key]["anyOf"][0]["enum"]
        assert set(registry) <= set(choices)
        for name, entry in registry.items():
            assert f"{name}: {entry.description}" in properties[key]["description"]


def test_every_entry_names_a_function_that_is_there() -> None:
    for registry in REGISTRIES.values():
        for entry in registry.values():
            assert callable(load(entry.function))


def test_settings_that_have_no_effect_do_not_tell_runs_apart() -> None:
    changed = RunSettings(optimizer="sgd", momentum=0.5)
    assert changed.canonical().momentum == 0.5
    for values in ({"optimizer": "adam"}, {"schedule": "onecycle"}):
        assert changed.model_copy(update=values).canonical().momentum == 0.9


def test_parts_of_an_augmentation_are_the_same_whatever_their_order_and_the_old_name_stays() -> None:
    spellings = ["flip+crop", "crop+flip", "crop_flip", "crop + flip"]
    assert {RunSettings(augmentation=each).augmentation for each in spellings} == {"crop_flip"}
    assert RunSettings(augmentation="erasing+crop_flip").augmentation == "crop_flip+erasing"
    schema = RunSettings.model_json_schema()["properties"]["augmentation"]
    for text in (*spellings[:3], "none", "erasing+crop_flip"):
        jsonschema.validate(text, schema)
    for wrong in ("flip+flip", "none+flip", "crop_flip+flip"):
        with pytest.raises(ValidationError, match="names a part twice, or `none` beside others"):
            RunSettings(augmentation=wrong)
    assert title_of("augmentation", "crop_flip") == "random crops and random flips"
