"""Finding image files in folders of classes: which folders are splits and classes, and what is left out.

Names are bytes here, so that neither the locale nor a name that is not UTF-8 matters. Only names and links are looked
at; no file is opened.
"""

# ruff: noqa: PTH115, PTH118, PTH119, PTH120, PTH122 (Path does not take names in bytes)

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from scalestudy.errors import UserError

SUFFIXES = frozenset(
    (
        b".jpg", b".jpeg", b".jpe", b".jfif", b".png", b".apng", b".ppm", b".pgm", b".pbm", b".pnm", b".bmp", b".dib",
        b".gif", b".tif", b".tiff", b".webp", b".jp2", b".j2k", b".avif", b".tga", b".pcx", b".ico",
    )
)  # fmt: skip
"""What counts as an image, in either case. `pixels.FORMATS` are the formats that may stand behind the names."""

_ARCHIVES = (b".zip", b".tar", b".gz", b".tgz", b".bz2", b".xz", b".7z", b".rar")
_LEFT_BY_SYSTEMS = {
    b"__MACOSX": "left by macOS",
    b"@eaDir": "left by a Synology disk station",
    b"$RECYCLE.BIN": "left by Windows",
    b"System Volume Information": "left by Windows",
    b"lost+found": "left by the file system",
}
_ROLE = re.compile(
    r"(?:seg|data(?:set)?|my|images?)?"
    r"(?:(?P<train>train(?:ing)?|trn)|(?P<test>test(?:ing)?|tst)|(?P<val>val(?:id(?:ation)?)?|dev|eval(?:uation)?))"
    r"(?:set|data(?:set)?|images?|imgs|split|folder)?"
)

Role = Literal["train", "test", "val"]
Kind = Literal["folder", "file", "nothing", "link loop", "pipe", "socket", "device"]


@dataclass(frozen=True)
class Layout:
    """Which folders below the root hold the class folders. test: None where it is to be split off the images."""

    train: bytes
    test: bytes | None
    notes: list[str]


@dataclass
class Found:
    """The image files below one folder of classes, relative to the root, and what else lies there."""

    files: dict[bytes, list[bytes]] = field(default_factory=dict)
    loose: list[bytes] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    ignored: list[str] = field(default_factory=list)


def shown(name: bytes) -> str:
    """Return a file name as text: UTF-8, accents composed (NFC); what is not UTF-8 or moves the cursor is escaped."""
    text = unicodedata.normalize("NFC", name.decode("utf-8", "backslashreplace"))
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each
        for each in text
    )


def find_layout(root: bytes, classes_are_told: bool) -> Layout:
    """Return where the classes of the training and of the test set lie below `root`.

    Splits are known by their names (`train`, `Training`, `test_set`, `val`, ...). Raises UserError where folders
    look like splits but cannot be told apart, unless `classes_are_told`: the study says how many classes there are.
    """
    folders = folders_in(root)
    roles = {role: _with_role(root, folders, role) for role in ("train", "test", "val")}
    train, test = roles["train"], roles["test"] or roles["val"]
    if train and folders_in(os.path.join(root, train)):
        if not test:
            raise UserError(
                f"{shown(root)} has {shown(train)}/ but no test/ (or val/) beside it; to split a test set off the "
                f"images, set `folder` to {shown(os.path.join(root, train))}"
            )
        notes = [
            f"{shown(name)}/ is neither the training nor the test set: not used"
            for name in sorted(folders - {train, test})
        ]
        if (train, test) not in ((b"train", b"test"), (b"train", b"val")):
            notes.insert(0, f"{shown(train)}/ is taken for the training set, {shown(test)}/ for the test set")
        inside = [_descend(root, part, notes) for part in (train, test)]
        return Layout(inside[0], inside[1], notes)
    if train and test and len(folders) <= 3:
        raise UserError(
            f"{shown(root)}: {shown(train)}/ and {shown(test)}/ hold no class folders; put the images of each class "
            f"in a folder of its own: {shown(train)}/<class>/ and {shown(test)}/<class>/"
        )
    if not classes_are_told:
        _refuse_splits(root, folders)
    return Layout(b"", None, [])


