"""The names of runs, datasets and weights: readable, sortable, safe in a path, unique.

A name ends in eight hexadecimal digits of a SHA-256 over everything that makes the thing what it is. Settings at
their default are left out of it, so that a later version with a new setting keeps the old names.
"""

import hashlib
import json
import math
import re
import unicodedata
from fractions import Fraction
from typing import Any

from scalestudy.study.dataset import DatasetSettings
from scalestudy.study.parse import format_number
from scalestudy.study.settings import RunSettings

LONGEST_NAME = 64
"""Characters: 192 bytes in most scripts, so that a file's name with endings and temporary parts stays within 255."""
_NO_TEXT_IN_TABLES = ("none", "null", "nan", "na", "n.a", "true", "false", "inf", "infinity")


def run_name(settings: RunSettings, dataset: str, weights: str | None, normalization: str) -> str:
    """Return the run's name, such as `resnet18_none_f1of16_adam_lr1e-3_b256_s0-3f9a1c2b`."""
    identity = {
        "settings": _changed(settings),
        "dataset": dataset,
        "weights": weights,
        "normalization": normalization,
    }
    return f"{_readable(settings, settings.init)}-{short_hash(identity)}"


def upstream_name(init: str, settings: RunSettings, dataset: str, task: str, normalization: str) -> str:
    """Return the name of an upstream stage's weights, such as `glyphs_resnet18-1c2d3e4f`."""
    identity = {
        "settings": _changed(settings),
        "dataset": dataset,
        "task": task,
        "normalization": normalization,
    }
    return f"{slug(init)}_{slug(settings.model)}-{short_hash(identity)}"


def dataset_name(dataset: DatasetSettings, image_size: int) -> str:
    """Return the name of a dataset store, such as `digits-32px-5e6f7a8b`."""
    return f"{slug(dataset.store_name())}-{image_size}px-{short_hash([dataset.identity(), image_size])}"


def safe_name(name: str) -> str:
    """Return a name that is safe in a path, a shell, a URL and a workflow's pattern: composed (Unicode NFC).

    Letters and digits of any language, `-`, `_` and `.`; the first one a letter or digit. Raises ValueError.
    """
    name = unicodedata.normalize("NFC", name)
    fits = all(unicodedata.category(character)[0] in "LMN" or character in "-_." for character in name)
    if not (fits and name[:1].isalnum() and not name.endswith(".") and len(name) <= LONGEST_NAME):
        shown = name if len(name) <= 40 else f"{name[:40]}... ({len(name)} characters)"
        raise ValueError(
            f"{shown!r} cannot be a name: a name has letters, digits, '-', '_' and '.', at most {LONGEST_NAME} "
            "of them, the first a letter or digit, the last no dot"
        )
    return name


def name_in_tables(name: str) -> str:
    """Return a name that is safe as `safe_name` has it, and that a table's reader takes for text; ValueError else."""
    name = safe_name(name)
    try:
        number = math.isfinite(float(name))
    except ValueError:
        number = False
    if number or name.lower() in _NO_TEXT_IN_TABLES:
        raise ValueError(
            f"{name!r} cannot be a name: tables such as results.csv would be read back with a number or a missing "
            "value in its place; begin it with a word"
        )
    return name


def slug(text: str) -> str:
    """Return `text` with everything but ASCII letters, digits, dot and underscore turned into `-`."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "x"


def fraction_label(value: Fraction) -> str:
    """Return a fraction as it stands in a name: `f1of16`, or `f1` for a whole."""
    return f"f{value.numerator}" if value.denominator == 1 else f"f{value.numerator}of{value.denominator}"


def short_hash(value: Any) -> str:
    """Return the first eight hexadecimal digits of the SHA-256 of `value`'s canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _changed(settings: RunSettings) -> dict[str, Any]:
    """Return the settings that differ from their defaults, as JSON values."""
    return settings.model_dump(mode="json", exclude_defaults=True)


def _readable(settings: RunSettings, init: str) -> str:
    return "_".join(
        [
            slug(settings.model),
            slug(init),
            fraction_label(settings.fraction),
            settings.optimizer,
            f"lr{format_number(settings.lr)}",
            f"b{settings.batch_size}",
            f"s{settings.seed}",
        ]
    )
