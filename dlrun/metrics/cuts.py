"""What a model's outputs mean, and where measures cut them into classes.

A loss decides what outputs mean: one that takes logits or margins pushes them apart around 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from dlrun.metrics.arrays import Array, log_softmax, sigmoid
from dlrun.metrics.names import LOSSES_OF_QUANTITIES
from dlrun.metrics.table import MEASURES
from dlrun.registry.keras_component import KerasComponent

Meaning = Literal["probabilities", "logits", "class logits", "margins", "scores"]
"""What the outputs of a classifier are.

`logits` become probabilities by a sigmoid each, `class logits` by a softmax over all; `margins` lie
on either side of 0; of `scores` nothing is known but that a larger one says more for its class.
"""

_OF_PROBABILITIES = ("sigmoid", "softmax", "hard_sigmoid", "sparse_sigmoid", "sparsemax")
"""Activations that give probabilities."""


def meaning_of(
    loss: str, *, from_logits: bool = False, own: bool = False, activation: str | None = None
) -> Meaning:
    """Return what the outputs of a classifier are.

    Args:
        loss: Keras' class name of the loss.
        from_logits: Whether it takes the outputs for logits.
        own: Whether it is a plugin's.
        activation: The last one, or None where that is not known.
    """
    if own or loss in LOSSES_OF_QUANTITIES or loss in ("CTC", "Circle"):
        known = activation in _OF_PROBABILITIES or (activation is None and not own)
        return "probabilities" if known else "scores"
    if loss in ("Hinge", "SquaredHinge"):
        return "margins"
    if loss == "CategoricalHinge":
        return "scores"
    if from_logits:
        return "logits" if loss.startswith("Binary") else "class logits"
    return "probabilities"


def meaning_by_loss(loss: KerasComponent, activation: str | None = None) -> Meaning:
    """`meaning_of` the outputs that a loss of a config is given."""
    return meaning_of(
        loss.name,
        from_logits=bool(loss.arguments.get("from_logits")),
        own=loss.implementation is not None,
        activation=activation,
    )


def as_probabilities(output: ArrayLike, meaning: Meaning) -> Array:
    """Return a classifier's output, (n, ..., k), as probabilities, as far as it tells any.

    Margins from -1 to 1 become shares from 0 to 1, which are not true probabilities; scores stay
    as they are.
    """
    values = np.asarray(output)
    if meaning == "margins":
        return np.clip((values.astype(np.float64) + 1) / 2, 0, 1)
    if meaning == "logits" or (meaning == "class logits" and values.shape[-1] == 1):
        return sigmoid(values)
    return np.exp(log_softmax(values)) if meaning == "class logits" else values


def as_outputs(probabilities: ArrayLike, meaning: Meaning, least: float) -> Array:
    """Return what a model would have to give for some probabilities, (n, ..., k).

    Args:
        probabilities: For each class, or for the second of two.
        meaning: Of the outputs.
        least: Smaller probabilities count as this one.
    """
    values = np.asarray(probabilities, np.float64)
    if meaning == "margins":
        return 2 * values - 1
    bounded = np.clip(values, least, 1 - least)
    if meaning == "class logits" and values.shape[-1] > 1:
        return np.log(bounded)
    return np.log(bounded / (1 - bounded)) if meaning.endswith("logits") else values


Change = Literal["sigmoid", "softmax", "positive", "side"]
"""What is done to outputs before they are measured: made probabilities, or replaced by whether
they lie above 0. `side` leaves them, and replaces targets of -1 and 1 by 0 and 1."""


@dataclass(frozen=True)
class Suited:
    """How a metric is to be applied to outputs of some meaning.

    Args:
        arguments: Of Keras' class, those of the config included.
        change: What is done to outputs first, or None.
    """

    arguments: dict[str, Any]
    change: Change | None = None


def suited(metric: str, arguments: Mapping[str, Any], meaning: Meaning) -> Suited:
    """Return how a metric is applied so that it cuts where the loss does.

    A threshold or `from_logits` in the config wins.

    Args:
        metric: Keras' class name.
        arguments: What the config gives it.
        meaning: Of the outputs.
    """
    given, facts = dict(arguments), MEASURES.get(metric)
    if facts is None or meaning in ("probabilities", "scores"):
        return Suited(given)
    logits = meaning.endswith("logits")
    to_probabilities: Change = "softmax" if meaning == "class logits" else "sigmoid"
    if metric.endswith("Crossentropy"):
        if not logits or "from_logits" in given:
            return Suited(given)
        if metric.startswith("Binary") == (meaning == "logits"):
            return Suited(given | {"from_logits": True})
        return Suited(given, to_probabilities)
    if metric in ("KLDivergence", "CategoricalGeneralizedCrossEntropy", "Dice", "Tversky"):
        return Suited(given, to_probabilities if logits else None)
    if facts.cut == "curve":
        explicit = given.get("from_logits") is not None
        if metric == "AUC" and meaning == "logits" and not explicit:
            return Suited(given | {"from_logits": True})
        return Suited(given, None if explicit else to_probabilities)
    if facts.cut is None or given.get(facts.cut_argument or "") is not None:
        return Suited(given, "side" if facts.cut and meaning == "margins" else None)
    if facts.cut == "threshold" and given.get("top_k") is None:
        if meaning == "class logits":
            return Suited(given, None if metric == "Accuracy" else "softmax")
        side: Change | None = "side" if meaning == "margins" else None
        argument = facts.cut_argument or "threshold"
        return Suited(given | {argument: 0.0}, side)
    if metric in ("F1Score", "FBetaScore") and meaning != "class logits":
        return Suited(given | {"threshold": 0.5}, "positive")
    return Suited(given)


def changed(change: Change | None, y_true: Any, y_pred: Any, ops: Any = None) -> tuple[Any, Any]:
    """Return targets and outputs as `Suited.change` has them; probabilities are float32.

    Args:
        change: What is done.
        y_true: (n, ...) or (n, ..., k).
        y_pred: (n, ..., k).
        ops: `keras.ops` for tensors; None for arrays.
    """
    if change is None:
        return y_true, y_pred
    if ops is None:
        return _changed_arrays(change, np.asarray(y_true), np.asarray(y_pred))
    # Targets of margins may be -1 and 1.
    true = ops.cast(ops.maximum(y_true, 0), y_pred.dtype)
    if change == "positive":
        return true, ops.cast(y_pred > 0, y_pred.dtype)
    activation = {"sigmoid": ops.sigmoid, "softmax": ops.softmax, "side": lambda outputs: outputs}
    return true, activation[change](y_pred)


def _changed_arrays(change: Change, true: Array, predicted: Array) -> tuple[Array, Array]:
    true = np.maximum(true, 0)
    if change == "positive":
        return true, (predicted > 0).astype(np.float32)
    if change == "sigmoid":
        return true, sigmoid(predicted).astype(np.float32)
    if change == "softmax":
        return true, np.exp(log_softmax(predicted)).astype(np.float32)
    return true, predicted
