"""Entries of any shape as vectors."""

from __future__ import annotations

import math
from typing import ClassVar

from dlrun.data.samples import Array
from dlrun.data.step import Changes, State, Step


class Flatten(Step):
    """Makes (n, ...) arrays (n, f), in the order of C; learns nothing.

    Suits numeric columns; one number a row becomes a vector of one.
    """

    changes: ClassVar[Changes] = "shapes"

    def transform(self, name: str, column: Array, state: State) -> Array:
        return column.reshape(len(column), math.prod(column.shape[1:]))
