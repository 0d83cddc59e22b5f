"""Arrays whose rows are cut, expanded or read when they are asked for.

Legend: n rows, b rows that are asked for, w numbers on the last axis of a row.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from dlrun.data.windows import Windows

Array = np.ndarray

Rows = slice | Array
"""Which rows: a slice, or (b,) positions; negative ones count from the end."""

BLOCK_BYTES = 4 * 2**20
"""About how much memory one block of rows takes."""


class LazyArray(ABC):
    """(n, ...) rows that do not exist as one array in memory.

    `column[rows]` is what NumPy gives for the same rows: an array, (b, ...), of `dtype`.
    `column.take(rows)` returns the same rows as they are stored, without reading or expanding them.
    Iteration yields one row after another. Several threads may ask for rows at once.
    """

    in_memory: ClassVar[bool] = True
    """Whether rows are made of what is in memory; otherwise they are read from disk."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Of the arrays that indexing gives."""

    @abstractmethod
    def __getitem__(self, rows: Rows) -> Array:
        """Return rows as an array, (b, ...)."""

    @abstractmethod
    def take(self, rows: Rows) -> Self:
        """Return rows as they are stored."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """How much memory all rows would take as one array."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def windows(self) -> Windows | None:
        """The windows over a series that the rows are; None for any other rows."""
        return None

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        for block in blocks(self):
            yield from block


class EncodedBlock(ABC):
    """Some of the features of `Encoded` inputs, in a form that a compiled program can expand."""

    is_sparse: ClassVar[bool] = False
    """Whether only what is not 0 is stored."""

    @property
    @abstractmethod
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row, (..., w)."""

    @property
    @abstractmethod
    def signature(self) -> tuple[object, ...]:
        """What a program that expands the block depends on, besides the lengths of `arrays`."""

    @property
    @abstractmethod
    def arrays(self) -> tuple[Array, ...]:
        """What a compiled program takes."""

    @property
    def padded_arrays(self) -> tuple[Array, ...]:
        """`arrays` in lengths that are alike for about as many rows: a compiler that needs exact
        shapes compiles once for several folds."""
        return self.arrays

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def take(self, rows: Rows) -> Self:
        """Return rows as they are stored."""

    @abstractmethod
    def dense(self) -> Array:
        """Return all rows, (n, ..., w) float32."""

    @abstractmethod
    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        """Return (b, ..., w) float32 on the backend's device; see `Encoded.expand`."""


def in_memory(column: object) -> bool:
    """Whether rows of an array or a lazy one are had without reading a file."""
    return getattr(column, "in_memory", True)


def windows_of(column: object) -> Windows | None:
    """The windows over a series that a column is; None for any other column."""
    return getattr(column, "windows", None)


def series_windows(columns: Mapping[str, object]) -> Windows | None:
    """The first column that is windows over a series; None where none is."""
    return next((w for column in columns.values() if (w := windows_of(column)) is not None), None)


def take_rows(column: Any, rows: Rows) -> Any:
    """Return some of the rows: of an array an array, of a lazy one the rows as they are stored."""
    return column[rows] if isinstance(column, np.ndarray) else column.take(rows)


def blocks(column: Array | LazyArray) -> Iterator[Array]:
    """The rows as arrays of a few megabytes; of an array they are views."""
    size = max(1, math.prod(column.shape[1:])) * column.dtype.itemsize
    rows = max(1, BLOCK_BYTES // max(1, size))
    for start in range(0, len(column), rows):
        yield column[start : start + rows]


def joined(first: Array, second: Array) -> Array:
    """Return the rows of both columns, in memory: dates in a unit that holds those of both."""
    if first.dtype != second.dtype and first.dtype.kind == second.dtype.kind == "M":
        first, second = (dates.astype("datetime64[us]") for dates in (first, second))
    return np.concatenate([first, second])
