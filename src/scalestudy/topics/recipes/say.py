"""The sentences about recipes and the best result, each chosen by a reading."""

from collections.abc import Callable, Sequence

from scalestudy.findings.model import Balance, Cell, Claim, Difference, Evidence, Group, Verdict
from scalestudy.report import wording
from scalestudy.report.names import MEASURES, MOST_NAMED, Names, plain, share_of_data
from scalestudy.topics.base import Said, Sentence
from scalestudy.topics.findings import Findings
from scalestudy.topics.recipes.find import (
    JOINED,
    Best,
    Caveat,
    Change,
    Edge,
    End,
    Images,
    Part,
    Recipe,
    replaced,
)
from scalestudy.topics.words import share_of, signed_sizes, sizes, tally, throughout

MOST_WORDS_NAMED = 8
MOST_WORDS_OF_AN_ANSWER = 25
MOST_WORDS_LISTED = 22
BEYOND = "beyond the run-to-run spread"
MOST_POINTS = 5
MOST_TOLD = (
    8  # recipes of which each has a sentence; of more, those that change much, and the undecided together
)
ANSWERS = (
    ((Balance.HIGHER, Balance.SOME_HIGHER), "does better", "do better"),
    ((Balance.LOWER, Balance.SOME_LOWER), "does worse", "do worse"),
    ((Balance.BOTH,), "does either", "do either"),
    ((Balance.LEVEL, Balance.OPEN, Balance.UNTESTED), "is undecided", "are undecided"),
)
Pair = tuple[str, str]
Tried = tuple[Part, Pair, Difference]
# Where a part is looked at: the cells of a side, of a part that was tried there.
SIDES: dict[str, Callable[[Part], Pair | None]] = {
    "added": lambda part: part.added,
    "left out": lambda part: part.left_out,
}
SAID_WHOLE = ("freeze",)  # settings whose values are phrases of their own: "frozen backbone"
CAVEATS = {
    Caveat.BATCH_SIZE: "The batch sizes share one learning rate, and at equal epochs a smaller batch takes more steps: "
    "not the batch size alone differs (Shallue et al. 2019).",
    Caveat.OPTIMIZER: "The optimizers were tried at a single learning rate: a search could change their order "
    "(Choi et al. 2019).",
    Caveat.TOGETHER: "Where several settings change together, their effects cannot be told apart.",
}


def say(findings: Findings) -> Said:
    """Return the sentences; none without a result."""
    found, names = findings.recipes, Names(findings.grid.titles)
    if found.missing is not None or found.best is None:
        return Said()
    tried = [each for each in found.recipes if each.balance is not None]
    recipes = [recipe(findings, names, each) for each in tried]
    if len(tried) > MOST_TOLD or found.parts:
        recipes = [recipe(findings, names, each) for each in tried if each.change is Change.SEVERAL][:2]
        if found.parts:
            recipes = [*opposite_parts(findings, names), *recipes, *undecided_parts(findings, names)]
        else:
            recipes += undecided(names, findings, tried)
    lead = best(findings, names, found.best)
    first = [
        *of_runs(findings, found.best),
        *selection(findings, found.best),
        *runner_up(findings, names, found.best),
    ]
    warnings = [*edges(findings, names), *(caveat(each) for each in found.caveats)]
    room = MOST_POINTS - len(first)
    kept = recipes if len(recipes) + len(warnings) <= room else recipes[: max(room - len(warnings), 0)]
    points = [*first, *kept, *warnings]
    return Said(
        lead=(lead,),
        answer=answer(findings, names, tried),
        points=tuple(points[:MOST_POINTS]),
        details=(*recipes[len(kept) :], *points[MOST_POINTS:]),
    )