def _with_role(root: bytes, folders: set[bytes], role: str) -> bytes | None:
    """Return the folder with this role: the one of just that name, else the one whose name says so."""
    if role.encode() in folders:
        return role.encode()
    named = sorted(name for name in folders if role_of(name) == role)
    if len(named) > 1:
        both = " and ".join(f"{shown(name)}/" for name in named)
        what = {"train": "training", "test": "test", "val": "validation"}[role]
        raise UserError(f"{shown(root)}: {both} both look like the {what} set; call the right one {role}/")
    return named[0] if named else None


def role_of(name: bytes) -> Role | None:
    """Return which split a folder's name says that it is, in any of the usual spellings; None for other names."""
    match = _ROLE.fullmatch(re.sub(r"[^a-z]", "", shown(name).lower()))
    roles: tuple[Role, ...] = ("train", "test", "val")
    return next((role for role in roles if match and match[role]), None)


def _descend(root: bytes, part: bytes, notes: list[str]) -> bytes:
    """Return the folder with the classes in a split's folder that only holds itself again, as `train/train/` does."""
    inner = folders_in(os.path.join(root, part))
    if len(inner) == 1:
        (name,) = inner
        if role_of(name) == role_of(part) and len(folders_in(os.path.join(root, part, name))) > 1:
            notes.append(f"the classes of {shown(part)}/ lie in {shown(os.path.join(part, name))}/")
            return os.path.join(part, name)
    return part


def _refuse_splits(root: bytes, folders: set[bytes]) -> None:
    """Raise UserError where a few folders hold folders of the same names: more likely splits than classes."""
    if not 2 <= len(folders) <= 4:
        return
    inner = [folders_in(os.path.join(root, name)) for name in sorted(folders)]
    common, every = set.intersection(*inner), set.union(*inner)
    if len(common) >= 2 and 2 * len(common) >= len(every):
        names = [f"{shown(name)}/" for name in sorted(folders)]
        raise UserError(
            f"{shown(root)}: {', '.join(names[:-1])} and {names[-1]} hold folders of the same names "
            f"({', '.join(shown(name) for name in sorted(common)[:5])}{', ...' if len(common) > 5 else ''}), so they "
            "look like splits and not like classes: call them train/ and test/, set `folder` to the one to use, or, "
            f"if they are the classes, say so by `num_classes: {len(folders)}`"
        )


def class_folder_advice(root: bytes, part: bytes, found: Found) -> str:
    """Return what to do about a folder with fewer than two class folders, as the end of a sentence."""
    for name in sorted(folders_in(os.path.join(root, part))):
        inner = folders_in(os.path.join(root, part, name))
        if len(inner) > 1:
            path = shown(os.path.join(root, part, name))
            holds = ", ".join(f"{shown(each)}/" for each in sorted(inner)[:3])
            return f"{path} holds {holds}: give that folder instead"
    archives = sorted(
        name for name, _ in _entries(os.path.join(root, part)) if name.lower().endswith(_ARCHIVES)
    )
    if archives and not found.files:
        return f"{shown(archives[0])} lies there: unpack it, and give the folder that comes out"
    if found.loose:
        return (
            f"images that lie in none: {len(found.loose):,}; put those of each class in a folder of its own"
        )
    return "it needs one folder of images for each of two classes or more"


def folders_in(path: bytes) -> set[bytes]:
    """Return the names of the folders in `path` that may be classes or splits: none that is hidden or a system's."""
    return {name for name, kind in _entries(path) if kind == "folder" and not ignored_because(name)}


def classes_below(root: bytes, layout: Layout) -> tuple[Found, Found]:
    """Return the image files of each class folder of the training and of the test set, in the order of their names.

    Links are followed. Raises UserError, naming all of them, for links that lead nowhere where a class should be, and
    for folders that are reached twice: their images would be in two classes, or in both sets.
    """
    walk = _Walk(root)
    train = walk.classes(layout.train)
    test = walk.classes(layout.test) if layout.test is not None else Found()
    if walk.faults:
        raise UserError("\n".join(walk.faults))
    return train, test


