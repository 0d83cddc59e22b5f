"""Right and wrong classes, with Keras' rules.

y_true is (n,) or (n, 1) of class indices or 0/1, or (n, k) one-hot or multi-hot; y_pred is
(n, 1) or (n, k) of probabilities. Source of all formulas: keras.metrics and keras.losses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import (
    Array,
    above,
    aligned,
    aligned_numbers,
    is_sparse,
    labels_of,
    one_column_each,
    row_weights,
)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Right or not, (n,), by the kind of accuracy that `compile` takes for these shapes."""
    predicted = np.asarray(y_pred)
    if predicted.ndim == 1 or predicted.shape[-1] == 1:
        return binary_accuracy(y_true, predicted)
    if is_sparse(y_true, predicted):
        return sparse_categorical_accuracy(y_true, predicted)
    return categorical_accuracy(y_true, predicted)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.5) -> Array:
    """Share of a row's outputs that lie on the right side of the threshold, (n,)."""
    true, predicted = aligned(y_true, y_pred)
    return (above(predicted, threshold) == true).mean(axis=-1)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where the largest output is at the one of the one-hot row, (n,)."""
    true, predicted = aligned(y_true, y_pred)
    return (true.argmax(axis=-1) == predicted.argmax(axis=-1)).astype(np.float64)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 where the largest output is at the class index, (n,)."""
    predicted = np.asarray(y_pred)
    return (labels_of(y_true, predicted) == predicted.argmax(axis=-1)).astype(np.float64)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 5) -> Array:
    """1 where the class of the one-hot row is among the k largest outputs, (n,)."""
    true, predicted = aligned(y_true, y_pred)
    return _in_top_k(true.argmax(axis=-1), predicted, k)


def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 5) -> Array:
    """1 where the class index is among the k largest outputs, (n,)."""
    predicted = np.asarray(y_pred)
    return _in_top_k(labels_of(y_true, predicted), predicted, k)


def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """max(1 - true * predicted, 0) with classes -1 and 1; 0 and 1 are converted, (n,)."""
    return np.maximum(_margin(y_true, y_pred), 0).mean(axis=-1)


def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """The square of `hinge` for each output, (n,)."""
    return np.square(np.maximum(_margin(y_true, y_pred), 0)).mean(axis=-1)


def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """How far the right class fails to beat the best wrong one by 1, (n,)."""
    true, predicted = aligned_numbers(y_true, y_pred)
    right = (true * predicted).sum(axis=-1)
    wrong = ((1 - true) * predicted).max(axis=-1)
    return np.maximum(wrong - right + 1, 0)


def precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    thresholds: float | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> float:
    """Share of the outputs called positive that are; 0 where none was.

    Args:
        thresholds: An output above it is called positive; default 0.5, or none with `top_k`.
        top_k: Call only the k largest outputs of a row positive.
        class_id: Count one class only; default: all outputs together.
    """
    right, called, _ = _counts(y_true, y_pred, sample_weight, thresholds, top_k, class_id)
    return right / called if called else 0.0


def recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    thresholds: float | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> float:
    """Share of the positives that are called so; 0 where there are none. Args as `precision`."""
    right, _, positive = _counts(y_true, y_pred, sample_weight, thresholds, top_k, class_id)
    return right / positive if positive else 0.0


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
    if threshold is None:
        largest = predicted.max(axis=-1, keepdims=True)
        called = (predicted >= largest) & (np.abs(predicted) > 1e-9)
    else:
        called = above(predicted, threshold)
    weights = row_weights(sample_weight, len(true))[:, None]
    axis = None if average == "micro" else 0
    right = (called * true * weights).sum(axis=axis)
    called_weight = (called * weights).sum(axis=axis)
    positive = (true * weights).sum(axis=axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = (1 + beta**2) * right / (called_weight + beta**2 * positive)
    scores = np.nan_to_num(scores, nan=0.0)
    if average == "weighted":
        return float((scores * positive).sum() / positive.sum()) if positive.sum() else 0.0
    return float(np.mean(scores))


def auc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    curve: str = "ROC",
    multi_label: bool = False,
    label_weights: Sequence[float] | None = None,
) -> float:
    """Area under the ROC curve, or average precision for `curve: PR`.

    Computed by scikit-learn from the ranks of all predictions; Keras approximates both with
    200 thresholds, and interpolates where average precision takes steps. NaN where only one
    class is present.

    Args:
        curve: `ROC` or `PR`.
        multi_label: Average over the outputs instead of taking them together.
        label_weights: Weight of each output in that average.
    """
    true, predicted = one_column_each(y_true, y_pred)
    weights = row_weights(sample_weight, len(true))
    if not multi_label:
        return _area(true.ravel(), predicted.ravel(), np.repeat(weights, true.shape[-1]), curve)
    areas = [_area(true[:, i], predicted[:, i], weights, curve) for i in range(true.shape[-1])]
    return float(np.average(np.array(areas), weights=label_weights))


