"""What is called positive at one threshold or at many, and areas under curves, with Keras' rules.

y_true is (n, ...) of class indices or 0/1, or (n, ..., k) one-hot or multi-hot; y_pred is
(n, ..., k). Legend: B ways to weigh the rows, T thresholds. Source of all formulas: keras.metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import EPSILON, Array, one_column_each, row_weights, spread

_NEVER = -1e10
"""Below every output: what Keras puts in place of outputs that are not among the k largest."""


class Counts(NamedTuple):
    """Weights of true and false positives and negatives, (..., T)."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array

    @property
    def precision(self) -> Array:
        """Share of what is called positive that is; 0 where nothing is called so."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> Array:
        """Share of the positives that are called so; 0 where there are none."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> Array:
        """Share of the negatives that are called so; 0 where there are none."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def _counts(
    true: Array, predicted: Array, weights: Array, thresholds: Sequence[float], *, evenly: bool
) -> Counts:
    """Counts (B, T) of (m,) pairs that are weighed (B, m).

    Args:
        true: 0 or 1.
        predicted: What is compared.
        weights: How much each pair counts.
        thresholds: Ascending; an output above one is called positive there.
        evenly: Whether they divide the range from 0 to 1; Keras then finds the place of an output
            by multiplication, and cuts off what lies outside.
    """
    true, predicted = true.astype(bool), predicted.astype(np.float32)
    count = len(thresholds)
    if evenly:
        inside = np.clip(predicted, np.float32(0), np.float32(1))
        places = np.ceil(inside * np.float32(count - 1)).astype(np.int64)
        if thresholds[0] < 0:
            places = np.maximum(places, 1)
    else:
        places = np.searchsorted(np.asarray(thresholds, np.float32), predicted, side="left")
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    sums = []
    for chosen in (true, ~true):
        # Of the pairs that lie above exactly 0, 1, ... thresholds.
        found = np.zeros((len(weights), count + 1))
        if len(order):
            weighed = weights[:, order] * chosen[order]
            found[:, places[order][starts]] = np.add.reduceat(weighed, starts, axis=1)
        sums.append(np.cumsum(found[:, ::-1], axis=1)[:, ::-1])
    (positive, negative) = sums
    return Counts(
        positive[:, 1:],
        negative[:, 1:],
        negative[:, :1] - negative[:, 1:],
        positive[:, :1] - positive[:, 1:],
    )


def _at(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    thresholds: Sequence[float],
    *,
    evenly: bool = False,
    top_k: int | None = None,
    class_id: int | None = None,
) -> Counts:
    """Counts (T,) of all outputs together."""
    true, predicted = one_column_each(y_true, y_pred)
    if top_k is not None:
        order = np.argsort(-predicted, axis=-1, kind="stable")[..., :top_k]
        kept = np.full(predicted.shape, _NEVER)
        np.put_along_axis(kept, order, np.take_along_axis(predicted, order, axis=-1), axis=-1)
        predicted = kept
    if class_id is not None:
        true, predicted = true[..., [class_id]], predicted[..., [class_id]]
    weights = spread(row_weights(sample_weight, len(true)), true).reshape(1, -1)
    counts = _counts(true.ravel(), predicted.ravel(), weights, thresholds, evenly=evenly)
    return Counts(*(each[0] for each in counts))


def _at_one(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    thresholds: float | Sequence[float] | None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> Counts:
    if thresholds is None:
        thresholds = 0.5 if top_k is None else _NEVER
    one = thresholds[0] if isinstance(thresholds, Sequence) else thresholds
    return _at(y_true, y_pred, sample_weight, [one], top_k=top_k, class_id=class_id)


def precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    thresholds: float | Sequence[float] | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> float:
    """Share of the outputs called positive that are; 0 where none was.

    Args:
        thresholds: An output above it is called positive; default 0.5, or none with `top_k`.
        top_k: Call only the k largest outputs of a row positive.
        class_id: Count one class only; default: all outputs together.
    """
    counts = _at_one(y_true, y_pred, sample_weight, thresholds, top_k, class_id)
    return float(counts.precision[0])


def recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    thresholds: float | Sequence[float] | None = None,
    top_k: int | None = None,
    class_id: int | None = None,
) -> float:
    """Share of the positives that are called so; 0 where there are none. Args as `precision`."""
    return float(_at_one(y_true, y_pred, sample_weight, thresholds, top_k, class_id).recall[0])


def count_of(which: str) -> Callable[..., float]:
    """Return the function that gives one of the four counts: `true_positives`, ..."""

    def count(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        thresholds: float | Sequence[float] | None = None,
    ) -> float:
        return float(getattr(_at_one(y_true, y_pred, sample_weight, thresholds), which)[0])

    return count


def best_under(dependent: str, constrained: str) -> Callable[..., float]:
    """Return the function that gives the best share at the thresholds where another is as large as
    asked for, such as recall at a precision.

    Args:
        dependent: What is to be as large as possible: `precision`, `recall` or `specificity`.
        constrained: What has to be large enough.
    """

    def best(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        precision: float | None = None,
        recall: float | None = None,
        sensitivity: float | None = None,
        specificity: float | None = None,
        num_thresholds: int = 200,
        class_id: int | None = None,
    ) -> float:
        asked = (precision, recall, sensitivity, specificity)
        least = np.float32(next(share for share in asked if share is not None))
        several = num_thresholds > 1
        thresholds = np.linspace(0, 1, num_thresholds).tolist() if several else [0.5]
        counts = _at(y_true, y_pred, sample_weight, thresholds, evenly=several, class_id=class_id)
        enough = getattr(counts, constrained).astype(np.float32) >= least
        return float(getattr(counts, dependent)[enough].max(initial=0.0))

    return best


def auc(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, **options: Any
) -> float:
    """Area under a curve at Keras' thresholds; NaN where only one class is present.

    Options are those of `repeated_auc`.
    """
    weights = row_weights(sample_weight, len(np.asarray(y_pred)))
    return float(repeated_auc(y_true, y_pred, weights[None], **options)[0])


def repeated_auc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    times: Array,
    *,
    num_thresholds: int = 200,
    curve: str = "ROC",
    summation_method: str = "interpolation",
    thresholds: Sequence[float] | None = None,
    multi_label: bool = False,
    label_weights: Sequence[float] | None = None,
) -> Array:
    """Return the area under a curve, (B,), where each row counts `times`, (B, n) or (B, n, ...).

    NaN where only one class is present.

    Args:
        y_true: (n, ...) or (n, ..., k).
        y_pred: (n, ..., k) probabilities.
        times: How much each row counts.
        num_thresholds: How many there are from 0 to 1.
        curve: `ROC`, `PR` or `PRGAIN`.
        summation_method: `interpolation`, `minoring` or `majoring`.
        thresholds: In place of those.
        multi_label: Average over the outputs instead of taking them together.
        label_weights: Weight of each output.
    """
    true, predicted = one_column_each(y_true, y_pred)
    inner = np.linspace(0, 1, num_thresholds) if thresholds is None else [0, *sorted(thresholds), 1]
    count = len(inner)
    evenly = count > 2 and np.allclose(inner, np.arange(count) / (count - 1), atol=EPSILON)
    edges = [-EPSILON, *np.asarray(inner, np.float64)[1:-1].tolist(), 1 + EPSILON]
    weights = spread(times, true, leading=1)
    if label_weights is not None and not multi_label:
        weights = weights * np.asarray(label_weights, np.float64)

    def area(true: Array, predicted: Array, weights: Array) -> Array:
        flat = weights.reshape(len(weights), -1)
        counts = _counts(true.ravel(), predicted.ravel(), flat, edges, evenly=evenly)
        return _areas(counts, curve.upper(), summation_method.lower())

    if not multi_label:
        areas = area(true, predicted, weights)
        ones = spread(times > 0, true, leading=1).reshape(len(times), -1)
        both = [(ones @ chosen.ravel()) > 0 for chosen in (true.astype(bool), ~true.astype(bool))]
        return np.where(both[0] & both[1], areas, np.nan)
    labels = range(true.shape[-1])
    each = [area(true[..., i], predicted[..., i], weights[..., i]) for i in labels]
    return np.average(np.stack(each), axis=0, weights=label_weights)


def _areas(counts: Counts, curve: str, method: str) -> Array:
    """(B,) areas under the curve of (B, T) counts."""
    if (curve, method) == ("PR", "interpolation"):
        return _interpolated_precision(counts)
    if curve == "ROC":
        negatives = counts.true_negatives + counts.false_positives
        x, y = _ratio(counts.false_positives, negatives), counts.recall
    elif curve == "PR":
        x, y = counts.recall, counts.precision
    else:
        right, scale = (
            counts.true_positives,
            _ratio(
                counts.true_positives + counts.false_negatives,
                counts.true_negatives + counts.false_positives,
            ),
        )
        x = np.where(right == 0, 0.0, 1 - scale * _ratio(counts.false_negatives, right))
        y = np.where(right == 0, 1.0, 1 - scale * _ratio(counts.false_positives, right))
        x = np.maximum(x, 0)
    before, after = y[:, :-1], y[:, 1:]
    heights = {
        "interpolation": (before + after) / 2,
        "minoring": np.minimum(before, after),
        "majoring": np.maximum(before, after),
    }[method]
    return ((x[:, :-1] - x[:, 1:]) * heights).sum(axis=1)


def _interpolated_precision(counts: Counts) -> Array:
    """Area under the precision-recall curve between whose points the counts are interpolated.

    Davis and Goadrich, *The Relationship Between Precision-Recall and ROC Curves* (2006).
    """
    right, called = counts.true_positives, counts.true_positives + counts.false_positives
    gained = right[:, :-1] - right[:, 1:]
    slope = _ratio(gained, np.maximum(called[:, :-1] - called[:, 1:], 0))
    intercept = right[:, 1:] - slope * called[:, 1:]
    both = (called[:, :-1] > 0) & (called[:, 1:] > 0)
    ratio = np.divide(called[:, :-1], called[:, 1:], out=np.ones_like(gained), where=both)
    positives = right[:, 1:] + counts.false_negatives[:, 1:]
    return _ratio(slope * (gained + intercept * np.log(ratio)), positives).sum(axis=1)


def intersection_over_union(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    num_classes: int,
    target_class_ids: Sequence[int] | None = None,
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = True,
    axis: int = -1,
) -> float:
    """Mean over classes of the rows (or pixels) that are of a class and called so, divided by
    those that are either. A class that is neither true nor called anywhere is left out.

    Args:
        num_classes: Rows of further classes are left out.
        target_class_ids: The classes that count; default: all.
        ignore_class: Rows of this class are left out.
        sparse_y_true: Whether targets are class indices; else they are one-hot.
        sparse_y_pred: Whether outputs are class indices; else the largest counts.
        axis: Of the classes.
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    true = true if sparse_y_true else true.argmax(axis=axis)
    predicted = predicted if sparse_y_pred else predicted.argmax(axis=axis)
    weights = spread(row_weights(sample_weight, len(true)), true).ravel()
    true, predicted = true.ravel().astype(np.int64), predicted.ravel().astype(np.int64)
    known = (true >= 0) & (true < num_classes) & (predicted >= 0) & (predicted < num_classes)
    if ignore_class is not None:
        known &= true != ignore_class
    cells = true[known] * num_classes + predicted[known]
    table = np.bincount(cells, weights[known], num_classes**2).reshape(num_classes, num_classes)
    right = np.diag(table)
    either = table.sum(axis=0) + table.sum(axis=1) - right
    chosen = list(range(num_classes) if target_class_ids is None else target_class_ids)
    right, either = right[chosen], either[chosen]
    shares = np.where(either > 1e-9, right / (either + EPSILON), 0.0)
    return float(shares.sum() / ((either > 1e-9).sum() + EPSILON))


def one_hot_intersection_over_union(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    num_classes: int,
    target_class_ids: Sequence[int] | None = None,
    ignore_class: int | None = None,
    sparse_y_pred: bool = False,
    axis: int = -1,
) -> float:
    """`intersection_over_union` of one-hot targets."""
    return intersection_over_union(
        y_true,
        y_pred,
        sample_weight,
        num_classes=num_classes,
        target_class_ids=target_class_ids,
        ignore_class=ignore_class,
        sparse_y_true=False,
        sparse_y_pred=sparse_y_pred,
        axis=axis,
    )


def binary_intersection_over_union(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    target_class_ids: Sequence[int] = (0, 1),
    threshold: float = 0.5,
) -> float:
    """`intersection_over_union` of two classes, where an output of at least `threshold` is 1."""
    predicted = np.asarray(y_pred, np.float32) >= np.float32(threshold)
    return intersection_over_union(
        y_true, predicted, sample_weight, num_classes=2, target_class_ids=target_class_ids
    )
