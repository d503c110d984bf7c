"""Weights that timm publishes, fetched by timm itself and kept as this project keeps weights."""

from pathlib import Path

from scalestudy.data.progress import say
from scalestudy.errors import UserError
from scalestudy.files import sha256_file
from scalestudy.results.weights import read_weights_record, write_weights_record
from scalestudy.study.timm_models import PREFIX, require_timm, size_options, timm_model
from scalestudy.training.checkpoint import save_tensors


def fetch_timm_weights(name: str, image_size: int | None, output: Path) -> None:
    """Bring the weights `name` (`ARCHITECTURE.TAG`) to `output`/weights.pth; write `output`/weights.json.

    timm downloads and checks them, into the cache of the Hugging Face Hub (`$HF_HOME`), and fits position embeddings
    to `image_size` (pixels; None: the model's own). weights.json has their SHA-256 and the input statistics that they
    were trained with. Raises UserError where they cannot be had.
    """
    architecture, _, tag = name.partition(".")
    model = timm_model(architecture)
    if tag not in model.tags:
        raise UserError(
            f"timm has no weights '{tag}' of {architecture}; "
            + (f"it has: {', '.join(model.tags)}" if model.tags else "no weights are published for it")
        )
    target, record = output / "weights.pth", output / "weights.json"
    if target.is_file() and record.is_file():
        there = read_weights_record(output)
        if there["source"].startswith(f"{PREFIX}{name}, ") and there["sha256"] == sha256_file(target):
            say(f"{target} is there already")
            return
    timm = require_timm()
    options = size_options(architecture, image_size or model.image_size)
    try:
        built = timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # those of the Hub's client, of HTTP, of the file's format, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"timm could not get the weights {name}: {reason[:300]}. Without a network, put the snapshot of "
            f"https://huggingface.co/timm/{name} into the cache of the Hugging Face Hub ($HF_HOME/hub), set "
            "HF_HUB_OFFLINE=1 and start again"
        ) from None
    save_tensors(target, dict(built.state_dict()))
    config = built.pretrained_cfg
    found = sha256_file(target)
    write_weights_record(
        output,
        f"{PREFIX}{name}, timm {timm.__version__}",
        found,
        mean=list(config["mean"]),
        std=list(config["std"]),
    )
    say(f"{target}: SHA-256 {found}, from timm {timm.__version__}")
