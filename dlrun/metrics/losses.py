"""Losses and metrics of probabilities and quantities, row by row, with Keras' formulas.

Each gives (n, ...) float64, one value for each row or step, if nothing else is said; `axis` is
that of the classes. Probabilities are cut off at 1e-7, as `keras.metrics` does with the output of
`predict`; while it trains, Keras computes from logits where it can and does not need to.
Source of all formulas: keras.losses and keras.metrics.
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
    row_weights,
    sigmoid,
    spread,
)


def binary_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """-log of the probability given to what is true, mean over the k outputs."""
    true, predicted = aligned_numbers(y_true, y_pred)
    true = true * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        return (np.logaddexp(0, predicted) - true * predicted).mean(axis=axis)
    return _binary_terms(true, predicted).mean(axis=axis)


def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`binary_crossentropy` in which outputs that are almost right count less."""
    true, predicted = aligned_numbers(y_true, y_pred)
    true = true * (1 - label_smoothing) + label_smoothing / 2
    predicted = sigmoid(predicted) if from_logits else predicted
    of_true = true * predicted + (1 - true) * (1 - predicted)
    terms = (1 - of_true) ** gamma * _binary_terms(true, predicted)
    if apply_class_balancing:
        terms = terms * (true * alpha + (1 - true) * (1 - alpha))
    return terms.mean(axis=axis)


def categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """-log of the probability given to the right class, from one-hot rows (n, ..., k)."""
    true, predicted = _one_hot(y_true, y_pred, label_smoothing, axis)
    if from_logits:
        return -(true * log_softmax(predicted)).sum(axis=-1)
    return -(true * np.log(_shares(predicted))).sum(axis=-1)


