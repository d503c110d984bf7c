"""The topic of recipes: parts added and left out, the best result, its selection, ends of ranges, figures, tables."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import Settings, made_findings
from quantifiers import check
from report_study import rendered
from synthetic import collected

from scalestudy.findings.model import Balance, Verdict
from scalestudy.report import view, wording
from scalestudy.report.names import Names
from scalestudy.topics import figure_names
from scalestudy.topics.drawing import draw
from scalestudy.topics.findings import Findings, write_findings
from scalestudy.topics.inputs import Inputs
from scalestudy.topics.page import Page
from scalestudy.topics.recipes.find import Caveat, Change, End, Images, Missing
from scalestudy.topics.recipes.say import against, change, part_name, say
from scalestudy.topics.recipes.show import show


def found(effect: Any, *, spread: float = 0.002, **options: Any) -> Findings:
    """Return the findings of a study where a recipe adds effect(settings) to what its point reaches."""
    rng = np.random.default_rng(0)

    def result(settings: Settings) -> float:
        base = 0.4 + 0.1 * ["1/16", "1/2", "1"].index(settings["fraction"])
        return base + effect(settings) + spread * float(rng.standard_normal())

    return made_findings(result, **{"inits": ("none",), **options})


def smoothing(effect: float, **options: Any) -> Findings:
    return found(
        lambda s: effect if s["label_smoothing"] else 0.0, recipes=({}, {"label_smoothing": 0.1}), **options
    )


def texts(findings: Findings) -> list[str]:
    own = say(findings)
    return [each.text for each in (*own.points, *own.details)]


CASES = {
    Balance.HIGHER: (
        0.05,
        "Adding label smoothing 0.1 against the base recipe: higher in all six pairs, by ",
    ),
    Balance.LOWER: (-0.05, "Adding label smoothing 0.1 against the base recipe: lower in all six pairs, by "),
    Balance.LEVEL: (
        0.0,
        "Adding label smoothing 0.1 against the base recipe: not distinguishable in all six pairs.",
    ),
}


@pytest.mark.parametrize("expected", CASES)
def test_what_a_part_adds_is_read_from_every_point_at_which_it_was_tried(expected: Balance) -> None:
    effect, words = CASES[expected]
    findings = smoothing(effect)
    (own,) = findings.recipes.recipes
    assert (own.change, own.changed) == (Change.ADDED, ("label_smoothing",))
    assert own.balance is not None
    assert own.balance.reading is expected
    assert any(text.startswith(words) for text in texts(findings))


def test_the_first_screen_answers_with_the_one_recipe_that_was_tried_or_counts_several() -> None:
    one = say(smoothing(0.05)).answer
    several = found(
        lambda s: s["label_smoothing"], recipes=({}, {"label_smoothing": 0.1}, {"label_smoothing": 0.2})
    )
    many = say(several).answer
    assert one is not None
    assert many is not None
    assert one[0].text.startswith(
        "Adding label smoothing 0.1 against the base recipe: higher in all six pairs"
    )
    assert many[0].text == "Of two other recipes, two do better, against the one before it."
    assert say(made_findings(lambda s: 0.5, inits=("none",))).answer == ()


def parts_of_a_recipe(spread: float = 0.0005, clash: float = 0.0) -> Findings:
    """Return a study of one point: the full recipe, a ladder up to it, and the full recipe without a part each.

    clash: what schedule and label smoothing cost together.
    """
    gains = {"schedule": 0.04, "flip": 0.02, "crop": 0.03, "dropout": 0.0, "label_smoothing": 0.05}
    rungs: list[Settings] = [
        {"schedule": "constant", "augmentation": "none", "dropout": 0.0, "label_smoothing": 0.0}
    ]
    for key, value in (
        ("schedule", "cosine"),
        ("augmentation", "flip"),
        ("augmentation", "crop_flip"),
        ("dropout", 0.2),
        ("label_smoothing", 0.1),
    ):
        rungs.append({**rungs[-1], key: value})
    full = rungs.pop()
    without = [
        {**full, key: value}
        for key, value in (
            ("schedule", "constant"),
            ("augmentation", "flip"),
            ("augmentation", "crop"),
            ("dropout", 0.0),
        )
    ]

    def effect(settings: Settings) -> float:
        there = {
            "schedule": settings["schedule"] == "cosine",
            "flip": "flip" in settings["augmentation"],
            "crop": "crop" in settings["augmentation"],
            "dropout": bool(settings["dropout"]),
            "label_smoothing": bool(settings["label_smoothing"]),
        }
        both = clash if there["schedule"] and there["label_smoothing"] else 0.0
        return sum(gain for part, gain in gains.items() if there[part]) - both

    recipes = (full, *rungs, *without)
    titles = (
        "The full recipe",
        "The plain network",
        *(f"Recipe {number}" for number in range(2, len(recipes))),
    )
    return found(
        effect, recipes=recipes, titles=titles, models=("resnet18",), fractions=("1",), spread=spread
    )


def test_parts_of_a_joined_setting_are_added_and_left_out_one_by_one() -> None:
    findings = parts_of_a_recipe()
    names = Names(findings.grid.titles)
    told = [
        (change(findings, names, each), against(findings, names, each)) for each in findings.recipes.recipes
    ]
    assert told == [
        ("the plain network", "the full recipe"),
        ("adding cosine schedule", "the recipe before"),
        ("adding random flips", "the recipe before"),
        ("adding random crops", "the recipe before"),
        ("without label smoothing", "the full recipe"),
        ("adding dropout 0.2", "the recipe before"),
        ("without schedule", "the full recipe"),
        ("without random crops", "the full recipe"),
        ("without random flips", "the full recipe"),
        ("without dropout", "the full recipe"),
    ]


def test_each_part_of_a_recipe_is_worth_what_it_adds_and_what_its_absence_costs() -> None:
    findings = parts_of_a_recipe()
    grid, names = findings.grid, Names(findings.grid.titles)

    def points(pair: tuple[str, str] | None) -> int:
        found = None if pair is None else grid.difference(*pair)
        assert found is not None
        return round(100 * found.value)

    worth = {
        part_name(names, each): (points(each.added), points(each.left_out)) for each in findings.recipes.parts
    }
    assert worth == {
        "cosine schedule": (4, -4),
        "random flips": (2, -2),
        "random crops": (3, -3),
        "dropout 0.2": (0, 0),
        "label smoothing 0.1": (5, -5),  # the last one: the full recipe against the last rung
    }
    own = say(findings)
    (answer,) = own.answer or ()
    assert check(answer, findings)
    for wrong in (
        answer.text.replace("four of five parts", "all five parts"),
        answer.text.replace("left out, four", "left out, none"),
    ):
        with pytest.raises(AssertionError):
            check(replace(answer, text=wrong), findings)
    assert answer.text == (
        "Added in turn, four of five parts help, label smoothing 0.1 most (+5.0 points); left out, four of five cost "
        "accuracy."
    )
    words = [each.text for each in (*own.points, *own.details)]
    assert "The plain network against the full recipe: lower in the one pair, by 14.0 points." in words
    assert "Undecided when added: dropout 0.2." in words
    assert "Undecided when left out: dropout 0.2." in words


def test_parts_that_do_the_opposite_are_counted_on_the_first_screen() -> None:
    findings = parts_of_a_recipe(clash=0.07)
    (answer,) = say(findings).answer or ()
    assert answer.text == (
        "Added in turn, three of five parts help, cosine schedule most (+4.0 points), one hurts; left out, two of five "
        "cost accuracy, two raise it."
    )
    assert check(answer, findings)
    assert (
        "Cosine schedule: higher when added in turn, and higher when left out, where other parts stand around it."
        in texts(findings)
    )
    for wrong in (", one hurts", ", two raise it"):
        with pytest.raises(AssertionError):
            check(replace(answer, text=answer.text.replace(wrong, "")), findings)


def test_single_changes_at_one_point_are_told_with_the_largest_of_either_way() -> None:
    recipes = ({}, {"dropout": 0.2}, {"label_smoothing": 0.1}, {"weight_decay": 0.01})
    findings = found(
        lambda s: 0.25 * s["dropout"] - 0.3 * s["label_smoothing"],
        recipes=recipes,
        models=("resnet18",),
        fractions=("1",),
        spread=0.0005,
    )
    (answer,) = say(findings).answer or ()
    assert answer.text == (
        "Of three single changes, one does better, adding dropout 0.2 (+5.0 points); one does worse, adding label "
        "smoothing 0.1 (\u22123.0 points); one is undecided."
    )


def test_parts_that_make_no_decided_difference_are_not_said_to_be_of_no_help() -> None:
    findings = parts_of_a_recipe(spread=0.2)
    (answer,) = say(findings).answer or ()
    assert answer.text == (
        "Added in turn, none of five parts helps beyond the run-to-run spread; left out, none of five costs accuracy "
        "beyond the run-to-run spread."
    )
    assert check(answer, findings)


def test_other_values_of_a_setting_are_no_parts() -> None:
    rates = [{"lr": rate} for rate in (1e-3, 1e-4, 1e-2)]
    findings = found(lambda s: 0.0, recipes=rates, models=("resnet18",), fractions=("1",))
    assert findings.recipes.parts == ()
    assert {each.change for each in findings.recipes.recipes} == {Change.OTHER_VALUE}


def test_where_only_the_recipe_varies_it_alone_names_a_setting_and_the_table_has_no_model(
    tmp_path: Path,
) -> None:
    study = collected(
        tmp_path,
        models=("resnet18",),
        inits=("none",),
        fractions=("1",),
        seeds=(0, 1),
        extra={"A weak recipe": {"optimizer": ["sgd"], "lr": [1.0], "dropout": [0.5]}},
    )
    write_findings(study)
    page = Page(Inputs(study), tmp_path)
    grid = page.findings.grid
    assert [page.names.cell(cell, grid) for cell in grid.cells.values()] == ["Base recipe", "A weak recipe"]
    section = show(page)
    assert section is not None
    (table,) = [
        block for block in section.blocks if isinstance(block, view.Table) and block.id == "table-recipes"
    ]
    assert [head.text for head in table.columns][:3] == ["Recipe", "Against", "That, %"]
    drawing = draw("recipes", Inputs(study)).wide
    assert drawing.alt.startswith("1 panel with 1 line")


PARTS: dict[str, dict[str, list[Any]]] = {
    "The plain network": {
        "label_smoothing": [0.0],
        "dropout": [0.0],
        "weight_decay": [0.0],
        "schedule": ["constant"],
    },
    "… + schedule": {"label_smoothing": [0.0], "dropout": [0.0], "weight_decay": [0.0]},
    "… + weight decay": {"label_smoothing": [0.0], "dropout": [0.0]},
    "… + dropout": {"label_smoothing": [0.0]},
    "Without schedule": {"schedule": ["constant"]},
    "Without weight decay": {"weight_decay": [0.0]},
    "Without dropout": {"dropout": [0.0]},
}


def test_the_figure_and_the_table_of_parts_have_each_both_ways(tmp_path: Path) -> None:
    recipe = {"schedule": "cosine", "weight_decay": 0.01, "dropout": 0.2, "label_smoothing": 0.1}
    study = collected(
        tmp_path,
        models=("resnet18",),
        inits=("none",),
        fractions=("1",),
        seeds=(0, 1, 2),
        recipe=recipe,
        extra=PARTS,
    )
    write_findings(study)
    inputs = Inputs(study)
    drawing = draw("recipes", inputs).wide
    assert drawing.alt.startswith("2 panels with 4 lines")
    rows = [dict(zip(drawing.columns, row, strict=True)) for row in drawing.rows]
    assert [row["recipe"] for row in rows] == [
        *(
            f"adding {part}"
            for part in ("cosine schedule", "weight decay 0.01", "dropout 0.2", "label smoothing 0.1")
        ),
        *(
            f"without {part}"
            for part in ("cosine schedule", "weight decay 0.01", "dropout 0.2", "label smoothing 0.1")
        ),
    ]
    for row in rows:
        assert row["difference"] == pytest.approx(row["value"] - row["before"])
    section = show(Page(inputs, tmp_path))
    assert section is not None
    (table,) = [
        block for block in section.blocks if isinstance(block, view.Table) and block.id == "table-parts"
    ]
    assert [row.cells[0].text for row in table.rows] == [
        "Cosine schedule",
        "Weight decay 0.01",
        "Dropout 0.2",
        "Label smoothing 0.1",
    ]
    assert all(len(row.cells) == 8 for row in table.rows)


def test_the_main_figure_of_a_study_of_one_point_is_that_of_its_recipes(tmp_path: Path) -> None:
    extra = {"A weak recipe": {"optimizer": ["sgd"], "lr": [1.0]}}
    options: dict[str, Any] = {"models": ("resnet18",), "inits": ("none",), "seeds": (0, 1), "extra": extra}
    one = rendered(tmp_path / "one", drawn=("recipes",), fractions=("1",), **options)
    several = rendered(
        tmp_path / "several", drawn=("recipes", "accuracy_by_size"), fractions=("1/2", "1"), **options
    )
    first = [re.search(r"!\[.*?\]\((.*?)\)", (folder / "report.md").read_text()) for folder in (one, several)]
    assert [found and found[1] for found in first] == ["figures/recipes.png", "figures/accuracy_by_size.png"]
    assert "## Accuracy\n" in (one / "report.md").read_text()
    assert "## More training images\n" in (several / "report.md").read_text()


def test_one_run_each_decides_nothing_about_a_recipe() -> None:
    findings = smoothing(0.05, seeds=(0,))
    (own,) = findings.recipes.recipes
    assert own.balance is not None
    assert own.balance.reading is Balance.UNTESTED
    assert any("points, undecided in all six pairs." in text for text in texts(findings))
    assert any("rests on too few runs to be decided" in text for text in texts(findings))


def test_a_part_left_out_of_the_base_recipe_is_told_from_one_added_and_from_another_value() -> None:
    full = {"dropout": 0.2, "label_smoothing": 0.1}
    findings = found(
        lambda s: -0.05 if not s["dropout"] else 0.0,
        recipes=(full, {**full, "dropout": 0.0}, {**full, "batch_size": 256}),
        fractions=("1",),
    )
    kinds = {each.changed: each.change for each in findings.recipes.recipes}
    assert kinds == {("dropout",): Change.LEFT_OUT, ("batch_size",): Change.OTHER_VALUE}
    assert any(
        text.startswith("Without dropout against the base recipe: lower in both") for text in texts(findings)
    )
    assert any(text.startswith("Batch size 256 against the base recipe: not") for text in texts(findings))


def test_parts_added_one_after_another_are_each_held_against_the_recipe_before() -> None:
    steps: list[Settings] = [{}]
    parts: list[Settings] = [{"dropout": 0.2}, {"label_smoothing": 0.1}, {"augmentation": "crop_flip"}]
    for part in (*parts, {"weight_decay": 0.01}):
        steps.append({**steps[-1], **part})
    findings = found(lambda s: 0.0, recipes=steps, fractions=("1",))
    recipes = findings.recipes.recipes
    assert [each.against for each in recipes] == ["g0", "g1", "g2", "g3"]
    assert {each.change for each in recipes} == {Change.ADDED}
    assert any(
        text.startswith("Adding label smoothing 0.1 against dropout 0.2: ") for text in texts(findings)
    )


def test_the_best_setting_is_the_highest_and_says_how_far_it_leads() -> None:
    findings = smoothing(0.05, models=("resnet18",))
    own = findings.recipes.best
    assert own is not None
    cell = findings.grid.cells[own.cell]
    assert (cell.fraction, cell.settings["label_smoothing"]) == ("1", 0.1)
    assert own.compared == 6
    (lead,) = say(findings).lead
    assert lead.text == (
        f"The best test accuracy is {wording.percent(cell.value)}: ResNet-18 from scratch, all data, label smoothing "
        "0.1."
    )
    difference = findings.grid.difference(str(own.runner_up), own.cell)
    assert difference is not None
    assert difference.verdict is Verdict.HIGHER
    assert any(
        text.startswith("It beats the next, ResNet-18 from scratch, all data, by ")
        for text in texts(findings)
    )
    level = smoothing(0.0, models=("resnet18",))
    assert any(text.startswith("It is not distinguishable from the next, ") for text in texts(level))


def test_equal_results_are_a_tie() -> None:
    findings = made_findings(lambda s: 0.5, models=("resnet18",), inits=("none",), fractions=("1/2", "1"))
    own = findings.recipes.best
    assert own is not None
    assert len(own.tied) == 1
    assert "One other setting equals it." in texts(findings)
    assert not any("beats" in text or "lead over" in text for text in texts(findings))


def test_without_held_out_images_the_best_was_selected_on_the_test_set_and_the_report_says_so() -> None:
    findings = smoothing(0.05)
    assert findings.recipes.selection is not None
    assert findings.recipes.selection.images is Images.TEST
    text = "It was selected among 12 settings on the test set itself: its accuracy is optimistic."
    assert text in texts(findings)


def test_an_assignments_numbers_beside_the_study_say_that_it_selected_as_the_assignment_did() -> None:
    findings = smoothing(0.05, references=[{"title": "The assignment's report", "rows": []}])
    assert any("on the test set itself, as the assignment did: " in text for text in texts(findings))


def test_with_held_out_images_they_select_and_the_test_set_does_not() -> None:
    """The better recipe on the held-out images is worse on the test images: it is the selected one all the same."""

    def held_out(settings: Settings) -> float:
        return 0.9 if settings["label_smoothing"] else 0.5

    findings = smoothing(-0.05, models=("resnet18",), fractions=("1",), validation=held_out)
    own = findings.recipes
    assert own.selection is not None
    assert own.selection.images is Images.VALIDATION
    assert own.best is not None
    assert findings.grid.cells[own.best.cell].settings["label_smoothing"] == 0.1
    assert any("on held-out training images, by no test result." in text for text in texts(findings))
    assert any(text.startswith("On the test set it stays ") for text in texts(findings))
    (lead,) = say(findings).lead
    assert lead.text.startswith("The setting that is best on held-out images reaches a test accuracy of ")
    assert not any("The best test accuracy" in text for text in texts(findings))


def test_a_best_result_of_some_of_its_runs_says_of_how_many() -> None:
    findings = smoothing(
        0.05, models=("resnet18",), missing=lambda s: bool(s["label_smoothing"]) and s["seed"] > 0
    )
    assert "It is that of one of its 3 planned runs." in texts(findings)


def test_a_stem_is_another_value_and_never_without() -> None:
    findings = found(lambda s: 0.0, recipes=({"stem": "cifar"}, {"stem": "imagenet"}), fractions=("1",))
    assert {each.change for each in findings.recipes.recipes} == {Change.OTHER_VALUE}


BATCHES: tuple[Settings, ...] = ({}, {"batch_size": 64}, {"batch_size": 128})


def test_a_best_value_at_an_end_of_three_tried_is_warned_of_and_one_inside_is_not() -> None:
    at_end = found(
        lambda s: s["batch_size"] / 1000, recipes=BATCHES, fractions=("1/2", "1"), models=("resnet18",)
    )
    (edge,) = at_end.recipes.edges
    assert (edge.setting, edge.value, edge.end, edge.points, len(edge.cells)) == (
        "batch_size",
        128,
        End.HIGHEST,
        2,
        2,
    )
    assert (
        "The highest batch size of three tried, 128, has the highest mean in both comparisons: higher ones may do "
        "better still." in texts(at_end)
    )
    held_out = found(
        lambda s: -s["batch_size"] / 1000,
        recipes=BATCHES,
        models=("resnet18",),
        validation=lambda s: s["batch_size"] / 1000,
    )
    # CASES E241: the best on the held-out images, told beside the test results of all other sentences.
    assert any(
        ", 128, has the highest mean on the held-out images in all " in text for text in texts(held_out)
    )
    inside = found(lambda s: 0.1 * (s["batch_size"] == 64), recipes=BATCHES, models=("resnet18",))
    assert not inside.recipes.edges


def test_of_two_values_either_is_at_an_end_so_there_is_no_warning() -> None:
    findings = found(lambda s: s["batch_size"] / 1000, recipes=BATCHES[:2])
    assert [edge.tried for edge in findings.recipes.edges] == [(32.0, 64.0)]
    assert not any("may do better still" in text for text in texts(findings))


def test_batch_sizes_at_one_learning_rate_and_optimizers_without_a_search_come_with_a_caveat() -> None:
    findings = found(lambda s: 0.0, recipes=({}, {"batch_size": 64}, {"optimizer": "sgd"}))
    assert {each.reading for each in findings.recipes.caveats} == {Caveat.BATCH_SIZE, Caveat.OPTIMIZER}
    searched = found(lambda s: 0.0, recipes=({}, {"optimizer": "sgd"}, {"optimizer": "sgd", "lr": 0.1}))
    assert not searched.recipes.caveats
    crossed = found(
        lambda s: 0.0, recipes=({}, {"batch_size": 64}, {"lr": 1e-2}, {"batch_size": 64, "lr": 1e-2})
    )
    assert Caveat.BATCH_SIZE not in {each.reading for each in crossed.recipes.caveats}
    together = found(lambda s: 0.0, recipes=({}, {"lr": 1e-4, "dropout": 0.2}))
    assert [each.reading for each in together.recipes.caveats] == [Caveat.TOGETHER]


def test_a_section_has_at_most_five_points_and_folds_the_rest() -> None:
    recipes = ({}, *({"batch_size": size} for size in (64, 128, 256, 512, 1024, 2048)))
    own = say(found(lambda s: 0.0, recipes=recipes))
    assert len(own.points) == 5
    assert sum("against the base recipe" in each.text for each in (*own.points, *own.details)) == 6


def test_of_many_recipes_the_table_tells_each_and_no_sentence_repeats_it() -> None:
    recipes = ({}, *({"batch_size": 32 + size} for size in range(1, 11)))
    own = say(found(lambda s: 0.0, recipes=recipes, models=("resnet18",), fractions=("1",)))
    assert not any("against the base recipe" in each.text for each in own.details)


def test_a_study_without_a_result_says_nothing_about_recipes() -> None:
    findings = found(lambda s: 0.0, missing=lambda s: True)
    assert findings.recipes.missing is Missing.NO_RESULT
    assert say(findings).everything == ()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two seeds with three batch sizes and one run that failed."""
    study = collected(
        tmp_path_factory.mktemp("study"),
        models=("resnet18",),
        seeds=(0, 1),
        extra={"batch sizes": {"batch_size": [32, 64, 128]}},
        broken={"resnet18_none_f1of2_adam_lr0.001_b64_s0": "failed"},
    )
    write_findings(study)
    return study


