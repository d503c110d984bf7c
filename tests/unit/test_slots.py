"""GPU slots with fake devices and real processes (CASES C21)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scalestudy.errors import UserError
from scalestudy.training import slots

# One job: takes a slot, notes when it began and ended on which device, and holds it for some seconds.
JOB = """
import sys, time
from pathlib import Path
from scalestudy.training.slots import acquire_slot
devices, per_device, folder, seconds = sys.argv[1:]
tell = lambda message: print(message, flush=True)
with acquire_slot(devices.split(","), int(per_device), Path(folder), on_wait=tell) as device:
    print("got", device, time.time(), flush=True)
    time.sleep(float(seconds))
    print("end", device, time.time(), flush=True)
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a job process; end those that are still there afterwards."""
    running: list[subprocess.Popen[str]] = []

    def start_job(
        devices: str = "0,1", per_device: int = 1, seconds: float = 0.3, **environ: str
    ) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", JOB, devices, str(per_device), str(tmp_path), str(seconds)]
        job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environ})
        running.append(job)
        return job

    yield start_job
    for job in running:
        job.kill()
        job.communicate()


def line_from(job: "subprocess.Popen[str]") -> str:
    assert job.stdout is not None
    return job.stdout.readline().strip()


def periods(job: "subprocess.Popen[str]") -> tuple[str, float, float]:
    """Return the device that the finished job used, and when its use began and ended."""
    output, _ = job.communicate(timeout=30)
    began, ended = (line.split() for line in output.splitlines() if line.startswith(("got", "end")))
    return began[1], float(began[2]), float(ended[2])


def most_at_once(spans: list[tuple[str, float, float]]) -> int:
    """Return the largest number of spans that cover one moment."""
    changes = sorted([(began, 1) for _, began, _ in spans] + [(ended, -1) for _, _, ended in spans])
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def test_six_jobs_on_two_devices_never_share_one_and_use_both(start: Start) -> None:
    spans = [periods(job) for job in [start() for _ in range(6)]]
    for device in ("0", "1"):
        assert most_at_once([span for span in spans if span[0] == device]) == 1
    assert most_at_once(spans) == 2


def test_two_jobs_per_device_fill_the_empty_device_first(start: Start) -> None:
    devices = [line_from(start(per_device=2, seconds=60)).split()[1] for _ in range(4)]
    assert devices == ["0", "1", "0", "1"]
    late = start(per_device=2)
    assert line_from(late).startswith("waiting for one of 4 GPU slots; in use: device ")


def test_a_killed_job_frees_its_slot_and_the_waiting_one_was_told_who_held_it(start: Start) -> None:
    holder = start(devices="0", seconds=60)
    assert line_from(holder).startswith("got 0")
    waiter = start(devices="0")
    assert line_from(waiter) == f"waiting for the only GPU slot; in use: device 0 by process {holder.pid}"
    holder.send_signal(signal.SIGKILL)
    killed = time.time()
    device, began, _ = periods(waiter)
    assert device == "0"
    assert 0 <= began - killed < 5


def test_a_waiting_job_that_is_killed_does_not_hold_up_those_behind_it(start: Start) -> None:
    holder = start(devices="0", seconds=60)
    assert line_from(holder).startswith("got")
    first = start(devices="0")
    assert line_from(first).startswith("waiting")
    second = start(devices="0")
    assert line_from(second).startswith("waiting")
    first.send_signal(signal.SIGKILL)
    holder.send_signal(signal.SIGKILL)
    assert periods(second)[0] == "0"


def test_who_came_first_gets_the_next_free_slot(start: Start, tmp_path: Path) -> None:
    """CASES E239: chance decided, and the longest run, which Snakemake had started first, trained last and alone."""
    holder = start(devices="0", seconds=60)
    assert line_from(holder).startswith("got")
    waiting = []
    for _ in range(5):
        waiting.append(start(devices="0", seconds=0.1))
        assert line_from(waiting[-1]).startswith("waiting")
    waiting.pop(1).kill()  # its place is skipped
    holder.kill()
    begins = [periods(job)[1] for job in waiting]
    assert begins == sorted(begins)
    assert not list(tmp_path.glob("queue-*/*"))


def test_waiting_for_a_busy_device_does_not_hold_up_a_job_that_may_use_another(start: Start) -> None:
    assert line_from(start(devices="0", seconds=60)).startswith("got 0")
    assert line_from(start(devices="0")).startswith("waiting")
    assert periods(start(devices="1"))[0] == "1"


def test_two_slurm_jobs_on_a_node_may_both_call_their_own_device_zero(start: Start) -> None:
    first = start(devices="0", seconds=60, SLURM_JOB_ID="11", SLURM_JOB_GPUS="0")
    assert line_from(first).startswith("got 0")
    assert periods(start(devices="0", SLURM_JOB_ID="12", SLURM_JOB_GPUS="1"))[0] == "0"


def test_processes_inside_one_slurm_allocation_share_its_devices(start: Start) -> None:
    allocation = {"SLURM_JOB_ID": "11", "SLURM_JOB_GPUS": "2,3"}
    spans = [periods(job) for job in [start(**allocation) for _ in range(4)]]
    for device in ("0", "1"):
        assert most_at_once([span for span in spans if span[0] == device]) == 1


def test_two_steps_of_one_slurm_job_may_both_call_their_own_device_zero(start: Start) -> None:
    step = {"SLURM_JOB_ID": "11", "SLURM_JOB_GPUS": "2,3"}
    assert line_from(start(devices="0", seconds=60, SLURM_STEP_GPUS="2", **step)).startswith("got 0")
    assert line_from(start(devices="0,1", seconds=60, **step)).startswith("got 1")
    assert line_from(start(devices="0", SLURM_STEP_GPUS="3", **step)).startswith("waiting")


@pytest.mark.parametrize(
    ("first", "second", "gpus"),
    [
        ("0,1", "1,0", "0,1"),  # the same two in another order
        ("0,1", "0", "0,1"),  # and only one of them
        ("0,1", "1,0", "4,5"),  # counted from 0 inside the allocation
        ("4,5", "5,4", "4,5"),  # by the node's own numbers
        ("1,2", "2", "1,2"),
    ],
)
def test_a_permuted_or_partial_list_in_one_slurm_allocation_shares_no_device(
    start: Start, first: str, second: str, gpus: str
) -> None:
    allocation = {"SLURM_JOB_ID": "11", "SLURM_JOB_GPUS": gpus}
    taken = [line_from(start(devices=devices, seconds=60, **allocation)) for devices in (first, first)]
    assert sorted(line.split()[1] for line in taken) == first.split(",")
    late = start(devices=second, **allocation)
    assert line_from(late).startswith("waiting for ")


@pytest.mark.parametrize("devices", ["1,0", "0"])
def test_beside_a_job_with_all_gpus_one_with_a_permuted_or_partial_list_gets_the_free_one(
    start: Start, devices: str
) -> None:
    allocation = {"SLURM_JOB_ID": "11", "SLURM_JOB_GPUS": "2,3", "GPU_DEVICE_ORDINAL": "0,1"}
    assert line_from(start(devices="0,1", seconds=60, **allocation)).startswith("got 0")
    assert line_from(start(devices=devices, seconds=60, **allocation)).startswith(
        "got 1" if devices == "1,0" else "waiting for the only GPU slot; in use: device 0"
    )


def test_slurm_s_first_list_decides_where_numbers_could_mean_both(start: Start) -> None:
    # GPU 1 of the node is number 0 of the allocation; number 1 of the allocation is GPU 2.
    job = {"SLURM_JOB_ID": "11", "SLURM_JOB_GPUS": "1,2", "GPU_DEVICE_ORDINAL": "0,1"}
    assert line_from(start(devices="1", seconds=60, **job)).startswith("got 1")
    step = {**job, "SLURM_STEP_GPUS": "2", "GPU_DEVICE_ORDINAL": "0"}
    assert line_from(start(devices="0", **step)).startswith("waiting for the only GPU slot")


def test_a_uuid_and_a_number_in_one_slurm_allocation_are_one_slot(start: Start, tmp_path: Path) -> None:
    allocation = {
        "PATH": f"{fake_nvidia_smi(tmp_path)}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "11",
        "SLURM_JOB_GPUS": "6,7",
    }
    assert line_from(start(devices="1,0", seconds=60, **allocation)).startswith("got 1")
    assert line_from(start(devices="GPU-bbbb", **allocation)).startswith("waiting")
    assert line_from(start(devices="GPU-aaaa-1", seconds=60, **allocation)).startswith("got GPU-aaaa-1")


def test_a_slurm_job_without_gpus_of_its_own_shares_the_devices_with_other_jobs(start: Start) -> None:
    assert line_from(start(devices="0", seconds=60, SLURM_JOB_ID="11")).startswith("got 0")
    assert line_from(start(devices="0", SLURM_JOB_ID="12")).startswith("waiting")


def test_a_number_and_a_uuid_of_the_same_card_are_one_slot(start: Start, tmp_path: Path) -> None:
    path = {"PATH": f"{fake_nvidia_smi(tmp_path)}:{os.environ['PATH']}"}
    assert line_from(start(devices="1", seconds=60, **path)).startswith("got 1")
    assert line_from(start(devices="GPU-bbbb", **path)).startswith("waiting")
    assert periods(start(devices="MIG-cccc-1", **path))[0] == "MIG-cccc-1"


def fake_nvidia_smi(folder: Path) -> Path:
    """Put a command that lists two cards, the second one partitioned, into a folder for PATH."""
    script = folder / "bin" / "nvidia-smi"
    script.parent.mkdir()
    script.write_text(
        "#!/bin/sh\n"
        "echo 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa-1)'\n"
        "echo 'GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb-1)'\n"
        "echo '  MIG 1g.10gb     Device  0: (UUID: MIG-cccc-1)'\n"
    )
    script.chmod(0o755)
    return script.parent


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0,1", ["0", "1"]),
        ("3", ["3"]),
        (" 2, 0 ", ["2", "0"]),
        ("1,1", ["1"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),
        ("NoDevFiles", []),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"]),
        ("MIG-GPU-8932f937/1/0,MIG-4d1b", ["MIG-GPU-8932f937/1/0", "MIG-4d1b"]),
    ],
)
def test_visible_devices_are_kept_as_the_variable_gives_them(given: str, expected: list[str]) -> None:
    assert slots.visible_devices(lambda: 8, {"CUDA_VISIBLE_DEVICES": given}) == expected


def test_without_the_variable_the_devices_are_counted() -> None:
    assert slots.visible_devices(lambda: 3, {}) == ["0", "1", "2"]
    assert slots.visible_devices(lambda: 0, {}) == []


def test_a_mig_identifier_with_slashes_makes_a_lock_file_in_the_folder_itself(tmp_path: Path) -> None:
    with slots.acquire_slot(["MIG-GPU-8932f937/1/0"], 1, tmp_path) as device:
        assert device == "MIG-GPU-8932f937/1/0"
        assert (tmp_path / "MIG-GPU-8932f937_1_0-0.lock").exists()


def test_a_slot_is_free_again_after_its_block_raised(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"), slots.acquire_slot(["0"], 1, tmp_path):
        raise RuntimeError("boom")
    with slots.acquire_slot(["0"], 1, tmp_path) as device:
        assert device == "0"


def test_no_device_or_no_slot_is_an_error_at_once(tmp_path: Path) -> None:
    for devices, per_device in ([], 1), (["0"], 0):
        with (
            pytest.raises(ValueError, match="no GPU slot can exist"),
            slots.acquire_slot(devices, per_device, tmp_path),
        ):
            pass


def test_the_folder_is_the_users_own_whatever_tmpdir_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = slots.slot_directory()
    assert tmp_path not in folder.parents
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_a_link_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    user = os.getuid() + 1
    link = Path(f"/tmp/scalestudy-slots-{user}")
    if link.exists():
        pytest.skip(f"{link} is there already")
    monkeypatch.setattr(os, "getuid", lambda: user)
    link.symlink_to(tmp_path)
    try:
        with pytest.raises(UserError, match="belongs to another user"):
            slots.slot_directory()
    finally:
        link.unlink()


WORKFLOW = """\
rule all:
    input: expand("{job}.txt", job=range(4))
