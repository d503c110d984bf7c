"""Learning curves, errors, and the list of all runs."""

import json
from typing import Any

from scalestudy.report import wording
from scalestudy.report.inputs import Inputs
from scalestudy.report.sections.context import Context, fraction_words, said
from scalestudy.report.tables import heads, number, numeric, plain, quantity, short_names, stat
from scalestudy.report.view import (
    Block,
    Cell,
    Code,
    Column,
    Fact,
    Facts,
    Heading,
    Note,
    RunDetails,
    RunList,
    Section,
)

_TREND = {"growing": "growing", "shrinking": "shrinking", "flat": "flat", "unknown": "too few epochs to say"}
_QUESTION = ("model", "init", "fraction", "seed", "subset_seed", "dataset")


def curves(context: Context) -> Section:
    """Learning curves, the gap, and whether runs were still improving."""
    rows = context.findings["overfitting"]["rows"]
    blocks: list[Block] = [*context.headline("overfitting"), *context.missing("overfitting")]
    blocks += context.figure("learning_curves") + context.figure("gap_by_size")
    if rows:
        lines = []
        for row in rows:
            cell = context.cells[row["cell"]]
            slope = row["slope_per_epoch"]
            improving = {True: "yes", False: "no", None: "unknown"}[row["improving"]]
            change = (
                f"last epoch {wording.bare_points(row['last_change'])} points"
                if row["last_change"] is not None
                else ""
            )
            trend = _TREND[row["trend"]] if row["trend"] in _TREND else str(row["trend"])
            lines.append(
                (
                    plain(cell["label"]),
                    stat(cell, "gap"),
                    Cell(
                        trend,
                        f"{wording.bare_points(slope, 2)} points per epoch" if slope is not None else "",
                        tuple(cell["runs"]),
                    ),
                    Cell(improving, change, tuple(cell["runs"])),
                    Cell(
                        f"{row['best_epoch']} of {row['last_epoch']}"
                        if row["best_epoch"]
                        else wording.MISSING,
                        runs=tuple(cell["runs"]),
                        value=row["best_epoch"],
                    ),
                )
            )
        columns = heads(
            "Run",
            *numeric("Gap at the end, points"),
            "Gap over the epochs",
            "Still improving at the end",
            *numeric("Epoch of highest test accuracy"),
        )
        note = (
            "The gap is training minus test accuracy. The epoch of the highest test accuracy is shown to judge "
            "the length of training; it selects nothing."
        )
        blocks.append(
            context.table(
                "overfitting",
                "Overfitting and progress at the end of training",
                columns,
                lines,
                note=note,
                sortable=True,
            )
        )
    return Section("learning-curves", "Learning curves", tuple(blocks))


def errors(context: Context) -> Section:
    """Where one run is wrong, its worst classes, how sure it was."""
    found = context.findings["errors"]
    blocks: list[Block] = [*context.headline("errors"), *context.missing("errors")]
    blocks += context.figure("confusion") + context.figure("per_class")
    if found["per_class"]:
        rows = []
        run = (found["run"],)
        for each in sorted(found["per_class"], key=lambda each: each["accuracy"]):
            worst = each.get("worst_confusion")
            rows.append(
                (
                    plain(each["class"]),
                    number(each["n"], run, f"class_images:{each['index']}"),
                    number(each["correct"], run, f"class_correct:{each['index']}"),
                    Cell(
                        wording.bare_percent(each["accuracy"]),
                        f"{wording.bare_percent_range(each['low'], each['high'])}; n = 1",
                        run,
                        f"class_accuracy:{each['index']}",
                        each["accuracy"],
                    ),
                    Cell(f"{worst['class']} ({worst['count']:,})" if worst else wording.MISSING, runs=run),
                )
            )
        columns = heads(
            "Class",
            *numeric("Test images"),
            *numeric("Right"),
            *numeric("Accuracy, %"),
            "Most often taken for",
        )
        note = "Worst first. In small type: 95 % test-sampling interval of one run (Wilson)."
        blocks.append(
            context.table("per_class", "Accuracy per class", columns, rows, note=note, sortable=True)
        )
    mistakes = context.figure("mistakes")
    if mistakes:
        blocks += [Heading("mistakes", "The mistakes that it was surest of"), *mistakes]
    blocks += [Heading("calibration", "Is it as sure as it should be?"), *context.headline("calibration")]
    blocks += [*context.missing("calibration"), *context.figure("reliability")]
    calibration = context.findings["calibration"]["rows"]
    if calibration:
        rows = []
        for each in calibration:
            cell, run = context.cells[each["cell"]], (each["run"],)
            rows.append(
                (
                    plain(cell["label"]),
                    Cell(
                        wording.bare_percent(each["accuracy"]),
                        "n = 1",
                        run,
                        "test_accuracy",
                        each["accuracy"],
                    ),
                    Cell(
                        wording.bare_percent(each["mean_confidence"]),
                        "n = 1",
                        run,
                        "confidence",
                        each["mean_confidence"],
                    ),
                    Cell(wording.bare_percent(each["ece"]), "n = 1", run, "ece", each["ece"]),
                    Cell(each["text"].partition(" (")[0], runs=run),
                )
            )
        columns = heads(
            "Run",
            *numeric("Accuracy, %", "Mean confidence, %", "ECE, points"),
            "In words",
        )
        note = "Expected calibration error (ECE) on the test images, first complete run of each cell."
        blocks.append(context.table("calibration", "Calibration", columns, rows, note=note, sortable=True))
    return Section("errors", "Errors", tuple(blocks))