def test_the_numbers_of_the_section_are_those_of_the_runs_that_they_name(
    folder: Path, tmp_path: Path
) -> None:
    section = show(Page(Inputs(folder), tmp_path))
    assert section is not None
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    tables = {block.id: block for block in section.blocks if isinstance(block, view.Table)}
    assert set(tables) == {"table-recipes", "table-best"}
    assert len(tables["table-recipes"].rows) == 2 * 6
    seen = set()
    for cell in (
        cell for table in tables.values() for row in table.rows for cell in row.cells if cell.measure
    ):
        seen.add(cell.measure)
        sides: dict[str, list[float]] = {}
        for run in cell.runs:
            measure = "test_accuracy" if cell.measure == "difference" else cell.measure
            sides.setdefault(rows[run]["batch_size"], []).append(float(rows[run][measure]))
        means = [float(np.mean(values)) for values in sides.values()]
        assert cell.value == pytest.approx(means[1] - means[0] if cell.measure == "difference" else means[0])
    assert seen == {
        "test_accuracy",
        "train_eval_accuracy",
        "difference",
        "train_seconds",
        "training_gmacs",
        "optimizer_steps",
    }


def test_the_figure_of_recipes_holds_each_difference_and_its_runs(folder: Path) -> None:
    inputs = Inputs(folder)
    drawing = draw("recipes", inputs)
    grid = inputs.findings.grid
    assert len(drawing.wide.rows) == 2 * 6
    for row in drawing.wide.rows:
        line = dict(zip(drawing.wide.columns, row, strict=True))
        size = int(str(line["recipe"]).removeprefix("batch size "))
        group = next(each for each in grid.groups if each.settings["batch_size"] == size)
        where = (str(line["model"]), str(line["init"]), str(line["fraction"]))
        own, base = grid.at(*where, group), grid.at(*where)
        assert own is not None
        assert base is not None
        assert line["difference"] == pytest.approx((own.value or 0.0) - (base.value or 0.0))
        assert line["runs"] == " ".join((*base.runs, *own.runs))
    assert drawing.wide.alt.startswith("2 panels with 2 lines")
    assert drawing.narrow is not None
    assert drawing.narrow.rows == drawing.wide.rows


