"""The runs of a study: explicit, deduplicated, each with its one name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from scalestudy.errors import UserError
from scalestudy.study import names
from scalestudy.study.config import Study, Upstream, Weights
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.models import check_model, check_weights, model_of
from scalestudy.study.registries import SCHEDULES
from scalestudy.study.settings import RunSettings
from scalestudy.study.timm_models import PREFIX, size_options


@dataclass(frozen=True)
class Source:
    """Where a run's initial weights come from: their name (and file), and what makes it.

    kind is `download` (torchvision's file at `url`), `timm` (what timm calls `url`), `file` (a checkpoint at `path`) or
    `upstream` (trained by `upstream`, a run of its own). serves: settings of a run that the weights must fit.
    """

    name: str
    kind: Literal["download", "timm", "file", "upstream"]
    sha256: str | None = None
    url: str | None = None
    path: str | None = None
    upstream: "Run | None" = None
    serves: RunSettings | None = None


@dataclass(frozen=True)
class Run:
    """One training run: its settings, data and initial weights, its name, and the experiments that use it."""

    name: str
    settings: RunSettings
    dataset: str
    dataset_settings: DatasetSettings
    weights: Source | None
    normalization: str
    experiments: tuple[str, ...] = ()
    task: Literal["labels", "rotation"] = "labels"


def plan_runs(study: Study) -> list[Run]:
    """Return the study's runs in the order of its experiments, each once, however many experiments share it.

    Raises UserError where a run is impossible (weights that the model does not have, images too small for it)
    unless the study says `skip_impossible`, where two different runs would share a name, or where none is left.
    """
    members, impossible = _sorted_out(study)
    if impossible and not study.skip_impossible:
        lines = "\n".join(f"study {study.name}: {line}" for line in impossible)
        raise UserError(f"{lines}. Mend the study, or set `skip_impossible: true` to leave those runs out")
    if not members:
        raise UserError(
            f"study {study.name}: no runs, as none is possible: {'; '.join(impossible)}. Mend the study"
        )
    source_of = _source_finder(study)
    runs = [_run(study, settings, source_of(settings), tuple(used)) for settings, used in members.items()]
    _check_names(runs)
    return runs


def impossible_runs(study: Study) -> list[str]:
    """Return one line per kind of run that the study asks for and that cannot be."""
    return list(_sorted_out(study)[1])


def _sorted_out(study: Study) -> tuple[dict[RunSettings, list[str]], dict[str, None]]:
    """Return the settings of the runs that can be with the experiments that use them, and why others cannot be."""
    members: dict[RunSettings, list[str]] = {}
    impossible: dict[str, None] = {}
    for experiment, settings in _combinations(study):
        try:
            _check(settings, study)
        except UserError as error:
            impossible[str(error)] = None
            continue
        used_by = members.setdefault(settings.canonical(), [])
        if experiment not in used_by:
            used_by.append(experiment)
    return members, impossible


def _combinations(study: Study) -> Iterator[tuple[str, RunSettings]]:
    """Yield every point of every experiment's grid, checked value by value beforehand."""
    for experiment in study.experiments:
        axes = study.axes(experiment)
        for values in product(*axes.values()):
            yield experiment, RunSettings.model_construct(**dict(zip(axes, values, strict=True)))


def check_settings(settings: RunSettings) -> None:
    """Raise UserError when no study could have a run with these settings."""
    check_model(settings.model, settings.image_size, settings.stem)
    if settings.steps is not None and settings.steps < settings.epochs:
        raise UserError(
            f"steps: {settings.steps} steps cannot be evaluated {settings.epochs} times (epochs); "
            f"set epochs to {settings.steps} or fewer, or steps to {settings.epochs} or more"
        )
    lasting = settings.canonical()
    if lasting.nesterov and lasting.momentum == 0:
        raise UserError("nesterov: needs momentum, and momentum is 0; set momentum above 0, such as 0.9")
    if settings.warmup and SCHEDULES[settings.schedule].rises:
        raise UserError(f"warmup: the schedule '{settings.schedule}' rises by itself; leave warmup at 0")
    if settings.early_stopping and not settings.validation:
        raise UserError("early_stopping: needs held-out images to judge by; set validation, such as 1/10")
    if settings.batch_size == 1 and settings.image_size <= 32:
        raise UserError(
            f"batch_size 1 with {settings.image_size} x {settings.image_size} images leaves batch "
            "normalisation a single value to average; use 2 or more"
        )


def _check(settings: RunSettings, study: Study) -> None:
    """Raise UserError when a run with these settings cannot exist."""
    check_settings(settings)
    if settings.init != "none" and settings.init not in study.weights:
        try:
            check_weights(settings.model, settings.init, settings.image_size, settings.stem)
        except UserError as error:
            own = f"; the study's own weights: {', '.join(study.weights)}" if study.weights else ""
            raise UserError(f"{error}{own}") from None
    weights = study.weights.get(settings.init)
    if weights is not None and weights.checkpoints and settings.model not in weights.checkpoints:
        raise UserError(
            f"weights.{settings.init}.checkpoints has no file for {settings.model}; add one there"
        )
    if weights is not None and weights.upstream is not None:
        recipe, where = (
            _upstream_recipe(settings, weights.upstream),
            f"weights.{settings.init}.upstream.recipe",
        )
        try:
            check_settings(recipe)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None


def _run(study: Study, settings: RunSettings, weights: Source | None, experiments: tuple[str, ...]) -> Run:
    dataset = names.dataset_name(study.dataset, settings.image_size)
    # Published weights keep the input statistics that they were trained with: torchvision's are ImageNet's.
    normalization = {"download": "imagenet", "timm": "weights"}.get(
        weights.kind if weights else "", study.normalization
    )
    return Run(
        name=names.run_name(settings, dataset, weights.name if weights else None, normalization),
        settings=settings,
        dataset=dataset,
        dataset_settings=study.dataset,
        weights=weights,
        normalization=normalization,
        experiments=experiments,
    )


def _source_finder(study: Study) -> Callable[[RunSettings], Source | None]:
    """Return a function from settings to the source of their weights that makes each source once."""
    known: dict[tuple[str, str, int, str], Source | None] = {}

    def find(settings: RunSettings) -> Source | None:
        key = (settings.init, settings.model, settings.image_size, settings.stem)
        if key not in known:
            known[key] = _source(study, settings)
        return known[key]

    return find


def _source(study: Study, settings: RunSettings) -> Source | None:
    if settings.init == "none":
        return None
    weights = study.weights.get(settings.init)
    if weights is None:
        published = model_of(settings.model).weights[settings.init]
        if published.url.startswith(PREFIX):
            name = published.url.removeprefix(PREFIX)
            options = size_options(settings.model.removeprefix(PREFIX), settings.image_size)
            size = f"-{settings.image_size}px" if options else ""  # position embeddings fit one size
            return Source(f"timm-{name}{size}", "timm", url=name, serves=settings)
        return Source(name=published.file_name.removesuffix(".pth"), kind="download", url=published.url)
    if weights.upstream is not None:
        upstream = _upstream_run(study, settings, weights)
        return Source(name=upstream.name, kind="upstream", upstream=upstream)
    checkpoint = weights.checkpoints[settings.model]
    return Source(
        name=f"{names.slug(settings.init)}_{names.slug(settings.model)}-{checkpoint.sha256[:8]}",
        kind="file",
        path=checkpoint.file,
        sha256=checkpoint.sha256,
        serves=settings,
    )


def _upstream_run(study: Study, settings: RunSettings, weights: Weights) -> Run:
    """Return the run that trains the initial weights for `settings`: same model, stem and image size."""
    upstream = weights.upstream
    assert upstream is not None
    dataset_settings = upstream.dataset or study.dataset
    recipe = _upstream_recipe(settings, upstream)
    dataset = names.dataset_name(dataset_settings, settings.image_size)
    return Run(
        name=names.upstream_name(settings.init, recipe, dataset, upstream.task, study.normalization),
        settings=recipe,
        dataset=dataset,
        dataset_settings=dataset_settings,
        weights=None,
        normalization=study.normalization,
        task=upstream.task,
    )


def _upstream_recipe(settings: RunSettings, upstream: Upstream) -> RunSettings:
    """Return the settings of the stage that trains the initial weights for `settings`."""
    return RunSettings(
        model=settings.model, image_size=settings.image_size, stem=settings.stem, **upstream.recipe
    ).canonical()


def _check_names(runs: list[Run]) -> None:
    """Raise UserError when two different runs share a name (a hash collision)."""
    seen: dict[str, Run] = {}
    for run in runs:
        if run.name in seen:
            raise UserError(
                f"two different runs would share the name {run.name}; change a seed of one of them"
            )
        seen[run.name] = run
