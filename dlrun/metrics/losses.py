"""Cross-entropies and divergences of probabilities, row by row, with Keras' formulas.

Each gives (n,) float64. Probabilities are cut off at 1e-7, as `keras.metrics` does with the
output of `predict`; while it trains, Keras computes from logits where it can and does not
need to. Source of all formulas: keras.losses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import (
    ALMOST_ONE,
    EPSILON,
    Array,
    aligned_numbers,
    is_sparse,
    labels_of,
    log_softmax,
    mean_over_rows,
    row_weights,
)


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, *, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    """-log of the probability given to what is true, mean over the k outputs."""
    true, predicted = aligned_numbers(y_true, y_pred)
    true = true * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        return (np.logaddexp(0, predicted) - true * predicted).mean(axis=-1)
    predicted = np.clip(predicted, EPSILON, ALMOST_ONE)
    return -(true * np.log(predicted) + (1 - true) * np.log1p(-predicted)).mean(axis=-1)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, *, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    """-log of the probability given to the right class, from one-hot rows (n, k)."""
    true, predicted = aligned_numbers(y_true, y_pred)
    true = true * (1 - label_smoothing) + label_smoothing / true.shape[-1]
    if from_logits:
        return -(true * log_softmax(predicted)).sum(axis=-1)
    shares = predicted / predicted.sum(axis=-1, keepdims=True)
    return -(true * np.log(np.clip(shares, EPSILON, ALMOST_ONE))).sum(axis=-1)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, *, from_logits: bool = False
) -> Array:
    """-log of the probability given to the right class, from class indices (n,)."""
    predicted = np.asarray(y_pred, np.float64)
    labels = labels_of(y_true, predicted)
    if not from_logits:
        predicted = np.log(np.clip(predicted, EPSILON, ALMOST_ONE))
    return -np.take_along_axis(log_softmax(predicted), labels[..., None], axis=-1)[..., 0]


def crossentropy(y_true: ArrayLike, y_pred: ArrayLike, *, from_logits: bool = False) -> Array:
    """The kind of cross-entropy that `compile` takes for these shapes."""
    predicted = np.asarray(y_pred)
    if predicted.ndim == 1 or predicted.shape[-1] == 1:
        return binary_crossentropy(y_true, predicted, from_logits=from_logits)
    if is_sparse(y_true, predicted):
        return sparse_categorical_crossentropy(y_true, predicted, from_logits=from_logits)
    return categorical_crossentropy(y_true, predicted, from_logits=from_logits)


def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """true log(true / predicted), summed over the k outputs."""
    true, predicted = (np.clip(x, EPSILON, 1) for x in aligned_numbers(y_true, y_pred))
    return (true * np.log(true / predicted)).sum(axis=-1)


def absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """|true - predicted|."""
    true, predicted = aligned_numbers(y_true, y_pred)
    return np.abs(true - predicted).mean(axis=-1)


def squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """(true - predicted)^2."""
    true, predicted = aligned_numbers(y_true, y_pred)
    return np.square(true - predicted).mean(axis=-1)


def absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """100 |true - predicted| / |true|; the divisor is at least 1e-7."""
    true, predicted = aligned_numbers(y_true, y_pred)
    return 100 * np.abs((true - predicted) / np.maximum(np.abs(true), EPSILON)).mean(axis=-1)


def squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """(log(1 + true) - log(1 + predicted))^2; values below 1e-7 count as 1e-7."""
    true, predicted = aligned_numbers(y_true, y_pred)
    logs = np.log1p(np.maximum(predicted, EPSILON)) - np.log1p(np.maximum(true, EPSILON))
    return np.square(logs).mean(axis=-1)


def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """log(cosh(predicted - true)): half the square of small errors, the size of large ones."""
    true, predicted = aligned_numbers(y_true, y_pred)
    error = predicted - true
    return (np.logaddexp(error, -error) - np.log(2)).mean(axis=-1)


def huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0) -> Array:
    """Half the square of errors up to `delta`, linear beyond."""
    true, predicted = aligned_numbers(y_true, y_pred)
    size = np.abs(predicted - true)
    return np.where(size <= delta, size**2 / 2, delta * size - delta**2 / 2).mean(axis=-1)


def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Cosine of the angle between the k outputs of a row: 1 same direction, -1 opposite."""
    true, predicted = aligned_numbers(y_true, y_pred)
    return (_unit_length(true) * _unit_length(predicted)).sum(axis=-1)


def negative_cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The loss of that name: -1 same direction, 1 opposite."""
    return -cosine_similarity(y_true, y_pred)


def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """predicted - true log(predicted): the Poisson deviance but for a constant."""
    true, predicted = aligned_numbers(y_true, y_pred)
    return (predicted - true * np.log(predicted + EPSILON)).mean(axis=-1)


def root_mean_squared_error(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
) -> float:
    """Square root of the weighted mean of `squared_error` over rows."""
    return float(np.sqrt(mean_over_rows(squared_error(y_true, y_pred), sample_weight)))


def r2_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    class_aggregation: str = "uniform_average",
) -> float:
    """Coefficient of determination: 1 perfect, 0 no better than the mean of these rows.

    An output that is constant in these rows counts as 0; NaN if it is also met exactly.

    Args:
        class_aggregation: How k outputs are averaged: `uniform_average`, or
            `variance_weighted_average`.
    """
    true, predicted = aligned_numbers(y_true, y_pred)
    weights = row_weights(sample_weight, len(true))[:, None]
    if weights.sum() == 0:
        return float("nan")
    mean = (true * weights).sum(axis=0) / weights.sum()
    total = (np.square(true - mean) * weights).sum(axis=0)
    residual = (np.square(true - predicted) * weights).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1 - residual / total
    scores = np.where(np.isinf(scores), 0.0, scores)
    if class_aggregation == "variance_weighted_average":
        return float((scores * total).sum() / total.sum())
    return float(scores.mean())


def _unit_length(vectors: Array) -> Array:
    length = np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    return vectors / np.maximum(length, EPSILON)
