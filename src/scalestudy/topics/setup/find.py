"""What was run: data, subsets, models, recipe, machines, and which runs have a result."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from scalestudy.findings.load import Run
from scalestudy.findings.model import LeftOut, Record, Scalar
from scalestudy.findings.study import Study
from scalestudy.results.record import RunRecord

STATES = ("complete", "diverged", "failed", "missing")


class Data(Record):
    """The dataset: what is known of its store, else what the study and the runs tell."""

    name: str
    title: str
    image_size: int | None
    classes: tuple[str, ...]
    train_images: int | None
    test_images: int | None
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    sha256: tuple[str, ...]
    notes: tuple[str, ...]


class Budget(Record):
    """What runs on one subset were given; `per_class` are the fewest and the most images of a class."""

    fraction: str
    train_images: int | None
    per_class: tuple[int, int] | None
    batch_size: int
    epochs: int
    steps: int
    images_seen: int | None
    runs: tuple[str, ...]


class ModelFacts(Record):
    """A model with its trainable parameters, and the features before its head."""

    model: str
    parameters: int | None
    features: int | None


class Experiment(Record):
    """A named comparison of the study file: its axes' values as text, and how many of its runs are complete."""

    name: str
    title: str
    axes: dict[str, tuple[str, ...]]
    planned: int
    complete: int


class Machine(Record):
    """A kind of machine that complete runs used, and how many."""

    device: str
    device_name: str
    precision: str
    threads: int
    runs: int


class Warned(StrEnum):
    """What a reader must know before comparing runs."""

    MIXED_MACHINES = "mixed_machines"
    MIXED_DATA = "mixed_data"
    MIXED_WEIGHTS = "mixed_weights"
    MIXED_STATISTICS = "mixed_statistics"
    NO_PREDICTIONS = "no_predictions"
    NO_STORE = "no_store"


class Caution(Record):
    """A warning with the runs that it is about; `subject` is the dataset or weights where it is about such."""

    kind: Warned
    subject: str
    runs: tuple[str, ...]


class Problem(LeftOut):
    """A planned run without a result, with the cell that it belongs to."""

    cell: str
    seed: int


class Setup(Record):
    """All that describes the study. `statistics` names what images are normalised by; several where runs differ."""

    data: Data
    budgets: tuple[Budget, ...]
    models: tuple[ModelFacts, ...]
    recipe: dict[str, Scalar]
    varied: tuple[str, ...]
    experiments: tuple[Experiment, ...]
    statistics: tuple[str, ...]
    seeds: tuple[int, ...]
    subset_seeds: tuple[int, ...]
    machines: tuple[Machine, ...]
    versions: dict[str, tuple[str, ...]]
    commits: tuple[str, ...]
    counts: dict[str, int]
    problems: tuple[Problem, ...]
    warnings: tuple[Caution, ...]

    @property
    def planned(self) -> int:
        """The number of planned runs."""
        return sum(self.counts.values())


def find(study: Study) -> Setup:
    """Return what was run, from the study's files."""
    records = [record for run in study.runs if run.complete and (record := study.collected.record(run.name))]
    machines = _machines(study.runs)
    return Setup(
        data=_data(study, records),
        budgets=_budgets(study, records),
        models=_models(study),
        recipe=dict(study.record.get("recipe") or study.grid.base.settings),
        varied=_varied(study.runs),
        experiments=tuple(
            Experiment(
                name=name,
                title=content.get("title") or name,
                axes={key: tuple(map(str, values)) for key, values in content.get("axes", {}).items()},
                planned=len(content["runs"]),
                complete=sum(run.complete for run in study.runs if name in run.experiments),
            )
            for name, content in study.record.get("experiments", {}).items()
        ),
        statistics=tuple(dict.fromkeys(record.normalization.name for record in records)),
        seeds=tuple(sorted({run.seeds[0] for run in study.runs})),
        subset_seeds=tuple(sorted({run.seeds[1] for run in study.runs})),
        machines=machines,
        versions=_versions(records),
        commits=tuple(sorted({record.git_commit for record in records if record.git_commit})),
        counts={state: sum(run.state == state for run in study.runs) for state in STATES},
        problems=_problems(study),
        warnings=_warnings(study, machines, records),
    )


def _data(study: Study, records: list[RunRecord]) -> Data:
    planned, store = study.record["dataset"], study.collected.dataset
    own = records[0].dataset if records else None
    size = store.get("image_size") or planned.get("image_size")
    summary: Mapping[str, Any] = store.get("summary") or {}
    return Data(
        name=str(planned.get("name") or store.get("name") or ""),
        title=str(planned.get("title") or planned.get("source") or planned.get("name") or ""),
        image_size=None if size is None else int(size),
        classes=tuple(store.get("classes") or (own.classes if own else ())),
        train_images=store.get("train_images") or (own.train_images if own else None),
        test_images=store.get("test_images") or (own.test_images if own else None),
        train_counts=tuple(store.get("train_counts") or ()),
        test_counts=tuple(store.get("test_counts") or ()),
        sha256=tuple(sorted({record.dataset.sha256 for record in records})),
        notes=tuple(map(str, summary.get("notes") or ())),
    )


