"""A row-wise function applied to many rows a batch at a time, to save memory.

Legend: n rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlrun.data.samples import Columns
from dlrun.data.step import RowError

CHUNK_BYTES = 4 * 2**20
"""About how much memory the rows of one batch take, before or after the function."""


def map_rows(function: Callable[[Columns], Columns], columns: Columns, count: int) -> Columns:
    """Return `function(columns)`, holding no more in memory than its result and a batch.

    A column that the function passes on as it is is not copied: it is the same array.

    Args:
        function: Keeps row count and order, and treats each row by itself (see `Step`).
        columns: n rows each.
        count: n.

    Raises:
        RowError: The function raised one; its position counts all rows.
    """
    probe = _take(columns, 0, 1)
    size = _row_bytes(probe, function(probe))
    rows = max(1, CHUNK_BYTES // max(1, size))
    if rows >= count:
        return function(columns)
    collected: Columns = {}
    names: list[str] = []
    for start in range(0, count, rows):
        names = _add_batch(function, columns, slice(start, start + rows), count, collected)
    return {name: collected[name] if name in collected else columns[name] for name in names}


def _add_batch(
    function: Callable[[Columns], Columns],
    columns: Columns,
    rows: slice,
    count: int,
    collected: Columns,
) -> list[str]:
    """Put what the function makes of some rows into `collected`; return its columns' names.

    A column is collected from the first batch on in which it is no longer the one given.
    """
    batch = _take(columns, rows.start, rows.stop)
    try:
        result = function(batch)
    except RowError as error:
        raise error.at(rows.start + error.position) from None
    for name, column in result.items():
        if name not in collected and column is not batch.get(name):
            collected[name] = np.empty((count, *column.shape[1:]), column.dtype)
            if rows.start:
                collected[name][: rows.start] = columns[name][: rows.start]
        if name in collected:
            collected[name][rows] = column
    return list(result)


def _take(columns: Columns, start: int, stop: int) -> Columns:
    return {name: column[start:stop] for name, column in columns.items()}


def _row_bytes(*rows: Columns) -> int:
    """Bytes of one row, the largest of several forms of it."""
    return max(sum(column.nbytes for column in columns.values()) for columns in rows)
