"""Submit, ask and cancel: what Snakemake needs from a scheduler, for any that `scheduler.ini` describes.

Plain standard library, so that whichever `python3` the login node has will do. Notes about the jobs lie in
`.snakemake/cluster/` of the directory that Snakemake runs in: `ID.json` for each job, its script `TOKEN.sh`,
the exit code `TOKEN.exit` that the script left, `last/HASH` with the job that was last submitted for a set of
output files, and the scheduler's own log.

How a job's state is found:

1. Its script left exit code 0: success, whatever the scheduler says or has forgotten.
2. The scheduler answers: its words for success and failure decide, and anything else means that the job waits
   or runs. (So a job that was preempted and requeued is running, whatever its first attempt left.)
3. The scheduler answers nothing, or its command fails: the exit code decides if there is one. Otherwise
   nobody knows, and the answer is "running": Snakemake asks again, and neither submits the job anew nor takes
   it for finished. Only after `patience` seconds without any answer does the job count as failed.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

NOTES = Path(".snakemake", "cluster")
COMMAND_SECONDS = 60  # a scheduler that answers later than this has not answered
TAIL_LINES = 20
RECORD_EXIT = """\
record={path}
rm -f "$record"
trap 'code=$?; echo $code > "$record.part" && mv "$record.part" "$record"' EXIT
"""


def settings() -> configparser.SectionProxy:
    """Return the section of `scheduler.ini` that its first line chooses."""
    parser = configparser.ConfigParser(interpolation=None)
    with Path(__file__).with_name("scheduler.ini").open(encoding="utf-8") as file:
        parser.read_file(file)
    return parser[parser["use"]["scheduler"]]


def submit(arguments: list[str]) -> int:
    """Hand a job script to the submit command; print the job's id and nothing else. Return the exit code.

    `arguments` are the submit command's own words, and then the path of the script that Snakemake wrote.
    """
    if len(arguments) < 2:
        return _complain("usage: submit SUBMIT_COMMAND [OPTION ...] JOBSCRIPT")
    NOTES.mkdir(parents=True, exist_ok=True)
    *command, original = arguments
    text = Path(original).read_text(encoding="utf-8")
    outputs = _outputs(text)
    if (there := _waits_or_runs(outputs)) is not None:
        _complain(f"job {there} of an earlier Snakemake is still there for {outputs[0]}; not submitted again")
        print(there)
        return 0
    token = uuid.uuid4().hex[:12]
    record = (NOTES / f"{token}.exit").absolute()
    script = (NOTES / f"{token}.sh").absolute()
    script.write_text(with_record(text, record), encoding="utf-8")
    script.chmod(0o755)
    try:
        result = subprocess.run([*command, str(script)], stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        return _complain(f"cannot run the submit command {command[0]}: {error}")
    if result.returncode != 0:
        return _complain(f"the submit command failed (exit code {result.returncode}): {shlex.join(command)}")
    found = re.search(settings()["job_id"], result.stdout)
    if found is None:
        return _complain(
            f"no job id in the submit command's answer {result.stdout!r}; see job_id in scheduler.ini"
        )
    job = found.group(0)
    _write(job, {"record": str(record), "script": str(script), "output": outputs})
    if outputs:
        _last_job(outputs).parent.mkdir(exist_ok=True)
        _last_job(outputs).write_text(job, encoding="utf-8")
    print(job)
    return 0


def _waits_or_runs(outputs: list[str]) -> str | None:
    """Return the job for these files that a Snakemake which was killed has left behind; None where there is none.

    Only a job that the scheduler itself calls waiting or running counts: no answer means a new job.
    """
    try:
        job = _last_job(outputs).read_text(encoding="utf-8")
    except OSError:
        return None
    note = _read(job)
    state, _ = job_state(job, note, time.time())
    return job if state == "running" and "unanswered_since" not in note else None


def _last_job(outputs: list[str]) -> Path:
    """Return the file that names the job last submitted for these output files."""
    return NOTES / "last" / hashlib.sha256("\n".join(outputs).encode()).hexdigest()[:16]


def with_record(script: str, record: Path) -> str:
    """Return the job script such that it writes its exit code to `record` when it ends by itself."""
    first, _, rest = script.partition("\n")
    return f"{first}\n{RECORD_EXIT.format(path=shlex.quote(str(record)))}{rest}"


def _outputs(script: str) -> list[str]:
    """Return the files that the job is to make, from the comment that Snakemake puts into its script."""
    found = re.search(r"^# properties = (\{.*\})$", script, flags=re.MULTILINE)
    return list(json.loads(found.group(1)).get("output", [])) if found else []


def status(job: str, now: float | None = None) -> str:
    """Return "success", "failed" or "running" for Snakemake. Say on standard error why a job failed."""
    note = _read(job)
    state, reason = job_state(job, note, time.time() if now is None else now)
    if state == "failed" and "reason" not in note:
        note["reason"] = reason
        _mark_run_as_failed(note, f"job {job}: {reason}")
        _complain(f"job {job} failed: {reason}{_log_tail(job)}")
    _write(job, note)
    return state


def job_state(job: str, note: dict[str, Any], now: float) -> tuple[str, str]:
    """Return the state of a job and the reason for it; keeps in `note` since when there was no answer."""
    code = _exit_code(note)
    if code == 0:
        return "success", "exit code 0"
    chosen = settings()
    answer = _ask(chosen["status"].replace("{id}", shlex.quote(job)))
    if answer:
        note.pop("unanswered_since", None)
        if re.search(chosen["success"], answer, flags=re.MULTILINE):
            return "success", answer
        if failure := re.search(chosen["failure"], answer, flags=re.MULTILINE):
            return "failed", failure.group(0)
        return "running", answer
    if code is not None:
        return "failed", f"exit code {code}"
    since = note.setdefault("unanswered_since", now)
    if now - since < chosen.getfloat("patience"):
        return "running", "no answer from the scheduler, asking again"
    return (
        "failed",
        f"the scheduler has not answered for {now - since:.0f} s and the job left no exit code: killed?",
    )


def _exit_code(note: dict[str, Any]) -> int | None:
    """Return the exit code that the job's script wrote; None where it wrote none (yet)."""
    try:
        return int(Path(note["record"]).read_text(encoding="ascii"))
    except (KeyError, OSError, ValueError):
        return None


