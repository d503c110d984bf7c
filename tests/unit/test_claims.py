"""Sentences follow the findings: opposite results give opposite sentences, and noise is called noise."""

import hashlib
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from synthetic import Settings, synthetic_findings

from scalestudy.analysis.claims.facts import short

FIGURES = {
    *(
        "accuracy_by_size",
        "accuracy_by_batch_size",
        "gap_by_size",
        "init_side_by_side",
        "init_gain",
        "effective_data",
    ),
    *(
        "error_scaling",
        "model_size",
        "equal_steps",
        "learning_curves",
        "hyperparameters",
        "cost",
        "reference",
    ),
    *("reliability", "confusion", "per_class", "mistakes", "samples"),
}
TABLES = {
    *(
        "comparison",
        "model_size",
        "data_size",
        "subsets",
        "models",
        "recipe",
        "init_gain",
        "effective_data",
        "scaling",
    ),
    *("overfitting", "equal_steps", "hyperparameters", "best", "reference", "cost", "per_class", "runs"),
}


def scatter(settings: Settings, size: float = 0.004) -> float:
    """Return a small difference between runs, made from their settings."""
    digest = hashlib.sha256(repr(sorted(settings.items(), key=str)).encode()).digest()
    return size * (digest[0] / 255 - 0.5)


def accuracies(
    *, data: float = 0.0, large: float = 0.0, weights: float = 0.0, less_with_data: float = 0.0
) -> Any:
    """Return a study's accuracies: 50 % plus what each factor adds (`data`: from the smallest to all of it)."""

    def accuracy(settings: Settings) -> float:
        share = {"1/16": 0.0, "1/2": 0.5, "1": 1.0}[settings["fraction"]]
        found = 0.5 + data * share + scatter(settings)
        found += large if settings["model"] == "resnet50" else 0.0
        found += weights - less_with_data * share if settings["init"] != "none" else 0.0
        return found

    return accuracy


def sentences(tmp_path: Path, accuracy: Callable[[Settings], float], **options: Any) -> dict[str, str]:
    """Return the text of each section of claims."""
    options = {"seeds": (0, 1, 2), "test_images": 2000, **options}
    found = synthetic_findings(tmp_path, accuracy=accuracy, store=False, **options)
    return {name: "\n".join(claim["text"] for claim in claims) for name, claims in found["claims"].items()}


def test_more_data_ahead_and_more_data_behind_give_opposite_sentences(tmp_path: Path) -> None:
    ahead = sentences(tmp_path / "a", accuracies(data=0.2))
    behind = sentences(tmp_path / "b", accuracies(data=-0.2))
    assert "More training data goes with higher test accuracy in every series" in ahead["key"]
    assert "it rises by" in ahead["key"]
    assert "More training data goes with lower test accuracy in every series" in behind["key"]
    assert "it falls by" in behind["key"]
    assert "more data ahead in 4 of 4 series" in ahead["why"]
    assert "more data ahead in 0 of 4 series and behind in 4" in behind["why"]
    assert "more data does not help over this range" in behind["size"]
    assert re.search(r"Test error falls by \d+", ahead["size"])
    assert re.search(r"Test error grows by \d+", behind["size"])


def test_a_larger_model_ahead_and_one_behind_give_opposite_sentences(tmp_path: Path) -> None:
    ahead = sentences(tmp_path / "a", accuracies(large=0.1))
    behind = sentences(tmp_path / "b", accuracies(large=-0.1))
    assert (
        "The larger ResNet-50 against ResNet-18: from scratch, higher in all three comparisons"
        in ahead["key"]
    )
    assert (
        "The larger ResNet-50 against ResNet-18: from scratch, lower in all three comparisons"
        in behind["key"]
    )
    assert "ResNet-50 from scratch is behind" not in ahead["size"]
    assert "Where ResNet-50 from scratch is behind" in behind["size"]
    assert "The order of the models does not change with the initial weights" in behind["init"]


