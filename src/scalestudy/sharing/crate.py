"""A finished study as a research object: an RO-Crate with everything that its report rests on, and its check.

The crate is laid out like the project (`config/`, `data/`, `results/`, `report/`), so that its report can be made
again from it. It follows RO-Crate 1.1 and the Process Run Crate profile 0.5: one CreateAction for each run. Images and
trained weights are not in it; the records of the data set and of initial weights are, with their SHA-256.
"""

import csv
import lzma
import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from scalestudy import __version__
from scalestudy.errors import UserError
from scalestudy.files import read_json, sha256_file, write_text
from scalestudy.report.render import render_report
from scalestudy.results.collect import collect
from scalestudy.results.made import note_figures
from scalestudy.results.read import DONE
from scalestudy.study import paths
from scalestudy.study.names import short_hash
from scalestudy.topics.findings import write_findings

METADATA = "ro-crate-metadata.json"
CHECKSUMS = "checksums.sha256"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
NO_LICENCE = "No licence is given; ask the authors of the study before you use it."
TABLES = ("study.json", "results.csv", "curves.csv", "findings.json")
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".npz": "application/zip",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".sha256": "text/plain",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}
# What a crate may hold at its top: nothing in it is a program, a template or a setting of one.
LAYOUT = ("README.md", METADATA, CHECKSUMS, "config", "data", "weights", "results", "report")
# A crate of text and images never shrinks so much in a zip file; what would is made to fill a disk.
LARGEST_RATIO, SMALL = 100, 100 * 2**20
DEEPEST = 40  # folders in folders
README = """\
# {title}

A finished study, made with scalestudy {version}: open `report/{study}/report.html`, or read `report/{study}/report.md`.

- `config/` the study; `results/{study}/study.json` the same with every run, its settings and its command
- `results/{study}/results.csv`, `curves.csv` one row per run, one row per run and epoch
- `results/{study}/runs/` each run's measurements, record and predictions
- `data/`, `weights/` records of the data and of initial weights, with their SHA-256 (not the data themselves)
- `{metadata}` what each file is and which run made it (RO-Crate 1.1)

`scalestudy verify .` checks that nothing was altered, and makes the same report again from what is here, without
training. Without scalestudy: `sha256sum --check {checksums}`.
"""


def export_study(
    study: str, config: Path, output: Path, licence: str = NO_LICENCE, start: str | None = None
) -> Path:
    """Write the crate of a study with a report into the folder `output`, or the file `output` where it ends in .zip.

    `config` is the study's YAML file, `start` the command that makes the study. Raises UserError where the report is
    not there or is not what the results give, where `output` exists, or where a file's name cannot be on Windows.
    """
    start = start or f"snakemake report --config study={study}"
    if output.exists():
        raise UserError(f"{output} is there already; remove it, or choose another --output")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".crate-", dir=output.parent) as temporary:
        folder = Path(temporary) / (output.stem if output.suffix == ".zip" else output.name)
        _fill(folder, study, config, start)
        if differing := _remade(folder, study):
            raise UserError(
                f"the report is not what the results give ({', '.join(differing)}); make it again: {start}"
            )
        _describe(folder, study, licence)
        _write_checksums(folder)
        if output.suffix == ".zip":
            _pack(folder, Path(temporary) / "crate.zip").replace(output)
        else:
            folder.rename(output)
    return output


def _fill(folder: Path, study: str, config: Path, start: str) -> None:
    """Copy every file of the study that the crate holds, except those that describe it."""
    record = _record(study, start)
    for source, target in [(config, Path("config", config.name)), *_files(study, record)]:
        if unsafe := [part for part in target.parts if not _fits_windows(part)]:
            raise UserError(
                f"{source}: Windows cannot hold a file or folder named {unsafe[0]!r}; rename the study"
            )
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / target)
    text = README.format(
        title=record["title"], study=study, version=__version__, metadata=METADATA, checksums=CHECKSUMS
    )
    write_text(folder / "README.md", text)


def _record(study: str, start: str) -> dict[str, Any]:
    """Return study.json of a study that has a report; UserError where there is none."""
    for path in (
        *(paths.study_folder(study) / name for name in TABLES),
        _page(study, Path()),
    ):
        if not path.is_file():
            raise UserError(f"{path} is not there; `{start}` makes it")
    return dict(read_json(paths.study_folder(study) / "study.json"))


