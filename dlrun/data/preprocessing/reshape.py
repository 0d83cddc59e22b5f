"""Entries brought into another shape."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import field_validator

from dlrun.data.samples import Array
from dlrun.data.step import Changes, State, Step
from dlrun.errors import DataError
from dlrun.text import counted


class Reshape(Step):
    """Gives each row's values another shape, in the order of C; learns nothing.

    Suits numeric columns. It works on each column separately; the columns of a table are
    joined after all steps, so that they are reshaped together by Keras' `Reshape` layer.
    """

    changes: ClassVar[Changes] = "shapes"

    target_shape: list[int]
    """Shape of one row without the rows' axis; one of the numbers may be -1 (what is left)."""

    @field_validator("target_shape")
    @classmethod
    def _is_shape(cls, shape: list[int]) -> list[int]:
        if not shape or any(size < 1 and size != -1 for size in shape) or shape.count(-1) > 1:
            raise ValueError("expected positive whole numbers, at most one of them -1")
        return shape

    def learn(self, name: str, column: Array) -> State:
        size = math.prod(column.shape[1:])
        known = math.prod(number for number in self.target_shape if number != -1)
        if size % known or (size != known and -1 not in self.target_shape):
            raise DataError(
                f"reshape: column '{name}' holds {counted(size, 'value')} a row, which do not fill "
                f"{self.target_shape}; to reshape the columns of a table together, use the layer "
                "`Reshape`"
            )
        shape = [size // known if number == -1 else number for number in self.target_shape]
        return {"shapes": shape}

    def transform(self, name: str, column: Array, state: State) -> Array:
        return column.reshape(len(column), *state["shapes"][name])
