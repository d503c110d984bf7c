"""What a start finds: which runs are done, what is damaged, and what was made from something else than is there now.

Snakemake goes by the presence and the times of files. Both say too little: an edited table is newer than what it came
from, a copied project has new times, and images that changed after they were prepared are nobody's input. So before
Snakemake looks, every file of the study is held against its checksum and against what it is to be made from. What
does not stand the test is taken out of the way, never deleted, and so it is made again, and nothing else.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scalestudy.data.origin import changes
from scalestudy.data.seen import ARRAY_FILES, seen_right
from scalestudy.errors import UserError, printable
from scalestudy.files import read_json, seal_is_broken, sha256_file
from scalestudy.results.checked import run_states
from scalestudy.results.made import (
    TABLES,
    Made,
    digest_of_runs,
    source_of_findings,
    source_of_pages,
)
from scalestudy.results.read import MadeFrom, RunResult, planned_runs, read_run
from scalestudy.results.record import RECORD, WEIGHTS
from scalestudy.results.weights import fault_of_weights
from scalestudy.study import paths
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.runs import Run, Source
from scalestudy.workflow.study_record import made_from

_LINES = 5
_OLD = 1.0  # a time for what is to be made again; Snakemake takes 0 for no time at all
_CLOCKS_DIFFER = 5.0  # seconds that the clocks of two machines with one file system may be apart


@dataclass
class Stock:
    """What a start finds.

    `done`: the runs with nothing left to train. `damaged`: files and folders that are to be taken out of the way, with
    what is wrong. `stale`: files that are as they were written, from something else than is there now. `early`: files
    from a time that is still to come.
    """

    done: set[str] = field(default_factory=set)
    damaged: dict[Path, str] = field(default_factory=dict)
    stale: dict[Path, str] = field(default_factory=dict)
    early: list[Path] = field(default_factory=list)

    def made_again(self) -> list[str]:
        """Return the declared files that will be made again."""
        found = []
        for path in self.damaged:
            if path.parent.name == "runs":
                found.append(path / "run.json")
            elif path.parent == paths.WEIGHTS:
                found.append(path / "weights.json")
            else:
                found.append(path)
        return [str(path) for path in (*found, *self.stale)]


def take_stock(
    record: Mapping[str, Any],
    figures: Iterable[str],
    datasets: Mapping[str, tuple[DatasetSettings, int]],
    sources: Mapping[str, Source],
) -> Stock:
    """Return what is there of the study of this study.json, whose report has these figures. Changes nothing.

    `datasets`: the settings of each dataset store that the study uses. `sources`: of its initial weights.
    """
    stock = Stock()
    study = str(record["study"])
    changed = _look_at_stores(stock, datasets)
    other_weights = _look_at_weights(stock, sources, changed)
    results = [
        _doubted(result, planned, changed, other_weights)
        for result, planned in zip(run_states(study, record["runs"]), record["runs"], strict=True)
    ]
    for result in results:
        folder = paths.run_folder(study, result.run)
        if result.done:
            stock.done.add(result.run)
        elif (
            result.damaged or (folder / RECORD).exists()
        ):  # else it did not finish, and is trained in any case
            stock.damaged[folder] = result.reason
    _look_at_what_follows(stock, record, figures, digest_of_runs(results))
    inputs = [paths.dataset_folder(name) / "dataset.json" for name in datasets]
    _look_at_times(stock, study, [*inputs, *map(paths.weights_record, sources)])
    return stock


def _look_at_stores(stock: Stock, datasets: Mapping[str, tuple[DatasetSettings, int]]) -> set[str]:
    """Find damaged stores, and those whose images have changed since; return the names of the latter."""
    changed = set()
    for name, (settings, _) in datasets.items():
        folder = paths.dataset_folder(name)
        if not (folder / "dataset.json").is_file():
            continue
        if fault := _fault_of_store(folder):
            stock.damaged[folder / "dataset.json"] = fault
        elif (images := getattr(settings, "folder", None)) and (what := changes(folder, images)):
            changed.add(name)
            stock.damaged[folder / "dataset.json"] = f"is of other images than {images} holds now: {what}"
    return changed


def _fault_of_store(folder: Path) -> str:
    """Return what is wrong with a store. Numpy is loaded only where an array has to be read."""
    content = _content(folder / "dataset.json")
    sha256 = content.get("sha256") if isinstance(content, dict) and not seal_is_broken(content) else None
    if isinstance(sha256, str) and seen_right(folder, ARRAY_FILES, sha256):
        return ""
    from scalestudy.data.store import fault_of_store

    return fault_of_store(folder)


def _look_at_weights(stock: Stock, sources: Mapping[str, Source], changed: set[str]) -> set[str]:
    """Find initial weights that are damaged or of other data; return the names of those that will be others."""
    others = set()
    for name, source in sources.items():
        path = paths.weights_record(name)
        if not path.is_file():
            continue
        if fault := fault_of_weights(path.parent):
            # The record alone, where the weights are still the right ones: nothing has to be fetched again.
            intact = source.sha256 is None or _has_sha256(path.with_name(WEIGHTS), source.sha256)
            stock.damaged[path if fault.startswith(str(path)) and intact else path.parent] = fault
        if source.upstream is None:
            continue
        result = read_run(path.parent, _made_from(source.upstream))
        if source.upstream.dataset in changed or result.state == "missing":
            others.add(name)
            stock.damaged[path.parent] = result.reason or "made from other data than there are now"
        elif result.damaged:
            stock.damaged[path.parent] = result.reason
        elif not fault:
            stock.done.add(name)
    return others


def _has_sha256(path: Path, sha256: str) -> bool:
    try:
        return sha256_file(path) == sha256
    except OSError:
        return False


def _made_from(upstream: Run) -> MadeFrom:
    (made,) = planned_runs([made_from(upstream)])
    return made


def _doubted(
    result: RunResult, planned: Mapping[str, Any], changed: set[str], other_weights: set[str]
) -> RunResult:
    """Return a run's state in view of data and initial weights that are about to be made from something else."""
    if result.done and planned["settings"]["dataset"] in changed:
        return replace(result, state="missing", reason="made from other data than there are now")
    if result.done and planned["weights"] in other_weights:
        return replace(result, state="missing", reason="made from other initial weights than there will be")
    return result


