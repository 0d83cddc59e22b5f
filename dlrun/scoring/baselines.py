"""The common-sense prediction that a model has to beat (*Deep Learning with Python*, 4.5).

It is the constant answer that is best in the measure of success on the training rows. It knows the
targets of those rows and none of their features.

Legend: n rows, k outputs or classes, m steps: rows times further axes (t timesteps, h x w pixels).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import EPSILON, Array
from dlrun.metrics.cuts import as_outputs
from dlrun.metrics.names import TargetType
from dlrun.metrics.predictions import unit_of
from dlrun.metrics.scores import Score
from dlrun.text import figure, percent

MOST_STEPS = 50_000
"""Training steps, evenly spaced ones of many, on which constant answers are compared."""

MOST_CLASSES = 20
"""Classes, the most frequent ones, that are each tried as the constant answer."""

_BETTER_BY_CHANCE = ("F1Score", "FBetaScore", "Precision", "Recall")
IN_TIME = {
    "persistence": "predicts the last known value of the target",
    "seasonal": "predicts the value one season before",
}
"""What the baselines of time-ordered rows do."""


@dataclass(frozen=True)
class Baseline:
    """The score of a common-sense prediction.

    Args:
        name: `majority class`, `always positive`, `always negative`, `one class`,
            `stratified chance`, `class shares`, `mean`, `median` or `best constant`, or for
            time-ordered rows `persistence` or `seasonal`.
        value: Its score; NaN where a constant answer has none.
        description: What it predicts, or why it has no score, for a person to read.
    """

    name: str
    value: float
    description: str


@dataclass(frozen=True)
class CommonSense:
    """A baseline and what it predicts.

    Args:
        baseline: Its score.
        predictions: (n, ..., k) for the scored rows, in the form of a model's output.
    """

    baseline: Baseline
    predictions: Array


@dataclass(frozen=True)
class _Answer:
    """A constant answer, or one that is drawn by chance.

    Args:
        name: As `Baseline` has it.
        description: The same.
        values: (k,) the answer; of chance, the shares that it is drawn by.
        drawn: Whether a class is drawn for each step.
    """

    name: str
    description: str
    values: Array
    drawn: bool = False

    def predict(self, shape: Sequence[int], score: Score, task: TargetType) -> Array:
        """Return the answer for steps, (..., k), as the score expects of a model's output."""
        if task == "regression":
            return np.broadcast_to(self.values, shape)
        if not self.drawn:
            return np.broadcast_to(as_output(self.values, score, task), shape)
        several = len(self.values) > 1
        chances = self.values if several else np.array([1 - self.values[0], self.values[0]])
        rng = np.random.default_rng(0)
        labels = rng.choice(len(chances), shape[:-1], p=chances / chances.sum())
        answers = np.eye(len(chances))[labels] if several else labels[..., None].astype(np.float64)
        return as_output(answers, score, task)


def common_sense(
    task: TargetType,
    score: Score,
    y_train: ArrayLike,
    y_rows: ArrayLike,
    *,
    shape: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    train_mask: ArrayLike | None = None,
) -> CommonSense:
    """Find the best constant answer on training targets and score it on other rows.

    Quantities: the mean, the median, or whatever constant is best in the measure. Classes: their
    shares where the measure is of probabilities or ranks, else the class, or classes, that score
    best; or classes drawn by their shares where that (as for F1) scores higher on these rows.

    Args:
        task: What is predicted.
        score: The measure of success.
        y_train: Training targets as the measure sees them: (n, ...), or (n, ..., k).
        y_rows: Targets of the rows to score, in the same form.
        shape: (..., k) what the model gives a row; default: what the targets ask for. Class
            indices need it where the last classes occur in no row, and two classes where the
            model has two outputs.
        classes: Class names, for the description.
        sample_weight: Weights of the rows to score.
        mask: (n, ...) which steps of the rows to score count; default: all.
        train_mask: The same of the training rows.
    """
    train, rows = np.asarray(y_train), np.asarray(y_rows)
    shape = tuple(shape or _shape_of(task, score, train, rows))
    steps = _steps(train, len(shape))
    if train_mask is not None:
        steps = steps[np.asarray(train_mask, bool).reshape(-1)]
    if task == "regression":
        answer = _constant(score, steps)
    else:
        found = _answers(task, score, _shares(task, steps, shape[-1]), classes)
        answer = found[0] if len(found) == 1 else _best(found, score, task, steps, shape[-1])
    predicted = answer.predict((len(rows), *shape), score, task)
    if score.metric == "PearsonCorrelation" and score.rows is None:
        # Over rows the same answer has no variance, or what rounding leaves of it.
        return CommonSense(Baseline(answer.name, float("nan"), NO_CORRELATION), predicted)
    value = score.function(rows, predicted, sample_weight, mask)
    # Shares and means of the training rows are those of their steps or pixels.
    unit = unit_of(len(shape) - 1)
    about = answer.description.replace("training rows", f"training {unit}")
    return CommonSense(Baseline(answer.name, value, about), predicted)


