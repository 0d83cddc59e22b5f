"""`look/NN-VIEW/`: the pictures of `dlrun look` and their numbers, in a run or beside a config."""

from __future__ import annotations

import filecmp
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.store.files import (
    make_folder,
    move_folder,
    os_errors_named,
    refuse_links_out,
    remove_leftovers,
    temporary_path,
    write_bytes,
    write_json,
    write_npz,
)
from dlrun.store.recorded_files import RecordedFiles
from dlrun.text import display_path

if TYPE_CHECKING:
    import numpy as np

LOOK = "look"
"""Folder of the views of a run."""

FACTS = "look.json"
ARRAYS = "arrays.npz"

_NUMBERED = re.compile(r"(\d{2,})-(\w+)")
ATTEMPTS = 100


@dataclass(frozen=True)
class KeptLook:
    """A view that was kept.

    Args:
        path: Its folder.
        view: Name of the view.
        facts: What `look.json` holds.
        pictures: Its PNG files, in their order.
    """

    path: Path
    view: str
    facts: Mapping[str, Any]
    pictures: tuple[Path, ...]


def add_look(
    files: RecordedFiles,
    folder: Path,
    view: str,
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    pictures: Mapping[str, bytes],
) -> KeptLook:
    """Keep a view under the next free number, unless the folder holds exactly the same already.

    It is there with all its files, or not at all.

    Args:
        files: Of the run, or of the folder.
        folder: Where views are kept.
        view: The view's name.
        facts: For `look.json`, which also lists the pictures.
        arrays: For `arrays.npz`, by name.
        pictures: Bytes of PNG files by name, without the suffix.

    Raises:
        RunError: The disk refused.
    """
    refuse_links_out(files.root, folder)
    make_folder(folder)
    remove_leftovers(folder)
    names = [f"{name}.png" for name in pictures]
    facts = {"view": view, **facts, "pictures": names}
    hidden = temporary_path(folder / view)
    try:
        make_folder(hidden)
        for name, data in zip(names, pictures.values(), strict=True):
            write_bytes(hidden / name, data)
        if arrays:
            write_npz(hidden / ARRAYS, arrays, compress=True)
        write_json(hidden / FACTS, facts)
        path = _same_as(folder, view, hidden) or _numbered(folder, view, hidden)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    files.take_in(*sorted(path.iterdir()))
    return KeptLook(path, view, facts, tuple(path / name for name in names))


def _same_as(folder: Path, view: str, made: Path) -> Path | None:
    """The view that was kept before with exactly the same files."""
    names = sorted(path.name for path in made.iterdir())
    for path in sorted(folder.glob(f"*-{view}")):
        if path.is_symlink() or sorted(each.name for each in path.iterdir()) != names:
            continue
        if not any(filecmp.cmpfiles(made, path, names, shallow=False)[1:]):
            return path
    return None


def _numbered(folder: Path, view: str, made: Path) -> Path:
    for _ in range(ATTEMPTS):
        taken = [int(match[1]) for match in map(_NUMBERED.fullmatch, _names(folder)) if match]
        path = folder / f"{max(taken, default=0) + 1:02d}-{view}"
        with os_errors_named("write", path):
            if move_folder(made, path):
                return path
    raise RunError(f"too many writers in {display_path(folder)}")


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def read_looks(files: RecordedFiles) -> list[KeptLook]:
    """Return the views that a run keeps, in the order of their numbers.

    Raises:
        RunError: A file is missing, or is not as it was written.
    """
    folder = files.root / LOOK
    refuse_links_out(files.root, folder)
    found = []
    for name in sorted(_names(folder)):
        if (match := _NUMBERED.fullmatch(name)) is not None:
            facts = files.read_object(folder / name / FACTS)
            listed = facts.get("pictures")
            pictures: Sequence[Any] = listed if isinstance(listed, list) else []
            paths = tuple(folder / name / Path(str(one)).name for one in pictures)
            found.append(KeptLook(folder / name, match[2], facts, paths))
    return found
