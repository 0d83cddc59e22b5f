"""Multiplication by a constant."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from pydantic import field_validator

from dlrun.data.samples import Array
from dlrun.data.step import Changes, State, Step, float_type, to_float
from dlrun.errors import DataError

AUTO = "auto"


class Rescale(Step):
    """Computes `value * scale + offset`, as Keras' `Rescaling` layer does.

    Suits numeric columns; the result is float32 where that holds the column's values exactly,
    else float64.
    """

    changes: ClassVar[Changes] = "numbers"

    scale: float | str
    """Factor: a number, a fraction such as 1/255, or `auto`, which brings pixels to 0 to 1: it
    divides those of 8 bits by 255, of 16 bits by 65535."""

    offset: float = 0.0
    """Added after the multiplication."""

    @field_validator("scale")
    @classmethod
    def _is_number(cls, scale: float | str) -> float | str:
        if scale != AUTO:
            _factor(scale)
        return scale

    def learn(self, name: str, column: Array) -> State:
        if self.scale != AUTO:
            return {}
        if column.dtype.kind != "u" or column.dtype.itemsize > 2:
            raise DataError(
                f"rescale: `{AUTO}` is for pixels of 8 or 16 bits, and the column '{name}' holds "
                f"{column.dtype}; give the factor, or use `minmax`"
            )
        return {"factor": self.factor_for(column.dtype)}

    def factor_for(self, dtype: np.dtype[Any]) -> float:
        """Return the factor for numbers of a type."""
        return 1 / float(np.iinfo(dtype).max) if self.scale == AUTO else _factor(self.scale)

    def transform(self, name: str, column: Array, state: State) -> Array:
        factor = state["factor"][name] if self.scale == AUTO else self.factor_for(column.dtype)
        scaled = column.astype("float64") * factor + self.offset
        return to_float(scaled, float_type(column))


def _factor(scale: float | str) -> float:
    if not isinstance(scale, str):
        return float(scale)
    numerator, _, denominator = scale.partition("/")
    try:
        factor = float(numerator) / float(denominator)
    except (ValueError, ZeroDivisionError):
        factor = math.nan
    if not math.isfinite(factor):
        raise ValueError(f"expected a number, a fraction such as 1/255, or auto; found '{scale}'")
    return factor
