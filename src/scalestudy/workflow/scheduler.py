"""Submit, ask and cancel: what Snakemake needs from a scheduler, any that `profiles/cluster/scheduler.ini` describes.

The commands in `profiles/cluster/bin` call this for each job, again and again, so it imports nothing that takes time.
Notes about the jobs lie in `.snakemake/cluster/` of the directory that Snakemake runs in: `ID.json` for each job, its
script `TOKEN.sh`, the exit code `TOKEN.exit` that the script left, `last/HASH` with the job that was last submitted
for a set of output files, `runs/FOLDER` with the last job of a run by the folder of its results, `queue` with the
scheduler's last answer about all jobs, `refused` while it takes no more, and the scheduler's own logs.

How a job's state is found:

1. Its script left exit code 0: success, whatever the scheduler says or has forgotten.
2. The scheduler answers: its words for success and failure decide, and anything else means that the job waits
   or runs. (So a job that was preempted and requeued is running, whatever its first attempt left.)
3. The scheduler answers nothing, or its command fails: the exit code decides if there is one. Otherwise
   nobody knows, and the answer is "running": Snakemake asks again, and neither submits the job anew nor takes
   it for finished. Only after `patience` seconds without any answer does the job count as failed.

A submission that the scheduler refuses because its queue is full is no failure: it waits here and tries again.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from scalestudy.study.paths import run_folder, weights_record

NOTES = Path(".snakemake", "cluster")
PROFILE = Path(__file__).parents[3] / "profiles" / "cluster"
OWN = Path("profiles", "cluster", "scheduler.ini")  # of the project that Snakemake runs in
STUDY = "SCALESTUDY_STUDY"  # names the study whose jobs are submitted
COMMAND_SECONDS = 60  # a scheduler that answers later than this has not answered
TAIL_LINES = 20
KEPT_SECONDS = 10 * 24 * 3600  # as long as the Slurm plugin keeps its logs
SHORTEST_WAIT, LONGEST_WAIT = 2.0, 30.0  # seconds between two tries to submit
REMIND_SECONDS = 600.0
# What every section of scheduler.ini has; the other keys are for some schedulers only.
NEEDED_KEYS = ("job_id", "patience", "success", "failure", "cancel", "log")
INSIDE = "SCALESTUDY_SUBMITS"  # set for the submit command, which may be a script that calls `sbatch` itself
RECORD_EXIT = """\
record={path}
rm -f "$record"
trap 'code=$?; echo $code > "$record.part" && mv "$record.part" "$record"' EXIT
"""


class SchedulerError(Exception):
    """One line for the person at the terminal: what cannot be asked of the scheduler, and what to do."""


State = Literal["waiting", "running", "success", "failed"]
_MEANINGS: dict[str, State] = {"success": "success", "failure": "failed", "waiting": "waiting"}


class Job(NamedTuple):
    """A run's latest job: its id, the scheduler's word for its state, such as PENDING or TIMEOUT, and what it means."""

    id: str
    word: str
    state: State


def _complete(section: configparser.SectionProxy, ini: Path) -> configparser.SectionProxy:
    """Return a section; SchedulerError where it lacks a key."""
    missing = [key for key in NEEDED_KEYS if key not in section]
    if "queue" in section and "queue_seconds" not in section:
        missing.append("queue_seconds")
    if "queue" not in section and "status" not in section:
        missing.append("queue or status")
    if missing:
        raise SchedulerError(f"{ini}: section [{section.name}] lacks {', '.join(missing)}")
    return section


class Scheduler:
    """A scheduler as one section of `scheduler.ini` describes it."""

    def __init__(self, chosen: configparser.SectionProxy) -> None:
        self.chosen = chosen

    @classmethod
    def of(cls) -> Scheduler:
        """Return the scheduler that `scheduler.ini` names, or the one whose commands are here.

        The project's own profile counts before the workflow's. Raises SchedulerError where there is no scheduler, or
        the file does not describe one.
        """
        parser = configparser.ConfigParser(interpolation=None)
        ini = OWN if OWN.is_file() else PROFILE / "scheduler.ini"
        try:
            with ini.open(encoding="utf-8") as file:
                parser.read_file(file)
            name = parser["use"]["scheduler"]
            if name != "auto":
                return cls(_complete(parser[name], ini))
        except configparser.Error as error:
            raise SchedulerError(f"{ini} cannot be read: {' '.join(str(error).split())}") from None
        except KeyError as error:
            there = ", ".join(parser.sections())
            raise SchedulerError(
                f"{ini} has no {error.args[0]!r} under [use] or as a section; it has {there}"
            ) from None
        needed = {section: parser[section].get("needs", "").split() for section in parser.sections()}
        for section, commands in needed.items():
            if commands and all(map(shutil.which, commands)):
                return cls(_complete(parser[section], ini))
        every = sorted({command for commands in needed.values() for command in commands})
        raise SchedulerError(
            f"no scheduler's commands are here ({', '.join(every)}); "
            f"describe yours in {ini}, and name it there under [use]"
        )

    def submit(self, arguments: Sequence[str]) -> int:
        """Hand a job script to the submit command; print the job's id and nothing else. Return the exit code.

        `arguments` are the submit command's own words, and then the path of the script that Snakemake wrote.
        """
        if len(arguments) < 2:
            return _complain("usage: scalestudy-submit SUBMIT_COMMAND [OPTION ...] JOBSCRIPT")
        *command, original = arguments
        text = Path(original).read_text(encoding="utf-8")
        NOTES.mkdir(parents=True, exist_ok=True)
        _remove_old()
        outputs = _outputs(text)
        if (there := self._waits_or_runs(outputs)) is not None:
            _complain(
                f"job {there} of an earlier Snakemake is still there for {outputs[0]}; not submitted again"
            )
            print(there)
            return 0
        token = uuid.uuid4().hex[:12]
        record = (NOTES / f"{token}.exit").absolute()
        script = (NOTES / f"{token}.sh").absolute()
        script.write_text(with_record(text, record), encoding="utf-8")
        script.chmod(0o755)
        result = self._run_until_accepted([*command, str(script)])
        if result is None or result.returncode != 0:
            return 1
        job = self._job_id(result.stdout)
        if job is None:
            return _complain(
                f"no job id in the submit command's answer {result.stdout!r}. The job may be in the queue all the "
                "same: look there, and cancel it. `job_id` in profiles/cluster/scheduler.ini says how an id looks"
            )
        _write(job, {"record": str(record), "script": str(script), "output": outputs})
        for folder in {Path(output).parent for output in outputs}:
            _point_to(job, Path("runs", folder))
        if outputs:
            _point_to(job, _last(outputs))
        print(job)
        return 0

    def stand_in(self, command: Sequence[str]) -> int:
        """Do what the scheduler's own submit command does, whose name `command` begins with. Return its exit code.

        For Snakemake, which finds `profiles/cluster/bin/sbatch` first: a job script of Snakemake's is submitted as by
        `submit`; anything else goes to the scheduler as it is, and again where that refuses it for now.
        """
        real = _beyond_the_stand_in(command[0])
        if real is None:
            return _complain(f"{command[0]}: not found")
        words = [real, *command[1:]]
        if INSIDE in os.environ:
            os.execv(real, words)
        if len(words) > 1 and _is_job_script(Path(words[-1])):
            return self.submit(words)
        NOTES.mkdir(parents=True, exist_ok=True)
        _remove_old()
        given = sys.stdin.read() if "/dev/stdin" in words else None
        result = self._run_until_accepted(words, given)
        if result is None or result.returncode != 0:
            return 1
        sys.stdout.write(result.stdout)
        said = " ".join(words)
        found = re.search(r"--comment[= ]rule_(train|pretrain)_wildcards_(\S+)", said)
        if found and "--array" not in said and (job := self._job_id(result.stdout)) is not None:
            _point_to(job, Path("runs", _folder(*found.groups())))
        return 0

    def _run_until_accepted(
        self, command: Sequence[str], given: str | None = None
    ) -> subprocess.CompletedProcess[str] | None:
        """Run a submit command, again and again while the queue is full, and return its end; None where it cannot run.

        What it says goes to standard error, but not for each refusal again. A refusal counts as a failure only where
        no job of ours has been in the queue for `patience` seconds: then there is nothing to wait for. Nobody waits
        for a Snakemake that was killed.
        """
        wait, began, reminded = SHORTEST_WAIT, time.time(), 0.0
        while True:
            try:
                result = subprocess.run(
                    [_beyond_the_stand_in(command[0]) or command[0], *command[1:]],
                    input=given,
                    stdin=None if given is not None else subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, INSIDE: "1"},
                )
            except OSError as error:
                _complain(f"cannot run the submit command {command[0]}: {error}")
                return None
            said = result.stderr + result.stdout
            if result.returncode == 0:
                (NOTES / "refused").unlink(missing_ok=True)
                sys.stderr.write(result.stderr)
                return result
            refusal = self._refusal_for_now(said)
            if refusal is None or self._has_waited_in_vain(began):
                sys.stderr.write(result.stderr)
                _complain(f"the submit command failed (exit code {result.returncode}): {shlex.join(command)}")
                return result
            if time.time() - reminded > REMIND_SECONDS:
                reminded = time.time()
                _note_refusal(refusal)
            if _nobody_listens():
                return None
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _refusal_for_now(self, said: str) -> str | None:
        """Return the line that says that the queue is full; None where a submission was refused for something else."""
        if not (busy := self.chosen.get("busy", "")) or not (found := re.search(busy, said)):
            return None
        line = said[: found.end()].splitlines()[-1] + said[found.end() :].partition("\n")[0]
        return line.replace(
            "Batch job submission failed: ", ""
        )  # words that mean the end to Snakemake's Slurm plugin

    def _has_waited_in_vain(self, began: float) -> bool:
        """Return whether a queue without a single job of ours has refused one for longer than `patience`."""
        if time.time() - began < float(self.chosen["patience"]):
            return False
        jobs = self._queue()
        return jobs is not None and not any(self._is_active(word) for word in jobs.values())

    def _is_active(self, answer: str) -> bool:
        ended = (self.chosen["success"], self.chosen["failure"])
        return not any(re.search(each, answer, flags=re.MULTILINE) for each in ended)

    def _job_id(self, answer: str) -> str | None:
        """Return the job's id in what a submit command printed; None where nothing, or more than one thing, may be it.

        A site's banner may hold other numbers: where the answer has not the form of the scheduler's own, the one
        number that is a job of ours now is the id.
        """
        found = _matches(self.chosen["job_id"], answer)
        if len(found) == 1:
            return found[0]
        numbers = found or list(dict.fromkeys(re.findall(r"\d+", answer)))
        (NOTES / "queue").unlink(missing_ok=True)
        jobs = self._queue() or {}
        known = [number for number in numbers if number in jobs]
        return known[0] if len(known) == 1 else None

    def _waits_or_runs(self, outputs: Sequence[str]) -> str | None:
        """Return the job for these files that a Snakemake which was killed has left behind; None where there is none.

        Only a job that the scheduler itself calls waiting or running counts: no answer means a new job.
        """
        job = _pointed_to(_last(outputs))
        if job is None:
            return None
        note = _read(job)
        state, _ = self.job_state(job, note, time.time())
        return job if state == "running" and "unanswered_since" not in note else None

    def status(self, job: str, now: float | None = None) -> str:
        """Return "success", "failed" or "running" for Snakemake. Say on standard error why a job failed."""
        note = _read(job)
        state, reason = self.job_state(job, note, time.time() if now is None else now)
        if state == "failed" and "reason" not in note:
            note["reason"] = reason
            for output in note.get("output", []):
                mark_as_failed(Path(output).parent, f"job {job}: {reason}")
            _complain(f"job {job} failed: {reason}{self._log_tail(job)}")
        _write(job, note)
        return state

    def job_state(self, job: str, note: dict[str, Any], now: float) -> tuple[str, str]:
        """Return the state of a job and the reason for it; keeps in `note` since when there was no answer."""
        code = _exit_code(note)
        if code == 0:
            return "success", "exit code 0"
        answer = self._answer(job)
        if answer:
            note.pop("unanswered_since", None)
            if re.search(self.chosen["success"], answer, flags=re.MULTILINE):
                return "success", answer
            if failure := re.search(self.chosen["failure"], answer, flags=re.MULTILINE):
                return "failed", failure.group(0)
            return "running", answer
        if code is not None:
            return "failed", f"exit code {code}"
        since = note.setdefault("unanswered_since", now)
        if now - since < float(self.chosen["patience"]):
            return "running", "no answer from the scheduler, asking again"
        return (
            "failed",
            f"the scheduler has not answered for {now - since:.0f} s and the job left no exit code: killed?",
        )

    def _answer(self, job: str) -> str:
        """Return the scheduler's words about one job; empty where it says nothing."""
        if "queue" in self.chosen:
            return (self._queue() or {}).get(job, "")
        return _ask(self.chosen["status"].replace("{id}", shlex.quote(job))) or ""

    def _queue(self) -> dict[str, str] | None:
        """Return the scheduler's words about each of our jobs, asked once for all of them; None where it says nothing.

        An answer serves for `queue_seconds`, whoever asks: a hundred jobs are one question.
        """
        if "queue" not in self.chosen:
            return None
        path = NOTES / "queue"
        try:
            fresh = 0 <= time.time() - path.stat().st_mtime < float(self.chosen["queue_seconds"])
            answer = path.read_text(encoding="utf-8") if fresh else None
        except OSError:
            answer = None
        if answer is None:
            asked = _ask(self.chosen["queue"])
            answer = "?" if asked is None else asked
            NOTES.mkdir(parents=True, exist_ok=True)
            _replace(path, answer)
        if answer == "?":
            return None
        return dict(line.split(maxsplit=1) for line in answer.splitlines() if len(line.split()) > 1)

    def jobs_of(self, folders: Iterable[Path]) -> dict[str, Job]:
        """Return the latest job of each run, by its name, that the scheduler still knows; a run has its own folder.

        For schedulers that tell about all jobs at once: nobody waits for a question a run.
        """
        pointed = {folder.name: _pointed_to(Path("runs", folder)) for folder in folders}
        jobs = {run: job for run, job in pointed.items() if job is not None}
        answers = (self._queue() or {}) if jobs else {}
        return {run: self._job(job, answers[job]) for run, job in jobs.items() if job in answers}

    def _job(self, job: str, answer: str) -> Job:
        for key, state in _MEANINGS.items():
            if key in self.chosen and (found := re.search(self.chosen[key], answer, flags=re.MULTILINE)):
                return Job(job, found.group(0), state)
        return Job(job, answer, "running")

    def _log_tail(self, job: str) -> str:
        """Return the end of the scheduler's log of a job, indented; empty where there is none."""
        path = Path(self.chosen["log"].replace("{id}", job))
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        except OSError:
            return ""
        return "".join(f"\n    {line}" for line in [f"end of {path}:", *lines])

    def cancel(self, jobs: Sequence[str]) -> int:
        """Cancel jobs by the scheduler's command, which gets all ids at once. Return its exit code."""
        words = shlex.split(self.chosen["cancel"])
        at = words.index("{ids}")
        return subprocess.run([*words[:at], *jobs, *words[at + 1 :]], check=False).returncode


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Do what the command of this name in `profiles/cluster/bin` is for; return its exit code."""
    try:
        scheduler = Scheduler.of()
        if name == "scalestudy-submit":
            return scheduler.submit(arguments)
        if name == "scalestudy-job-cancel":
            return scheduler.cancel(arguments)
        if name == "scalestudy-job-status":
            print(scheduler.status(arguments[0]))
            return 0
        return scheduler.stand_in([name, *arguments])
    except SchedulerError as error:
        return _complain(f"error: {error}")


def put_commands_on_path(study: str) -> None:
    """Let this process and its children find the commands of `profiles/cluster/bin` first, and their Python next.

    They will know that the jobs are those of `study`.
    """
    os.environ[STUDY] = study
    first = [str(PROFILE / "bin"), str(Path(sys.executable).parent)]
    others = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != first[0]]
    os.environ["PATH"] = os.pathsep.join([*first, *others])


def with_record(script: str, record: Path) -> str:
    """Return the job script such that it writes its exit code to `record` when it ends by itself."""
    first, _, rest = script.partition("\n")
    return f"{first}\n{RECORD_EXIT.format(path=shlex.quote(str(record)))}{rest}"


def mark_as_failed(run: Path, reason: str) -> None:
    """Say in the `status.json` of a run's folder why its job ended, where the run itself could not know.

    That is a run that was killed, or that heard only that it should stop: the scheduler knows of the time limit.
    """
    path = run / "status.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts.get("state") == "running" or facts.get("kind") == "terminated":
            facts.update(state="failed", kind="scheduler", reason=reason)
            _replace(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    except (
        OSError,
        ValueError,
        AttributeError,
    ):  # the run never began, or is being removed for the next attempt
        return


def refusal() -> str:
    """Return the scheduler's words for taking no more jobs now; empty where it takes them, or nobody waits any more."""
    path = NOTES / "refused"
    try:  # who waits writes it anew
        fresh = time.time() - path.stat().st_mtime < 2 * REMIND_SECONDS
        return path.read_text(encoding="utf-8") if fresh else ""
    except OSError:
        return ""


