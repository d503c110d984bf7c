"""Faults injected into real processes and files of a tiny study: the next plain start ends as if nothing had been.

One of each kind by default; `SCALESTUDY_FAULTS=50` makes it fifty random moments and bytes, and every place (an hour
and a half).
"""

import contextlib
import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from working_copy import Project

pytestmark = [pytest.mark.workflow, pytest.mark.faults]

FAULTS = int(os.environ.get("SCALESTUDY_FAULTS", "1"))
EACH = None if FAULTS > 1 else 1  # how many of the places of a fault are tried
DRAWN = False  # see blank_drawing
STUDY = """\
dataset: digits
save_weights: true
weights:
  glyphs:
    upstream:
      dataset: {source: glyphs, train_images: 72, test_images: 36}
      recipe: {epochs: 1, batch_size: 32}
recipe: {model: resnet18, batch_size: 32, epochs: 3, fraction: 1/32}
experiments:
  arms:
    grid: {init: [none, glyphs]}
"""
RUNS = 2
TINY = ("--cores", "2", "--config", "study=tiny")
MADE = ("results", "report", "data", "weights", ".snakemake")


@pytest.fixture(scope="module")
def undisturbed(project: Project) -> Project:
    """The project with the tiny study, finished in peace."""
    (project.root / "config/tiny.yaml").write_text(STUDY, encoding="utf-8")
    project.snakemake(*TINY)
    return project


@pytest.fixture(scope="module")
def disturbed(undisturbed: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Its copy, in which the faults happen, one after the other."""
    root = tmp_path_factory.mktemp("faults") / "copy"
    shutil.copytree(undisturbed.root, root, symlinks=True)
    return Project(root, {**undisturbed.environment, "PYTHONPATH": str(root / "src")})


def numbers(project: Project) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each metrics.csv without the times, and the rows of results.csv that are the run's own."""
    timed = ("seconds", "images_per_second")
    found = {}
    for path in sorted((project.root / "results/tiny/runs").glob("*/metrics.csv")):
        with path.open(newline="") as file:
            found[path.parent.name] = [
                {k: v for k, v in row.items() if k not in timed} for row in csv.DictReader(file)
            ]
    with (project.root / "results/tiny/results.csv").open(newline="") as file:
        kept = ("run", "state", "test_accuracy", "train_accuracy", "optimizer_steps", "dataset_sha256")
        found["results.csv"] = [{key: row[key] for key in kept} for row in csv.DictReader(file)]
    return found


def accuracies(project: Project) -> list[str]:
    """Return the test accuracies of the report's list of runs, as its Markdown shows them."""
    page = (project.root / "report/tiny/report.md").read_text(encoding="utf-8")
    assert f"{RUNS} of {RUNS} runs" in page
    return re.findall(r"resnet18_\S+-[0-9a-f]{8}.*?(\d\d?\.\d)", page)


def start(project: Project) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *TINY],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def tree(process: int) -> list[int]:
    """Return a process and all that it has started, directly or not, which still run."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if after_name[0] != "Z":
            parents[int(path.parent.name)] = int(after_name[1])
    found = [process] if process in parents else []
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def trains(project: Project) -> bool:
    """Return whether a run, or an upstream stage, is in its training."""
    statuses = [
        *project.root.glob("results/tiny/runs/*/status.json"),
        *project.root.glob("weights/*/status.json"),
    ]
    return any('"state": "running"' in path.read_text() for path in statuses)


def ends_as_undisturbed(disturbed: Project, undisturbed: Project) -> None:
    """Start once more, plainly, and compare everything that is a result."""
    done = disturbed.snakemake(*TINY)
    assert numbers(disturbed) == numbers(undisturbed), done.stderr
    assert accuracies(disturbed) == accuracies(undisturbed)
    assert not (disturbed.root / "report/tiny/partial").exists()


def take_away(disturbed: Project, chance: random.Random) -> None:
    """Let something be left to do: a run, or all of the study."""
    if chance.random() < 0.3:
        for name in MADE:
            shutil.rmtree(disturbed.root / name, ignore_errors=True)
        return
    runs = sorted((disturbed.root / "results/tiny/runs").iterdir())
    shutil.rmtree(chance.choice(runs))


@pytest.mark.parametrize("moment", range(FAULTS))
def test_killed_or_terminated_at_any_moment_the_next_start_ends_with_the_same_numbers(
    disturbed: Project, undisturbed: Project, moment: int
) -> None:
    chance = random.Random(moment)
    take_away(disturbed, chance)
    process = start(disturbed)
    if (
        moment % 2 == 0
    ):  # as soon as something trains, or in the seconds after; else at any moment from the start on
        while process.poll() is None and not trains(disturbed):
            time.sleep(0.1)
        time.sleep(chance.uniform(0, 4))
    else:
        # Later moments are rarer: what happens then (drawing, rendering) is shorter than training.
        time.sleep(chance.uniform(0, 10) * chance.choice((1, 2, 4)))
    alive = tree(process.pid)
    how = chance.choice((signal.SIGKILL, signal.SIGTERM))
    if alive:
        victim = chance.choice(alive)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, how)
    process.wait(timeout=600)
    ends_as_undisturbed(disturbed, undisturbed)


def files(project: Project) -> list[Path]:
    """Return every file that the study's results consist of; what is only logged or noted is none."""
    found = []
    for name in MADE[:4]:
        for path in sorted((project.root / name).rglob("*")):
            aside = {"logs", "set-aside", "checkpoints"} & set(path.parts)
            if path.is_file() and not aside and not path.name.startswith(".") and path.stat().st_size:
                found.append(path)
    return found


