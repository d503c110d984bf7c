"""What was made from a study's runs, and from what exactly: tables, findings, figures and pages with their checksums.

Times say what is newer, not what is right: a clock may jump, a copied project has new times, a table may be edited. So
whoever writes a file that follows from others notes its SHA-256, and a digest of what it was made from, in
`results/<study>/made.json`. A file whose note does not fit what is there now is made again: a matter of seconds.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ValidationError

from scalestudy.files import read_json, sha256_file, write_json
from scalestudy.results.read import RunResult

TABLES = ("results.csv", "curves.csv")


class Note(BaseModel):
    """The SHA-256 of a file, and a digest of all that it was made from."""

    sha256: str
    source: str


@dataclass(frozen=True)
class Made:
    """The notes of a study, by the path of the file from the project's root."""

    folder: Path
    notes: dict[str, Note]

    @classmethod
    def of(cls, study_dir: Path) -> "Made":
        """Return the notes of the study in `study_dir`; none where there are none, or they cannot be read."""
        try:
            content = read_json(study_dir / "made.json")
            return cls(study_dir, {path: Note.model_validate(note) for path, note in content.items()})
        except (OSError, ValueError, AttributeError, ValidationError):
            return cls(study_dir, {})

    def altered(self, path: Path) -> bool:
        """Return whether a file that is there is another than was written last."""
        note = self.notes.get(self._name(path))
        return note is not None and path.is_file() and sha256_file(path) != note.sha256

    def follows(self, path: Path, source: str) -> bool:
        """Return whether a file is as it was written, and was made from just this `source`."""
        return self.wrote(path) and self.notes[self._name(path)].source == source

    def wrote(self, path: Path) -> bool:
        """Return whether a file is there as it was written here: only such a file may be removed."""
        note = self.notes.get(self._name(path))
        return note is not None and path.is_file() and sha256_file(path) == note.sha256

    def below(self, folder: Path) -> list[Path]:
        """Return the files noted in a folder and those below it, whether they are there or not."""
        start = f"{self._name(folder)}/"
        return [folder / name.removeprefix(start) for name in self.notes if name.startswith(start)]

    def add(self, paths: Iterable[Path], source: str) -> None:
        """Note files that have just been written; a file that is gone is noted no longer."""
        for path in paths:
            self.notes[self._name(path)] = Note(sha256=sha256_file(path), source=source)
        kept = {
            name: note.model_dump() for name, note in sorted(self.notes.items()) if self._path(name).is_file()
        }
        write_json(self.folder / "made.json", kept)

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.folder / ".." / "..")).as_posix()

    def _path(self, name: str) -> Path:
        return Path(os.path.normpath(self.folder / ".." / ".." / name))  # `results` may be a link


def digest_of_files(*paths: Path) -> str:
    """Return a digest of the contents of files; one that is not there counts as such."""
    parts = [sha256_file(path) if path.is_file() else "absent" for path in paths]
    return sha256("\n".join(parts).encode()).hexdigest()


def digest_of_runs(results: Sequence[RunResult]) -> str:
    """Return a digest of the runs' states, and of what they left where they are done."""
    lines = [f"{each.run} {each.state} {each.sha256 if each.done else ''}" for each in results]
    return sha256("\n".join(lines).encode()).hexdigest()


def source_of_findings(study_dir: Path) -> str:
    """Return the digest of what findings.json is made from."""
    return digest_of_files(*(study_dir / name for name in ("study.json", *TABLES)))


def source_of_pages(study_dir: Path) -> str:
    """Return the digest of what figures and pages are made from."""
    return digest_of_files(study_dir / "study.json", study_dir / "findings.json")


def note_figures(study_dir: Path, drawn: Iterable[Path]) -> None:
    """Note figures that have just been drawn from the findings in `study_dir`."""
    Made.of(study_dir).add(drawn, source_of_pages(study_dir))
