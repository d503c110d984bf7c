"""What other recipes bring, part by part, and the best result: selected on which images, and how far ahead."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from scalestudy.findings.compare import Pair
from scalestudy.findings.model import Balance, Cell, Claim, Evidence, Grid, Group, Measure, Record, Scalar
from scalestudy.findings.study import Study
from scalestudy.study.registries import parts_of
from scalestudy.study.settings import RunSettings

# Their values are alternatives, so that none of them is "without".
VALUES = (
    "image_size",
    "optimizer",
    "lr",
    "momentum",
    "averaging_decay",
    "batch_size",
    "epochs",
    "steps",
    "validation",
    "stem",
    "conv_init",
    "backbone_lr",
    "norm_bias_lr",
)
# Their values join parts by `+`.
JOINED = ("augmentation",)
# How long and on what is trained; no better value of it is searched for.
NOT_SEARCHED = ("dataset", "image_size", "validation", "epochs", "steps")


class Missing(StrEnum):
    """Why there is nothing to find."""

    NO_RESULT = "no_result"


class Images(StrEnum):
    """On which images settings are selected: held-out training images, or the test set itself."""

    VALIDATION = "validation"
    TEST = "test"


class Change(StrEnum):
    """What a recipe does to the one that it is compared with. SEVERAL: more than one setting differs."""

    ADDED = "added"
    LEFT_OUT = "left_out"
    OTHER_VALUE = "other_value"
    SEVERAL = "several"


class End(StrEnum):
    """An end of the range of values that were tried."""

    LOWEST = "lowest"
    HIGHEST = "highest"


class Caveat(StrEnum):
    """What must be known before a difference is credited to one setting.

    BATCH_SIZE: one learning rate for all batch sizes (Shallue et al. 2019), and at equal epochs a smaller batch
    takes more steps. OPTIMIZER: each with one learning rate (Choi et al. 2019). TOGETHER: settings changed
    together.
    """

    BATCH_SIZE = "batch_size"
    OPTIMIZER = "optimizer"
    TOGETHER = "together"


class Selection(Record):
    """How the best setting is selected: by the mean of `measure` after the last epoch, never by the best epoch.

    `as_reported`: the study compares itself with an assignment's numbers, which were selected on the test set.
    """

    images: Images
    measure: Measure
    as_reported: bool


class Best(Record):
    """The setting with the highest selected measure of `compared`, the next one, and those that equal it."""

    cell: str
    runner_up: str | None
    tied: tuple[str, ...]
    compared: int


class Recipe(Record):
    """A recipe beside the one before it that it differs least from, `against` (of equals, the base recipe).

    `changed` are the settings that differ. `pairs` are the cells of (against, this) at the same model, weights and
    fraction, those without a result too; `balance` is None where no pair has results.
    """

    group: str
    against: str
    change: Change
    changed: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    balance: Claim[Balance] | None


class Part(Record):
    """What one part of the base recipe is worth, where only the recipe varies.

    `value` is that of its setting in the base recipe; of a setting that joins parts, the part itself. `added` are the
    cells of the recipe before, without it, and of the one with it; `left_out` the base cell and the one without it.
    """

    setting: str
    value: Scalar
    added: tuple[str, str] | None = None
    left_out: tuple[str, str] | None = None


class Edge(Record):
    """A best value at an end of the range that was tried, all else being equal.

    `cells` are the best cells there; `points` is at how many points (model, weights, fraction, other settings)
    these values were tried.
    """

    setting: str
    value: float
    end: End
    tried: tuple[float, ...]
    cells: tuple[str, ...]
    points: int


class Recipes(Record):
    """All that was found about recipes."""

    missing: Missing | None
    selection: Selection | None = None
    best: Best | None = None
    recipes: tuple[Recipe, ...] = ()
    parts: tuple[Part, ...] = ()
    edges: tuple[Edge, ...] = ()
    caveats: tuple[Claim[Caveat], ...] = ()


def pairs(study: Study) -> list[Pair]:
    """Return each recipe's cells against those of the recipe before, and the best cell against the runner-up."""
    grid = study.grid
    found = [(grid.cells[a], grid.cells[b]) for _, _, own in _neighbours(grid) for a, b in own]
    best = _best(grid, _selection(study))
    if best is not None and best.runner_up is not None:
        found.append((grid.cells[best.runner_up], grid.cells[best.cell]))
    return found


def find(study: Study) -> Recipes:
    """Return what other recipes bring, and the best result."""
    grid, selection = study.grid, _selection(study)
    best = _best(grid, selection)
    if best is None:
        return Recipes(missing=Missing.NO_RESULT)
    recipes = tuple(_recipe(grid, *each) for each in _neighbours(grid))
    return Recipes(
        missing=None,
        selection=selection,
        best=best,
        recipes=recipes,
        parts=tuple(_parts(grid, recipes)) if grid.at_one_point else (),
        edges=tuple(_edges(grid, selection.measure)),
        caveats=tuple(_caveats(grid, recipes)),
    )


