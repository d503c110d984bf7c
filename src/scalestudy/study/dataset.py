"""The settings of a dataset: where its images come from and how they are read. One class for each kind of source.

A new source is one class here, named in `DatasetSettings`, and the module of `scalestudy.data.sources` that its
`module` names. Flags of `scalestudy prepare`, schema, documentation and messages follow from the class.
"""

import json
import os
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from scalestudy.errors import nearest
from scalestudy.files import from_home, is_folder
from scalestudy.study.settings import Integer, Number, OneLine, Share
from scalestudy.study.torchvision_datasets import TORCHVISION

TestFraction = Annotated[
    Share, Field(gt=0, lt=1, description="Share of the images that becomes the test set.")
]
SplitSeed = Annotated[
    Integer, Field(ge=0, description="Seed of the split into training and test images, or of the drawing.")
]


def _as_utf8(value: object) -> object:
    """Undo Python's escapes in a path from the command line under a locale that is not UTF-8."""
    if not isinstance(value, str):
        return value
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise ValueError(f"{value!a} is not a path in UTF-8; rename the file or folder") from None


PathText = Annotated[str, BeforeValidator(_as_utf8), Field(min_length=1)]


class SourceSettings(BaseModel):
    """What every source has. The first line of a source's docstring says what it is, in documents and help."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)

    module: ClassVar[str]
    """The module of `scalestudy.data.sources` that reads this source."""
    no_part_of_the_content: ClassVar[tuple[str, ...]] = ()
    """Settings that say how to get at the data; the images are the same whatever they are."""
    decodes_files: ClassVar[bool] = False
    """Whether preparing means decoding image files, which is worth many CPU cores."""

    source: str
    title: OneLine | None = Field(
        None,
        min_length=1,
        description="What the report calls the dataset; a name for its source where left out.",
    )
    num_classes: Integer | None = Field(
        None, ge=1, description="How many classes there must be; not checked where left out."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: Any) -> Any:
        """Take a key without a value (`archive:`) as one that is not there."""
        if not isinstance(value, Mapping):
            return value
        return {key: each for key, each in value.items() if each is not None}

    def store_name(self) -> str:
        """Return what the folder of the prepared dataset begins with."""
        return self.source

    @abstractmethod
    def default_title(self) -> str:
        """Return what the report calls the dataset where the study gives no title."""

    def known_sizes(self) -> tuple[int, int] | None:
        """Return the training and test images, where they are known before anything is read."""
        return None

    def usual_side(self) -> int | None:
        """Return the shorter side of most pictures, in pixels, where it is known before anything is read."""
        return None

    def extra_bytes(self) -> int:
        """Return the bytes of disk that preparing takes beside the store: archives, and what they unpack to."""
        return 0

    def identity(self) -> dict[str, Any]:
        """Return the settings that determine the content, as JSON values: equal ones name one dataset store."""
        values = self.model_dump(mode="json", exclude_none=True, exclude={"title", "num_classes"})
        if "folder" in values:  # `pics/` is `pics`
            values["folder"] = os.path.normpath(values["folder"])
        return {key: value for key, value in values.items() if key not in self.no_part_of_the_content}


class Digits(SourceSettings):
    """scikit-learn's 1,797 handwritten digits."""

    module = "digits"

    source: Literal["digits"]
    test_fraction: TestFraction = Fraction(1, 5)
    split_seed: SplitSeed = 0

    def default_title(self) -> str:
        return "scikit-learn's handwritten digits"

    def known_sizes(self) -> tuple[int, int]:
        test = round(1797 * float(self.test_fraction))
        return 1797 - test, test

    def usual_side(self) -> int:
        return 8


class Glyphs(SourceSettings):
    """Letters and digits drawn from matplotlib's fonts."""

    module = "glyphs"

    source: Literal["glyphs"]
    split_seed: SplitSeed = 0
    train_images: Integer = Field(8000, ge=1, description="How many training images to draw.")
    test_images: Integer = Field(1000, ge=1, description="How many test images to draw.")

    def default_title(self) -> str:
        return "letters and digits drawn from fonts"

    def known_sizes(self) -> tuple[int, int]:
        return self.train_images, self.test_images


