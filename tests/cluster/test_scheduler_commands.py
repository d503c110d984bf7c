"""profiles/cluster/bin: submit, status and cancel against stub schedulers (CASES C30, C31, D24 to D27)."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROFILE = Path(__file__).parents[2] / "profiles" / "cluster"
JOB_SCRIPT = """\
#!/bin/sh
# properties = {"rule": "train", "output": ["results/digits/runs/one/metrics.csv"], "jobid": 1}
sh -c 'exit %d' && exit 0 || exit %d
"""


class Scheduler:
    """A copy of the profile's commands with a scheduler that the test controls, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.profile = folder / "profiles" / "cluster"
        shutil.copytree(PROFILE, self.profile, ignore=shutil.ignore_patterns("__pycache__"))
        self.configure()

    def configure(
        self,
        status: str = "status = cat answer-{id}",
        patience: float = 600,
        cancel: str = "echo {ids}",
    ) -> None:
        (self.profile / "scheduler.ini").write_text(
            "[use]\nscheduler = stub\n[stub]\nbusy = SubmitJob\n"
            # `echo 17` is the submit command: it prints the script's path as well, and commands say more around the id.
            "job_id = ^\\d+|(?:job |<)(\\d+)\n"
            f"{status}\nsuccess = ^COMPLETED\nfailure = ^(FAILED|TIMEOUT|OUT_OF_MEMORY)\n"
            f"cancel = {cancel}\nlog = log-{{id}}\npatience = {patience}\nqueue_seconds = 10\n"
        )

    def as_shipped(self) -> None:
        """Use the profile's own scheduler.ini."""
        shutil.copy(PROFILE / "scheduler.ini", self.profile)

    def command(self, name: str, script: str, folder: str = "site") -> None:
        """Make a command of the site's, which the commands under test find on PATH."""
        path = self.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        """Variables as Snakemake has them: the stand-ins first on PATH, then this Python, then the site's commands.

        And no scheduler that is really installed here.
        """
        tools = self.folder / "tools"
        if not tools.exists():
            tools.mkdir()
            for name in (
                "sh",
                "echo",
                "printf",
                "cat",
                "wc",
                "seq",
                "sleep",
                "mv",
                "rm",
                "ps",
                "true",
                "false",
            ):
                (tools / name).symlink_to(shutil.which(name) or name)
        folders = (self.profile / "bin", Path(sys.executable).parent, self.folder / "site", tools)
        return {**os.environ, "PATH": ":".join(map(str, folders)), "SCALESTUDY_STUDY": "digits"}

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words: list[str | Path] = [self.profile / "bin" / command, *arguments]
        return subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=30, env=self.environ
        )

    def submit(self, code: int = 0, submit: str = "echo 17") -> subprocess.CompletedProcess[str]:
        script = self.folder / "job script.sh"
        script.write_text(JOB_SCRIPT % (code, code))
        return self.run("scalestudy-submit", *submit.split(), str(script))

    def run_job(self) -> None:
        """Run the one job that was submitted, as a scheduler would."""
        (script,) = (self.folder / ".snakemake" / "cluster").glob("*.sh")
        subprocess.run(["sh", script], check=False)

    def answer(self, text: str) -> None:
        (self.folder / "answer-17").write_text(text)

    def status(self) -> str:
        result = self.run("scalestudy-job-status", "17")
        assert result.returncode == 0
        return result.stdout.strip()


@pytest.fixture
def scheduler(tmp_path: Path) -> Scheduler:
    """Give stub commands in a folder whose name would break careless quoting."""
    folder = tmp_path / "my user's dir"
    folder.mkdir()
    return Scheduler(folder)


