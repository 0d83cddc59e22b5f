"""A given range, by default 0 to 1."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from dlrun.data.fitting.statistics import (
    counts,
    extremes,
    plain,
    require_values,
    shared_axes,
    spread,
)
from dlrun.data.samples import Columns
from dlrun.data.step import State, Step, choose_columns, refuse_infinite, to_float


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

    @field_validator("feature_range")
    @classmethod
    def _ascending(cls, ends: list[float]) -> list[float]:
        if len(ends) != 2 or not ends[0] < ends[1]:
            raise ValueError("expected the lower and the upper end, such as [0, 1]")
        return ends

    def fit(self, features: Columns) -> State:
        lows, highs = {}, {}
        chosen = choose_columns(self, features, ["numeric"])
        for name in chosen:
            column = features[name]
            refuse_infinite(self, name, column)
            axes = shared_axes(self, name, column, self.axis)
            require_values(self, name, counts(column, axes))
            low, high = extremes(column, axes)
            lows[name], highs[name] = plain(low), plain(high)
        return {"columns": chosen, "min": lows, "max": highs}

    def apply(self, features: Columns, state: State) -> Columns:
        lower, upper = self.feature_range
        result = dict(features)
        for name in state["columns"]:
            low = np.asarray(state["min"][name], np.float64)
            share = (features[name] - low) / spread(low, state["max"][name])
            result[name] = to_float(share * (upper - lower) + lower)
        return result