def kind(path: Path) -> str:
    return (
        path.name
        if path.suffix in (".json", ".npz", ".npy", ".pth")
        else f"{path.parent.parent.name}/*{path.suffix}"
    )


@pytest.mark.parametrize("place", range(FAULTS))
def test_one_flipped_byte_in_any_file_changes_no_number_of_the_next_start(
    disturbed: Project, undisturbed: Project, place: int
) -> None:
    chance = random.Random(1000 + place)
    of_kind: dict[str, list[Path]] = {}
    for each in files(disturbed):
        of_kind.setdefault(kind(each), []).append(each)
    kinds = sorted(of_kind, key=lambda each: (each != "predictions.npz", each))
    path = chance.choice(of_kind[kinds[place % len(kinds)]])
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    ends_as_undisturbed(disturbed, undisturbed)


def test_two_starts_at_once_do_the_study_once(disturbed: Project, undisturbed: Project) -> None:
    for name in ("results", "report", ".snakemake"):
        shutil.rmtree(disturbed.root / name)
    both = [start(disturbed), start(disturbed)]
    codes = sorted(each.wait(timeout=600) for each in both)
    assert codes[0] == 0, "one of them does it"
    ends_as_undisturbed(disturbed, undisturbed)
    logs = list((disturbed.root / "results/tiny/logs/train").glob("*.log"))
    assert all(log.read_text().count("epoch 3/3") == 1 for log in logs)


@pytest.mark.parametrize("hours", [30, -30][:EACH])
def test_files_from_another_time_are_the_same_files(
    disturbed: Project, undisturbed: Project, hours: int
) -> None:
    """As a clock leaves them that was set back, or was wrong: times far from now, in no order."""
    chance = random.Random(hours)
    for path in files(disturbed):
        moment = time.time() + 3600 * hours * chance.random()
        os.utime(path, (moment, moment))
    planned = disturbed.planned_jobs("--config", "study=tiny")
    assert not {"train", "pretrain", "prepare_dataset"} & planned.keys()
    ends_as_undisturbed(disturbed, undisturbed)
    assert "Nothing to be done" in disturbed.snakemake(*TINY).stderr


# Disks: root can make small ones, and ones that can only be read