@pytest.mark.parametrize(
    ("said", "job"),
    [
        ("17", "17"),
        ("17;cluster", "17"),
        ("Submitted batch job 17", "17"),
        ("Your job 17 has been submitted", "17"),
        ("Job <17> is submitted to queue <gpu>.", "17"),
    ],
)
def test_submit_prints_nothing_but_the_job_id(scheduler: Scheduler, said: str, job: str) -> None:
    scheduler.command("site-submit", f"echo '{said}'")
    result = scheduler.submit(submit="site-submit")
    assert result.stdout == f"{job}\n"


def test_a_submit_command_that_fails_or_prints_no_id_is_an_error_that_says_so(scheduler: Scheduler) -> None:
    failed = scheduler.submit(submit="false")
    assert failed.returncode != 0
    assert "the submit command failed (exit code 1): false" in failed.stderr
    silent = scheduler.submit(submit="true")
    assert silent.returncode != 0
    assert "no job id" in silent.stderr
    missing = scheduler.submit(submit="no-such-command")
    assert missing.returncode != 0
    assert "cannot run the submit command no-such-command" in missing.stderr


@pytest.mark.parametrize(
    "said",
    [
        "Project balance: 1234 core-hours\nSubmitted batch job 57",
        "You have 9 jobs of 10.\n57",
        "57;cluster7\nThank you for using system 3",
        "Submitted batch job 57 on cluster gpu2",
    ],
)
def test_the_job_is_the_one_that_the_scheduler_names_and_no_number_of_a_banner(
    scheduler: Scheduler, said: str
) -> None:
    scheduler.as_shipped()
    scheduler.command("squeue", "true")
    scheduler.command("sbatch", f"cat <<'END'\n{said}\nEND")
    assert scheduler.submit(submit="sbatch --parsable").stdout == "57\n"


def test_an_answer_in_no_known_form_gives_the_one_number_that_is_a_job_of_ours_or_is_refused(
    scheduler: Scheduler,
) -> None:
    scheduler.as_shipped()
    scheduler.command("sbatch", "echo 'Your job no. 57 waits behind 12 others (priority 1000)'")
    scheduler.command("squeue", "echo 56 COMPLETED; echo 57 PENDING")
    assert scheduler.submit(submit="sbatch").stdout == "57\n"
    shutil.rmtree(scheduler.folder / ".snakemake")
    scheduler.command("squeue", "echo 12 RUNNING; echo 57 PENDING")
    refused = scheduler.submit(submit="sbatch")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no job id in the submit command's answer 'Your job no. 57 waits" in refused.stderr
    assert "look there, and cancel it" in refused.stderr


LIMIT = (
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
    "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size "
    "and/or time limits)"
)


def refusing(times: int, said: str = LIMIT) -> str:
    """Return a submit command that refuses so often, and then accepts."""
    return f"""\
echo try >> tries
[ $(wc -l < tries) -gt {times} ] && echo 57 && exit
cat >&2 <<'END'
{said}
END
exit 1"""


def test_a_full_queue_is_waited_for_and_the_job_submitted_once(scheduler: Scheduler) -> None:
    scheduler.as_shipped()
    scheduler.command("squeue", "echo 56 RUNNING")
    scheduler.command("sbatch", refusing(2))
    done = scheduler.submit(submit="sbatch --parsable")
    assert done.stdout == "57\n"
    assert done.stderr.count("the scheduler takes no more jobs for now (sbatch: error: QOSMaxSubmitJob") == 1
    assert "`jobs:` in the profile says how many wait and run at once" in done.stderr
    assert (scheduler.folder / "tries").read_text() == "try\n" * 3
    assert not (scheduler.folder / ".snakemake" / "cluster" / "refused").exists()


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: invalid partition specified: gpuu\nsbatch: error: Batch job submission failed: Invalid",
        LIMIT.replace("SubmitJobPerUser", "WallDurationPerJob"),
        "sbatch: error: Batch job submission failed: Requested node configuration is not available",
    ],
)
def test_a_refusal_that_waiting_does_not_mend_fails_at_once_with_the_scheduler_s_words(
    scheduler: Scheduler, said: str
) -> None:
    scheduler.as_shipped()
    scheduler.command("squeue", "echo 56 RUNNING")
    scheduler.command("sbatch", refusing(1, said))
    failed = scheduler.submit(submit="sbatch --parsable --mem=7")
    assert failed.returncode == 1
    assert said in failed.stderr
    assert re.search(
        r"the submit command failed \(exit code 1\): \S*sbatch --parsable --mem=7", failed.stderr
    )
    assert (scheduler.folder / "tries").read_text() == "try\n"


