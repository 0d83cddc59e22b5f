"""Targets and predictions brought into one shape, and means over rows and steps.

Shapes: n samples, k outputs or classes, `...` further axes such as steps or pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray

EPSILON = float(np.float32(1e-7))
"""Keras' default `keras.config.epsilon()`."""

ALMOST_ONE = float(np.float32(1) - np.float32(1e-7))
"""1 - epsilon as Keras' float32 holds it: where it cuts probabilities off."""


def aligned(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    """Return both with the same rank: (n,) becomes (n, 1), and (n, ...) becomes (n, ..., 1).

    Raises:
        ValueError: They differ in shape even then.
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if predicted.ndim == 1:
        predicted = predicted[:, None]
    if true.ndim == 1 or (true.ndim == predicted.ndim - 1 and predicted.shape[-1] == 1):
        true = true[..., None]
    elif true.ndim == predicted.ndim + 1 and true.shape[-1] == 1:
        predicted = predicted[..., None]
    if true.shape != predicted.shape:
        raise ValueError(
            f"Expected y_true and y_pred of one shape. Received: y_true.shape={true.shape} and "
            f"y_pred.shape={predicted.shape}"
        )
    return true, predicted


def with_unit_axis(y_true: Array, shape: Sequence[int | None]) -> Array:
    """Return targets (n, ...) as (n, ..., 1) where the output has one unit; others as they are.

    Args:
        y_true: (n, ...) or (n, ..., k).
        shape: (n, ..., k) of the output; None for an axis of any size.
    """
    lacks_axis = y_true.ndim == len(shape) - 1 and shape[-1] == 1
    return y_true[..., None] if lacks_axis else y_true


def aligned_numbers(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    """Return both as float64 of the same rank; see `aligned`."""
    true, predicted = aligned(y_true, y_pred)
    return true.astype(np.float64), predicted.astype(np.float64)


def labels_of(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return integer labels (n, ...) from (n, ...) or (n, ..., 1) of any number dtype."""
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.ndim == predicted.ndim:
        if true.shape[-1] != 1:
            raise ValueError(
                "Expected integer labels of shape (n,) or (n, 1). Received: "
                f"y_true.shape={true.shape}"
            )
        true = true[..., 0]
    return true.astype(np.int64)


def is_sparse(y_true: ArrayLike, y_pred: ArrayLike) -> bool:
    """Tell whether `y_true` holds class indices for `y_pred` (n, ..., k) with k > 1."""
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if predicted.ndim < 2 or predicted.shape[-1] == 1:
        return False
    return true.ndim < predicted.ndim or true.shape[-1] == 1


def one_column_each(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    """Return both as (n, ..., k): class indices become one-hot rows where k > 1."""
    if is_sparse(y_true, y_pred):
        return np.eye(np.shape(y_pred)[-1])[labels_of(y_true, y_pred)], np.asarray(y_pred)
    return aligned(y_true, y_pred)


def row_weights(sample_weight: ArrayLike | None, n: int) -> Array:
    """Return the weights of n rows, (n,) or (n, ...) float64; 1 for each where none are given."""
    if sample_weight is None:
        return np.ones(n)
    weights = np.asarray(sample_weight, np.float64)
    if len(weights) != n:
        raise ValueError(f"Expected {n} sample weights. Received: {len(weights)}")
    return weights


def spread(weights: Array, values: Array, leading: int = 0) -> Array:
    """Return weights of rows or steps for each value: (n,) or (n, t) for (n, t, ...) values.

    Args:
        weights: What counts; an axis of size 1 too many at the end is left out.
        values: (n, ...), of the shape to reach.
        leading: Axes of the weights in front of those of the values.
    """
    missing = values.ndim + leading - weights.ndim
    if missing < 0:
        weights = weights.reshape(weights.shape[:missing])
    shape = (*weights.shape[:leading], *values.shape)
    return np.broadcast_to(weights.reshape(*weights.shape, *(1,) * max(missing, 0)), shape)


def row_parts(
    values: Array, sample_weight: ArrayLike | None, mask: ArrayLike | None
) -> tuple[Array, Array]:
    """Return for each row the weighted sum of its values and the sum of its weights, both (n,),
    divided by the number of its steps.

    Args:
        values: (n, ...).
        sample_weight: (n,) or (n, ...), or None.
        mask: (n, ...) which steps count, or None for all.
    """
    weights = spread(row_weights(sample_weight, len(values)), values)
    if mask is not None:
        weights = weights * spread(np.asarray(mask, np.float64), values)
    flat = (len(values), -1) if values.size else (len(values), 1)
    return (values * weights).reshape(flat).mean(axis=1), weights.reshape(flat).mean(axis=1)


def step_weights(sample_weight: ArrayLike | None, mask: ArrayLike | None) -> ArrayLike | None:
    """Return weights of rows or steps that are 0 for masked steps; None where all count alike.

    Args:
        sample_weight: (n,) or (n, ...), or None.
        mask: (n, ...) which steps count, or None for all.
    """
    if mask is None:
        return sample_weight
    counted = np.asarray(mask, np.float64)
    if sample_weight is None:
        return counted
    return counted * spread(np.asarray(sample_weight, np.float64), counted)


def mean_over_rows(
    values: Array, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None
) -> float:
    """Return the weighted mean of (n, ...) values, as `keras.metrics.Mean` takes it.

    NaN where there are no rows, or all weights are 0.
    """
    sums, weights = row_parts(values, sample_weight, mask)
    total = weights.sum()
    return float(sums.sum() / total) if total > 0 else float("nan")


def above(y_pred: ArrayLike, threshold: float) -> Array:
    """Tell which predictions lie above the threshold, compared in the predictions' own dtype."""
    predicted = np.asarray(y_pred)
    if not np.issubdtype(predicted.dtype, np.floating):
        return predicted > threshold
    return predicted > predicted.dtype.type(threshold)


def sigmoid(logits: ArrayLike) -> Array:
    """Return 1 / (1 + exp(-x)), float64, without overflow."""
    values = np.asarray(logits, np.float64)
    return np.exp(-np.logaddexp(0.0, -values))


def log_softmax(logits: ArrayLike) -> Array:
    """Return the logarithm of the softmax over the last axis, float64, without overflow."""
    values = np.asarray(logits, np.float64)
    return values - np.logaddexp.reduce(values, axis=-1, keepdims=True)