NO_CORRELATION = "a constant answer has no correlation"


def in_time(
    name: str,
    forecast: ArrayLike,
    constant: CommonSense,
    task: TargetType,
    score: Score,
    y_rows: ArrayLike,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> CommonSense:
    """Score a naive forecast of time-ordered rows.

    Args:
        name: `persistence` or `seasonal`.
        forecast: (n, k) what the rule predicts, of classes (n,) their indices; NaN where it
            predicts nothing.
        constant: What is predicted there instead.
        task: What is predicted.
        score: The measure of success.
        y_rows: Targets of the rows to score.
        sample_weight: Weights of the rows to score.
        mask: (n, ...) which steps of them count; default: all.
    """
    shape = constant.predictions.shape
    predicted = np.asarray(forecast, np.float64)
    if task != "regression":
        known, classes = ~np.isnan(predicted), np.nan_to_num(predicted).astype(np.int64)
        answers = np.eye(shape[-1])[classes] if shape[-1] > 1 else classes[:, None] * 1.0
        predicted = np.where(known[:, None], as_output(answers, score, task), np.nan)
    predicted = predicted.reshape(shape)
    predicted = np.where(np.isnan(predicted), constant.predictions, predicted)
    value = score.function(np.asarray(y_rows), predicted, sample_weight, mask)
    return CommonSense(Baseline(name, value, IN_TIME[name]), predicted)


def _constant(score: Score, train: Array) -> _Answer:
    """The constant for each target, (m, k), that is best in an error of quantities."""
    values = train.astype(np.float64)
    name, constant = "best constant", None
    if score.metric == "MeanAbsoluteError":
        name, constant = "median", np.median(values, axis=0)
    elif score.metric in _OPTIMA:
        constant = np.array([_OPTIMA[score.metric](column) for column in values.T])
    elif score.metric == "CosineSimilarity" and values.shape[1] > 1:
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        constant = (values / np.maximum(lengths, EPSILON)).mean(axis=0)
    elif score.metric in _BY_SEARCH:
        constant = np.array([_searched(score, column) for column in _evenly(values).T])
    else:
        name, constant = "mean", values.mean(axis=0)
    which = f", {figure(float(constant[0]))}" if constant.size == 1 else " of each target"
    what = f"the {name} of the training rows{which}"
    return _Answer(name, f"always predicts {what}", constant)


def _percentage_optimum(values: Array) -> float:
    """The median, each value weighted with what an error of 1 costs there (Gneiting 2011, Making
    and evaluating point forecasts, JASA 106)."""
    order = np.argsort(values)
    weights = np.cumsum(1 / np.maximum(np.abs(values[order]), EPSILON))
    return float(values[order][np.searchsorted(weights, weights[-1] / 2)])


def _logarithmic_optimum(values: Array) -> float:
    return float(np.expm1(np.log1p(np.maximum(values, EPSILON)).mean()))


_OPTIMA = {
    "MeanAbsolutePercentageError": _percentage_optimum,
    "MeanSquaredLogarithmicError": _logarithmic_optimum,
}
_BY_SEARCH = ("Huber", "LogCosh", "LogCoshError")


def _searched(score: Score, values: Array) -> float:
    """The best constant for a convex error, by golden section search."""
    from scipy.optimize import minimize_scalar

    if values.min() == values.max():
        return float(values[0])
    found = minimize_scalar(
        lambda constant: score.function(values, np.full((len(values), 1), constant)),
        bounds=(float(values.min()), float(values.max())),
        method="bounded",
        options={"xatol": 1e-6 * float(np.ptp(values))},
    )
    return float(found.x)


def _answers(
    task: TargetType, score: Score, shares: Array, classes: Sequence[str] | None
) -> list[_Answer]:
    """The constant answers, (k,) probabilities, that may be best in a measure of classes."""
    by_share = _Answer("class shares", "gives each class its share of the training rows", shares)
    facts = score.facts
    if facts is not None and facts.best_at in ("shares", "mean"):
        return [by_share]
    majority = _Answer("majority class", _describe(shares, classes, task), _majority(shares, task))
    if score.metric.endswith("Accuracy"):
        return [majority]
    found = [majority, by_share, *_others(task, shares, classes)]
    # Of one unit or label, the answer that it is always true scores at least as high as chance.
    if score.metric in _BETTER_BY_CHANCE and task != "multilabel" and len(shares) > 1:
        found.append(
            _Answer(
                "stratified chance",
                "draws classes by their shares of the training rows",
                shares,
                drawn=True,
            )
        )
    return found


def _others(task: TargetType, shares: Array, classes: Sequence[str] | None) -> Iterator[_Answer]:
    """Every class, or all labels or none, as the answer for all rows."""
    if task == "multilabel":
        yield _Answer("always positive", "always predicts every label", np.ones_like(shares))
        yield _Answer("always negative", "never predicts any label", np.zeros_like(shares))
    elif len(shares) == 1:
        for name, positive in (("always positive", 1), ("always negative", 0)):
            share = float(shares[0] if positive else 1 - shares[0])
            about = _always(positive, share, classes)
            yield _Answer(name, about, np.array([float(positive)]))
    else:
        for index in np.argsort(-shares, kind="stable")[:MOST_CLASSES]:
            about = _always(int(index), float(shares[index]), classes)
            yield _Answer("one class", about, (np.arange(len(shares)) == index).astype(np.float64))


def _best(
    answers: Sequence[_Answer], score: Score, task: TargetType, steps: Array, outputs: int
) -> _Answer:
    """The answer that scores best on the training steps; the first of equals."""
    few = _evenly(steps)
    truth = few[:, 0] if few.shape[1] == 1 and outputs > 1 else few

    def weakness(answer: _Answer) -> float:
        value = score.function(truth, answer.predict((len(few), outputs), score, task))
        if not np.isfinite(value):
            return np.inf
        return value if score.direction == "min" else -value

    return min(answers, key=weakness)


def _shares(task: TargetType, train: Array, outputs: int) -> Array:
    """(k,) shares of the classes, or of each label, as the model would give them."""
    if task == "multilabel" or train.shape[1] > 1:
        return (train > 0).mean(axis=0)
    labels = train[:, 0].astype(np.int64)
    if outputs == 1:
        # Classes -1 and 1, or 0 and 1.
        return np.array([float((labels > 0).mean())])
    return np.bincount(labels, minlength=outputs)[:outputs] / len(labels)


def _majority(shares: Array, task: TargetType) -> Array:
    """All for the largest class, or each label as it mostly is."""
    if len(shares) == 1 or task == "multilabel":
        return (shares > 0.5).astype(np.float64)
    return (np.arange(len(shares)) == shares.argmax()).astype(np.float64)


def as_output(probabilities: Array, score: Score, task: TargetType) -> Array:
    """Return probabilities, (..., k), in the range that the score expects of a model's output."""
    if score.metric == "Hinge":
        return np.where(probabilities > 0.5, 1.0, -1.0)
    if score.metric == "MeanAbsoluteError" and task == "multilabel":
        return (probabilities > 0.5).astype(np.float64)
    return as_outputs(probabilities, score.outputs, EPSILON)


def _describe(shares: Array, classes: Sequence[str] | None, task: TargetType) -> str:
    if task == "multilabel":
        return "predicts each label as it is in most training rows"
    if len(shares) == 1:
        positive = int(shares[0] > 0.5)
        return _always(positive, float(shares[0] if positive else 1 - shares[0]), classes)
    return _always(int(shares.argmax()), float(shares.max()), classes)


def _always(index: int, share: float, classes: Sequence[str] | None) -> str:
    name = f"'{classes[index]}'" if classes and index < len(classes) else f"class {index}"
    return f"always predicts {name}, {percent(share)} of the training rows"


def _shape_of(task: TargetType, score: Score, train: Array, rows: Array) -> Sequence[int]:
    """What a model would give a row for such targets."""
    if train.ndim > 1 and (train.shape[-1] > 1 or task in ("multilabel", "regression")):
        return train.shape[1:]
    axes = train.shape[1:-1] if train.ndim > 1 and train.shape[-1] == 1 else train.shape[1:]
    if task == "regression" or (task == "binary" and not score.metric.startswith("Sparse")):
        return (*axes, 1)
    return (*axes, int(max(train.max(), rows.max())) + 1)


def _steps(targets: Array, axes: int) -> Array:
    """(m, 1) or (m, k) targets of every step, of (n, ...) or (n, ..., k) for `axes` of a row."""
    whole = targets.ndim == axes + 1
    return targets.reshape(-1, targets.shape[-1]) if whole else targets.reshape(-1, 1)


def _evenly(steps: Array) -> Array:
    """All steps, or evenly spaced ones of many."""
    return steps[:: max(1, -(-len(steps) // MOST_STEPS))]