def _note_refusal(said: str) -> None:
    _replace(NOTES / "refused", said)
    _complain(
        f"the scheduler takes no more jobs for now ({said}): waiting, and submitting again until it does. "
        "`jobs:` in the profile says how many wait and run at once"
    )


def _is_job_script(path: Path) -> bool:
    """Return whether a file is a job script of Snakemake's."""
    try:
        return path.is_file() and "# properties = {" in path.read_text(encoding="utf-8")[:100_000]
    except (OSError, ValueError):
        return False


def _beyond_the_stand_in(command: str) -> str | None:
    """Return the path of a command that is not one of `profiles/cluster/bin`; None where there is none."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    others = [folder for folder in folders if not Path(folder, "scalestudy-submit").exists()]
    return shutil.which(command, path=os.pathsep.join(others))


def _nobody_listens() -> bool:
    """Return whether standard output is a pipe whose reader has gone."""
    poll = select.poll()
    poll.register(sys.stdout, select.POLLERR)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _matches(pattern: str, text: str) -> list[str]:
    """Return each different text that the pattern finds, or that its first group with anything in it holds."""
    found = re.finditer(pattern, text, flags=re.MULTILINE)
    return list(
        dict.fromkeys(next((group for group in each.groups() if group), each.group(0)) for each in found)
    )


def _outputs(script: str) -> list[str]:
    """Return the files that the job is to make, from the comment that Snakemake puts into its script.

    It leaves out more than a hundred. Then each run's record stands for its files.
    """
    found = re.search(r"^# properties = (\{.*\})$", script, flags=re.MULTILINE)
    outputs = json.loads(found.group(1)).get("output") if found else None
    trained = re.findall(r"\b(train:run|pretrain:weights)=([^\s'\",]+)", script)
    return outputs or [str(_folder(rule.partition(":")[0], name) / "run.json") for rule, name in trained]


def _folder(rule: str, name: str) -> Path:
    """Return the folder of a run, or of the initial weights that a job trains."""
    return weights_record(name).parent if rule == "pretrain" else run_folder(os.environ.get(STUDY, ""), name)


def _last(outputs: Sequence[str]) -> Path:
    """Return the name of the pointer to the job last submitted for these output files."""
    return Path("last", hashlib.sha256("\n".join(outputs).encode()).hexdigest()[:16])


def _point_to(job: str, name: Path) -> None:
    """Remember a job under a name."""
    (NOTES / name).parent.mkdir(parents=True, exist_ok=True)
    _replace(NOTES / name, job)


def _pointed_to(name: Path) -> str | None:
    """Return the job that was remembered under a name; None where none was."""
    try:
        return (NOTES / name).read_text(encoding="utf-8")
    except OSError:
        return None


def _exit_code(note: dict[str, Any]) -> int | None:
    """Return the exit code that the job's script wrote; None where it wrote none (yet)."""
    try:
        return int(Path(note["record"]).read_text(encoding="ascii"))
    except (KeyError, OSError, ValueError):
        return None


