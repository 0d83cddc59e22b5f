"""Values cut off at a least and a largest one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import model_validator

from dlrun.data.samples import Array
from dlrun.data.step import Changes, State, Step, float_type


class Clip(Step):
    """Replaces values below `min` by `min` and values above `max` by `max`; learns nothing.

    Suits numeric columns. The dtype is kept where it can hold both ends; NaN stays NaN.
    """

    changes: ClassVar[Changes] = "numbers"

    min: float | None = None
    """Smallest value that remains."""

    max: float | None = None
    """Largest value that remains."""

    @model_validator(mode="after")
    def _has_ends(self) -> Clip:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        if self.min is not None and self.max is not None and not self.min <= self.max:
            raise ValueError(f"`min` ({self.min:g}) is above `max` ({self.max:g})")
        return self

    def transform(self, name: str, column: Array, state: State) -> Array:
        dtype = self._dtype(column)
        ends = [None if end is None else dtype.type(end) for end in (self.min, self.max)]
        return np.clip(column.astype(dtype, copy=False), *ends)

    def _dtype(self, column: Array) -> np.dtype:
        """The column's own dtype where it holds both ends exactly, else a float type."""
        if column.dtype.kind == "f":
            return column.dtype
        if column.dtype.kind in "iu":
            limits = np.iinfo(column.dtype)
            ends = [end for end in (self.min, self.max) if end is not None]
            if all(float(end).is_integer() and limits.min <= end <= limits.max for end in ends):
                return column.dtype
        return float_type(column)
