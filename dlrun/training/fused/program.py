"""What the fused engine asks of a backend: whole epochs of a model as one compiled program.

Shapes: e epochs, n training rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dlrun.errors import TrainingError
from dlrun.training.rows import FitRows

Array = np.ndarray


class CannotFuse(TrainingError):  # noqa: N818 - to the choice of an engine it is an answer
    """The model cannot be trained by a compiled program; the text says why."""


@dataclass(frozen=True)
class Stretch:
    """A piece of training that is done in one call.

    Args:
        epochs: How many epochs it covers; more than 1 only where each is a whole one.
        first: The first gradient step of the epoch, from 0.
        last: The step it ends before; `first` again where none is trained.
        first_check: The first batch of validation rows that is measured, from 0.
        last_check: The batch it ends before.
    """

    epochs: int
    first: int
    last: int
    first_check: int
    last_check: int


@dataclass(frozen=True)
class EpochMetrics:
    """What a call measured.

    Args:
        train: (e,) float32 by metric, over all steps of the epoch so far.
        validation: (e,) float32 by metric, over all batches of validation rows so far; empty
            where there are none.
        learning_rate: (e,) float32, at the beginning of the call and of each further epoch.
    """

    train: Mapping[str, Array]
    validation: Mapping[str, Array]
    learning_rate: Array


class Program(Protocol):
    """A model's training and validation, compiled once for all rows of the same kind."""

    capacity: int
    """Epochs whose row orders a call takes; `Stretch.epochs` may be fewer."""

    def load(self, train: FitRows, validation: FitRows | None) -> None:
        """Put rows on the device, in place of earlier ones."""
        ...

    def put_orders(self, orders: Array) -> Any:
        """Put row orders, (capacity, n) int32, on the device for `run`."""
        ...

    def run(self, orders: Any, stretch: Stretch) -> EpochMetrics:
        """Train and measure in one call.

        Metrics are reset where a stretch begins an epoch's training or its validation. How an
        epoch is cut into stretches changes no digit.
        """
        ...

    def release(self) -> None:
        """Let go of the rows on the device."""
        ...
