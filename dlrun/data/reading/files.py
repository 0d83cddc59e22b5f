"""Finding the files that a config names: one, several, or a glob."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean
from dlrun.text import display_path

Paths = str | list[str]
"""A path, several, or a glob; relative ones start at the config's folder."""


def find_files(paths: Paths, base: Path) -> list[Path]:
    """Return the files that `paths` names, in order; those of a glob sorted by name.

    Args:
        paths: A path, a list of paths, or globs (`data/*.csv`, `data/**/*.csv`). A folder stands
            for the Parquet files in it.
        base: Folder where relative paths start.

    Raises:
        DataError: A file is not there, is a folder, or a glob matches nothing.
    """
    entries = [paths] if isinstance(paths, str) else paths
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
        files: The other files: those of the training rows, unless said otherwise.
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
    if path.is_file():
        return [path]
    if path.is_dir():
        if parts := sorted(p for p in path.iterdir() if p.suffix.lower() in (".parquet", ".pq")):
            return parts
        raise DataError(f"{path}: a folder; name the files in it, or a glob such as {path}/*.csv")
    pattern = str(Path(entry).expanduser())
    if glob.has_magic(path.name) or (glob.has_magic(pattern) and not path.parent.is_dir()):
        found = sorted(
            _at(match, base) for match in glob.glob(pattern, root_dir=base, recursive=True)
        )
        if files := [match for match in found if match.is_file()]:
            return files
        raise DataError(f"{path}: no file matches")
    raise DataError(f"{path}: no such file{neighbour(path)}")


def _at(entry: str, base: Path) -> Path:
    return Path(display_path(base / Path(entry).expanduser()))


def neighbour(path: Path) -> str:
    """Return what is said of a file that is not there: which name near it is, if any."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    return did_you_mean(path.name, (other.name for other in path.parent.iterdir()))


def refuse_missing(file: Path) -> None:
    """Refuse a file of new rows that is not there.

    Raises:
        DataError: It is a folder, or there is no such file; says which name is near.
    """
    if file.is_dir():
        raise DataError(f"{file}: a folder; one file is expected, with a row for each prediction")
    if not file.is_file():
        raise DataError(f"{file}: no such file{neighbour(file)}")
