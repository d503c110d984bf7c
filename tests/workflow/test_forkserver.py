"""Training jobs forked from the server that has torch loaded: the same runs, the same ends, nobody left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from scalestudy import forkserver
from scalestudy.files import read_json
from scalestudy.results.read import read_metrics

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each job loads torch for itself"),
]

RECIPE = (
    *("--data", "digits", "--image-size", "16", "--fraction", "1/16", "--batch-size", "8"),
    *("--dropout", "0.2", "--epochs", "6"),
)


@dataclass
class Place:
    """A folder, and the fork server whose address its jobs find."""

    root: Path
    server: forkserver.Started
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, name: str, *flags: str, forked: bool = True, **environment: str) -> subprocess.Popen[str]:
        """Start `scalestudy train` for the run `name`, with flags in place of the usual ones where given."""
        known = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        if forked:
            known.setdefault(forkserver.ADDRESS, self.server.address)
        process = subprocess.Popen(
            [sys.executable, "-m", "scalestudy", "train", *(flags or RECIPE), "--output", f"runs/{name}"],
            cwd=self.root,
            env=known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def finish(self, name: str, *flags: str, forked: bool = True) -> str:
        """Train the run `name` to its end; return its log."""
        process = self.start(name, *flags, forked=forked)
        log, _ = process.communicate(timeout=120)
        assert process.returncode == 0, log
        return log

    def status(self, name: str) -> dict[str, Any]:
        """Return what the run's status.json says."""
        return dict(read_json(self.root / "runs" / name / "status.json"))

    def in_the_second_epoch(self, name: str) -> subprocess.Popen[str]:
        """Start the run `name` and return its process when the first epoch is over."""
        process = self.start(name)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 1/"):
                return process
        pytest.fail("the job ended before its first epoch did")

    def numbers(self, name: str) -> tuple[list[dict[str, Any]], str, bytes]:
        """Return all that a run has found: the rows of metrics.csv without times, its weights, its predictions."""
        folder = self.root / "runs" / name
        rows = [
            {key: value for key, value in row.items() if key not in ("seconds", "images_per_second")}
            for row in read_metrics(folder / "metrics.csv")
        ]
        weights = str(read_json(folder / "run.json")["final_weights_sha256"])
        return rows, weights, (folder / "predictions.npz").read_bytes()


def comes_true(what: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait until `what` is true; return whether it came true in that time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_gone(pid: int) -> bool:
    """Return whether no process `pid` is at work: it has ended, whether or not somebody has asked how."""
    try:
        return state(pid) == "Z"
    except FileNotFoundError:
        return True


def state(pid: int) -> str:
    """Return the letter that Linux gives for what a process does, such as T: stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A fork server, and the run `whole`, which did without it."""
    root = tmp_path_factory.mktemp("forked")
    made = Place(root, forkserver.Started(threads=1))
    made.finish("whole", forked=False)
    yield made
    assert made.server.process.stdin is not None
    made.server.process.stdin.close()
    assert made.server.process.wait(10) == 0
    assert not made.server.folder.exists()
    assert all(process.poll() is not None for process in made.processes)


def test_a_forked_job_ends_with_the_very_numbers_of_one_that_was_not(place: Place) -> None:
    process = place.start("forked")
    log, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert log.count("epoch ") == 6
    assert place.status("forked")["pid"] != process.pid
    assert place.status("whole")["pid"] == place.processes[0].pid
    assert place.numbers("forked") == place.numbers("whole")
    record = read_json(place.root / "runs" / "forked" / "run.json")
    assert record["command"].startswith("scalestudy train --data digits")
    assert record["device"] == ("cuda" if torch.cuda.is_available() else "cpu")


def test_what_ends_with_an_error_says_so_in_its_line_and_its_exit_code(place: Place) -> None:
    process = place.start("refused", "--data", "digits", "--epochs", "none")
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert log.startswith("error: --epochs: ")
    assert log.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_job_which_saves_and_goes_on_with_the_next_start(
    place: Place, number: signal.Signals
) -> None:
    process = place.in_the_second_epoch(number.name)
    process.send_signal(number)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, log
    assert "saved, the next start goes on from there" in log
    assert "resuming from" in place.finish(number.name)
    assert place.numbers(number.name) == place.numbers("whole")


def test_a_signal_to_the_whole_group_counts_once(place: Place) -> None:
    """As where a time limit or `systemctl stop` tells every process: the job gets it from there, and passed on."""
    process = place.in_the_second_epoch("grouped")
    os.kill(place.status("grouped")["pid"], signal.SIGTERM)
    process.terminate()
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, log
    assert "saved, the next start goes on from there" in log


def test_a_signal_of_which_the_job_knows_nothing_ends_it_with_the_exit_code_that_a_shell_gives(
    place: Place,
) -> None:
    process = place.in_the_second_epoch("unknown")
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGUSR1


def test_where_the_process_that_asked_is_killed_the_job_dies_too(place: Place) -> None:
    process = place.in_the_second_epoch("killed")
    job = place.status("killed")["pid"]
    process.kill()
    assert comes_true(lambda: is_gone(job))
    process.communicate()
    place.finish("killed")  # it waits for no one: the lock went with the job
    assert place.numbers("killed") == place.numbers("whole")


def test_a_job_that_is_killed_ends_the_process_that_asked_with_a_word(place: Place) -> None:
    process = place.in_the_second_epoch("shot")
    os.kill(place.status("shot")["pid"], signal.SIGKILL)
    log, _ = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGKILL
    assert log.endswith("error: the training process ended without a word (killed?)\n")


def test_ctrl_z_stops_the_job_and_fg_goes_on_with_it(place: Place) -> None:
    process = place.in_the_second_epoch("stopped")
    job = place.status("stopped")["pid"]
    process.send_signal(signal.SIGTSTP)
    assert comes_true(lambda: state(process.pid) == state(job) == "T")
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert place.numbers("stopped") == place.numbers("whole")


def test_names_are_utf_8_whatever_the_locale_says(place: Place) -> None:
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    process = place.start("größe", *RECIPE[:-2], "--epochs", "1", **plain)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert place.status("größe")["pid"] != process.pid
    assert read_json(place.root / "runs/größe/run.json")["run"] == "größe"


@pytest.mark.parametrize("nobody", ["gone", "another installation", "no answer"])
def test_where_the_server_is_not_there_or_not_this_installations_the_job_loads_torch_itself(
    place: Place, nobody: str, tmp_path: Path
) -> None:
    address = place.server.address.replace(str(place.server.folder), str(tmp_path))
    if nobody == "another installation":
        address = f"/opt/another{place.server.address}"
    if nobody == "no answer":  # it accepts, and dies
        silent = subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "import socket, sys; own = socket.socket(socket.AF_UNIX); own.bind(sys.argv[1]); own.listen(); "
                "print(flush=True); own.accept()",
                str(tmp_path / "socket"),
            ],
            stdout=subprocess.PIPE,
        )
        assert silent.stdout is not None
        silent.stdout.readline()
    process = place.start(nobody, *RECIPE[:-2], "--epochs", "1", **{forkserver.ADDRESS: address})
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert place.status(nobody)["pid"] == process.pid


