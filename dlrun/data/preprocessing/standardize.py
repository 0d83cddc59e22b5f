"""Mean 0 and standard deviation 1."""

from __future__ import annotations

import numpy as np

from dlrun.data.fitting.statistics import as_state, moments, moments_of_columns, statistic_axes
from dlrun.data.lazy import in_memory
from dlrun.data.samples import Array, Columns
from dlrun.data.step import State, Step, to_float


class Standardize(Step):
    """Subtracts the mean and divides by the standard deviation of the training rows.

    Suits numeric columns; the result is float32, NaN stays NaN. Columns without spread
    are only centred.
    """

    axis: int | list[int] | None = None
    """Axis or axes of which each index has its own mean and standard deviation, as in Keras'
    Normalization; axis 0 is the rows. Default: each column of a table and each feature of an
    (n, f) array has its own, an array of more axes has one for all its values. An empty list:
    one for all values."""

    def learn(self, name: str, column: Array) -> State:
        mean, std = moments(column, statistic_axes(self, name, column, self.axis))
        return {"mean": as_state(mean), "std": as_state(std)}

    def learn_all(self, columns: Columns) -> dict[str, State]:
        flat = {
            name: column
            for name, column in columns.items()
            if self.axis is None and in_memory(column) and column.ndim == 1
        }
        known = {
            name: State(mean=mean, std=std)
            for name, (mean, std) in moments_of_columns(flat).items()
        }
        return {
            name: known[name] if name in known else self.learn(name, column)
            for name, column in columns.items()
        }

    def transform(self, name: str, column: Array, state: State) -> Array:
        centred = column - np.asarray(state["mean"][name], np.float64)
        return to_float(centred / state["std"][name])
