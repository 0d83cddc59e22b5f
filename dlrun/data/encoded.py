"""Inputs that are kept small and become what the model sees a batch at a time.

Legend: n rows, f features, w features of a block, b rows of a batch, m ones (or numbers that are
not 0) in all rows together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.data.windows import Windows

Array = np.ndarray


@dataclass(frozen=True)
class DenseBlock:
    """Features that are kept as they are.

    Args:
        array: (n, w) float32.
    """

    array: Array

    @property
    def width(self) -> int:
        """Number of features, w."""
        return int(self.array.shape[1])

    @property
    def entry(self) -> tuple[int, ...]:
        """Shape of one row, (w,)."""
        return (self.width,)

    @property
    def kind(self) -> tuple[object, ...]:
        """What a program that expands it depends on, besides the lengths of `arrays`."""
        return "DenseBlock", self.width

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What is kept: the (n, w) numbers."""
        return (self.array,)

    @property
    def array_count(self) -> int:
        """Number of `arrays`."""
        return 1

    def __len__(self) -> int:
        return len(self.array)

    def take(self, rows: slice | Array) -> DenseBlock:
        """Return the rows as they are kept."""
        return DenseBlock(self.array[rows])

    def dense(self) -> Array:
        """Return (n, w) float32."""
        return self.array

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        """Return (b, w) on the backend's device; see `Encoded.expand`."""
        from keras import ops

        return ops.take(arrays[0], rows, axis=0)


@dataclass(frozen=True)
class SparseBlock:
    """Features that are nearly all 0: the places of the others, which are 1 or have values.

    Args:
        places: (m,) uint16 or int32, the features that are not 0, row after row, each row's
            ascending.
        splits: (n + 1,) int64; row i has `places[splits[i] : splits[i + 1]]`.
        width: w.
        values: (m,) float32, what stands at the places; None: ones.
    """

    places: Array
    splits: Array
    width: int
    values: Array | None = None

    def __len__(self) -> int:
        return len(self.splits) - 1

    @property
    def entry(self) -> tuple[int, ...]:
        """Shape of one row, (w,)."""
        return (self.width,)

    @property
    def kind(self) -> tuple[object, ...]:
        """What a program that expands it depends on, besides the lengths of `arrays`."""
        return "SparseBlock", self.width, self.values is not None

    @property
    def longest(self) -> int:
        """Most ones of a row, rounded up to a power of two so that it is alike in many folds."""
        most = int(np.diff(self.splits).max(initial=1))
        return min(1 << max(0, most - 1).bit_length(), self.width)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What a compiled program takes: (m + 1,) places, (n + 1,) int32 splits, as many int32
        numbers from 0 as a row may have places, and (m + 1,) values where there are any.

        The last place belongs to no row, so that there always is one.
        """
        counted = np.arange(self.longest, dtype=np.int32)
        kept = (_with_end(self.places), self.splits.astype(np.int32), counted)
        return kept if self.values is None else (*kept, _with_end(self.values))

    @property
    def array_count(self) -> int:
        """Number of `arrays`."""
        return 3 if self.values is None else 4

    def take(self, rows: slice | Array) -> SparseBlock:
        """Return the rows as they are kept."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                splits = self.splits[start : max(start, stop) + 1]
                return self._part(slice(splits[0], splits[-1]), splits - splits[0])
            rows = np.arange(start, stop, step)
        starts = self.splits[:-1][rows]
        counts = self.splits[1:][rows] - starts
        splits = _splits(counts)
        shifts = np.repeat(starts - splits[:-1], counts)
        return self._part(np.arange(splits[-1]) + shifts, splits)

    def dense(self) -> Array:
        """Return (n, w) float32."""
        dense = np.zeros((len(self), self.width), np.float32)
        values = 1 if self.values is None else self.values
        dense[np.repeat(np.arange(len(self)), np.diff(self.splits)), self.places] = values
        return dense

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        """Return (b, w) on the backend's device; see `Encoded.expand`."""
        return _expanded(self.width, rows, *arrays)

    def _part(self, kept: slice | Array, splits: Array) -> SparseBlock:
        values = None if self.values is None else self.values[kept]
        return SparseBlock(self.places[kept], splits, self.width, values)