def cost(context: Context) -> Section:
    """Accuracy against what it cost: time and memory."""
    found = context.findings["cost"]
    blocks: list[Block] = [*context.headline("cost"), *context.missing("cost"), *context.figure("cost")]
    if found["points"]:
        rows = []
        for point in found["points"]:
            cell = context.cells[point["cell"]]
            mark = "★" if point["pareto"] else ""
            accuracy = stat(cell, "test_accuracy", bounds=False)
            rows.append(
                (
                    plain(cell["long_label"]),
                    quantity(cell, "train_seconds", wording.duration(point["train_seconds"])),
                    quantity(cell, "images_per_second", wording.rate(point["images_per_second"])),
                    quantity(cell, "peak_memory_mb", wording.rate(point["peak_memory_mb"])),
                    Cell(
                        accuracy.text,
                        accuracy.small,
                        accuracy.runs,
                        accuracy.measure,
                        accuracy.value,
                        mark=mark,
                    ),
                )
            )
        names = ("Training time", "Images per second", "Peak memory, MB", "Test accuracy, %")
        columns = heads("Setting", *numeric(*names))
        note = "Means over runs. ★: no other setting is both as fast and as accurate. "
        note = (note + wording.sentence(found["note"])).strip()
        blocks.append(context.table("cost", "Cost per run", columns, rows, note=note, sortable=True))
    return Section("cost", "What it cost", tuple(blocks))


def runs(context: Context) -> Section:
    """Every run of the study with what it takes to repeat it."""
    return Section("all-runs", "All runs", (run_list(context),))


def run_list(context: Context) -> RunList:
    """Return the list of every run with settings, state, numbers, time, log, and the command to repeat it."""
    varied = [name for name in context.findings["setup"]["varied"] if name not in _QUESTION]
    several_seeds = [
        name for name in ("seed", "subset_seed") if len({row.get(name) for row in context.inputs.results}) > 1
    ]
    shown = [*varied, *several_seeds]
    planned = {each["run"]: each for each in context.study["runs"]}
    short = short_names([row["run"] for row in context.inputs.results])
    all_complete = all(row["state"] == "complete" for row in context.inputs.results)
    names = ("Test, %", "Training, %", "Time", "Images", "Steps")
    columns = heads(
        Column("Run", code=True),
        *([] if all_complete else ["State"]),
        "Model",
        "Weights",
        "Fraction",
        *(wording.sentence(context.setting(name)).rstrip(".") for name in shown),
        *numeric(*names),
    )
    details = []
    for row in context.inputs.results:
        run, state = row["run"], row["state"]
        complete = state == "complete"
        cells = [
            Cell(run, code=True, runs=(run,)),
            *(
                []
                if all_complete
                else [Cell(state, row.get("reason") or "", (run,), tone="" if complete else "gone")]
            ),
            Cell(context.model(row["model"])),
            Cell(context.init(row["init"])),
            Cell(fraction_words(row["fraction"]), value=_float(row.get("fraction_value"))),
            *(Cell(row.get(name) or wording.MISSING, value=_float(row.get(name))) for name in shown),
            _accuracy(row, "test_accuracy", run),
            _accuracy(row, "train_accuracy", run),
            Cell(
                wording.duration(_float(row.get("train_seconds"))),
                runs=(run,),
                measure="train_seconds",
                value=_float(row.get("train_seconds")),
            ),
            number(_float(row.get("train_images")), (run,), "train_images"),
            number(_float(row.get("optimizer_steps")), (run,), "optimizer_steps"),
        ]
        machine = ", ".join(
            filter(
                None,
                (
                    row.get("hostname"),
                    row.get("device_name") or row.get("device"),
                    row.get("precision"),
                    wording.counted(int(float(row["threads"])), "thread") if row.get("threads") else "",
                    f"{wording.rate(_float(row.get('images_per_second')))} images/s"
                    if row.get("images_per_second")
                    else "",
                    f"peak {wording.rate(_float(row.get('peak_memory_mb')))} MB"
                    if row.get("peak_memory_mb")
                    else "",
                    f"{row['started']} to {row['ended']}" if row.get("started") and row.get("ended") else "",
                ),
            )
        )
        plan = planned.get(run, {})
        settings = plan.get("settings") or {}
        words = ", ".join(
            f"{context.setting(name)} {value}" for name, value in settings.items() if value is not None
        )
        details.append(
            RunDetails(
                run,
                state,
                row.get("reason") or "",
                tuple(cells),
                words,
                row.get("log") or plan.get("log") or "",
                command(context.inputs, plan),
                machine,
                short=short[run],
                fields=(
                    *(run, state, context.model(row["model"]), context.init(row["init"]), row["fraction"]),
                    *(f"{context.setting(name)} {row.get(name)}" for name in shown),
                ),
            )
        )
    note = "Unfold a run for all its settings, its log, its machine, and the command that repeats exactly this run."
    place = context.number("table", "runs")
    return RunList("table-runs", place, "Every run of the study", tuple(columns), tuple(details), note)


