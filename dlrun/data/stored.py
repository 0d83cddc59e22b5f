"""Columns that stay on disk and are read a few rows at a time.

Legend: n rows, b rows that are read.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import math
import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import numpy as np

from dlrun.data.lazy import Array, LazyArray, Rows, blocks, in_memory, joined, take_rows, windows_of
from dlrun.errors import DataError

_MAPPED_ROW_BYTES = 512
"""From this size of a row on, rows are read one by one; shorter ones are gathered faster from the
mapped file, though each of them maps some pages around it."""


class RowReader(Protocol):
    """Reads rows by their numbers."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what `read` returns."""

    def read(self, rows: Array) -> Array:
        """Return (b, ...) for (b,) int64 row numbers in any order. Threads may call it at once."""


@dataclass(frozen=True)
class NumberFile:
    """Numbers of one dtype, row after row, in a file.

    Args:
        path: The file.
        dtype: Of the numbers.
        shape: (n, ...).
        offset: Bytes before the first number.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int = 0

    def read(self, rows: Array) -> Array:
        """See `RowReader`."""
        if not len(rows):
            return np.empty((0, *self.shape[1:]), self.dtype)
        try:
            starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
            if len(starts) == 1 or self._row_bytes >= _MAPPED_ROW_BYTES:
                return self._read_runs(rows, starts)
            # Mapped for this reading alone: what stays mapped counts as memory of the process.
            mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
            return np.asarray(mapped[rows])
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: cannot be read any more: {error}") from error

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def _read_runs(self, rows: Array, starts: Array) -> Array:
        """Read rows that follow each other at once; `starts` says where such runs begin."""
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        into = result.reshape(-1).view(np.uint8).data
        with self.path.open("rb", buffering=0) as file:
            for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
                file.seek(self.offset + int(rows[start]) * self._row_bytes)
                part = into[int(start) * self._row_bytes : int(stop) * self._row_bytes]
                while len(part):
                    if not (got := file.readinto(part)):
                        raise OSError("it is shorter than it was")
                    part = part[got:]
        return result


@dataclass(frozen=True)
class TextFile:
    """Text, each different one once.

    Args:
        codes: (n,) index into `words`.
        words: (k,) objects, str or None.
    """

    codes: NumberFile
    words: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,)."""
        return self.codes.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Objects."""
        return self.words.dtype

    def read(self, rows: Array) -> Array:
        """See `RowReader`."""
        return np.asarray(self.words[self.codes.read(rows)])


@dataclass(frozen=True)
class ConcatenatedRows:
    """The rows of two columns, one after the other."""

    first: Array
    second: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self.first) + len(self.second), *self.first.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of both."""
        return np.result_type(self.first.dtype, self.second.dtype)

    def read(self, rows: Array) -> Array:
        """See `RowReader`."""
        result = np.empty((len(rows), *self.shape[1:]), self.dtype)
        of_first = rows < len(self.first)
        result[of_first] = self.first[rows[of_first]]
        result[~of_first] = self.second[rows[~of_first] - len(self.first)]
        return result


