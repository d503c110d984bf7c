"""`scalestudy prepare`: make a dataset store."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from scalestudy.errors import UserError
from scalestudy.study.dataset import DatasetSettings


def _flag(key: str) -> Any:
    """Return the flag of a dataset's setting, with the setting's own description as its help."""
    return typer.Option(help=DatasetSettings.model_fields[key].description, show_default=False)


def prepare(
    source: Annotated[str, _flag("source")],
    output: Annotated[Path, typer.Option(help="Folder of the store, such as data/pets.")],
    image_size: Annotated[int, typer.Option(min=1, help="Height and width of the images, in pixels.")] = 32,
    folder: Annotated[str | None, _flag("folder")] = None,
    mirror: Annotated[str | None, _flag("mirror")] = None,
    archive: Annotated[str | None, _flag("archive")] = None,
    download_timeout: Annotated[str | None, _flag("download_timeout")] = None,
    test_fraction: Annotated[str | None, _flag("test_fraction")] = None,
    split_seed: Annotated[str | None, _flag("split_seed")] = None,
    bad_files: Annotated[str | None, _flag("bad_files")] = None,
    empty_classes: Annotated[str | None, _flag("empty_classes")] = None,
    background: Annotated[str | None, _flag("background")] = None,
    train_images: Annotated[str | None, _flag("train_images")] = None,
    test_images: Annotated[str | None, _flag("test_images")] = None,
    num_classes: Annotated[str | None, _flag("num_classes")] = None,
) -> None:
    """Read, check and resize a dataset once, into a store that every run maps into memory."""
    values = locals()
    given = {key: values[key] for key in DatasetSettings.model_fields if values.get(key) is not None}
    try:
        settings = DatasetSettings.model_validate(given)
    except ValidationError as error:
        from scalestudy.study.config import describe

        raise UserError("\n".join(describe(error, DatasetSettings))) from None

    from scalestudy.data.prepare import prepare_dataset

    prepare_dataset(settings, image_size, output)
