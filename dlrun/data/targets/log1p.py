"""The logarithm of 1 + the target, for amounts that span orders of magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlrun.data.fitting.scaled_target import refuse_classes
from dlrun.data.samples import Array
from dlrun.data.step import State, TargetStep, first_row_where
from dlrun.errors import RowError

_LARGEST = 88.0
"""Larger outputs count as this one: float32 holds no larger exponentials."""


class Log1pTarget(TargetStep):
    """Computes the natural logarithm of 1 + the target; learns nothing. Scores and predictions come
    back in the target's own unit.

    It suits targets of at least 0 that span orders of magnitude, such as prices and counts: an
    error then counts by its ratio to the target.
    """

    suits = ("regression",)
    changes_unit = True

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        refuse_classes(self, target, classes)
        return {}

    def apply(self, target: Array, state: State) -> Array:
        """Return float32 of the same shape."""
        position = first_row_where(lambda values: values < 0, target)
        if position is not None:
            row = np.asarray(target[position])
            raise RowError(
                f"log1p: the target holds {row[row < 0].ravel()[0]}",
                position,
                "it takes targets of at least 0; use `standardize`",
            )
        return np.log1p(target.astype(np.float64)).astype(np.float32)

    def restore(self, values: Any, numbers: Sequence[Any], xp: Any) -> Any:
        return xp.expm1(xp.minimum(values, _LARGEST))
