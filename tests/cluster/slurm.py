"""A real Slurm on the loopback address: munged, slurmctld and one slurmd, started and stopped by the tests.

One node with four processors and two GPUs that are only names, and two partitions: jobs in `high` preempt
those in `low`, which go back into the queue. No accounting database, as on many small clusters; a limit on the
jobs of a user, which needs one, is set by a script of the controller's, in the words that Slurm has for it.
"""

import contextlib
import getpass
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

INSTALL = "apt-get install -y --no-install-recommends slurm-wlm munge"
DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIG = """\
ClusterName=scalestudytest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/builtin
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
GresTypes=gpu
JobSubmitPlugins=lua
EpilogSlurmctld={folder}/job-ended
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
SlurmdTimeout=10
ReturnToService=2
KillWait=5
InactiveLimit=0
MinJobAge=3600
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 Gres=gpu:2 State=UNKNOWN
PartitionName=low Nodes=node1 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes=node1 MaxTime=INFINITE State=UP PriorityTier=10
"""


# The list of jobs that the controller gives the script can be one second older than the jobs for as long as none
# of them changes: it is counted here instead, which is exact where no job is cancelled before it starts.
JOB_SUBMIT = """\
local function lines(name)
    local count = 0
    for _ in io.lines("{folder}/limit/" .. name) do count = count + 1 end
    return count
end
function slurm_job_submit(job, partitions, user)
    local accepted = io.open("{folder}/limit/accepted", "a")
    if not accepted then return slurm.SUCCESS end
    local room = lines("accepted") - lines("ended") < tonumber(io.lines("{folder}/limit/jobs")())
    if room then accepted:write("one more\\n") end
    accepted:close()
    if room then return slurm.SUCCESS end
    slurm.log_user("QOSMaxSubmitJobPerUserLimit")
    return 2050
end
function slurm_job_modify(job, change, partitions, user) return slurm.SUCCESS end
"""

JOB_ENDED = """\
#!/bin/sh
test ! -d {folder}/limit || echo one more >> {folder}/limit/ended
"""


def why_not() -> str | None:
    """Return why no Slurm can be started here, with what to do about it; None where it can."""
    missing = [name for name in DAEMONS if _find(name) is None]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)} not found): {INSTALL}"
    if os.geteuid() != 0:
        return (
            "only root may start munged, slurmctld and slurmd: run these tests as root, e.g. in a container"
        )
    try:
        pwd.getpwnam("munge")
    except KeyError:
        return f"there is no user `munge`, whom munged runs as: {INSTALL}"
    return None