class Cifar(SourceSettings):
    """The published archive of CIFAR-10 or CIFAR-100 (Krizhevsky, 2009), or one's own in its format."""

    module = "cifar"
    no_part_of_the_content = ("mirror", "archive", "download_timeout")

    source: Literal["cifar10", "cifar100"]
    mirror: str | None = Field(
        None,
        description="URL of the archive at another host (http, https, or file:///path); it must have the published "
        "MD5, or the one that `md5` says.",
    )
    archive: PathText | None = Field(
        None,
        description="Path of the archive, read in place where it is there and fetched to where it is not; "
        "a file in data/downloads where left out.",
    )
    md5: str | None = Field(
        None,
        description="MD5 (32 hex digits) of an archive of one's own, such as a class's subset in the published "
        "format: a tar file with data_batch_1 and so on (train for CIFAR-100), test_batch (test) and batches.meta "
        "(meta). Needs `archive` or `mirror`. The published MD5 where left out.",
    )
    download_timeout: Number = Field(
        600.0, gt=0, description="Longest time for fetching the archive, in seconds."
    )

    @field_validator("mirror")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(https?://|file:///)\S+", value):
            raise ValueError(f"{value!r} is not a URL that starts with http://, https:// or file:///")
        return value

    @field_validator("md5")
    @classmethod
    def _is_md5(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9a-fA-F]{32}", value):
            raise ValueError(f"{value!r} is not an MD5 of 32 hex digits; `md5sum FILE` prints it")
        return None if value is None else value.lower()

    @model_validator(mode="after")
    def _own_archive_is_somewhere(self) -> "Cifar":
        if self.md5 is not None and self.archive is None and self.mirror is None:
            raise ValueError(
                "md5 says that the archive is one's own: say where it is with `archive` or `mirror`"
            )
        return self

    def default_title(self) -> str:
        title = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}[self.source]
        return title if self.md5 is None else f"{title} (an archive of one's own)"

    def known_sizes(self) -> tuple[int, int] | None:
        return (50_000, 10_000) if self.md5 is None else None

    def usual_side(self) -> int:
        return 32

    def extra_bytes(self) -> int:
        given = from_home(self.archive) if self.archive is not None else None
        if given is not None and given.is_file():
            return given.stat().st_size  # unpacked while it is read
        return 2 * {"cifar10": 170_498_071, "cifar100": 169_001_437}[self.source]


