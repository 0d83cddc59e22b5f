"""Several fits of one shape, trained in the same calls and reported one after another.

No callback sees their models while they train, so each fit's epochs can wait to be reported until
the fit before it has been scored and kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlrun.training.engine import FitRequest
from dlrun.training.fused.epochs import (
    Epoch,
    EpochLength,
    EpochSource,
    RowsPerCall,
    epochs_of,
    orders_of,
)
from dlrun.training.reporting import FitControl

if TYPE_CHECKING:
    from dlrun.training.fused.jax_program import JaxFolds


class JointTraining:
    """Trains all fits at once, as far as the one that is reported needs it.

    Args:
        requests: The fits, of the same numbers of rows, epochs and rows in a batch.
        folds: The program, states and rows loaded.
    """

    def __init__(self, requests: Sequence[FitRequest], folds: JaxFolds) -> None:
        self._requests = requests
        self._length = EpochLength.of(requests[0])
        self._per_call = RowsPerCall(requests[0].batch_size)
        self._trained: list[list[Epoch]] = [[] for _ in requests]
        self.folds = folds

    def epochs(self, fit: int, done: int) -> Sequence[Epoch]:
        """Return a fit's epochs after those that are done, at least one of them."""
        while len(self._trained[fit]) <= done:
            self._train()
        return self._trained[fit][done:]

    def _train(self) -> None:
        """Train the next epochs of all fits in one call."""
        done, fits, capacity = len(self._trained[0]), len(self._requests), self.folds.capacity
        most = min(capacity, self._requests[0].epochs - done)
        count = self._length.fitting_epochs(self._per_call.rows // fits, most)
        orders = [orders_of(fit, done, count, capacity) for fit in self._requests]
        chunk = self._length.whole(count)
        started = time.perf_counter()
        metrics = self.folds.run(np.stack(orders), chunk)
        seconds = time.perf_counter() - started
        self._per_call.record(fits * self._length.rows_of(chunk), seconds)
        for epochs, of_fit in zip(self._trained, metrics, strict=True):
            epochs += epochs_of(of_fit, count, seconds / count / fits)


class JointFit:
    """The epochs of one of the fits; the model has its state whenever they are reported.

    Args:
        training: All of the fits.
        index: Which one this is.
        model: Gets the fit's state.
        alone: Makes what trains the fit alone, from the state that the model then has.
        control: Stops the fit on request.
    """

    def __init__(
        self,
        training: JointTraining,
        index: int,
        model: Any,
        alone: Callable[[], EpochSource],
        control: FitControl,
    ) -> None:
        self._training = training
        self._index = index
        self._model = model
        self._make_alone = alone
        self._control = control
        self._alone: EpochSource | None = None

    def train_next(self, done: int) -> Sequence[Epoch]:
        """Return the next epochs; see `EpochSource`."""
        if self._alone is not None:
            return self._alone.train_next(done)
        epochs = self._training.epochs(self._index, done)
        if all(math.isfinite(epoch.logs["loss"]) for epoch in epochs):
            self._training.folds.put_state(self._index, self._model)
            return epochs
        return self._train_alone(done)

    def _train_alone(self, done: int) -> Sequence[Epoch]:
        """Train a fit that diverges again, alone, to get its last finite state."""
        self._training.folds.put_initial_state(self._index, self._model)
        self._alone = self._make_alone()
        epochs: list[Epoch] = []
        while len(epochs) <= done:
            self._control.interrupt.check()
            epochs += self._alone.train_next(len(epochs))
        return epochs[done:]
