"""A row-wise function applied to many rows a batch at a time, to save memory.

Legend: n rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from dlrun.data.encoded import (
    ByteBlock,
    DenseBlock,
    Encoded,
    SparseBlock,
    concatenated_blocks,
    sparse_ones,
    sparse_values,
)
from dlrun.data.lazy import blocks, in_memory, take_rows
from dlrun.data.samples import Array, Columns
from dlrun.data.step import FittedStep, Step, Storage, to_float
from dlrun.data.stored import ColumnWriter
from dlrun.errors import RowError

CHUNK_BYTES = 4 * 2**20
"""About how much memory the rows of one batch take, before or after the function."""


def map_rows(function: Callable[[Columns], Columns], columns: Columns, count: int) -> Columns:
    """Return `function(columns)`, holding no more in memory than its result and a batch.

    A column that the function passes on as it is is not copied: it is the same array. Where a
    column stays on disk, so do those that the function makes.

    Args:
        function: Keeps row count and order, and treats each row separately (see `Step`).
        columns: n rows each.
        count: n.

    Raises:
        RowError: The function raised one; its position counts all rows.
    """
    hold = all(map(in_memory, columns.values()))
    writers: dict[str, ColumnWriter | _ArrayWriter] = {}
    names: list[str] = []
    for rows, batch, result in batches(function, columns, count):
        if hold and rows == slice(0, count):
            return result
        names = list(result)
        for name, column in result.items():
            if name not in writers and column is not batch.get(name):
                # It is the first batch that the function changes.
                shape = column.shape[1:]
                writers[name] = (
                    _ArrayWriter(column.dtype, shape, count)
                    if hold
                    else ColumnWriter(column.dtype, shape)
                )
                if rows.start:
                    for block in blocks(take_rows(columns[name], slice(rows.start))):
                        writers[name].write(block)
            if name in writers:
                writers[name].write(column)
    return {n: writers[n].column() if n in writers else columns[n] for n in names}


class _ArrayWriter:
    """Writes a column block by block to an array."""

    def __init__(self, dtype: np.dtype[Any], row_shape: tuple[int, ...], count: int) -> None:
        self._array = np.empty((count, *row_shape), dtype)
        self._count = 0

    def write(self, block: Array) -> None:
        """Append rows."""
        self._array[self._count : self._count + len(block)] = block
        self._count += len(block)

    def column(self) -> Array:
        """Return what was written."""
        return self._array


def batches(
    function: Callable[[Columns], Columns], columns: Columns, count: int
) -> Iterator[tuple[slice, Columns, Columns]]:
    """Yield which rows a batch is, the batch, and what the function makes of it.

    Where one batch holds all rows, it holds the given arrays themselves.

    Raises:
        RowError: The function raised one; its position counts all rows.
    """
    probe = _take(columns, 0, 1)
    rows = max(1, CHUNK_BYTES // max(1, _row_bytes(probe, function(probe))))
    if rows >= count:
        whole = {n: c if in_memory(c) else c[:] for n, c in columns.items()}
        yield slice(0, count), whole, function(whole)
        return
    for start in range(0, count, rows):
        batch = _take(columns, start, start + rows)
        try:
            result = function(batch)
        except RowError as error:
            raise error.at(start + error.position) from None
        yield slice(start, min(start + rows, count)), batch, result


def _take(columns: Columns, start: int, stop: int) -> Columns:
    return {name: column[start:stop] for name, column in columns.items()}


def _row_bytes(*rows: Columns) -> int:
    """Bytes of one row, the largest of several forms of it."""
    return max(sum(column.nbytes for column in columns.values()) for columns in rows)


SMALL_BYTES = 16 * 2**20
"""Inputs that take no more than this as float32 stay plain arrays."""


class Encoder:
    """Collects the inputs of n rows batch by batch; all of them never exist as dense numbers.

    Args:
        made: The columns that the steps make, in order: shape of one row.
        storage: How each of them is stored; those not named as `dense`.
        count: n.
    """

    def __init__(
        self, made: Mapping[str, tuple[int, ...]], storage: Mapping[str, Storage], count: int
    ) -> None:
        self._made = made
        grouped = groupby(made, key=lambda name: storage.get(name, "dense"))
        self._groups = {tuple(names): how for how, names in grouped}
        self._dense = {
            names: np.empty((count, sum(math.prod(made[name]) for name in names)), np.float32)
            for names, how in self._groups.items()
            if how == "dense"
        }
        self._sparse: dict[tuple[str, ...], list[SparseBlock]] = {
            names: [] for names in self._groups if names not in self._dense
        }

    def add(self, rows: slice, columns: Columns) -> None:
        """Store a batch of rows as the steps made them."""
        for names, how in self._groups.items():
            beside = join_columns([columns[name] for name in names])
            if how == "dense":
                self._dense[names][rows] = to_float(beside)
            else:
                encode = sparse_ones if how == "ones" else sparse_values
                self._sparse[names].append(encode(beside))

    def dense_columns(self) -> Columns:
        """The dense columns of all rows, (n, w) float32 each."""
        columns: Columns = {}
        for names, array in self._dense.items():
            columns |= split_columns(array, {name: self._made[name] for name in names})
        return columns

    def inputs(self) -> Encoded:
        """All rows."""
        blocks = [
            DenseBlock(self._dense[names])
            if names in self._dense
            else concatenated_blocks(self._sparse[names])
            for names in self._groups
        ]
        return Encoded(tuple(blocks))


def is_large(made: Mapping[str, tuple[int, ...]], count: int) -> bool:
    """Whether this many rows would take more than `SMALL_BYTES` as float32."""
    return 4 * count * sum(math.prod(shape) for shape in made.values()) > SMALL_BYTES


def split_columns(beside: Array, made: Mapping[str, tuple[int, ...]]) -> Columns:
    """Return the columns, (n, w) each, that are side by side in an (n, f) array."""
    widths = [math.prod(shape) for shape in made.values()]
    return dict(zip(made, np.split(beside, np.cumsum(widths)[:-1], axis=1), strict=True))


def join_columns(columns: Sequence[Array]) -> Array:
    """Return columns (n,) or (n, w) as one (n, f) array."""
    parts = [column if column.ndim == 2 else column[:, np.newaxis] for column in columns]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def byte_block_of(
    steps: Sequence[FittedStep[Step]], columns: Columns, made: Mapping[str, tuple[int, ...]]
) -> ByteBlock | None:
    """Return an input of one column of bytes by what the steps make of each byte; None where it is
    none, or a step that works on it does more than that and giving entries another shape.

    Args:
        steps: In order.
        columns: All columns, before the steps.
        made: The columns of the input, after the steps.
    """
    if len(made) != 1:
        return None
    (name,) = made
    array, own = columns.get(name), [fitted for fitted in steps if name in fitted.state["columns"]]
    if not changes_numbers_alone(own) or array is None or array.dtype != np.uint8 or array.ndim < 2:
        return None
    table = np.arange(256, dtype=np.uint8)
    for fitted in own:
        state = {**fitted.state, "columns": [name]}
        if fitted.step.changes == "numbers":
            table = fitted.step.apply({name: table}, state)[name]
        else:
            array = fitted.step.apply({name: array}, state)[name]
    if table.dtype == np.uint8:
        return None
    table = to_float(table)
    return ByteBlock(array, table) if np.isfinite(table).all() else None


def changes_numbers_alone(steps: Sequence[FittedStep[Step]]) -> bool:
    """Whether the steps change only each number, the same at every place, and shapes."""
    return all(fitted.step.changes != "rows" for fitted in steps)