def _look_at_what_follows(stock: Stock, record: Mapping[str, Any], figures: Iterable[str], runs: str) -> None:
    """Find the tables, findings, figures and pages that are not what the runs give."""
    folder = paths.study_folder(str(record["study"]))
    report = paths.report_folder(str(record["study"]))
    made = Made.of(folder)
    drawn = [folder / "figures" / f"{name}.{kind}" for name in figures for kind in ("svg", "png", "csv")]
    pages = [report / "report.html", report / "report.md"]
    # For phones; not every figure has one.
    narrow = [path for path in made.below(folder / "figures") if path.name.endswith(".narrow.svg")]
    partial = paths.partial_folder(report)
    copies = [path for path in made.below(report) if not path.is_relative_to(partial) and path not in pages]
    tables = [folder / table for table in TABLES]
    for path in (*tables, folder / "findings.json", *drawn, *narrow, *pages, *copies):
        if made.altered(path):
            stock.damaged[path] = "is not as it was written"
    for beside, made_with in (((*copies, *narrow), pages), (narrow, drawn)):
        if not all(map(made.wrote, beside)):
            what = "what lies beside it was altered or removed"
            stock.stale.update({path: what for path in made_with if path.is_file()})
    with suppress(FileNotFoundError):
        if _content(folder / "study.json") != record:
            stock.stale[folder / "study.json"] = "the study is another now"
    expected = {
        **dict.fromkeys(tables, runs),
        folder / "findings.json": source_of_findings(folder),
        **dict.fromkeys((*drawn, *pages), source_of_pages(folder)),
    }
    for path, source in expected.items():
        if path.is_file() and path not in stock.damaged and not made.follows(path, source):
            stock.stale[path] = "made from something else than is there now"


def _content(path: Path) -> Any:
    """Return what a JSON file holds; None where that cannot be read. FileNotFoundError where it is not there."""
    try:
        return read_json(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return None


def _look_at_times(stock: Stock, study: str, inputs: Iterable[Path]) -> None:
    """Find files of a time to come, as a clock leaves them that was set back: whatever follows would be older."""
    latest = time.time() + _CLOCKS_DIFFER
    folder, report = paths.study_folder(study), paths.report_folder(study)
    files = [*inputs, *(folder / name for name in ("study.json", "findings.json", *TABLES))]
    files += [report / "report.html", report / "report.md", *(folder / "figures").glob("*")]
    files += [paths.run_folder(study, run) / name for run in stock.done for name in paths.RUN_FILES]
    for path in files:
        with suppress(OSError):
            if path.stat().st_mtime > latest:
                stock.early.append(path)


def clear(stock: Stock, study: str) -> None:
    """Take what is damaged out of the way, and let what is stale look old, so that Snakemake makes it again.

    Says in one line each what, why, and where it is kept.
    """
    now = time.time()
    for path in stock.early:
        with suppress(OSError):
            os.utime(path, (now, now))  # one time for all: what follows from another is no older
    for path in stock.stale:
        try:
            os.utime(path, (_OLD, _OLD))
        except OSError:
            stock.damaged.setdefault(path, "cannot be given another time")
    if not stock.damaged:
        return
    aside = _aside(study)
    for path in stock.damaged:
        try:
            target = aside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        except FileNotFoundError:
            continue
        except OSError as error:
            reason = error.strerror or error
            raise UserError(
                f"{path} is to be made again ({stock.damaged[path]}), and cannot be moved to {aside}: {reason}; "
                "move it away yourself"
            ) from None
    say(stock, f"kept in {aside}, made again")


def say(stock: Stock, fate: str) -> None:
    """Print what is damaged, one line each as far as they are few, with what becomes of it."""
    for path, reason in list(stock.damaged.items())[:_LINES]:
        fault = reason.partition("; the next start")[0]  # this is the next start
        if not fault.startswith((f"{path.parent}/", f"{path.parent}:", "the images")):
            within = (
                "." in fault.split(maxsplit=1)[0]
            )  # the fault of a folder begins with the name of its file
            folder = path.parent == paths.WEIGHTS or path.parent.name == "runs"
            fault = f"{path}{'/' if folder and within else ': ' if folder else ' '}{fault}"
        # The arrays of a store are written over: they can be had again from what they were made from.
        becomes = "the data are prepared again" if path.name == "dataset.json" else fate
        print(printable(f"{fault}; {becomes}"), file=sys.stderr)
    if len(stock.damaged) > _LINES:
        print(f"and {len(stock.damaged) - _LINES:,} more; {fate}", file=sys.stderr)


def _aside(study: str) -> Path:
    """Return a new folder for what is taken out of the way."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = paths.study_folder(study) / "set-aside"
    for name in (now, *(f"{now}-{count}" for count in range(2, 1000))):
        if not (folder / name).exists():
            return folder / name
    raise UserError(f"{folder} holds too much; remove what is no longer needed")
