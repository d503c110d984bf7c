"""How much a run trains: batches, optimizer steps, images seen, operations. Known before any job runs."""

from scalestudy.study.models import forward_gmacs
from scalestudy.study.settings import RunSettings


def batches_per_epoch(images: int, batch_size: int) -> int:
    """Return the batches of one pass over `images` images.

    A last batch of one image would leave batch normalisation a single value to average (it fails on 32 x 32 images),
    so that image joins the batch before it.
    """
    full, rest = divmod(images, batch_size)
    return full + (1 if rest > 1 or full == 0 else 0)


def step_boundaries(settings: RunSettings, images: int) -> list[int]:
    """Return the number of optimizer steps taken by the end of each epoch (or evaluation, with `steps`)."""
    if settings.steps is None:
        each = batches_per_epoch(images, settings.batch_size)
        return [each * epoch for epoch in range(1, settings.epochs + 1)]
    points = min(settings.epochs, settings.steps)
    return [round(settings.steps * point / points) for point in range(1, points + 1)]


def images_seen(settings: RunSettings, images: int) -> int:
    """Return the number of images that the run's steps draw, repeats counted."""
    return images_in_steps(step_boundaries(settings, images)[-1], settings.batch_size, images)


def images_in_steps(steps: int, batch_size: int, images: int) -> int:
    """Return the number of images that the first `steps` steps on a subset of `images` draw, repeats counted."""
    passes, rest = divmod(steps, batches_per_epoch(images, batch_size))
    return passes * images + min(rest * batch_size, images)


def training_gmacs(settings: RunSettings, seen: int) -> float:
    """Return about how many 10^9 multiply-adds it takes to train on `seen` images, repeats counted.

    A backward pass counts as two forward passes (Kaplan et al. 2020, Scaling laws for neural language models, section
    2.1); a frozen backbone has none, and what a head takes is left out. UserError for an unknown model.
    """
    passes = 1 if settings.freeze == "backbone" else 3
    return passes * forward_gmacs(settings.model, settings.image_size, settings.stem) * seen


def warmup_steps(settings: RunSettings, steps: int) -> int:
    """Return how many of the run's `steps` optimizer steps are its warmup."""
    return round(settings.warmup * steps) if settings.warmup < 1 else int(settings.warmup)