@pytest.mark.parametrize(("queue", "tries"), [("true", 1), ("echo 3 COMPLETED", 1), ("echo 3 PENDING", 2)])
def test_a_queue_without_a_job_of_ours_that_stays_full_is_a_failure_in_the_end(
    scheduler: Scheduler, queue: str, tries: int
) -> None:
    scheduler.configure(status=f"queue = {queue}", patience=0)
    scheduler.command("full", refusing(1))
    assert scheduler.submit(submit="full").returncode == (1 if tries == 1 else 0)
    assert (scheduler.folder / "tries").read_text() == "try\n" * tries


def test_a_submission_that_waits_ends_with_the_snakemake_that_wanted_it(scheduler: Scheduler) -> None:
    scheduler.command("full", refusing(1000))
    script = scheduler.folder / "job.sh"
    script.write_text(JOB_SCRIPT % (0, 0))
    words: list[str | Path] = [scheduler.profile / "bin" / "scalestudy-submit", "full", script]
    environ = scheduler.environ
    waiting = subprocess.Popen(words, cwd=scheduler.folder, stdout=subprocess.PIPE, env=environ)
    end = time.monotonic() + 20
    while not (scheduler.folder / ".snakemake" / "cluster" / "refused").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert waiting.stdout is not None
    waiting.stdout.close()
    assert waiting.wait(20) == 1


def test_the_scheduler_s_own_command_stands_in_for_itself(scheduler: Scheduler) -> None:
    """As Snakemake 7 calls it for `--cluster 'sbatch --parsable ...'`."""
    scheduler.as_shipped()
    scheduler.command("squeue", "echo 57 PENDING")
    scheduler.command("sbatch", 'echo "$@" >> called; ' + refusing(1))
    script = scheduler.folder / "job.sh"
    script.write_text(JOB_SCRIPT % (3, 3))
    done = scheduler.run("sbatch", "--parsable", "--mem=7", str(script))
    assert done.stdout == "57\n"
    called = (scheduler.folder / "called").read_text().splitlines()
    assert [line.split(" /")[0] for line in called] == ["--parsable --mem=7"] * 2
    scheduler.run_job()
    scheduler.command("squeue", "true")  # it has forgotten the job, whose own note says how it ended
    result = scheduler.run("scalestudy-job-status", "57")
    assert (result.stdout, result.stderr.splitlines()[0]) == ("failed\n", "job 57 failed: exit code 3")


def test_what_the_slurm_plugin_submits_goes_through_as_it_is_and_again_while_the_queue_is_full(
    scheduler: Scheduler,
) -> None:
    scheduler.as_shipped()
    scheduler.command("squeue", "echo 57 PENDING")
    scheduler.command("sbatch", 'printf "%s|" "$@" >> called; ' + refusing(1))
    words = [
        "--parsable",
        "--comment",
        "rule_train_wildcards_resnet18_s0-1a2b",
        "--wrap=python -m snakemake 'a b'",
    ]
    done = scheduler.run("sbatch", *words)
    assert (done.returncode, done.stdout) == (0, "57\n")
    assert (scheduler.folder / "called").read_text() == ("|".join(words) + "|") * 2
    assert "submission failed" not in done.stderr  # the plugin takes these words for a failure
    pointers = scheduler.folder / ".snakemake" / "cluster" / "runs"
    pointer = pointers / "results" / "digits" / "runs" / "resnet18_s0-1a2b"
    assert pointer.read_text() == "57"


