"""The picture files in folders or named by a table, with their labels, sizes and pixels.

Legend: n pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dlrun.data.reading.delimited import CsvDialect
from dlrun.data.reading.files import (
    BrokenFile,
    ClassFolders,
    files_in,
    neighbour,
    read_class_folders,
)
from dlrun.data.reading.image_depth import ImageError
from dlrun.data.reading.images import IMAGE_ENDINGS, ImageFormat, read_image
from dlrun.data.reading.table_columns import (
    boolean_words,
    labels_of,
    target_type,
    to_array,
    to_tokens,
)
from dlrun.data.reading.tables import TableFiles, names_of_columns, read_table
from dlrun.data.samples import FILE, Array, Columns, as_objects
from dlrun.data.stored import as_column
from dlrun.errors import DataError
from dlrun.text import counted

TARGET = "label"
"""Name of the target where each class is a folder."""

_SHOWN = 3


@dataclass(frozen=True)
class ImageFiles:
    """The pictures of one part.

    Args:
        place: What they were found in, for messages.
        files: n files.
        names: (n,) objects, the files' names as reports show them.
        targets: n values each.
        features: n values each: columns of the table that are inputs beside the picture.
        extras: n values each: the columns asked for, besides the names.
        classes: Class names by target.
        labels: Of targets that are tuples of str, the different ones.
        findings: What the user should know, one sentence each.
    """

    place: str
    files: tuple[Path, ...]
    names: Array
    targets: Columns
    features: Columns = field(default_factory=dict)
    extras: Columns = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    def take(self, positions: Array) -> ImageFiles:
        """Return some of the pictures."""
        return replace(
            self,
            files=tuple(self.files[i] for i in positions.tolist()),
            names=self.names[positions],
            targets={name: column[positions] for name, column in self.targets.items()},
            features={name: column[positions] for name, column in self.features.items()},
            extras={name: column[positions] for name, column in self.extras.items()},
        )


def images_without_classes(folders: Sequence[Path]) -> ImageFiles:
    """Return all pictures in and below folders, those of the first of them first.

    Raises:
        DataError: There is none in a folder.
    """
    files, names = new_images(folders)
    return ImageFiles(str(folders[0]), tuple(files), as_objects(names), {})


def new_images(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return pictures, and those in folders, with their names, which start in the folder given.

    Raises:
        DataError: One is not there, or a folder has none.
    """
    found: list[Path] = []
    names: list[str] = []
    for path in paths:
        if path.is_dir():
            inside = files_in(path, IMAGE_ENDINGS)
            if not inside:
                raise DataError(f"{path}: no pictures in this folder")
            found += inside
            names += [file.relative_to(path).as_posix() for file in inside]
        elif path.is_file():
            found.append(path)
            names.append(str(path))
        else:
            raise DataError(f"{path}: no such file or folder{neighbour(path)}")
    return found, names


def images_in_folders(folders: Sequence[Path], classes: Sequence[str] | None = None) -> ImageFiles:
    """Return the pictures in one folder a class, those of the first of several `folders` first.

    Their names are `class/file`: data that is moved stays the same data.

    Args:
        folders: Each holds a folder a class.
        classes: The classes that there may be; None: those of the first folder.

    Raises:
        DataError: There is no class, or a class is unknown or has no pictures.
    """
    found: list[ClassFolders] = []
    for folder in folders:
        allowed = found[0].classes if found else classes
        found.append(read_class_folders(folder, IMAGE_ENDINGS, what="picture", classes=allowed))
    names = [file.relative_to(part.folder).as_posix() for part in found for file in part.files]
    first = found[0]
    findings = [text for part in found for text in part.findings]
    if classes is None:
        findings += _names_differing_in_case(first.classes)
    return ImageFiles(
        place=str(folders[0]),
        files=tuple(file for part in found for file in part.files),
        names=as_objects(names),
        targets={TARGET: np.concatenate([part.labels for part in found])},
        classes={TARGET: first.classes},
        findings=tuple(findings),
    )


def images_in_table(
    files: Sequence[Path],
    folder: Path,
    file_column: str | None,
    targets: Sequence[str] | None,
    extra: Sequence[str],
    features: Sequence[str] = (),
    split: Mapping[str, str] | None = None,
    *,
    needed: bool = True,
) -> ImageFiles:
    """Return the pictures that a table names.

    Args:
        files: CSV, TSV, JSON lines or Parquet with the same columns.
        folder: Where the pictures' paths start.
        file_column: Column of their paths; None: `file`, or else the first.
        targets: Columns to predict; None: all others.
        extra: Columns wanted in `extras`.
        features: Columns that are inputs.
        split: What separates the parts of columns of text.
        needed: Whether these must be there.

    Raises:
        DataError: A column or a picture is missing.
    """
    known = names_of_columns(files[0], CsvDialect())
    column = file_column or (FILE if FILE in known else known[0])
    split = split or {}
    dialect = CsvDialect(names=frozenset(known) - set(features))
    table = read_table(files, dialect, [column, *split])
    table.require(column)
    if not needed:
        extra = [name for name in extra if name in table.names]
    wanted = targets
    if wanted is None:
        wanted = [n for n in table.names if n not in (column, *extra, *features)]
    for name in (*wanted, *extra, *features, *split):
        table.require(name)
    if not wanted and targets is None:
        raise DataError(f"{table.files[0]}: no column is left to predict beside '{column}'")
    names = to_array(table, column, "categorical")
    columns: Columns = {}
    classes: dict[str, tuple[str, ...]] = {}
    for name in (*wanted, *extra, *features):
        if name in split:
            columns[name] = to_tokens(table, name, split[name])
            continue
        kind = target_type(table, name, several=name in wanted and len(wanted) > 1)
        columns[name] = to_array(table, name, kind)
        if kind == "boolean" and name in wanted:
            classes[name] = boolean_words(table, name)
    return ImageFiles(
        place=str(files[0]),
        files=tuple(_files(table, names, column, folder)),
        names=names,
        targets={name: columns[name] for name in wanted},
        features={name: columns[name] for name in features},
        extras={name: columns[name] for name in extra},
        classes=classes,
        labels={name: labels_of(columns[name]) for name in wanted if name in split},
    )


