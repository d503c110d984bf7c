"""Where to train: the device, its check before any data is read, and the CPU threads of one job."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from scalestudy.errors import UserError
from scalestudy.machine import usable_cpus
from scalestudy.training.slots import acquire_slot, visible_devices

# CUDA reads CUDA_VISIBLE_DEVICES once, as it starts, and torch's usual check whether there is a GPU starts it: a slot
# chosen after that would be ignored, and every job would use the first GPU. NVML answers without starting CUDA.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
# A number means the same card to CUDA, to `nvidia-smi` and to Slurm; CUDA alone would count the fastest one first.
os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


@contextmanager
def training_slot(setting: str, jobs_per_gpu: int, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold one GPU of those visible while the block runs, and show this process that one only.

    Does nothing for `cpu` or where no GPU is visible. To be entered before CUDA is used for the first time.
    """
    devices = [] if setting == "cpu" else visible_devices(torch.cuda.device_count)
    if not devices or not torch.cuda.is_available():
        yield
        return
    with acquire_slot(devices, jobs_per_gpu, on_wait=on_wait) as device:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
        yield


def choose_device(setting: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`, after one small operation on it.

    Raises UserError within a second or two where `cuda` is asked for and cannot be used, saying what was found. `auto`
    falls back to the CPU only where there is no GPU at all; a GPU that fails its small operation is an error there
    too, because an hour-long surprise on the CPU is what nobody wants.
    """
    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    require_gpu()
    torch.backends.cudnn.deterministic = True  # the same numbers again
    torch.backends.cudnn.allow_tf32 = False  # float32 is what it says
    device = torch.device("cuda", 0)
    try:
        torch.ones(8, device=device).sum().item()
    except RuntimeError as error:
        raise UserError(describe_gpu_failure(error)) from None
    return device


def require_gpu() -> None:
    """Raise UserError where no GPU can be used, saying what was found."""
    if torch.cuda.is_available():
        return
    build = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is a CPU-only build"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    raise UserError(
        f"device: cuda, but no usable GPU was found (torch {torch.__version__} {build}; CUDA_VISIBLE_DEVICES="
        f"{'unset' if visible is None else repr(visible)}; GPUs seen: {torch.cuda.device_count()}). "
        "Ask the scheduler for a GPU, or use `device: auto` or `cpu`"
    )


def describe_gpu_failure(error: RuntimeError) -> str:
    """Return one line on why the first operation on the GPU failed, and what to do about it."""
    if isinstance(error, torch.OutOfMemoryError):
        return f"no memory is free on the GPU ({_memory()}): another process holds it; wait, or choose another GPU"
    try:
        major, minor = torch.cuda.get_device_capability(0)
        found = f"{torch.cuda.get_device_name(0)} has compute capability {major}.{minor}"
    except (RuntimeError, AssertionError):
        found = "the GPU does not answer"
    return (
        f"the GPU cannot run this torch {torch.__version__}: {found}; the build holds "
        f"{', '.join(torch.cuda.get_arch_list()) or 'no GPU code'} ({str(error).splitlines()[0]}). "
        "Install a torch build for this GPU, or use `device: cpu`"
    )


def describe_out_of_memory(device: torch.device, batch_size: int) -> str:
    """Return one line on an out-of-memory error: device, free and total memory, batch size, what to do."""
    where = f"{device_name(device)} ({_memory() if device.type == 'cuda' else 'main memory'})"
    return (
        f"out of memory on {where} with batch_size {batch_size}; use a smaller batch_size, fewer jobs at once, or "
        "another device. The batch size is never changed silently"
    )


def _memory() -> str:
    try:
        free, total = torch.cuda.mem_get_info(0)
    except (RuntimeError, AssertionError):
        return "free memory unknown"
    return f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def device_name(device: torch.device) -> str:
    """Return the processor's or GPU's model name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def set_threads(wanted: int) -> int:
    """Use `wanted` CPU threads, or as many as this process may use where that is fewer; return the number."""
    threads = max(1, min(wanted, usable_cpus()))
    torch.set_num_threads(threads)
    return threads