def _ask(command: str) -> str:
    """Return what a scheduler's command prints; empty where it fails or takes too long."""
    try:
        result = subprocess.run(
            shlex.split(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def _mark_run_as_failed(note: dict[str, Any], reason: str) -> None:
    """Say in the run's `status.json` that its job was killed, where the run could not say so itself."""
    for output in note.get("output", []):
        path = Path(output).parent / "status.json"
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            if run.get("state") == "running":
                run.update(state="failed", kind="scheduler", reason=reason)
                temporary = path.with_name(f".status-{uuid.uuid4().hex[:8]}.json")
                temporary.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
                temporary.replace(path)
        except (OSError, ValueError):  # the run never began, or is being removed for the next attempt
            continue
        return


def _log_tail(job: str) -> str:
    """Return the end of the scheduler's log of a job, indented; empty where there is none."""
    path = Path(settings()["log"].replace("{id}", job))
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in [f"end of {path}:", *lines])


def cancel(jobs: list[str]) -> int:
    """Cancel jobs by the scheduler's command, which gets all ids at once. Return its exit code."""
    words = shlex.split(settings()["cancel"])
    at = words.index("{ids}")
    return subprocess.run([*words[:at], *jobs, *words[at + 1 :]], check=False).returncode


def _complain(message: str) -> int:
    """Print a message for the person at the terminal and return the exit code of a failure."""
    print(message, file=sys.stderr, flush=True)
    return 1


def _note_path(job: str) -> Path:
    return NOTES / f"{re.sub(r'[^A-Za-z0-9._-]', '_', job)}.json"


def _read(job: str) -> dict[str, Any]:
    """Return what is noted about a job; empty for one that was not submitted from here."""
    try:
        return dict(json.loads(_note_path(job).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _write(job: str, note: dict[str, Any]) -> None:
    NOTES.mkdir(parents=True, exist_ok=True)
    path = _note_path(job)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(json.dumps(note), encoding="utf-8")
    temporary.replace(path)
