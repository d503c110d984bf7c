"""Each augmentation changes images as its name says, from the seed, the step and the images' positions alone."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from scalestudy.study.registries import AUGMENTATIONS
from scalestudy.study.settings import RunSettings
from scalestudy.training.augmentation import POLICY_GROUP, Draw, augment
from scalestudy.training.mixing import correct_share, mix


def images() -> Tensor:
    """Return 64 different images, channels last in memory, as a batch is."""
    pixels = torch.randint(0, 256, (64, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return pixels.to(torch.uint8).contiguous(memory_format=torch.channels_last)


def dots(count: int = 400) -> Tensor:
    """Return black images with a white dot in row 16, column 16."""
    pixels = torch.zeros(count, 3, 32, 32, dtype=torch.uint8)
    pixels[:, :, 16, 16] = 255
    return pixels


def draw(step: int = 0, seed: int = 0, count: int = 64, passed: int = 0) -> Draw:
    return Draw.of(torch.arange(count), seed, step, passed)


def mirrored(before: Tensor, after: Tensor) -> Tensor:
    """Return which images were mirrored, bool [B]; each must be, or be left as it was."""
    turned = (after == before.flip(3)).flatten(1).all(1)
    same = (after == before).flatten(1).all(1)
    assert torch.equal(turned, ~same)
    return turned


@pytest.mark.parametrize("name", [*AUGMENTATIONS, "crop_flip", "translate+alternating_flip+erasing"])
def test_every_augmentation_keeps_kind_and_shape_and_follows_from_seed_and_step(name: str) -> None:
    changed = augment(images(), name, draw(step=3))
    assert (changed.dtype, changed.shape) == (torch.uint8, (64, 3, 32, 32))
    assert changed.is_contiguous(memory_format=torch.channels_last)
    state = torch.get_rng_state()
    torch.manual_seed(99)
    assert torch.equal(augment(images(), name, draw(step=3)), changed)
    torch.set_rng_state(state)
    augment(images(), name, draw(step=3))
    assert torch.equal(torch.get_rng_state(), state), "dropout would see other numbers"
    if name == "none":
        assert torch.equal(changed, images())
    else:
        assert not torch.equal(changed, images())
        if name != "alternating_flip":
            assert not torch.equal(augment(images(), name, draw(step=4)), changed)
        assert not torch.equal(augment(images(), name, draw(step=3, seed=1)), changed)


def test_a_flip_mirrors_some_images_and_leaves_the_others() -> None:
    turned = mirrored(images(), augment(images(), "flip", draw()))
    assert 16 < int(turned.sum()) < 48


def test_alternating_flips_mirror_each_image_in_every_second_pass_wherever_it_stands_in_a_batch() -> None:
    passes = [mirrored(images(), augment(images(), "alternating_flip", draw(passed=n))) for n in range(4)]
    assert 16 < int(passes[0].sum()) < 48
    assert torch.equal(passes[1], ~passes[0])
    assert torch.equal(passes[2], passes[0])
    order = torch.randperm(64, generator=torch.Generator().manual_seed(5))
    moved = Draw.of(order, 0, 17, 1)
    after = augment(images()[order], "alternating_flip", moved)
    assert torch.equal(mirrored(images()[order], after), passes[1][order])


@pytest.mark.parametrize(("name", "furthest"), [("crop", 4), ("translate", 2)])
def test_shifts_reach_as_far_as_they_say_in_all_directions(name: str, furthest: int) -> None:
    at = augment(dots(), name, draw(count=400))[:, 0].flatten(1).int().argmax(1)
    for place in (at.div(32, rounding_mode="floor"), at % 32):
        assert (int(place.min()), int(place.max())) == (16 - furthest, 16 + furthest)
        assert len(place.unique()) == 2 * furthest + 1


def test_a_crop_brings_in_black_and_a_translation_what_is_mirrored_at_the_edge() -> None:
    rows = torch.arange(32, dtype=torch.uint8)[None, None, :, None].expand(64, 3, 32, 32) + 100
    cropped, translated = (augment(rows, name, draw())[:, 0, :, 16].int() for name in ("crop", "translate"))
    assert {int(each) for each in cropped.unique()} == {0, *range(100, 132)}
    assert {int(each) for each in translated[:, 0]} == {100, 101, 102}
    assert (translated[translated[:, 2] == 100][:, :5] == torch.tensor([102, 101, 100, 101, 102])).all()
    assert (translated[translated[:, 1] == 103][:, -4:] == torch.tensor([130, 131, 130, 129])).all()


@pytest.mark.parametrize(
    ("name", "policy"), [("randaugment", v2.RandAugment), ("trivialaugment", v2.TrivialAugmentWide)]
)
def test_a_policy_is_torchvisions_with_one_draw_for_each_group_of_a_batch(
    name: str, policy: type[v2.Transform]
) -> None:
    seed = int(torch.randint(2**62, (), generator=draw(step=2).generator))
    changed = augment(images(), name, draw(step=2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, 64, POLICY_GROUP):
            group = slice(start, start + POLICY_GROUP)
            assert torch.equal(changed[group], policy()(images()[group]))


def test_erasing_covers_one_rectangle_of_half_of_the_images_with_one_colour() -> None:
    white = torch.full((400, 3, 32, 32), 255, dtype=torch.uint8)
    white[0] = 0  # so that the mean colour is not white
    changed = augment(white, "erasing", draw(count=400))[1:, 0]
    covered = changed != 255
    shares = covered.flatten(1).double().mean(1)
    touched = shares > 0
    assert 0.4 < float(touched.double().mean()) < 0.6
    assert float(shares[touched].min()) > 0.015
    assert float(shares.max()) < 0.36
    assert 0.1 < float(shares[touched].mean()) < 0.25
    for each in covered[touched]:
        assert int(each.sum()) == int(each.any(0).sum()) * int(each.any(1).sum()), "not a rectangle"
    assert len(changed[covered].unique()) == 1


def test_augmentations_take_other_sizes() -> None:
    for size in (8, 45):
        small = torch.zeros(16, 3, size, size, dtype=torch.uint8)
        for name in AUGMENTATIONS:
            assert augment(small, name, draw(count=16)).shape == small.shape


# Mixed images


def mixed(step: int = 0, **values: float) -> tuple[Tensor, Tensor]:
    """Return the inputs and targets of a mixed batch in which image i, of class i, has the value 2**i everywhere."""
    inputs = (2.0 ** torch.arange(8)).view(8, 1, 1, 1).expand(8, 3, 16, 16).clone()
    settings = RunSettings.model_validate(values)
    return mix(inputs, torch.arange(8), 8, settings, draw(step=step, count=8))


def test_without_mixing_images_and_labels_stay_what_they_are() -> None:
    inputs, targets = mixed()
    assert torch.equal(targets, torch.arange(8))
    assert torch.equal(inputs[:, 0, 0, 0], 2.0 ** torch.arange(8))


def test_mixup_blends_each_image_and_its_label_with_another_by_one_share() -> None:
    inputs, targets = mixed(mixup=1)
    assert torch.allclose(targets.sum(1), torch.ones(8))
    assert ((targets > 0).sum(1) == 2).all()
    assert torch.allclose(inputs[:, 0, 0, 0], targets @ 2.0 ** torch.arange(8))
    assert len({round(float(share), 5) for share in targets.diagonal()}) == 1
    others = {round(float(mixed(step, mixup=1)[1][0, 0]), 6) for step in range(10)}
    assert len(others) == 10


def test_cutmix_takes_as_much_of_the_label_as_of_the_image() -> None:
    for step in range(5):
        inputs, targets = mixed(step, cutmix=1)
        own = (inputs[:, 0] == (2.0 ** torch.arange(8)).view(8, 1, 1)).double().mean((1, 2))
        assert torch.allclose(targets.diagonal().double(), own, atol=1e-6)


def test_with_both_ways_each_batch_takes_one() -> None:
    batches = [mixed(step, mixup=1, cutmix=1)[0] for step in range(20)]
    blended = [bool((each == each[:, :, :1, :1]).all()) for each in batches]
    assert 3 < sum(blended) < 17


def test_mixing_leaves_the_numbers_of_dropout_alone() -> None:
    state = torch.get_rng_state()
    first, again = mixed(mixup=0.3), mixed(mixup=0.3)
    assert torch.equal(first[0], again[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_an_answer_counts_with_the_share_that_its_class_has_in_the_target() -> None:
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 5.0, 0.0]])
    assert int(correct_share(logits, torch.tensor([0, 1, 1]))) == 2
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.6, 0.0, 0.4], [0.5, 0.0, 0.5]])
    assert float(correct_share(logits, shares)) == pytest.approx(1.1)
