"""One fit, whatever runs it: what an engine gets and what it gives back.

Shapes: n training rows; `inputs` (n, ...), `targets` (n,) or (n, k).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

Array = np.ndarray
History = dict[str, list[float]]
"""Metric name, as Keras writes it, to one value an epoch."""


@dataclass(frozen=True)
class Arrays:
    """Rows ready for a model.

    Args:
        inputs: (n, ...) numbers of any dtype that the model's input takes.
        targets: (n,) or (n, k).
        weights: (n,) float32 weights in the loss, or None.
    """

    inputs: Array
    targets: Array
    weights: Array | None = None


@dataclass(frozen=True)
class FitRequest:
    """Everything one fit needs.

    Args:
        model: A compiled `keras.Model`; trained in place.
        train: Rows to learn from.
        validation: Rows to measure after every epoch, or None.
        epochs: Passes over the training rows at most.
        batch_size: Rows in a gradient step.
        shuffle: Whether every epoch sees the rows in another order.
        class_weight: Class index to weight in the loss, or None.
        callbacks: Keras callbacks, in order.
        on_epoch: Called after every epoch with its number (from 1), its metrics as floats
            and the seconds it took.
        on_step: Called after every step with the epoch, steps done and steps in all.
    """

    model: Any
    train: Arrays
    validation: Arrays | None
    epochs: int
    batch_size: int
    shuffle: bool = True
    class_weight: dict[int, float] | None = None
    callbacks: list[Any] = field(default_factory=list)
    on_epoch: Callable[[int, dict[str, float], float], None] = lambda epoch, logs, seconds: None
    on_step: Callable[[int, int, int], None] = lambda epoch, step, steps: None


@dataclass(frozen=True)
class FitResult:
    """What a fit came to.

    Args:
        history: Every metric of every completed epoch, learning rate included.
        interrupted: Whether the user stopped it; the model is as the last step left it.
    """

    history: History
    interrupted: bool


class Engine(Protocol):
    """What runs the epochs."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place."""
        ...
