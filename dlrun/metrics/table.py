"""What is known of each measure: Keras' metrics and losses by the name of their class.

Directions, bounds, baselines, cuts, labels, and findings about measures all come from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["min", "max"]

OutputForm = Literal["unit", "labels", "classes", "quantity", "quantities"]
"""What a model's output is: one unit that tells two classes apart, several units that each answer
by themselves, a unit for each of several classes, one quantity, several quantities."""

Cut = Literal["threshold", "largest", "curve"]
"""How a measure turns outputs into classes: above a threshold, by the largest output (or the k
largest), or at many thresholds from 0 to 1."""

Constant = Literal["mean", "median", "shares", "class"]
"""The constant answer that is best in a measure: mean or median of the targets, the shares of the
classes, or one class for all rows."""

UNIT: tuple[OutputForm, ...] = ("unit", "labels")
CLASSES: tuple[OutputForm, ...] = ("classes",)
QUANTITIES: tuple[OutputForm, ...] = ("quantity", "quantities")
ANY: tuple[OutputForm, ...] = (*UNIT, *CLASSES, *QUANTITIES)


@dataclass(frozen=True)
class MeasureFacts:
    """One measure.

    Args:
        label: What people call it, for axes and tables.
        forms: The outputs that it means something for, with its default arguments; see
            `means_something`.
        better: Which way is better, as a metric; a loss is always minimised.
        low: Its least value; None where there is none.
        high: Its greatest value; None where there is none.
        best_at: The constant answer that is best in it.
        cut: How it turns outputs into classes; None where it compares values.
        cut_argument: The argument that holds its threshold.
    """

    label: str
    forms: tuple[OutputForm, ...]
    better: Direction = "min"
    low: float | None = 0.0
    high: float | None = None
    best_at: Constant = "shares"
    cut: Cut | None = None
    cut_argument: str | None = None


def _share(
    label: str,
    forms: tuple[OutputForm, ...],
    cut: Cut = "largest",
    cut_argument: str | None = None,
    best_at: Constant = "class",
) -> MeasureFacts:
    """A share from 0 to 1 that is better the higher it is."""
    return MeasureFacts(label, forms, "max", 0.0, 1.0, best_at, cut, cut_argument)


def _count(label: str, better: Direction) -> MeasureFacts:
    return MeasureFacts(label, UNIT, better, 0.0, None, "class", "threshold", "thresholds")


def _error(
    label: str,
    forms: tuple[OutputForm, ...] = QUANTITIES,
    best_at: Constant = "median",
    low: float | None = 0.0,
) -> MeasureFacts:
    """An error of quantities."""
    return MeasureFacts(label, forms, "min", low, None, best_at)


def _correlation(label: str) -> MeasureFacts:
    return MeasureFacts(label, ("quantities",), "max", -1.0, 1.0, "mean")


_LOG_COSH = _error("Log-cosh error")
_INTERSECTION = _share("IoU", CLASSES, "largest")
_MEAN_INTERSECTION = _share("Mean IoU", CLASSES, "largest")

MEASURES: Mapping[str, MeasureFacts] = {
    "AUC": _share("AUC", UNIT, "curve", best_at="shares"),
    "Accuracy": _share("Accuracy", ("unit", "classes"), "threshold"),
    "BinaryAccuracy": _share("Binary accuracy", UNIT, "threshold", "threshold"),
    "BinaryCrossentropy": MeasureFacts("Binary crossentropy", UNIT),
    "BinaryFocalCrossentropy": MeasureFacts("Binary focal crossentropy", UNIT),
    "BinaryIoU": _share("Binary IoU", UNIT, "threshold", "threshold"),
    "CTC": MeasureFacts("CTC loss", CLASSES),
    "CategoricalAccuracy": _share("Categorical accuracy", CLASSES),
    "CategoricalCrossentropy": MeasureFacts("Categorical crossentropy", CLASSES),
    "CategoricalFocalCrossentropy": MeasureFacts("Categorical focal crossentropy", CLASSES),
    "CategoricalGeneralizedCrossEntropy": MeasureFacts(
        "Generalized crossentropy", CLASSES, best_at="class"
    ),
    "CategoricalHinge": MeasureFacts("Categorical hinge", CLASSES, best_at="class"),
    "Circle": MeasureFacts("Circle loss", CLASSES),
    "ConcordanceCorrelation": _correlation("Concordance correlation"),
    "CosineSimilarity": MeasureFacts(
        "Cosine similarity", ("quantities",), "max", -1.0, 1.0, "mean"
    ),
    "Crossentropy": MeasureFacts("Crossentropy", (*UNIT, *CLASSES)),
    "Dice": MeasureFacts("Dice loss", (*UNIT, *CLASSES), best_at="class"),
    "F1Score": _share("F1 score", CLASSES, "largest", "threshold"),
    "FBetaScore": _share("F-beta score", CLASSES, "largest", "threshold"),
    "FalseNegatives": _count("False negatives", "min"),
    "FalsePositives": _count("False positives", "min"),
    "Hinge": MeasureFacts("Hinge", UNIT, best_at="class"),
    "Huber": _error("Huber loss"),
    "IoU": _INTERSECTION,
    "KLDivergence": MeasureFacts("KL divergence", CLASSES, low=None),
    "LogCosh": _LOG_COSH,
    "LogCoshError": _LOG_COSH,
    "MeanAbsoluteError": _error("MAE", ANY),
    "MeanAbsolutePercentageError": _error("MAPE"),
    "MeanIoU": _MEAN_INTERSECTION,
    "MeanSquaredError": _error("MSE", ANY, "mean"),
    "MeanSquaredLogarithmicError": _error("MSLE", best_at="mean"),
    "OneHotIoU": _INTERSECTION,
    "OneHotMeanIoU": _MEAN_INTERSECTION,
    "PearsonCorrelation": _correlation("Pearson correlation"),
    "Poisson": _error("Poisson loss", best_at="mean", low=None),
    "Precision": _share("Precision", UNIT, "threshold", "thresholds"),
    "PrecisionAtRecall": _share("Precision at recall", UNIT, "curve", best_at="shares"),
    "R2Score": MeasureFacts("R² score", QUANTITIES, "max", None, 1.0, "mean"),
    "Recall": _share("Recall", UNIT, "threshold", "thresholds"),
    "RecallAtPrecision": _share("Recall at precision", UNIT, "curve", best_at="shares"),
    "RootMeanSquaredError": _error("RMSE", ANY, "mean"),
    "SensitivityAtSpecificity": _share(
        "Sensitivity at specificity", UNIT, "curve", best_at="shares"
    ),
    "SparseCategoricalAccuracy": _share("Sparse categorical accuracy", CLASSES),
    "SparseCategoricalCrossentropy": MeasureFacts("Sparse categorical crossentropy", CLASSES),
    "SparseTopKCategoricalAccuracy": _share("Top-k accuracy", CLASSES, best_at="shares"),
    "SpecificityAtSensitivity": _share(
        "Specificity at sensitivity", UNIT, "curve", best_at="shares"
    ),
    "SquaredHinge": MeasureFacts("Squared hinge", UNIT, best_at="class"),
    "TopKCategoricalAccuracy": _share("Top-k accuracy", CLASSES, best_at="shares"),
    "TrueNegatives": _count("True negatives", "max"),
    "TruePositives": _count("True positives", "max"),
    "Tversky": MeasureFacts("Tversky loss", (*UNIT, *CLASSES), best_at="class"),
}
"""Every measure of Keras by its class; `Accuracy` and `Crossentropy` are the kinds that `compile`
chooses by the shapes of outputs and targets."""


def means_something(name: str, arguments: Mapping[str, Any], form: OutputForm) -> bool:
    """Tell whether a measure means what its name says for an output of some form.

    Args:
        name: Keras' class name.
        arguments: What the config gives it.
        form: Of the output. For unknown measures, such as those of plugins, the answer is True.
    """
    facts = MEASURES.get(name)
    if facts is None:
        return True
    forms = set(facts.forms)
    if name in ("F1Score", "FBetaScore") and arguments.get("threshold") is not None:
        forms |= {*UNIT}
    if form == "classes" and "unit" in forms:
        # One class against the others, or the k classes with the largest outputs.
        chosen = arguments.get("class_id") is not None or arguments.get("top_k") is not None
        if chosen or arguments.get("multi_label"):
            return True
    if facts.forms == ("quantities",) and arguments.get("axis") == 0:
        forms |= {*QUANTITIES}
    return form in forms
