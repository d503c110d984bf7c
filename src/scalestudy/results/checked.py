"""The states of a study's runs, fast: what was found whole is looked at again only where its files have changed.

Reading and checking 10,000 runs takes half a minute, looking at the sizes and times of their files a second. So the
runs that were found whole are noted in `results/<study>/checked.json`; a note counts while size, time of modification
and time of change of every file of the run are those of the note. The notes can be deleted at any time.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scalestudy.files import Stamp, read_json, stamp, write_json
from scalestudy.results.read import DONE, MadeFrom, RunResult, planned_runs, read_run
from scalestudy.results.record import RECORD
from scalestudy.study.names import short_hash
from scalestudy.study.paths import RUN_FILES, run_folder, study_folder


def run_states(study: str, planned: Sequence[Mapping[str, Any]], root: Path = Path()) -> list[RunResult]:
    """Return the state of each planned run of a study.json; `metrics` and `record` only of those looked at anew."""
    checked = Checked(root / study_folder(study) / "checked.json")
    found = []
    for each, now in zip(planned, planned_runs(planned, root), strict=True):
        folder = root / run_folder(study, each["run"])
        found.append(checked.known(folder, now) or checked.look(folder, now))
    checked.save()
    return found


class Checked:
    """Which runs were found whole, what they were made from, and how their files looked then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changed = False
        try:
            content = read_json(path)
        except (OSError, ValueError):
            content = {}
        self.notes: dict[str, Any] = content if isinstance(content, dict) else {}

    def known(self, folder: Path, now: MadeFrom) -> RunResult | None:
        """Return the state of a run that is as it was when it was found whole, and made from what is there now."""
        try:
            note = self.notes[folder.name]
            made = note["made"]
            asked = _made(now)
            same = all(mine in (None, old) for mine, old in zip(asked, made, strict=True))
            if not same or note["state"] not in DONE or RECORD not in note["files"]:
                return None
            if any(stamp(folder / name) != seen for name, seen in note["files"].items()):
                return None
            return RunResult(folder.name, note["state"], sha256=str(note["sha256"]))
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            return None

    def look(self, folder: Path, now: MadeFrom) -> RunResult:
        """Read a run, all its checksums included, and note it where it is whole."""
        names: list[str] = []
        stamps: dict[str, Stamp] = {}
        with suppress(OSError):  # before it is read: a change while it is read shows the next time
            names = [*RUN_FILES, *(["weights.pth"] if (folder / "weights.pth").exists() else [])]
            stamps = {name: stamp(folder / name) for name in names}
        result = read_run(folder, now)
        if result.done and result.record is not None and stamps.keys() >= {*result.record.files, RECORD}:
            made = _made(MadeFrom.of_record(result.record))
            self.notes[folder.name] = {
                "state": result.state,
                "sha256": result.sha256,
                "made": made,
                "files": stamps,
            }
            self.changed = True
        elif self.notes.pop(folder.name, None) is not None:
            self.changed = True
        return result

    def look_the_same(self, folder: Path) -> None:
        """Take over a new time of change of a noted run whose files are the same: hard links to them were removed."""
        with suppress(OSError, KeyError, TypeError):
            files = self.notes[folder.name]["files"]
            seen = {name: stamp(folder / name) for name in files}
            if any(files[name] != now for name, now in seen.items()) and all(
                files[name][:2] == now[:2] for name, now in seen.items()
            ):
                files.update(seen)
                self.changed = True

    def save(self) -> None:
        """Keep the notes, if that is possible: they only save time."""
        if self.changed and self.path.parent.is_dir():
            with suppress(OSError):
                write_json(self.path, self.notes)


def _made(made: MadeFrom) -> list[str | None]:
    settings = short_hash(made.settings.model_dump(mode="json"))
    return [settings, made.dataset_sha256, made.weights_sha256, made.normalization]