def _area(true: Array, predicted: Array, weights: Array, curve: str) -> float:
    from sklearn.metrics import average_precision_score, roc_auc_score

    true = true.astype(bool)
    if true.all() or not true.any() or not weights.any():
        return float("nan")
    function = roc_auc_score if curve.upper() == "ROC" else average_precision_score
    return float(function(true, predicted, sample_weight=weights))


def _in_top_k(labels: Array, predicted: Array, k: int) -> Array:
    """As TensorFlow's `in_top_k`: classes that tie at the border are all in."""
    own = np.take_along_axis(predicted, labels[..., None], axis=-1)
    return ((predicted > own).sum(axis=-1) < k).astype(np.float64)


def _margin(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    true, predicted = aligned_numbers(y_true, y_pred)
    if np.isin(true, (0, 1)).all():
        true = 2 * true - 1
    return 1 - true * predicted


def _counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    threshold: float | None,
    top_k: int | None,
    class_id: int | None,
) -> tuple[float, float, float]:
    """Weights of true positives, of what is called positive, and of what is positive."""
    true, predicted = one_column_each(y_true, y_pred)
    if threshold is None:
        threshold = 0.5 if top_k is None else -np.inf
    called = above(predicted, threshold)
    if top_k is not None:
        order = np.argsort(-predicted, axis=-1, kind="stable")[..., :top_k]
        among = np.zeros(predicted.shape, bool)
        np.put_along_axis(among, order, True, axis=-1)
        called &= among
    positive = true.astype(bool)
    if class_id is not None:
        called, positive = called[..., [class_id]], positive[..., [class_id]]
    weights = row_weights(sample_weight, len(true))[:, None]
    return (
        float(((called & positive) * weights).sum()),
        float((called * weights).sum()),
        float((positive * weights).sum()),
    )


def repeated_auc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    times: Array,
    *,
    curve: str = "ROC",
    multi_label: bool = False,
    label_weights: Sequence[float] | None = None,
) -> Array:
    """Return `dlrun.metrics.classification.auc`, (B,), where each row counts `times`, (B, n).

    NaN where a resample holds one class only.
    """
    true, predicted = one_column_each(y_true, y_pred)
    true = true.astype(bool)
    outputs = true.shape[-1]
    if not multi_label:
        repeated = times if outputs == 1 else np.repeat(times, outputs, axis=1)
        return _areas(true.ravel(), predicted.ravel(), repeated, curve)
    areas = [_areas(true[:, i], predicted[:, i], times, curve) for i in range(outputs)]
    return np.average(np.stack(areas), axis=0, weights=label_weights)


def _areas(true: Array, predicted: Array, times: Array, curve: str) -> Array:
    """(B,) areas of (m,) pairs that count (B, m) times; ties make one threshold."""
    order = np.argsort(-predicted, kind="stable")
    ranked = predicted[order]
    # The first of each run of equal predictions.
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    counted = times[:, order]
    positive = np.add.reduceat(counted * true[order], starts, axis=1).astype(np.float64)
    negative = np.add.reduceat(counted * ~true[order], starts, axis=1).astype(np.float64)
    positives, negatives = positive.sum(axis=1), negative.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if curve.upper() == "ROC":
            above = np.cumsum(positive, axis=1) - positive / 2
            areas = (negative * above).sum(axis=1) / (positives * negatives)
        else:
            found = np.cumsum(positive, axis=1)
            precision = found / np.maximum(found + np.cumsum(negative, axis=1), 1)
            areas = (positive * precision).sum(axis=1) / positives
    areas[(positives == 0) | (negatives == 0)] = np.nan
    return areas