def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`categorical_crossentropy` in which rows that are almost right count less."""
    true, predicted = _one_hot(y_true, y_pred, label_smoothing, axis)
    shares = _shares(np.exp(log_softmax(predicted)) if from_logits else predicted)
    return -((1 - shares) ** gamma * alpha * true * np.log(shares)).sum(axis=-1)


def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array:
    """-log of the probability given to the right class, from class indices (n, ...); 0 for steps
    of `ignore_class`."""
    predicted = np.moveaxis(np.asarray(y_pred, np.float64), axis, -1)
    true = np.asarray(y_true)
    same_rank = true.ndim == predicted.ndim and true.shape[axis] == 1
    labels = labels_of(np.moveaxis(true, axis, -1) if same_rank else true, predicted)
    counts = np.ones(labels.shape, bool) if ignore_class is None else labels != ignore_class
    labels = np.where(counts, labels, 0)
    if not from_logits:
        predicted = np.log(np.clip(predicted, EPSILON, ALMOST_ONE))
    own = np.take_along_axis(log_softmax(predicted), labels[..., None], axis=-1)[..., 0]
    return np.where(counts, -own, 0.0)


def categorical_generalized_cross_entropy(
    y_true: ArrayLike, y_pred: ArrayLike, *, q: float = 0.5
) -> Array:
    """(1 - p^q) / q of the probability p given to the right class, from class indices (n, ...)."""
    predicted = np.asarray(y_pred, np.float64)
    labels = labels_of(y_true, predicted)
    own = np.take_along_axis(predicted, labels[..., None], axis=-1)[..., 0]
    return (1 - own**q) / q


def dice(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int | list[int] | None = None) -> Array:
    """1 - twice the overlap divided by both sizes, over some axes; by default over all."""
    true, predicted = aligned_numbers(y_true, y_pred)
    axes = tuple(axis) if isinstance(axis, list | tuple) else axis
    both = (true * predicted).sum(axis=axes)
    return np.asarray(1 - 2 * both / (true.sum(axes) + predicted.sum(axes) + EPSILON))


def tversky(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: int | list[int] | None = None,
) -> Array:
    """1 - the overlap divided by itself and the weighted parts that only one of both has."""
    true, predicted = aligned_numbers(y_true, y_pred)
    axes = tuple(axis) if isinstance(axis, list | tuple) else axis
    both = (true * predicted).sum(axis=axes)
    # Keras gives `alpha` to what is true and missed.
    missed, extra = ((1 - predicted) * true).sum(axes), (predicted * (1 - true)).sum(axes)
    return np.asarray(1 - both / (both + missed * alpha + extra * beta + EPSILON))


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


def cosine_similarity(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None, *, axis: int = -1
) -> Array:
    """Cosine of the angle between the k outputs of a row: 1 same direction, -1 opposite; with
    `axis: 0` between columns of all rows, (..., k), that may have weights."""
    true, predicted, weights = _weighed(y_true, y_pred, sample_weight)
    both, ours, theirs = (
        (part * weights).sum(axis=axis) for part in (true * predicted, true**2, predicted**2)
    )
    return both / np.maximum(np.sqrt(ours), EPSILON) / np.maximum(np.sqrt(theirs), EPSILON)


def negative_cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1) -> Array:
    """The loss of that name: -1 same direction, 1 opposite."""
    return -cosine_similarity(y_true, y_pred, axis=axis)


def pearson_correlation(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None, *, axis: int = -1
) -> Array:
    """Correlation of the k outputs of a row with their targets; with `axis: 0` of the rows'
    outputs with their targets, (..., k). NaN where either is constant."""
    both, ours, theirs, _ = _moments(y_true, y_pred, sample_weight, axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        return both / np.sqrt(ours) / np.sqrt(theirs)


def concordance_correlation(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None, *, axis: int = -1
) -> Array:
    """`pearson_correlation` that also falls where mean or spread differ; 0 where constant."""
    both, ours, theirs, shift = _moments(y_true, y_pred, sample_weight, axis)
    return 2 * both / (ours + theirs + shift**2 + EPSILON)


def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """predicted - true log(predicted): the Poisson deviance but for a constant. NaN where predicted
    is below 0."""
    true, predicted = aligned_numbers(y_true, y_pred)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (predicted - true * np.log(predicted + EPSILON)).mean(axis=-1)


def r2_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    class_aggregation: str = "uniform_average",
    num_regressors: int = 0,
) -> float:
    """Coefficient of determination: 1 perfect, 0 no better than the mean of these rows.

    An output that is constant in these rows counts as 0; NaN if it is also met exactly.

    Args:
        class_aggregation: How k outputs are averaged: `uniform_average`, or
            `variance_weighted_average`.
        num_regressors: Features that the adjusted score makes up for.
    """
    true, predicted, weights = _weighed(y_true, y_pred, sample_weight)
    if weights.sum() == 0:
        return float("nan")
    mean = (true * weights).sum(axis=0) / weights.sum(axis=0)
    total = (np.square(true - mean) * weights).sum(axis=0)
    residual = (np.square(true - predicted) * weights).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1 - residual / total
    scores = np.where(np.isinf(scores), 0.0, scores)
    score = float(scores.mean())
    if class_aggregation == "variance_weighted_average":
        score = float((scores * total).sum() / total.sum())
    if num_regressors and num_regressors < true.size - 1:
        score = 1 - (1 - score) * (true.size - 1) / (true.size - num_regressors - 1)
    return score


def _binary_terms(true: Array, predicted: Array) -> Array:
    predicted = np.clip(predicted, EPSILON, ALMOST_ONE)
    return -(true * np.log(predicted) + (1 - true) * np.log1p(-predicted))


def _one_hot(
    y_true: ArrayLike, y_pred: ArrayLike, label_smoothing: float, axis: int
) -> tuple[Array, Array]:
    """Smoothed targets and outputs, both with the classes last."""
    true, predicted = (np.moveaxis(part, axis, -1) for part in aligned_numbers(y_true, y_pred))
    return true * (1 - label_smoothing) + label_smoothing / true.shape[-1], predicted


def _shares(predicted: Array) -> Array:
    """Probabilities that add up to 1, cut off."""
    return np.clip(predicted / predicted.sum(axis=-1, keepdims=True), EPSILON, ALMOST_ONE)


def _weighed(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Targets, outputs and the weight of each output, of one shape."""
    true, predicted = aligned_numbers(y_true, y_pred)
    return true, predicted, spread(row_weights(sample_weight, len(true)), true)


def _moments(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, axis: int
) -> tuple[Array, Array, Array, Array]:
    """Covariance, both variances, and the difference of the means."""
    true, predicted, weights = _weighed(y_true, y_pred, sample_weight)

    def mean(values: Array) -> Array:
        return (values * weights).sum(axis, keepdims=True) / weights.sum(axis, keepdims=True)

    shift = mean(true) - mean(predicted)
    ours, theirs = true - mean(true), predicted - mean(predicted)
    found = (mean(ours * theirs), mean(ours**2), mean(theirs**2), shift)
    covariance, own, other, difference = (np.squeeze(part, axis) for part in found)
    return covariance, own, other, difference
