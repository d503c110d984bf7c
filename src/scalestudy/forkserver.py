"""Training jobs forked from a process that has torch loaded: a start in hundredths of a second, not in three seconds.

Snakemake starts a process for each job. Of a short run, most of that process's time goes into loading torch. So the
first Snakemake of a study starts one more process, the fork server, and says where it listens in the environment. A
`scalestudy train` or `pretrain` that finds it there hands over its command line, folder, environment and open files;
the server forks, and the fork is the job. The process that Snakemake started stays: it passes signals on, and ends
with the job's exit code. A job dies with it, the server with Snakemake.

Where there is no server (a job typed by hand, on another node, on a system that is not Linux), or it does not answer,
the job runs as it always did. The numbers are the same.
"""

import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from select import select
from socketserver import BaseRequestHandler, ForkingMixIn, UnixStreamServer
from types import FrameType

ADDRESS = "SCALESTUDY_FORK_SERVER"
JOBS = ("train", "pretrain")
_INSTALLATION = f"{sys.prefix}:{Path(__file__).parent}"
_LENGTH = struct.Struct("!Q")
_PID = struct.Struct("!i")
# What a person or a scheduler may send to a process that it knows; SIGTSTP is Ctrl-Z.
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP)


class Started:
    """The fork server of this process. Where the process ends, however it does, the server ends too."""

    def __init__(self, threads: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="scalestudy-"))
        # What Snakemake tells a job's process of its threads must be known before numpy and torch are loaded; and how
        # to read names before Python starts, as the command sees to for itself.
        known = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
        known["PYTHONUTF8"] = "1"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scalestudy.forkserver", str(self.folder)],
            stdin=subprocess.PIPE,  # whose end tells the server that we are gone
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **known},
            start_new_session=True,  # Ctrl-C is for the jobs, and reaches them by the processes that wait for them
        )

    @property
    def address(self) -> str:
        """What jobs find in their environment: the installation that the server has loaded, and where it listens."""
        return f"{_INSTALLATION}:{self.folder / 'socket'}"


def start(threads: int) -> Started | None:
    """Start a fork server for jobs of `threads` threads and tell the environment; None where none can be.

    For Linux: elsewhere it is not safe to fork a process that has loaded so much.
    """
    try:
        server = Started(threads)
    except OSError:
        return None
    os.environ[ADDRESS] = server.address
    return server


def hand_over(arguments: Sequence[str]) -> int | None:
    """Let the fork server run the command `scalestudy` with `arguments`, wait, and return its exit code.

    Return None where it is not a job for the server, or there is none: then nothing has happened.
    """
    installation, _, path = os.environ.get(ADDRESS, "").rpartition(":")
    if installation != _INSTALLATION or not arguments or arguments[0] not in JOBS:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        try:
            server.connect(path)
            told = json.dumps([list(arguments), str(Path.cwd()), dict(os.environ)]).encode()
            socket.send_fds(server, [_LENGTH.pack(len(told))], [0, 1, 2])
            server.sendall(told)
            answer = server.recv(_PID.size)
        except OSError:
            return None
        if len(answer) != _PID.size:
            return None
        _stand_for(_PID.unpack(answer)[0])
        code = server.recv(1)
    if not code:
        print("error: the training process ended without a word (killed?)", file=sys.stderr)
        return 128 + signal.SIGKILL
    return code[0]


def _stand_for(job: int) -> None:
    """Pass signals on to the process `job`; stop and go on with it."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGTSTP:
                os.kill(job, signal.SIGSTOP)
                os.kill(os.getpid(), signal.SIGSTOP)
                number = signal.SIGCONT
            os.kill(job, number)

    for number in _PASSED_ON:  # those, too, that a shell in the background has us ignore: the job decides
        signal.signal(number, pass_on)


class _Server(ForkingMixIn, UnixStreamServer):
    """Forks a process for each job that connects, until Snakemake, which holds our standard input, is gone."""

    max_children = sys.maxsize
    block_on_close = False

    def service_actions(self) -> None:
        """Called twice a second."""
        super().service_actions()
        if select([sys.stdin], [], [], 0)[0]:
            sys.exit()


class _Job(BaseRequestHandler):
    """What the forked process does: it becomes the job, and never returns."""

    def handle(self) -> None:
        try:
            code = self._run()
        except BaseException:
            traceback.print_exc()
            code = 1
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            self.request.sendall(bytes([code]))
        os._exit(code)

    def _run(self) -> int:
        """Take over the files, folder, environment and command line of the process that asked, and run it."""
        header, files, _, _ = socket.recv_fds(self.request, _LENGTH.size, 3)
        with self.request.makefile("rb") as stream:
            arguments, folder, environment = json.loads(stream.read(_LENGTH.unpack(header)[0]))
        os.setpgid(0, 0)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        # The server's own streams know of /dev/null what does not hold for a pipe or a terminal.
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1 if os.isatty(1) else -1, closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        del os.environ[ADDRESS]
        sys.argv = ["scalestudy", *arguments]
        self.request.sendall(_PID.pack(os.getpid()))
        threading.Thread(target=self._die_with_who_asked, daemon=True).start()

        from scalestudy.cli import main

        try:
            main()
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return 0

    def _die_with_who_asked(self) -> None:
        self.request.recv(1)  # returns where the other side is closed: it never sends anything more
        os.kill(os.getpid(), signal.SIGKILL)


def serve(folder: Path) -> None:
    """Load what a training job needs, and fork one for each that asks at `folder`/socket."""
    try:
        with _Server(str(folder / "socket"), _Job) as server:  # who asks from now on waits
            import scalestudy.cli
            import scalestudy.training.job  # noqa: F401

            gc.collect()
            gc.freeze()  # what is loaded is shared, and not looked through in each job
            server.serve_forever()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
