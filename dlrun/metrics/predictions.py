"""How wrong each row's prediction is, and which rows are the most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array
from dlrun.metrics.names import TargetType


@dataclass(frozen=True)
class Steps:
    """All steps or pixels of some rows that count, one after another; of plain rows, the rows.

    Args:
        true: (s,) class indices, or (s, k) labels or quantities.
        predictions: (s, k).
        rows: (s,) position of the row that each belongs to.
        unit: What they are: `rows`, `steps` or `pixels`.
    """

    true: Array
    predictions: Array
    rows: Array
    unit: str = "rows"


def unit_of(axes: int) -> str:
    """Return what there is an answer for, where there are so many axes between rows and outputs."""
    return {0: "rows", 2: "pixels"}.get(axes, "steps")


def by_step(
    task: TargetType, y_true: ArrayLike, y_pred: ArrayLike, mask: ArrayLike | None = None
) -> Steps:
    """Return targets and predictions step by step, those that are masked left out.

    Args:
        task: What is predicted.
        y_true: (n, ...) class indices, (n, ..., k) one-hot rows, labels or quantities.
        y_pred: (n, ..., k).
        mask: (n, ...) which steps count; None: all.
    """
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if task == "multiclass" and true.shape == predicted.shape:
        true = true.argmax(axis=-1)
    if task in ("binary", "multiclass"):
        steps = true.size
        true = true.reshape(-1)
    elif task == "regression" and true.ndim <= 2 and mask is None:
        # Steps of a target have names of their own.
        rows = np.arange(len(true))
        return Steps(true.reshape(len(true), -1), predicted.reshape(len(true), -1), rows)
    else:
        outputs = predicted.shape[-1] if predicted.ndim > 1 else 1
        steps = predicted.size // max(outputs, 1)
        true = true.reshape(steps, -1)
    size, unit = len(predicted), unit_of(max(predicted.ndim - 2, 0))
    unit = "steps" if unit == "rows" and steps > size else unit
    predicted = predicted.reshape(steps, -1)
    rows = np.repeat(np.arange(size), steps // max(size, 1))
    if mask is None:
        return Steps(true, predicted, rows, unit)
    counts = np.asarray(mask, bool).reshape(-1)
    return Steps(true[counts], predicted[counts], rows[counts], unit)


def names_of_outputs(names: Sequence[str], outputs: int) -> tuple[str, ...]:
    """Return the names of a row's targets, or of the outputs at each of its steps or pixels."""
    if len(names) == outputs:
        return tuple(names)
    name = names[0].removesuffix("_0") if names else "target"
    return (name,) if outputs == 1 else tuple(f"{name}_{index}" for index in range(outputs))


def class_indices(y_true: ArrayLike) -> Array:
    """Return (n,) class indices of (n,) or (n, 1) indices or (n, k) one-hot rows."""
    true = np.asarray(y_true)
    if true.ndim > 1 and true.shape[-1] > 1:
        return true.argmax(axis=-1)
    return true.reshape(-1).astype(np.int64)


def class_shares(probabilities: ArrayLike) -> Array:
    """Return (n, k) probabilities with a column for each of at least two classes.

    A single column is the probability of the second of two classes.
    """
    shares = np.asarray(probabilities, np.float64)
    shares = shares[:, None] if shares.ndim == 1 else shares
    if shares.shape[1] == 1:
        return np.column_stack([1 - shares[:, 0], shares[:, 0]])
    return shares


def wrongness(task: TargetType, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return (n,) how wrong each row is, 0 where it is not wrong at all.

    Classes: how much more probability was given to the wrong class than to the true one.
    Several labels: the mean over labels of the probability given to the wrong answer, where a
    label is wrong. Quantities: the size of the error; of several targets the largest, in
    standard deviations of each target.

    Args:
        task: What is predicted.
        y_true: (n,), (n, 1) or (n, k) targets.
        y_pred: (n, 1) or (n, k): probabilities, or quantities in the unit of the targets.
    """
    if task in ("binary", "multiclass"):
        true, shares = class_indices(y_true), class_shares(y_pred)
        of_true = np.take_along_axis(shares, true[:, None], axis=1)[:, 0]
        return shares.max(axis=1) - of_true
    predicted = np.asarray(y_pred, np.float64)
    predicted = predicted.reshape(len(predicted), -1)
    errors = np.abs(predicted - np.asarray(y_true, np.float64).reshape(predicted.shape))
    if task == "multilabel":
        return np.where(errors >= 0.5, errors, 0).mean(axis=1)
    if errors.shape[1] == 1:
        return errors[:, 0]
    spread = np.asarray(y_true, np.float64).reshape(predicted.shape).std(axis=0)
    return (errors / np.where(spread > 0, spread, 1)).max(axis=1)


def most_wrong(
    task: TargetType,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    count: int,
    mask: ArrayLike | None = None,
) -> Array:
    """Return positions of at most `count` wrong rows, (m,) int64, the most wrong first.

    Rows that are right are left out, and so are those whose prediction is NaN. A row of several
    steps or pixels is as wrong as those that count are on average. Args as `by_step`.
    """
    steps = by_step(task, y_true, y_pred, mask)
    size = len(np.asarray(y_true))
    sums = np.bincount(steps.rows, wrongness(task, steps.true, steps.predictions), size)
    values = sums / np.maximum(np.bincount(steps.rows, minlength=size), 1)
    order = np.argsort(-values, kind="stable")
    return order[values[order] > 0][:count].astype(np.int64)