def test_a_job_has_the_environment_of_who_asked_and_what_its_libraries_set_as_they_were_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without such a variable torch starts CUDA before a job has chosen its GPU, and all jobs use the first one."""
    monkeypatch.setattr(os, "environ", {"HOME": "/root", "TMPDIR": "/fast", "SET_BY_TORCH": "1"})
    monkeypatch.setattr(forkserver, "_AT_START", {"HOME", "TMPDIR"})
    forkserver.use_environment({"HOME": "/home/of/who/asked", forkserver.ADDRESS: "here"})
    assert os.environ == {"HOME": "/home/of/who/asked", "SET_BY_TORCH": "1"}


def test_a_server_that_is_killed_leaves_its_jobs_at_work_and_nobody_waiting(place: Place) -> None:
    dying = forkserver.Started(threads=1)
    other = Place(place.root, dying)
    process = other.in_the_second_epoch("orphan")
    dying.process.kill()
    dying.process.wait()
    late = other.start("late", *RECIPE[:-2], "--epochs", "1")
    late.communicate(timeout=60)
    assert late.returncode == 0
    assert other.status("late")["pid"] == late.pid
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert place.numbers("orphan") == place.numbers("whole")
    shutil.rmtree(dying.folder)


def test_where_no_socket_can_be_there_is_no_server_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert forkserver.start(1) is None
    assert list(folder.iterdir()) == []


def test_the_server_ends_with_the_process_that_started_it_however_that_ends() -> None:
    starter = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import time; from scalestudy import forkserver as f; s = f.start(1); print(s.folder, s.process.pid, "
            "flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    folder, pid = starter.stdout.readline().split()
    starter.kill()
    starter.communicate()
    assert comes_true(lambda: is_gone(int(pid)) and not Path(folder).exists(), 15)


def test_what_a_forked_job_has_used_counts_as_used_by_the_children_of_who_started_the_server(
    tmp_path: Path,
) -> None:
    """What `time snakemake` says, and the share of other work that a benchmark finds."""
    job = [sys.executable, "-m", "scalestudy", "train", *RECIPE[:-2], "--epochs", "1", "--output", "run"]
    starter = (
        "import atexit, os, resource, subprocess, sys\n"
        "used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])\n"
        "said = lambda: print(server.process.pid, server.folder, used())\n"
        "atexit.register(lambda: said())\n"
        "from scalestudy import forkserver\n"
        "server = forkserver.start(1)\n"
        f"subprocess.run({job!r}, stdout=2, check=True)\n"
        "said()\n"
    )
    output = subprocess.run([sys.executable, "-c", starter], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    (pid, folder, before), (_, _, after) = (line.split() for line in output.stdout.splitlines())
    assert float(after) > float(before) + read_json(tmp_path / "run" / "run.json")["train_seconds"]
    assert is_gone(int(pid))
    assert not Path(folder).exists()