def _ask(command: str) -> str | None:
    """Return what a scheduler's command prints; None where it fails or takes too long."""
    try:
        result = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _remove_old(now: float | None = None) -> None:
    """Remove, once a day, what is older than KEPT_SECONDS and of no job that was asked about since."""
    now = time.time() if now is None else now
    last = NOTES / "cleaned"
    if last.exists() and now - last.stat().st_mtime < 24 * 3600:
        return
    last.touch()
    jobs = [path.stem for path in NOTES.glob("*.json") if now - path.stat().st_mtime < KEPT_SECONDS]
    kept = {
        str(content) for job in jobs for key, content in _read(job).items() if key in ("record", "script")
    }
    for path in NOTES.rglob("*"):
        if not path.is_file() or now - path.stat().st_mtime < KEPT_SECONDS or str(path.absolute()) in kept:
            continue
        if path.parent == NOTES or _pointed_to(path.relative_to(NOTES)) not in jobs:
            path.unlink(missing_ok=True)


def _complain(message: str) -> int:
    """Print a message for the person at the terminal and return the exit code of a failure."""
    print(message, file=sys.stderr, flush=True)
    return 1


def _note_path(job: str) -> Path:
    return NOTES / f"{re.sub(r'[^A-Za-z0-9._-]', '_', job)}.json"


def _read(job: str) -> dict[str, Any]:
    """Return what is noted about a job; empty for one that was not submitted from here."""
    try:
        note = json.loads(_note_path(job).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _write(job: str, note: dict[str, Any]) -> None:
    NOTES.mkdir(parents=True, exist_ok=True)
    _replace(_note_path(job), json.dumps(note))


def _replace(path: Path, text: str) -> None:
    """Write a file such that a reader sees the old one or all of the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
