"""Fetching a published file: bounded in time, checked by its checksum, never half there."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from scalestudy import __version__
from scalestudy.data.progress import progress, say
from scalestudy.errors import UserError
from scalestudy.files import atomic_path

SILENCE_SECONDS = 20.0
"""How long a host may take to answer, or pause in the middle."""


@dataclass(frozen=True)
class Checksum:
    """What a file's checksum must be: all its hex digits, or the first ones where no more are published."""

    algorithm: Literal["md5", "sha256"]
    digits: str

    def __str__(self) -> str:
        name = {"md5": "MD5", "sha256": "SHA-256"}[self.algorithm]
        return f"{name} {self.digits}{'...' if len(self.digits) < 2 * self.start().digest_size else ''}"

    def fits(self, found: str) -> bool:
        """Return whether `found`, hex digits, is this checksum."""
        return found.startswith(self.digits)

    def of(self, path: Path) -> str:
        """Return the hex digits of the file that is at `path`."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.start).hexdigest()

    def start(self) -> "hashlib._Hash":
        """Return a new digest, to be fed block by block."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


@dataclass(frozen=True)
class Download:
    """A file that is to be at `path` with a `checksum`; `url` has it where it is not.

    `timeout`: longest time for fetching it, in seconds. `advice` says what a person can do when the host
    fails: it ends every such message.
    """

    url: str
    checksum: Checksum
    path: Path
    timeout: float
    advice: str

    def ensure(self) -> str:
        """Return the checksum, in full, of the right file at its path; one process fetches it, others wait.

        A file that is there with the right checksum needs no network. One with another checksum gives way to
        a fresh fetch, and stays as `<name>.rejected`. Raises UserError, with nothing changed, where that
        cannot be had.
        """
        if found := self._right():  # before the lock: the folder may be read-only
            return found
        if self.path.is_dir():
            raise UserError(f"{self.path} is a folder where a file belongs; rename or remove that folder")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=self.timeout + 60):
                return self._right() or self._replace()
        except Timeout:
            raise UserError(
                f"another process has been fetching {self.path} for more than {self.timeout:g} s; "
                "wait for that process, or stop it, and start again"
            ) from None
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written: {error.strerror or error}. {self.advice}"
            ) from None

    def _right(self) -> str | None:
        """Return the checksum of the file that is there, in full, where it is the right one."""
        found = self.checksum.of(self.path) if self.path.is_file() else None
        return found if found is not None and self.checksum.fits(found) else None

    def _replace(self) -> str:
        wrong = ""
        if self.path.exists():
            found = self.checksum.of(self.path)
            wrong = f"{self.path} is not the published file (expected {self.checksum}, found {found}). "
            say(f"{wrong}Fetching a fresh one")
        try:
            with atomic_path(self.path) as temporary:
                found = self._fetch(temporary)
                if not self.checksum.fits(found):
                    raise _FetchError(f"what came has the checksum {found}")
                if wrong:
                    self.path.replace(self.path.with_name(f"{self.path.name}.rejected"))
        except _FetchError as error:
            raise UserError(
                f"{wrong}{self.path.name} could not be fetched from {self.url}: {error}. "
                f"Expected {self.checksum}, target folder {self.path.parent}. {self.advice}"
            ) from None
        return found

    def _fetch(self, target: Path) -> str:
        """Write what the URL gives to `target`; return its checksum in full. Raises _FetchError."""
        say(f"fetching {self.url} to {self.path}")
        deadline = time.monotonic() + self.timeout
        silence = min(SILENCE_SECONDS, self.timeout)
        request = urllib.request.Request(self.url, headers={"User-Agent": f"scalestudy/{__version__}"})
        digest = self.checksum.start()
        try:
            with (
                urllib.request.urlopen(request, timeout=silence) as response,
                target.open("wb") as file,
                progress(self.path.name, length := _promised(response), size=True) as advance,
            ):
                promised, came = length, 0
                # read1 returns what one receive brought; read would wait for a full block from a slow host.
                while block := response.read1(1 << 18):
                    if time.monotonic() > deadline:
                        raise _FetchError(f"not done in {self.timeout:g} s")
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


def _promised(response: Any) -> int | None:
    """Return how many bytes the host says will come (of a file:// URL: its size); None where it says nothing."""
    length = response.headers.get("Content-Length")
    return int(length) if length is not None and length.isdigit() else None


class _FetchError(Exception):
    """Why a file did not come."""