def test_a_model_that_is_behind_is_read_by_how_it_fits_its_training_images(tmp_path: Path) -> None:
    accuracy = accuracies(large=-0.1)
    under = sentences(tmp_path / "a", accuracy, train_accuracy=lambda settings, test: test + 0.05)
    over = sentences(
        tmp_path / "b",
        accuracy,
        train_accuracy=lambda s, test: 0.99 if s["model"] == "resnet50" else test + 0.05,
    )
    assert "undertrained, or held back by the recipe, rather than overfitted" in under["size"]
    assert "it overfits more than the smaller model" in over["size"]


def test_weights_that_help_and_weights_that_hurt_give_opposite_sentences(tmp_path: Path) -> None:
    helps = sentences(tmp_path / "a", accuracies(data=0.1, weights=0.15))
    hurts = sentences(tmp_path / "b", accuracies(data=0.1, weights=-0.15))
    assert "reach higher test accuracy than from scratch at every point" in helps["key"]
    assert "reach lower test accuracy than from scratch at every point" in hurts["key"]
    assert "are of use here" in helps["init"]
    assert "do not suit this data" in hurts["init"]
    assert "beats from-scratch training on all" in helps["init"]
    assert "falls short of from-scratch training on" in hurts["init"]
    assert "the head start grows over training" in helps["init"]
    assert "the lag grows over training" in hurts["init"]


def test_a_gain_that_falls_and_one_that_rises_with_the_data_give_opposite_sentences(tmp_path: Path) -> None:
    falls = sentences(tmp_path / "a", accuracies(weights=0.2, less_with_data=0.15))
    rises = sentences(tmp_path / "b", accuracies(weights=0.05, less_with_data=-0.15))
    assert re.search(
        r"With more data, the difference that being pretrained .* makes falls for", falls["init"]
    )
    assert re.search(
        r"With more data, the difference that being pretrained .* makes rises for", rises["init"]
    )
    assert "the gain is largest where images and steps are fewest" in falls["init"]
    assert "the gain is largest where images and steps are fewest" not in rises["init"]


def test_weights_that_help_one_model_and_hurt_the_other_change_the_order_of_the_models(
    tmp_path: Path,
) -> None:
    def accuracy(settings: Settings) -> float:
        ahead = (settings["model"] == "resnet50") == (settings["init"] == "none")
        return (0.7 if ahead else 0.5) + scatter(settings)

    found = sentences(tmp_path, accuracy)
    assert "The order of the models changes with the initial weights" in found["init"]
    assert "help at some points and hurt at others" in found["init"]


def test_results_within_noise_are_not_distinguishable_and_nothing_is_claimed(tmp_path: Path) -> None:
    found = sentences(tmp_path, lambda settings: 0.5 + scatter(settings, 0.02), seeds=(0, 1, 2, 3, 4))
    text = "\n".join(found[name] for name in ("key", "size", "init"))
    assert "not distinguishable in all three comparisons" in text
    assert "no sign beyond noise" in found["init"]
    assert not re.search(r"\b(higher|lower) (by|in)\b", text)
    assert "in every series" not in text


@pytest.mark.parametrize("large", [0.1, -0.1])
def test_single_runs_never_differ_without_the_label_of_test_sampling(tmp_path: Path, large: float) -> None:
    found = synthetic_findings(
        tmp_path, accuracy=accuracies(data=0.1, large=large, weights=0.1), test_images=2000, store=False
    )
    for claims in found["claims"].values():
        for claim in claims:
            for verdict in re.finditer(r"\b(higher|lower) (by|in|test accuracy)\b", claim["text"]):
                label = "test-sampling error only" in claim["text"] or "not tested" in claim["text"]
                assert label, (claim["id"], verdict.group(), claim["text"])
    headlines = [found[name]["headline"] for name in ("model_size", "data_size", "transfer")]
    assert all("test-sampling error only" in headline for headline in headlines)
    assert any(
        "how much another seed would change the result is not known" in c["text"]
        for c in found["claims"]["limits"]
    )
    assert "±" not in str(found)


