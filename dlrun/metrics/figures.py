"""Where a model errs: figures for each class, or of the residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array
from dlrun.metrics.predictions import class_indices

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class ClassFigures:
    """One class, or an average over classes.

    Args:
        name: The class.
        precision: Share of the rows called so that are; 0 where none was.
        recall: Share of its rows that are called so; 0 where it has none.
        f1: Harmonic mean of the two.
        support: Its rows; of an average, all rows.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassificationFigures:
    """scikit-learn's classification report and confusion matrix as facts.

    Args:
        classes: One for each class or label, in the order of their indices.
        confusion: Rows of true class i called class j, `confusion[i][j]`; for several labels a
            row, one `[[tn, fp], [fn, tp]]` for each label.
        macro: Plain average over classes.
        weighted: Average weighted with support.
        accuracy: Share of rows that are right (in every label, where a row may have several).
        multilabel: Whether a row may have several labels.
    """

    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[Any, ...], ...]
    macro: ClassFigures
    weighted: ClassFigures
    accuracy: float
    multilabel: bool

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class WorstRow:
    """A row that was predicted badly.

    Args:
        row: Its number.
        true: The target.
        predicted: The prediction.
        error: predicted - true.
    """

    row: int
    true: float
    predicted: float
    error: float


@dataclass(frozen=True)
class TargetFigures:
    """Residuals (predicted - true) of one target, in its own unit.

    Args:
        name: The target.
        mean_error: Mean residual: the bias; above 0 where predictions are too high.
        mean_absolute_error: Mean size of the residuals.
        root_mean_squared_error: Square root of their mean square.
        median_absolute_error: Median size of the residuals.
        r2: Coefficient of determination; None where the target is constant in these rows.
        quantiles: Quantile of the residuals by its level, 0 (smallest) to 1 (largest).
        worst: The rows with the largest residuals, worst first.
        rows: Number of rows.
    """

    name: str
    mean_error: float
    mean_absolute_error: float
    root_mean_squared_error: float
    median_absolute_error: float
    r2: float | None
    quantiles: dict[float, float]
    worst: tuple[WorstRow, ...]
    rows: int


