"""Everything that can be known of a study without training: its settings, its data, its initial weights, at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from scalestudy.data.sources import Look, look
from scalestudy.data.subsets import round_half_up
from scalestudy.errors import UserError
from scalestudy.files import read_json
from scalestudy.study import names, paths
from scalestudy.study.config import Study, find_study, load_study, valid_parts
from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.runs import Run, Source, impossible_runs, plan_runs
from scalestudy.study.settings import RunSettings
from scalestudy.training.events import require_tensorboard


@dataclass
class Checked:
    """What a check found. faults: what must be mended before anything is trained; notes: what is good to know.

    study and runs are there where nothing is wrong with the study's file.
    """

    file: Path
    study: Study | None = None
    runs: list[Run] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def gathering(self, what: str | None = None) -> Iterator[None]:
        """Take a UserError of the block as faults, a line each, and go on after it. what: a key of the file."""
        try:
            yield
        except UserError as error:
            prefix = f"{self.file}: {what}: " if what else ""
            self.faults += [prefix + line if line[:1].strip() else line for line in str(error).splitlines()]


def check_study(spec: str, overrides: Mapping[str, object] | None = None) -> Checked:
    """Return all that is wrong with a study, and what is good to know before it runs. Trains and fetches nothing."""
    checked = Checked(find_study(spec))
    with checked.gathering():
        checked.study = load_study(spec, overrides)
    if checked.study is None:  # what can be read of it may be wrong, too
        for part in valid_parts(spec, overrides):
            _check_data(checked, {"dataset": part.dataset}, [])
            _check_weights(checked, part, [])
        return checked
    study = checked.study
    with checked.gathering():
        checked.runs = plan_runs(study)
    if checked.runs:
        checked.notes += [f"left out: {line}" for line in impossible_runs(study)]
    upstream = {
        f"weights.{name}.upstream.dataset": each.upstream.dataset
        for name, each in study.weights.items()
        if each.upstream is not None and each.upstream.dataset is not None
    }
    _check_data(checked, {"dataset": study.dataset, **upstream}, checked.runs)
    _check_weights(checked, study, checked.runs)
    if study.compute.tensorboard:
        with checked.gathering("compute.tensorboard"):
            require_tensorboard()
    return checked


def _check_data(
    checked: Checked, datasets: Mapping[str, DatasetSettings | None], runs: Sequence[Run]
) -> None:
    """Check each dataset, named by its key in the study, and the subsets that runs want of it."""
    upstreams = [run.weights.upstream for run in runs if run.weights and run.weights.upstream]
    for key, settings in datasets.items():
        if settings is None:
            continue
        users = [run for run in (*runs, *upstreams) if run.dataset_settings == settings]
        seen: Look | None = None
        with checked.gathering(key):
            seen = _prepared(settings, users) or look(settings)
        if seen is None:
            continue
        checked.notes += [f"{key}: {note}" for note in seen.notes]
        if seen.sizes and seen.classes:
            for fraction, validation in {
                (run.settings.fraction, run.settings.validation): 0 for run in users
            }:
                with checked.gathering("recipe"):
                    _check_subset(seen.sizes[0], seen.classes, fraction, validation)


def _prepared(settings: DatasetSettings, users: Sequence[Run]) -> Look | None:
    """Return what the record of a prepared dataset says; None where it is not prepared for all its runs."""
    folders = {paths.dataset_folder(names.dataset_name(settings, run.settings.image_size)) for run in users}
    records = [folder / "dataset.json" for folder in folders]
    if not records or not all(record.is_file() for record in records):
        return None
    try:
        info = read_json(records[0])
        counts = [count for count in info["train_counts"] if count]
        return Look((info["train_images"], info["test_images"]), len(counts))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{records[0]} cannot be read ({error}); the next start prepares the data again"
        ) from None


def _check_subset(images: int, classes: int, fraction: Fraction, validation: Fraction) -> None:
    """Raise UserError where a subset is too small, as `data.subsets` will when it is drawn."""
    held_out = round_half_up(validation * images)
    if validation > 0 and held_out == 0:
        raise UserError(
            f"validation: {validation} of {images:,} training images is no image; use {Fraction(1, images)} or more"
        )
    rest = images - held_out
    if (size := round_half_up(fraction * rest)) < classes:
        smallest = f"; use {Fraction(classes, rest)} or more" if rest >= classes else ""
        raise UserError(
            f"fraction: {fraction} of {rest:,} training images is {size}, and a subset needs one image of each of the "
            f"{classes} classes{smallest}"
        )


def _check_weights(checked: Checked, study: Study, runs: Sequence[Run]) -> None:
    """Check the checkpoints that the study names, and say what will be fetched and what no run uses."""
    for name, weights in study.weights.items():
        if runs and not any(run.settings.init == name for run in runs):
            checked.notes.append(f"weights.{name}: no run uses them")
        for model, checkpoint in weights.checkpoints.items():
            served = [
                run.settings for run in runs if (run.settings.init, run.settings.model) == (name, model)
            ]
            if runs and not served:
                checked.notes.append(f"weights.{name}.checkpoints.{model}: no run uses it")
                continue
            with checked.gathering(f"weights.{name}.checkpoints.{model}"):
                _check_checkpoint(checked, Path(checkpoint.file), checkpoint.sha256, model, served)
    for source in {run.weights.name: run.weights for run in runs if run.weights}.values():
        if source.kind == "download" and not _is_there(source):
            checked.notes.append(f"{source.name}.pth is not there yet: it will be fetched from {source.url}")
        if source.kind == "timm" and not paths.weights_record(source.name).is_file():
            checked.notes.append(f"the weights {source.url} are not there yet: timm will fetch them")


def _check_checkpoint(
    checked: Checked, file: Path, sha256: str, model: str, served: Sequence[RunSettings]
) -> None:
    from scalestudy.training.weights import (  # torch, which takes a second
        checkpoint_notes,
        verified_checkpoint,
    )

    path = verified_checkpoint(file, sha256)
    kinds = {(settings.image_size, settings.stem) for settings in served}
    found: dict[str, None] = {}
    for image_size, stem in sorted(kinds):
        found |= dict.fromkeys(checkpoint_notes(path, model, image_size, stem))
    if not kinds:
        found |= dict.fromkeys(checkpoint_notes(path, None))
    checked.notes += [f"{file}: {note}" for note in found]


def _is_there(source: Source) -> bool:
    return (
        paths.weights_record(source.name).is_file() or (paths.torch_cache() / f"{source.name}.pth").is_file()
    )