def answer(findings: Findings, names: Names, tried: Sequence[Recipe]) -> tuple[Sentence, ...]:
    """What the first screen says of recipes: what the one changes that was tried, or how many of several do better.

    Where they are compared at one point, it also names what gains and what loses most. Where none can be
    compared with another, because models change with them, it is the best result, unless that is the base recipe's.
    """
    if not tried:
        top = findings.recipes.best
        return (best(findings, names, top),) if top and top.cell not in findings.grid.base.cells else ()
    if findings.recipes.parts:
        return worth(findings, names)
    only = recipe(findings, names, tried[0])
    if len(tried) == 1 and len(only.text.split()) <= MOST_WORDS_OF_AN_ANSWER:
        return (only,)
    recipes = "recipe" if len(tried) == 1 else "recipes"

    def counted(parts: Sequence[str]) -> str:
        number = wording.number_word(len(tried))
        return f"Of {number} other {recipes}, {wording.listing(parts)}, against the one before it."

    text = counted([words for words, _ in _counted(tried)])
    if len(tried) > 1 and all(len(each.pairs) == 1 for each in tried):
        sized = counted([f"{words}{_most(findings, names, own)}" for words, own in _counted(tried)])
        text = sized if len(sized.split()) <= MOST_WORDS_OF_AN_ANSWER else text
    single = [each for each in tried if each.change is not Change.SEVERAL]
    if len(single) > 1 and all(len(each.pairs) == 1 for each in single):
        parts = [f"{text}{_most(findings, names, own)}" for text, own in _counted(single)]
        named = f"Of {wording.number_word(len(single))} single changes, {'; '.join(parts)}."
        if len(named.split()) <= MOST_WORDS_OF_AN_ANSWER:
            text, tried = named, single
    return (Sentence(text, _evidence(tried), ("recipes",), ("recipes",)),)


def _counted(tried: Sequence[Recipe]) -> list[tuple[str, list[Recipe]]]:
    """Return how many recipes do better, do worse and so on, in words, and which these are."""
    found = []
    for readings, one, several in ANSWERS:
        own = [each for each in tried if each.balance and each.balance.reading in readings]
        if own:
            found.append((f"{wording.number_word(len(own))} {one if len(own) == 1 else several}", own))
    return found


def _most(findings: Findings, names: Names, own: Sequence[Recipe]) -> str:
    """Return which of the recipes that do better, or worse, does so most, and by how much; nothing of undecided."""

    def size(each: Recipe) -> float:
        return findings.grid.of(_evidence([each]).differences)[0].value

    most = max(own, key=lambda each: abs(size(each)))
    if most.balance is None or most.balance.reading not in (Balance.HIGHER, Balance.LOWER):
        return ""
    return _largest(change(findings, names, most), len(own), size(most))


def _evidence(tried: Sequence[Recipe]) -> Evidence:
    keys = [key for each in tried if each.balance for key in each.balance.evidence.differences]
    return Evidence(differences=tuple(keys))


def worth(findings: Findings, names: Names) -> tuple[Sentence, ...]:
    """How many parts help when they are added, how many cost accuracy when left out, and the largest of each.

    And how many do the opposite, which is what surprises. The largest that is left out only where there is room for it
    on the first screen.
    """
    added, left_out = (_tried(findings, of) for of in SIDES.values())
    evidence = _pairs(findings, [pair for _, pair, _ in (*added, *left_out)])
    helps, most, hurts = _side(
        names, added, Verdict.HIGHER, (" parts helps", " parts help"), ("hurts", "hurt")
    )
    costs, worst, raises = _side(
        names, left_out, Verdict.LOWER, (" costs accuracy", " cost accuracy"), ("raises it", "raise it")
    )
    text = f"added in turn, {helps}{most}{hurts}; left out, {costs}"
    room = len(f"{text}{worst}{raises}".split()) <= MOST_WORDS_OF_AN_ANSWER
    text += f"{worst if room else ''}{raises}"
    return (Sentence(wording.sentence(text), evidence, ("recipes",), ("parts",)),)


def _tried(findings: Findings, of: Callable[[Part], Pair | None]) -> list[Tried]:
    """Return the parts that have results on a side, with its cells and their difference."""
    pairs = [(part, pair) for part in findings.recipes.parts if (pair := of(part))]
    return [(part, pair, found) for part, pair in pairs if (found := findings.grid.difference(*pair))]


