"""A quantity to predict with mean 0 and standard deviation 1."""

from __future__ import annotations

import numpy as np

from dlrun.data.fitting.scaled_target import ScaledTarget, refuse_classes
from dlrun.data.fitting.statistics import as_state, moments
from dlrun.data.samples import Array
from dlrun.data.step import State


class StandardizeTarget(ScaledTarget):
    """Subtracts the mean and divides by the standard deviation of the training rows, each target
    column by itself, of a series all `steps_ahead` of a target alike; scores and predictions come
    back in the target's own unit. Rows of weight 0 and masked steps do not count."""

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        refuse_classes(self, target, classes)
        mean, std = moments(target, (0,))
        return {"mean": as_state(mean), "std": as_state(std)}

    def shift_and_scale(self, state: State) -> tuple[Array, Array]:
        return np.asarray(state["mean"], np.float64), np.asarray(state["std"], np.float64)