def test_models_with_recipes_of_their_own_have_panels_of_their_own_lines(tmp_path: Path) -> None:
    """CASES E235: each panel had a line for every recipe of every model, most of them empty."""
    study = collected(
        tmp_path,
        models=("resnet18", "resnet50"),
        inits=("none",),
        fractions=("1",),
        extra={
            "dropout": {"model": ["resnet18"], "dropout": [0.1, 0.2]},
            "longer": {"model": ["resnet50"], "epochs": [9]},
        },
    )
    write_findings(study)
    for sheet in (drawing := draw("recipes", Inputs(study))).wide, drawing.narrow:
        assert sheet is not None
        small, large = sheet.figure.axes
        names = [[label.get_text() for label in axes.get_yticklabels()] for axes in (small, large)]
        assert names == [["Adding dropout 0.1", "Adding dropout 0.2"], ["9 epochs"]]
        assert small.get_position().y0 > large.get_position().y1
        assert small.get_position().height > large.get_position().height
        assert sheet.alt.startswith("2 panels with up to 2 lines")


def test_accuracy_per_batch_size_has_a_line_for_each_and_test_and_training(folder: Path) -> None:
    drawing = draw("accuracy_by_batch_size", Inputs(folder))
    assert drawing.wide.title == "Accuracy at batch sizes 32, 64 and 128"
    assert len(drawing.wide.rows) == 3 * 6 * 2
    assert len(drawing.wide.figure.axes) == 2 * 2


