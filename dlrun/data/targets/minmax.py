"""A quantity to predict in a given range, by default 0 to 1."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from dlrun.data.fitting.scaled_target import ScaledTarget, refuse_classes
from dlrun.data.fitting.statistics import as_state, extremes, spread
from dlrun.data.preprocessing.minmax import ascending
from dlrun.data.samples import Array
from dlrun.data.step import State


class MinMaxTarget(ScaledTarget):
    """Maps the least and the largest target of the training rows to the ends of a range, each
    target column by itself, of a series all `steps_ahead` of a target alike; scores and predictions
    come back in the target's own unit.

    It suits a last layer that gives a range, such as a sigmoid. Other rows may lie outside the
    range. Rows of weight 0 and masked steps do not count.
    """

    feature_range: list[float] = Field(default=[0.0, 1.0])
    """Lower and upper end of the range."""

    _ends = field_validator("feature_range")(ascending)

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        refuse_classes(self, target, classes)
        low, high = extremes(target, (0,))
        low, high = np.where(low > high, 0.0, [low, high])  # no value at all
        return {"min": as_state(low), "max": as_state(high)}

    def shift_and_scale(self, state: State) -> tuple[Array, Array]:
        lower, upper = self.feature_range
        low = np.asarray(state["min"], np.float64)
        scale = spread(low, np.asarray(state["max"], np.float64)) / (upper - lower)
        return low - lower * scale, scale