class _Walk:
    """One walk over all class folders of a dataset, which remembers where each folder was reached."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.faults: list[str] = []
        self._reached: dict[bytes, tuple[bytes, bytes]] = {}  # real path -> class folder, path
        self._above: set[bytes] = set()

    def classes(self, part: bytes) -> Found:
        found = Found()
        real = os.path.realpath(os.path.join(self.root, part))
        while real not in self._above:
            self._above.add(real)
            real = os.path.dirname(real)
        for name, kind in _entries(os.path.join(self.root, part)):
            path = os.path.join(part, name)
            reason = ignored_because(name)
            if reason and kind == "folder":
                found.ignored.append(f"{shown(path)}: {reason}")
            elif kind == "folder":
                found.files[name] = []
                self._collect(path, found.files[name], found)
            elif kind in ("nothing", "link loop") and not reason:
                self.faults.append(
                    f"{shown(os.path.join(self.root, path))} is a link to {self._target(path)}, which is "
                    f"{'not there' if kind == 'nothing' else 'itself a link to it'}; mend or remove it"
                )
            elif _is_image(name) and kind == "file":
                found.loose.append(path)
            else:
                self._leave_out(path, kind, found)
        return found

    def _collect(self, class_folder: bytes, files: list[bytes], found: Found) -> None:
        """Add the images in a class folder and the folders below it to `files`, depth first."""
        waiting = [self._enter(class_folder, class_folder, found)]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
                continue
            path, kind = entry
            name = os.path.basename(path)
            reason = ignored_because(name)
            if kind == "folder" and reason:
                found.ignored.append(f"{shown(path)}: {reason}")
            elif kind == "folder":
                waiting.append(self._enter(path, class_folder, found))
            elif reason:
                found.others["hidden"] += 1
            elif kind in ("nothing", "link loop") or (kind == "file" and _is_image(name)):
                files.append(path)  # a link to nothing may stand for an image or for many: it cannot be read
            else:
                self._leave_out(path, kind, found)

    def _enter(self, path: bytes, class_folder: bytes, found: Found) -> Iterator[tuple[bytes, Kind]]:
        """Return what is in a folder; nothing where it was reached before."""
        real = os.path.realpath(os.path.join(self.root, path))
        first = self._reached.setdefault(real, (class_folder, path))
        here = shown(os.path.join(self.root, path))
        if real in self._above:
            self.faults.append(
                f"{here} is a link to {shown(real)}, which holds the folders of all classes; remove it"
            )
        elif first[0] != class_folder:
            there = shown(os.path.join(self.root, first[1]))
            self.faults.append(f"{here} and {there} are one and the same folder; remove the link")
        elif first[1] != path:
            found.ignored.append(f"{shown(path)}: the same folder as {shown(first[1])}")
        else:
            return (
                (os.path.join(path, name), kind) for name, kind in _entries(os.path.join(self.root, path))
            )
        return iter(())

    def _target(self, path: bytes) -> str:
        return shown(os.readlink(os.path.join(self.root, path)))

    @staticmethod
    def _leave_out(path: bytes, kind: Kind, found: Found) -> None:
        if kind == "file":
            found.others[shown(os.path.splitext(path)[1].lower()) or "no ending"] += 1
        else:
            found.ignored.append(f"{shown(path)}: a {kind}, not a file")


def _is_image(name: bytes) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def ignored_because(name: bytes) -> str | None:
    """Return why a folder or file of this name is none of the dataset's; None where it may be."""
    return "its name starts with a dot" if name.startswith(b".") else _LEFT_BY_SYSTEMS.get(name)


def _entries(path: bytes) -> list[tuple[bytes, Kind]]:
    """Return the names in a folder, sorted, each with what it is once links are followed."""
    with os.scandir(path) as entries:
        return sorted((entry.name, _kind(entry)) for entry in entries)


def _kind(entry: "os.DirEntry[bytes]") -> Kind:
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return "nothing"
    except OSError:
        return "link loop" if entry.is_symlink() else "nothing"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"
