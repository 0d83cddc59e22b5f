"""The simple model that every score is compared with: linear, from scikit-learn, with its defaults.

A network that does no better has learnt nothing beyond a linear fit.

Legend: n rows, f features, k outputs or classes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlrun.config.layers import PlainLayer
from dlrun.data.encoded import as_encoded
from dlrun.data.inputs import NamedInputs, are_arrays
from dlrun.data.lazy import in_memory, take_rows, windows_of
from dlrun.metrics.arrays import Array
from dlrun.metrics.names import TargetType
from dlrun.metrics.scores import Score
from dlrun.scoring.baselines import as_output
from dlrun.scoring.fitted_once import fitted_once

LOGISTIC = "logistic regression"
RIDGE = "ridge regression"

ITERATIONS = 50
"""Steps of the logistic regression at most; more hardly change its score."""

SPARSE_ITERATIONS = 20
"""The same for sparse zeros and ones, where each step takes longer."""

MOST_NUMBERS = 12_000_000
"""A logistic regression of more numbers (stored inputs times outputs) takes over a second."""

MOST_PRODUCTS = 10_000_000_000
"""A ridge regression of more products (n f min(n, f)) takes over a second."""

MOST_FEATURES_IN_MEMORY = 10_000_000
"""Numbers of windows that are written side by side for it: 40 MB, and twice that in all."""

FEWEST_SEEN = 10_000
"""Where all rows take too long, this many evenly spaced ones are enough for a linear model, ..."""

SEEN_PER_FEATURE = 20
"""... and this many for each feature. Of the largest sample that fits, its errors are then close to
those of the same model on all rows."""

_SPARSE_IS_SLOWER = 5


class SkippedError(ValueError):
    """There is no simple model for this; the message says why."""


@dataclass(frozen=True)
class SimpleModel:
    """A fitted linear model.

    Args:
        name: `logistic regression` or `ridge regression`.
        description: What it is and does, for a person to read.
        task: What is predicted.
        outputs: Number of the neural network's outputs, k.
        scaler: scikit-learn's `StandardScaler`, or None for sparse zeros and ones.
        parts: The fitted estimators: one, or one for each label. A number in place of one is
            the probability of a label that training never or always has.
    """

    name: str
    description: str
    task: TargetType
    outputs: int
    scaler: Any
    parts: tuple[Any, ...]

    def predict(self, features: Any, score: Score) -> Array:
        """Return (n, k) predictions in the form that the score expects of a model's output.

        Args:
            features: (n, f) array or sparse matrix, as those that it was fitted on.
            score: The measure of success.
        """
        scaled = features if self.scaler is None else self.scaler.transform(features)
        if self.task == "regression":
            predicted = np.asarray(self.parts[0].predict(scaled), np.float64)
            return predicted.reshape(len(predicted), -1)
        if self.task == "multilabel":
            columns = [_probability(part, scaled) for part in self.parts]
            return as_output(np.column_stack(columns), score, self.task)
        (classifier,) = self.parts
        shares = classifier.predict_proba(scaled).astype(np.float64)
        if self.outputs == 1:
            probabilities = shares[:, classifier.classes_ > 0].sum(axis=1, keepdims=True)
        else:
            probabilities = np.zeros((len(shares), self.outputs))
            probabilities[:, classifier.classes_] = shares
        return as_output(probabilities, score, self.task)


def simple_name(task: TargetType) -> str:
    """Return the name of the simple model for a task."""
    return RIDGE if task == "regression" else LOGISTIC


def fit_simple_model(
    task: TargetType, features: Any, targets: ArrayLike, outputs: int, *, sampled: bool = False
) -> SimpleModel:
    """Fit scikit-learn's `LogisticRegression` or `Ridge` on training rows.

    Dense features are standardized first. Whether it is fitted at all is decided by the numbers
    of rows, features and outputs alone, so that a run can be repeated.

    Args:
        task: What is predicted.
        features: (n, f) array, or scipy sparse matrix of zeros and ones.
        targets: Of the same rows: (n,), (n, 1) or (n, k) quantities, class indices, one-hot rows,
            or 0/1 for several labels.
        outputs: Number of the neural network's outputs, k.
        sampled: Whether the rows are a sample that was made small enough already; sparse ones may
            hold a little more than their share.

    Raises:
        SkippedError: It would take over a second, or the targets are of no known form.
    """
    from scipy.sparse import issparse

    truth = np.asarray(targets)
    if truth.ndim > 2:
        raise SkippedError("the targets of a row are more than a list of numbers")
    truth = truth[:, None] if truth.ndim == 1 else truth
    rows, width = features.shape
    sparse = issparse(features)
    if not sampled:
        refuse_large(task, rows, width, outputs, features.nnz if sparse else None)
    scaler = None
    if not sparse:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(features)
        features = scaler.transform(features)
    parts: tuple[Any, ...]
    if task == "regression":
        from sklearn.linear_model import Ridge

        # What was standardized is a copy already.
        parts = (Ridge(copy_X=sparse).fit(features, truth),)
    elif task == "multilabel":
        parts = tuple(_label_model(features, label) for label in truth.astype(np.int64).T)
    else:
        labels = truth.argmax(axis=1) if truth.shape[1] > 1 else truth[:, 0].astype(np.int64)
        if len(np.unique(labels)) < 2:
            raise SkippedError("the training rows hold a single class")
        parts = (_logistic(features, labels),)
    class_name = "Ridge" if task == "regression" else "LogisticRegression"
    standardized = "standardized " if scaler else ""
    description = (
        f"scikit-learn's {class_name} on {width} {standardized}features of the same training rows"
    )
    return SimpleModel(simple_name(task), description, task, outputs, scaler, parts)


def most_features(task: TargetType, rows: int, outputs: int) -> int:
    """Return how many dense features can be fitted in about a second, at least 1.

    Args:
        task: What is predicted.
        rows: Training rows, n.
        outputs: The neural network's outputs, k.
    """
    rows = max(rows, 1)
    most = MOST_FEATURES_IN_MEMORY // rows
    if task == "regression":
        # n f min(n, f) products: f = sqrt(products / n), or products / n^2 where f is above n.
        narrow, wide = math.isqrt(MOST_PRODUCTS // rows), MOST_PRODUCTS // rows**2
        return max(1, min(most, wide if wide > rows else min(narrow, rows)))
    return max(1, min(most, MOST_NUMBERS // (rows * max(outputs, 1))))


def refuse_large(
    task: TargetType, rows: int, width: int, outputs: int, nonzero: int | None = None
) -> None:
    """Raise an error where fitting would take over a second, by a fixed rule.

    Args:
        task: What is predicted.
        rows: Training rows, n.
        width: Features, f.
        outputs: The neural network's outputs, k.
        nonzero: Stored numbers of a sparse matrix; None: it is dense.

    Raises:
        SkippedError: It would.
    """
    stored = rows * width if nonzero is None else nonzero
    if task == "regression":
        too_large = stored * min(rows, width) > MOST_PRODUCTS
    else:
        times = 1 if nonzero is None else _SPARSE_IS_SLOWER
        too_large = stored * outputs * times > MOST_NUMBERS
    if too_large:
        of_classes = "" if outputs == 1 else f" and {outputs} outputs"
        raise SkippedError(f"{rows} rows of {width} features{of_classes} take too long")


def _label_model(features: Any, label: Array) -> Any:
    """A classifier of one label, or the probability of a label that is always the same."""
    return float(label[0]) if (label == label[0]).all() else _logistic(features, label)


def _logistic(features: Any, labels: Array) -> Any:
    from scipy.sparse import issparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A yardstick need not be exact.
        warnings.simplefilter("ignore", ConvergenceWarning)
        steps = SPARSE_ITERATIONS if issparse(features) else ITERATIONS
        return LogisticRegression(max_iter=steps).fit(features, labels)


def _probability(part: Any, features: Any) -> Array:
    if isinstance(part, float):
        return np.full(features.shape[0], part)
    return np.asarray(part.predict_proba(features)[:, 1], np.float64)


@dataclass(frozen=True)
class SimpleScore:
    """The simple model on the scored rows.

    Args:
        name: `logistic regression` or `ridge regression`, and of windows what part of them it saw.
        description: What it is and does, for a person to read; empty where it was skipped.
        predictions: (m, k) in the form of the network's output, or None.
        skipped: Why there are no predictions, one clause; None where there are some.
        value: Its score; None where it has none yet.
    """

    name: str
    description: str
    predictions: Array | None
    skipped: str | None = None
    value: float | None = None


def simple_output(
    task: TargetType,
    score: Score,
    layers: Sequence[PlainLayer],
    train: tuple[Any, Array],
    inputs: Any,
    outputs: int,
) -> SimpleScore:
    """Fit the simple model and let it predict rows.

    Args:
        task: What is predicted.
        score: The measure of success.
        layers: The network's layers: with an `Embedding`, its inputs are indices, not quantities.
        train: Inputs and targets of the training rows.
        inputs: Inputs of the rows to predict.
        outputs: Number of the network's outputs.
    """
    try:
        if any(entry.layer.name == "Embedding" for entry in layers):
            raise SkippedError("the inputs are indices for an Embedding, not quantities")
        known, targets = train
        if isinstance(known, NamedInputs):
            known, inputs = _joined(known, task, outputs), _joined(inputs, task, outputs)
        windows = windows_of(known)
        if windows is not None:
            steps = max(1, most_features(task, len(windows), outputs) // windows.width)
            seen, scored = windows.thinned(steps), windows_of(inputs)
            assert scored is not None
            known, inputs = seen[:], scored.thinned(steps)[:]
        sample = evenly_spaced(task, *_size(known), outputs) if in_memory(known) else None
        if sample is not None:
            known, targets = take_rows(known, sample), np.asarray(targets)[sample]
        features = _features(known, task, outputs)
        sampled = sample is not None
        model = fitted_once(
            (task, outputs, sampled),
            (features, np.asarray(targets)),
            partial(fit_simple_model, task, features, targets, outputs, sampled=sampled),
        )
        predictions = _in_blocks(model, inputs, score)
    except SkippedError as error:
        return SimpleScore(simple_name(task), "", None, str(error))
    name, description = model.name, model.description
    if windows is not None:
        part = _part_of_window(seen.length, windows.length)
        name, description = f"{name} on {part}", f"{description}, {part}"
    if sample is not None:
        rows = f"{len(sample)} evenly spaced rows"
        joint = " on" if windows is None else ","
        name, description = f"{name}{joint} {rows}", f"{description}, {rows} of them"
    return SimpleScore(name, description, predictions)


def evenly_spaced(
    task: TargetType, rows: int, width: int, stored: int, outputs: int
) -> Array | None:
    """Return the positions of as many rows as can be fitted in about a second, (m,) int64; None
    where those are all rows, or too few for a linear model.

    Args:
        task: What is predicted.
        rows: Training rows, n.
        width: Features, f.
        stored: Numbers that the inputs hold: n f, fewer where they are sparse.
        outputs: The network's outputs, k.
    """
    if task == "regression":
        most = MOST_PRODUCTS * rows // max(stored * min(rows, width), 1)
    else:
        times = 1 if stored == rows * width else _SPARSE_IS_SLOWER
        most = MOST_NUMBERS * rows // max(stored * outputs * times, 1)
    if most >= rows or most < max(FEWEST_SEEN, SEEN_PER_FEATURE * width):
        return None
    return np.linspace(0, rows - 1, most).astype(np.int64)


def _size(inputs: Any) -> tuple[int, int, int]:
    """Rows, features, and numbers that are stored."""
    rows, width = len(inputs), int(np.prod(inputs.shape[1:]))
    sparse = _is_sparse(inputs)
    stored = sum(len(block.indices) for block in inputs.blocks) if sparse else rows * width
    return rows, width, stored


def _in_blocks(model: SimpleModel, inputs: Any, score: Score) -> Array:
    """The predictions for all rows; standardizing makes a copy of those of one block."""
    rows, width, _ = _size(inputs)
    block = max(1, MOST_FEATURES_IN_MEMORY // max(width, 1))
    if rows <= block or _is_sparse(inputs):
        return model.predict(_matrix(inputs), score)
    starts = range(0, rows, block)
    return np.concatenate([model.predict(_matrix(inputs[i : i + block]), score) for i in starts])


def _part_of_window(seen: int, length: int) -> str:
    if seen == length:
        return "the whole window"
    if seen == 1:
        return f"the last of the {length} rows of the window"
    return f"{seen} of the {length} rows of the window, evenly apart"


def _joined(inputs: NamedInputs, task: TargetType, outputs: int) -> Array:
    """(n, f) the features of all inputs side by side."""
    if not are_arrays(inputs):
        raise SkippedError("the inputs are not all arrays in memory")
    parts = [np.asarray(part) for part in inputs.parts.values()]
    refuse_large(task, len(inputs), sum(int(np.prod(p.shape[1:])) for p in parts), outputs)
    return np.concatenate([_matrix(part) for part in parts], axis=1)


def _features(inputs: Any, task: TargetType, outputs: int) -> Any:
    """(n, f) training features: a sparse matrix where the inputs are stored as one."""
    if not in_memory(inputs):
        raise SkippedError("the inputs are not one array in memory")
    if not _is_sparse(inputs):
        # Before they are copied.
        refuse_large(task, len(inputs), int(np.prod(inputs.shape[1:])), outputs)
    return _matrix(inputs)


def _is_sparse(inputs: Any) -> bool:
    expanded = as_encoded(inputs)
    return expanded is not None and all(block.is_sparse for block in expanded.blocks)


def _matrix(inputs: Any) -> Any:
    if _is_sparse(inputs):
        from scipy.sparse import hstack

        blocks = [block.csr() for block in inputs.blocks]
        return blocks[0] if len(blocks) == 1 else hstack(blocks, format="csr")
    rows = inputs[:]
    return rows.reshape(len(rows), -1).astype(np.float32, copy=False)
