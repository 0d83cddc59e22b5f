"""Right and wrong classes, with Keras' rules.

y_true is (n, ...) or (n, ..., 1) of class indices or 0/1, or (n, ..., k) one-hot or multi-hot;
y_pred is (n, ..., 1) or (n, ..., k) of probabilities. Each gives (n, ...), one value for each row
or step, if nothing else is said. Source of all formulas: keras.metrics and keras.losses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import (
    EPSILON,
    Array,
    above,
    aligned,
    aligned_numbers,
    is_sparse,
    labels_of,
    one_column_each,
    row_weights,
    spread,
)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.5) -> Array:
    """Right or not, by the kind of accuracy that `compile` takes for these shapes."""
    predicted = np.asarray(y_pred)
    if predicted.ndim == 1 or predicted.shape[-1] == 1:
        return binary_accuracy(y_true, predicted, threshold=threshold)
    if is_sparse(y_true, predicted):
        return sparse_categorical_accuracy(y_true, predicted)
    return categorical_accuracy(y_true, predicted)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.5) -> Array:
    """1 for each output that lies on the right side of the threshold, (n, ..., k)."""
    true, predicted = aligned(y_true, y_pred)
    return (above(predicted, threshold) == true).astype(np.float64)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where the largest output is at the one of the one-hot row."""
    true, predicted = aligned(y_true, y_pred)
    return (true.argmax(axis=-1) == predicted.argmax(axis=-1)).astype(np.float64)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where the largest output is at the class index."""
    predicted = np.asarray(y_pred)
    return (labels_of(y_true, predicted) == predicted.argmax(axis=-1)).astype(np.float64)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 5) -> Array:
    """1 where the class of the one-hot row is among the k largest outputs."""
    true, predicted = aligned(y_true, y_pred)
    return _in_top_k(true.argmax(axis=-1), predicted, k)


def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """1 where the class index is among the k largest outputs; with `from_sorted_ids`, where it is
    among the first k outputs, which are class indices then."""
    predicted = np.asarray(y_pred)
    labels = labels_of(y_true, predicted)
    if from_sorted_ids:
        return (predicted[..., :k] == labels[..., None]).any(axis=-1).astype(np.float64)
    return _in_top_k(labels, predicted, k)


def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """max(1 - true * predicted, 0) with classes -1 and 1; 0 and 1 are converted."""
    return np.maximum(_margin(y_true, y_pred), 0).mean(axis=-1)


def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The square of `hinge` for each output."""
    return np.square(np.maximum(_margin(y_true, y_pred), 0)).mean(axis=-1)


def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """How far the right class fails to beat the best wrong one by 1."""
    true, predicted = aligned_numbers(y_true, y_pred)
    right = (true * predicted).sum(axis=-1)
    wrong = ((1 - true) * predicted).max(axis=-1)
    return np.maximum(wrong - right + 1, 0)


def f_beta_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    average: str | None = None,
    beta: float = 1.0,
    threshold: float | None = None,
) -> float:
    """Weighted harmonic mean of precision and recall.

    Args:
        average: `micro`, `macro` or `weighted`; None gives the macro average too, because a
            score is one number (Keras gives one for each class).
        beta: How many times recall counts as much as precision.
        threshold: An output above it is called positive; default: only the largest of a row,
            so that a model of one output calls every row positive.
    """
    true, predicted = one_column_each(y_true, y_pred)
    if true.ndim != 2:
        raise ValueError(f"Expected predictions of shape (n, k). Received: {predicted.shape}")
    if threshold is None:
        largest = predicted.max(axis=-1, keepdims=True)
        called = (predicted >= largest) & (np.abs(predicted) > 1e-9)
    else:
        called = above(predicted, threshold)
    weights = spread(row_weights(sample_weight, len(true)), true)
    axis = None if average == "micro" else 0
    right, called_weight, positive = (
        (part * weights).sum(axis=axis) for part in (called * true, called, true)
    )
    # As Keras divides.
    precision, recall = right / (called_weight + EPSILON), right / (positive + EPSILON)
    scores = (1 + beta**2) * precision * recall / (beta**2 * precision + recall + EPSILON)
    if average == "weighted":
        return float((scores * positive).sum() / (positive.sum() + EPSILON))
    return float(np.mean(scores))


def _in_top_k(labels: Array, predicted: Array, k: int) -> Array:
    """As TensorFlow's `in_top_k`: classes that tie at the border are all in."""
    own = np.take_along_axis(predicted, labels[..., None], axis=-1)
    return ((predicted > own).sum(axis=-1) < k).astype(np.float64)


def _margin(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    true, predicted = aligned_numbers(y_true, y_pred)
    if np.isin(true, (0, 1)).all():
        true = 2 * true - 1
    return 1 - true * predicted