class ImageFolder(SourceSettings):
    """A folder of images with one folder for each class."""

    module = "imagefolder"
    decodes_files = True

    source: Literal["imagefolder"]
    folder: PathText = Field(
        description="The folder that holds train/<class>/ and test/<class>/, or only <class>/."
    )
    test_fraction: TestFraction = Field(
        Fraction(1, 5), description="Share of the images that becomes the test set where there is no test/."
    )
    split_seed: SplitSeed = 0
    bad_files: Literal["stop", "skip"] = Field(
        "stop", description="What to do about images that cannot be read."
    )
    empty_classes: Literal["stop", "allow"] = Field(
        "stop", description="What to do about a class without training images."
    )
    background: str = Field("#ffffff", description="The colour behind transparent pixels, as #rrggbb.")

    @model_validator(mode="before")
    @classmethod
    def _background_in_quotes(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("background", "") is None:
            raise ValueError(
                'background is empty: write the colour in quotes, "#ffffff" (# starts a comment)'
            )
        return value

    @field_validator("background")
    @classmethod
    def _is_colour(cls, value: str) -> str:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            raise ValueError(f"{value!r} is not a colour such as #ffffff")
        return value.lower()

    def default_title(self) -> str:
        return "Image folder"


def _parse_options(value: object) -> object:
    """Return a mapping of options; the command line gives it as JSON or YAML text."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ValueError(f"{value!r} is not a mapping such as {{split: letters}}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping such as {{split: letters}}")
    return dict(value)


Options = Annotated[
    dict[str, Any],
    BeforeValidator(_parse_options),
    PlainSerializer(lambda value: json.dumps(value, sort_keys=True), return_type=str, when_used="json"),
    WithJsonSchema({"type": "object"}),
]


class Torchvision(SourceSettings):
    """A classification dataset of torchvision by its name, such as FashionMNIST, with torchvision's downloads."""

    module = "torchvision_datasets"
    decodes_files = True
    no_part_of_the_content = ("root",)

    source: Literal["torchvision"]
    name: str = Field(description=f"One of {', '.join(TORCHVISION)}.")
    root: PathText | None = Field(
        None,
        description="Folder below which torchvision looks for the dataset's files, and downloads them to; "
        "data/downloads/torchvision where left out.",
    )
    options: Options | None = Field(
        None,
        description="Further arguments of torchvision's class, for both splits, such as {split: letters} for EMNIST.",
    )
    test_fraction: TestFraction = Field(
        Fraction(1, 5),
        description="Share of the images that becomes the test set where the dataset has none.",
    )
    split_seed: SplitSeed = 0

    @field_validator("name")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in TORCHVISION:
            raise ValueError(
                f"{value!r} is no classification dataset of torchvision{nearest(value, TORCHVISION)}; there are "
                f"{', '.join(TORCHVISION)}"
            )
        return value

    @model_validator(mode="after")
    def _options_leave_the_splits_apart(self) -> "Torchvision":
        train, test, _ = TORCHVISION[self.name]
        kept = {key for key in train if test is not None and train[key] != test[key]}
        for key in self.options or {}:
            if key in kept or key in ("root", "download", "transform", "target_transform", "transforms"):
                raise ValueError(f"options.{key} is set by the source itself; take it out")
        return self

    def default_title(self) -> str:
        return self.name

    def store_name(self) -> str:
        return self.name

    def usual_side(self) -> int:
        return TORCHVISION[self.name].side

    def identity(self) -> dict[str, Any]:
        values = super().identity()
        split_off = TORCHVISION[self.name].test is None
        return {k: v for k, v in values.items() if split_off or k not in ("test_fraction", "split_seed")}


class HuggingFace(SourceSettings):
    """An image classification dataset of the Hugging Face Hub, by its name; needs the package datasets."""

    module = "huggingface"
    decodes_files = True

    source: Literal["huggingface"]
    name: PathText = Field(
        description="Its name on the Hub, such as beans or user/flowers, or a local folder in a format that the "
        "library `datasets` reads."
    )
    configuration: str | None = Field(
        None, min_length=1, description="Which configuration, where the dataset has several."
    )
    revision: str | None = Field(
        None, min_length=1, description="Commit, tag or branch on the Hub; a commit for a study that lasts."
    )
    train_split: str = Field("train", min_length=1, description="The split to train on.")
    test_split: str | None = Field(
        None,
        min_length=1,
        description="The split to test on; test, else validation, where left out. Where there is none, "
        "`test_fraction` of the training split.",
    )
    image_column: str | None = Field(
        None, min_length=1, description="The column of the images; found where there is only one."
    )
    label_column: str | None = Field(
        None, min_length=1, description="The column of the classes; found where there is only one."
    )
    test_fraction: TestFraction = Field(
        Fraction(1, 5),
        description="Share of the training split that becomes the test set where there is none.",
    )
    split_seed: SplitSeed = 0

    def default_title(self) -> str:
        return self.store_name()

    def store_name(self) -> str:
        return self.name.rstrip("/").rpartition("/")[2] or self.name


class _OrItsName:
    """Lets the JSON schema take a source's name beside its settings."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        names: list[dict[str, Any]] = [
            {"enum": list(sources_by_name())},
            {"type": "string", "pattern": "^huggingface:."},
        ]
        return {"anyOf": [*names, handler(core)]}


def _named(value: object) -> object:
    """Return the settings that a name stands for: a source's own, one of torchvision's, or `huggingface:NAME`."""
    if not isinstance(value, str):
        return value
    source, _, name = value.partition(":")
    if source == "huggingface":
        return {"source": source, "name": name}
    if value in TORCHVISION:
        return {"source": "torchvision", "name": value}
    if value not in SOURCES and ("/" in value or "\\" in value or is_folder(from_home(value))):
        raise ValueError(
            f"{value!r} looks like a folder; for a folder of images write {{source: imagefolder, folder: {value}}}"
        )
    if value not in SOURCES and (alike := nearest(value, TORCHVISION)) and not nearest(value, SOURCES):
        raise ValueError(
            f"{value!r} is no dataset that is known by its name{alike}; there are {', '.join(sources_by_name())}"
        )
    return {"source": value}


_AnySource = Digits | Glyphs | Cifar | ImageFolder | Torchvision | HuggingFace
DatasetSettings = Annotated[_AnySource, Field(discriminator="source"), BeforeValidator(_named), _OrItsName()]
"""What a dataset is made from: the settings of one source, or a source's name alone."""

SOURCE_CLASSES: tuple[type[SourceSettings], ...] = get_args(_AnySource)
SOURCES: dict[str, type[SourceSettings]] = {
    name: each for each in SOURCE_CLASSES for name in get_args(each.model_fields["source"].annotation)
}
"""Every source by its name."""

_ADAPTER: TypeAdapter[Any] = TypeAdapter(DatasetSettings)


def parse_dataset(value: object) -> DatasetSettings:
    """Return the settings that a mapping, or a source's name, says; raises pydantic's ValidationError."""
    settings: DatasetSettings = _ADAPTER.validate_python(value)
    return settings


def sources_by_name() -> Iterable[str]:
    """Return the datasets that need no setting but their name: sources, and those of torchvision."""
    plain = [
        name
        for name, each in SOURCES.items()
        if not any(field.is_required() for key, field in each.model_fields.items() if key != "source")
    ]
    return [*plain, *TORCHVISION]
