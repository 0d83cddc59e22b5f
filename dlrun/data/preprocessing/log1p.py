"""The logarithm of 1 + x, for amounts that span orders of magnitude."""

from __future__ import annotations

import numpy as np

from dlrun.data.samples import Array
from dlrun.data.step import State, Step, first_row_where, float_type
from dlrun.errors import RowError


class Log1p(Step):
    """Computes the natural logarithm of 1 + x; learns nothing.

    Suits numeric columns without negative values; the result is float32 where that holds the
    column's values exactly, else float64. NaN stays NaN.
    """

    def learn(self, name: str, column: Array) -> State:
        _refuse_negative(name, column)
        return {}

    def transform(self, name: str, column: Array, state: State) -> Array:
        _refuse_negative(name, column)
        return np.log1p(column.astype(float_type(column)))


def _refuse_negative(name: str, column: Array) -> None:
    position = first_row_where(lambda values: values < 0, column)
    if position is not None:
        (row,) = column[position : position + 1]
        value = row[row < 0].ravel()[0]
        raise RowError(
            f"log1p: column '{name}' holds {value}",
            position,
            "only values of at least 0 have a place here: add `clip: 0` before it, or name the "
            "columns to take",
        )
