"""Finding the files that a config names: one, several, or a glob."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlrun.config.limits import real_path, special_file
from dlrun.data.samples import Array
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.text import counted, display_path

Paths = str | list[str]
"""A path, several, or a glob; relative ones start at the config's folder."""


def as_list(value: str | list[str]) -> list[str]:
    """One or several names or paths as a list."""
    return [value] if isinstance(value, str) else value


def find_files(paths: Paths, base: Path) -> list[Path]:
    """Return the files that `paths` names, in order; those of a glob sorted by name.

    Args:
        paths: A path, a list of paths, or globs (`data/*.csv`, `data/**/*.csv`). A folder means
            the Parquet files in it.
        base: Folder where relative paths start.

    Raises:
        DataError: A file is not there, is a folder, or a glob matches nothing.
    """
    entries = as_list(paths)
    if not entries:
        raise DataError("`path` names no file; give a path, a list of paths, or a glob")
    files = [file for entry in entries for file in _matches(entry, base)]
    seen: set[Path] = set()
    for file in files:
        if file in seen:
            raise DataError(f"{file}: named twice by `path`, so its rows would count twice")
        seen.add(file)
    return files


def refuse_shared(
    files: Sequence[Path],
    test_files: Sequence[Path],
    named: str = "`path`",
    why: str = "rows that are scored must not be trained on",
) -> None:
    """Raise an error where a test file is one of the other files too.

    Args:
        files: The other files: by default those of the training rows.
        test_files: Files of rows that are kept apart.
        named: The option that names the other files.
        why: The rule that a shared file breaks.

    Raises:
        DataError: There is one.
    """
    others = {file.resolve() for file in files}
    for file in test_files:
        if file.resolve() in others:
            raise DataError(f"{file}: also named by {named}; {why}")


def _matches(entry: str, base: Path) -> list[Path]:
    path = _at(entry, base)
    if (special := special_file(path)) is not None:
        raise DataError(f"{path}: {special}; expected a regular file")
    if path.is_file():
        return [path]
    if path.is_dir():
        if parts := sorted(p for p in path.iterdir() if p.suffix.lower() in (".parquet", ".pq")):
            return parts
        raise DataError(f"{path}: a folder; name the files in it, or a glob such as {path}/*.csv")
    pattern = os.path.expanduser(entry)
    if glob.has_magic(path.name) or (glob.has_magic(pattern) and not path.parent.is_dir()):
        found = sorted(
            _at(match, base) for match in glob.glob(pattern, root_dir=base, recursive=True)
        )
        if files := [match for match in found if match.is_file()]:
            return files
        raise DataError(f"{path}: no file matches")
    raise DataError(f"{path}: no such file{neighbour(path)}")


def _at(entry: str, base: Path) -> Path:
    return Path(display_path(base / os.path.expanduser(entry)))


def neighbour(path: Path, *, folders: bool = False) -> str:
    """Return the hint for a path that does not exist: the file, or folder, of a similar name."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    others = (o.name for o in path.parent.iterdir() if o.is_dir() or not folders)
    return did_you_mean(path.name, others)


def refuse_missing(file: Path) -> None:
    """Refuse a file of new rows that is not there.

    Raises:
        DataError: It is a folder, or there is no such file; suggests a similar name.
    """
    if file.is_dir():
        raise DataError(f"{file}: a folder; one file is expected, with a row for each prediction")
    if (special := special_file(file)) is not None:
        raise DataError(f"{file}: {special}; expected a regular file")
    if not file.is_file():
        raise DataError(f"{file}: no such file{neighbour(file)}")


FolderPart = Literal["train", "validation", "test"]

_MOST_SHOWN = 5

_NOT_DATA = {"thumbs.db", "desktop.ini", "__macosx"}
"""What systems put beside the files, besides names that begin with a dot; lower case."""


@dataclass(frozen=True)
class ClassFolders:
    """The files of one part.

    Args:
        folder: What holds the classes' folders.
        classes: Names of the classes, sorted.
        files: n files: by class, then by name.
        labels: (n,) int64, each file's index in `classes`.
        findings: What was left out, one sentence each.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: Array
    findings: tuple[str, ...] = ()

    def names(self) -> Array:
        """(n,) objects, each file's class by name."""
        return np.asarray(self.classes, dtype=object)[self.labels]


def root_folder(path: str, base: Path) -> Path:
    """Return the folder that a config names; it need not be there."""
    return Path(display_path(base / os.path.expanduser(path)))


def has_part(root: Path, part: FolderPart) -> bool:
    """Whether a folder has a subfolder for this part, such as `test`."""
    return (root / part).is_dir() and (part == "train" or (root / "train").is_dir())


def part_folder(root: Path, part: FolderPart) -> Path:
    """Return the folder that holds the classes of a part: `train`, `validation` or `test` where
    there is a folder `train`, else the folder itself.

    Raises:
        DataError: The folder, or the part in it, is not there.
    """
    if not root.is_dir():
        kind = "a file" if root.is_file() else "no such folder"
        beside = neighbour(root, folders=True) if not root.exists() else ""
        raise DataError(f"{root}: {kind}; expected a folder with one folder a class{beside}")
    if not has_part(root, "train"):
        return root
    if not has_part(root, part):
        raise DataError(f"{root}: has no folder '{part}' beside 'train'")
    return root / part


