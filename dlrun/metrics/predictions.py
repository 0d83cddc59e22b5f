"""How wrong each row's prediction is, and which rows are the most wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array, log_softmax, sigmoid
from dlrun.metrics.names import TargetType


def as_probabilities(output: ArrayLike, loss: str, from_logits: bool) -> Array:
    """Return a classifier's output, (n, k), as probabilities.

    Args:
        output: What the model gives.
        loss: Keras' class name of the loss it was trained with. Where that is a hinge loss, the
            margins from -1 to 1 become shares from 0 to 1, which are not true probabilities.
        from_logits: Whether the loss took the output for logits.
    """
    values = np.asarray(output)
    if loss in ("Hinge", "SquaredHinge"):
        return np.clip((values + 1) / 2, 0, 1)
    if not from_logits:
        return values
    one_by_one = loss.startswith("Binary") or values.shape[-1] == 1
    return sigmoid(values) if one_by_one else np.exp(log_softmax(values))


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


def most_wrong(task: TargetType, y_true: ArrayLike, y_pred: ArrayLike, count: int) -> Array:
    """Return positions of at most `count` wrong rows, (m,) int64, the most wrong first.

    Rows that are right are left out, and so are those whose prediction is NaN. Args as
    `wrongness`.
    """
    values = wrongness(task, y_true, y_pred)
    order = np.argsort(-values, kind="stable")
    return order[values[order] > 0][:count].astype(np.int64)