def _selection(study: Study) -> Selection:
    """Return the rule of selection: held-out images where every result has them, else the test set."""
    grid = study.grid
    having = grid.having(tuple(grid.cells))
    held_out = bool(having) and all(cell.stat("validation_accuracy") is not None for cell in having)
    sources = [
        f"{each.get('title')} {each.get('source')}".lower() for each in study.record.get("references", ())
    ]
    return Selection(
        images=Images.VALIDATION if held_out else Images.TEST,
        measure="validation_accuracy" if held_out else grid.primary,
        as_reported=any("assignment" in source for source in sources),
    )


def _value(cell: Cell, measure: Measure) -> float:
    found = cell.stat(measure)
    return float("-inf") if found is None else found.value


def _best(grid: Grid, selection: Selection) -> Best | None:
    """Return the best cell; of equals the first in the study's order, with the base recipe's in front."""
    having = grid.having(tuple(grid.cells))
    if not having:
        return None
    ranked = sorted(having, key=lambda cell: -_value(cell, selection.measure))
    top = _value(ranked[0], selection.measure)
    return Best(
        cell=ranked[0].id,
        runner_up=ranked[1].id if len(ranked) > 1 else None,
        tied=tuple(cell.id for cell in ranked[1:] if _value(cell, selection.measure) == top),
        compared=len(ranked),
    )


def _neighbours(grid: Grid) -> list[tuple[Group, Group, list[tuple[str, str]]]]:
    """Return each recipe but the base, the one that it is compared with, and their cells at the same points."""
    found = []
    for place, group in enumerate(grid.groups[1:], start=1):
        own = {_point(grid.cells[name]): name for name in group.cells}
        candidates = []
        for before in grid.groups[:place]:
            shared = [
                (name, own[point]) for name in before.cells if (point := _point(grid.cells[name])) in own
            ]
            if shared:
                candidates.append((_distance(before, group), before, shared))
        if candidates:
            least, before, shared = min(candidates, key=lambda each: each[0])
            found.append((before, group, shared))
            # The last rung of a ladder is as near to the rung before it as to the base recipe.
            distance, rung, pair = candidates[-1]
            again = rung is grid.groups[place - 1] and rung is not before and distance == least == 1
            if grid.at_one_point and again and _distance(grid.base, rung) > _distance(grid.base, group):
                found.append((rung, group, pair))
    return found


def _point(cell: Cell) -> tuple[str, str, str]:
    return cell.model, cell.init, cell.fraction


def _changed(before: Group, group: Group) -> tuple[str, ...]:
    return tuple(key for key, value in group.settings.items() if value != before.settings.get(key))


def _distance(before: Group, group: Group) -> int:
    """Return in how many parts two recipes differ; of settings that join parts, each counts."""
    return sum(
        max(map(len, replaced(str(before.settings.get(key)), str(group.settings[key]))))
        if key in JOINED
        else 1
        for key in _changed(before, group)
    )


