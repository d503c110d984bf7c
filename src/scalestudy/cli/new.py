"""`scalestudy new`: a first study of a folder of images, or of a dataset by its name; a project of one's own."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from scalestudy.errors import UserError, nearest, printable
from scalestudy.files import from_home, is_folder
from scalestudy.report.wording import counted, duration, few, listing
from scalestudy.study.config import CONFIG_FOLDER, Study, load_study
from scalestudy.study.dataset import DatasetSettings, ImageFolder, parse_dataset
from scalestudy.study.faults import describe
from scalestudy.study.models import model_of
from scalestudy.study.names import safe_name, slug
from scalestudy.study.propose import Facts, Proposal, concerns, lighter, propose, study_text
from scalestudy.study.runs import Run, plan_runs

if TYPE_CHECKING:
    from scalestudy.data.examine import Examined
    from scalestudy.workflow.price import Price

_LONGEST_SECONDS = 2 * 3600.0
"""A first study should end while one still wants to know."""
_CLASSES_SHOWN = 12


def new(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A folder of images, or a dataset by its name (digits, cifar10, FashionMNIST, huggingface:beans).",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The study's name; that of the folder or dataset if left out.")
    ] = None,
    project: Annotated[
        Path | None,
        typer.Option(help="Make this folder a project of one's own, and write the study there."),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            help="Measure how fast this machine trains, to say how long the study takes (seconds each)."
        ),
    ] = True,
) -> None:
    """Look at a folder of images, write a first study of it, and say what it will take. Overwrites nothing."""
    if source is None and project is None:
        raise UserError(
            "which images? `scalestudy new FOLDER` (or a dataset's name); `scalestudy new --project FOLDER` "
            "makes a project of one's own"
        )
    place, made = Path(), []
    if project is not None:
        from scalestudy.data.sources import look
        from scalestudy.workflow.project import make_project

        if source is not None:
            look(_dataset(source, "")[0])  # before anything is made
        made = make_project(project)
        place = project
    if source is None:
        print(f"{project} is a project of its own now: {listing(made) or 'all is there already'}")
        print(f"  cd {project}")
        print("  scalestudy new FOLDER-OF-IMAGES      # writes the first study")
        return
    with _working_in(place) as outside:
        _write_study(source, name, outside, calibrate)
    if project is not None:
        print(f"all that in {project}, a project of its own: cd {project} first")


@contextmanager
def _working_in(place: Path) -> Iterator[str]:
    """Work in a folder; yield how to get back from there to where we were (`` where that is the same)."""
    before = Path.cwd()
    os.chdir(place)
    try:
        yield "" if place.resolve() == before else os.path.relpath(before)
    finally:
        os.chdir(before)


def _write_study(source: str, name: str | None, outside: str, calibrate: bool) -> None:
    """Write config/NAME.yaml and say what was found. `outside`: where a relative `source` counts from."""
    settings, dataset = _dataset(source, outside)
    study = _study_name(name, settings)
    path = CONFIG_FOLDER / f"{study}.yaml"
    if path.exists():
        raise UserError(f"{path} is there already, and nothing is overwritten: choose another --name")
    if isinstance(settings, ImageFolder):
        from scalestudy.data.examine import examine

        found = examine(settings)
        facts = _facts_of_folder(study, dataset, found)
        lines = _folder_lines(source, found)
        warned = [*concerns(facts), *_picture_concerns(found)]
    else:
        sizes = settings.known_sizes()
        facts = Facts(
            study,
            dataset,
            train_images=sizes[0] if sizes else None,
            test_images=sizes[1] if sizes else None,
            side=settings.usual_side(),
        )
        what = (
            f"{sizes[0]:,} training and {sizes[1]:,} test images"
            if sizes
            else "sizes are known once it is prepared"
        )
        lines, warned = [f"{settings.default_title()}: {what}"], []
    proposal, price = _affordable(_with_cached_weights(facts), calibrate)
    header = [
        f"{study}: written by `scalestudy new {source}`, by what was found:",
        *(f"  {line}" for line in lines),
    ]
    header += [f"  ! {line}" for line in warned]
    header += [
        f"  left out, so that it ends within {duration(_LONGEST_SECONDS)}: {', '.join(proposal.cut)}"
    ] * bool(proposal.cut)
    header += ["", f"  scalestudy check {study}", f"  scalestudy plan {study}"]
    header += [f"  snakemake --cores all --config study={study}"]
    schema = "study.schema.json" if (CONFIG_FOLDER / "study.schema.json").is_file() else None
    _write_once(
        path, study_text(facts, proposal, [printable(" ".join(line.split("\n"))) for line in header], schema)
    )
    try:
        load_study(study)  # what was written is a study
    except UserError:
        path.unlink()
        raise
    _say(lines, warned, proposal, price, path, study)


def _dataset(source: str, outside: str) -> tuple[DatasetSettings, str | dict[str, Any]]:
    """Return the dataset's settings, and what stands for them in a study file."""
    folder = from_home(Path(outside, source))
    if is_folder(folder):
        keys = {"source": "imagefolder", "folder": os.path.normpath(folder)}
        return parse_dataset(keys), keys
    try:
        return parse_dataset(source), source
    except ValidationError as error:
        if folder.exists():
            raise UserError(
                f"{source} is a file; give the folder that holds one folder of images for each class"
            ) from None
        if os.sep in source:
            raise UserError(f"there is no folder {source} (looked for in {Path.cwd()})") from None
        from scalestudy.study.dataset import sources_by_name

        if source.startswith("huggingface:"):
            raise UserError("; ".join(describe(error, DatasetSettings))) from None
        names = list(sources_by_name())
        raise UserError(
            f"there is no folder {source}, and no dataset of that name{nearest(source, names)}; datasets by name: "
            f"{', '.join(names)}, or huggingface:NAME"
        ) from None


