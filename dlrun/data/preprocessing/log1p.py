"""The logarithm of 1 + x, for amounts that span orders of magnitude."""

from __future__ import annotations

import numpy as np

from dlrun.data.samples import Array, Columns
from dlrun.data.step import RowError, State, Step, choose_columns, first_row_where, float_type


class Log1p(Step):
    """Computes the natural logarithm of 1 + x; learns nothing.

    Suits numeric columns without negative values; the result is float32 where that holds the
    column's values exactly, else float64. NaN stays NaN.
    """

    def fit(self, features: Columns) -> State:
        chosen = choose_columns(self, features, ["numeric"])
        for name in chosen:
            _refuse_negative(name, features[name])
        return {"columns": chosen}

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            column = features[name]
            _refuse_negative(name, column)
            result[name] = np.log1p(column.astype(float_type(column)))
        return result


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