@dataclass(frozen=True)
class RegressionFigures:
    """Residual figures of each target, in the order of the model's outputs."""

    targets: tuple[TargetFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def classification_figures(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: Sequence[str] | None = None,
    *,
    multilabel: bool = False,
    threshold: float = 0.5,
) -> ClassificationFigures:
    """Return figures for each class from a model's output.

    Args:
        y_true: (n,) or (n, 1) class indices, (n, k) one-hot, or (n, k) 0/1 if `multilabel`.
        y_pred: (n, 1) probability of the second of two classes, or (n, k).
        classes: Class names; outputs beyond them are called by their index.
        multilabel: Whether a row may have several labels.
        threshold: A single output, or a label's, above it means yes.
    """
    predicted = np.asarray(y_pred)
    if predicted.ndim == 1:
        predicted = predicted[:, None]
    if multilabel:
        true = np.asarray(y_true).astype(bool).astype(np.int64)
        return _figures(true, (predicted > threshold).astype(np.int64), classes, true.shape[1])
    count = max(predicted.shape[1], 2, len(classes or ()))
    if predicted.shape[1] == 1:
        called = (predicted[:, 0] > threshold).astype(np.int64)
    else:
        called = predicted.argmax(axis=1)
    return _figures(class_indices(y_true), called, classes, count)


def regression_figures(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    targets: Sequence[str] | None = None,
    *,
    rows: ArrayLike | None = None,
    worst: int = 10,
) -> RegressionFigures:
    """Return residual figures of each target.

    Args:
        y_true: (n,) or (n, k), in the targets' own units.
        y_pred: (n, 1) or (n, k), in the same units.
        targets: Names of the k targets; default: `target`, or their numbers.
        rows: (n,) numbers by which to name rows; default: counted from 0.
        worst: How many of the worst rows to name.
    """
    true = np.asarray(y_true, np.float64)
    true = true[:, None] if true.ndim == 1 else true
    predicted = np.asarray(y_pred, np.float64).reshape(true.shape)
    numbers = np.arange(len(true)) if rows is None else np.asarray(rows)
    names = targets or (
        ["target"] if true.shape[1] == 1 else [str(i) for i in range(true.shape[1])]
    )
    return RegressionFigures(
        tuple(
            _target_figures(name, true[:, i], predicted[:, i], numbers, worst)
            for i, name in enumerate(names)
        )
    )


def _figures(
    true: Array, called: Array, classes: Sequence[str] | None, count: int
) -> ClassificationFigures:
    from sklearn.metrics import (
        accuracy_score,
        confusion_matrix,
        multilabel_confusion_matrix,
        precision_recall_fscore_support,
    )

    labels = np.arange(count)
    named = [str(name) for name in classes or ()]
    names = named + [str(label) for label in labels[len(named) :]]
    each = precision_recall_fscore_support(true, called, labels=labels, zero_division=0.0)
    averages = {}
    for kind in ("macro", "weighted"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            true, called, labels=labels, average=kind, zero_division=0.0
        )
        averages[kind] = ClassFigures(
            f"{kind} average", float(precision), float(recall), float(f1), int(each[3].sum())
        )
    if true.ndim == 2:
        confusion = multilabel_confusion_matrix(true, called, labels=labels)
    else:
        confusion = confusion_matrix(true, called, labels=labels)
    return ClassificationFigures(
        classes=tuple(
            ClassFigures(name, float(p), float(r), float(f), int(support))
            for name, p, r, f, support in zip(names, *each, strict=True)
        ),
        confusion=_as_tuples(confusion.tolist()),
        macro=averages["macro"],
        weighted=averages["weighted"],
        accuracy=float(accuracy_score(true, called)),
        multilabel=true.ndim == 2,
    )


def _target_figures(
    name: str, true: Array, predicted: Array, numbers: Array, worst: int
) -> TargetFigures:
    residuals = predicted - true
    spread = float(np.square(true - true.mean()).sum())
    order = np.argsort(-np.abs(residuals), kind="stable")[:worst]
    return TargetFigures(
        name=name,
        mean_error=float(residuals.mean()),
        mean_absolute_error=float(np.abs(residuals).mean()),
        root_mean_squared_error=float(np.sqrt(np.square(residuals).mean())),
        median_absolute_error=float(np.median(np.abs(residuals))),
        r2=1 - float(np.square(residuals).sum()) / spread if spread > 0 else None,
        quantiles={
            level: float(value)
            for level, value in zip(QUANTILES, np.quantile(residuals, QUANTILES), strict=True)
        },
        worst=tuple(
            WorstRow(int(numbers[i]), float(true[i]), float(predicted[i]), float(residuals[i]))
            for i in order
        ),
        rows=len(true),
    )


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value


BINS = 10


@dataclass(frozen=True)
class CalibrationBin:
    """The rows whose probability lies in one part of the range from 0 to 1.

    Args:
        low: Where it begins; a probability of exactly this much is in the bin before, except 0.
        high: Where it ends.
        rows: How many rows there are; at least one.
        predicted: Mean probability that the model gave.
        observed: Share of the rows where it came true.
    """

    low: float
    high: float
    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram as facts.

    Args:
        bins: Those that hold rows, ascending.
        error: Expected calibration error: the mean distance of `predicted` from `observed`,
            weighted with the rows. 0 is perfect.
        rows: All rows.
    """

    bins: tuple[CalibrationBin, ...]
    error: float
    rows: int


def calibration(came_true: ArrayLike, probability: ArrayLike, bins: int = BINS) -> Calibration:
    """Return how probabilities and outcomes go together, in bins of equal width.

    Source: Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural Networks* (2017),
    equation 3; the bins are those of scikit-learn's `calibration_curve`.

    Args:
        came_true: (n,) 0 or 1. For several classes: whether the class with the highest
            probability was the right one.
        probability: (n,) the model's, from 0 to 1.
        bins: Number of parts of the range.

    Raises:
        ValueError: There are no rows.
    """
    true = np.asarray(came_true, np.float64).reshape(-1)
    predicted = np.clip(np.asarray(probability, np.float64).reshape(-1), 0, 1)
    if true.size == 0:
        raise ValueError("Expected at least one row. Received: none")
    edges = np.linspace(0.0, 1.0, bins + 1)
    places = np.searchsorted(edges[1:-1], predicted)
    found = []
    for index in np.unique(places).tolist():
        here = places == index
        found.append(
            CalibrationBin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                rows=int(here.sum()),
                predicted=float(predicted[here].mean()),
                observed=float(true[here].mean()),
            )
        )
    error = sum(part.rows * abs(part.predicted - part.observed) for part in found) / true.size
    return Calibration(tuple(found), error, int(true.size))


@dataclass(frozen=True)
class RankingCurves:
    """The ROC and the precision-recall curve of one class against the rest.

    Each curve has a point for every threshold that changes it.

    Args:
        false_positive_rate: (t,) ascending, from 0 to 1.
        true_positive_rate: (t,) beside it.
        area: Area under the ROC curve: the chance that a row of the class is ranked above
            one of the rest, ties counting half.
        recall: (u,) ascending, from 0 to 1.
        precision: (u,) beside it.
        average_precision: Mean precision, weighted with the recall that each threshold adds.
        share: Share of the rows that are of the class: the precision of guessing.
    """

    false_positive_rate: Array
    true_positive_rate: Array
    area: float
    recall: Array
    precision: Array
    average_precision: float
    share: float


def ranking_curves(y_true: ArrayLike, scores: ArrayLike) -> RankingCurves | None:
    """Return both curves, or None where only one of the two classes is there.

    They are scikit-learn's `roc_curve`, `precision_recall_curve` and `average_precision_score`.

    Args:
        y_true: (n,) 0 or 1.
        scores: (n,) higher for rows that are more likely 1.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

    true = np.asarray(y_true).reshape(-1).astype(np.int64)
    values = np.asarray(scores, np.float64).reshape(-1)
    if true.size == 0 or true.min() == true.max() or not np.isfinite(values).all():
        return None
    false_rate, true_rate, _ = roc_curve(true, values)
    precision, recall, _ = precision_recall_curve(true, values)
    return RankingCurves(
        false_positive_rate=false_rate,
        true_positive_rate=true_rate,
        area=float(np.trapezoid(true_rate, false_rate)),
        recall=recall[::-1],
        precision=precision[::-1],
        average_precision=float(average_precision_score(true, values)),
        share=float(true.mean()),
    )
