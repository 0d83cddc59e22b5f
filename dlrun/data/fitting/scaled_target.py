"""Quantities to predict that are shifted and scaled, and the way back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlrun.data.samples import Array
from dlrun.data.step import State, TargetStep, to_float
from dlrun.errors import DataError


class ScaledTarget(TargetStep):
    """Base of steps that subtract a number of each target column and divide by another."""

    suits = ("regression",)
    changes_unit = True

    @abstractmethod
    def shift_and_scale(self, state: State) -> tuple[Array, Array]:
        """Return what is subtracted, and what is then divided by, float64 of the columns' shape."""

    def apply(self, target: Array, state: State) -> Array:
        """Return float32 of the same shape."""
        shift, scale = self.shift_and_scale(state)
        return to_float(np.asarray((target - shift) / scale))

    def numbers(self, state: State) -> list[Array]:
        shift, scale = self.shift_and_scale(state)
        return [shift, scale, self.apply(np.zeros_like(shift), state)]

    def restore(self, values: Any, numbers: Sequence[Any], xp: Any) -> Any:
        """Return values of the same shape; a last axis of 1 that the targets lack stays.

        A target of 0 is 0 again, and not nearly 0, by which percentage errors would be divided.
        """
        shift, scale, zero = numbers
        if len(scale.shape) and len(values.shape) == len(scale.shape) + 2:
            shift, scale, zero = shift[..., None], scale[..., None], zero[..., None]
        return xp.where(xp.equal(values, zero), 0.0, values * scale + shift)


def refuse_classes(step: TargetStep, target: Array, classes: tuple[str, ...] | None) -> None:
    """Refuse a target that holds classes.

    Raises:
        DataError: It does.
    """
    if target.dtype == object or classes:
        name = step.member_name()
        raise DataError(f"{name} needs quantities, found classes; leave it out of `targets`")