def _side(
    names: Names, tried: Sequence[Tried], verdict: Verdict, verbs: tuple[str, str], opposite: tuple[str, str]
) -> tuple[str, str, str]:
    """Return of how many parts a verdict holds, `seven of twelve parts help`, and the one of the largest difference.

    And of how many the opposite holds, `, one hurts`; nothing where there is none.
    """
    own = [(part, found) for part, _, found in tried if found.verdict is verdict]
    others = sum(found.verdict.decided for _, _, found in tried) - len(own)
    against = f", {wording.number_word(others)} {opposite[others > 1]}" if others else ""
    total = wording.number_word(len(tried))
    if not own:
        # Without a verdict a part may help all the same: none of them does so beyond what runs differ by anyway.
        return f"none of {total}{verbs[0]} {BEYOND}", "", against
    part, most = max(own, key=lambda each: abs(each[1].value))
    share = f"all {total}" if len(own) == len(tried) > 1 else f"{wording.number_word(len(own))} of {total}"
    return f"{share}{verbs[len(own) > 1]}", _largest(part_name(names, part), len(own), most.value), against


def _largest(name: str, of: int, value: float) -> str:
    """Return what gains or loses most of so many, and by how much: `, label smoothing most (+5.0 points)`."""
    return f", {name}{' most' if of > 1 else ''} ({wording.signed_points(value)})"


def part_name(names: Names, part: Part) -> str:
    """Return a part of the recipe in words: `triangular schedule`, `Nesterov momentum`, `label smoothing 0.2`."""
    return names.setting(part.setting) if part.value is True else names.value(part.setting, part.value)


def _pairs(findings: Findings, pairs: Sequence[tuple[str, str]]) -> Evidence:
    grid = findings.grid
    keys = [grid.key(*pair) for pair in pairs if grid.difference(*pair) is not None]
    return Evidence(differences=tuple(dict.fromkeys(keys)))


def undecided_parts(findings: Findings, names: Names) -> list[Sentence]:
    """Which parts make no difference that is decided: when they are added, and when they are left out."""
    sentences = []
    for what, of in SIDES.items():
        own = [(part, pair) for part, pair, found in _tried(findings, of) if not found.verdict.decided]
        if own:
            text = f"undecided when {what}: {_listed([part_name(names, part) for part, _ in own])}"
            evidence = _pairs(findings, [pair for _, pair in own])
            sentences.append(Sentence(wording.sentence(text), evidence, ("recipes",), ("parts",)))
    return sentences


def opposite_parts(findings: Findings, names: Names) -> list[Sentence]:
    """Which parts differ in the same way when they are added and when they are left out: they depend on the others."""
    added, left_out = (_tried(findings, of) for of in SIDES.values())
    sentences = []
    for way, word in ((Verdict.HIGHER, "higher"), (Verdict.LOWER, "lower")):
        own = [
            (part, (one, other))
            for part, one, first in added
            for same, other, second in left_out
            if part is same and first.verdict is second.verdict is way
        ]
        if own:
            text = f"{_listed([part_name(names, part) for part, _ in own])}: {word} when added in turn, and {word} "
            text += "when left out, where other parts stand around it"
            evidence = _pairs(findings, [pair for _, pairs in own for pair in pairs])
            sentences.append(Sentence(wording.sentence(text), evidence, ("recipes",), ("parts",)))
    return sentences


def _listed(names: Sequence[str]) -> str:
    """Return names as a list, as many as a sentence has room for, and how many more there are."""
    told: list[str] = []
    for each in names:
        if len(" ".join([*told, each]).split()) > MOST_WORDS_LISTED:
            break
        told.append(each)
    more = len(names) - len(told)
    return wording.listing([*told, *([f"{wording.number_word(more)} more"] if more else [])])


def undecided(names: Names, findings: Findings, tried: Sequence[Recipe]) -> list[Sentence]:
    """Which single changes make no difference that is decided, as many of them as a sentence has room for."""
    own = [
        each
        for each in tried
        if each.change is not Change.SEVERAL and each.balance and each.balance.reading in ANSWERS[-1][0]
    ]
    if not own:
        return []
    text = f"{_counted(own)[0][0]}: {_listed([change(findings, names, each) for each in own])}"
    return [Sentence(wording.sentence(text), _evidence(own), ("recipes",), ("recipes",))]