rule train:
    output: "{job}.txt"
    threads: 1
    shell: "{PYTHON} job.py > {output}"
"""
CHOOSING_JOB = """\
import time
from pathlib import Path
from scalestudy.training.slots import acquire_slot, visible_devices
with acquire_slot(visible_devices(lambda: 8), 1, Path("slots")) as device:
    print("got", device, time.time())
    time.sleep(0.5)
    print("end", device, time.time())
"""


@pytest.mark.workflow
def test_snakemake_without_any_resources_option_never_puts_two_jobs_on_one_device(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(CHOOSING_JOB)
    (tmp_path / "Snakefile").write_text(f"PYTHON = {sys.executable!r}\n{WORKFLOW}")
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "8", "--quiet", "all"],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "GPU-aaaa,GPU-bbbb"},
        check=True,
        timeout=120,
    )
    spans = []
    for number in range(4):
        began, ended = (tmp_path / f"{number}.txt").read_text().splitlines()
        spans.append((began.split()[1], float(began.split()[2]), float(ended.split()[2])))
    assert {device for device, _, _ in spans} == {"GPU-aaaa", "GPU-bbbb"}
    for device in ("GPU-aaaa", "GPU-bbbb"):
        assert most_at_once([span for span in spans if span[0] == device]) == 1
