"""`scalestudy prepare`: make a dataset store."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from scalestudy.cli.flags import Flag, as_flags, with_flags
from scalestudy.errors import UserError
from scalestudy.study.dataset import SOURCES, DatasetSettings, parse_dataset
from scalestudy.study.faults import describe
from scalestudy.study.keys import default_text, help_text, source_names


def _flags() -> dict[str, Flag]:
    """Return every setting that a source can have, each once; the help says what it means to which sources."""
    meanings: dict[str, dict[str, list[str]]] = {}  # key -> meaning -> sources
    for name, each in SOURCES.items():
        for key, field in each.model_fields.items():
            default = default_text(field)
            text = help_text(field) + (f" Default: {default}." if default else "")
            meanings.setdefault(key, {}).setdefault(text, []).append(name)
    sources = "; ".join(f"{' or '.join(names)}: {what.rstrip('.')}" for names, what in source_names())
    flags = {"source": Flag(f"{sources}.", needed=True)}
    for key, texts in meanings.items():
        if key not in ("source", "title"):  # the title is the report's affair alone
            of_all = len(next(iter(texts.values()))) == len(SOURCES)
            flags[key] = Flag(
                next(iter(texts))
                if of_all
                else " ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())
            )
    return flags


@with_flags(_flags())
def prepare(
    *,
    given: dict[str, str],
    output: Annotated[Path, typer.Option(help="Folder of the store, such as data/pets.")],
    image_size: Annotated[int, typer.Option(min=1, help="Height and width of the images, in pixels.")] = 32,
) -> None:
    """Read, check and resize a dataset once, into a store that every run maps into memory."""
    try:
        settings = parse_dataset(given)
    except ValidationError as error:
        raise UserError("\n".join(as_flags(describe(error, DatasetSettings), _flags()))) from None

    from scalestudy.data.prepare import prepare_dataset

    prepare_dataset(settings, image_size, output)
