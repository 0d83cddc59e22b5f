"""Class indices as vectors of zeros with a single one."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from dlrun.data.samples import Array, as_vector
from dlrun.data.step import RowError, State, TargetStep, first_row, shape_text
from dlrun.errors import DataError


class OneHotTarget(TargetStep):
    """Makes class indices (n,) vectors (n, k) float32, as `keras.utils.to_categorical` does, for
    losses such as `categorical_crossentropy`."""

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
            position = first_row(outside)
            raise RowError(
                f"one_hot found the label {labels[position]}",
                position,
                f"expected 0 to {size - 1}: give `num_classes`, or put `label_index` before it",
            )
        return np.eye(size, dtype=np.float32)[labels]


def _indices(target: Array) -> Array:
    """The labels as (n,) int64."""
    labels = as_vector(target)
    if labels.ndim != 1:
        raise DataError(
            f"one_hot needs one class index a row, found the shape {shape_text(target)}"
        )
    if labels.dtype == object:
        raise DataError("one_hot needs class indices, found text; put `label_index` before it")
    broken = np.floor(labels) != labels
    if broken.any():
        position = first_row(broken)
        raise RowError(
            f"one_hot found {labels[position]}",
            position,
            "class indices are whole numbers",
        )
    return labels.astype(np.int64)