def test_single_runs_within_test_noise_are_not_distinguishable(tmp_path: Path) -> None:
    found = sentences(tmp_path, lambda settings: 0.5 + 0.005 * (settings["model"] == "resnet50"), seeds=(0,))
    assert "not distinguishable in all three comparisons" in found["key"]
    assert "returns" not in found["key"]


def test_the_words_of_a_mended_study_change_with_its_state(tmp_path: Path) -> None:
    broken = {"resnet50_none_f1_": "failed", "resnet18_none_f1of2_": "missing"}
    partial = sentences(tmp_path / "a", accuracies(data=0.1), broken=broken)
    whole = sentences(tmp_path / "b", accuracies(data=0.1))
    assert "30 of 36 runs have a result; three failed and three without result yet" in partial["key"]
    assert "out of memory" in partial["limits"]
    assert "have a result" not in whole["key"] + whole["limits"]


def test_a_study_of_one_cell_still_makes_sentences(tmp_path: Path) -> None:
    found = sentences(
        tmp_path, accuracies(), models=("resnet18",), inits=("none",), fractions=("1",), seeds=(0,)
    )
    assert "The best result is" in found["key"]
    assert "No hyperparameter was searched" in found["limits"]
    assert "selected" not in found["key"]


def test_large_studies_give_tallies_in_place_of_walls_of_numbers(tmp_path: Path) -> None:
    found = synthetic_findings(
        tmp_path,
        models=("resnet18", "resnet34", "resnet50", "vgg16"),
        fractions=("1/16", "1/8", "1/4", "1/2", "1"),
        store=False,
    )
    longest = max(len(claim["text"]) for claims in found["claims"].values() for claim in claims)
    assert longest < 1500


def test_every_claim_is_one_finished_english_paragraph_with_evidence_that_exists(tmp_path: Path) -> None:
    found = synthetic_findings(
        tmp_path,
        seeds=(0, 1),
        extra={"batch": {"batch_size": [32, 64, 128]}, "sgd": {"optimizer": ["sgd"]}},
        broken={"resnet50_none_f1_adam_lr0.001_b32_s0": "failed"},
        references=[
            {"title": "R", "source": "a paper", "rows": [{"model": "resnet18", "test_accuracy": 0.5}]}
        ],
    )
    runs = {run for cell in found["cells"].values() for run in cell["planned_runs"]}
    assert 3 <= len(found["claims"]["key"]) <= 6
    for section, claims in found["claims"].items():
        for number, claim in enumerate(claims, start=1):
            text = claim["text"]
            assert claim["id"] == f"{section}-{number}"
            assert text[0].isupper() or text[0].isdigit(), text
            assert text.endswith("."), text
            assert not re.search(r"\s\s|\s[,.;]|\.\.|\(\)|\bNone\b|\bnan\b|[<>&]", text), text
            assert not re.search(r"(?<![.\d,])1 (runs|cells|points|epochs|rows|comparisons)\b", text), text
            assert claim["cells"], text
            assert set(claim["cells"]) <= found["cells"].keys()
            assert set(claim["figures"]) <= FIGURES
            assert set(claim["tables"]) <= TABLES
            assert set(claim["runs"]) <= runs


def test_fractions_are_read_by_value_and_named_as_written(tmp_path: Path) -> None:
    found = sentences(
        tmp_path,
        lambda settings: 0.5 + 0.3 * float(Fraction(settings["fraction"])) + scatter(settings),
        fractions=("1/10", "1/2"),
    )
    assert "From" in found["key"] or "from 1/10 of the data" in found["key"]
    assert "all data" not in found["key"]


def test_an_interval_that_leaves_zero_out_beside_a_corrected_verdict_says_why() -> None:
    difference = {"verdict": "not distinguishable", "value": -0.033, "low": -0.062, "high": -0.004}
    text = "not distinguishable (−3.3 points, 95 % interval −6.2 to −0.4 before the correction)"
    assert short(difference) == text
    assert "before" not in short({**difference, "high": 0.004})