def best(findings: Findings, names: Names, found: Best) -> Sentence:
    """The best result, the section's lead."""
    cell = findings.grid.cells[found.cell]
    value, where = wording.percent(cell.value), setting(findings, names, cell)
    if findings.recipes.selection is not None and findings.recipes.selection.images is Images.VALIDATION:
        text = f"the setting that is best on held-out images reaches a {MEASURES[cell.primary]} of {value}: {where}"
    else:
        text = f"the best {MEASURES[cell.primary]} is {value}: {where}"
    return Sentence(wording.sentence(text), Evidence(cells=(cell.id,)), ("recipes",), ("best",))


def of_runs(findings: Findings, found: Best) -> list[Sentence]:
    """Of how many runs the best result is, where some of its planned ones have none."""
    cell = findings.grid.cells[found.cell]
    if len(cell.runs) == cell.planned:
        return []
    text = f"it is that of {wording.number_word(len(cell.runs))} of its {wording.counted(cell.planned, 'planned run')}"
    return [Sentence(wording.sentence(text), Evidence(cells=(cell.id,)), (), ("best",))]


def setting(findings: Findings, names: Names, cell: Cell) -> str:
    """Return what tells a cell from others, with the recipe only named where it is short."""
    where = f"{names.series(cell.model, cell.init)}, {share_of_data(cell.fraction)}"
    group = findings.grid.group(cell.group)
    if findings.grid.at_one_point:
        return titled(group) or (
            "the base recipe" if not group.differs else named(names, group, tuple(group.differs))
        )
    return f"{where}, {named(names, group, tuple(group.differs))}" if group.differs else where


def titled(group: Group) -> str:
    """Return a recipe's title as it stands within a sentence; nothing without one, or where it is long."""
    if not group.title or len(group.title.split()) > MOST_WORDS_NAMED:
        return ""
    return wording.within(group.title)


def named(names: Names, group: Group, keys: Sequence[str]) -> str:
    """Return these settings of a recipe as a phrase: `SGD and batch size 32`.

    Where that is long, the recipe's title; without one, `a recipe with nine other settings`.
    """
    words = wording.listing([names.value(key, group.settings[key]) for key in keys])
    if len(keys) <= MOST_NAMED and len(words.split()) <= MOST_WORDS_NAMED:
        return words
    return titled(group) or f"a recipe with {wording.number_word(len(keys))} other settings"


def selection(findings: Findings, found: Best) -> list[Sentence]:
    """On which images the best was selected."""
    rule = findings.recipes.selection
    if rule is None or found.compared < 2:
        return []
    count = wording.counted(found.compared, "setting")
    if rule.images is Images.VALIDATION:
        text = f"It was selected among {count} on held-out training images, by no test result"
    else:
        as_reported = ", as the assignment did" if rule.as_reported else ""
        text = (
            f"It was selected among {count} on the test set itself{as_reported}: its accuracy is optimistic"
        )
    return [Sentence(wording.sentence(text), Evidence(cells=(found.cell,)), (), ("best",))]


def _where_selected(findings: Findings) -> str:
    """Return on which images a setting is the best, where these are not the test images of all other sentences."""
    rule = findings.recipes.selection
    return " on the held-out images" if rule is not None and rule.images is Images.VALIDATION else ""


def runner_up(findings: Findings, names: Names, found: Best) -> list[Sentence]:
    """How far the best is ahead of the next setting: a tie, a verdict, or one run each."""
    if found.runner_up is None:
        return []
    grid = findings.grid
    difference = grid.difference(found.runner_up, found.cell)
    if difference is None:
        return []
    evidence = Evidence(differences=(grid.key(found.runner_up, found.cell),))
    if found.tied:
        equal = "setting equals" if len(found.tied) == 1 else "settings equal"
        text = f"{wording.number_word(len(found.tied))} other {equal} it{_where_selected(findings)}"
        return [Sentence(wording.sentence(text), Evidence(cells=(found.cell, *found.tied)), (), ("best",))]
    other = setting(findings, names, grid.cells[found.runner_up])
    text = {
        Verdict.HIGHER: f"It beats the next, {other}, by {wording.points(difference.value)}",
        Verdict.LOWER: f"On the test set it stays {wording.points(difference.value)} below the next, {other}",
        Verdict.NOT_DISTINGUISHABLE: f"It is not distinguishable from the next, {other}",
    }.get(difference.verdict, f"Its lead over the next, {other}, rests on too few runs to be decided")
    return [Sentence(wording.sentence(text), evidence, (), ("best",))]