def test_a_submit_script_of_the_site_s_that_calls_sbatch_submits_once(scheduler: Scheduler) -> None:
    scheduler.as_shipped()
    scheduler.command("squeue", "true")
    scheduler.command("sbatch", "echo called >> called; echo Submitted batch job 57")
    scheduler.command("site-submit", 'echo "Project balance: 1234"; sbatch --account=me "$@"')
    assert scheduler.submit(submit="site-submit").stdout == "57\n"
    assert (scheduler.folder / "called").read_text() == "called\n"
    assert len(list((scheduler.folder / ".snakemake" / "cluster").glob("*.sh"))) == 1


@pytest.mark.parametrize(
    ("commands", "question"),
    [
        (["sbatch", "squeue", "qsub", "qstat", "pbsnodes"], "squeue --me"),
        (["bsub", "bjobs"], "bjobs -a"),
        (["qsub", "qstat", "pbsnodes"], "qstat -x -f 17"),
        (["qsub", "qstat", "qconf"], "qstat -j 17"),
    ],
)
def test_the_scheduler_is_known_by_its_commands(
    scheduler: Scheduler, commands: list[str], question: str
) -> None:
    scheduler.as_shipped()
    for command in commands:
        scheduler.command(command, f'echo {command} "$@" >> asked')
    assert scheduler.status() == "running"
    assert (scheduler.folder / "asked").read_text().startswith(question)


def test_no_scheduler_at_all_is_an_error_that_says_where_to_describe_one(scheduler: Scheduler) -> None:
    scheduler.as_shipped()
    result = scheduler.run("scalestudy-job-status", "17")
    assert result.returncode == 1
    assert result.stderr.startswith("error: no scheduler's commands are here (bjobs, bsub, pbsnodes, ")
    assert "scheduler.ini, and name it there under [use]" in result.stderr


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        (
            "[use]\nscheduler = slrum\n[slurm]\n",
            "has no 'slrum' under [use] or as a section; it has use, slurm",
        ),
        ("[use\n", "cannot be read: "),
        (
            "[use]\nscheduler = mine\n[mine]\njob_id = x\n",
            "section [mine] lacks patience, success, failure, cancel, log, queue or status",
        ),
        (
            "[use]\nscheduler = auto\n[mine]\nneeds = sh\nqueue = q\n[DEFAULT]\n"
            "job_id = x\npatience = 1\nsuccess = x\nfailure = x\ncancel = x\nlog = x\n",
            "section [mine] lacks queue_seconds",
        ),
    ],
)
def test_a_slip_in_scheduler_ini_is_one_line(scheduler: Scheduler, ini: str, said: str) -> None:
    scheduler.as_shipped()
    (path,) = scheduler.folder.rglob("scheduler.ini")
    path.write_text(ini)
    result = scheduler.run("scalestudy-job-status", "17")
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_hundred_jobs_are_one_question(scheduler: Scheduler) -> None:
    scheduler.configure(status="queue = sh -c 'echo asked >> asked; seq -f \"%g RUNNING\" 100'")
    for job in range(1, 101, 20):
        assert scheduler.run("scalestudy-job-status", str(job)).stdout == "running\n"
    assert (scheduler.folder / "asked").read_text() == "asked\n"
    long_ago = time.time() - 11
    os.utime(scheduler.folder / ".snakemake" / "cluster" / "queue", (long_ago, long_ago))
    assert scheduler.run("scalestudy-job-status", "1").stdout == "running\n"
    assert (scheduler.folder / "asked").read_text() == "asked\n" * 2