def read_class_folders(
    folder: Path,
    endings: Collection[str],
    *,
    what: str,
    classes: Sequence[str] | None = None,
    ignored: Collection[str] = (),
) -> ClassFolders:
    """Find the files of every class, those in folders below a class's own included.

    Args:
        folder: What holds a folder a class.
        endings: Endings of the files that count, in lower case, such as `.txt`.
        what: What one file is, such as `text`.
        classes: The allowed classes, those of the training files; None: any.
        ignored: Folders that are not classes, such as `unsup`.

    Raises:
        DataError: There is no class, a class has no file, or is not one of `classes`.
    """
    folders = [f for f in _entries(folder) if f.is_dir() and f.name not in ignored]
    findings = [
        f"the folder '{name}' is not a class and was left out"
        for name in sorted(ignored)
        if (folder / name).is_dir()
    ]
    if not folders:
        raise DataError(f"{folder}: expected one folder a class in it, found none")
    names = tuple(f.name for f in folders) if classes is None else tuple(classes)
    files: list[Path] = []
    labels: list[int] = []
    strange: list[Path] = []
    for one in folders:
        if one.name not in names:
            raise DataError(
                f"{one}: there is no class '{one.name}' among the training files"
                f"{did_you_mean(one.name, names)}"
            )
        found = _files_below(one)
        own = [file for file in found if file.suffix.lower() in endings]
        strange += [file for file in found if file.suffix.lower() not in endings]
        if not own:
            raise DataError(
                f"{one}: no {what} in the folder of this class; expected files that end in "
                f"{' or '.join(sorted(endings))}"
            )
        files += own
        labels += [names.index(one.name)] * len(own)
    if classes is None and len(folders) == 1:
        raise DataError(
            f"{folder}: the only class is '{folders[0].name}'; two are needed to tell apart"
        )
    if strange:
        count = counted(len(strange), "file")
        findings.append(f"{count} of other endings left out, such as {strange[0]}")
    return ClassFolders(folder, names, tuple(files), np.asarray(labels, np.int64), tuple(findings))


def files_in(folder: Path, endings: Collection[str]) -> list[Path]:
    """Return the files of these endings in and below a folder, sorted, hidden ones left out."""
    return [file for file in _files_below(folder) if file.suffix.lower() in endings]


def _files_below(folder: Path) -> list[Path]:
    """Files in and below a folder, without pipes and devices. Links to folders are left alone: they
    may lead in a circle."""
    found: list[Path] = []
    for entry in _entries(folder):
        if entry.is_file() or not entry.exists():
            found.append(entry)
        elif entry.is_dir() and not entry.is_symlink():
            found += _files_below(entry)
    return found


def refuse_links_out(files: Sequence[Path], folders: Sequence[Path], advice: str) -> None:
    """Refuse files that links, or paths with `..`, lead to, out of some folders.

    Raises:
        DataError: There is one.
    """
    roots = [folder.resolve() for folder in folders]
    inside: dict[Path, bool] = {}

    def is_inside(path: Path) -> bool:
        resolved = real_path(path)
        return any(resolved.is_relative_to(root) for root in roots)

    for file in files:
        if file.parent not in inside:
            inside[file.parent] = is_inside(file.parent)
        if (file.is_symlink() or not inside[file.parent]) and not is_inside(file):
            named = Path(os.path.abspath(file))
            below = any(named.is_relative_to(os.path.abspath(folder)) for folder in folders)
            raise DataError(
                f"{file}: {'symbolic link' if below else 'path'} to {real_path(file)}, outside "
                f"{folders[0]}",
                advice=advice,
            )


def _entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted by name."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error}") from error
    return [
        folder / name
        for name in names
        if not name.startswith(".") and name.lower() not in _NOT_DATA
    ]


@dataclass(frozen=True)
class BrokenFile:
    """A file that cannot be read.

    Args:
        position: Which of the files.
        text: The file and what is wrong with it.
    """

    position: int
    text: str


def skip_broken(
    broken: Sequence[BrokenFile], count: int, what: str, *, skip: bool, advice: str
) -> tuple[Array, list[str]]:
    """Return the positions of the other files, (k,) int64, and the finding about the broken ones.

    Args:
        broken: The files that cannot be read.
        count: How many files there are.
        what: What one file is, such as `text`.
        skip: Whether broken files are left out rather than refused.
        advice: What to do about them, a sentence without a full stop.

    Raises:
        DataError: A file is broken and not to be left out, or none would be left.
    """
    kept = np.setdiff1d(np.arange(count), [file.position for file in broken])
    if not broken:
        return kept, []
    shown = "; ".join(file.text for file in broken[:_MOST_SHOWN])
    more = f"; and {len(broken) - _MOST_SHOWN:,} more" if len(broken) > _MOST_SHOWN else ""
    text = f"{len(broken):,} of {counted(count, what)} cannot be read: {shown}{more}"
    if not skip:
        raise DataError(f"{text}. {advice}")
    if not len(kept):
        raise DataError(text)
    return kept, [f"{text}. They are left out"]
