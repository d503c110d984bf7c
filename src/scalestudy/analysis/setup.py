"""What was run: data, subsets, models, initial weights, recipe, machines, and the state of the study."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from scalestudy.analysis.cells import Cell, Grid, parameters
from scalestudy.analysis.labels import Labels, plain
from scalestudy.analysis.load import Run, StudyData
from scalestudy.analysis.words import counted, thousands

STATES = ("complete", "diverged", "failed", "missing")


def state(data: StudyData, grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return how many runs are in which state, and every run without a result with its reason."""
    counts = {name: sum(run.state == name for run in data.runs) for name in STATES}
    cell_of = {run.name: cell for cell in grid.cells for run in cell.planned}
    groups = {group.id: group for group in grid.groups}
    problems = []
    for run in data.runs:
        if run.complete:
            continue
        cell = cell_of[run.name]
        differs = labels.describe(groups[cell.group].differs)
        share = "all data" if cell.fraction == "1" else cell.fraction
        parts = [labels.model(cell.model), labels.init(cell.init), share, differs]
        problems.append(
            {
                "run": run.name,
                "state": run.state,
                "reason": run.reason,
                "label": ", ".join([*filter(None, parts), f"seed {run.settings['seed']}"]),
                "cell": cell.id,
                "experiments": list(run.experiments),
                "log": run.log,
            }
        )
    text = f"{counts['complete']} of {counted(len(data.runs), 'run')}"
    return {"planned": len(data.runs), **counts, "text": text, "problems": problems}


def axes(data: StudyData, grid: Grid) -> dict[str, list[Any]]:
    """Return the values of model, init, fraction and seed, and of every other setting that varies."""
    found: dict[str, list[Any]] = {
        "model": grid.models,
        "init": grid.inits,
        "fraction": grid.fractions,
        "seed": _values(data.runs, "seed"),
    }
    for key in data.runs[0].settings:
        values = _values(data.runs, key)
        if key not in found and len(values) > 1:
            found[key] = values
    return found


def _values(runs: Sequence[Run], key: str) -> list[Any]:
    """Return the distinct values of a setting, numbers ascending, others in the order of the plan."""
    values = {plain(run.settings.get(key)): run.settings.get(key) for run in runs}.values()
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return sorted(values)
    return list(values)


def setup(data: StudyData, grid: Grid, labels: Labels) -> dict[str, Any]:
    """Return the setup section of findings.json."""
    varied = [key for key in axes(data, grid) if key not in ("model", "init", "fraction")]
    recipe = {**data.study.get("recipe", {})} or dict(grid.base.settings)
    infos = _infos(data, grid)
    return {
        "dataset": _dataset(data, infos),
        "subsets": [_subset(fraction, data, grid, infos) for fraction in grid.fractions],
        "budget": budget(grid),
        "models": _models(data, grid, labels),
        "inits": [
            {
                "init": init,
                "title": labels.init(init),
                "source": data.study.get("weights", {}).get(init, {}).get("source"),
            }
            for init in grid.inits
        ],
        "recipe": recipe,
        "recipe_rows": [
            {"setting": key, "label": labels.setting(key), "value": value, "text": plain(value)}
            for key, value in recipe.items()
        ],
        "varied": [key for key in varied if key != "seed" or len(_values(data.runs, "seed")) > 1],
        "experiments": [
            {
                "name": name,
                "title": content.get("title") or name,
                "axes": content.get("axes", {}),
                "planned": len(content["runs"]),
                "complete": sum(run.complete for run in data.runs if name in run.experiments),
            }
            for name, content in data.study.get("experiments", {}).items()
        ],
        "normalization": next(
            (info["normalization"] for info in infos.values() if "normalization" in info), None
        ),
        "seeds": _values(data.runs, "seed"),
        "subset_seeds": _values(data.runs, "subset_seed"),
        "devices": _devices(data.runs),
        "versions": _versions(infos),
        "git_commits": sorted({str(info["git_commit"]) for info in infos.values() if info.get("git_commit")}),
    }


def _infos(data: StudyData, grid: Grid) -> dict[str, dict[str, Any]]:
    """Return one run.json per fraction and subset size: enough for what the runs of a study share."""
    chosen: dict[tuple[str, str], str] = {}
    for run in data.runs:
        if run.complete:
            key = (str(run.settings["fraction"]), str(run.settings.get("validation", "0")))
            chosen.setdefault(key, run.name)
    return {run: data.info(run) for run in chosen.values()}