class StoredColumn(LazyArray):
    """A column of `Samples` that stays on disk.

    NumPy's functions take it where a row is a single value, and then hold all of it in memory.

    Args:
        reader: Reads the rows.
        rows: (n,) int64, which rows of it; None: all.
    """

    in_memory: ClassVar[bool] = False

    def __init__(self, reader: RowReader, rows: Array | None = None) -> None:
        self._reader = reader
        self._rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        count = self._reader.shape[0] if self._rows is None else len(self._rows)
        return (count, *self._reader.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._reader.dtype

    def __getitem__(self, rows: Rows) -> Array:
        return self._reader.read(self._numbers(rows))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.ndim > 1:
            raise DataError(
                f"a column of shape {self.shape} that stays on disk would have to be held whole "
                "here; say `stream: false` under `dataset` if it fits into memory"
            )
        return np.asarray(self[:], dtype)

    def take(self, rows: Rows) -> StoredColumn:
        return StoredColumn(self._reader, self._numbers(rows))

    def _numbers(self, rows: Rows) -> Array:
        if isinstance(rows, slice):
            positions = np.arange(*rows.indices(len(self)))
        else:
            positions = np.asarray(rows)
            if positions.dtype == bool:
                positions = np.flatnonzero(positions)
            positions = np.where(positions < 0, positions + len(self), positions).astype(np.int64)
        return positions if self._rows is None else self._rows[positions]


def as_column(reader: RowReader) -> Array:
    """Return a column that takes the place of an array."""
    return cast("Array", StoredColumn(reader))


def take_all(columns: dict[str, Array], rows: Rows) -> dict[str, Array]:
    """Return some of the rows of each; stored columns share one array of row numbers."""
    numbers: dict[tuple[int, int], Array] = {}
    result = {}
    column: Any
    for name, column in columns.items():
        if isinstance(column, StoredColumn):
            key = (id(column._rows), len(column))
            if key not in numbers:
                numbers[key] = column._numbers(rows)
            result[name] = cast("Array", StoredColumn(column._reader, numbers[key]))
        else:
            result[name] = take_rows(column, rows)
    return result


def concatenated(first: Array, second: Array) -> Array:
    """Return the rows of both columns, unread where one is stored."""
    if not (in_memory(first) and in_memory(second)):
        return as_column(ConcatenatedRows(first, second))
    one, two = windows_of(first), windows_of(second)
    if one is not None and two is not None:
        return cast("Array", one.followed_by(two))
    return joined(first, second)


class ColumnWriter:
    """Writes a column block by block to a temporary file, deleted once it is no longer used.

    Args:
        dtype: Of the blocks: numbers, or objects that are str or None.
        entry: Shape of one entry.
    """

    def __init__(self, dtype: np.dtype[Any], entry: tuple[int, ...]) -> None:
        handle, name = tempfile.mkstemp(dir=_folder())
        self._file = os.fdopen(handle, "wb")
        self._path = Path(name)
        self._dtype = dtype
        self._entry = entry
        self._count = 0
        self._codes: dict[Any, int] = {}

    def write(self, block: Array) -> None:
        """Append rows."""
        if self._dtype.hasobject:
            codes = (self._codes.setdefault(value, len(self._codes)) for value in block)
            block = np.fromiter(codes, np.int32, len(block))
        try:
            np.ascontiguousarray(block).tofile(self._file)
        except OSError as error:
            raise DataError(
                f"{self._path.parent}: columns that do not fit into memory cannot be written "
                f"there ({error}); set TMPDIR to a folder with more room"
            ) from error
        self._count += len(block)

    def column(self) -> Array:
        """Return what was written."""
        self._file.close()
        dtype = np.dtype(np.int32) if self._dtype.hasobject else self._dtype
        file = NumberFile(self._path, dtype, (self._count, *self._entry))
        weakref.finalize(file, self._path.unlink, missing_ok=True)
        if not self._dtype.hasobject:
            return as_column(file)
        words = np.empty(len(self._codes), object)
        words[:] = list(self._codes)
        return as_column(TextFile(file, words))


def stored(column: Array) -> Array:
    """Write an array to disk; return it as a column that stays there."""
    writer = ColumnWriter(column.dtype, column.shape[1:])
    for block in blocks(column):
        writer.write(block)
    return writer.column()


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dlrun-columns-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def return_freed_memory() -> None:
    """Hand back what is free between objects still in use.

    The GNU C library keeps it for objects to come: 270 MB after Keras' lists of the IMDB reviews,
    which training has no use for. Elsewhere nothing happens.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def memory_of_machine() -> int | None:
    """Return the bytes of memory that this process may use at most; None where it is unknown.

    It depends on the machine, not on the moment: a choice based on it is the same again.
    """
    limits = []
    with contextlib.suppress(AttributeError, OSError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path("/sys/fs/cgroup", file).read_text()))
    return min(limits, default=None)


def too_large_to_hold(size: int) -> bool:
    """Whether inputs of this many bytes stay on disk by default: more than a quarter of the
    memory, as training holds up to three copies."""
    memory = memory_of_machine()
    return memory is not None and size > memory / 4
