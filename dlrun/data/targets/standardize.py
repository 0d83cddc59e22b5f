"""A quantity to predict with mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlrun.data.fitting.statistics import as_state, moments
from dlrun.data.samples import Array
from dlrun.data.step import State, TargetStep
from dlrun.errors import DataError


class StandardizeTarget(TargetStep):
    """Subtracts the mean and divides by the standard deviation of the training rows, each target
    column by itself, of a series all `steps_ahead` of a target alike; scores and predictions come
    back in the target's own unit."""

    suits = ("regression",)
    changes_unit = True

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        if target.dtype == object or classes:
            raise DataError(
                "standardize needs quantities, found classes; leave it out of `targets`"
            )
        mean, std = moments(target, (0,))
        return {"mean": as_state(mean), "std": as_state(std)}

    def apply(self, target: Array, state: State) -> Array:
        """Return float32 of the same shape."""
        centred = target - np.asarray(state["mean"], np.float64)
        return (centred / state["std"]).astype(np.float32)

    def numbers(self, state: State) -> list[Array]:
        zero = self.apply(np.zeros_like(state["mean"]), state)
        return [np.asarray(state["mean"]), np.asarray(state["std"]), zero]

    def restore(self, values: Any, numbers: Sequence[Any], xp: Any) -> Any:
        """Return values of the same shape; a last axis of 1 that the targets lack stays.

        A target of 0 is 0 again, and not nearly 0, by which percentage errors would be divided.
        """
        mean, std, zero = numbers
        if len(std.shape) and len(values.shape) == len(std.shape) + 2:
            mean, std, zero = mean[..., None], std[..., None], zero[..., None]
        return xp.where(xp.equal(values, zero), 0.0, values * std + mean)
