"""Training jobs forked from a process that has torch loaded: a start in tenths of a second, not in three seconds.

Snakemake starts a process for each job. Of a short run, most of that process's time goes into loading torch. So a
Snakemake that has several runs to train on its own machine starts one more process, the fork server, and names its
socket in the variable SCALESTUDY_FORK_SERVER. A `scalestudy train` or `pretrain` that finds the variable hands its
command line, folder, environment and open files over; the server forks, and the fork is the job. The process that
Snakemake started waits: it passes signals on, and ends with the job's exit code. If it is killed, its job dies as
well. The server ends when Snakemake does; jobs that outlive a killed Snakemake go on, as they always did.

Where there is no server (a job typed by hand, on another node, on a system that is not Linux), or it does not answer,
the job loads torch for itself. The numbers are the same.
"""

import atexit
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
from typing import Any

ADDRESS = "SCALESTUDY_FORK_SERVER"
JOBS = ("train", "pretrain")
_INSTALLATION = f"{sys.prefix}:{Path(__file__).parent}"
_LENGTH = struct.Struct("!Q")
_PID = struct.Struct("!i")
_AT_START = frozenset(os.environ)  # of the server: what comes later, what it has loaded has set
# What a person or a scheduler may send to a process that it knows; SIGTSTP is Ctrl-Z.
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP)


class Started:
    """The fork server of this process. Where the process ends, however it does, the server ends too.

    Raises OSError where there can be none: the folder for temporary files has a name too long for a socket in it.
    """

    def __init__(self, threads: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="scalestudy-"))
        # What Snakemake tells a job's process of its threads must be known before numpy and torch are loaded; and how
        # to read names before Python starts, as the command sees to for itself.
        known = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
        known["PYTHONUTF8"] = "1"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            try:
                listening.bind(str(self.folder / "socket"))
            except OSError:
                self.folder.rmdir()
                raise
            listening.listen(128)  # who asks before the server is ready waits for it
            self.process = subprocess.Popen(
                # -P: the folder where Snakemake runs is no place to import from.
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "scalestudy.forkserver",
                    str(self.folder),
                    str(listening.fileno()),
                ],
                stdin=subprocess.PIPE,  # whose end tells the server that we are gone
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **known},
                pass_fds=[listening.fileno()],
                start_new_session=True,  # Ctrl-C reaches the jobs by the processes that wait for them, and only once
            )

    @property
    def address(self) -> str:
        """What the variable says: the installation that the server has loaded, and its socket."""
        return f"{_INSTALLATION}:{self.folder / 'socket'}"

    def close(self) -> None:
        """End the server and wait for it, so that what its jobs have used counts as used by this process's children."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)  # where it had not come so far as to do that itself


def start(threads: int) -> Started | None:
    """Start a fork server for jobs of `threads` threads and set the variable; None where there can be none.

    For Linux: elsewhere it is not safe to fork a process that has loaded so much.
    """
    try:
        server = Started(threads)
    except OSError:
        return None
    os.environ[ADDRESS] = server.address
    atexit.register(server.close)
    return server


def hand_over(arguments: Sequence[str]) -> int | None:
    """Let the fork server run the command `scalestudy` with `arguments`, wait, and return its exit code.

    Return None where that is no training job, or no server answers: then this process has to run it.
    """
    installation, _, path = os.environ.get(ADDRESS, "").rpartition(":")
    if installation != _INSTALLATION or not arguments or arguments[0] not in JOBS:
        return None
    try:
        for stream in (0, 1, 2):
            os.fstat(stream)  # one that is closed would give its number to the socket
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(path)
        told = json.dumps(_as_utf8([list(arguments), str(Path.cwd()), dict(os.environ)])).encode()
        socket.send_fds(server, [_LENGTH.pack(len(told))], [0, 1, 2])
        server.sendall(told)
        answer = server.recv(_PID.size)
    except OSError:
        return None
    if len(answer) != _PID.size:
        return None
    passed_on = _stand_for(*_PID.unpack(answer))
    if code := server.recv(1):
        return code[0]
    if passed_on:  # a second signal, or one before the job could say so itself
        return 128 + passed_on[-1]
    print("error: the training process ended without a word (killed?)", file=sys.stderr)
    return 128 + signal.SIGKILL


def _as_utf8(told: Any) -> Any:
    """Return texts as the server reads their bytes: as UTF-8, whatever this process takes them for."""
    if isinstance(told, str):
        return os.fsencode(told).decode("utf-8", "surrogateescape")
    if isinstance(told, list):
        return [_as_utf8(each) for each in told]
    return {_as_utf8(key): _as_utf8(value) for key, value in told.items()}


def _stand_for(job: int) -> list[int]:
    """Pass signals on to the process `job`, stop and go on with it; return the list to which those passed on come."""
    passed_on: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGTSTP:
                os.kill(job, signal.SIGSTOP)
                os.kill(os.getpid(), signal.SIGSTOP)
                os.kill(job, signal.SIGCONT)
            else:
                os.kill(job, number)
                passed_on.append(number)

    for number in _PASSED_ON:  # those, too, that a shell in the background has us ignore: the job decides
        signal.signal(number, pass_on)
    return passed_on


def use_environment(asked: dict[str, str]) -> None:
    """Take the environment of the process that asked, with what the libraries that are loaded have set in ours."""
    loaded = {key: value for key, value in os.environ.items() if key not in _AT_START}
    os.environ.clear()
    os.environ.update({**loaded, **asked})
    os.environ.pop(ADDRESS, None)


class _Server(ForkingMixIn, UnixStreamServer):
    """Forks a process for each job that connects, until Snakemake, which holds our standard input, is gone."""

    max_children = sys.maxsize
    block_on_close = False

    def service_actions(self) -> None:
        """Look, twice a second and after each job that came, whether there is an end of our standard input."""
        super().service_actions()
        if select([sys.stdin], [], [], 0)[0]:
            sys.exit()


class _Job(BaseRequestHandler):
    """What the forked process does: it becomes the job, and never returns."""

    def handle(self) -> None:
        code = 1
        try:
            code = self._run()
        except BaseException:
            with contextlib.suppress(OSError):
                traceback.print_exc()
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            self.request.sendall(bytes([code & 255]))
        os._exit(code)

    def _run(self) -> int:
        """Take over the files, folder, environment and command line of the process that asked, and run it."""
        assert isinstance(self.server, _Server)
        self.server.socket.close()  # who comes when the server is gone must find nobody
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        header, files, _, _ = socket.recv_fds(self.request, _LENGTH.size, 3)
        with self.request.makefile("rb") as stream:
            arguments, folder, environment = json.loads(stream.read(*_LENGTH.unpack(header)))
        os.chdir(folder)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        # The server's own streams are buffered as /dev/null is.
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1 if os.isatty(1) else -1, closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)
        use_environment(environment)
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


def serve(folder: Path, listening: int) -> None:
    """Load what a training job needs, and fork one for each that asks at the socket `listening`, in `folder`."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    try:
        with _Server(str(folder / "socket"), _Job, bind_and_activate=False) as server:
            server.socket.close()
            server.socket = socket.socket(fileno=listening)
            import scalestudy.cli  # noqa: F401
            from scalestudy.training.job import git_commit, versions

            # What is loaded now is what runs, whatever is installed or committed in the hours to come.
            versions()
            git_commit()
            gc.collect()
            gc.freeze()  # what is loaded is shared, and not looked through in each job
            server.serve_forever()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
