"""Inputs that take little memory and become what the model sees a batch at a time.

Legend: n rows, f features, w features of a block, b rows of a batch, m ones (or numbers that are
not 0) in all rows together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from dlrun.data.lazy import Array, EncodedBlock, LazyArray, Rows
from dlrun.data.windows import Windows


@dataclass(frozen=True, eq=False)
class DenseBlock(EncodedBlock):
    """Features that are stored as they are.

    Args:
        array: (n, w) float32.
    """

    array: Array

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.array.shape[1:]

    @property
    def signature(self) -> tuple[object, ...]:
        return "DenseBlock", *self.row_shape

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.array,)

    def __len__(self) -> int:
        return len(self.array)

    def take(self, rows: Rows) -> DenseBlock:
        return DenseBlock(self.array[rows])

    def dense(self) -> Array:
        return self.array

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        from keras import ops

        return ops.take(arrays[0], rows, axis=0)


@dataclass(frozen=True, eq=False)
class SparseBlock(EncodedBlock):
    """Features that are nearly all 0, in compressed sparse rows as in `scipy.sparse.csr_array`.

    Args:
        indices: (m,) uint16 or int32, the features that are not 0, row after row, each row's
            ascending.
        indptr: (n + 1,) int64; row i has `indices[indptr[i] : indptr[i + 1]]`.
        width: w.
        values: (m,) float32, the values of these features; None: ones.
    """

    is_sparse: ClassVar[bool] = True

    indices: Array
    indptr: Array
    width: int
    values: Array | None = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (self.width,)

    @property
    def signature(self) -> tuple[object, ...]:
        return "SparseBlock", self.width, self.values is not None

    @property
    def longest(self) -> int:
        """Most entries of a row, rounded up to a power of two so that it is alike in many folds."""
        most = int(np.diff(self.indptr).max(initial=1))
        return min(1 << max(0, most - 1).bit_length(), self.width)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """(m + 1,) indices, (n + 1,) int32 indptr, as many int32 numbers from 0 as a row may have
        entries, and (m + 1,) values where there are any.

        The last entry belongs to no row, so that there always is one.
        """
        counted = np.arange(self.longest, dtype=np.int32)
        stored = (_with_end(self.indices), self.indptr.astype(np.int32), counted)
        return stored if self.values is None else (*stored, _with_end(self.values))

    @property
    def padded_arrays(self) -> tuple[Array, ...]:
        indices, indptr, counted, *values = self.arrays
        unit = 1 << max(0, len(indices).bit_length() - 4)
        indices, *values = (np.pad(a, (0, -len(a) % unit)) for a in (indices, *values))
        return indices, indptr, counted, *values

    def take(self, rows: Rows) -> SparseBlock:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                indptr = self.indptr[start : max(start, stop) + 1]
                return self._part(slice(indptr[0], indptr[-1]), indptr - indptr[0])
            rows = np.arange(start, stop, step)
        starts = self.indptr[:-1][rows]
        counts = self.indptr[1:][rows] - starts
        indptr = _indptr(counts)
        shifts = np.repeat(starts - indptr[:-1], counts)
        return self._part(np.arange(indptr[-1]) + shifts, indptr)

    def dense(self) -> Array:
        dense = np.zeros((len(self), self.width), np.float32)
        values = 1 if self.values is None else self.values
        dense[np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices] = values
        return dense

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        return _expanded(self.width, rows, *arrays)

    def csr(self) -> Any:
        """Return all rows as an (n, w) `scipy.sparse.csr_matrix` of float32."""
        from scipy.sparse import csr_matrix

        values = self.values
        values = np.ones(len(self.indices), np.float32) if values is None else values
        indices, indptr = self.indices.astype(np.int32), self.indptr.astype(np.int32)
        return csr_matrix((values, indices, indptr), shape=(len(self), self.width))

    def _part(self, entries: Rows, indptr: Array) -> SparseBlock:
        values = None if self.values is None else self.values[entries]
        return SparseBlock(self.indices[entries], indptr, self.width, values)


@dataclass(frozen=True, eq=False)
class ByteBlock(EncodedBlock):
    """Bytes that become numbers by a table: pictures, a quarter as large as what the model gets.

    Args:
        array: (n, ...) uint8.
        table: (256,) float32, what each byte becomes.
    """

    array: Array
    table: Array

    def __len__(self) -> int:
        return len(self.array)

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.array.shape[1:]

    @property
    def signature(self) -> tuple[object, ...]:
        return "ByteBlock", *self.row_shape

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.array, self.table

    def take(self, rows: Rows) -> ByteBlock:
        return replace(self, array=self.array[rows])

    def dense(self) -> Array:
        return self.table[self.array]

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        from keras import ops

        array, table = arrays
        return ops.take(table, ops.cast(ops.take(array, rows, axis=0), "int32"), axis=0)


@dataclass(frozen=True, eq=False)
class Encoded(LazyArray):
    """(n, f) or (n, t, f) float32 inputs in blocks that take less memory than the numbers.

    A compiled program takes `arrays` and makes each batch with `expand`.

    Args:
        blocks: The features from left to right.
    """

    blocks: tuple[EncodedBlock, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, f) or (n, t, f)."""
        first = self.blocks[0].row_shape
        width = sum(block.row_shape[-1] for block in self.blocks)
        return len(self.blocks[0]), *first[:-1], width

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def signature(self) -> tuple[object, ...]:
        """What a program that expands it depends on, besides the lengths of `arrays`."""
        return tuple(block.signature for block in self.blocks)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What is stored, block after block."""
        return tuple(array for block in self.blocks for array in block.arrays)

    @property
    def windows(self) -> Windows | None:
        only = self.blocks[0] if len(self.blocks) == 1 else None
        return only if isinstance(only, Windows) else None

    def __getitem__(self, rows: Rows) -> Array:
        parts = [block.take(rows).dense() for block in self.blocks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def take(self, rows: Rows) -> Encoded:
        return Encoded(tuple(block.take(rows) for block in self.blocks))

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        """Return a batch as the model sees it, (b, ...) float32, on the backend's device.

        Args:
            arrays: `arrays`, of these inputs or of others of the same `signature`, as tensors.
            rows: (b,) int32 row numbers, a tensor.
        """
        from keras import ops

        parts = [block.expand(own, rows) for block, own in self.by_block(arrays)]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def by_block(self, arrays: Sequence[Any]) -> list[tuple[EncodedBlock, Sequence[Any]]]:
        """Return each block with its own of the `arrays`."""
        counts = [len(block.arrays) for block in self.blocks]
        ends = np.cumsum(counts).tolist()
        return [(b, arrays[e - c : e]) for b, c, e in zip(self.blocks, counts, ends, strict=True)]


def as_encoded(inputs: object) -> Encoded | None:
    """The inputs where they are encoded, so that compiled programs expand them; else None."""
    return inputs if isinstance(inputs, Encoded) else None


def sparse_ones(zeros_and_ones: Array) -> SparseBlock:
    """Return (n, w) uint8 zeros and ones as a sparse block."""
    width = int(zeros_and_ones.shape[1])
    flat = np.ascontiguousarray(zeros_and_ones).view(bool).ravel()
    indices = (np.flatnonzero(flat) % width).astype(_index_type(width))
    return SparseBlock(indices, _indptr(np.count_nonzero(zeros_and_ones, axis=1)), width)


def sparse_values(numbers: Array) -> SparseBlock:
    """Return (n, w) float32 that is nearly all 0 as a sparse block."""
    width = int(numbers.shape[1])
    flat = np.ascontiguousarray(numbers, np.float32).reshape(-1)
    kept = np.flatnonzero(flat)
    indices = (kept % width).astype(_index_type(width))
    return SparseBlock(indices, _indptr(np.count_nonzero(numbers, axis=1)), width, flat[kept])


def concatenated_blocks(parts: Sequence[SparseBlock]) -> SparseBlock:
    """Return the rows of all parts, one after another."""
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    indices = np.concatenate([part.indices for part in parts])
    values = [part.values for part in parts if part.values is not None]
    return SparseBlock(
        indices, _indptr(counts), parts[0].width, np.concatenate(values) if values else None
    )


def _index_type(width: int) -> Any:
    return np.uint16 if width <= 2**16 else np.int32


def _with_end(array: Array) -> Array:
    return np.concatenate([array, np.zeros(1, array.dtype)])


def _indptr(counts: Array) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _expanded(
    width: int, rows: Any, indices: Any, indptr: Any, counted: Any, values: Any = None
) -> Any:
    """A batch by a scatter whose shapes are known before the values: XLA needs that."""
    from keras import ops

    starts, ends = ops.take(indptr, rows)[:, None], ops.take(indptr, rows + 1)[:, None]
    at = starts + counted[None]
    of_row = ops.where(at < ends, at, 0)
    found = ops.cast(ops.take(indices, of_row), "int32")
    # Entries of other rows go to a column that is cut off.
    columns = ops.where(at < ends, found, width)
    count = ops.shape(rows)[0]
    numbers = ops.broadcast_to(ops.arange(count, dtype="int32")[:, None], ops.shape(columns))
    positions = ops.reshape(ops.stack([numbers, columns], axis=-1), (-1, 2))
    if values is None:
        scattered = ops.ones((count * ops.shape(counted)[0],), "float32")
    else:
        scattered = ops.reshape(ops.take(values, of_row), (-1,))
    return ops.scatter(positions, scattered, (count, width + 1))[:, :width]