def image_file(folder: Path, name: str) -> Path | None:
    """Return the picture that a table names, which may leave out the file's ending; None where
    there is none."""
    path = folder / name
    if not Path(name).name:
        return None
    endings = (".jpg", ".jpeg", ".png", *IMAGE_ENDINGS)
    with_ending = (path.with_name(path.name + ending) for ending in endings)
    # `Path.is_file` raises an error for a name that is longer than the system allows.
    return next((file for file in chain([path], with_ending) if os.path.isfile(file)), None)


def _files(table: TableFiles, names: Array, column: str, folder: Path) -> list[Path]:
    found: list[Path] = []
    missing: list[str] = []
    for row, name in enumerate(names):
        if name is None:
            raise DataError(f"{table.place(row)}: the column '{column}' names no picture")
        existing = image_file(folder, name)
        if existing is None:
            missing.append(f"{folder / name} ({table.place(row)})")
        else:
            found.append(existing)
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        are = "is" if len(missing) == 1 else "are"
        raise DataError(
            f"{len(missing):,} of {len(names):,} pictures {are} not there: "
            f"{', '.join(missing[:_SHOWN])}{more}; paths in the column '{column}' start at `path`"
        )
    return found


def _names_differing_in_case(classes: Sequence[str]) -> list[str]:
    """Report classes whose names differ in case alone."""
    known: dict[str, str] = {}
    findings = []
    for name in classes:
        if (other := known.setdefault(name.casefold(), name)) != name:
            findings.append(f"classes '{other}' and '{name}' differ only in case: are they one?")
    return findings


T = TypeVar("T")

_AT_ONCE = 1024
"""Files that wait for a thread: each takes some memory."""


@dataclass(frozen=True)
class DecodedImages:
    """What was read.

    Args:
        column: (n, h, w, c); rows of broken files hold anything.
        broken: The files that cannot be read.
        turned: Positions of the files whose EXIF orientation is turned or mirrored.
    """

    column: Array
    broken: tuple[BrokenFile, ...]
    turned: tuple[int, ...]

    def orientation_findings(self, names: Array) -> list[str]:
        """What to know of the turned files, whose names are among the (n,) `names`."""
        if not self.turned:
            return []
        shown = ", ".join(str(names[position]) for position in self.turned[:_SHOWN])
        more = " ..." if len(self.turned) > _SHOWN else ""
        verb = "has" if len(self.turned) == 1 else "have"
        return [
            f"{counted(len(self.turned), 'picture')} {verb} an EXIF orientation, which is ignored, "
            f"as in Keras' own loader: {shown}{more}"
        ]


@dataclass(frozen=True)
class ImageReader:
    """Decodes pictures as they are asked for; a `RowReader`.

    Args:
        files: n files, which have been read once.
        form: The format they are converted to.
    """

    files: tuple[Path, ...]
    form: ImageFormat

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, h, w, c)."""
        return (len(self.files), *self.form.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels."""
        return np.dtype(self.form.depth)

    def read(self, rows: Array) -> Array:
        """See `RowReader`."""
        result = np.empty((len(rows), *self.form.shape), self.dtype)

        def decode(place: int) -> None:
            file = self.files[int(rows[place])]
            try:
                result[place] = read_image(file, self.form).pixels
            except ImageError as error:
                raise DataError(f"{file}: cannot be read any more: it {error}") from error

        in_threads(decode, range(len(rows)))
        return result


def in_threads(function: Callable[[int], T], numbers: Sequence[int]) -> list[T]:
    """Return the function's result for each number, in order; with Pillow and NumPy several
    threads can decode at once."""
    workers = min(len(numbers), processors())
    if workers <= 1:
        return [function(number) for number in numbers]
    with ThreadPoolExecutor(workers) as pool:
        results: list[T] = []
        for start in range(0, len(numbers), _AT_ONCE):
            results += pool.map(function, numbers[start : start + _AT_ONCE])
        return results


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_images(files: Sequence[Path], form: ImageFormat, *, hold: bool) -> DecodedImages:
    """Decode every picture once.

    Args:
        files: n files.
        form: The format they are converted to.
        hold: Whether the column holds the pixels; otherwise they are only checked now, and decoded
            again when they are needed.
    """
    pixels = np.empty((len(files) if hold else 0, *form.shape), form.depth)

    def decode(position: int) -> bool | BrokenFile:
        try:
            picture = read_image(files[position], form)
        except ImageError as error:
            return BrokenFile(position, f"{files[position]} {error}")
        if hold:
            pixels[position] = picture.pixels
        return picture.turned

    found = in_threads(decode, range(len(files)))
    return DecodedImages(
        column=pixels if hold else as_column(ImageReader(tuple(files), form)),
        broken=tuple(one for one in found if isinstance(one, BrokenFile)),
        turned=tuple(position for position, one in enumerate(found) if one is True),
    )
