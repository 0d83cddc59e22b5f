"""One fit, whatever runs it: what an engine gets and what it gives back.

Shapes: n training rows; `inputs` (n, ...), `targets` (n,) or (n, k).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dlrun.training.checkpoint import Checkpoints
from dlrun.training.rows import FitRows

History = dict[str, list[float]]
"""Metric name, as Keras writes it, to one value an epoch."""

# Validation has no gradient to keep small: larger batches give the same means sooner.
VALIDATION_BATCH_SIZE = 256


def validation_batch_size(batch_size: int) -> int:
    """Return how many rows are measured at once, where training takes `batch_size`."""
    return max(batch_size, VALIDATION_BATCH_SIZE)


@dataclass(frozen=True)
class FitRequest:
    """Everything one fit needs.

    Args:
        model: A compiled `keras.Model` with its initial weights.
        train: Rows to learn from.
        validation: Rows to measure after every epoch, or None.
        epochs: Passes over the training rows at most.
        batch_size: Rows in a gradient step.
        seed: Decides the order of the rows in every epoch.
        shuffle: Whether every epoch sees the rows in another order.
        class_weight: Class index to weight in the loss, or None.
        callbacks: Keras callbacks, in order.
        epochs_before: Epochs that earlier phases trained; those of this fit are numbered, and the
            rows are ordered, as if they followed them.
        on_epoch: Called after every epoch with its number (from 1), its metrics as floats
            and the seconds it took.
        on_step: Called as steps are done, not always after each one, with the epoch, steps
            done and steps in all.
        on_losses: Called at the end of an epoch with its number and the loss of each step, by the
            engine that takes the steps one by one.
        checkpoints: Where the fit is saved while it goes on; if a state is there already, the fit
            goes on from it, and calls `on_epoch` for later epochs only. None: it is not saved.
        on_note: Called with a sentence that the user should read.
    """

    model: Any
    train: FitRows
    validation: FitRows | None
    epochs: int
    batch_size: int
    seed: int = 0
    shuffle: bool = True
    class_weight: dict[int, float] | None = None
    callbacks: list[Any] = field(default_factory=list)
    epochs_before: int = 0
    on_epoch: Callable[[int, dict[str, float], float], None] = lambda epoch, logs, seconds: None
    on_step: Callable[[int, int, int], None] = lambda epoch, step, steps: None
    on_losses: Callable[[int, Sequence[float]], None] = lambda epoch, losses: None
    checkpoints: Checkpoints | None = None
    on_note: Callable[[str], None] = lambda text: None

    @property
    def steps(self) -> int:
        """Gradient steps in an epoch, a last partial batch included."""
        return -(-len(self.train) // self.batch_size)

    @property
    def validation_batch_size(self) -> int:
        """Rows that are measured at once."""
        return validation_batch_size(self.batch_size)


@dataclass(frozen=True)
class Divergence:
    """A training whose loss became NaN or infinite.

    Args:
        epoch: In which epoch, from 1.
        loss: What it became.
        kept: The epoch before that the model is kept from.
    """

    epoch: int
    loss: float
    kept: int


@dataclass(frozen=True)
class KeptWeights:
    """The epoch whose weights a trained model has.

    Args:
        epoch: From 1, counted over all phases.
        monitor: What EarlyStopping monitors, where it restored them; None after the last epoch.
    """

    epoch: int
    monitor: str | None


@dataclass(frozen=True)
class PhaseResult:
    """The outcome of one phase of a fit.

    Args:
        name: What it is called.
        first: Its first epoch, from 1, counted over all phases.
        epochs: Epochs that it trained.
        engine: What trained it.
        trained_weights: How many weights it trained.
        features: How many numbers of a row the head was trained on, where a frozen base was run
            once; else None.
    """

    name: str
    first: int
    epochs: int
    engine: str
    trained_weights: int
    features: int | None


@dataclass(frozen=True)
class FitResult:
    """The outcome of a fit.

    Args:
        model: The trained `keras.Model`.
        history: Every metric of every completed epoch, learning rate included.
        interrupted: Whether the user stopped it; the model is as the last step left it.
        diverged: Where the loss became NaN and training stopped, or None.
        phases: The phases that were trained, where there may be several.
        kept: The epoch whose weights the model has; None where it is not known, as where the
            optimizer ends with a mean of all epochs.
    """

    model: Any
    history: History
    interrupted: bool
    diverged: Divergence | None = None
    phases: tuple[PhaseResult, ...] = ()
    kept: KeptWeights | None = None


class Engine(Protocol):
    """What runs the epochs."""

    def fit(self, request: FitRequest) -> FitResult:
        """Train `request.model` in place.

        An engine keeps what it compiled for the next fit of the same model object.

        Raises:
            TrainingError: A step cannot be computed, or the loss became NaN in the first epoch.
        """
        ...
