"""Keras' metrics and losses as plain functions of arrays, found by Keras' own names.

Predictions can be scored without Keras, those of a baseline by the same function as the model's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics import classification, losses
from dlrun.metrics.arrays import Array, mean_over_rows, row_weights, sigmoid
from dlrun.metrics.classification import repeated_auc
from dlrun.metrics.names import Direction, Kind, canonical, direction
from dlrun.metrics.table import MEASURES, MeasureFacts

__all__ = ["Direction", "Kind", "Score", "ScoreFunction", "direction", "find_score"]

ScoreFunction = Callable[..., float]
"""(y_true, y_pred, sample_weight=None) -> float. y_true is (n,), (n, 1) or (n, k); y_pred is
(n, 1) or (n, k); sample_weight is (n,). NaN where it is undefined, such as without rows."""


@dataclass(frozen=True)
class Score:
    """One way to score predictions.

    Args:
        name: As the config gives it.
        direction: `min` where lower is better, else `max`.
        function: What computes it.
        unit_power: 1 where it is in the target's unit (mae, rmse), 2 in its square (mse), 0
            where it has no unit or mixes powers (huber, log-cosh): multiply a score of a
            target that was divided by s with s**unit_power to bring it back.
        metric: Keras' class name.
        from_logits: Whether the function takes the predictions for logits, and that matters.
        rows: Gives a value for each row, (n,), whose plain mean is the score (`of_mean` of it,
            where there is one); takes the arguments of `function`. None where there are none.
        of_mean: What makes the score of that mean: the square root of a mean square.
        repeated: Gives the score, (B,), where each row counts `times` (B, n); takes y_true,
            y_pred and `times`. None where there is no faster way than to call `function` B times.
    """

    name: str
    direction: Direction
    function: ScoreFunction
    unit_power: int = 0
    metric: str = ""
    from_logits: bool = False
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
    from_logits: bool = False,
    kind: Kind = "metric",
) -> Score | None:
    """Return the NumPy version of a Keras metric or loss, or None where there is none.

    It equals Keras' own on the same arrays but for rounding, with two exceptions: AUC is exact
    where Keras takes 200 thresholds, and F1 over several classes is their mean where Keras
    gives one number for each.

    Args:
        name: Class name, snake_case or alias: `MeanAbsoluteError`, `mean_absolute_error`,
            `mae`. `accuracy` and `crossentropy` are resolved by the shapes of each call.
        arguments: What the config gives it. Arguments that change its meaning in a way that is
            not covered here give None.
        from_logits: Whether the model gives logits. Cross-entropies take them as they are;
            what compares with a threshold turns them into probabilities first, which Keras
            does not do. The metric's own argument `from_logits` takes precedence.
        kind: `loss` for the name of a loss; averages over sample weights and the sign of
            cosine similarity depend on it.
    """
    metric = canonical(name, kind)
    if metric is None:
        return None
    options = {
        key: value
        for key, value in (arguments or {}).items()
        if key not in _WITHOUT_EFFECT and _NEUTRAL.get(key, ...) != value
    }
    reduction = options.pop("reduction", "sum_over_batch_size") if kind == "loss" else "weighted"
    from_logits = bool(options.get("from_logits", from_logits))
    found = _rowwise(metric, kind, reduction, options, from_logits) or _whole(
        metric, options, from_logits
    )
    if found is None:
        return None
    logits = from_logits and metric in (*_CROSSENTROPIES, *_THRESHOLDED)
    return replace(
        found, name=name, direction=direction(name, kind), metric=metric, from_logits=logits
    )


_WITHOUT_EFFECT = ("name", "dtype", "num_thresholds", "num_labels")
_NEUTRAL = {
    "axis": -1,
    "ignore_class": None,
    "num_regressors": 0,
    "from_sorted_ids": False,
    "summation_method": "interpolation",
}
"""Arguments that are accepted with the value that is used here anyway."""

_Rowwise = Callable[..., Array]
_ROWWISE: dict[str, tuple[_Rowwise, int]] = {
    "Accuracy": (classification.accuracy, 0),
    "BinaryAccuracy": (classification.binary_accuracy, 0),
    "BinaryCrossentropy": (losses.binary_crossentropy, 0),
    "CategoricalAccuracy": (classification.categorical_accuracy, 0),
    "CategoricalCrossentropy": (losses.categorical_crossentropy, 0),
    "CategoricalHinge": (classification.categorical_hinge, 0),
    "CosineSimilarity": (losses.cosine_similarity, 0),
    "Crossentropy": (losses.crossentropy, 0),
    "Hinge": (classification.hinge, 0),
    "Huber": (losses.huber, 0),
    "KLDivergence": (losses.kl_divergence, 0),
    "LogCosh": (losses.log_cosh, 0),
    "LogCoshError": (losses.log_cosh, 0),
    "MeanAbsoluteError": (losses.absolute_error, 1),
    "MeanAbsolutePercentageError": (losses.absolute_percentage_error, 0),
    "MeanSquaredError": (losses.squared_error, 2),
    "MeanSquaredLogarithmicError": (losses.squared_logarithmic_error, 0),
    "Poisson": (losses.poisson, 0),
    "SparseCategoricalAccuracy": (classification.sparse_categorical_accuracy, 0),
    "SparseCategoricalCrossentropy": (losses.sparse_categorical_crossentropy, 0),
    "SparseTopKCategoricalAccuracy": (classification.sparse_top_k_categorical_accuracy, 0),
    "SquaredHinge": (classification.squared_hinge, 0),
    "TopKCategoricalAccuracy": (classification.top_k_categorical_accuracy, 0),
}
"""Class name to a function that gives one value for each row, and its unit power."""

_WHOLE: dict[str, tuple[ScoreFunction, int]] = {
    "AUC": (classification.auc, 0),
    "F1Score": (classification.f_beta_score, 0),
    "FBetaScore": (classification.f_beta_score, 0),
    "Precision": (classification.precision, 0),
    "R2Score": (losses.r2_score, 0),
    "Recall": (classification.recall, 0),
    "RootMeanSquaredError": (losses.root_mean_squared_error, 1),
}
"""Class name to a function that is not a mean over rows, and its unit power."""

_CROSSENTROPIES = tuple(metric for metric in _ROWWISE if metric.endswith("Crossentropy"))
_THRESHOLDED = ("Accuracy", "BinaryAccuracy", "F1Score", "FBetaScore", "Precision", "Recall")


def _rowwise(
    metric: str, kind: Kind, reduction: str, options: dict[str, Any], from_logits: bool
) -> Score | None:
    if metric not in _ROWWISE or reduction not in _REDUCTIONS:
        return None
    values, unit_power = _ROWWISE[metric]
    if metric == "CosineSimilarity" and kind == "loss":
        values = losses.negative_cosine_similarity
    accepted = _accepted(values)
    if not options.keys() <= accepted:
        return None
    if "from_logits" in accepted:
        options = options | {"from_logits": from_logits}
    reduce = _REDUCTIONS[reduction]

    def of_each(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        output = _probabilities(metric, y_pred) if from_logits else y_pred
        return values(y_true, output, **options)

    def function(
        y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        return reduce(of_each(y_true, y_pred), sample_weight)

    def rows(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Array:
        return _row_values(
            of_each(y_true, y_pred), sample_weight, relative=reduce is mean_over_rows
        )

    return Score("", "min", function, unit_power, rows=None if reduce is _sum else rows)


def _row_values(values: Array, sample_weight: ArrayLike | None, *, relative: bool) -> Array:
    """(n,) values whose plain mean is the weighted mean of `values`, (n, ...)."""
    means = values.reshape(len(values), -1).mean(axis=1)
    if sample_weight is None:
        return means
    weights = row_weights(sample_weight, len(means))
    return means * weights / (weights.mean() if relative else 1.0)


def _whole(metric: str, options: dict[str, Any], from_logits: bool) -> Score | None:
    if metric not in _WHOLE:
        return None
    whole, unit_power = _WHOLE[metric]
    # Logits and probabilities have the same order, which is all that AUC depends on.
    options = {key: value for key, value in options.items() if key != "from_logits"}
    if not options.keys() <= _accepted(whole) or not _gives_one_number(options):
        return None
    if isinstance(options.get("thresholds"), (list, tuple)):
        options = options | {"thresholds": options["thresholds"][0]}

    def function(
        y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        output = _probabilities(metric, y_pred) if from_logits else y_pred
        return whole(y_true, output, sample_weight, **options)

    score = Score("", "min", function, unit_power)
    if metric == "RootMeanSquaredError":
        return replace(score, rows=_squared_errors, of_mean=np.sqrt)
    if metric == "AUC":
        return replace(score, repeated=partial(repeated_auc, **options))
    return score


def _squared_errors(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
) -> Array:
    values = losses.squared_error(y_true, y_pred)
    return _row_values(values, sample_weight, relative=True)


def _accepted(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def _gives_one_number(options: Mapping[str, Any]) -> bool:
    thresholds = options.get("thresholds")
    if isinstance(thresholds, (list, tuple)) and len(thresholds) != 1:
        return False
    if options.get("class_aggregation", "") is None:
        return False
    return str(options.get("curve", "ROC")).upper() in ("ROC", "PR")


def _probabilities(metric: str, logits: ArrayLike) -> ArrayLike:
    """Turn logits into what a threshold such as 0.5 is meant for; leave the others as they are."""
    # The largest output, which accuracy over several classes takes, stays the largest.
    return sigmoid(logits) if metric in _THRESHOLDED else logits


def _mean_over_batch(values: Array, sample_weight: ArrayLike | None) -> float:
    """Keras' mean of a loss: weighted, but divided by the number of rows."""
    weights = row_weights(sample_weight, len(values))
    return float(np.mean(values.T * weights)) if values.size else float("nan")


def _sum(values: Array, sample_weight: ArrayLike | None) -> float:
    return float(np.sum(values.T * row_weights(sample_weight, len(values))))


_REDUCTIONS: dict[str, Callable[[Array, ArrayLike | None], float]] = {
    "weighted": mean_over_rows,
    "mean_with_sample_weight": mean_over_rows,
    "sum_over_batch_size": _mean_over_batch,
    "mean": _mean_over_batch,
    "sum": _sum,
}