def _page(study: str, root: Path) -> Path:
    """Return the study's page below `root`: the finished one, or that of a study with runs missing."""
    finished = paths.report_folder(study)
    partial = paths.partial_folder(finished)
    there = (
        partial
        if (root / partial / "report.html").is_file() and not (root / finished / "report.html").is_file()
        else finished
    )
    return there / "report.html"


def _files(study: str, record: Mapping[str, Any]) -> Iterator[tuple[Path, Path]]:
    """Yield the path of each file, as it is here and as it is in the crate: the same."""
    results, report = paths.study_folder(study), paths.report_folder(study)
    wanted = [results / name for name in (*TABLES, "forecast.json")]
    for run in record["runs"]:
        wanted += [paths.run_folder(study, run["run"]) / name for name in (*paths.RUN_FILES, "status.json")]
        wanted.append(paths.run_log(study, run["run"]))
    for name in _datasets(record):
        wanted.append(paths.dataset_folder(name) / "dataset.json")
    for name in _weights(study, record, Path()):
        wanted += [
            paths.weights_file(name).with_name(each) for each in ("weights.json", "metrics.csv", "run.json")
        ]
    for folder in (results / "figures", report):
        wanted += [path for path in sorted(folder.rglob("*")) if not path.name.startswith(".")]
    for path in wanted:
        if path.is_file():
            yield path, path


def _datasets(record: Mapping[str, Any]) -> list[str]:
    """Return the data sets of the runs and of the upstream stages."""
    upstream = [
        weights["upstream"]["dataset"] for weights in record["weights"].values() if "upstream" in weights
    ]
    return list(dict.fromkeys([*(run["settings"]["dataset"] for run in record["runs"]), *upstream]))


def _weights(study: str, record: Mapping[str, Any], root: Path) -> list[str]:
    """Return the initial weights that finished runs below `root` started from."""
    found: dict[str, None] = {}
    for run in record["runs"]:
        path = root / paths.run_folder(study, run["run"]) / "run.json"
        if path.is_file() and (weights := read_json(path).get("weights")):
            found[weights["name"]] = None
    return list(found)


def _fits_windows(name: str) -> bool:
    """Return whether Windows can hold a file of this name."""
    reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, flags=re.IGNORECASE)
    return not (reserved or re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]$', name))