def replaced(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the parts that one value of a joined setting has and the other has not: gone, and new."""
    old, new = ([part for part in parts_of(value) if part != "none"] for value in (before, after))
    return [part for part in old if part not in new], [part for part in new if part not in old]


def _recipe(grid: Grid, before: Group, group: Group, shared: Sequence[tuple[str, str]]) -> Recipe:
    keys = tuple(grid.key(a, b) for a, b in shared if None not in (grid.cells[a].value, grid.cells[b].value))
    changed = _changed(before, group)
    balance = None
    if keys:
        verdicts = [found.verdict for a, b in shared if (found := grid.difference(a, b)) is not None]
        balance = Claim[Balance](
            reading=Balance.of(verdicts), subjects=(group.id,), evidence=Evidence(differences=keys)
        )
    return Recipe(
        group=group.id,
        against=before.id,
        change=_change(before, group, changed),
        changed=changed,
        pairs=tuple(shared),
        balance=balance,
    )


def _change(before: Group, group: Group, changed: Sequence[str]) -> Change:
    """Return whether a part was added or left out: whether its setting leaves its default or goes back to it."""
    if len(changed) > 1:
        return Change.SEVERAL
    (key,) = changed
    if key in VALUES or key not in RunSettings.model_fields:
        return Change.OTHER_VALUE
    if key in JOINED:
        gone, new = replaced(str(before.settings.get(key)), str(group.settings[key]))
        return Change.OTHER_VALUE if gone and new else (Change.ADDED if new else Change.LEFT_OUT)
    if _off(key, group.settings[key]):
        return Change.LEFT_OUT
    return Change.ADDED if _off(key, before.settings.get(key)) else Change.OTHER_VALUE


def _parts(grid: Grid, recipes: Sequence[Recipe]) -> list[Part]:
    """Return each part of the base recipe that was added or left out; none without three that were both."""
    found: dict[tuple[str, Scalar, Scalar], Part] = {}
    for each in recipes:
        if each.change is Change.SEVERAL:
            continue
        (key,), (pair,) = each.changed, each.pairs
        old, new = (grid.group(name).settings.get(key) for name in (each.against, each.group))
        place = "left_out" if each.against == grid.base.id else "added"
        without, value = (new, old) if place == "left_out" else (old, new)
        if key in JOINED:
            less, more = replaced(str(without), str(value))
            if less or len(more) != 1:
                continue
            without, value = None, more[0]
        elif value != grid.base.settings.get(key):
            continue
        part = found.setdefault((key, value, without), Part(setting=key, value=value))
        found[key, value, without] = part.model_copy(update={place: pair})
    rungs = {part.added[1] for part in found.values() if part.added}
    whole = [
        # The base recipe without one part is the last rung: there that part is the last one added.
        part.model_copy(update={"added": part.left_out[::-1]})
        if part.left_out and not part.added and part.left_out[1] in rungs
        else part
        for part in found.values()
    ]
    known = [part for part in whole if part.added or _off(part.setting, _without(grid, part))]
    known.sort(key=lambda part: 2 if not part.added else int(part.added[1] == grid.base.cells[0]))
    return known if sum(bool(part.added and part.left_out) for part in known) > 2 else []


def _without(grid: Grid, part: Part) -> Scalar:
    return grid.cells[part.left_out[1]].settings.get(part.setting) if part.left_out else None


def _off(key: str, value: Scalar) -> bool:
    default = RunSettings.model_fields[key].default
    return value is None or value == default or str(value) == str(default)


def _edges(grid: Grid, measure: Measure) -> Iterable[Edge]:
    """Return the best values at an end of their range (Google's tuning playbook, on search space boundaries).

    Values are compared where all other settings are equal. 0 as the lowest of a setting that cannot be negative is no
    end to go beyond.
    """
    found: dict[tuple[str, tuple[float, ...]], list[Cell]] = {}
    for key in grid.base.settings:
        if key in NOT_SEARCHED:
            continue
        alike: dict[tuple[object, ...], list[Cell]] = {}
        for cell in grid.cells.values():
            if cell.stat(measure) is not None and _number(cell.settings.get(key)) is not None:
                rest = tuple(value for name, value in cell.settings.items() if name != key)
                alike.setdefault(rest, []).append(cell)
        for cells in alike.values():
            tried = tuple(
                sorted({value for cell in cells if (value := _number(cell.settings[key])) is not None})
            )
            if len(tried) > 1:
                found.setdefault((key, tried), []).append(max(cells, key=lambda cell: _value(cell, measure)))
    for (key, tried), winners in found.items():
        for end, value in ((End.LOWEST, tried[0]), (End.HIGHEST, tried[-1])):
            own = tuple(cell.id for cell in winners if _number(cell.settings[key]) == value)
            if own and not (end is End.LOWEST and value == 0):
                yield Edge(setting=key, value=value, end=end, tried=tried, cells=own, points=len(winners))


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _caveats(grid: Grid, recipes: Sequence[Recipe]) -> Iterable[Claim[Caveat]]:
    rates: dict[Scalar, set[Scalar]] = {}
    of_batch: dict[Scalar, set[Scalar]] = {}
    for group in grid.groups:
        if grid.having(group.cells):
            rates.setdefault(group.settings.get("optimizer"), set()).add(group.settings.get("lr"))
            of_batch.setdefault(group.settings.get("batch_size"), set()).add(group.settings.get("lr"))
    one_rate = all(len(own) == 1 for own in rates.values())

    def at_one_rate(each: Recipe) -> bool:
        """Return whether the batch size of a recipe was tried at a single learning rate, that of the other."""
        tried = of_batch.get(grid.group(each.group).settings.get("batch_size"), set())
        return "batch_size" in each.changed and "lr" not in each.changed and len(tried) == 1

    conditions: dict[Caveat, Callable[[Recipe], bool]] = {
        Caveat.BATCH_SIZE: at_one_rate,
        Caveat.OPTIMIZER: lambda each: "optimizer" in each.changed and one_rate,
        Caveat.TOGETHER: lambda each: each.change is Change.SEVERAL,
    }
    for caveat, holds in conditions.items():
        keys = [
            key
            for each in recipes
            if each.balance and holds(each)
            for key in each.balance.evidence.differences
        ]
        if keys:
            yield Claim[Caveat](reading=caveat, evidence=Evidence(differences=tuple(dict.fromkeys(keys))))
