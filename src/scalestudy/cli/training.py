"""`scalestudy train`, `pretrain` and `fetch-weights`."""

import sys
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from scalestudy.cli.flags import Flag, as_flags, with_flags
from scalestudy.errors import UserError, nearest
from scalestudy.study import names, paths
from scalestudy.study.config import NOT_OF_AN_UPSTREAM_STAGE
from scalestudy.study.dataset import DatasetSettings, parse_dataset, sources_by_name
from scalestudy.study.faults import describe
from scalestudy.study.keys import default_text, help_text
from scalestudy.study.models import known_models
from scalestudy.study.registries import REGISTRIES
from scalestudy.study.runs import check_settings
from scalestudy.study.settings import RunSettings, TrainEval

Data = Annotated[
    str,
    typer.Option(
        help="Folder of a prepared dataset, or a dataset by its name (digits, glyphs, cifar10, cifar100, or one of "
        "torchvision's, such as FashionMNIST; or huggingface:NAME)."
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="File of the initial weights, for every --init but none (`scalestudy fetch-weights` brings published)."
    ),
]
Output = Annotated[
    Path | None, typer.Option(help="Folder of the run; results/by-hand/runs/<run> if left out.")
]
Normalization = Annotated[
    Literal["imagenet", "dataset", "weights"],
    typer.Option(
        help="Input statistics; weights: those that the initial weights were trained with, as timm says."
    ),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")]
Precision = Annotated[
    Literal["auto", "float32", "bf16"], typer.Option(help="Number format of the arithmetic.")
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
LogToOption = Annotated[
    Literal["none", "tensorboard"],
    typer.Option("--log-to", help="Event files for TensorBoard beside the runs."),
]
JobsPerGpu = Annotated[int, typer.Option(min=1, help="Training jobs that may share one GPU.")]


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "model": known_models,
    **{key: registry.keys for key, registry in REGISTRIES.items()},
}


def _with_run_settings(
    *, hidden: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag per setting of a run, read by the parser of a study's YAML; it gets `settings`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def parsed(*, given: dict[str, str], **values: Any) -> None:
            try:
                settings = RunSettings.model_validate(given)
            except ValidationError as error:
                lines = as_flags(describe(error, RunSettings), RunSettings.model_fields)
                raise UserError("; ".join(lines)) from None
            check_settings(settings)
            command(settings=settings.canonical(), **values)

        own = [each for each in signature(command).parameters.values() if each.name != "settings"]
        parsed.__signature__ = Signature(own)  # type: ignore[attr-defined]
        flags = {
            key: Flag(help_text(field), default_text(field), values=_VALUES.get(key), hidden=key in hidden)
            for key, field in RunSettings.model_fields.items()
        }
        return with_flags(flags)(parsed)

    return decorate


@_with_run_settings()
def train(
    *,
    settings: RunSettings,
    data: Data = "digits",
    weights: Weights = None,
    output: Output = None,
    normalization: Normalization = "imagenet",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 1,
    jobs_per_gpu: JobsPerGpu = 1,
    log_to: LogToOption = "none",
    train_eval: Annotated[
        TrainEval,
        typer.Option(help="After which epochs the training subset is measured in evaluation mode."),
    ] = "last",
    save_weights: Annotated[bool, typer.Option("--save-weights", help="Keep the final weights.")] = False,
) -> None:
    """Train one run: metrics.csv, run.json and predictions.npz in its folder. Goes on where it was interrupted."""
    from scalestudy.files import sha256_file
    from scalestudy.results.record import WEIGHTS

    if settings.init != "none" and weights is None:
        raise UserError(
            f"--init {settings.init} needs the file of these weights: add --weights FILE "
            "(`scalestudy fetch-weights` brings published ones), or leave --init out"
        )
    if settings.init == "none" and weights is not None:
        raise UserError(f"--weights {weights} needs a name for these weights: add --init NAME, any but none")
    if weights is not None and output is not None and weights.resolve() == (output / WEIGHTS).resolve():
        raise UserError(
            f"--output {output}: the initial weights lie there, as {WEIGHTS}; choose another folder"
        )
    folder = _dataset(data, settings, device)
    # In data/ and weights/ a name says what a folder holds; elsewhere others may have the same.
    images = folder.name if _lies_in(paths.DATA, folder) else sha256_file(folder / "dataset.json")
    source = None
    if weights is not None:
        # One that is missing is refused in a moment.
        known = _lies_in(paths.WEIGHTS, weights.parent) or not weights.is_file()
        source = weights.parent.name if known else sha256_file(weights)
    name = names.run_name(settings, images, source, normalization)
    _start(
        name=output.name if output else name,
        settings=settings,
        data=folder,
        output=output or paths.run_folder("by-hand", name),
        weights=weights,
        normalization=normalization,
        device=device,
        precision=precision,
        threads=threads,
        jobs_per_gpu=jobs_per_gpu,
        log_to=log_to,
        save_weights=save_weights,
        train_eval=train_eval,
    )


@_with_run_settings(hidden=NOT_OF_AN_UPSTREAM_STAGE)
def pretrain(
    *,
    settings: RunSettings,
    output: Annotated[
        Path, typer.Option(help="Folder for weights.pth, weights.json and the training's files.")
    ],
    task: Annotated[Literal["labels", "rotation"], typer.Option(help="What to learn.")] = "labels",
    data: Data = "glyphs",
    normalization: Normalization = "imagenet",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 1,
    jobs_per_gpu: JobsPerGpu = 1,
    log_to: LogToOption = "none",
) -> None:
    """Train initial weights for other runs: the upstream stage of a study."""
    from scalestudy.files import sha256_file
    from scalestudy.results.record import read_record
    from scalestudy.results.weights import write_weights_record

    if settings.init != "none":
        raise UserError(f"--init {settings.init}: an upstream stage begins from scratch; leave it out")
    folder = _dataset(data, settings, device)
    _start(
        name=output.name,
        settings=settings,
        data=folder,
        output=output,
        task=task,
        normalization=normalization,
        device=device,
        precision=precision,
        threads=threads,
        jobs_per_gpu=jobs_per_gpu,
        log_to=log_to,
        save_weights=True,
    )
    record = read_record(output / "run.json")
    if not record.complete:
        raise UserError(
            f"the upstream stage {output.name} diverged; lower `lr` in its `recipe` (in a study: "
            "weights.<name>.upstream.recipe; by hand: --lr)"
        )
    trained_on = f"upstream stage: {task} of {record.dataset.name}"
    write_weights_record(output, trained_on, sha256_file(output / "weights.pth"))


def fetch_weights(
    output: Annotated[Path, typer.Option(help="Folder for weights.pth and weights.json.")],
    url: Annotated[str | None, typer.Option(help="Where torchvision publishes the file.")] = None,
    file: Annotated[Path | None, typer.Option(help="A checkpoint that is there already.")] = None,
    sha256: Annotated[str | None, typer.Option(help="SHA-256 that the checkpoint must have.")] = None,
    model: Annotated[str | None, typer.Option(help="Model that the checkpoint must fit.")] = None,
    timm: Annotated[
        str | None, typer.Option(help="Name of a model and its weights in timm, such as resnet18.a1_in1k.")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --model (224 if left out) or --timm (its own): the images, in pixels."
        ),
    ] = None,
    stem: Annotated[
        Literal["imagenet", "cifar", "whitening"], typer.Option(help="With --model: its stem.")
    ] = "imagenet",
) -> None:
    """Bring published weights, or a checkpoint file, to the study, with the SHA-256 verified."""
    from scalestudy.training.weights import adopt_checkpoint
    from scalestudy.training.weights import fetch_weights as fetch

    checked = sha256 is not None or model is not None
    if timm is not None and url is None and file is None and not checked:
        from scalestudy.training.timm_weights import fetch_timm_weights

        fetch_timm_weights(timm, image_size, output)
    elif url is not None and file is None and timm is None and not checked:
        fetch(url, output)
    elif file is not None and sha256 is not None and url is None and timm is None:
        adopt_checkpoint(file, sha256, output, model, image_size or 224, stem)
    else:
        raise UserError(
            "fetch-weights takes either --url, or --file with --sha256 and, if you like, --model, or --timm"
        )


def _lies_in(parent: Path, folder: Path) -> bool:
    return folder.resolve().parent == parent.resolve()


def _start(**job: Any) -> None:
    from scalestudy.training.job import Job, run_job

    if code := run_job(Job(**job)):
        sys.exit(code)


def _dataset(data: str, settings: RunSettings, device: str) -> Path:
    """Return the folder of the prepared dataset; a source named by hand is prepared when it is not there yet."""
    if device == "cuda":  # before minutes go into a download
        from scalestudy.training.device import require_gpu

        require_gpu()
    folder = Path(data)
    if data not in sources_by_name() and not data.startswith("huggingface:"):
        if (folder / "dataset.json").is_file():
            return folder
        raise UserError(
            f"--data {data}: neither a folder with dataset.json (`scalestudy prepare` makes one) nor the name of a "
            f"dataset{nearest(data, sources_by_name())}; the names are {', '.join(sources_by_name())}, huggingface:NAME"
        )
    from scalestudy.data.prepare import prepare_dataset

    try:
        source = parse_dataset(data)
    except ValidationError as error:
        raise UserError(
            "; ".join(f"--data {data} names no dataset: {line}" for line in describe(error, DatasetSettings))
        ) from None
    folder = paths.dataset_folder(names.dataset_name(source, settings.image_size))
    if not (folder / "dataset.json").is_file():
        print(f"preparing {data} in {folder}", flush=True)
        prepare_dataset(source, settings.image_size, folder)
    return folder