def _describe(folder: Path, study: str, licence: str) -> None:
    """Write ro-crate-metadata.json: each file with its type, size and SHA-256, each run as an action."""
    record = read_json(folder / paths.study_folder(study) / "study.json")
    crate = ROCrate(version="1.1")
    crate.name = record["title"]
    crate.description = record["description"] or f"The scaling study {study}"
    crate.datePublished = datetime.now(UTC).isoformat(timespec="seconds")
    crate.license = licence
    crate.root_dataset["conformsTo"] = {"@id": PROFILE}
    crate.add(
        ContextEntity(
            crate, PROFILE, {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
        )
    )
    files: dict[str, Any] = {}
    for path in _every_file(folder):
        relative = path.relative_to(folder)
        facts = {
            "name": relative.name,
            "contentSize": str(path.stat().st_size),
            "sha256": sha256_file(path),
            "encodingFormat": MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        }
        files[relative.as_posix()] = crate.add_file(path, dest_path=relative, properties=facts)
    report = files[_page(study, folder).as_posix()]
    report["name"] = f"{record['title']}: the report"
    crate.root_dataset["mainEntity"] = report
    for name in _weights(study, record, folder):
        _add_upstream(crate, folder, name, files)
    for run in record["runs"]:
        _add_run(crate, folder, study, run, files)
    _add_report(crate, study, files)
    crate.metadata.write(folder)


def _add_run(
    crate: ROCrate, folder: Path, study: str, run: Mapping[str, Any], files: Mapping[str, Any]
) -> None:
    """Add what made a run's files, or why there are none."""
    place = paths.run_folder(study, run["run"])
    if (folder / place / "run.json").is_file():
        _add_training(crate, folder / place / "run.json", [place / name for name in paths.RUN_FILES], files)
        return
    status = folder / place / "status.json"
    reason = read_json(status).get("reason") if status.is_file() else None
    failed = {
        "name": f"Training of {run['run']}",
        "description": run["command"],
        "actionStatus": {"@id": "http://schema.org/FailedActionStatus"},
        "error": reason or "not run",
    }
    crate.add_action(
        _software(crate, {"scalestudy": __version__}), identifier=f"#{run['run']}", properties=failed
    )


def _add_upstream(crate: ROCrate, folder: Path, weights: str, files: Mapping[str, Any]) -> None:
    """Add what trained initial weights, where an upstream stage of the study did."""
    place = paths.weights_record(weights).parent
    if (folder / place / "run.json").is_file():
        results = [place / name for name in ("weights.json", "metrics.csv", "run.json")]
        _add_training(crate, folder / place / "run.json", results, files)


def _add_training(crate: ROCrate, record: Path, results: list[Path], files: Mapping[str, Any]) -> None:
    """Add one training by its run.json: the command, its inputs and results, the software, begin and end."""
    made = read_json(record)
    inputs = [paths.dataset_folder(made["dataset"]["name"]) / "dataset.json"]
    if made["weights"]:
        inputs.append(paths.weights_record(made["weights"]["name"]))
    crate.add_action(
        _software(crate, made["versions"], made["git_commit"]),
        identifier=f"#{made['run']}",
        object=[files[path.as_posix()] for path in inputs if path.as_posix() in files],
        result=[files[path.as_posix()] for path in results if path.as_posix() in files],
        properties={
            "name": f"Training of {made['run']}",
            "description": made["command"],
            "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
            "startTime": made["started"],
            "endTime": made["ended"],
        },
    )


def _add_report(crate: ROCrate, study: str, files: Mapping[str, Any]) -> None:
    """Add what made the tables, the findings and the pages."""
    results, report = paths.study_folder(study), paths.report_folder(study)
    runs, made = (
        f"{(results / 'runs').as_posix()}/",
        [f"{report.as_posix()}/", f"{(results / 'figures').as_posix()}/"],
    )
    tables = [(results / name).as_posix() for name in TABLES[1:]]
    crate.add_action(
        _software(crate, {"scalestudy": __version__}),
        identifier="#report",
        object=[
            each for name, each in files.items() if name.startswith(runs) and not name.endswith("status.json")
        ],
        result=[each for name, each in files.items() if name.startswith(tuple(made)) or name in tables],
        properties={
            "name": "Collecting, analysing and rendering",
            "description": f"scalestudy report {study}",
        },
    )


def _software(crate: ROCrate, versions: Mapping[str, str], commit: str | None = None) -> Any:
    """Return the software that a run was trained with; one entity for each set of versions."""
    identifier = f"#scalestudy-{short_hash([dict(versions), commit])}"
    if (known := crate.get(identifier)) is not None:
        return known
    others = [f"{name} {version}" for name, version in versions.items() if name != "scalestudy"]
    facts = {"@type": "SoftwareApplication", "name": "scalestudy"}
    facts |= {"softwareVersion": versions["scalestudy"]} if versions else {}
    facts |= {"softwareRequirements": ", ".join(others)} if others else {}
    facts |= {"version": f"git commit {commit}"} if commit else {}
    return crate.add(ContextEntity(crate, identifier, facts))


@dataclass(frozen=True)
class Verification:
    """What `verify_crate` found. faults: one line for each file that is not as it was, or differs when made again."""

    study: str
    files: int
    faults: list[str]


def verify_crate(crate: Path) -> Verification:
    """Check that no file of a crate (a folder or a .zip) was changed, removed or added, and make its report again.

    Only where all files are as they were: then tables, findings and report are made again in a temporary copy, and
    each that differs is a fault. Nothing is written into the crate, no link is followed, and nothing in it is run.
    Raises UserError where `crate` is no crate of a study.
    """
    with _unpacked(crate) as folder:
        _refuse_what_is_no_file(crate, folder)
        metadata, checksums = _read_metadata(crate, folder), _read_checksums(crate, folder)
        study = _study_of(crate, folder)
        faults = [*_altered(folder, checksums), *_contradictions(metadata, checksums)]
        if not faults:
            made_by = _exported_by(metadata)
            note = (
                f" (exported by scalestudy {made_by}, this is {__version__})"
                if made_by != __version__
                else ""
            )
            try:
                differing = _remade(folder, study)
            except (
                Exception
            ) as error:  # what a stranger put into the files can break any line that reads them
                raise UserError(
                    f"{crate}: its report cannot be made again from its files ({type(error).__name__}: {error})"
                ) from None
            faults = [f"differs when it is made again: {name}{note}" for name in differing]
    return Verification(study, len(checksums), faults)


def _exported_by(metadata: Iterable[Mapping[str, Any]]) -> str:
    """Return the version that made a crate's report; this one where the crate does not say it well."""
    entities = {str(each.get("@id")): each for each in metadata}
    try:
        return str(entities[entities["#report"]["instrument"]["@id"]]["softwareVersion"])
    except (KeyError, TypeError):
        return __version__


@contextmanager
def _unpacked(crate: Path) -> Iterator[Path]:
    """Give the folder of a crate; a .zip is unpacked for as long as the block runs."""
    if crate.is_dir():
        yield crate
        return
    if not crate.exists():
        raise UserError(f"{crate} is not there; `scalestudy export` makes a crate of a study")
    if not zipfile.is_zipfile(crate):
        raise UserError(f"{crate}: neither a folder nor a zip file")
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with zipfile.ZipFile(crate) as archive:
                _refuse_what_is_no_archive_of_files(crate, archive)
                archive.extractall(temporary)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            NotImplementedError,
            OSError,
            ValueError,
            lzma.LZMAError,
        ) as error:
            raise UserError(f"{crate}: cannot be unpacked ({error})") from None
        inner = [path.parent for path in Path(temporary).glob(f"*/{METADATA}")]
        yield inner[0] if inner else Path(temporary)


