"""Weights of classes and rows in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from dlrun.data.samples import Samples, Task
from dlrun.errors import DataError
from dlrun.registry.names import did_you_mean

Array = np.ndarray

SHOWN = 10
"""Classes that a message lists at most."""


def class_weights(
    given: Literal["balanced"] | Mapping[str | int, float] | None,
    targets: Array,
    task: Task,
    names: Sequence[str],
) -> dict[int, float] | None:
    """Return the weight of each class index in the loss.

    Args:
        given: `balanced` (n / (classes * rows of the class), scikit-learn's rule), a mapping
            from class name or index, or None.
        targets: (n,) class indices or (n, k) one-hot rows that are trained on.
        task: What is predicted.
        names: Class names in the order of their indices; empty where they have none.

    Raises:
        DataError: The target has no classes, or a class of the mapping does not exist.
    """
    if given is None:
        return None
    if task not in ("binary", "multiclass"):
        raise DataError(f"class_weight needs one target with classes; this task is {task}")
    labels = _labels(targets)
    if given == "balanced":
        present, counts = np.unique(labels, return_counts=True)
        return {
            int(label): len(labels) / (len(present) * int(count))
            for label, count in zip(present, counts, strict=True)
        }
    return {_index(name, names, int(labels.max())): float(weight) for name, weight in given.items()}


def weighted_by_class(
    weights: Array | None, class_weight: dict[int, float] | None, targets: Array
) -> tuple[Array | None, dict[int, float] | None]:
    """Return what Keras' `fit` takes, which is either row weights or class weights.

    Where a config gives both, a row counts by the product of the two.

    Args:
        weights: (n,) float32 weights of the rows, or None.
        class_weight: Weight of each class index, or None.
        targets: (n,) class indices or (n, k) one-hot rows.
    """
    if weights is None or class_weight is None:
        return weights, class_weight
    labels = _labels(targets)
    by_class = np.array([class_weight.get(int(label), 1.0) for label in labels], np.float32)
    return weights * by_class, None


def _labels(targets: Array) -> Array:
    """(n,) int64 class indices of (n,), (n, 1) or one-hot (n, k) targets."""
    one_hot = targets.ndim == 2 and targets.shape[1] > 1
    return (targets.argmax(axis=1) if one_hot else targets).ravel().astype(np.int64)


def _index(name: str | int, names: Sequence[str], largest: int) -> int:
    if str(name) in names:
        return names.index(str(name))
    # Where the labels themselves are numbers, a number is a label and never an index.
    are_numbers = bool(names) and all(known.lstrip("-").isdigit() for known in names)
    if isinstance(name, int) and not are_numbers and 0 <= name <= max(largest, len(names) - 1):
        return name
    known = names or [str(index) for index in range(largest + 1)]
    some = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
    raise DataError(
        f"class_weight names the class '{name}', which the target does not have"
        f"{did_you_mean(str(name), known) or f'; its classes are {some}'}"
    )


def sample_weights(column: str | None, samples: Samples) -> Array | None:
    """Return the weight of each row in the loss, (n,) float32; None where rows have none.

    Test files may do without the column of the weights.

    Raises:
        DataError: The column holds no numbers, or a weight is negative, missing or infinite;
            names the row.
    """
    if column is None or column not in samples.extras:
        return None
    values = samples.extras[column]
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"sample_weight column '{column}' holds '{values[0]}' in row {samples.rows[0]}; "
            "weights must be numbers"
        )
    weights = np.asarray(values, np.float32)
    bad = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if bad.size:
        raise DataError(
            f"sample_weight column '{column}' holds {weights[bad[0]]} in row "
            f"{samples.rows[bad[0]]}; weights must be finite, and 0 or more"
        )
    return weights