def test_a_study_of_one_recipe_draws_the_reason(tmp_path: Path) -> None:
    study = collected(tmp_path, models=("resnet18",), inits=("none",), fractions=("1/2", "1"))
    write_findings(study)
    assert "No two recipes" in draw("recipes", Inputs(study)).wide.missing
    assert "No run with another batch size" in draw("accuracy_by_batch_size", Inputs(study)).wide.missing
    assert not {"recipes", "accuracy_by_batch_size"} & set(figure_names(Inputs(study).study))


def test_a_single_setting_has_no_section_on_recipes(tmp_path: Path) -> None:
    study = collected(tmp_path, models=("resnet18",), inits=("none",), fractions=("1",))
    write_findings(study)
    assert show(Page(Inputs(study), tmp_path)) is None


def test_where_each_recipe_has_its_own_model_the_first_screen_tells_the_best_and_its_price(
    tmp_path: Path,
) -> None:
    def reaches(best: str) -> str:
        page = rendered(
            tmp_path / best,
            drawn=("recipes", "cost"),
            models=("resnet18",),
            inits=("none",),
            fractions=("1",),
            seeds=(0, 1),
            extra={"longer": {"model": ["resnet50"], "epochs": [9]}},
            accuracy=lambda s: (0.9 if s["model"] == best else 0.8) + 0.01 * s["seed"],
        )
        return (page / "report.md").read_text(encoding="utf-8").partition("Contents:")[0]

    other = reaches("resnet50")
    assert "**How accurate?** ResNet-18 from scratch reaches a test accuracy of 80.5 % on all data" in other
    assert (
        "**The best result?** The best test accuracy is 90.5 %: ResNet-50 from scratch, all data, 9 epochs."
        in other
    )
    assert "Figure 1. Accuracy against training time" in other
    assert "**The best result?**" not in reaches("resnet18")