def _refuse_what_is_no_archive_of_files(crate: Path, archive: zipfile.ZipFile) -> None:
    """Raise UserError where a zip file names anything outside of itself, holds links, or would fill the disk."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{crate}: {twice!r} is in it twice; nothing was unpacked")
    for entry in entries:
        path, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
        strange = "\\" in entry.filename or ":" in entry.filename.partition("/")[0]
        if path.is_absolute() or ".." in path.parts or strange:
            raise UserError(f"{crate}: {entry.filename!r} lies outside of it; nothing was unpacked")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(
                f"{crate}: {entry.filename!r} is neither a file nor a folder; nothing was unpacked"
            )
    tops = {PurePosixPath(name).parts[:1] for name in names} - {()}
    if METADATA not in names and len(tops) > 1:
        raise UserError(f"{crate}: it holds more than the one folder of a crate; nothing was unpacked")
    _refuse_a_bomb(crate, crate.name, sum(entry.file_size for entry in entries), crate.stat().st_size)


def _refuse_a_bomb(crate: Path, name: str, size: int, packed: int) -> None:
    """Raise UserError where an archive of `packed` bytes claims so many that it can only be meant to do harm."""
    if size > max(LARGEST_RATIO * packed, SMALL):
        raise UserError(f"{crate}: {name} would unpack {packed:,} bytes to {size:,}; nothing was unpacked")


def _refuse_what_is_no_file(crate: Path, folder: Path, depth: int = 0) -> None:
    """Raise UserError for a link, a device, a pipe: a crate holds files and folders, and nothing else is opened."""
    if depth > DEEPEST:
        raise UserError(f"{crate}: folders lie in it more than {DEEPEST} deep; nothing was read")
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir(follow_symlinks=False):
                _refuse_what_is_no_file(crate, Path(entry.path), depth + 1)
                continue
            mode = entry.stat(follow_symlinks=False).st_mode
            if not stat.S_ISREG(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "a device, a pipe or a socket"
                raise UserError(
                    f"{crate}: {entry.path!r} is {kind}; a crate holds files and folders only. Nothing was read"
                )
            if entry.name.endswith(".npz"):
                _refuse_a_packed_bomb(crate, Path(entry.path))


def _refuse_a_packed_bomb(crate: Path, path: Path) -> None:
    """Raise UserError where a run's predictions would unpack to far more than predictions are."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return  # no archive: whoever reads it says so
    _refuse_a_bomb(crate, path.name, size, path.stat().st_size)


def _read_metadata(crate: Path, folder: Path) -> list[dict[str, Any]]:
    """Return the entities of ro-crate-metadata.json."""
    try:
        graph = read_json(folder / METADATA)["@graph"]
        if not all(isinstance(each["@id"], str) for each in graph):
            raise ValueError("an entity whose @id is no text")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{crate}: no RO-Crate, {METADATA} cannot be read ({error})") from None
    return list(graph)


