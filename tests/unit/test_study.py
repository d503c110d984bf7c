"""A study's YAML: what it may say, what it means, and what is said when it is wrong."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from scalestudy.errors import UserError
from scalestudy.study.config import SCHEMA_FILE, Study, json_schema, load_study
from scalestudy.study.names import short_hash
from scalestudy.study.runs import plan_runs
from scalestudy.study.settings import RunSettings
from scalestudy.workflow.commands import settings_flags, train_command

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def write(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_the_quickstart_has_twelve_models_six_from_the_upstream_stage_with_three_seeds_each() -> None:
    runs = plan_runs(load_study("quickstart"))
    assert len(runs) == 12 * 3
    assert {run.settings.seed for run in runs} == {0, 1, 2}
    assert sum(run.settings.init == "glyphs" for run in runs) == 6 * 3
    assert {str(run.settings.fraction) for run in runs} == {"1/16", "1/2", "1"}
    assert len({run.weights.name for run in runs if run.weights}) == 2


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda file: file.stem)
def test_each_shipped_study_is_valid_and_fits_its_json_schema(file: Path) -> None:
    assert plan_runs(load_study(file.stem))
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), json.loads(json_schema()))


def test_the_checked_in_json_schema_is_the_one_that_the_models_generate() -> None:
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == json_schema(), (
        "the schema has drifted: run `scalestudy schema --output config/study.schema.json`"
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"recipe: {{{each}}}"
            for each in (
                "fraction: 2",
                "fraction: 0",
                "lr: 0",
                "image_size: 2048",
                "dropout: 1",
                "batch_size: 0.5",
            )
        ),
        *(
            "recipe: {fraction: [1, 2]}",
            "compute: {threads: 0}",
            "experiments: {a: {overrides: {epochs: 0}}}",
        ),
        *("weights: {w: {upstream: {recipe: {early_stopping: 3}}}}", "recipe: {optimizer: adma}"),
    ],
)
def test_what_is_refused_an_editor_marks_by_the_schema(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError):
        plan_runs(load_study(write(tmp_path, f"dataset: digits\n{text}\n")))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(f"dataset: digits\n{text}\n"), json.loads(json_schema()))


def test_one_spelling_of_a_value_is_one_run_whatever_the_file_says(tmp_path: Path) -> None:
    spec = write(tmp_path, "dataset: digits\nrecipe: {lr: [0.0001, 1e-4, 1e-5], fraction: [1, 1.0, 0.10]}\n")
    runs = plan_runs(load_study(spec))
    assert len(runs) == 4
    assert {run.settings.lr for run in runs} == {1e-4, 1e-5}


@pytest.mark.parametrize(
    ("override", "in_the_file"),
    [({"lr": "1e-4"}, "1e-4"), ({"lr": 1e-4}, "1.0e-4"), ({"lr": ["1e-4", "1e-3"]}, "[1e-4, 0.001]")],
)
def test_an_override_means_what_the_same_line_in_the_file_means(
    tmp_path: Path, override: dict[str, object], in_the_file: str
) -> None:
    plain = write(tmp_path, "dataset: digits\n")
    overridden = load_study(plain, {**override, "name": Path(plain).stem})
    assert load_study(write(tmp_path, f"dataset: digits\nrecipe: {{lr: {in_the_file}}}\n")) == overridden


def test_overrides_that_make_other_runs_make_another_study_by_name_in_any_order_and_spelling() -> None:
    small = load_study("quickstart", {"fraction": "1/16", "epochs": 1})
    assert small.name == "quickstart_fraction-1of16_epochs-1"
    assert load_study("quickstart", {"epochs": "1", "fraction": [0.0625]}) == small
    assert load_study("quickstart", {"epochs": 1, "name": "mine"}).name == "mine"
    many = load_study(
        "quickstart", {"lr": ["1e-4", 0.1, 0.2], "model": ["resnet18", "resnet34", "resnet50", "vgg11"]}
    )
    assert re.fullmatch(r"quickstart_[0-9a-f]{8}", many.name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"augmentation": "crop+erasing"}, {"augmentation": ["crop", "erasing"]}),
        ({"init": "ä"}, {"init": "ö"}),
        ({"init": "a-b"}, {"init": ["a", "b"]}),
        ({"dataset": "huggingface:a/b"}, {"dataset": "huggingface:a-b"}),
    ],
)
def test_overrides_that_differ_make_studies_of_different_names(
    tmp_path: Path, one: dict[str, object], other: dict[str, object]
) -> None:
    weights = ", ".join(
        f"{each}: {{upstream: {{dataset: glyphs, recipe: {{epochs: 1}}}}}}"
        for each in ("ä", "ö", "a", "b", "a-b")
    )
    spec = write(tmp_path, f"dataset: digits\nweights: {{{weights}}}\n")
    assert len({load_study(spec, each).name for each in (one, other)}) == 2


def test_a_single_setting_wins_over_a_whole_part_in_whatever_order_and_neither_is_changed() -> None:
    part = {"lr": "1e-2", "image_size": 16}
    orders = [{"epochs": 1, "recipe": part}, {"recipe": part, "epochs": 1}]
    assert {load_study("quickstart", each).recipe["epochs"] for each in orders} == {(1,)}
    experiments = {"one": {"grid": {"fraction": ["1/2", "1"]}}}
    runs = plan_runs(load_study("quickstart", {"fraction": "1/16", "experiments": experiments}))
    assert {str(run.settings.fraction) for run in runs} == {"1/16"}
    assert experiments == {"one": {"grid": {"fraction": ["1/2", "1"]}}}


def test_an_empty_name_is_none() -> None:
    assert load_study("quickstart", {"name": None}).name == "quickstart"
    assert load_study("quickstart", {"name": None, "epochs": 1}).name == "quickstart_epochs-1"


@pytest.mark.parametrize("part", ["recipe: adam", "experiments: [a, b]", "compute: cpu"])
def test_a_part_that_is_no_mapping_is_one_line_with_an_override_too(tmp_path: Path, part: str) -> None:
    spec = write(tmp_path, f"dataset: digits\n{part}\n")
    for override in ({}, {"epochs": 1}, {"threads": 2}):
        with pytest.raises(UserError, match=part.partition(":")[0]):
            load_study(spec, override)


@pytest.mark.parametrize("override", [{}, {"threads": 2}, {"lr": "0.002"}, {"title": "Another"}])
def test_overrides_that_change_no_run_leave_the_study_what_it_is(override: dict[str, object]) -> None:
    assert load_study("quickstart", override).name == "quickstart"


def test_an_override_wins_over_the_grids_of_experiments_too() -> None:
    runs = plan_runs(load_study("quickstart", {"model": "resnet18", "fraction": "1/2"}))
    assert {(run.settings.model, str(run.settings.fraction)) for run in runs} == {("resnet18", "1/2")}


def test_runs_that_coincide_are_planned_once_and_belong_to_each_experiment(tmp_path: Path) -> None:
    spec = write(
        tmp_path,
        "dataset: digits\nexperiments:\n  a: {grid: {batch_size: [32, 64]}}\n  b: {overrides: {batch_size: 64}}\n",
    )
    runs = plan_runs(load_study(spec))
    assert [run.experiments for run in runs] == [("a",), ("a", "b")]


def test_a_setting_in_both_grid_and_overrides_is_refused_and_not_silently_one_value(tmp_path: Path) -> None:
    spec = write(
        tmp_path, "dataset: digits\nexperiments:\n  a: {grid: {lr: [0.1, 0.2]}, overrides: {lr: 0.3}}\n"
    )
    with pytest.raises(
        UserError, match=r"experiments\.a: lr: in both `grid` and `overrides`; take it out of one"
    ):
        load_study(spec)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("schedule: onecycle, warmup: 5", ": warmup: the schedule 'onecycle' rises by itself"),
        (
            "lr: [1, 2]",
            ".lr: one value is needed here; for several, give each a name of its own under `weights`",
        ),
        ("init: none", ".init: an upstream stage begins from scratch; take the key out"),
        ("validation: 1/10", ".validation: an upstream stage holds no images out; take the key out"),
        ("early_stopping: 3", ".early_stopping: an upstream stage holds no images out; take the key out"),
        ("batch_size: 1", ": batch_size 1 with 32 x 32 images"),
    ],
)
def test_an_impossible_recipe_of_an_upstream_stage_is_refused_before_any_job(
    tmp_path: Path, recipe: str, words: str
) -> None:
    upstream = f"{{upstream: {{dataset: glyphs, recipe: {{{recipe}}}}}}}"
    spec = write(tmp_path, f"dataset: digits\nweights: {{g: {upstream}}}\nrecipe: {{init: g}}\n")
    with pytest.raises(UserError) as caught:
        plan_runs(load_study(spec))
    assert f"weights.g.upstream.recipe{words}" in str(caught.value)


def test_momentum_does_not_tell_runs_apart_that_do_not_use_it(tmp_path: Path) -> None:
    spec = write(tmp_path, "dataset: digits\nrecipe: {optimizer: [adam, sgd], momentum: [0.9, 0.5]}\n")
    assert len(plan_runs(load_study(spec))) == 3


@pytest.mark.parametrize(
    ("recipe", "runs"),
    [
        ("fraction: [1/2, 1], seed: [0, 1], subset_seed: [0, 1]", 6),  # all images: nothing is drawn
        ("fraction: 1, subset_seed: [0, 1], validation: 1/5", 2),  # but the images that are held out are
        ("init: IMAGENET1K_V1, conv_init: [stock, identity]", 1),
        ("init: IMAGENET1K_V1, freeze: [none, backbone], norm_bias_lr: [1, 2], backbone_lr: [1, 0.5]", 5),
    ],
)
def test_what_changes_nothing_does_not_tell_runs_apart(tmp_path: Path, recipe: str, runs: int) -> None:
    """Copies of one training under several names would count as independent runs, and give noise a verdict."""
    spec = write(tmp_path, f"dataset: digits\nrecipe: {{{recipe}}}\n")
    assert len(plan_runs(load_study(spec))) == runs


PLAIN = (
    "dataset: digits\nrecipe: {model: [resnet18, resnet50], fraction: [1/16, 1], epochs: 5, batch_size: 32}\n"
)


def test_names_are_readable_and_never_change(tmp_path: Path) -> None:
    names = [run.name for run in plan_runs(load_study(write(tmp_path, PLAIN)))]
    assert names[0] == "resnet18_none_f1of16_adam_lr1e-3_b32_s0-af6cc2a1"
    assert names[-1].startswith("resnet50_none_f1_adam_lr1e-3_b32_s0-")


def test_a_new_setting_changes_neither_commands_nor_checkpoints_of_runs_that_leave_it_alone(
    tmp_path: Path,
) -> None:
    study = load_study(write(tmp_path, PLAIN))
    run = plan_runs(study)[0]
    assert train_command(study, run).split(" --data ")[0] == (
        "--model resnet18 --init none --image-size 32 --fraction 1/16 --subset-seed 0 --seed 0 --optimizer adam "
        "--lr 1e-3 --momentum 0.9 --weight-decay 0 --batch-size 32 --epochs 5 --schedule constant --dropout 0 "
        "--label-smoothing 0 --augmentation none --stem imagenet --validation 0"
    )
    assert short_hash(RunSettings().lasting()) == "e8237e21"
    changed = RunSettings(optimizer="sgd", nesterov=True, mixup=0.2)
    assert {"nesterov": True, "mixup": 0.2}.items() <= changed.lasting().items()
    flags = settings_flags(changed)
    assert (
        RunSettings.model_validate(
            {flag[2:].replace("-", "_"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
        )
        == changed
    )


# What a setting needs beside it to have an effect.
BESIDE: dict[str, dict[str, object]] = {
    "momentum": {"optimizer": "sgd"},
    "nesterov": {"optimizer": "sgd"},
    "averaging_decay": {"averaging": "ema"},
    "early_stopping": {"validation": "1/5"},
    "subset_seed": {"fraction": "1/2"},
}


@pytest.mark.parametrize("key", [key for key in RunSettings.model_fields if key != "init"])
def test_each_setting_of_a_run_changes_its_name(tmp_path: Path, key: str) -> None:
    other = {
        "model": "resnet34", "image_size": 64, "fraction": "1/2", "subset_seed": 1, "seed": 1, "optimizer": "sgd",
        "lr": 0.5, "weight_decay": 0.1, "batch_size": 8, "epochs": 2, "steps": 7, "schedule": "cosine", "dropout": 0.2,
        "label_smoothing": 0.1, "augmentation": "flip", "stem": "cifar", "validation": "1/5",
        "backbone_lr": 0.5, "norm_bias_lr": 2, "momentum": 0.5, "nesterov": True, "clip_norm": 1, "warmup": 5,
        "freeze": "backbone", "mixup": 0.2, "cutmix": 1, "averaging": "ema", "averaging_decay": 0.5, "tta": "flip",
        "early_stopping": 3, "conv_init": "identity",
    }[key]  # fmt: skip
    spec, beside = write(tmp_path, "dataset: digits\n"), BESIDE.get(key, {})
    (before,), (after,) = (plan_runs(load_study(spec, {**beside, **more})) for more in ({}, {key: other}))
    assert before.name != after.name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dataset: digits\nrecipe: {lr: 1e--4}\n", ["mine.yaml", "lr", "'1e--4'", "not a number"]),
        ("dataset: digits\nrecipe: {lrr: 1}\n", ["mine.yaml", "lrr", "unknown key", "'lr'"]),
        ("dataset: digits\nrecipes: {}\n", ["mine.yaml", "recipes", "unknown key", "'recipe'"]),
        ("dataset: digitts\n", ["mine.yaml", "digitts", "'digits'"]),
        ("dataset: digits\nrecipe: {model: resnet19}\n", ["resnet19", "'resnet18'"]),
        ("dataset: digits\nrecipe: {init: imagenet1k_v1}\n", ["imagenet1k_v1", "'IMAGENET1K_V1'"]),
        ("dataset: digits\nrecipe: {fraction: 0}\n", ["mine.yaml", "fraction", "0", "greater than 0"]),
        (
            "dataset: digits\nrecipe: {fraction: 3/2}\n",
            ["mine.yaml", "fraction", "3/2", "less than or equal to 1"],
        ),
        ("dataset: digits\nrecipe: {batch_size: 0}\n", ["mine.yaml", "batch_size", "0"]),
        ("dataset: digits\nrecipe: {batch_size: 1}\n", ["batch_size 1", "2 or more"]),
        ("dataset: digits\nrecipe: {model: []}\n", ["mine.yaml", "model", "at least one"]),
        ("dataset: digits\nrecipe: {optimizer: adm}\n", ["mine.yaml", "optimizer", "'adm'", "adam"]),
        ("dataset: digits\nrecipe: {lr: 1, lr: 2}\n", ["mine.yaml", "'lr'", "twice"]),
        (
            "dataset: digits\nskip_impossible: perhaps\n",
            ["mine.yaml", "skip_impossible", "neither true nor false"],
        ),
        ("[1, 2]\n", ["mine.yaml", "mapping"]),
        ("dataset: {source: digits\n", ["mine.yaml", "not valid YAML"]),
        ("recipe: {}\n", ["mine.yaml", "dataset", "needed"]),
        ("dataset: digits\nrecipe: {steps: 3, epochs: 5}\n", ["steps", "3", "5"]),
    ],
)
def test_bad_input_gets_one_line_that_names_key_value_and_what_to_do(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        plan_runs(load_study(write(tmp_path, text)))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_an_unknown_study_names_the_nearest_one() -> None:
    with pytest.raises(UserError, match=r"quickstrat.*did you mean 'quickstart'"):
        load_study("quickstrat")


def test_impossible_pairs_are_refused_or_left_out_as_the_study_says(tmp_path: Path) -> None:
    text = "dataset: digits\nrecipe: {model: [resnet18, resnet50], init: [none, IMAGENET1K_V2]}\n"
    with pytest.raises(UserError, match=r"'resnet18' has no weights 'IMAGENET1K_V2'.*skip_impossible"):
        plan_runs(load_study(write(tmp_path, text)))
    kept = plan_runs(load_study(write(tmp_path, text + "skip_impossible: true\n")))
    assert {(run.settings.model, run.settings.init) for run in kept} == {
        ("resnet18", "none"), ("resnet50", "none"), ("resnet50", "IMAGENET1K_V2")
    }  # fmt: skip


def test_a_study_with_no_possible_run_says_so(tmp_path: Path) -> None:
    text = "dataset: digits\nskip_impossible: true\nrecipe: {init: IMAGENET1K_V2}\n"
    with pytest.raises(UserError, match="no runs"):
        plan_runs(load_study(write(tmp_path, text)))


def test_published_weights_keep_imagenets_input_statistics(tmp_path: Path) -> None:
    text = "dataset: digits\nnormalization: dataset\nrecipe: {init: [none, IMAGENET1K_V1]}\n"
    runs = plan_runs(load_study(write(tmp_path, text)))
    assert [run.normalization for run in runs] == ["dataset", "imagenet"]


def test_a_study_is_frozen() -> None:
    study = load_study("quickstart")
    assert isinstance(study, Study)
    with pytest.raises(ValueError, match="frozen"):
        study.title = "other"  # type: ignore[misc]
