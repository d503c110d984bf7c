"""The order in which a study's jobs start: the longest first, known or not, so that no core idles at the end."""

from itertools import pairwise
from pathlib import Path

import pytest
from image_folders import fill

from scalestudy.study.config import Compute
from scalestudy.study.settings import RunSettings
from scalestudy.workflow import plan as planning
from scalestudy.workflow.estimate import Speed, Speeds, estimate, relative_costs, speed_key
from scalestudy.workflow.plan import Plan

RECIPE = "recipe: {model: [resnet18, resnet50], fraction: [1/16, 1/2, 1], epochs: 1, batch_size: 8}\n"
PICTURES = "dataset: {source: imagefolder, folder: pictures}\n" + RECIPE
LONGEST_FIRST = [
    ("resnet50", "1"),
    ("resnet50", "1/2"),
    ("resnet18", "1"),
    ("resnet18", "1/2"),
    ("resnet50", "1/16"),
    ("resnet18", "1/16"),
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with no speeds measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALESTUDY_CACHE", str(tmp_path / "cache"))


def plan_of(study: str) -> Plan:
    Path("mine.yaml").write_text(study)
    return Plan({"study": "mine.yaml"})


def order(plan: Plan) -> list[tuple[str, str]]:
    """Return model and fraction of each run in the order in which they start."""
    names = sorted(plan.runs, key=plan.priority, reverse=True)
    settings = [plan.runs[name].settings for name in names]
    return [(each.model, str(each.fraction)) for each in settings]


def test_runs_on_a_folder_that_is_not_prepared_yet_start_longest_first() -> None:
    fill(Path("pictures"), train__cat=400, train__dog=400, test__cat=10, test__dog=10)
    plan = plan_of(PICTURES)
    assert order(plan)[0] == ("resnet50", "1")
    assert order(plan)[-1] == ("resnet18", "1/16")
    priorities = sorted(map(plan.priority, plan.runs), reverse=True)
    assert all(before > after for before, after in pairwise(priorities))


def test_runs_on_data_of_unknown_size_start_longest_first() -> None:
    plan = plan_of(PICTURES)
    assert all(plan.estimate(name).seconds is None for name in plan.runs)
    assert order(plan) == LONGEST_FIRST


def test_a_measured_model_beside_a_guessed_one_does_not_turn_the_order_round() -> None:
    measured = RunSettings(model="resnet50", batch_size=8)
    Speeds({speed_key(measured): Speed(train=9e5, evaluate=9e5)}).save(Compute())
    assert order(plan_of(PICTURES)) == LONGEST_FIRST


def test_measured_speeds_decide_the_order_where_every_kind_is_measured() -> None:
    slow, fast = Speed(train=10, evaluate=100), Speed(train=1000, evaluate=10_000)
    for model, speed in (("resnet18", slow), ("resnet50", fast)):
        kind = RunSettings(model=model, batch_size=8)
        Speeds({**Speeds.of_machine(Compute()).known, speed_key(kind): speed}).save(Compute())
    assert [model for model, _ in order(plan_of(PICTURES))] == ["resnet18"] * 3 + ["resnet50"] * 3


def test_speeds_are_those_of_the_machine_and_the_way_of_computing_that_they_were_measured_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = RunSettings(model="resnet18", batch_size=8)
    speed = Speed(train=10, evaluate=100)
    Speeds({speed_key(kind): speed}).save(Compute(threads=2))
    Speeds({"other": speed}).save(Compute(precision="float32"))
    assert Speeds.of_machine(Compute(threads=2)).find(kind) == speed
    others = [Compute(), Compute(threads=2, device="cpu"), Compute(threads=2, precision="float32")]
    assert [Speeds.of_machine(each).find(kind) for each in others] == [None] * 3
    monkeypatch.setattr("socket.gethostname", lambda: "node7")
    assert Speeds.of_machine(Compute(threads=2)).find(kind) is None


def test_a_dataset_of_unknown_size_is_looked_at_once_until_it_is_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = []
    monkeypatch.setattr(planning, "dataset_sizes", lambda settings, name: looks.append(name))
    plan = plan_of(PICTURES)
    for name in plan.runs:
        assert plan.estimate(name).seconds is None
    assert len(looks) == 1
    monkeypatch.setattr(planning, "dataset_sizes", lambda settings, name: (800, 20))
    (dataset,) = plan.datasets
    Path(plan.store(dataset)).parent.mkdir(parents=True)
    Path(plan.store(dataset)).touch()
    assert all(plan.estimate(name).seconds for name in plan.runs)


def test_a_run_of_more_epochs_starts_before_one_of_fewer() -> None:
    plan = plan_of("dataset: digits\nrecipe: {epochs: [2, 9, 5]}\n")
    started = sorted(plan.runs, key=plan.priority, reverse=True)
    assert [plan.runs[name].settings.epochs for name in started] == [9, 5, 2]


def test_an_upstream_stage_starts_before_what_waits_for_it_and_the_longer_stage_first() -> None:
    plan = plan_of(
        "dataset: digits\n"
        "weights:\n  glyphs: {upstream: {dataset: {source: glyphs, train_images: 72, test_images: 36}}}\n"
        "recipe: {model: [resnet18, resnet50], init: [none, glyphs]}\n"
    )
    (small, big) = sorted(plan.upstreams, key=lambda name: plan.upstreams[name].settings.model)
    assert plan.priority(big) > plan.priority(small)
    for name, run in plan.runs.items():
        if run.weights:
            assert plan.priority(run.weights.name) > plan.priority(name)
            assert plan.priority(run.weights.name) == pytest.approx(
                plan.estimate(run.weights.name).seconds + plan.estimate(name).seconds,  # type: ignore[operator]
                abs=1,
            )


def test_the_training_subset_is_counted_among_the_measured_images_once_or_after_every_epoch() -> None:
    plan = plan_of("dataset: digits\nrecipe: {fraction: 1/2, epochs: 4}\n")
    (run,) = plan.runs.values()
    speeds = Speeds({speed_key(run.settings): Speed(train=1e9, evaluate=100)})
    last, every = (estimate(run, speeds, (1000, 300), when).seconds for when in ("last", "every"))
    assert every - last == pytest.approx(3 * 500 / 100)  # type: ignore[operator]
    assert relative_costs({"run": run}, speeds, {run.dataset: (1000, 300)}, "every") == {"run": every}


def test_a_study_that_asks_for_every_epoch_tells_its_runs_and_not_its_upstream_stages() -> None:
    study = (
        "dataset: digits\nweights: {glyphs: {upstream: {dataset: glyphs}}}\nrecipe: {init: glyphs}\n"
        "compute: {train_eval: %s}\n"
    )
    every, last = plan_of(study % "every"), plan_of(study % "last")
    (run,), (weights,) = every.runs, every.upstreams
    assert every.train(run) == f"{last.train(run)} --train-eval every"
    assert every.pretrain(weights) == last.pretrain(weights)
