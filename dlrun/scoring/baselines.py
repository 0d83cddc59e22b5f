"""The common-sense prediction that a model has to beat (*Deep Learning with Python*, 4.5).

It knows the training targets and none of the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import EPSILON, Array
from dlrun.metrics.names import TargetType
from dlrun.metrics.scores import Score
from dlrun.metrics.table import Constant
from dlrun.text import figure, percent

_BETTER_BY_CHANCE = ("F1Score", "FBetaScore", "Precision", "Recall")
IN_TIME = {
    "persistence": "predicts the last known value of the target",
    "seasonal": "predicts the value one season before",
}
"""What the baselines of time-ordered rows do."""

_OF_SOFTMAX = ("CategoricalCrossentropy", "Crossentropy", "SparseCategoricalCrossentropy")
_ON_MARGINS = ("Hinge", "SquaredHinge")


@dataclass(frozen=True)
class Baseline:
    """The score of a common-sense prediction.

    Args:
        name: `majority class`, `stratified chance`, `class shares`, `mean`, `median`, or for
            time-ordered rows `persistence` or `seasonal`.
        value: Its score.
        description: What it predicts, for a person to read.
    """

    name: str
    value: float
    description: str


@dataclass(frozen=True)
class CommonSense:
    """A baseline and what it predicts.

    Args:
        baseline: Its score.
        predictions: (n, k) for the scored rows, in the form of a model's output.
    """

    baseline: Baseline
    predictions: Array


def common_sense(
    task: TargetType,
    score: Score,
    y_train: ArrayLike,
    y_rows: ArrayLike,
    *,
    outputs: int | None = None,
    classes: Sequence[str] | None = None,
    train_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> CommonSense:
    """Fit scikit-learn's dummy on training targets and score it on other rows.

    Classification predicts the class shares of the training rows where the score is of
    probabilities or ranks, else the majority class, or classes drawn by their shares where the
    score (such as F1) gives more for that on the training rows; regression predicts the median
    where the score is of absolute errors, else the mean.

    Args:
        task: What is predicted.
        score: The measure of success.
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
    by_shares = task == "multilabel" or _best_at(score) not in ("class", "median")
    name, description = "class shares", "gives each class its share of the training rows"
    predicted = np.tile(
        as_output(shares if by_shares else _majority(shares), score, task), (len(rows), 1)
    )
    if not by_shares:
        name, description = "majority class", _describe(shares, classes)
        if score.metric in _BETTER_BY_CHANCE and _chance_is_better(score, task, shares, train):
            name = "stratified chance"
            description = "draws classes by their shares of the training rows"
            predicted = as_output(_drawn(shares, len(rows)), score, task)
    value = score.function(np.asarray(y_rows), predicted, sample_weight)
    return CommonSense(Baseline(name, value, description), predicted)


def in_time(
    name: str,
    forecast: ArrayLike,
    constant: CommonSense,
    score: Score,
    y_rows: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> CommonSense:
    """Score a naive forecast of time-ordered rows.

    Args:
        name: `persistence` or `seasonal`.
        forecast: (n, k) what the rule predicts; NaN where it predicts nothing.
        constant: What is predicted there instead.
        score: The measure of success.
        y_rows: Targets of the rows to score.
        sample_weight: Weights of the rows to score.
    """
    predicted = np.asarray(forecast, np.float64)
    predicted = np.where(np.isnan(predicted), constant.predictions, predicted)
    value = score.function(np.asarray(y_rows), predicted, sample_weight)
    return CommonSense(Baseline(name, value, IN_TIME[name]), predicted)


def _chance_is_better(score: Score, task: TargetType, shares: Array, train: Array) -> bool:
    """Whether chance scores higher than the majority class on the training rows themselves."""
    chance = as_output(_drawn(shares, len(train)), score, task)
    majority = np.tile(as_output(_majority(shares), score, task), (len(train), 1))
    return score.function(train, chance) > score.function(train, majority)


def _drawn(shares: Array, n: int) -> Array:
    """(n, k) one-hot rows, or (n, 1) zeros and ones, of classes drawn by their shares."""
    from sklearn.dummy import DummyClassifier

    several = len(shares) > 1
    classes = np.arange(len(shares)) if several else np.arange(2)
    weights = shares if several else np.array([1 - shares[0], shares[0]])
    dummy = DummyClassifier(strategy="stratified", random_state=0)
    dummy.fit(np.zeros((len(classes), 1)), classes, sample_weight=weights)
    labels = dummy.predict(np.zeros((n, 1)))
    return np.eye(len(shares))[labels] if several else labels[:, None].astype(np.float64)


def _constant(
    score: Score,
    train: Array,
    rows: Array,
    train_weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> CommonSense:
    from sklearn.dummy import DummyRegressor

    name: Literal["median", "mean"] = "median" if _best_at(score) == "median" else "mean"
    dummy = DummyRegressor(strategy=name)
    dummy.fit(np.zeros((len(train), 1)), train, sample_weight=train_weight)
    constant = np.reshape(dummy.constant_, (1, -1))
    predicted = np.tile(constant, (len(rows), 1))
    value = score.function(rows, predicted, sample_weight)
    which = f", {figure(float(constant[0, 0]))}" if constant.size == 1 else " of each target"
    description = f"always predicts the {name} of the training rows{which}"
    return CommonSense(Baseline(name, value, description), predicted)


def _shares(
    task: TargetType, train: Array, rows: Array, outputs: int | None, weight: ArrayLike | None
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


def as_output(probabilities: Array, score: Score, task: TargetType) -> Array:
    """Return probabilities, (..., k), in the range that the score expects of a model's output."""
    if score.metric in _ON_MARGINS:
        return np.where(probabilities > 0.5, 1.0, -1.0)
    if _best_at(score) == "median" and task == "multilabel":
        return (probabilities > 0.5).astype(np.float64)
    if not score.from_logits:
        return probabilities
    bounded = np.clip(probabilities, EPSILON, 1 - EPSILON)
    if score.metric in _OF_SOFTMAX and bounded.shape[-1] > 1:
        return np.log(bounded)
    return np.log(bounded / (1 - bounded))


def _describe(shares: Array, classes: Sequence[str] | None) -> str:
    if len(shares) == 1:
        index, share = (1, float(shares[0])) if shares[0] > 0.5 else (0, 1 - float(shares[0]))
    else:
        index, share = int(shares.argmax()), float(shares.max())
    name = f"'{classes[index]}'" if classes and index < len(classes) else f"class {index}"
    return f"always predicts {name}, {percent(share)} of the training rows"


def _best_at(score: Score) -> Constant | None:
    return score.facts.best_at if score.facts else None


def _two_dimensional(targets: ArrayLike) -> Array:
    array = np.asarray(targets)
    return array[:, None] if array.ndim == 1 else array
