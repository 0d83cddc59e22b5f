"""Keras' names of metrics and losses, in all their spellings, and which way is better.

A table by hand, so that a direction is known without importing Keras.
"""

from __future__ import annotations

from typing import Literal

from dlrun.registry.names import did_you_mean, snake_case

Direction = Literal["min", "max"]
Kind = Literal["metric", "loss"]

TargetType = Literal["binary", "multiclass", "multilabel", "regression"]
"""What is predicted."""

METRIC_DIRECTIONS: dict[str, Direction] = {
    "Accuracy": "max",
    "AUC": "max",
    "BinaryAccuracy": "max",
    "BinaryCrossentropy": "min",
    "BinaryIoU": "max",
    "CategoricalAccuracy": "max",
    "CategoricalCrossentropy": "min",
    "CategoricalHinge": "min",
    "ConcordanceCorrelation": "max",
    "CosineSimilarity": "max",
    "F1Score": "max",
    "FBetaScore": "max",
    "FalseNegatives": "min",
    "FalsePositives": "min",
    "Hinge": "min",
    "IoU": "max",
    "KLDivergence": "min",
    "LogCoshError": "min",
    "MeanAbsoluteError": "min",
    "MeanAbsolutePercentageError": "min",
    "MeanIoU": "max",
    "MeanSquaredError": "min",
    "MeanSquaredLogarithmicError": "min",
    "OneHotIoU": "max",
    "OneHotMeanIoU": "max",
    "PearsonCorrelation": "max",
    "Poisson": "min",
    "Precision": "max",
    "PrecisionAtRecall": "max",
    "R2Score": "max",
    "Recall": "max",
    "RecallAtPrecision": "max",
    "RootMeanSquaredError": "min",
    "SensitivityAtSpecificity": "max",
    "SparseCategoricalAccuracy": "max",
    "SparseCategoricalCrossentropy": "min",
    "SparseTopKCategoricalAccuracy": "max",
    "SpecificityAtSensitivity": "max",
    "SquaredHinge": "min",
    "TopKCategoricalAccuracy": "max",
    "TrueNegatives": "max",
    "TruePositives": "max",
}
"""Keras' metric classes that measure something. Left out: `Mean`, `Sum` and the base classes."""

LOSSES = (
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Crossentropy",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
)
"""Keras' loss classes, and `Crossentropy`: the one that `compile` chooses by shapes."""

LOSSES_OF_QUANTITIES = frozenset(
    {
        "CosineSimilarity",
        "Huber",
        "LogCosh",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredError",
        "MeanSquaredLogarithmicError",
        "Poisson",
    }
)
"""The losses that predict quantities; the others predict classes."""

ALIASES = {
    "acc": "Accuracy",
    "bce": "BinaryCrossentropy",
    "BCE": "BinaryCrossentropy",
    "ce": "Crossentropy",
    "fbeta_score": "FBetaScore",
    "huber_loss": "Huber",
    "kld": "KLDivergence",
    "KLD": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "logcosh": "LogCosh",
    "mae": "MeanAbsoluteError",
    "MAE": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "MAPE": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "MSE": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
    "MSLE": "MeanSquaredLogarithmicError",
}
"""Keras' short names, and the names that its objects carry in a history."""


def canonical(name: str, kind: Kind = "metric") -> str | None:
    """Return Keras' class name of a metric or loss in any spelling, or None if unknown.

    Args:
        name: Class name, snake_case or alias.
        kind: Where the config names it; a loss may also serve as a metric.
    """
    # Keras takes these four in any case: it resolves them by shapes.
    folded = name.lower() if name.lower() in ("accuracy", "acc", "crossentropy", "ce") else name
    return _SPELLINGS[kind].get(folded)


def direction(name: str, kind: Kind = "metric") -> Direction:
    """Return `min` where a lower value is better, `max` where a higher one is.

    Args:
        name: A public Keras metric or loss in any spelling, or `loss`.
        kind: `loss` for the name of a loss; cosine similarity is the one whose direction
            depends on it.

    Raises:
        LookupError: Keras has no such metric or loss, or it has no better or worse (`Sum`).
    """
    if name == "loss":
        return "min"
    found = canonical(name, kind)
    if found is None:
        raise LookupError(
            f"no direction is known for the {kind} '{name}'{did_you_mean(name, _SPELLINGS[kind])}"
        )
    if kind == "metric":
        return METRIC_DIRECTIONS.get(found, "min")
    return "min"


def _spellings(classes: tuple[str, ...]) -> dict[str, str]:
    known = {name: name for name in classes}
    known |= {snake_case(name): name for name in classes}
    known |= {alias: name for alias, name in ALIASES.items() if name in classes}
    return known


_OF_LOSSES = _spellings(LOSSES)
_SPELLINGS: dict[Kind, dict[str, str]] = {
    "loss": _OF_LOSSES,
    # A metric's class wins where both have the name.
    "metric": _OF_LOSSES | _spellings(tuple(METRIC_DIRECTIONS)),
}
