"""Entries of any shape as vectors."""

from __future__ import annotations

import math
from typing import ClassVar

from dlrun.data.samples import Columns
from dlrun.data.step import Changes, State, Step, choose_columns


class Flatten(Step):
    """Makes (n, ...) arrays (n, f), in the order of C; learns nothing.

    Suits numeric columns; one number a row becomes a vector of one.
    """

    changes: ClassVar[Changes] = "shapes"

    def fit(self, features: Columns) -> State:
        return {"columns": choose_columns(self, features, ["numeric"])}

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            column = features[name]
            result[name] = column.reshape(len(column), math.prod(column.shape[1:]))
        return result