def _find(daemon: str) -> str | None:
    """Return the path of a daemon, which Debian puts where a user's PATH does not look."""
    return shutil.which(daemon, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Slurm:
    """The cluster while it runs. `environ` is what a process needs in order to talk to it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="scalestudy-slurm-"))
        self.environ = {
            **environ,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{environ['PATH']}",
        }
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the daemons and wait until the node takes jobs. Raises RuntimeError if it never does."""
        self.folder.chmod(0o755)  # munged runs as another user
        for name in ("state", "spool", "munge", "bin"):
            (self.folder / name).mkdir(mode=0o755)
        gpus = [self.folder / f"nvidia{number}" for number in range(2)]
        for gpu in gpus:  # slurmd wants a character device before it tells a job its GPU's number
            gpu.symlink_to("/dev/null")
        lines = "".join(f"NodeName=node1 Name=gpu File={gpu} Flags=nvidia_gpu_env\n" for gpu in gpus)
        (self.folder / "gres.conf").write_text(lines, encoding="utf-8")
        controller_port, node_port = _free_ports(2)
        config = CONFIG.format(
            host=socket.gethostname().split(".")[0],
            folder=self.folder,
            user=getpass.getuser(),
            controller_port=controller_port,
            node_port=node_port,
        )
        (self.folder / "slurm.conf").write_text(config, encoding="utf-8")
        (self.folder / "job_submit.lua").write_text(JOB_SUBMIT.format(folder=self.folder), encoding="utf-8")
        job_ended = self.folder / "job-ended"
        job_ended.write_text(JOB_ENDED.format(folder=self.folder), encoding="utf-8")
        job_ended.chmod(0o755)
        # Inside a job the plugin clears SLURM_CONF and calls srun; this cluster is not under /etc/slurm.
        srun = self.folder / "bin" / "srun"
        command = f'SLURM_CONF={self.environ["SLURM_CONF"]} exec {_find("srun")} "$@"'
        srun.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        srun.chmod(0o755)
        self._start_munge()
        self._start("slurmctld", "-D", "-c")
        self._start("slurmd", "-D", "-N", "node1")
        self.wait_for_node()

    def wait_for_node(self) -> None:
        """Wait until the node takes jobs."""
        self._wait(lambda: self.ask("sinfo", "--noheader", "--format=%T", "--partition=low") == "idle")

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        (folder / "key").write_bytes(os.urandom(128))
        (folder / "key").chmod(0o600)
        for path in (folder, folder / "key"):
            shutil.chown(path, "munge", "munge")
        files = [f"--{name}-file={folder / name}" for name in ("key", "pid", "log", "seed")]
        self._start("munged", "--foreground", f"--socket={folder / 'socket'}", *files, user="munge")
        self._wait((folder / "socket").exists)

    def _start(self, daemon: str, *arguments: str, user: str | None = None) -> None:
        command = _find(daemon)
        assert command is not None
        # A daemon must not outlive the tests, even if those are killed.
        tied = ["setpriv", "--pdeathsig", "KILL"]
        if user is not None:
            tied += ["--reuid", user, "--regid", user, "--clear-groups"]
        with (self.folder / f"{daemon}.out").open("wb") as output:
            process = subprocess.Popen(
                [*tied, command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environ,
                start_new_session=True,
            )
        self._daemons.append(process)

    def _wait(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not ready():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self._daemons):
                texts = [
                    f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in self._outputs()
                ]
                raise RuntimeError("Slurm did not start:\n" + "\n".join(texts))
            time.sleep(0.1)

    def _outputs(self) -> list[Path]:
        return sorted([*self.folder.glob("*.out"), *self.folder.glob("*.log")])

    def ask(self, *command: str) -> str:
        """Return what a Slurm command prints; empty where it fails."""
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=30
        ).stdout.strip()

    def state(self, job: str) -> str:
        """Return a job's state, such as RUNNING or TIMEOUT; a job that ended is known for an hour."""
        return self.ask("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}")

    @contextlib.contextmanager
    def limit(self, jobs: int) -> Iterator[None]:
        """Refuse, while the block runs, a job where so many that were submitted in it wait or run."""
        counts = self.folder / "limit.new"
        counts.mkdir()
        for name, text in {"jobs": f"{jobs}\n", "accepted": "", "ended": ""}.items():
            (counts / name).write_text(text, encoding="utf-8")
        counts.rename(self.folder / "limit")
        try:
            yield
        finally:
            shutil.rmtree(self.folder / "limit")

    def submissions_so_far(self) -> int:
        """Return how many jobs, or arrays of jobs, were ever submitted."""
        return len(re.findall(r"_submit_batch_job: JobId=", self._log()))

    def refusals_so_far(self) -> int:
        """Return how many submissions were refused."""
        return len(re.findall(r"_submit_batch_job: Job violates", self._log()))

    def _log(self) -> str:
        return (self.folder / "slurmctld.log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End all jobs and daemons and remove every file."""
        self.ask("scancel", "--user", getpass.getuser())
        end = time.monotonic() + 15
        while time.monotonic() < end and self.ask("squeue", "--noheader", "--format=%i"):
            time.sleep(0.2)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._end_leftovers()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_leftovers(self) -> None:
        """Kill what still runs under this cluster's configuration: steps whose slurmd is gone."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    process.pid != os.getpid()
                    and process.environ().get("SLURM_CONF") == self.environ["SLURM_CONF"]
                ):
                    process.kill()


def _free_ports(count: int) -> list[int]:
    """Return TCP ports of the loopback address that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