def test_notes_of_jobs_long_gone_are_removed_and_those_of_a_job_that_is_asked_about_kept(
    scheduler: Scheduler,
) -> None:
    notes = scheduler.folder / ".snakemake" / "cluster"
    scheduler.submit()
    scheduler.answer("RUNNING")
    long_ago = time.time() - 11 * 24 * 3600
    (notes / "4.log").write_text("the log of a job long gone")
    (notes / "4.json").write_text('{"record": "4.exit"}')
    (notes / "runs" / "gone").write_text("4")
    before = {path for path in notes.rglob("*") if path.is_file()}
    for path in before:
        os.utime(path, (long_ago, long_ago))
    scheduler.status()  # asked about: its note is new
    scheduler.run("scalestudy-submit", "echo", "18", str(scheduler.folder / "job script.sh"))
    left = {path.relative_to(notes).as_posix() for path in before if path.exists()}
    assert len([name for name in left if name.endswith(".sh")]) == 1
    assert {"17.json", "runs/results/digits/runs/one"} < left
    assert not {"4.log", "4.json", "runs/gone"} & left


@pytest.mark.parametrize(
    "answer", ["PENDING", "RUNNING", "CONFIGURING", "REQUEUED", "PREEMPTED", "SUSPENDED"]
)
def test_a_job_that_waits_or_runs_is_running(scheduler: Scheduler, answer: str) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    assert scheduler.status() == "running"


@pytest.mark.parametrize("answer", ["TIMEOUT", "OUT_OF_MEMORY", "FAILED"])
def test_a_job_that_the_scheduler_ended_fails_at_the_first_question_and_says_why(
    scheduler: Scheduler, answer: str
) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    (scheduler.folder / "log-17").write_text("slurmstepd: error: killed\n")
    result = scheduler.run("scalestudy-job-status", "17")
    assert result.stdout == "failed\n"
    assert f"job 17 failed: {answer}" in result.stderr
    assert "slurmstepd: error: killed" in result.stderr


def test_the_run_of_a_killed_job_is_shown_as_failed_with_the_reason(scheduler: Scheduler) -> None:
    status = scheduler.folder / "results/digits/runs/one/status.json"
    status.parent.mkdir(parents=True)
    status.write_text('{"state": "running", "epoch": 3}')
    scheduler.submit()
    scheduler.answer("OUT_OF_MEMORY")
    scheduler.status()
    run = json.loads(status.read_text())
    assert run == {
        "state": "failed",
        "epoch": 3,
        "kind": "scheduler",
        "reason": "job 17: OUT_OF_MEMORY",
    }


@pytest.mark.parametrize("answer", ["TIMEOUT", "OUT_OF_MEMORY"])
def test_a_run_that_heard_only_a_signal_is_shown_with_the_scheduler_s_reason(
    scheduler: Scheduler, answer: str
) -> None:
    status = scheduler.folder / "results/digits/runs/one/status.json"
    status.parent.mkdir(parents=True)
    status.write_text('{"state": "failed", "kind": "terminated", "reason": "stopped by a signal in epoch 3"}')
    scheduler.submit()
    scheduler.answer(answer)
    scheduler.status()
    assert json.loads(status.read_text()) == {
        "state": "failed",
        "kind": "scheduler",
        "reason": f"job 17: {answer}",
    }


def test_what_a_run_said_about_its_own_end_is_kept(scheduler: Scheduler) -> None:
    status = scheduler.folder / "results/digits/runs/one/status.json"
    status.parent.mkdir(parents=True)
    said = '{"state": "failed", "kind": "oom", "reason": "out of memory on cuda:0"}'
    status.write_text(said)
    scheduler.submit()
    scheduler.answer("FAILED")
    assert scheduler.status() == "failed"
    assert status.read_text() == said


@pytest.mark.parametrize(
    "status",
    [
        "status = true",
        "status = cat missing",
        "status = no-such-command",
        "status = sh -c 'echo accounting off >&2; exit 1'",
        "queue = true",
        "queue = no-such-command",
        "queue = echo 16 RUNNING",
    ],
)
def test_no_answer_means_ask_again_up_to_the_limit(scheduler: Scheduler, status: str) -> None:
    scheduler.configure(status=status)
    scheduler.submit()
    assert [scheduler.status() for _ in range(3)] == ["running"] * 3
    scheduler.configure(status=status, patience=0)
    result = scheduler.run("scalestudy-job-status", "17")
    assert result.stdout == "failed\n"
    assert "has not answered" in result.stderr


