"""Arrays from npz and npy files, by name; npy files are mapped, not read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlrun.config.limits import free_memory
from dlrun.data.samples import Array
from dlrun.data.stored import NumberFile, as_column, too_large_to_hold
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean


class ArrayFiles:
    """The arrays of one or several files: those of an npz by their names, that of an npy by
    the file's name without its ending.

    Args:
        files: npz and npy files.

    Raises:
        DataError: A file is broken, is of another kind, or two arrays have one name.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files: dict[str, Path] = {}
        for file in files:
            for name in _names(file):
                if name in self._files:
                    raise DataError(
                        f"{file}: array '{name}' is also in {self._files[name]}; arrays are told "
                        f"apart by name"
                    )
                self._files[name] = file
        self._first = files[0]

    @property
    def names(self) -> list[str]:
        """The arrays, in the order of the files."""
        return list(self._files)

    @property
    def files(self) -> list[Path]:
        """The file of each array."""
        return list(self._files.values())

    def file_of(self, name: str) -> Path:
        """The file that holds an array.

        Raises:
            DataError: No file holds an array of that name.
        """
        if name not in self._files:
            suggestion = did_you_mean(name, self.names)
            listing = f"{suggestion} The" if suggestion else "; the"
            raise DataError(
                f"{self._first}: no array '{name}'{listing} arrays are: {', '.join(self.names)}"
            )
        return self._files[name]

    def read(self, name: str) -> Array:
        """Return an array with at least one row; text becomes objects holding str.

        Raises:
            DataError: There is no such array, or it cannot be used.
        """
        file = self.file_of(name)
        array = _read(file, name)
        place = f"{file}: array '{name}'"
        if array.ndim == 0:
            raise DataError(f"{place} is a single value; one entry a row is needed")
        if len(array) == 0:
            raise DataError(f"{place} has no rows")
        if array.dtype.kind in "US" and array.ndim == 1:
            return _text(array, place)
        if array.dtype.kind not in "biufM":
            raise DataError(
                f"{place} is of dtype {array.dtype}; numbers, true/false, or one text a row are "
                f"needed"
            )
        return array

    def stored(self, name: str) -> Array | None:
        """Return an array of numbers as a column that stays on disk; None where single
        rows of its file cannot be read: an npz, or an npy in Fortran order."""
        file = self.file_of(name)
        if file.suffix.lower() != ".npy":
            return None
        array = self.read(name)
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
            return None
        return as_column(NumberFile(file, array.dtype, array.shape, array.offset))


def read_or_stream(arrays: ArrayFiles, name: str, stream: bool | None) -> Array:
    """Return an array; as a stored column where `stream` or its size leaves it on disk, and single
    rows of its file can be read."""
    column = None if stream is False else arrays.stored(name)
    if column is None or not (stream or too_large_to_hold(column.nbytes)):
        return arrays.read(name)
    return column


def _names(file: Path) -> list[str]:
    if file.suffix.lower() == ".npy":
        return [file.stem]
    if file.suffix.lower() != ".npz":
        raise DataError(f"{file}: neither npz nor npy; `source: csv` reads tables")
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names = list(archive.files)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise DataError(f"{file}: not an npz file, or damaged: {error}") from error
    if not names:
        raise DataError(f"{file}: the file is empty")
    return names


def _read(file: Path, name: str) -> Array:
    try:
        if file.suffix.lower() == ".npy":
            mapped = np.load(file, mmap_mode="r", allow_pickle=False)
            return np.asarray(mapped) if mapped.ndim == 0 else mapped
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            _refuse_large(archive.zip, name)
            return archive[name]
    except MemoryError as error:
        text = f"{file}: array '{name}' does not fit into memory: {error}".rstrip(": ")
        raise DataError(text) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise DataError(
                f"{file}: array '{name}' holds Python objects, which are not read because reading "
                f"them can run code; save sequences padded to one length, or as lists in a JSON "
                f"lines or Parquet file for `source: csv`"
            ) from error
        raise DataError(f"{file}: array '{name}' cannot be read: {error}") from error


def _refuse_large(archive: zipfile.ZipFile, name: str) -> None:
    """Raise a MemoryError for an array that is larger than the free memory once it is unpacked."""
    free = free_memory()
    size = max(
        (one.file_size for one in archive.infolist() if one.filename == f"{name}.npy"), default=0
    )
    if free is not None and size > free:
        raise MemoryError(
            f"it takes {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory are free"
        )


def _text(array: Array, place: str) -> Array:
    try:
        text = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    except UnicodeError as error:
        raise DataError(f"{place} holds bytes that are not valid UTF-8") from error
    return text.astype(object)