def _study_name(name: str | None, settings: DatasetSettings) -> str:
    wanted = name
    if wanted is None:
        named = (
            Path(settings.folder).resolve().name
            if isinstance(settings, ImageFolder)
            else settings.store_name()
        )
        wanted = slug(named)
    try:
        return safe_name(re.sub(r"\.ya?ml$", "", wanted))
    except ValueError as error:
        raise UserError(f"--name: {error}" if name else f"{error}; choose one by --name") from None


def _facts_of_folder(study: str, dataset: str | dict[str, Any], found: "Examined") -> Facts:
    return Facts(
        study,
        dataset,
        found.classes,
        found.train_counts,
        found.test_counts,
        side=found.sides[len(found.sides) // 2] if found.sides else None,
    )


def _folder_lines(source: str, found: "Examined") -> list[str]:
    """Return what lies in the folder, a line for each kind of thing."""
    split = (
        "a test set of its own" if found.own_test_set else "a fifth of each class split off as test images"
    )
    lines = [
        f"{source}: {counted(len(found.classes), 'class', 'classes')}, {sum(found.train_counts):,} training and "
        f"{sum(found.test_counts):,} test images ({split})"
    ]
    rows = [
        f"{name} {train:,} + {test:,}"
        for name, train, test in zip(found.classes, found.train_counts, found.test_counts, strict=True)
    ]
    lines.append(f"training + test images by class: {', '.join(few(rows, _CLASSES_SHOWN))}")
    suffixes = ", ".join(f"{count:,} {suffix}" for suffix, count in found.suffixes.most_common())
    lines.append(f"files: {suffixes}")
    if found.sides:
        middle = found.sides[len(found.sides) // 2]
        least, most = found.sides[0], found.sides[-1]
        spread = (
            f"{least:,} to {most:,} pixels, half of them {middle:,} or more"
            if least < most
            else f"{least:,} pixels"
        )
        lines.append(f"of {counted(found.looked_at, 'picture')} looked at, the shorter side has {spread}")
    lines += found.notes
    lines += [f"not used: {line}" for line in found.left_out]
    return lines


def _picture_concerns(found: "Examined") -> list[str]:
    """Return what a person should know of the pictures themselves."""
    looked, lines = found.looked_at, []
    deep = sum(count for mode, count in found.modes.items() if mode.startswith("I"))
    if deep:
        lines.append(f"{deep} of {looked} pictures looked at have 16 bits a pixel: they are scaled to 8")
    lines += [f"{count} of {looked} pictures looked at: {remark}" for remark, count in found.remarks.items()]
    if 2 * found.elongated >= looked:
        lines.append(
            f"{found.elongated} of {looked} pictures looked at are 1.5 times as long as wide or more: only the square "
            "in their middle is used"
        )
    if found.unreadable:
        lines.append(
            f"{len(found.unreadable)} of {looked} pictures looked at cannot be read, such as {found.unreadable[0]}: "
            "mend or remove them, or set `bad_files: skip`"
        )
    return lines


def _with_cached_weights(facts: Facts) -> Facts:
    """Return the facts with the initial weights that need no download: in torch's cache for every proposed model."""
    from scalestudy.study.paths import torch_cache

    models = [model_of(name) for name in propose(facts).models]
    names = [
        name
        for name in models[0].weights
        if all(
            name in each.weights and (torch_cache() / each.weights[name].file_name).is_file()
            for each in models
        )
    ]
    return replace(facts, cached=names)


def _affordable(facts: Facts, calibrate: bool) -> tuple[Proposal, "Price"]:
    """Return the proposal that ends in time on this machine, and what it takes."""
    from scalestudy.workflow.price import price

    proposal: Proposal = propose(facts)
    while True:
        study, runs = _planned(facts, proposal)
        found = price(study, runs, calibrate=calibrate)
        if found.seconds is None or found.seconds <= _LONGEST_SECONDS:
            return proposal, found
        cheaper = lighter(proposal, facts)
        if cheaper is None:
            return proposal, found
        proposal = cheaper


def _planned(facts: Facts, proposal: Proposal) -> tuple[Study, list[Run]]:
    from scalestudy.study.yaml_text import parse_yaml

    content = parse_yaml(study_text(facts, proposal, [], None), facts.name)
    study = Study.model_validate({**content, "name": facts.name})
    return study, plan_runs(study)


def _write_once(path: Path, text: str) -> None:
    """Write a file that is not there, and only then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(
            f"{path} is there already, and nothing is overwritten: choose another --name"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None


def _say(
    lines: list[str], warned: list[str], proposal: Proposal, price: "Price", path: Path, study: str
) -> None:
    from scalestudy.cli.study import price_in_words, unsized_lines

    first, *others = lines
    print(first)
    for line in others:
        print(f"  {line}")
    for line in warned:
        print(f"  ! {line}")
    print(f"{path}: {price_in_words(price)}")
    if proposal.cut:
        print(f"  left out, so that it ends within {duration(_LONGEST_SECONDS)}: {listing(proposal.cut)}")
    for line in unsized_lines(price, f"snakemake data --config study={study}"):
        print(line)
    print("read it, change what you like, then:")
    print(f"  scalestudy plan {study}")
    print(f"  snakemake --cores all --config study={study}")