def test_an_answer_in_between_starts_the_patience_anew(scheduler: Scheduler) -> None:
    scheduler.configure(patience=0.2)
    scheduler.submit()
    assert scheduler.status() == "running"
    scheduler.answer("RUNNING")
    time.sleep(0.3)
    assert scheduler.status() == "running"
    scheduler.answer("")
    assert scheduler.status() == "running"


def test_a_job_that_ended_well_is_a_success_though_the_scheduler_has_forgotten_it(
    scheduler: Scheduler,
) -> None:
    scheduler.submit(code=0)
    scheduler.run_job()
    assert scheduler.status() == "success"


def test_a_job_that_ended_badly_fails_at_once_though_the_scheduler_has_forgotten_it(
    scheduler: Scheduler,
) -> None:
    scheduler.submit(code=3)
    scheduler.run_job()
    result = scheduler.run("scalestudy-job-status", "17")
    assert result.stdout == "failed\n"
    assert "exit code 3" in result.stderr


def test_a_job_that_was_requeued_is_running_whatever_its_first_attempt_left(scheduler: Scheduler) -> None:
    scheduler.submit(code=1)
    scheduler.run_job()
    scheduler.answer("PENDING")
    assert scheduler.status() == "running"


def test_the_scheduler_is_believed_where_the_note_is_not_to_be_seen_yet(scheduler: Scheduler) -> None:
    scheduler.submit()
    scheduler.answer("COMPLETED")
    assert scheduler.status() == "success"


@pytest.mark.parametrize("answer", ["PENDING", "RUNNING"])
def test_a_job_that_an_earlier_snakemake_left_behind_is_taken_over_instead_of_submitted_again(
    scheduler: Scheduler, answer: str
) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    again = scheduler.submit(submit="echo 18")
    assert again.stdout == "17\n"
    assert "job 17 of an earlier Snakemake is still there" in again.stderr


@pytest.mark.parametrize("answer", ["", "FAILED", "COMPLETED"])
def test_a_job_that_ended_or_that_nobody_knows_is_submitted_again(scheduler: Scheduler, answer: str) -> None:
    scheduler.submit()
    scheduler.answer(answer)
    assert scheduler.submit(submit="echo 18").stdout == "18\n"


def packed(scheduler: Scheduler) -> Path:
    """Write the script of a job of so many runs that Snakemake leaves out their files; return its path."""
    script = scheduler.folder / "group.sh"
    properties = '{"type": "group", "groupid": "packed", "input": null, "output": null, "jobid": "1"}'
    targets = "--target-jobs 'train:run=one' 'train:run=two' 'pretrain:weights=glyphs-1a2b'"
    script.write_text(f"#!/bin/sh\n# properties = {properties}\npython -m snakemake {targets} --cores 1\n")
    return script


def test_a_job_of_more_runs_than_snakemake_lists_files_for_is_submitted_taken_over_and_known_by_its_runs(
    scheduler: Scheduler,
) -> None:
    script = str(packed(scheduler))
    submitted = scheduler.run("scalestudy-submit", "echo", "17", script)
    assert (submitted.returncode, submitted.stdout) == (0, "17\n"), submitted.stderr
    pointers = scheduler.folder / ".snakemake" / "cluster" / "runs"
    for folder in ("results/digits/runs/one", "results/digits/runs/two", "weights/glyphs-1a2b"):
        assert (pointers / folder).read_text() == "17"
    scheduler.answer("RUNNING")
    again = scheduler.run("scalestudy-submit", "echo", "18", script)
    assert again.stdout == "17\n"
    status = scheduler.folder / "results/digits/runs/two/status.json"
    status.parent.mkdir(parents=True)
    status.write_text('{"state": "running"}')
    scheduler.answer("TIMEOUT")
    scheduler.status()
    assert json.loads(status.read_text())["reason"] == "job 17: TIMEOUT"