@dataclass(frozen=True, eq=False)
class ByteBlock:
    """A block of `Encoded`: pictures, a quarter as large as the numbers that the model gets.

    Args:
        array: (n, ...) uint8.
        table: (256,) float32, what each byte becomes.
    """

    array: Array
    table: Array

    def __len__(self) -> int:
        return len(self.array)

    @property
    def entry(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.array.shape[1:]

    @property
    def kind(self) -> tuple[object, ...]:
        """What a program that expands it depends on, besides the lengths of `arrays`."""
        return "ByteBlock", *self.entry

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What is kept: the (n, ...) uint8 bytes and the (256,) float32 table."""
        return self.array, self.table

    @property
    def array_count(self) -> int:
        """Number of `arrays`."""
        return 2

    def take(self, rows: slice | Array) -> ByteBlock:
        """Return the rows as they are kept."""
        return ByteBlock(self.array[rows], self.table)

    def dense(self) -> Array:
        """Return (n, ...) float32."""
        return self.table[self.array]

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        """Return (b, ...) float32 on the backend's device; see `Encoded.expand`."""
        from keras import ops

        array, table = arrays
        return ops.take(table, ops.cast(ops.take(array, rows, axis=0), "int32"), axis=0)


Block = DenseBlock | SparseBlock | Windows | ByteBlock


@dataclass(frozen=True)
class Encoded:
    """(n, f) or (n, t, f) inputs that are kept small: zeros take no memory, windows share rows.

    It is indexed like an array, by a slice or by positions, and then gives the rows as the model
    sees them. A compiled program takes `arrays` instead and makes each batch with `expand`.

    Args:
        blocks: The features from left to right.
    """

    blocks: tuple[Block, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, f) or (n, t, f)."""
        first = self.blocks[0].entry
        return len(self), *first[:-1], sum(block.entry[-1] for block in self.blocks)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the model sees: always float32."""
        return np.dtype(np.float32)

    @property
    def kind(self) -> tuple[object, ...]:
        """What a program that expands it depends on, besides the lengths of `arrays`."""
        return tuple(block.kind for block in self.blocks)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What is kept, block after block."""
        return tuple(array for block in self.blocks for array in block.arrays)

    def __len__(self) -> int:
        return len(self.blocks[0])

    def __getitem__(self, rows: slice | Array) -> Array:
        """Return rows as the model sees them, (b, ...) float32."""
        parts = [block.take(rows).dense() for block in self.blocks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def take(self, rows: slice | Array) -> Encoded:
        """Return the rows as they are kept."""
        return Encoded(tuple(block.take(rows) for block in self.blocks))

    def expand(self, arrays: Sequence[Any], rows: Any) -> Any:
        """Return a batch as the model sees it, (b, ...) float32, on the backend's device.

        Args:
            arrays: `arrays`, of these inputs or of others of the same `kind`, as tensors.
            rows: (b,) int32 row numbers, a tensor.
        """
        from keras import ops

        left, parts = list(arrays), []
        for block in self.blocks:
            own, left = left[: block.array_count], left[block.array_count :]
            parts.append(block.expand(own, rows))
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def sparse_ones(zeros_and_ones: Array) -> SparseBlock:
    """Return (n, w) uint8 zeros and ones by the places of the ones."""
    width = int(zeros_and_ones.shape[1])
    flat = np.ascontiguousarray(zeros_and_ones).view(bool).ravel()
    places = (np.flatnonzero(flat) % width).astype(_place_type(width))
    return SparseBlock(places, _splits(np.count_nonzero(zeros_and_ones, axis=1)), width)


def sparse_values(numbers: Array) -> SparseBlock:
    """Return (n, w) float32 that is nearly all 0 by the places and values of the rest."""
    width = int(numbers.shape[1])
    flat = np.ascontiguousarray(numbers, np.float32).reshape(-1)
    kept = np.flatnonzero(flat)
    places = (kept % width).astype(_place_type(width))
    return SparseBlock(places, _splits(np.count_nonzero(numbers, axis=1)), width, flat[kept])


def concatenated_blocks(parts: Sequence[SparseBlock]) -> SparseBlock:
    """Return the rows of all parts, one after another."""
    counts = np.concatenate([np.diff(part.splits) for part in parts])
    places = np.concatenate([part.places for part in parts])
    values = [part.values for part in parts if part.values is not None]
    return SparseBlock(
        places, _splits(counts), parts[0].width, np.concatenate(values) if values else None
    )


def _place_type(width: int) -> Any:
    return np.uint16 if width <= 2**16 else np.int32


def _with_end(array: Array) -> Array:
    return np.concatenate([array, np.zeros(1, array.dtype)])


def _splits(counts: Array) -> Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _expanded(
    width: int, rows: Any, places: Any, splits: Any, counted: Any, values: Any = None
) -> Any:
    """A batch by a scatter whose shapes are known before the values: XLA needs that."""
    from keras import ops

    starts, ends = ops.take(splits, rows)[:, None], ops.take(splits, rows + 1)[:, None]
    at = starts + counted[None]
    of_row = ops.where(at < ends, at, 0)
    found = ops.cast(ops.take(places, of_row), "int32")
    # What is no place of this row goes to a column that is cut off.
    columns = ops.where(at < ends, found, width)
    count = ops.shape(rows)[0]
    numbers = ops.broadcast_to(ops.arange(count, dtype="int32")[:, None], ops.shape(columns))
    indices = ops.reshape(ops.stack([numbers, columns], axis=-1), (-1, 2))
    if values is None:
        scattered = ops.ones((count * ops.shape(counted)[0],), "float32")
    else:
        scattered = ops.reshape(ops.take(values, of_row), (-1,))
    return ops.scatter(indices, scattered, (count, width + 1))[:, :width]
