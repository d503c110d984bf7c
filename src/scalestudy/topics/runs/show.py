"""The list of all runs, each with what it takes to repeat it, and how to repeat the study."""

from typing import Any

from scalestudy.files import read_json
from scalestudy.findings.load import Collected, Run, load
from scalestudy.report import layout, view, wording
from scalestudy.report.tables import number, short_names
from scalestudy.topics.cost.find import whole_seconds
from scalestudy.topics.page import Page
from scalestudy.topics.setup.say import machine

TITLE = "All runs, and how to repeat them"
NOTE = (
    "Unfold a run for all its settings, its log, its machine, and the command that repeats exactly this run."
)
SAME = (
    "Same settings and seed give the same numbers on the same kind of machine with the same number of threads. Across "
    "machines, expect differences of the size of a new seed."
)


def show(page: Page) -> view.Section:
    """Return the section: commands for the whole study, facts, and the list of runs."""
    collected = load(page.inputs.study_dir)
    return layout.section(
        "all-runs",
        TITLE,
        figures=[view.Code(_commands(page)), view.Note(SAME), _facts(page, collected)],
        tables=[_list(page, collected)],
    )


def _commands(page: Page) -> str:
    """Return what repeats the whole study, with the folder of images that it needs."""
    study = page.inputs.study
    folder = study["dataset"].get("folder")
    lines = [f"# the images lie in {folder}"] if folder else []
    return "\n".join(
        [*lines, "make .venv/.ready", f".venv/bin/snakemake --cores all --config study={study['study']}"]
    )


def _facts(page: Page, collected: Collected) -> view.Facts:
    found = page.findings.setup
    facts = [view.Fact(name, ", ".join(values)) for name, values in found.versions.items()]
    if found.machines:
        facts.append(view.Fact("Machine", "; ".join(map(machine, found.machines))))
    facts.append(view.Fact("Seeds used", ", ".join(map(str, found.seeds))))
    facts += _time(page, collected)
    facts += [view.Fact("Commit", ", ".join(found.commits), code=True)] if found.commits else []
    facts += (
        [view.Fact("Data, SHA-256", ", ".join(found.data.sha256), code=True)] if found.data.sha256 else []
    )
    return view.Facts(tuple(facts))


def _time(page: Page, collected: Collected) -> list[view.Fact]:
    """What the study was expected to take before its first job, against what it took."""
    taken = {run.name: seconds for run in collected.runs if (seconds := whole_seconds(run))}
    try:
        forecast = read_json(page.inputs.study_dir / "forecast.json")
        estimates = [float(forecast["seconds"][run]) for run in taken]
    except (OSError, ValueError, KeyError, TypeError):  # or a run of which nothing was known
        return []
    if not taken or not all(estimates):
        return []
    expected = sum(estimates)
    measured = isinstance(forecast, dict) and forecast.get("measured")
    kind = "estimated" if measured else "guessed, with no speed of this machine measured,"
    truth = f"{wording.duration(sum(taken.values()))} taken, all runs added up"
    return [view.Fact("Time", f"{wording.duration(expected)} {kind} before the start; {truth}")]


def _list(page: Page, collected: Collected) -> view.RunList:
    found = page.findings.setup
    several = [
        key for key, values in (("seed", found.seeds), ("subset_seed", found.subset_seeds)) if len(values) > 1
    ]
    shown = [*found.varied, *several]
    whole = all(run.complete for run in collected.runs)
    words = [*([] if whole else ["State"]), "Model", "Weights", "Data"]
    words += [wording.capitalised(page.names.setting(key)) for key in shown]
    numbers = ("Test, %", "Training, %", "Time", "Images", "Steps")
    columns = [
        view.Column("Run"),
        *map(view.Column, words),
        *(view.Column(each, numeric=True) for each in numbers),
    ]
    plans = {str(each["run"]): each for each in page.inputs.study["runs"]}
    short = short_names([run.name for run in collected.runs])
    details = tuple(
        _details(page, run, plans.get(run.name, {}), short[run.name], shown, whole=whole)
        for run in collected.runs
    )
    return view.RunList(
        page.named("table", "runs"), 0, "Every run of the study", tuple(columns), details, NOTE
    )


def _details(
    page: Page, run: Run, plan: dict[str, Any], short: str, shown: list[str], *, whole: bool
) -> view.RunDetails:
    names, settings = page.names, run.settings
    model, init = names.model(str(settings["model"])), names.short_init(str(settings["init"]))
    own = [names.under(key, settings.get(key)) for key in shown]
    state = view.Cell(run.state, run.reason, (run.name,), tone="" if run.complete else "gone")
    cells = [
        view.Cell(run.name, code=True, runs=(run.name,)),
        *([] if whole else [state]),
        view.Cell(model),
        view.Cell(init),
        view.Cell(wording.fraction(str(settings["fraction"])), value=run.values.get("fraction_value")),
        *(view.Cell(value) for value in own),
        _accuracy(run, "test_accuracy"),
        _accuracy(run, "train_eval_accuracy"),
        view.Cell(
            wording.duration(run.values.get("train_seconds")),
            runs=(run.name,),
            measure="train_seconds",
            value=run.values.get("train_seconds"),
        ),
        number(run.values.get("train_images"), (run.name,), "train_images"),
        number(run.values.get("optimizer_steps"), (run.name,), "optimizer_steps"),
    ]
    words = ", ".join(names.value(key, value) for key, value in settings.items() if value is not None)
    return view.RunDetails(
        run.name,
        run.state,
        tuple(cells),
        words,
        run.log,
        str(plan.get("command") or ""),
        _machine(run),
        short=short,
        fields=(
            *(run.name, run.state, model, init, str(settings["fraction"])),
            *(f"{names.setting(key)} {value}" for key, value in zip(shown, own, strict=True)),
        ),
    )


def _accuracy(run: Run, measure: str) -> view.Cell:
    value = run.values.get(measure) if run.complete else None
    if value is None:
        return view.Cell(wording.MISSING if run.complete else run.state, runs=(run.name,), tone="gone")
    return view.Cell(wording.bare_percent(value), runs=(run.name,), measure=measure, value=value)


def _machine(run: Run) -> str:
    text, values = run.text, run.values
    parts = [text.get("hostname"), text.get("device_name") or text.get("device"), text.get("precision")]
    if "threads" in values:
        parts.append(wording.counted(int(values["threads"]), "thread"))
    if "images_per_second" in values:
        parts.append(f"{wording.rate(values['images_per_second'])} images/s")
    if "peak_memory_mb" in values:
        parts.append(f"peak {wording.rate(values['peak_memory_mb'])} MB")
    if text.get("started") and text.get("ended"):
        parts.append(f"{text['started']} to {text['ended']}")
    return ", ".join(filter(None, parts))