def test_runs_of_one_name_in_two_studies_have_each_their_own_job(scheduler: Scheduler) -> None:
    scheduler.submit(submit="echo 17")
    script = scheduler.folder / "other.sh"
    script.write_text((JOB_SCRIPT % (0, 0)).replace("results/digits", "results/others"))
    scheduler.run("scalestudy-submit", "echo", "18", str(script))
    pointers = scheduler.folder / ".snakemake" / "cluster" / "runs"
    found = [(pointers / "results" / study / "runs" / "one").read_text() for study in ("digits", "others")]
    assert found == ["17", "18"]


def test_a_scheduler_ini_in_the_project_counts_before_the_one_that_comes_with_the_workflow(
    scheduler: Scheduler,
) -> None:
    def asked() -> str:
        words = [PROFILE / "bin" / "scalestudy-job-cancel", "17"]
        done = subprocess.run(
            words, cwd=scheduler.folder, capture_output=True, text=True, env=scheduler.environ, timeout=30
        )
        return done.stdout + done.stderr

    scheduler.configure(cancel="echo mine {ids}")
    assert asked() == "mine 17\n"
    (scheduler.profile / "scheduler.ini").unlink()
    assert "no scheduler's commands are here" in asked()


def test_cancel_gives_all_ids_to_one_command(scheduler: Scheduler) -> None:
    assert scheduler.run("scalestudy-job-cancel", "17", "18").stdout == "17 18\n"


WORKFLOW = """\
rule all:
    input: "done.txt"
    localrule: True
rule train:
    output: "done.txt"
    shell: "echo $$ > pid; echo started >> starts; test -e again && echo 1 > {output} || sleep 60"
"""


@pytest.mark.workflow
def test_a_killed_job_is_noticed_by_snakemake_within_a_polling_interval_and_tried_again(
    scheduler: Scheduler, environ: dict[str, str]
) -> None:
    scheduler.configure(status="status = ps -o stat= -p {id}", patience=0, cancel="kill {ids}")
    (scheduler.folder / "Snakefile").write_text(WORKFLOW)
    # A scheduler of one line: start the job in the background and print its process.
    start = scheduler.folder / "start.sh"
    start.write_text('#!/bin/sh\nsetsid sh "$1" > job.log 2>&1 &\necho $!\n')
    start.chmod(0o755)
    snakemake = [
        *("snakemake", "--executor", "cluster-generic", "--jobs", "1", "--retries", "1"),
        *("--cluster-generic-submit-cmd", "profiles/cluster/bin/scalestudy-submit ./start.sh"),
        *("--cluster-generic-status-cmd", "profiles/cluster/bin/scalestudy-job-status"),
        *("--cluster-generic-cancel-cmd", "profiles/cluster/bin/scalestudy-job-cancel"),
        *("--seconds-between-status-checks", "1"),
    ]
    with (scheduler.folder / "snakemake.log").open("w") as log:
        process = subprocess.Popen(snakemake, cwd=scheduler.folder, stdout=log, stderr=log, env=environ)
    try:
        pid = scheduler.folder / "pid"
        end = time.monotonic() + 30
        while not pid.exists() or not pid.read_text().strip():
            assert time.monotonic() < end, (scheduler.folder / "snakemake.log").read_text()
            time.sleep(0.1)
        (scheduler.folder / "again").touch()
        (job,) = (path.stem for path in (scheduler.folder / ".snakemake" / "cluster").glob("*.json"))
        os.killpg(int(job), signal.SIGKILL)
        assert process.wait(20) == 0, (scheduler.folder / "snakemake.log").read_text()
    finally:
        process.kill()
    assert (scheduler.folder / "starts").read_text() == "started\n" * 2
    assert "the job left no exit code: killed?" in (scheduler.folder / "snakemake.log").read_text()
