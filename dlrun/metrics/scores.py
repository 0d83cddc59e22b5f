"""Keras' metrics and losses as plain functions of arrays, found by Keras' own names.

Predictions can be scored without Keras, those of a baseline by the same function as the model's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics import classification, confusion, losses
from dlrun.metrics.arrays import Array, aligned_numbers, mean_over_rows, row_parts, step_weights
from dlrun.metrics.cuts import Meaning, changed, suited
from dlrun.metrics.names import Direction, Kind, canonical, direction
from dlrun.metrics.table import MEASURES, MeasureFacts

__all__ = ["Direction", "Kind", "Score", "ScoreFunction", "direction", "find_score"]

ScoreFunction = Callable[..., float]
"""(y_true, y_pred, sample_weight=None, mask=None) -> float. y_true is (n, ...) or (n, ..., k);
y_pred is (n, ..., k); sample_weight is (n,) or (n, ...); mask is (n, ...), the steps that count.
NaN where it is undefined, such as without rows."""


@dataclass(frozen=True)
class Score:
    """One way to score predictions.

    Args:
        name: As the config gives it.
        direction: `min` where lower is better, else `max`.
        function: What computes it.
        metric: Keras' class name.
        outputs: What the predictions of a classifier are, where that matters.
        by_batch: Whether Keras' value of several batches is not that of all rows together.
        rows: Gives a value for each row, (n,), whose plain mean is the score (`of_mean` of it,
            where there is one); takes the arguments of `function`. None where there are none.
        of_mean: What makes the score of that mean: the square root of a mean square.
        repeated: Gives the score, (B,), where each row counts `times` (B, n); takes y_true,
            y_pred and `times`. None where there is no faster way than to call `function` B times.
    """

    name: str
    direction: Direction
    function: ScoreFunction
    metric: str = ""
    outputs: Meaning = "probabilities"
    by_batch: bool = False
    rows: Callable[..., Array] | None = None
    of_mean: Callable[[Array], Array] | None = None
    repeated: Callable[..., Array] | None = None

    @property
    def facts(self) -> MeasureFacts | None:
        """What is known of the measure; None for one that Keras does not have."""
        return MEASURES.get(self.metric)


def find_score(
    name: str,
    arguments: Mapping[str, Any] | None = None,
    kind: Kind = "metric",
    outputs: Meaning = "probabilities",
) -> Score | None:
    """Return the NumPy version of a Keras metric or loss, or None where there is none.

    It equals Keras' own on the same arrays but for rounding, with two exceptions: AUC of rows of
    one class is NaN where Keras gives 0, and F1 over several classes is their mean where Keras
    gives one number for each.

    Args:
        name: Class name, snake_case or alias: `MeanAbsoluteError`, `mean_absolute_error`,
            `mae`. `accuracy` and `crossentropy` are resolved by the shapes of each call.
        arguments: What the config gives it. Arguments that change its meaning in a way that is
            not covered here give None.
        kind: `loss` for the name of a loss; averages over sample weights and the sign of
            cosine similarity depend on it.
        outputs: What the outputs of a classifier are; metrics cut them where the loss does, see
            `dlrun.metrics.cuts.suited`.
    """
    metric = canonical(name, kind)
    if metric is None:
        return None
    given = {k: v for k, v in (arguments or {}).items() if k not in _WITHOUT_EFFECT}
    make = _by_row if metric in _BY_ROW and not _over_rows(metric, kind, given) else _whole
    parts = make(metric, kind, given, outputs)
    if parts is None:
        return None
    cuts = MEASURES[metric].cut is not None or metric.endswith("Crossentropy")
    of_margins = metric in ("Hinge", "SquaredHinge")
    meaning: Meaning = outputs if cuts else "probabilities"
    return Score(
        name,
        direction(name, kind),
        metric=metric,
        outputs="margins" if of_margins else meaning,
        **parts,
    )


_WITHOUT_EFFECT = ("name", "dtype", "num_labels")

_BY_ROW: dict[str, Callable[..., Array]] = {
    "Accuracy": classification.accuracy,
    "BinaryAccuracy": classification.binary_accuracy,
    "BinaryCrossentropy": losses.binary_crossentropy,
    "BinaryFocalCrossentropy": losses.binary_focal_crossentropy,
    "CategoricalAccuracy": classification.categorical_accuracy,
    "CategoricalCrossentropy": losses.categorical_crossentropy,
    "CategoricalFocalCrossentropy": losses.categorical_focal_crossentropy,
    "CategoricalGeneralizedCrossEntropy": losses.categorical_generalized_cross_entropy,
    "CategoricalHinge": classification.categorical_hinge,
    "ConcordanceCorrelation": losses.concordance_correlation,
    "CosineSimilarity": losses.cosine_similarity,
    "Crossentropy": losses.crossentropy,
    "Dice": losses.dice,
    "Hinge": classification.hinge,
    "Huber": losses.huber,
    "KLDivergence": losses.kl_divergence,
    "LogCosh": losses.log_cosh,
    "LogCoshError": losses.log_cosh,
    "MeanAbsoluteError": losses.absolute_error,
    "MeanAbsolutePercentageError": losses.absolute_percentage_error,
    "MeanSquaredError": losses.squared_error,
    "MeanSquaredLogarithmicError": losses.squared_logarithmic_error,
    "PearsonCorrelation": losses.pearson_correlation,
    "Poisson": losses.poisson,
    "SparseCategoricalAccuracy": classification.sparse_categorical_accuracy,
    "SparseCategoricalCrossentropy": losses.sparse_categorical_crossentropy,
    "SparseTopKCategoricalAccuracy": classification.sparse_top_k_categorical_accuracy,
    "SquaredHinge": classification.squared_hinge,
    "TopKCategoricalAccuracy": classification.top_k_categorical_accuracy,
    "Tversky": losses.tversky,
}
"""Class name to a function that gives a value for each row or step."""

_WHOLE: dict[str, ScoreFunction] = {
    "AUC": confusion.auc,
    "BinaryIoU": confusion.binary_intersection_over_union,
    "F1Score": classification.f_beta_score,
    "FBetaScore": classification.f_beta_score,
    "FalseNegatives": confusion.count_of("false_negatives"),
    "FalsePositives": confusion.count_of("false_positives"),
    "IoU": confusion.intersection_over_union,
    "MeanIoU": confusion.intersection_over_union,
    "OneHotIoU": confusion.one_hot_intersection_over_union,
    "OneHotMeanIoU": confusion.one_hot_intersection_over_union,
    "Precision": confusion.precision,
    "PrecisionAtRecall": confusion.best_under("precision", "recall"),
    "R2Score": losses.r2_score,
    "Recall": confusion.recall,
    "RecallAtPrecision": confusion.best_under("recall", "precision"),
    "SensitivityAtSpecificity": confusion.best_under("recall", "specificity"),
    "SpecificityAtSensitivity": confusion.best_under("specificity", "recall"),
    "TrueNegatives": confusion.count_of("true_negatives"),
    "TruePositives": confusion.count_of("true_positives"),
}
"""Class name to a function that is not a mean over rows."""

ACROSS_ROWS = ("ConcordanceCorrelation", "CosineSimilarity", "PearsonCorrelation")
"""Metrics that may compare each output over all rows, with `axis: 0`."""

_OF_SETS = ("Dice", "Tversky")
"""Losses that compare all rows of a batch together, unless `axis` says otherwise."""


def _over_rows(metric: str, kind: Kind, given: Mapping[str, Any]) -> bool:
    """Whether a value comes from one output of all rows, not from all outputs of one row."""
    return metric in ACROSS_ROWS and given.get("axis") == 0 and kind == "metric"


def _by_row(
    metric: str, kind: Kind, given: dict[str, Any], outputs: Meaning
) -> dict[str, Any] | None:
    """Function and rows of a score that is a mean over rows and steps."""
    values, change = _BY_ROW[metric], None
    reduction = given.pop("reduction", "sum_over_batch_size")
    if kind == "metric":
        reduction, fitting = "weighted", suited(metric, given, outputs)
        given, change = fitting.arguments, fitting.change
    elif metric == "CosineSimilarity":
        values = losses.negative_cosine_similarity
    axes = np.atleast_1d(given.get("axis") or 0)
    of_sets = metric in _OF_SETS and 0 in axes
    if reduction not in _REDUCTIONS or not given.keys() <= _accepted(values):
        return None
    if metric in ACROSS_ROWS and 0 in np.atleast_1d(given.get("axis", -1)):
        return None
    ignored = given.get("ignore_class")

    def parts(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> tuple[Array, ArrayLike | None, ArrayLike | None]:
        true, predicted = changed(change, y_true, y_pred)
        found = np.atleast_1d(values(true, predicted, **given))
        if of_sets:
            # One value for all rows, which Keras multiplies by each weight.
            known = sample_weight if mask is None else mask
            return (
                np.broadcast_to(found.mean(), (1,) if known is None else np.shape(known)),
                sample_weight,
                mask,
            )
        # Keras leaves an ignored class out of a loss; in a metric without weights it counts as 0.
        weighed = sample_weight is not None or mask is not None
        if ignored is not None and (kind == "loss" or weighed):
            counted = np.reshape(np.asarray(y_true) != ignored, found.shape)
            mask = counted if mask is None else np.asarray(mask, bool) & counted
        return found, sample_weight, mask

    def function(*arrays: Any, **named: Any) -> float:
        return _REDUCTIONS[reduction](*parts(*arrays, **named))

    def rows(*arrays: Any, **named: Any) -> Array:
        return _row_values(reduction, *parts(*arrays, **named))

    return {
        "function": function,
        "rows": None if of_sets or reduction == "sum" else rows,
        "by_batch": of_sets
        or ignored is not None
        or reduction in ("sum", "mean_with_sample_weight"),
    }


def _whole(
    metric: str, kind: Kind, given: dict[str, Any], outputs: Meaning
) -> dict[str, Any] | None:
    """Function of a score that is not a mean over rows; masked steps weigh 0."""
    if metric == "RootMeanSquaredError":
        return {"function": _root, "rows": _squared_errors, "of_mean": np.sqrt}
    fitting = suited(metric, given, outputs)
    given, change = fitting.arguments, fitting.change
    if metric == "AUC" and given.pop("from_logits", False):
        change = "sigmoid"
    whole = _WHOLE.get(metric)
    options = confusion.repeated_auc if metric == "AUC" else whole
    if metric in ACROSS_ROWS:
        whole, options = partial(_over_columns, _BY_ROW[metric]), _BY_ROW[metric]
    accepted = _accepted(options)
    if whole is None or not given.keys() <= accepted or not _gives_one_number(metric, given):
        return None

    def function(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> float:
        weights = step_weights(sample_weight, mask)
        return whole(*changed(change, y_true, y_pred), weights, **given)

    def repeated(y_true: ArrayLike, y_pred: ArrayLike, times: Array) -> Array:
        return confusion.repeated_auc(*changed(change, y_true, y_pred), times, **given)

    return {"function": function, "repeated": repeated if metric == "AUC" else None}


def _over_columns(
    values: Callable[..., Array],
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    **options: Any,
) -> float:
    return float(np.mean(values(y_true, y_pred, sample_weight, **options)))


def _squares(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    true, predicted = aligned_numbers(y_true, y_pred)
    return np.square(true - predicted)


def _root(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> float:
    """Square root of the weighted mean of squared errors."""
    return float(np.sqrt(mean_over_rows(_squares(y_true, y_pred), sample_weight, mask)))


def _squared_errors(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Array:
    return _row_values("weighted", _squares(y_true, y_pred), sample_weight, mask)


def _accepted(function: Callable[..., Any] | None) -> set[str]:
    parameters = inspect.signature(function).parameters.values() if function else ()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def _gives_one_number(metric: str, given: Mapping[str, Any]) -> bool:
    thresholds = given.get("thresholds")
    if metric != "AUC" and isinstance(thresholds, (list, tuple)) and len(thresholds) != 1:
        return False
    if metric.endswith("IoU") and given.get("axis", -1) != -1:
        return False
    return given.get("class_aggregation", "") is not None


def _row_values(
    reduction: str, values: Array, sample_weight: ArrayLike | None, mask: ArrayLike | None
) -> Array:
    """(n,) values whose plain mean is the reduced value of (n, ...) ones."""
    if reduction in _OVER_ALL and mask is not None:
        # Keras divides a loss by the number of steps that count, and not by their weights.
        counted = np.asarray(mask, np.float64)
        mask = counted * (counted.size / counted.sum()) if counted.any() else counted
    sums, weights = row_parts(values, sample_weight, mask)
    return sums if reduction in _OVER_ALL else sums / weights.mean()


def _mean_over_batch(
    values: Array, sample_weight: ArrayLike | None, mask: ArrayLike | None
) -> float:
    """Keras' mean of a loss: weighted, but divided by the number of steps that count."""
    if not values.size:
        return float("nan")
    return float(_row_values("sum_over_batch_size", values, sample_weight, mask).mean())


def _sum(values: Array, sample_weight: ArrayLike | None, mask: ArrayLike | None) -> float:
    steps = values.size // max(len(values), 1)
    return float(row_parts(values, sample_weight, mask)[0].sum() * steps)


_OVER_ALL = ("sum_over_batch_size", "mean")

_REDUCTIONS: dict[str, Callable[[Array, ArrayLike | None, ArrayLike | None], float]] = {
    "weighted": mean_over_rows,
    "mean_with_sample_weight": mean_over_rows,
    "sum_over_batch_size": _mean_over_batch,
    "mean": _mean_over_batch,
    "sum": _sum,
}