@pytest.fixture
def disk(tmp_path: Path) -> "Disk":
    made = Disk(tmp_path / "disk")
    yield made
    made.remove()


class Disk:
    """A disk in memory."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.mounted = False

    def mount(self, options: str) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"needs the right to mount a disk: {done.stderr.strip()}")
        self.mounted = True

    def again(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.place)], check=True)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.place)], check=True)


def put_on(disk: Disk, project: Project, name: str) -> None:
    """Let a folder of the project be on that disk, with what it holds."""
    folder = project.root / name
    shutil.rmtree(disk.place / name, ignore_errors=True)
    if folder.is_dir() and not folder.is_symlink():
        shutil.copytree(folder, disk.place / name, symlinks=True)
        shutil.rmtree(folder)
    (disk.place / name).mkdir(exist_ok=True)
    folder.unlink(missing_ok=True)
    folder.symlink_to(disk.place / name)


@pytest.mark.parametrize(
    ("name", "small", "named"),
    [("results", "1m", "results/tiny"), ("data", "3m", "_images.npy"), ("report", "100k", "report/tiny")][
        :EACH
    ],
)
def test_a_full_disk_is_said_with_the_file_and_once_there_is_room_the_next_start_ends_well(
    disturbed: Project, undisturbed: Project, disk: Disk, name: str, small: str, named: str
) -> None:
    shutil.rmtree(disturbed.root / name)
    if name != "results":
        (disturbed.root / "results/tiny/results.csv").unlink()
        shutil.rmtree(sorted((disturbed.root / "results/tiny/runs").iterdir())[0])
    disk.mount(f"size={small}")
    put_on(disk, disturbed, name)
    try:
        failed = disturbed.snakemake(*TINY, check=False)
        shown = failed.stdout + failed.stderr
        assert failed.returncode != 0
        assert "No space left on device" in shown
        lines = [
            line for line in shown.splitlines() if "No space left on device" in line and "error: " in line
        ]
        assert lines
        for line in lines:  # one for each run that met it
            assert named in line
            assert "make room on that disk and start again" in line
        assert "Traceback" not in shown
        disk.again("size=500m")
        ends_as_undisturbed(disturbed, undisturbed)
    finally:
        (disturbed.root / name).unlink()
        shutil.copytree(disk.place / name, disturbed.root / name, symlinks=True)


@pytest.mark.parametrize("name", ["data", "results", "report"][:EACH])
def test_a_folder_that_can_only_be_read_is_said_in_one_line(
    disturbed: Project, undisturbed: Project, disk: Disk, name: str
) -> None:
    if name == "data":
        shutil.rmtree(disturbed.root / "data")
    shutil.rmtree(sorted((disturbed.root / "results/tiny/runs").iterdir())[0])
    disk.mount("size=500m")
    put_on(disk, disturbed, name)
    disk.again("ro")
    try:
        failed = disturbed.snakemake(*TINY, check=False)
        shown = failed.stdout + failed.stderr
        assert failed.returncode != 0
        assert "Read-only file system" in shown
        assert "that disk can only be read" in shown
        assert "Traceback" not in shown
        disk.again("rw")
        ends_as_undisturbed(disturbed, undisturbed)
    finally:
        disk.again("rw")
        (disturbed.root / name).unlink()
        shutil.copytree(disk.place / name, disturbed.root / name, symlinks=True)


def test_a_finished_study_on_a_disk_that_can_only_be_read_can_be_asked_about(
    disturbed: Project, undisturbed: Project, disk: Disk
) -> None:
    disk.mount("size=500m")
    put_on(disk, disturbed, "results")
    disk.again("ro")
    try:
        assert disturbed.scalestudy("status", "tiny").stdout.startswith(f"{RUNS} of {RUNS} runs done")
        assert disturbed.planned_jobs("--config", "study=tiny") == {}
    finally:
        disk.again("rw")
        (disturbed.root / "results").unlink()
        shutil.copytree(disk.place / "results", disturbed.root / "results", symlinks=True)
