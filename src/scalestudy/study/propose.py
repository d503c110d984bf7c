"""A first study of a dataset: sensible settings by what is known of it, each with its reason. Pure, without torch."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from scalestudy.study.budget import batches_per_epoch
from scalestudy.study.parse import format_fraction

_FRACTIONS = [Fraction(1, 2**power) for power in range(10)]  # 1, 1/2, ... 1/512
_MOST_FRACTIONS = 4
_IMAGES_OF_A_CLASS = 5  # that the smallest class should keep in the smallest subset
_STEPS = 100  # optimizer steps of the smallest subset: fewer leave a model near chance
_TOO_FEW = 5  # training images of a class from which nothing is learnt
_LOPSIDED = 0.6  # share of one class from which accuracy says little
_PHOTOGRAPHS = 48  # pixels of the shorter side from which 32 loses what can be seen


@dataclass(frozen=True)
class Facts:
    """What is known of a dataset before it is prepared; None: nobody knows yet.

    dataset: what stands under `dataset:` in the study. Counts are by class, in the order of `classes`; side is the
    usual shorter side of a picture, in pixels. cached: initial weights that lie in torch's cache for all models.
    """

    name: str
    dataset: str | Mapping[str, Any]
    classes: Sequence[str] = ()
    train_counts: Sequence[int] | None = None
    test_counts: Sequence[int] | None = None
    train_images: int | None = None
    test_images: int | None = None
    side: int | None = None
    cached: Sequence[str] = ()

    @property
    def images(self) -> int | None:
        """Training images."""
        return sum(self.train_counts) if self.train_counts is not None else self.train_images


@dataclass(frozen=True)
class Proposal:
    """The settings of a first study. `reasons` has a comment for each key; `cut` says what was left out for time."""

    models: tuple[str, ...]
    fractions: tuple[Fraction, ...]
    image_size: int
    batch_size: int
    epochs: int
    seeds: tuple[int, ...]
    inits: tuple[str, ...] = ("none",)
    reasons: Mapping[str, str] = field(default_factory=dict)
    cut: tuple[str, ...] = ()


def propose(facts: Facts) -> Proposal:
    """Return a first study: two sizes of one family, up to four fractions, three seeds."""
    size, why_size = _image_size(facts)
    fractions, why_fractions = _fractions(facts)
    batch, epochs, why_batch, why_epochs = _batch_and_epochs(facts, fractions[0])
    inits = ("none", *facts.cached[:1])
    return Proposal(
        models=("resnet18", "resnet50"),
        fractions=tuple(fractions),
        image_size=size,
        batch_size=batch,
        epochs=epochs,
        seeds=(0, 1, 2),
        inits=inits,
        reasons={
            "image_size": why_size,
            "fraction": why_fractions,
            "batch_size": why_batch,
            "epochs": why_epochs,
            "seed": "three seeds: one run each could decide nothing",
            "model": "11 and 24 million parameters; any of torchvision's, or timm:NAME",
        },
    )


def lighter(proposal: Proposal, facts: Facts) -> Proposal | None:
    """Return the next cheaper version of a study, which says what it left out; None where there is none."""
    if len(proposal.seeds) > 1:
        changed = replace(proposal, seeds=proposal.seeds[:1])
        return _cut(
            changed,
            "one seed instead of three",
            "seed",
            "one seed, to save time: [0, 1, 2] lets the report decide",
        )
    if proposal.epochs > 5:
        changed = replace(proposal, epochs=max(5, proposal.epochs // 2))
        return _cut(
            changed, f"{changed.epochs} of {proposal.epochs} epochs", "epochs", "fewer than would be good"
        )
    if proposal.image_size > 32:
        changed = replace(proposal, image_size=32)
        return _cut(
            changed,
            f"32 of {proposal.image_size} pixels",
            "image_size",
            f"{proposal.image_size} would be better",
        )
    if len(proposal.fractions) > 2:
        left = proposal.fractions[-1]
        changed = replace(proposal, fractions=proposal.fractions[:-1])
        text = f"up to {format_fraction(changed.fractions[-1])} of the images, not {format_fraction(left)}"
        return _cut(changed, text, "fraction", "the largest ones left out to save time")
    return None


def concerns(facts: Facts) -> list[str]:
    """Return what a person should know of the classes before training: each a sentence."""
    if facts.train_counts is None or not facts.classes:
        return []
    lines = []
    tests = facts.test_counts or [0] * len(facts.train_counts)
    small = [
        (name, train, test)
        for name, train, test in zip(facts.classes, facts.train_counts, tests, strict=True)
        if train < _TOO_FEW
    ]
    for name, train, test in small[:5]:
        lines.append(
            f"class {name} has {train} training and {test} test image{'' if test == 1 else 's'}: too few to learn or "
            "to measure; add some, or take the folder out"
        )
    if len(small) > 5:
        lines.append(f"{len(small) - 5:,} more classes have fewer than {_TOO_FEW} training images")
    measured = [
        each for each, train, test in zip(facts.classes, facts.train_counts, tests, strict=True) if not test
    ]
    untested = [name for name in measured if name not in {name for name, *_ in small}]
    if untested:
        lines.append(f"no test images of class {', '.join(untested[:5])}: its accuracy cannot be measured")
    total = sum(facts.train_counts)
    most, name = max(zip(facts.train_counts, facts.classes, strict=True))
    if most / total >= _LOPSIDED and most / total > 1.2 / len(facts.classes):
        lines.append(
            f"{100 * most / total:.0f} % of the training images are of class {name}: answering it without looking is "
            "right about that often; compare with balanced accuracy, which counts every class alike"
        )
    tested = sum(tests)
    if 0 < tested < 200:
        spread = 196 * math.sqrt(0.25 / tested)
        lines.append(
            f"an accuracy measured on {tested} test images is uncertain by up to {spread:.0f} points either way"
        )
    return lines


def study_text(facts: Facts, proposal: Proposal, header: Sequence[str], schema: str | None) -> str:
    """Return the study as a commented YAML file. `header`: lines of its head; `schema`: path for editors."""
    reasons = proposal.reasons
    lines = [f"# yaml-language-server: $schema={schema}", "#"] if schema else []
    lines += [f"# {line}".rstrip() for line in header]
    lines += [
        "#",
        f"title: {_scalar(f'{facts.name}: model size and training-set size')}",
        *_dataset(facts.dataset),
    ]
    lines += ["", "recipe:"]
    lines += _commented(
        [
            (f"image_size: {proposal.image_size}", reasons["image_size"]),
            (f"batch_size: {proposal.batch_size}", reasons["batch_size"]),
            (f"epochs: {proposal.epochs}", reasons["epochs"]),
            ("optimizer: adam", ""),
            ("lr: 1e-3", ""),
            ("schedule: cosine", "falls to zero, so that the last epoch is a good one"),
            (f"seed: {_listed(proposal.seeds)}", reasons["seed"]),
            ("# augmentation: flip", "where a mirrored picture is still of its class"),
            ("# validation: 1/10", "hold images out, to choose between recipes without the test set"),
        ],
        "  ",
    )
    lines += ["", "experiments:", "  size:", "    title: Model size and training-set size", "    grid:"]
    inits = (f"init: {_listed(proposal.inits)}", "from scratch, and from weights that lie in torch's cache")
    if len(proposal.inits) == 1:
        inits = ("# init: [none, IMAGENET1K_V1]", "ImageNet weights beside, fetched once")
    lines += _commented(
        [
            (f"model: {_listed(proposal.models)}", reasons["model"]),
            (
                f"fraction: {_listed([format_fraction(each) for each in proposal.fractions])}",
                reasons["fraction"],
            ),
            inits,
        ],
        "      ",
    )
    return "\n".join(lines) + "\n"


def _image_size(facts: Facts) -> tuple[int, str]:
    if facts.side is None:
        return 32, "height and width; 64 costs four times as much, and shows more of a photograph"
    if facts.side < _PHOTOGRAPHS:
        return 32, f"height and width; the pictures have about {facts.side} pixels"
    return 64, f"height and width; the pictures have about {facts.side} pixels, 128 costs four times as much"


def _fractions(facts: Facts) -> tuple[list[Fraction], str]:
    """Return fractions in ascending order, and why the smallest is that one."""
    images = facts.images
    if facts.train_counts is not None:
        # A class with next to nothing is named among the concerns; it must not decide for all others.
        smallest = min(
            count for count in facts.train_counts if count >= _TOO_FEW or max(facts.train_counts) < _TOO_FEW
        )
        enough = _IMAGES_OF_A_CLASS if smallest >= 2 * _IMAGES_OF_A_CLASS else 2
        fitting = [each for each in _FRACTIONS if each == 1 or each * smallest >= enough]
        least = min(fitting)
        why = (
            f"at {format_fraction(least)} the smallest class keeps about {math.floor(least * smallest)} of {smallest} "
            "images"
            if least < 1
            else f"the smallest class has only {smallest} images: smaller parts would leave too few"
        )
    elif images is not None:
        fitting = [each for each in _FRACTIONS if each == 1 or each * images >= 200]
        why = f"1 is all {images:,} images"
    else:
        fitting, why = [Fraction(1, 16), Fraction(1, 4), Fraction(1)], "1 is all images"
    fitting = sorted(each for each in fitting if each >= Fraction(1, 64) or each == 1)
    if len(fitting) > _MOST_FRACTIONS:  # evenly spread over the powers of two, both ends kept
        steps = [
            round(place * (len(fitting) - 1) / (_MOST_FRACTIONS - 1)) for place in range(_MOST_FRACTIONS)
        ]
        fitting = [fitting[step] for step in steps]
    return fitting, why


def _batch_and_epochs(facts: Facts, least: Fraction) -> tuple[int, int, str, str]:
    """Return batch size and epochs that give the smallest subset enough steps, and why."""
    images = facts.images
    if images is None:
        return 64, 10, "", "passes over the subset"
    subset = max(2, math.floor(least * images))
    batch = 128
    while batch > 8 and subset < 8 * batch:
        batch //= 2
    steps = batches_per_epoch(subset, batch)
    epochs = min(30, max(5, math.ceil(_STEPS / steps)))
    part = f"{subset:,} images" + (f" (fraction {format_fraction(least)})" if least < 1 else "")
    return (
        batch,
        epochs,
        f"{steps} batches a pass over {part}",
        f"{epochs * steps:,} steps on {part}; larger parts take more",
    )


def _cut(proposal: Proposal, what: str, key: str, reason: str) -> Proposal:
    return replace(proposal, cut=(*proposal.cut, what), reasons={**proposal.reasons, key: reason})


def _dataset(dataset: str | Mapping[str, Any]) -> list[str]:
    if isinstance(dataset, str):
        return [f"dataset: {_scalar(dataset)}"]
    return ["dataset:", *(f"  {key}: {_scalar(value)}" for key, value in dataset.items())]


def _scalar(value: Any) -> str:
    """Return a value as YAML has it; text that could be taken for something else in double quotes."""
    text = str(value)
    plain = text.replace("_", "a").replace("-", "a").isalnum() and text.isascii() and not text[:1].isdigit()
    return (
        text
        if plain and text.lower() not in ("true", "false", "null", "none")
        else json.dumps(text, ensure_ascii=False)
    )


def _listed(values: Sequence[object]) -> str:
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _commented(pairs: Sequence[tuple[str, str]], indent: str) -> list[str]:
    """Return the lines with their comments one under the other."""
    width = max(len(text) for text, _ in pairs)
    return [f"{indent}{text:<{width}}  # {reason}" if reason else f"{indent}{text}" for text, reason in pairs]
