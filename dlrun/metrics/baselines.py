"""The common-sense prediction that a model has to beat (*Deep Learning with Python*, 4.5).

It knows the training targets and nothing of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import EPSILON, Array
from dlrun.metrics.formatting import figure, percent
from dlrun.metrics.scores import Score

Task = Literal["binary", "multiclass", "multilabel", "regression"]

_BEST_AT_MEDIAN = (
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "Huber",
    "LogCosh",
    "LogCoshError",
)
_BEST_AT_SHARES = (
    "AUC",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Crossentropy",
    "KLDivergence",
    "MeanSquaredError",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
)
_OF_SOFTMAX = ("CategoricalCrossentropy", "Crossentropy", "SparseCategoricalCrossentropy")
_ON_MARGINS = ("Hinge", "SquaredHinge")


@dataclass(frozen=True)
class Baseline:
    """How well common sense does.

    Args:
        name: `majority class`, `class shares`, `mean` or `median`.
        value: Its score.
        description: What it predicts, for a person to read.
    """

    name: str
    value: float
    description: str


def baseline(
    task: Task,
    score: Score,
    y_train: ArrayLike,
    y_rows: ArrayLike,
    *,
    outputs: int | None = None,
    classes: Sequence[str] | None = None,
    train_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Baseline:
    """Fit scikit-learn's dummy on training targets and score it on other rows.

    Classification predicts the class shares of the training rows where the score is of
    probabilities or ranks, else the majority class; regression predicts the median where the
    score is of absolute errors, else the mean.

    Args:
        task: What is predicted.
        score: What to judge by.
        y_train: Training targets as the loss sees them: (n,), (n, 1) or (n, k).
        y_rows: Targets of the rows to score, in the same form.
        outputs: Number of model outputs; default: what the targets ask for. Class indices
            need it where the last classes occur in no row, and two classes where the model
            has two outputs.
        classes: Class names, for the description.
        train_weight: (n,) weights of the training rows.
        sample_weight: Weights of the rows to score.
    """
    train, rows = _two_dimensional(y_train), _two_dimensional(y_rows)
    if task == "regression":
        return _constant(score, train, rows, train_weight, sample_weight)
    if outputs is None and score.metric.startswith("Sparse"):
        outputs = _number_of_classes(train, rows)
    shares = _shares(task, train, rows, outputs, train_weight)
    by_shares = task == "multilabel" or score.metric in _BEST_AT_SHARES
    probabilities = shares if by_shares else _majority(shares)
    output = _as_output(probabilities, score, task)
    value = score.function(np.asarray(y_rows), np.tile(output, (len(rows), 1)), sample_weight)
    if by_shares:
        return Baseline("class shares", value, "gives each class its share of the training rows")
    return Baseline("majority class", value, _describe(shares, classes))


def _constant(
    score: Score,
    train: Array,
    rows: Array,
    train_weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> Baseline:
    from sklearn.dummy import DummyRegressor

    name: Literal["median", "mean"] = "median" if score.metric in _BEST_AT_MEDIAN else "mean"
    dummy = DummyRegressor(strategy=name)
    dummy.fit(np.zeros((len(train), 1)), train, sample_weight=train_weight)
    constant = np.reshape(dummy.constant_, (1, -1))
    value = score.function(rows, np.tile(constant, (len(rows), 1)), sample_weight)
    which = f", {figure(float(constant[0, 0]))}" if constant.size == 1 else " of each target"
    return Baseline(name, value, f"always predicts the {name} of the training rows{which}")


def _shares(
    task: Task, train: Array, rows: Array, outputs: int | None, weight: ArrayLike | None
) -> Array:
    """Shares of the classes as the model would give them: (1,), (k,), or one for each label."""
    from sklearn.dummy import DummyClassifier

    columns = np.zeros((len(train), 1))
    if task == "multilabel":
        dummies = [
            DummyClassifier(strategy="prior").fit(columns, label, sample_weight=weight)
            for label in train.T.astype(np.int64)
        ]
        return np.array([float(d.class_prior_[d.classes_ == 1].sum()) for d in dummies])
    one_hot = train.shape[1] > 1
    labels = train.argmax(axis=1) if one_hot else train[:, 0].astype(np.int64)
    dummy = DummyClassifier(strategy="prior").fit(columns, labels, sample_weight=weight)
    if one_hot:
        outputs = train.shape[1]
    elif outputs is None:
        outputs = 1 if task == "binary" else _number_of_classes(train, rows)
    if outputs == 1:
        # Classes -1 and 1, or 0 and 1.
        return np.array([float(dummy.class_prior_[dummy.classes_ > 0].sum())])
    shares = np.zeros(outputs)
    shares[dummy.classes_] = dummy.class_prior_
    return shares


def _number_of_classes(train: Array, rows: Array) -> int:
    return int(max(train.max(), rows.max())) + 1


def _majority(shares: Array) -> Array:
    """All for the largest class."""
    if len(shares) == 1:
        return (shares > 0.5).astype(np.float64)
    return (np.arange(len(shares)) == shares.argmax()).astype(np.float64)


def _as_output(probabilities: Array, score: Score, task: Task) -> Array:
    """Bring probabilities into the range that the score expects of a model's output."""
    if score.metric in _ON_MARGINS:
        return np.where(probabilities > 0.5, 1.0, -1.0)
    if score.metric in _BEST_AT_MEDIAN and task == "multilabel":
        return (probabilities > 0.5).astype(np.float64)
    if not score.from_logits:
        return probabilities
    bounded = np.clip(probabilities, EPSILON, 1 - EPSILON)
    if score.metric in _OF_SOFTMAX and len(bounded) > 1:
        return np.log(bounded)
    return np.log(bounded / (1 - bounded))


def _describe(shares: Array, classes: Sequence[str] | None) -> str:
    if len(shares) == 1:
        index, share = (1, float(shares[0])) if shares[0] > 0.5 else (0, 1 - float(shares[0]))
    else:
        index, share = int(shares.argmax()), float(shares.max())
    name = f"'{classes[index]}'" if classes and index < len(classes) else f"class {index}"
    return f"always predicts {name}, {percent(share)} of the training rows"


def _two_dimensional(targets: ArrayLike) -> Array:
    array = np.asarray(targets)
    return array[:, None] if array.ndim == 1 else array
