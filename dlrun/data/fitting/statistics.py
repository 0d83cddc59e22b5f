"""Statistics of columns that may hold NaN: which entries share one, mean and spread.

Legend: n rows; an entry is what one row holds, of any shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlrun.data.samples import Array, Columns
from dlrun.data.step import LARGEST, Step, refuse_infinite, shape_text
from dlrun.errors import DataError

_BLOCK_BYTES = 16 * 2**20
_ROUNDING = 10 * np.finfo(np.float64).eps

Axis = int | list[int] | None


def shared_axes(step: Step, column: str, values: Array, axis: Axis) -> tuple[int, ...]:
    """Return the axes over which one statistic is shared; axis 0, the rows, is always one.

    Args:
        step: For messages.
        column: For messages.
        values: (n, ...) numbers.
        axis: As in Keras' `Normalization`: the axis or axes of which each index has its
            own statistic. None: each feature of an (n, f) array has its own, all
            entries of an array of more axes share one. An empty list: all share one.

    Raises:
        DataError: The column has no such axis, or it is the rows.
    """
    count = values.ndim
    if axis is None:
        return (0,) if count <= 2 else tuple(range(count))
    kept = set()
    for given in [axis] if isinstance(axis, int) else axis:
        position = given + count if given < 0 else given
        if not 0 < position < count:
            expected = f"1 to {count - 1}, or -1 to {1 - count}" if count > 2 else "1 or -1"
            if count == 1:
                expected = "no axis, as it holds one number a row"
            raise DataError(
                f"{step.member_name()}: axis {given} does not fit column '{column}' of shape "
                f"{shape_text(values)}; expected {expected} (axis 0 is the rows)"
            )
        kept.add(position)
    return tuple(position for position in range(count) if position not in kept)


def statistic_axes(step: Step, column: str, values: Array, axis: Axis) -> tuple[int, ...]:
    """`shared_axes` of a column of which every statistic can be computed.

    Raises:
        DataError: A value is infinite or too large, or a statistic has no value to be learnt from.
    """
    refuse_infinite(step, f"column '{column}'", values, "fix the data, or add `clip` before it")
    axes = shared_axes(step, column, values, axis)
    empty = counts(values, axes) == 0
    if empty.any():
        index = [int(position) for position in np.argwhere(empty[0])[0]]
        entry = index[0] if len(index) == 1 else index
        where = "" if empty.size == 1 else f" (entry {entry} of each row)"
        raise DataError(
            f"{step.member_name()}: column '{column}' has no value in the training rows{where}, so "
            "there is nothing to learn; leave the column out, or use `impute: zero` before it"
        )
    return axes


def counts(values: Array, axes: tuple[int, ...]) -> Array:
    """Number of values that are not NaN, of the shape that broadcasts over the rows."""
    return sum(
        ((~np.isnan(block)).sum(axis=axes, keepdims=True) for block in _blocks(values)),
        start=np.zeros(_shape(values, axes), np.int64),
    )


def moments(values: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return mean and population standard deviation, ignoring NaN, in float64, each of the shape
    (1, ...) that broadcasts over the rows.

    Where the values differ in no more than their last digits, the standard deviation is 1. Two
    passes with the correction of Chan, Golub and LeVeque, "Algorithms for computing the sample
    variance" (1983), which stays exact far from zero.

    Args:
        values: (n, ...) numbers without infinities. Of no value the mean is 0.
        axes: From `shared_axes`.
    """
    number = np.maximum(counts(values, axes), 1)
    mean = sum((np.nansum(b, axis=axes, keepdims=True) for b in _blocks(values)), 0.0) / number
    drift, squares = np.zeros_like(mean), np.zeros_like(mean)
    for block in _blocks(values):
        deviation = block - mean
        drift += np.nansum(deviation, axis=axes, keepdims=True)
        squares += np.nansum(np.square(deviation, out=deviation), axis=axes, keepdims=True)
    mean += drift / number
    variance = np.maximum(squares - drift**2 / number, 0.0) / number
    std = np.sqrt(variance)
    return mean, np.where(std <= _ROUNDING * np.abs(mean), 1.0, std)


def moments_of_columns(columns: Columns) -> dict[str, tuple[float, float]]:
    """Return mean and deviation of (n,) columns, digit for digit as `moments` of each by itself,
    which takes long for thousands of columns. Long columns, which are read a block at a time, are
    left out, and those whose statistics cannot be computed."""
    found: dict[str, tuple[float, float]] = {}
    short = {name: c for name, c in columns.items() if 8 * len(c) <= _BLOCK_BYTES}
    for names, rows in stacked(short):
        usable = (np.abs(rows) <= LARGEST).any(axis=1) & ~(np.abs(rows) > LARGEST).any(axis=1)
        mean, std = moments(rows[usable], (1,))
        kept = [name for name, keep in zip(names, usable, strict=True) if keep]
        found |= zip(
            kept, zip(mean.ravel().tolist(), std.ravel().tolist(), strict=True), strict=True
        )
    return found


def stacked(columns: Columns) -> Iterator[tuple[list[str], Array]]:
    """Yield the names of a few (n,) columns and their values as (f, n) float64, one column a row;
    so many at a time that they are one block."""
    names = list(columns)
    size = max(1, _BLOCK_BYTES // (8 * max(1, len(columns[names[0]])))) if names else 1
    for start in range(0, len(names), size):
        some = names[start : start + size]
        yield some, np.stack([columns[name] for name in some]).astype(np.float64, copy=False)


def extremes(values: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return least and largest value, ignoring NaN, in float64; see `moments` for the shapes."""
    low = np.full(_shape(values, axes), np.inf)
    high = -low
    for block in _blocks(values):
        low = np.minimum(low, np.fmin.reduce(block, axis=axes, keepdims=True, initial=np.inf))
        high = np.maximum(high, np.fmax.reduce(block, axis=axes, keepdims=True, initial=-np.inf))
    return low, high


def spread(low: Array, high: Array) -> Array:
    """Return `high - low`, and 1 where the two differ in no more than their last digits."""
    distance = high - low
    size = np.maximum(np.abs(low), np.abs(high))
    return np.where(distance <= _ROUNDING * size, 1.0, distance)


def as_state(statistic: Array) -> float | Array:
    """A statistic as it is kept in a step's state: one number as a float, more as (...) float64."""
    return float(statistic.item()) if statistic.size == 1 else statistic[0]


def _shape(values: Array, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if axis in axes else size for axis, size in enumerate(values.shape))


def _blocks(values: Array) -> Iterator[Array]:
    """The rows as float64, a batch at a time, so that no second copy of a large array is held."""
    row_bytes = max(1, int(np.prod(values.shape[1:]))) * 8
    rows = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, len(values), rows):
        yield values[start : start + rows].astype(np.float64)
