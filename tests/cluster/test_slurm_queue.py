"""The queue of a real Slurm: full, requeued, a node that goes down; jobs packed; Snakemake 7 as it is typed."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm import Slurm
from workplace import GENERIC, PLUGIN, TO_THE_TABLE, Study, Workplace, slurm_job

pytestmark = [pytest.mark.cluster, pytest.mark.workflow]


def assert_trained_once(study: Study, *seeds: int) -> None:
    for seed in seeds:
        assert study.record(seed)["resumed_from"] == []
        assert len(study.metrics(seed)) > 0


def test_as_it_is_typed_for_snakemake_7_a_study_reaches_its_report_and_a_cancelled_job_is_noticed(
    slurm: Slurm, workplace: Workplace, snakemake_7: Path
) -> None:
    study, cancelled = workplace.study("tiny", 0, 1), workplace.study("cancelled", 1)
    submit = (
        "sbatch --parsable --cpus-per-task={threads} --mem={resources.mem_mb} --time={resources.runtime} "
        "--gres=gpu:{resources.gpu} --output=slurm-%j.out"
    )
    command = (snakemake_7, "--jobs", "4", "--cluster", submit, "report")
    workplace.finish(study, *command)
    assert "2 of 2 runs" in study.report.read_text(encoding="utf-8")
    cancelled.hold(1)
    with workplace.start(cancelled, *command) as process:
        workplace.wait(cancelled, "for a run to train", lambda: cancelled.is_held(1))
        job = slurm_job(cancelled.status(1)["pid"])
        slurm.ask("scancel", job)
        assert process.wait(240) == 1
    assert f"job {job} failed: CANCELLED" in workplace.log(cancelled)
    assert f"failed    {run_name(cancelled, 1)}  job {job}: CANCELLED" in workplace.status(cancelled)


def run_name(study: Study, seed: int) -> str:
    folder = study.run(seed)
    assert folder is not None
    return folder.name


@pytest.mark.parametrize("way", ["the plugin", "cluster-generic, from another folder"])
def test_a_full_queue_fails_no_run_and_each_is_submitted_once(
    slurm: Slurm, workplace: Workplace, tmp_path: Path, way: str
) -> None:
    if way == "the plugin":
        study, command = workplace.study("full-plugin", 0, 1), PLUGIN
    else:
        study = workplace.study("full-generic", 0, 1, root=tmp_path)
        profile = workplace.root / "profiles" / "cluster"
        place = ("-s", workplace.root / "Snakefile", "-d", tmp_path)
        command = (*GENERIC, "--profile", str(profile), *map(str, place))
    submitted, refused = slurm.submissions_so_far(), slurm.refusals_so_far()
    with slurm.limit(1), workplace.start(study, *command, *TO_THE_TABLE) as process:
        said = "the scheduler takes no more jobs for now: sbatch: error: QOSMaxSubmitJobPerUserLimit"
        workplace.wait(study, said, lambda: said in workplace.status(study), every=1)
        workplace.wait_for_end(study, process)
    assert slurm.refusals_so_far() > refused
    assert slurm.submissions_so_far() - submitted == 2
    assert "failed" not in workplace.log(study)
    assert "2 of 2 runs done" in workplace.status(study)
    assert said not in workplace.status(study)
    assert_trained_once(study, 0, 1)


def test_a_requeued_run_is_queued_and_not_failed_and_watch_stays_until_it_is_done(
    slurm: Slurm, workplace: Workplace
) -> None:
    study = workplace.study("requeued", 0)
    watch = workplace.root / "watch.log"

    def disturbed(act: Callable[[str], None]) -> None:
        """Let the run hear from Slurm while it trains, and wait until `status` says where it is."""
        workplace.wait(study, "for the run to train", lambda: study.is_held(0))
        job = slurm_job(study.status(0)["pid"])
        act(job)
        line = f"queued    {run_name(study, 0)}  requeued (job {job}: "
        workplace.wait(study, line, lambda: line in workplace.status(study), every=1)

    study.hold(0)
    with workplace.start(study, *GENERIC, *TO_THE_TABLE) as process:
        words = ["scalestudy", "status", study.name, "--watch"]
        with watch.open("wb") as output:
            watching = subprocess.Popen(words, cwd=study.root, env=workplace.environ, stdout=output)
        try:
            disturbed(lambda job: slurm.ask("scontrol", "requeue", job))
            disturbed(lambda job: node_goes_down_and_comes_back(slurm))
            assert watching.poll() is None
            study.let_go(0)
            workplace.wait_for_end(study, process)
            assert watching.wait(20) == 0
        finally:
            watching.kill()
    assert "failed" not in workplace.log(study) + watch.read_text()
    assert "1 of 1 runs done" in watch.read_text()
    assert study.record(0)["resumed_from"]


def node_goes_down_and_comes_back(slurm: Slurm) -> None:
    slurm.ask("scontrol", "update", "nodename=node1", "state=down", "reason=test")
    slurm.ask("scontrol", "update", "nodename=node1", "state=resume")


PACKED = {
    "profiles/slurm/config.yaml": PLUGIN,
    "profiles/cluster/config.v8+.yaml": GENERIC,
}


@pytest.mark.parametrize("profile", PACKED)
def test_the_profile_s_lines_for_short_runs_pack_them_into_one_job(
    slurm: Slurm, workplace: Workplace, tmp_path: Path, profile: str
) -> None:
    study = workplace.study(f"packed-{profile.split('/')[1]}", 0, 1)
    lines = (workplace.root / profile).read_text()
    assert lines.count("\n# groups:") == 1
    packed = tmp_path / "profile" / Path(profile).name
    packed.parent.mkdir()
    packed.write_text(uncommented(lines, "groups", "group-components", "resources", "set-resource-scopes"))
    command = [str(packed.parent) if word == str(Path(profile).parent) else word for word in PACKED[profile]]
    submitted = slurm.submissions_so_far()
    workplace.finish(study, *command, *TO_THE_TABLE)
    assert slurm.submissions_so_far() - submitted == 1
    assert_trained_once(study, 0, 1)
    (request,) = re.findall(r"JobId=.*?\n\n", slurm.ask("scontrol", "show", "job") + "\n\n", re.DOTALL)[-1:]
    for words in ("NumCPUs=1 ", "TimeLimit=00:30:00", "gpu:1"):  # one run after the other, on one GPU
        assert words in request


def test_the_profile_s_line_for_arrays_submits_all_runs_at_once(
    slurm: Slurm, workplace: Workplace, tmp_path: Path
) -> None:
    study = workplace.study("array", 0, 1)
    lines = (workplace.root / "profiles/slurm/config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(uncommented(lines, "slurm-array-jobs"))
    command = [str(tmp_path) if word == "profiles/slurm" else word for word in PLUGIN]
    submitted = slurm.submissions_so_far()
    workplace.finish(study, *command, *TO_THE_TABLE)
    assert slurm.submissions_so_far() - submitted == 1
    assert_trained_once(study, 0, 1)


def uncommented(profile: str, *keys: str) -> str:
    """Return a profile with these keys, which it ships as comments."""
    for key in keys:
        assert f"\n# {key}:" in profile, key
        profile = profile.replace(f"\n# {key}:", f"\n{key}:")
    return profile