def recipe(findings: Findings, names: Names, found: Recipe) -> Sentence:
    """What a recipe changes over all points at which it was tried."""
    assert found.balance is not None
    compared = findings.grid.of(found.balance.evidence.differences)
    text = f"{change(findings, names, found)} against {against(findings, names, found)}: "
    text += _changes(compared, found.balance, len(found.pairs))
    return Sentence(wording.sentence(text), found.balance.evidence, ("recipes",), ("recipes",))


def _changes(compared: list[Difference], balance: Claim[Balance], planned: int) -> str:
    values = [each.value for each in compared]
    nouns = ("pair" if len(compared) == 1 else "pairs") + (" with results" if len(compared) < planned else "")
    match balance.reading:
        case Balance.HIGHER | Balance.LOWER:
            return f"{balance.reading} {throughout(len(compared), nouns)}, by {sizes(values)}"
        case Balance.UNTESTED:
            return f"{signed_sizes(values)}, undecided {throughout(len(compared), nouns)}"
        case _:
            return tally(compared, nouns)


def change(findings: Findings, names: Names, found: Recipe) -> str:
    """Return what a recipe does in a few words: `adding label smoothing 0.1`, `without dropout`, `batch size 32`."""
    group = findings.grid.group(found.group)
    if found.change is Change.SEVERAL:
        return named(names, group, found.changed)
    (key,) = found.changed
    value = group.settings[key]
    if key in JOINED and found.change is not Change.OTHER_VALUE and value != "none":
        gone, new = replaced(str(findings.grid.group(found.against).settings.get(key)), str(value))
        return (
            f"adding {names.value(key, '+'.join(new))}"
            if new
            else f"without {names.value(key, '+'.join(gone))}"
        )
    if found.change is Change.LEFT_OUT:
        return f"without {names.setting(key)}"
    words = names.setting(key) if value is True else names.value(key, value)
    return f"adding {words}" if found.change is Change.ADDED and key not in SAID_WHOLE else words


def against(findings: Findings, names: Names, found: Recipe) -> str:
    """Return the recipe that another is compared with, in words: on a ladder of many parts, it is the one before."""
    group = findings.grid.group(found.against)
    if not group.differs:
        return (titled(group) if findings.grid.at_one_point else "") or "the base recipe"
    places = [each.id for each in findings.grid.groups]
    few = 1 if findings.grid.at_one_point else MOST_NAMED
    if len(group.differs) > few and places.index(found.group) == places.index(found.against) + 1:
        return "the recipe before"
    return named(names, group, tuple(group.differs))


def edges(findings: Findings, names: Names) -> list[Sentence]:
    """Which best values lie at an end of three or more that were tried; of two, either would."""
    found = [each for each in findings.recipes.edges if len(each.tried) > 2]
    return [_edge(findings, names, each) for each in found]


def _edge(findings: Findings, names: Names, found: Edge) -> Sentence:
    beyond = "lower" if found.end is End.LOWEST else "higher"
    text = (
        f"the {found.end} {names.setting(found.setting)} of {wording.number_word(len(found.tried))} tried, "
        f"{_number(found.value)}, has the highest mean{_where_selected(findings)} in "
        f"{share_of(len(found.cells), found.points, 'comparison')}: {beyond} ones may do better still"
    )
    return Sentence(wording.sentence(text), Evidence(cells=found.cells), ("recipes",), ("recipes",))


def _number(value: float) -> str:
    return plain(int(value) if value.is_integer() else value)


def caveat(claim: Claim[Caveat]) -> Sentence:
    """What must be known before a difference is credited to one setting."""
    return Sentence(CAVEATS[claim.reading], claim.evidence, (), ("recipes",))
