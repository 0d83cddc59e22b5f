"""Mean 0 and standard deviation 1."""

from __future__ import annotations

import numpy as np

from dlrun.data.fitting.statistics import counts, moments, plain, require_values, shared_axes
from dlrun.data.samples import Columns
from dlrun.data.step import State, Step, choose_columns, refuse_infinite, to_float


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

    def fit(self, features: Columns) -> State:
        means, stds = {}, {}
        chosen = choose_columns(self, features, ["numeric"])
        for name in chosen:
            column = features[name]
            refuse_infinite(self, name, column)
            axes = shared_axes(self, name, column, self.axis)
            require_values(self, name, counts(column, axes))
            learnt = moments(column, axes)
            means[name], stds[name] = plain(learnt.mean), plain(learnt.std)
        return {"columns": chosen, "mean": means, "std": stds}

    def apply(self, features: Columns, state: State) -> Columns:
        result = dict(features)
        for name in state["columns"]:
            centred = features[name] - np.asarray(state["mean"][name], np.float64)
            result[name] = to_float(centred / state["std"][name])
        return result
