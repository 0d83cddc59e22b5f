"""A given range, by default 0 to 1."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from dlrun.data.fitting.statistics import as_state, extremes, spread, statistic_axes
from dlrun.data.samples import Array
from dlrun.data.step import State, Step, to_float


def ascending(ends: list[float]) -> list[float]:
    """Refuse ends of a range that do not ascend."""
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError("expected the lower and the upper end, such as [0, 1]")
    return ends


class MinMax(Step):
    """Maps the least and the largest value of the training rows to the ends of a range.

    Suits numeric columns; the result is float32, NaN stays NaN. Other rows may lie outside the
    range. Columns without spread become the lower end, as in scikit-learn's `MinMaxScaler`.
    """

    feature_range: list[float] = Field(default=[0.0, 1.0])
    """Lower and upper end of the range."""

    axis: int | list[int] | None = None
    """Axis or axes of which each index has its own least and largest value; axis 0 is the rows.
    Default: each column of a table and each feature of an (n, f) array has its own, an array of
    more axes has one pair for all its values. An empty list: one pair for all values."""

    _ends = field_validator("feature_range")(ascending)

    def learn(self, name: str, column: Array) -> State:
        low, high = extremes(column, statistic_axes(self, name, column, self.axis))
        return {"min": as_state(low), "max": as_state(high)}

    def transform(self, name: str, column: Array, state: State) -> Array:
        lower, upper = self.feature_range
        low = np.asarray(state["min"][name], np.float64)
        share = (column - low) / spread(low, state["max"][name])
        return to_float(share * (upper - lower) + lower)
