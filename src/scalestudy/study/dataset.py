"""The settings of a dataset: where its images come from and how they are read."""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from scalestudy.study.parse import format_fraction, parse_fraction, parse_integer, parse_number

SourceName = Literal["digits", "glyphs", "cifar10", "cifar100", "imagefolder"]
SOURCES: tuple[str, ...] = get_args(SourceName)

# The settings of each source with their defaults, without those that belong to all of them.
_CIFAR: dict[str, Any] = {"mirror": None, "archive": None, "download_timeout": 600.0}
SETTINGS_OF: dict[str, dict[str, Any]] = {
    "digits": {"test_fraction": Fraction(1, 5), "split_seed": 0},
    "glyphs": {"train_images": 8000, "test_images": 1000, "split_seed": 0},
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
    "imagefolder": {
        "folder": None,
        "test_fraction": Fraction(1, 5),
        "split_seed": 0,
        "bad_files": "stop",
        "empty_classes": "stop",
        "background": "#ffffff",
    },
}

_OF_EVERY_SOURCE = ("source", "title", "num_classes")

# These say how to get at the data, check it or call it; the content is the same whatever they are.
_NO_PART_OF_THE_CONTENT = ("title", "mirror", "archive", "download_timeout", "num_classes")


def _optional(parse: Callable[[object], Any]) -> BeforeValidator:
    """Return a validator that parses a value, and lets None (not set) pass."""
    return BeforeValidator(lambda value: None if value is None else parse(value))


def _schema(json_type: str) -> WithJsonSchema:
    """Return a JSON schema that takes a number, its text as the parser does, or null (not set)."""
    return WithJsonSchema({"anyOf": [{"type": json_type}, {"type": "string"}, {"type": "null"}]})


Integer = Annotated[int | None, _optional(parse_integer), _schema("integer")]
Seconds = Annotated[float | None, _optional(parse_number), _schema("number")]
Share = Annotated[
    Fraction | None,
    _optional(parse_fraction),
    PlainSerializer(lambda value: None if value is None else format_fraction(value)),
    _schema("number"),
]


class DatasetSettings(BaseModel):
    """What a dataset is made from.

    A setting that belongs to the source has its default where it is left out; one that does not is None, and
    giving it is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)

    source: SourceName = Field(
        description="digits: scikit-learn's 1,797 handwritten digits. glyphs: letters and digits drawn from "
        "matplotlib's fonts. cifar10, cifar100: the published archives. imagefolder: a folder of images for "
        "each class."
    )
    title: str | None = Field(
        None,
        min_length=1,
        description="What the report calls the dataset; a name for its source where left out.",
    )
    folder: str | None = Field(
        None,
        min_length=1,
        description="imagefolder (needed): the folder that holds train/<class>/ and test/<class>/, or only "
        "<class>/.",
    )
    mirror: str | None = Field(
        None,
        description="cifar10, cifar100: URL of the archive at another host; it must have the published MD5.",
    )
    archive: str | None = Field(
        None,
        min_length=1,
        description="cifar10, cifar100: path of the archive, read in place where it is there and fetched to "
        "where it is not; data/downloads/<published file name> where left out.",
    )
    download_timeout: Seconds = Field(
        None, gt=0, description="cifar10, cifar100: longest time for fetching the archive, in seconds; 600."
    )
    test_fraction: Share = Field(
        None,
        gt=0,
        lt=1,
        description="digits, imagefolder without test/: share of the images that becomes the test set; 1/5.",
    )
    split_seed: Integer = Field(
        None,
        ge=0,
        description="digits, imagefolder, glyphs: seed of the split into training and test images, or of the "
        "drawing; 0.",
    )
    bad_files: Literal["stop", "skip"] | None = Field(
        None, description="imagefolder: what to do about images that cannot be read; stop."
    )
    empty_classes: Literal["stop", "allow"] | None = Field(
        None, description="imagefolder: what to do about a class without training images; stop."
    )
    background: str | None = Field(
        None,
        description="imagefolder: the colour behind transparent pixels, as #rrggbb; #ffffff.",
    )
    train_images: Integer = Field(None, ge=1, description="glyphs: how many training images to draw; 8000.")
    test_images: Integer = Field(None, ge=1, description="glyphs: how many test images to draw; 1000.")
    num_classes: Integer = Field(
        None, ge=1, description="How many classes there must be; not checked where left out."
    )

    @model_validator(mode="before")
    @classmethod
    def _belonging_to_the_source(cls, value: Any) -> Any:
        """Refuse what the source does not take; fill in the source's defaults."""
        source = value.get("source") if isinstance(value, Mapping) else None
        if not isinstance(source, str) or source not in SETTINGS_OF:
            return value  # the fields' own validation says what is wrong
        own = SETTINGS_OF[source]
        given = {key: each for key, each in value.items() if each is not None}
        strange = [key for key in given if key in cls.model_fields and key not in own]
        strange = [key for key in strange if key not in _OF_EVERY_SOURCE]
        if strange:
            raise ValueError(
                f"{strange[0]} does not belong to the source {source}, "
                f"which takes {', '.join([*own, 'title', 'num_classes'])}"
            )
        if source == "imagefolder" and value.get("background", "") is None:
            raise ValueError(
                'background is empty: write the colour in quotes, "#ffffff" (# starts a comment)'
            )
        if source == "imagefolder" and "folder" not in given:
            raise ValueError("the source imagefolder needs `folder`, the path of the images")
        return {**own, **given}

    @field_validator("folder", "archive", mode="before")
    @classmethod
    def _as_utf8(cls, value: object) -> object:
        """Undo Python's escapes in a path from the command line under a locale that is not UTF-8."""
        if not isinstance(value, str):
            return value
        try:
            return value.encode("utf-8", "surrogateescape").decode("utf-8")
        except UnicodeError:
            raise ValueError(f"{value!a} is not a path in UTF-8; rename it") from None

    @field_validator("mirror")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://\S+", value):
            raise ValueError(f"{value!r} is not a URL that starts with http:// or https://")
        return value

    @field_validator("background")
    @classmethod
    def _is_colour(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            raise ValueError(f"{value!r} is not a colour such as #ffffff")
        return None if value is None else value.lower()


def identity(settings: DatasetSettings) -> dict[str, Any]:
    """Return the settings that determine the content, as JSON values: equal ones name one dataset store."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in values.items() if key not in _NO_PART_OF_THE_CONTENT}
