"""Files in one folder a class, or in such folders below `train`, `validation` and `test`.

Legend: n files.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.text import display_path

Array = np.ndarray
FolderPart = Literal["train", "validation", "test"]
PARTS: tuple[FolderPart, ...] = ("train", "validation", "test")

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
    return Path(display_path(base / Path(path).expanduser()))


def has_part(root: Path, part: FolderPart) -> bool:
    """Whether a folder holds a part of its own, such as `test`."""
    return (root / part).is_dir() and (part == "train" or (root / "train").is_dir())


def part_folder(root: Path, part: FolderPart) -> Path:
    """Return the folder that holds the classes of a part: `train`, `validation` or `test` where
    there is a folder `train`, else the folder itself.

    Raises:
        DataError: The folder, or the part in it, is not there.
    """
    if not root.is_dir():
        kind = "a file" if root.is_file() else "no such folder"
        beside = _beside(root) if not root.exists() else ""
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
        classes: Classes that there may be, those of the training files; None: any.
        ignored: Folders that are no classes, such as `unsup`.

    Raises:
        DataError: There is no class, a class has no file, or it is none of `classes`.
    """
    folders = [f for f in _entries(folder) if f.is_dir() and f.name not in ignored]
    findings = [
        f"the folder '{name}' is no class and was left out"
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
        count = "1 file" if len(strange) == 1 else f"{len(strange)} files"
        findings.append(f"{count} of other endings left out, such as {strange[0]}")
    return ClassFolders(folder, names, tuple(files), np.asarray(labels, np.int64), tuple(findings))


def files_in(folder: Path, endings: Collection[str]) -> list[Path]:
    """Return the files of these endings in and below a folder, sorted, hidden ones left out."""
    return [file for file in _files_below(folder) if file.suffix.lower() in endings]


def _files_below(folder: Path) -> list[Path]:
    """Files in and below a folder. Links to folders are left alone: they may lead in a circle."""
    found: list[Path] = []
    for entry in _entries(folder):
        if not entry.is_dir():
            found.append(entry)
        elif not entry.is_symlink():
            found += _files_below(entry)
    return found


def _entries(folder: Path) -> list[Path]:
    """What stands in a folder, sorted by name."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error}") from error
    return [
        folder / name
        for name in names
        if not name.startswith(".") and name.lower() not in _NOT_DATA
    ]


def _beside(root: Path) -> str:
    if not root.parent.is_dir():
        return f"; there is no folder {root.parent} either"
    return did_you_mean(root.name, (f.name for f in root.parent.iterdir() if f.is_dir()))
