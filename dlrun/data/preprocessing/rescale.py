"""Multiplication by a constant."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import field_validator

from dlrun.data.samples import Array
from dlrun.data.step import Changes, State, Step, float_type, to_float


class Rescale(Step):
    """Computes `value * scale + offset`, as Keras' `Rescaling` layer does; learns nothing.

    Suits numeric columns; the result is float32 where that holds the column's values exactly,
    else float64.
    """

    changes: ClassVar[Changes] = "numbers"

    scale: float | str
    """Factor: a number, or a fraction such as 1/255."""

    offset: float = 0.0
    """Added after the multiplication."""

    @field_validator("scale")
    @classmethod
    def _is_number(cls, scale: float | str) -> float | str:
        _factor(scale)
        return scale

    def transform(self, name: str, column: Array, state: State) -> Array:
        scaled = column.astype("float64") * _factor(self.scale) + self.offset
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
        raise ValueError(f"expected a number or a fraction such as 1/255, found '{scale}'")
    return factor
