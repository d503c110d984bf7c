"""Fetching a published archive: bounded in time, checked by its MD5, never half there."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from scalestudy import __version__
from scalestudy.data.progress import progress, say
from scalestudy.errors import UserError
from scalestudy.files import atomic_path

_SILENCE_SECONDS = 20.0
"""How long a host may take to answer, or pause in the middle."""


@dataclass(frozen=True)
class Download:
    """An archive that is to be at `path` with the MD5 `md5` (hex); `url` has it where it is not.

    `advice` says what a person can set when the host fails: it ends every such message.
    """

    url: str
    md5: str
    path: Path
    timeout: float
    advice: str

    def ensure(self) -> None:
        """Return once the right archive is at its path; one process fetches it while others wait.

        A file that is there with the right MD5 needs no network. One with another MD5 gives way to a fresh
        fetch, and stays as `<name>.rejected`. Raises UserError, with nothing changed, where that cannot be
        had.
        """
        if self._is_right():  # before the lock: the folder may be read-only
            return
        if self.path.is_dir():
            raise UserError(f"{self.path} is a folder; the archive should be a file of that name")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=self.timeout + 60):
                if not self._is_right():
                    self._replace()
        except Timeout:
            raise UserError(
                f"another process has been fetching {self.path} for more than {self.timeout:g} s"
            ) from None
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error}. {self.advice}") from None

    def _is_right(self) -> bool:
        return self.path.is_file() and md5_file(self.path) == self.md5

    def _replace(self) -> None:
        wrong = ""
        if self.path.exists():
            found = md5_file(self.path)
            wrong = f"{self.path} is not the published archive (expected MD5 {self.md5}, found {found}). "
            say(f"{wrong}Fetching a fresh one")
        try:
            with atomic_path(self.path) as temporary:
                found = self._fetch(temporary)
                if found != self.md5:
                    raise _FetchError(f"what came has the MD5 {found}")
                if wrong:
                    self.path.replace(self.path.with_name(f"{self.path.name}.rejected"))
        except _FetchError as error:
            raise UserError(
                f"{wrong}{self.path.name} could not be fetched from {self.url}: {error}. "
                f"Expected MD5 {self.md5}, target folder {self.path.parent}. {self.advice}"
            ) from None

    def _fetch(self, target: Path) -> str:
        """Write what the URL gives to `target`; return its MD5. Raises _FetchError."""
        say(f"fetching {self.url} to {self.path}")
        deadline = time.monotonic() + self.timeout
        silence = min(_SILENCE_SECONDS, self.timeout)
        request = urllib.request.Request(self.url, headers={"User-Agent": f"scalestudy/{__version__}"})
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with (
                urllib.request.urlopen(request, timeout=silence) as response,
                target.open("wb") as file,
                progress(self.path.name, response.length, size=True) as advance,
            ):
                promised, came = response.length, 0
                # read1 returns what one receive brought; read would wait for a full block from a slow host.
                while block := response.read1(1 << 18):
                    if time.monotonic() > deadline:
                        raise _FetchError(f"not done in {self.timeout:g} s (download_timeout)")
                    file.write(block)
                    digest.update(block)
                    came += len(block)
                    advance(len(block))
                if promised is not None and came < promised:
                    raise _FetchError(f"cut after {came:,} of {promised:,} bytes")
        except urllib.error.HTTPError as error:
            raise _FetchError(f"HTTP {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            raise _FetchError(str(error.reason)) from None
        except TimeoutError:
            raise _FetchError(f"no answer for {silence:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise _FetchError(str(error) or type(error).__name__) from None
        return digest.hexdigest()


class _FetchError(Exception):
    """Why an archive did not come."""


def md5_file(path: Path) -> str:
    """Return the MD5 of a file's bytes as 32 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