def _read_checksums(crate: Path, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file at the time of export, by its path."""
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
        return {name: checksum for checksum, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        raise UserError(f"{crate}: no crate of a study, {CHECKSUMS} cannot be read ({error})") from None


def _study_of(crate: Path, folder: Path) -> str:
    """Return the name of the one study that a crate holds, whose names all lie inside of the crate."""
    names = [path.parent.name for path in folder.glob("results/*/study.json")]
    if len(names) != 1:
        raise UserError(f"{crate}: no crate of a study, it has {len(names)} files results/*/study.json")
    try:
        record = read_json(folder / paths.study_folder(names[0]) / "study.json")
        inside = [
            record["study"],
            record["dataset"]["path"],
            *_datasets(record),
            *(text for run in record["runs"] for text in (run["run"], run.get("log", ""))),
        ]
        outside = [each for each in inside if Path(each).is_absolute() or ".." in Path(each).parts]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{crate}: no crate of a study, its study.json cannot be read ({error})") from None
    if record["study"] != names[0] or outside:
        raise UserError(f"{crate}: no crate of a study, its study.json names files outside of it")
    return names[0]


def _altered(folder: Path, checksums: Mapping[str, str]) -> list[str]:
    """Return a line for each file that is missing, changed or added since the export."""
    there = {path.relative_to(folder).as_posix(): path for path in _every_file(folder)}
    del there[CHECKSUMS]
    missing = [f"missing: {name}" for name in checksums if name not in there]
    changed = [
        f"changed: {name}"
        for name, checksum in checksums.items()
        if name in there and sha256_file(there[name]) != checksum
    ]
    added = [name for name in there if name not in checksums or PurePosixPath(name).parts[0] not in LAYOUT]
    return [*missing, *changed, *(f"added: {name}" for name in added)]


def _contradictions(metadata: Iterable[Mapping[str, Any]], checksums: Mapping[str, str]) -> list[str]:
    """Return a line for each file that the two lists of checksums disagree on: one of them was altered."""
    described = {each["@id"]: each["sha256"] for each in metadata if "sha256" in each}
    listed = {quote(name): sha for name, sha in checksums.items() if name != METADATA}
    names = sorted(described.keys() | listed.keys())
    return [
        f"changed: {name} ({METADATA} and {CHECKSUMS} disagree)"
        for name in names
        if described.get(name) != listed.get(name)
    ]


def _remade(folder: Path, study: str) -> list[str]:
    """Make tables, findings and report again from the runs' files; return the paths of those that differ.

    Figures are the crate's own drawings: other versions of matplotlib and its fonts draw other bytes.
    """
    results, report = paths.study_folder(study), paths.report_folder(study)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for part in ("results", "data"):
            if (folder / part).is_dir():
                shutil.copytree(folder / part, copy / part, symlinks=True)
        record = read_json(copy / results / "study.json")
        collect(record, record["runs"], copy)
        differing = [
            (results / name).as_posix()
            for name in ("results.csv", "curves.csv")
            if _finished_rows(copy / results, name) != _finished_rows(folder / results, name)
        ]
        for name in TABLES[:-1]:  # a run that was under way at the export may have another state today
            shutil.copyfile(folder / results / name, copy / results / name)
        (copy / results / "findings.json").unlink()
        if not (copy / results / "figures").is_dir():  # a report made by `scalestudy report`
            shutil.copytree(folder / _page(study, folder).parent / "figures", copy / results / "figures")
        write_findings(copy / results)
        # As they came: the images that two of them show are not in a crate, so they could not be drawn again.
        note_figures(copy / results, (copy / results / "figures").glob("*.*"))
        render_report(copy / results, copy / report)
        for path in (copy / results / "findings.json", *_every_file(copy / report)):
            made = path.relative_to(copy)
            if not (folder / made).is_file() or (folder / made).read_bytes() != path.read_bytes():
                differing.append(made.as_posix())
    return differing


def _finished_rows(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a table that belong to complete and diverged runs."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row.get("state", "complete") in DONE]


def _write_checksums(folder: Path) -> None:
    """Write checksums.sha256 in the format of `sha256sum`, which can check it."""
    lines = [f"{sha256_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in _every_file(folder)]
    write_text(folder / CHECKSUMS, "".join(lines))


def _every_file(folder: Path) -> list[Path]:
    """Return every file below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _pack(folder: Path, archive: Path) -> Path:
    """Return a zip file with the folder in it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in _every_file(folder):
            file.write(path, path.relative_to(folder.parent).as_posix())
    return archive
