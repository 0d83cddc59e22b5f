"""Class indices as vectors of zeros with a single one."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from dlrun.data.samples import Array
from dlrun.data.step import State, TargetStep, first_row
from dlrun.errors import DataError, RowError


class OneHotTarget(TargetStep):
    """Makes class indices vectors of k float32, as `keras.utils.to_categorical` does, for losses
    such as `categorical_crossentropy`: (n,) becomes (n, k), and a class for each step or pixel
    (n, ...) becomes (n, ..., k)."""

    suits = ("binary", "multiclass")

    num_classes: int | None = Field(default=None, ge=1)
    """Number of classes, k. Default: as many as the data has names for, else the largest label of
    the training rows + 1."""

    def fit(self, target: Array, classes: tuple[str, ...] | None) -> State:
        labels = _indices(target)
        size = self.num_classes or (len(classes) if classes else int(labels.max(initial=0)) + 1)
        return {"num_classes": size}

    def apply(self, target: Array, state: State) -> Array:
        labels, size = _indices(target), state["num_classes"]
        outside = (labels < 0) | (labels >= size)
        if outside.any():
            raise RowError(
                f"one_hot found the label {labels[outside][0]}",
                first_row(outside),
                f"expected 0 to {size - 1}: give `num_classes`, or put `label_index` before it",
            )
        return np.eye(size, dtype=np.float32)[labels]


def _indices(target: Array) -> Array:
    """The labels as int64, without a last axis of 1."""
    labels = target[..., 0] if target.ndim > 1 and target.shape[-1] == 1 else target
    if labels.dtype == object:
        raise DataError("one_hot needs class indices, found text; put `label_index` before it")
    broken = np.floor(labels) != labels
    if broken.any():
        raise RowError(
            f"one_hot found {labels[broken][0]}",
            first_row(broken),
            "class indices are whole numbers",
        )
    return labels.astype(np.int64)