def test_where_recipes_are_compared_the_first_screen_tells_the_best_as_well(tmp_path: Path) -> None:
    """CASES E236: a study of recipes and models named its best result further down only."""

    def opening(longer: float) -> str:
        page = rendered(
            tmp_path / str(longer),
            drawn=("recipes", "cost"),
            models=("resnet18",),
            inits=("none",),
            fractions=("1",),
            seeds=(0, 1),
            extra={"longer": {"epochs": [9]}},
            accuracy=lambda s: 0.8 + 0.01 * s["seed"] + longer * (s["epochs"] == 9),
        )
        return (page / "report.md").read_text(encoding="utf-8").partition("Contents:")[0]

    better = opening(0.1)
    assert "**Another recipe?** " in better
    assert "**The best result?** The best test accuracy is 90.5 %: longer." in better
    worse = opening(-0.1)
    assert "**Another recipe?** " in worse
    assert "**The best result?**" not in worse


def test_where_recipes_share_one_training_set_size_the_first_figure_is_theirs_and_no_column_of_dots(
    tmp_path: Path,
) -> None:
    """CASES E231: accuracy against a single number of training images was the main figure."""
    page = rendered(
        tmp_path,
        drawn=("accuracy_by_size", "recipes", "cost"),
        models=("resnet18",),
        inits=("none", "glyphs"),
        fractions=("1",),
        seeds=(0, 1),
        extra={"longer": {"epochs": [9]}},
        accuracy=lambda s: 0.8 + 0.01 * s["seed"] + 0.01 * s["epochs"],
    )
    opening = (page / "report.md").read_text(encoding="utf-8").partition("Contents:")[0]
    assert "(figures/recipes.png)" in opening
