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
    sigmoid,
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


def as_probabilities(output: ArrayLike, loss: str, from_logits: bool) -> Array:
    """Return a classifier's output, (n, k), as probabilities.

    Args:
        output: What the model gives.
        loss: Keras' class name of the loss it was trained with. Where that is a hinge loss, the
            margins from -1 to 1 become shares from 0 to 1, which are no true probabilities.
        from_logits: Whether the loss took the output for logits.
    """
    values = np.asarray(output)
    if loss in ("Hinge", "SquaredHinge"):
        return np.clip((values + 1) / 2, 0, 1)
    if not from_logits:
        return values
    one_by_one = loss.startswith("Binary") or values.shape[-1] == 1
    return sigmoid(values) if one_by_one else np.exp(log_softmax(values))