def _budgets(study: Study, records: list[RunRecord]) -> tuple[Budget, ...]:
    """Return each distinct budget of each subset, with the runs that had it."""
    counts = {record.run: record.subset.counts for record in records}
    found: dict[tuple[str, int, int, int], list[Run]] = {}
    for run in study.runs:
        if run.complete and "optimizer_steps" in run.values:
            settings = run.settings
            key = (str(settings["fraction"]), int(str(settings["batch_size"])), int(str(settings["epochs"])))
            found.setdefault((*key, int(run.values["optimizer_steps"])), []).append(run)
    order = {fraction: place for place, fraction in enumerate(study.grid.fractions)}
    return tuple(
        Budget(
            fraction=fraction,
            train_images=_whole(runs[0].values.get("train_images")),
            per_class=(min(own), max(own)) if (own := counts.get(runs[0].name)) else None,
            batch_size=batch,
            epochs=epochs,
            steps=steps,
            images_seen=_whole(runs[0].values.get("images_seen")),
            runs=tuple(run.name for run in runs),
        )
        for (fraction, batch, epochs, steps), runs in sorted(
            found.items(), key=lambda item: (order[item[0][0]], item[0][1:])
        )
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _models(study: Study) -> tuple[ModelFacts, ...]:
    def column(name: str) -> dict[str, int]:
        return {str(run.settings["model"]): int(run.values[name]) for run in study.runs if name in run.values}

    sizes, features = column("parameters"), column("features")
    return tuple(
        ModelFacts(model=model, parameters=sizes.get(model), features=features.get(model))
        for model in study.grid.models
    )


def _varied(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the settings with several values, but those that every report is about."""
    keys = [
        key for key in runs[0].settings if key not in ("model", "init", "fraction", "seed", "subset_seed")
    ]
    return tuple(key for key in keys if len({str(run.settings.get(key)) for run in runs}) > 1)


def _machines(runs: Sequence[Run]) -> tuple[Machine, ...]:
    """Return each kind of machine that complete runs used, most used first."""
    found: dict[tuple[str, str, str, int], int] = {}
    for run in runs:
        if run.complete:
            key = (
                run.text.get("device", ""),
                run.text.get("device_name", ""),
                run.text.get("precision", ""),
                int(run.values.get("threads", 0)),
            )
            found[key] = found.get(key, 0) + 1
    return tuple(
        Machine(device=device, device_name=name, precision=precision, threads=threads, runs=count)
        for (device, name, precision, threads), count in sorted(found.items(), key=lambda item: -item[1])
    )


def _versions(records: list[RunRecord]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            found.setdefault(name, set()).add(str(version))
    return {name: tuple(sorted(versions)) for name, versions in sorted(found.items())}


def _problems(study: Study) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            run=each.run,
            state=each.state,
            reason=each.reason,
            cell=cell.id,
            seed=study.run(each.run).seeds[0],
        )
        for cell in study.grid.cells.values()
        for each in cell.left_out
    )


def _warnings(
    study: Study, machines: tuple[Machine, ...], records: Sequence[RunRecord]
) -> tuple[Caution, ...]:
    complete = [run for run in study.runs if run.complete]
    weights_of = {str(run["run"]): run.get("weights") for run in study.record["runs"]}
    found = []
    if len(machines) > 1:
        names = tuple(run.name for run in complete)
        found.append(Caution(kind=Warned.MIXED_MACHINES, subject="", runs=names))
    normalised: dict[str, list[str]] = {}
    for record in records:
        normalised.setdefault(record.normalization.name, []).append(record.run)
    if len(normalised) > 1:
        rarest = min(normalised.values(), key=len)
        found.append(
            Caution(kind=Warned.MIXED_STATISTICS, subject=" or ".join(normalised), runs=tuple(rarest))
        )
    for kind, column, keys in (
        (Warned.MIXED_DATA, "dataset_sha256", ("dataset", "image_size")),
        (Warned.MIXED_WEIGHTS, "weights_sha256", ("init", "model")),
    ):
        contents: dict[tuple[Scalar, ...], dict[str, list[str]]] = {}
        for run in complete:
            if column in run.text:
                # Of one kind there are several weights where models have several image sizes or stems.
                own = weights_of.get(run.name) if kind is Warned.MIXED_WEIGHTS else None
                same = contents.setdefault((*(run.settings.get(key) for key in keys), own), {})
                same.setdefault(run.text[column], []).append(run.name)
        for name, versions in contents.items():
            if len(versions) > 1:
                rarest = min(versions.values(), key=len)
                found.append(Caution(kind=kind, subject=str(name[0]), runs=tuple(rarest)))
    lost = tuple(run.name for run in complete if study.outcome(run.name) is None)
    if lost:
        found.append(Caution(kind=Warned.NO_PREDICTIONS, subject="", runs=lost))
    if not study.collected.dataset:
        found.append(Caution(kind=Warned.NO_STORE, subject="", runs=()))
    return tuple(found)
