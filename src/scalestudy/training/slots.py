"""GPU slots: never more training processes on a device than it has slots, whoever started them.

A Snakemake `gpu` resource counts jobs but does not say which device each one uses, and without a limit on
the command line it is ignored. So the training processes agree among themselves: each takes the lock file of
one slot of one device and keeps it until it ends. The kernel drops it with its process, kill -9 included.

A slot belongs to the physical device, never to a place in a list: two jobs may each call a different GPU "0", and
two lists may name the same GPUs in another order, or only some of them. The device is known by

- the UUID that `nvidia-smi` gives, in a Slurm allocation too;
- where there is no `nvidia-smi`, the node's own number that Slurm tells, and else the name as given.

Where Slurm assigned the GPUs, it already keeps other jobs away, so the lock belongs to the Slurm job as well: only
processes inside the same allocation share it (Slurm may give one GPU to two jobs on purpose).
"""

import getpass
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from scalestudy.errors import UserError
from scalestudy.files import is_locked

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 1.0
REMIND_SECONDS = 60.0
_Result = TypeVar("_Result")


def visible_devices(count: Callable[[], int], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the GPUs that this process may use, named as `CUDA_VISIBLE_DEVICES` names them.

    The variable's own entries (numbers, `GPU-...` and `MIG-...` identifiers; schedulers tell their choice by
    them) are kept as given, each once and up to the first `-1`, as CUDA reads them. Where it is not set,
    `count()` says how many GPUs there are, and they are numbered from 0. An empty list means: no GPU.
    """
    given = environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(number) for number in range(count())]
    devices: list[str] = []
    for entry in (part.strip() for part in given.split(",")):
        if not re.fullmatch(r"\d+|(GPU|MIG)-[\w./-]+", entry):  # "-1", "", "NoDevFiles": the end of the list
            break
        if entry not in devices:
            devices.append(entry)
    return devices


@contextmanager
def acquire_slot(
    devices: Sequence[str],
    jobs_per_device: int,
    directory: Path | None = None,
    on_wait: Callable[[str], None] = lambda message: None,
) -> Iterator[str]:
    """Hold one slot of one device while the block runs, and yield that device's name as given in `devices`.

    Waits until a slot is free. Of those who wait for the same devices the one who came first gets it: Snakemake
    starts the longest runs first, and that order is kept. Empty devices are preferred to devices in use. `on_wait`
    is told who holds the slots, after a second and then every minute. `directory` holds the lock files and must lie
    on a local disk; by default it is the user's own, one per host.

    Raises ValueError where no slot can exist, UserError when the directory is another user's.
    """
    if not devices or jobs_per_device < 1:
        raise ValueError(f"no GPU slot can exist: devices {list(devices)}, jobs per device {jobs_per_device}")
    folder = directory if directory is not None else slot_directory()
    folder.mkdir(parents=True, exist_ok=True)
    names = device_identities(devices)
    slots = [
        (device, folder / f"{_file_name(names[device])}-{number}.lock")
        for number in range(jobs_per_device)
        for device in devices
    ]
    queue = hashlib.sha256("\n".join(sorted(names.values())).encode()).hexdigest()[:12]
    waiting = _Waiting([path for _, path in slots], on_wait)
    with _first_in(folder / f"queue-{queue}", waiting):
        device, slot = _wait_for(lambda: _try_slots(slots), waiting)
    try:
        yield device
    finally:
        slot.release()


def slot_directory() -> Path:
    """Return this user's folder for slot locks on this host, made on first use and closed to others.

    Not under `TMPDIR`, which may differ from job to job, nor `/run/user`, which ends with the last login.
    Raises UserError where the name is taken by someone else (`/tmp` is everybody's).
    """
    root = Path("/tmp") if os.name == "posix" else Path(tempfile.gettempdir())
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
    folder = root / f"scalestudy-slots-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if hasattr(os, "getuid") and (folder.is_symlink() or state.st_uid != os.getuid()):
        raise UserError(
            f"{folder} belongs to another user, so GPU slots cannot be kept there; ask that user to remove it"
        )
    return folder


def device_identities(devices: Sequence[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return, for each device as given, the name by which all processes on this host know it."""
    by_number, every = _known_uuids()
    owner = ""
    if chosen := environ.get("SLURM_STEP_GPUS") or environ.get("SLURM_JOB_GPUS"):
        owner = f"slurm-{environ.get('SLURM_JOB_ID', '0')}-"
        by_number = by_number or _node_numbers(devices, chosen.split(","), environ)
    identities = {}
    for device in devices:
        matches = [uuid for uuid in every if uuid.startswith(device)]  # CUDA takes the start of a UUID too
        identities[device] = owner + (by_number.get(device) or (matches[0] if len(matches) == 1 else device))
    return identities


def _node_numbers(
    devices: Sequence[str], chosen: Sequence[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the node's number of each device in a Slurm allocation, whose numbers on the node are `chosen`.

    Where Slurm hides the other GPUs, processes count from 0 inside the allocation; elsewhere by the node's numbers.
    """
    # Slurm writes its choice into this variable as it first writes CUDA_VISIBLE_DEVICES, and nobody changes it later.
    first = environ.get("GPU_DEVICE_ORDINAL")
    if first is not None and len(names := first.split(",")) == len(chosen):
        return dict(zip(names, chosen, strict=True))
    if set(devices) <= set(chosen):
        return {number: number for number in chosen}
    return {str(place): number for place, number in enumerate(chosen)}


def _known_uuids() -> tuple[dict[str, str], list[str]]:
    """Return what `nvidia-smi -L` lists: UUID by GPU number, and all UUIDs of GPUs and MIG instances."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return {}, []
    try:
        listing = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=30).stdout
    except (subprocess.SubprocessError, OSError):
        return {}, []
    by_number = dict(re.findall(r"^GPU (\d+):.*\(UUID: (GPU-[^)]+)\)", listing, flags=re.MULTILINE))
    return by_number, re.findall(r"\(UUID: ([^)]+)\)", listing)


class _Waiting:
    """Says who holds the slots, once the wait is longer than a moment."""

    def __init__(self, paths: Sequence[Path], tell: Callable[[str], None]) -> None:
        self._paths = paths
        self._tell = tell
        self._next = time.monotonic() + PATIENCE_SECONDS

    def remind(self) -> None:
        """Tell, if it is time, which process holds which slot."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + REMIND_SECONDS
        holders = []
        for path in self._paths:
            with suppress(OSError):
                holders.append(_holder_file(path).read_text(encoding="utf-8"))
        count = len(self._paths)
        noun = "the only GPU slot" if count == 1 else f"one of {count} GPU slots"
        self._tell(f"waiting for {noun}; in use: {', '.join(holders) or 'not known'}")


def _wait_for(attempt: Callable[[], _Result | None], waiting: _Waiting) -> _Result:
    """Return the first result of `attempt` that is not None, trying again until there is one."""
    while (result := attempt()) is None:
        waiting.remind()
        time.sleep(POLL_SECONDS)
    return result


@contextmanager
def _first_in(queue: Path, waiting: _Waiting) -> Iterator[None]:
    """Wait in the queue until nobody is before this process, and stay its first while the block runs.

    A place is a lock file named by the time of arrival: that of a process that was killed is not locked, and skipped.
    """
    queue.mkdir(exist_ok=True)
    place = queue / f"{time.time_ns():020d}-{os.getpid()}.lock"
    lock = _wait_for(lambda: _try_lock(place), waiting)
    try:
        _wait_for(lambda: None if any(map(is_locked, _before(place))) else place, waiting)
        for left in _before(place):
            left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
        place.unlink(missing_ok=True)


def _before(place: Path) -> list[Path]:
    """Return the places in the queue before this one."""
    return [other for other in place.parent.glob("*.lock") if other.name < place.name]


def _try_slots(slots: Sequence[tuple[str, Path]]) -> tuple[str, FileLock] | None:
    """Return the first free slot as its device and its lock, now held; None where all are taken."""
    for device, path in slots:
        if (lock := _try_lock(path)) is not None:
            _holder_file(path).write_text(f"device {device} by process {os.getpid()}", encoding="utf-8")
            return device, lock
    return None


def _try_lock(path: Path) -> FileLock | None:
    """Return the lock on `path`, held by this process; None where another holds it."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


def _holder_file(path: Path) -> Path:
    """Return the note beside a lock file that names its last holder."""
    return path.with_suffix(".holder")


def _file_name(identity: str) -> str:
    """Return a device's identity as a file name (MIG identifiers may hold slashes)."""
    return re.sub(r"[^\w.-]", "_", identity)