def _dataset(data: StudyData, infos: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known of the data: dataset.json, else what the runs tell."""
    planned, store = data.study["dataset"], data.dataset
    own: Mapping[str, Any] = next((info["dataset"] for info in infos.values() if "dataset" in info), {})
    keys = ("train_images", "test_images", "train_counts", "test_counts", "mean", "std")
    return {
        "name": planned.get("name") or store.get("name"),
        "path": planned.get("path"),
        "title": planned.get("title") or planned.get("source") or planned.get("name"),
        "source": planned.get("source") or store.get("source"),
        "image_size": store.get("image_size") or planned.get("image_size"),
        "classes": store.get("classes") or own.get("classes") or [],
        **{key: store.get(key) for key in keys},
        "summary": store.get("summary", {}),
    }


def _subset(
    fraction: str, data: StudyData, grid: Grid, infos: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    cells = [cell for cell in grid.cells if cell.fraction == fraction]
    names = {run.name for cell in cells for run in cell.runs}
    counts = next(
        (info["subset"]["counts"] for name, info in infos.items() if name in names and "subset" in info), None
    )
    return {
        "fraction": fraction,
        "number": float(Fraction(fraction)),
        "train_images": cells[0].train_images,
        "counts": counts,
        "budgets": _budgets(cells),
    }


def _budgets(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return each distinct number of steps that a subset was trained for, with the runs that it holds for."""
    found: dict[tuple[int, int, int], dict[str, Any]] = {}
    for cell in cells:
        for run in cell.runs:
            values = run.values
            if "optimizer_steps" not in values:
                continue
            batch, epochs = int(cell.settings["batch_size"]), int(cell.settings["epochs"])
            steps = int(values["optimizer_steps"])
            entry = found.setdefault(
                (batch, epochs, steps),
                {
                    "batch_size": batch,
                    "epochs": epochs,
                    "batches_per_epoch": _whole(values.get("batches_per_epoch")),
                    "steps": steps,
                    "images_seen": _whole(values.get("images_seen")),
                    "runs": [],
                },
            )
            entry["runs"].append(run.name)
    return [found[key] for key in sorted(found)]


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def budget(grid: Grid) -> dict[str, str]:
    """Return the rule by which runs of different fractions were given their training time, in words."""
    kinds = {bool(group.settings.get("steps")) for group in grid.groups}
    rule = "mixed" if len(kinds) > 1 else ("steps" if kinds == {True} else "epochs")
    base = grid.base
    if base.settings.get("steps"):
        text = (
            f"Every run of the base recipe takes {thousands(base.settings['steps'])} optimizer steps, "
            "whatever its subset, so a smaller subset is seen more often."
        )
    else:
        epochs = counted(int(base.settings["epochs"]), "epoch")
        text = f"Every run of the base recipe trains for {epochs}"
        ends = _step_ends(grid)
        if ends:
            (small, few), (large, many) = ends
            text += (
                f", so a smaller subset also means fewer optimizer steps ({thousands(few)} on {small}, "
                f"{thousands(many)} on {'all' if large == '1' else large})"
            )
        text += "."
    if rule == "mixed":
        text += " Other experiments of this study give every subset the same number of steps."
        if base.settings.get("steps"):
            text = text.replace("the same number of steps", "the same number of epochs")
    return {"rule": rule, "text": text}


def _step_ends(grid: Grid) -> tuple[tuple[str, float], tuple[str, float]] | None:
    """Return the smallest and the largest fraction of the base recipe with their steps."""
    steps = {
        cell.fraction: taken
        for cell in grid.base.cells
        if (taken := cell.mean("optimizer_steps")) is not None
    }
    fractions = [fraction for fraction in grid.fractions if fraction in steps]
    if len(fractions) < 2:
        return None
    return (fractions[0], steps[fractions[0]]), (fractions[-1], steps[fractions[-1]])


def _models(data: StudyData, grid: Grid, labels: Labels) -> list[dict[str, Any]]:
    sizes = parameters(data.runs)
    features = {
        str(run.settings["model"]): int(run.values["features"])
        for run in data.runs
        if "features" in run.values
    }
    return [
        {
            "model": model,
            "title": labels.model(model),
            "parameters": sizes.get(model),
            "features": features.get(model),
        }
        for model in grid.models
    ]


def _devices(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return each kind of machine that complete runs used, with their number, most used first."""
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
    return [
        {"device": device, "device_name": name, "precision": precision, "threads": threads, "runs": count}
        for (device, name, precision, threads), count in sorted(found.items(), key=lambda item: -item[1])
    ]


def _versions(infos: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for info in infos.values():
        for name, version in info.get("versions", {}).items():
            found.setdefault(name, set()).add(str(version))
    return {name: sorted(versions) for name, versions in sorted(found.items())}


def warnings(data: StudyData, devices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what a reader must know before comparing runs."""
    found = []
    if len(devices) > 1:
        kinds = [
            f"{each['device_name'] or each['device']}, {each['precision']}, "
            f"{counted(each['threads'], 'thread')} ({counted(each['runs'], 'run')})"
            for each in devices
        ]
        found.append(
            {
                "id": "mixed-devices",
                "text": f"Runs were made on different kinds of machine or precision: {'; '.join(kinds)}. "
                "Their times do not compare, and accuracies may differ slightly for that reason alone.",
                "runs": [run.name for run in data.runs if run.complete],
            }
        )
    found += _mixed_content(data.runs)
    lost = [run.name for run in data.runs if run.complete and data.outcome(run) is None]
    if lost:
        found.append(
            {
                "id": "predictions",
                "text": f"{counted(len(lost), 'complete run')} without saved predictions that match the "
                "metrics: no test on single runs, no calibration and no errors for them; train them again "
                "to have these.",
                "runs": lost,
            }
        )
    if not data.dataset:
        found.append(
            {
                "id": "dataset",
                "text": "The prepared data is not here any more: class counts and sample images are left "
                "out. `snakemake` prepares it again.",
                "runs": [],
            }
        )
    return found


def _mixed_content(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return a warning where runs of equal names of data or weights were made from different content."""
    found = []
    for what, column, keys in (
        ("dataset", "dataset_sha256", ("dataset", "image_size")),
        ("weights", "weights_sha256", ("init", "model")),
    ):
        contents: dict[tuple[Any, ...], dict[str, list[str]]] = {}
        for run in runs:
            if run.complete and column in run.text:
                same = contents.setdefault(tuple(run.settings.get(key) for key in keys), {})
                same.setdefault(run.text[column], []).append(run.name)
        for name, versions in contents.items():
            if len(versions) > 1:
                rarest = min(versions.values(), key=len)
                found.append(
                    {
                        "id": f"mixed-{what}",
                        "text": f"Runs were made from {len(versions)} different contents of the {what} "
                        f"{name[0]}: their results do not compare. Train those of the older content again.",
                        "runs": rarest,
                    }
                )
    return found