def command(inputs: Inputs, plan: dict[str, Any]) -> str:
    """Return the command that repeats a run: from the plan, else from the run's own record, else nothing."""
    if plan.get("command"):
        return str(plan["command"])
    record = inputs.study_dir / "runs" / str(plan.get("run", "")) / "run.json"
    if not record.is_file():
        return ""
    return str(json.loads(record.read_text(encoding="utf-8")).get("command") or "")


def _accuracy(row: dict[str, str], name: str, run: str) -> Cell:
    value = _float(row.get(name)) if row["state"] == "complete" else None
    if value is None:
        return Cell(row["state"] if row["state"] != "complete" else wording.MISSING, runs=(run,), tone="gone")
    return Cell(wording.bare_percent(value), runs=(run,), measure=name, value=value)


def _float(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def reproduce(context: Context) -> Section:
    """How to get the same numbers again."""
    found = context.findings["setup"]
    study = context.study["study"]
    facts = [
        Fact(name, ", ".join(str(each) for each in values)) for name, values in found["versions"].items()
    ]
    machines = [
        ", ".join(
            filter(
                None,
                (
                    each["device_name"] or each["device"],
                    each["precision"],
                    wording.counted(each["threads"], "thread") if each["threads"] else "",
                ),
            )
        )
        + f": {wording.counted(each['runs'], 'run')}"
        for each in found["devices"]
    ]
    facts += [Fact("Machine", "; ".join(machines))] if machines else []
    facts += [Fact("Seeds", ", ".join(str(seed) for seed in found["seeds"]))]
    facts += _estimate(context)
    commits = found.get("git_commits") or []
    facts += [Fact("Commit", ", ".join(commits), code=True)] if commits else []
    digest = found["dataset"].get("sha256")
    facts += [Fact("Data, SHA-256", digest, code=True)] if digest else []
    blocks: list[Block] = [
        said("The whole study, from the project's folder"),
        Code(f"make\n.venv/bin/snakemake --cores all --config study={study}"),
        said(
            "One run: copy its command from the list of all runs. Same settings and seed give the same numbers on the "
            "same kind of machine with the same number of threads; across machines expect differences of the size of "
            "a new seed"
        ),
        Facts(tuple(facts)),
    ]
    return Section("reproduce", "How to reproduce", tuple(blocks))


def _estimate(context: Context) -> list[Fact]:
    """What the study was expected to take before its first job, against what it took."""
    file = context.inputs.study_dir / "forecast.json"
    taken = {
        row["run"]: float(row["total_seconds"]) for row in context.inputs.results if row["total_seconds"]
    }
    if not file.is_file() or not taken:
        return []
    try:
        forecast = json.loads(file.read_text(encoding="utf-8"))
        expected = sum(float(seconds) for run, seconds in forecast["seconds"].items() if run in taken)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged: nothing else depends on it
        return []
    truth = f"{wording.duration(sum(taken.values()))} taken, all runs added up"
    kind = "estimated" if forecast.get("measured") else "guessed, with no speed of this machine measured,"
    return [Fact("Time", f"{wording.duration(expected)} {kind} before the start; {truth}")]


def limits(context: Context) -> Section:
    """What this study cannot say."""
    blocks = context.claims("limits") or [
        Note("No limits were computed; run `scalestudy analyse` again.", "missing")
    ]
    return Section("limits", "Limits of this study", tuple(blocks))
